"""E-mail: the Enron release (``enron_mail_20150507.tar.gz``), maildir trees, single messages and mbox files.

Format: RFC 5322 messages; maildir members ``maildir/{user}/{folder}/{n}.``; mbox after RFC 4155 (messages begin at a
line ``From `` after a blank line, ``>From`` in a body loses one ``>``).

Record unit: one message.
Id: ``clean`` ``enron:`` and 16 hex digits of the SHA-256 of date, sender, subject and body without white space, so
that the copies of a message in several folders are one document, in one archive or in several raw files of the
component; ``pile`` ``enron:{user}/{folder}/{n}``.
Text, ``clean``: the body, quoted-printable left in it decoded, without a signature after ``-- ``, blank lines
squeezed; `cut_quotes` also cuts the quoted history::

    Sally,

    Please let me know your thoughts.

``pile``: all text parts as they are, several joined by a line ``--- mail_boundary ---``; every copy.
Metadata: user, folder, message_id, date, from, subject, body_sha256. Contains personal data; redaction is a step.
Licence: released in a US government investigation; it stands on the card.
Skip reasons (``clean``): ``duplicate``, ``too_short`` (fewer than `min_characters`), ``auto_reply``, ``newsletter``;
both: ``no_text``, ``not_a_message`` (other files in an archive), ``link``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.archives import Caps
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import decode, squeeze, tidy
from pilebuilder.read.files import Content, contents
from pilebuilder.read.streams import open_stream
from pilebuilder.read.whole import whole, wrong_format
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from email.message import Message

    import pyarrow as pa

    from pilebuilder.read.archives import Readable
    from pilebuilder.read.survey import Surveys

MAX_MESSAGE = 64 << 20
MEMBERS = Caps(members=4_000_000)
"""The release has 517,401 messages in one archive."""
BOUNDARY = "\n--- mail_boundary ---\n"
_HEADER = re.compile(rb"(?:From \S.*\r?\n)?[!-9;-~]{1,76}:[ \t\r\n]?")
_AUTO_REPLY = re.compile(
    r"^\s*(?:out of (?:the )?office|auto(?:matic|mated)?[- ]?(?:reply|response)|undeliverable|undelivered mail"
    r"|delivery (?:status notification|failure)|returned mail|mail delivery (?:failed|subsystem)|read:|not read:)",
    re.I,
)
_NEWSLETTER = re.compile(
    r"\bto (?:unsubscribe|be removed from (?:this|our) (?:mailing )?list)\b|\bunsubscribe (?:here|at|by|from)\b",
    re.I,
)
_HISTORY = re.compile(
    r"^(?:[ \t>]*-{2,} ?(?:Original Message|Forwarded by|Inline attachment follows|Begin forwarded message)\b"
    r"|[ \t]*From:[ \t].*\n(?:.*\n){0,3}?[ \t]*(?:Sent|Date|To):|_{20,}[ \t]*\n[ \t]*From:)",
    re.M,
)
_QUOTED = re.compile(r"^[ \t]*>.*\n?", re.M)
_SIGNATURE = re.compile(r"^-- ?$", re.M)
_SOFT = re.compile(rb"=\r?\n|=20\r?$", re.M)


@reader("enron", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class Enron:
    """Bodies of e-mail messages from a maildir archive, single files or mbox."""

    style: Annotated[Literal["clean", "pile"], Field(description="each message once, or every copy as it is")] = (
        "clean"
    )
    cut_quotes: Annotated[bool, Field(description="cut forwarded and quoted history (clean)")] = False
    min_characters: Annotated[int, Field(ge=0, description="shorter bodies are left out in clean")] = 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.copies import distinct

        return whole(raw, distinct(raw, self._read(raw), self._same()))

    def survey(self, raw: Raw) -> pa.Table:
        """The messages of one file."""
        from pilebuilder.read.copies import survey

        return survey(whole(raw, self._read(raw)), self._same())

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """Messages that are in a file before, too."""
        from pilebuilder.read.copies import settle

        return settle(surveys, surveys.names, self._same())

    def settles(self) -> bool:
        """Whether copies are left out."""
        return self.style == "clean"

    def _same(self) -> dict[str, str]:
        return {"key": "duplicate"} if self.settles() else {}

    def _read(self, raw: Raw) -> Iterator[Item]:
        with open_stream(raw.path, expect=raw.name) as stream:
            if stream.read(5) == b"From ":
                for offset, data in messages(_Again(b"From ", stream)):
                    yield self._message(data, f"{raw.name}#{offset}", offset)
                return
        for item in contents(raw, limit=MAX_MESSAGE, caps=MEMBERS):
            if not isinstance(item, Content):
                yield item
            elif _HEADER.match(item.data):
                yield self._message(item.data, item.path, item.offset)
            elif item.name == raw.name:
                yield wrong_format("a mail message", item.data)
            else:
                yield Skipped(reason="not_a_message", offset=item.offset, key=item.name)

    def _message(self, data: bytes, path: str, offset: int) -> Item:
        from email import message_from_bytes

        path = re.sub(r"^(?:.*/)?maildir/", "", path)
        if len(data) > MAX_MESSAGE:
            return Quarantined(reason="too_large", offset=offset, detail=f"more than {MAX_MESSAGE} bytes", key=path)
        try:
            message = message_from_bytes(data)
            texts = list(_texts(message))
        except (RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
            return Quarantined(reason="parse_error", offset=offset, detail=f"{path}: {error!r}"[:200], key=path)
        facts = _facts(message, path)
        if self.style == "pile":
            return _record(f"enron:{path}", BOUNDARY.join(texts), offset, facts)
        text = self._clean("\n\n".join(texts))
        digest = hashlib.sha256("".join(text.split()).encode()).hexdigest()
        identity = "\0".join((facts["date"], facts["from"], facts["subject"], digest))
        key = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()[:8]
        if reason := self._unwanted(facts, text, message):
            return Skipped(reason=reason, offset=offset, key=f"enron:{key.hex()}")
        return _record(f"enron:{key.hex()}", text, offset, facts | {"body_sha256": digest})

    def _clean(self, text: str) -> str:
        text = tidy(text)
        if self.cut_quotes:
            found = _HISTORY.search(text)
            text = _QUOTED.sub("", text[: found.start()] if found else text)
        marks = [found.start() for found in _SIGNATURE.finditer(text)]
        if marks and len(text) - marks[-1] < 800:
            text = text[: marks[-1]]
        return squeeze(text)

    def _unwanted(self, facts: dict[str, str], text: str, message: Message) -> str:
        if not text.strip():
            return "no_text"
        if len(text.strip()) < self.min_characters:
            return "too_short"
        if _AUTO_REPLY.search(facts["subject"]) or str(message.get("Auto-Submitted", "no")).lower() == "auto-replied":
            return "auto_reply"
        if message.get("List-Unsubscribe") or (_NEWSLETTER.search(text) and not _HISTORY.search(text)):
            return "newsletter"
        return ""


def _record(key: str, text: str, offset: int, facts: dict[str, str]) -> Item:
    if not text.strip():
        return Skipped(reason="no_text", offset=offset, key=key)
    meta = {name: value for name, value in facts.items() if value}
    return Record(key=key, text=text, offset=offset, date=_day(facts["date"]), meta=meta)


def _facts(message: Message, path: str) -> dict[str, str]:
    user, _, rest = path.partition("/")
    folder = rest.rpartition("/")[0]
    return {
        "user": user if rest else _header(message, "X-Origin"),
        "folder": folder or _header(message, "X-Folder"),
        "message_id": _header(message, "Message-ID"),
        "date": _header(message, "Date"),
        "from": _header(message, "From"),
        "subject": _header(message, "Subject"),
    }


def _header(message: Message, name: str) -> str:
    """A header as text: encoded words decoded, folded lines joined, bytes that are no ASCII by the usual order."""
    from email.header import decode_header

    value = next((str(v) for k, v in message.raw_items() if k.lower() == name.lower()), "")
    if not value.isascii():
        value = decode(value.encode("utf-8", "surrogateescape"))[0]
    try:
        parts = decode_header(value) if "=?" in value else [(value, None)]
        value = "".join(p if isinstance(p, str) else decode(p, c)[0] for p, c in parts)
    except (ValueError, LookupError, UnicodeError):
        pass  # as it stands
    return " ".join(tidy(value).split())


def _day(date: str) -> str | None:
    """The date of a ``Date`` header as ISO 8601, unless it is no date of electronic mail."""
    from email.utils import parsedate_tz

    parts = parsedate_tz(date)
    if not parts or not (1971 <= parts[0] <= 2037 and 1 <= parts[1] <= 12 and 1 <= parts[2] <= 31):
        return None
    return f"{parts[0]:04}-{parts[1]:02}-{parts[2]:02}"


def _texts(message: Message) -> Iterator[str]:
    """Text parts in order; an HTML part only when there is no plain one."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text" and not part.get_filename()]
    plain = [part for part in parts if part.get_content_subtype() == "plain"]
    for part in plain or parts:
        text = _body(part)
        if part.get_content_subtype() == "html":
            from pilebuilder.read.markup import PLAIN, html_text

            text = html_text(text, PLAIN)
        yield text


