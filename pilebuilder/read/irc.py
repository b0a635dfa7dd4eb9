"""Channel logs of the Ubuntu IRC archive: one channel and day a file."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, unquote

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.read.survey import Surveys

BOTS = frozenset(
    ("ubottu", "ubotu", "ubot2", "ubot3", "ubot4", "ubot5", "ubot9", "ubot93", "ubugtu", "ubuntulog", "ubuntulog2",
     "meetingology", "mootbot", "queuebot", "kubotu", "lubot", "irssibot", "kgb-0", "kgb-1", "kgb-2", "supybot",
     "bazhang-bot", "udsbotu", "ubuntubot", "chanserv", "lpbot", "ubot5`", "jussi-bot")
)  # fmt: skip
_BRIDGES = frozenset(("ircsomebot", "tgbot", "telegram", "matrixbot", "lubot-bridge", "ubuntu-bridge"))
_PLACE = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/([^/]+?)\.txt$")
_SAID = re.compile(r"(?:\[(\d\d:\d\d)\] ?)?<([^>\s]{1,64})> ?(.*)")
_ACTED = re.compile(r"(?:\[(\d\d:\d\d)\] ?)? {0,2}\* ([^\s]{1,64}) (.*)")
_BRIDGED = re.compile(r"[<\[(]([^>\])]{1,64})[>\])]:? (.*)")
_JOINED = ("has joined #", "has left #", "Topic for #", "Topic (#", "is now known as", "has quit", "sets mode")
# mIRC: bold, colour with up to two numbers, reset, reverse, italics, strike, underline.
_FORMATS = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|[\x02\x04\x0f\x11\x16\x1d\x1e\x1f]")


@reader("ubuntu-irc", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class UbuntuIrc:
    """Logs of irclogs.ubuntu.com, ``YYYY/MM/DD/#channel.txt``: one document a channel and day.

    Format: https://irclogs.ubuntu.com/. Lines: ``[HH:MM] <nick> text``, ``[HH:MM]  * nick action``, ``=== `` server
    notices; UTF-8, single lines Latin-1.
    Record unit: a file; with ``per: week`` the days of a channel and ISO week. ``style: pile`` joins the days of a
    channel and week number of all years, as the original did by mistake.
    Id: ``irc:YYYY-MM-DD-#channel`` from the path, which gives the date (times are UTC); of weeks
    ``irc:YYYY-Www-#channel``, of the original's ``irc:week-ww-#channel``.
    Text, clean style: ``<nick> text`` and ``* nick action``, without times, notices, colour codes and the lines of
    bots (`BOTS`); what a bridge from Telegram or Matrix relays is given to who said it; `hide_nicks` writes
    ``<user1>`` and so on, in order of appearance, also where a line begins by addressing someone. ``style: pile``: the
    line ``#channel YYYY-MM-DD``, notices of joins, leaves, topics and nick changes removed, other notices as ``*
    notice``, eight characters cut from every other line.
    Metadata: channel, date, lines, speakers, days. URL: the log's address.
    Licence: the archive declares its logs public domain.
    Skip reasons: ``no_messages`` (a day of notices only), ``not_named`` (another file than a channel's day),
    ``in_week`` (the day is in the document of its week's first day).
    Quarantined: ``wrong_format``, ``too_large``, ``truncated``.

    ``[12:18] <usual> a few libs\\n=== x is now known as y`` gives ``<usual> a few libs``.
    """

    style: Annotated[Literal["clean", "pile"], Field(description="clean, or as the Pile's code did it")] = "clean"
    per: Annotated[Literal["day", "week"], Field(description="what one document covers, in clean")] = "day"
    hide_nicks: Annotated[bool, Field(description="replace nicknames by user1, user2, ... within a day")] = False

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _days(self, raw))

    def span(self, date: str) -> str:
        """What a document covers: the day, its ISO week, or the week of that number in all years."""
        if not self.settles():
            return date
        try:
            year, week, _ = datetime.date.fromisoformat(date).isocalendar()
        except ValueError:  # no day of the calendar
            return date
        return f"week-{week:02}" if self.style == "pile" else f"{year}-W{week:02}"

    def settles(self) -> bool:
        """Whether days of a week become one document."""
        return self.style == "pile" or self.per == "week"

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """The first day of a channel's week has the others beside it; the others are in its document."""
        import pyarrow as pa

        weeks: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for name in surveys.names:
            if place := _place(name):
                weeks.setdefault((place[1], self.span(place[0])), []).append((place[0], name))
        rows: dict[str, list[str | None]] = {}
        for days in weeks.values():
            (_, first), *others = sorted(days)
            rows[first] = [name for _, name in others]
            rows |= {name: [None] for _, name in others}
        for name in surveys.names:
            yield name, pa.table({"beside": pa.array(rows.get(name, []), pa.string())})


def _days(options: UbuntuIrc, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.files import Content, contents, is_binary
    from pilebuilder.read.whole import looks_html, wrong_format

    settled = raw.settled.column("beside").to_pylist() if raw.settled is not None and raw.settled.num_rows else []
    for found in contents(raw):
        if not isinstance(found, Content):
            yield found
            continue
        day = _place(found.path if found.name != raw.name else raw.name)
        if looks_html(found.data[:1024]) or is_binary(found.data):
            yield wrong_format("a channel log", found.data, found.offset)
            continue
        if not day:
            yield Skipped(reason="not_named", offset=found.offset, key=found.name)
            continue
        date, channel = day
        key = f"irc:{options.span(date)}-{channel}"
        if None in settled:
            yield Skipped(reason="in_week", offset=found.offset, key=f"irc:{date}-{channel}")
            continue
        days = [(date, found.data), *_others(raw, settled)]
        texts, lines, speakers = [], 0, 0
        for when, data in days:
            log = _lines(data)
            if options.style == "pile":
                text, people = as_the_pile(log, channel, when), len(_speakers(log))
            else:
                text, people = messages(log, hide=options.hide_nicks)
            texts += [text] if text else []
            lines, speakers = lines + len(log), speakers + people
        if not texts:
            yield Skipped(reason="no_messages", offset=found.offset, key=key)
            continue
        meta = {"channel": channel, "date": date, "lines": lines, "speakers": speakers}
        yield Record(
            key=key, text=tidy(("\n" if options.style == "pile" else "\n\n").join(texts)), offset=found.offset,
            date=date, licence=raw.licence or "public domain", url=_address(date, channel),
            meta=meta | ({"days": [when for when, _ in days]} if len(days) > 1 else {}),
        )  # fmt: skip


def _place(name: str) -> tuple[str, str] | None:
    """Date and channel of a log by its name."""
    found = _PLACE.search(unquote(name).removesuffix(".gz"))
    return ("-".join(found.groups()[:3]), found.group(4)) if found else None


def _address(date: str, channel: str) -> str:
    return f"https://irclogs.ubuntu.com/{date.replace('-', '/')}/{quote(channel)}.txt"


def _others(raw: Raw, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Date and content of the other days of a week; what is wrong with one is said where it is read itself."""
    from pilebuilder.read.files import is_binary
    from pilebuilder.read.streams import StreamError, blocks
    from pilebuilder.read.whole import looks_html

    for name in names:
        place, pieces = _place(name), list[bytes]()
        with contextlib.suppress(StreamError):  # what there was of it is read
            pieces.extend(blocks(raw.beside[name], expect=name))
        data = b"".join(pieces)
        if place and not is_binary(data) and not looks_html(data[:1024]):
            yield place[0], data


def _lines(data: bytes) -> list[str]:
    """Lines decoded one by one: a client that sent Latin-1 spoils its own line only."""
    out = []
    for line in data.removeprefix(b"\xef\xbb\xbf").splitlines():
        try:
            out.append(line.decode())
        except UnicodeDecodeError:
            out.append(line.decode("cp1252", "replace"))
    return out


def _speakers(lines: list[str]) -> set[str]:
    return {m[2] for line in lines if (m := _SAID.match(line))}


def as_the_pile(lines: list[str], channel: str, date: str) -> str:
    """The original's rendering of a day; empty when there are notices only."""
    if all(line.startswith("===") for line in lines):
        return ""
    out = [f"{channel} {date}"]
    for line in lines:
        if not line.startswith("==="):
            out.append(line[8:])
        elif not any(phrase in line for phrase in _JOINED[:5]):
            out.append("* " + line[4:])
    return "\n".join(out)


def messages(lines: list[str], *, hide: bool = False) -> tuple[str, int]:
    """What people said and did, one line each, and how many people they were."""
    said: list[tuple[str, str, str]] = []
    for line in lines:
        line = _FORMATS.sub("", line) if not line.isprintable() else line
        if line.startswith("==="):
            continue
        mark, found = "<", _SAID.match(line)
        if not found:
            mark, found = "*", _ACTED.match(line)
        if not found:
            said.append(("", "", line))
            continue
        nick, text = found[2], found[3]
        if nick.lower() in _BRIDGES and (inner := _BRIDGED.match(text)):
            nick, text = inner[1], inner[2]
        if nick.lower().rstrip("`_") not in BOTS and text.strip():
            said.append((mark, nick, text))
    names = {nick: f"user{k}" for k, nick in enumerate(dict.fromkeys(n for _, n, _ in said if n), 1)}
    out = []
    for mark, nick, text in said:
        if hide and nick:
            address = re.match(r"([^\s,:]{2,64})([,:])", text)
            if address and address[1] in names:
                text = names[address[1]] + text[address.end(1) :]
            nick = names[nick]
        out.append(f"<{nick}> {text}" if mark == "<" else f"* {nick} {text}" if mark else text)
    return ("\n".join(out), len(names)) if names else ("", 0)
