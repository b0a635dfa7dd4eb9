"""CSV records from a stream, strictly, with offsets: one damaged record costs one record.

`csv.reader` in strict mode does the parsing; around it, the lines of the record that is open are kept, so that after
a damaged one reading goes on at the next line that looks like the start of a record. Bytes that are no UTF-8 come
through as lone surrogates, for `cell` to decode; nothing else is guessed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilebuilder.ledger import context

if TYPE_CHECKING:
    from pilebuilder.read.archives import Readable

MAX_RECORD = 64 << 20
"""Bytes of one record; the longest court opinion has some 20 MB in all its forms."""
_READ = 1 << 20
_SURROGATE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that is not of the format: ``parse_error``, ``truncated`` or ``too_large``."""

    offset: int
    reason: str
    detail: str


Row = tuple[int, list[str]]


def records(
    stream: Readable, begins: Callable[[bytes], object], *, escape: str | None = None, limit: int = MAX_RECORD
) -> Iterator[Row | Broken]:
    """Byte offset and cells of each record, the header first; records must have as many cells as it has.

    `begins` tells whether a line looks like the start of a record. `escape` is the escape character of PostgreSQL's
    dialect; without it a quote in a quoted cell is doubled (RFC 4180).
    """
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    lines = _Lines(stream, limit)
    width = 0
    while True:
        # a new parser after each damaged record: the old one is in the middle of a cell
        parser = csv.reader(lines, escapechar=escape, doublequote=escape is None, strict=True)
        failed = ""
        try:
            for cells in parser:
                width = width or len(cells)
                if cells and len(cells) != width:
                    failed = f"{len(cells)} cells instead of {width}"
                    break
                if cells:
                    yield lines.start, cells
                lines.done()
        except _TooLong:
            yield Broken(lines.start, "too_large", f"a record of more than {limit} bytes")
            lines.resync(begins)
            continue
        except csv.Error as error:
            failed = str(error)
        if not failed:
            return
        reason = "truncated" if failed == "unexpected end of data" and not lines.seen(begins) else "parse_error"
        yield Broken(lines.start, reason, f"{failed}: {context(b''.join(lines.open)[:100])}")
        if not lines.resync(begins):
            return


class _TooLong(Exception):
    pass


class _Lines:
    """Physical lines as text, with those of the open record held back for a second try."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._source, self._limit = _split(stream), limit
        self._again: list[bytes] = []
        self.open: list[bytes] = []
        self.start = self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._source)
        self.open.append(line)
        self._size += len(line)
        if self._size > self._limit:
            raise _TooLong
        return line.decode("utf-8", "surrogateescape")

    def done(self) -> None:
        """The open record is complete."""
        self.start += self._size
        self.open, self._size = [], 0

    def seen(self, begins: Callable[[bytes], object]) -> bool:
        """Whether a record seems to begin inside the open one."""
        return any(begins(line) for line in self.open[1:])

    def resync(self, begins: Callable[[bytes], object]) -> bool:
        """Leave the open record; go on at the next line after its first that looks like a start."""
        held = self.open
        for index, line in enumerate(held[1:], 1):
            if begins(line):
                self._again += held[: index - 1 : -1]
                self.start += sum(map(len, held[:index]))
                self.open, self._size = [], 0
                return True
        self.done()
        while line := self._again.pop() if self._again else next(self._source, b""):
            if begins(line):
                self._again.append(line)
                return True
            self.start += len(line)
        return False


def _split(stream: Readable) -> Iterator[bytes]:
    """Lines with their newline; a line longer than a block comes in pieces of that size."""
    held, first = b"", True
    while block := stream.read(_READ):
        if first and block.startswith(b"\xef\xbb\xbf"):
            block = block[3:]
        first = False
        lines = (held + block).split(b"\n")
        held = lines.pop()
        for line in lines:
            yield line + b"\n"
        if len(held) > 16 * _READ:
            yield held
            held = b""
    if held:
        yield held


def cell(text: str) -> str:
    """A cell's text; one with bytes that are no UTF-8 is decoded as a whole by `pilebuilder.read.characters`."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    from pilebuilder.read.characters import decode

    return decode(text.encode("utf-8", "surrogateescape"))[0]
