"""US patents: the background of the invention, from every full-text form of the Patent Office since 1976.

Format: Green Book / APS (``PATN`` blocks of tagged lines, 1976-2001), Red Book v2.4/2.5 (``PATDOC``, SGML and XML,
2001-2004), v4.x (``us-patent-grant``, ``us-patent-application``, 2005 on), application publications v1.5
(``patent-application-publication``, 2001-2004); weekly zips or files of many documents one after the other, each XML
document with its own declaration.

Record unit: one patent or application.
Id: ``uspto:US{number}{kind}`` without leading zeros.
Text, ``clean``: from the heading that names the background, prior art or related art, through the sub-headings under
it, up to the summary, the drawings, the description or the claims; without such a heading the brief summary up to its
summary. Headings are lines, paragraphs are separated by a blank line, formulas, tables and structures are
``[equation]``, ``[table]``, ``[structure]``::

    BACKGROUND OF THE INVENTION

    1. Field of the Invention

    The invention relates to napkins.

``pile`` is the original: APS from the first heading with BACKGROUND to the next one, v2.5 the whole brief summary,
v4.x from the first heading with upper-case BACKGROUND to any next heading; paragraphs joined by a newline.
Metadata: number, kind, date, title, inventors, assignees, classes, application_number, format.
Licence: US patent text, public domain but for notices under 37 CFR 1.71(e); it stands on the card.
Skip reasons: ``no_background`` (design patents have none), ``sequence_listing``, ``other_document``, ``not_named``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.ledger import context
from pilebuilder.read.archives import Refused, zip_members
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.streams import StreamError, open_stream
from pilebuilder.read.uspto_text import Patent, background, pile_background
from pilebuilder.read.whole import looks_html, whole, wrong_format
from pilebuilder.read.xml import MAX_RECORD, XmlError
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.archives import Readable

_READ = 1 << 20


@reader("uspto", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Uspto:
    """Background sections of US patents and applications (Green Book, SGML, XML)."""

    style: Annotated[Literal["clean", "pile"], Field(description="headings by class, or as the Pile had it")] = "clean"
    applications: Annotated[bool, Field(description="read published applications as well as grants")] = True

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        with raw.path.open("rb") as file:
            packed = file.read(4) == b"PK\3\4"
        if not packed and not raw.name.lower().endswith(".zip"):
            with open_stream(raw.path, expect=raw.name) as stream:
                yield from self._stream(stream, raw.name)
            return
        for member in zip_members(raw.path):
            if isinstance(member, Refused):
                yield Quarantined(reason=member.reason, offset=member.offset, detail=member.detail)
            elif not member.name.lower().endswith((".xml", ".txt", ".sgm", ".sgml", ".dat", ".greenbook")):
                yield Skipped(reason="not_named", offset=member.offset, key=member.name)
            else:
                try:
                    yield from self._stream(member, member.name)
                except StreamError as error:  # a broken member costs itself
                    yield Quarantined(reason=error.reason, offset=error.offset, detail=error.detail, key=member.name)

    def _stream(self, stream: Readable, name: str) -> Iterator[Item]:
        for offset, data in documents(stream):
            if len(data) > MAX_RECORD:
                detail = f"a document of more than {MAX_RECORD} bytes"
                yield Quarantined(reason="too_large", offset=offset, detail=detail)
            else:
                yield from self._document(offset, data, name)

    def _document(self, offset: int, data: bytes, name: str) -> Iterator[Item]:
        from pilebuilder.read import uspto_aps, uspto_xml

        head = data[:4096].lstrip()
        try:
            if head.startswith(b"PATN"):
                patent: Patent | str = uspto_aps.patent(data)
            elif head.startswith(b"<") and not looks_html(_past_doctype(head)):
                patent = uspto_xml.patent(data)
            else:
                yield wrong_format("a patent", head, offset) if head else Quarantined(reason="empty", offset=offset)
                return
        except XmlError as error:
            detail = f"{name}: {error.detail}; {context(head[:60])}"
            yield Quarantined(reason=error.reason, offset=offset, detail=detail)
            return
        if isinstance(patent, str) or (patent.application and not self.applications):
            reason = patent if isinstance(patent, str) else "other_document"
            yield Skipped(reason=reason, offset=offset)
            return
        yield self._record(patent, offset)

    def _record(self, patent: Patent, offset: int) -> Item:
        key = f"uspto:US{patent.number}{patent.kind}"
        text = pile_background(patent) if self.style == "pile" else tidy(background(patent))
        if not patent.number:
            return Quarantined(reason="parse_error", offset=offset, detail="a patent without a number")
        if not text.strip():
            return Skipped(reason="no_background", offset=offset, key=key)
        return Record(
            key=key,
            text=text,
            offset=offset,
            url=f"https://patents.google.com/patent/US{patent.number}{patent.kind}/en",
            date=patent.date or None,
            meta=patent.meta(),
        )


def _past_doctype(head: bytes) -> bytes:
    """The markup without a leading document type: one old form carries that of XHTML."""
    return head.partition(b">")[2] if head[:9].upper() == b"<!DOCTYPE" else head


def documents(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each patent in a stream of many: cut before ``PATN``, ``<?xml`` or ``<!DOCTYPE`` lines.

    Memory is the longest document plus a block; one of more than `MAX_RECORD` comes as a piece longer than that, and
    the rest of it is passed over.
    """
    held, base, looked, passing = bytearray(), 0, 1, False
    while True:
        block = stream.read(_READ)
        held += block
        while (at := _boundary(held, looked)) > 0:
            if not passing and held[:at].strip():
                yield base, bytes(held[:at])
            held, base, looked, passing = held[at:], base + at, 1, False
        looked = max(1, len(held) - 16)
        if passing or len(held) > MAX_RECORD + 1:
            if not passing:
                yield base, bytes(held)
            opening = b"PATN" if held[:64].lstrip().startswith(b"PATN") else b"</"  # so that `_boundary` knows
            base, looked, passing = base + len(held) - 16 - len(opening), len(opening), True
            held = bytearray(opening) + held[-16:]
        if not block:
            break
    if not passing and (held.strip() or not base):
        yield base, bytes(held)


def _boundary(data: bytearray, start: int) -> int:
    """Offset of the line with which the next document begins; -1 when none does."""
    start = max(0, start - 1)
    if data[:64].lstrip().startswith(b"PATN"):
        marks = [at for end in (b"\n", b"\r", b" ") if (at := data.find(b"\nPATN" + end, start)) >= 0]
        return min(marks) + 1 if marks else -1
    declared = data.find(b"\n<?xml ", start)
    limit = declared if declared >= 0 else len(data)
    at = data.find(b"\n<!DOCTYPE ", start, limit)
    while at >= 0:
        if data.find(b"</", 0, at) >= 0:  # not in the prolog of the document that is open
            return at + 1
        at = data.find(b"\n<!DOCTYPE ", at + 1, limit)
    return declared + 1 if declared >= 0 else -1