def _body(part: Any) -> str:
    """A part's text; quoted-printable that nobody declared is decoded when it shows at two line ends."""
    import quopri

    data = part.get_payload(decode=True) or b""
    declared = str(part.get("Content-Transfer-Encoding", "")).lower().strip() == "quoted-printable"
    if not declared and len(_SOFT.findall(data)) >= 2:
        data = quopri.decodestring(data)
    charset = part.get_content_charset()
    return decode(data, None if charset in (None, "us-ascii", "ascii") else charset)[0]


# mbox ---------------------------------------------------------------------------------------------------------------


class _Again:
    """A stream with its first bytes put back."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head, self._stream = head, stream

    def read(self, n: int, /) -> bytes:
        head, self._head = self._head, b""
        return head or self._stream.read(n)


def messages(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each message of an mbox file, without the ``From `` line; memory is the longest message.

    One of more than `MAX_MESSAGE` bytes comes as a piece longer than that; the rest of it is passed over.
    """
    held, base, looked, passing = b"\n", -1, 0, False
    while True:
        block = stream.read(1 << 20)
        held += block
        while (at := held.find(b"\nFrom ", looked)) >= 0:
            if at and held[at - 1 : at] != b"\n" and held[at - 2 : at] != b"\n\r":
                looked = at + 1
                continue
            if not passing and held[:at].strip():
                yield base + 1, _unescaped(held[1:at])
            held, base, looked, passing = held[at:], base + at, 1, False
        looked = max(1, len(held) - 6)
        if len(held) > MAX_MESSAGE + (1 << 20) or passing:
            if not passing:
                yield base + 1, held
            held, base, looked, passing = held[-8:], base + len(held) - 8, 2, True
        if not block:
            break
    if not passing and held.strip():
        yield base + 1, _unescaped(held[1:])


def _unescaped(data: bytes) -> bytes:
    body = data.partition(b"\n")[2] if data.startswith(b"From ") else data
    return re.sub(rb"^>(>*From )", rb"\1", body, flags=re.M)
