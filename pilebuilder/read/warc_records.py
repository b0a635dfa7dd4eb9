"""Crawl archives as a sequence of records: WARC (ISO 28500:2017), ARC 1.0, plain or compressed, in any state.

Compression and record lengths are followed here, so the true end is proven and damage costs what it hits:

- in ``.warc.gz`` each record is a gzip member; after a corrupt member the next one that begins a record is found;
- a record whose Content-Length is wrong (the next record begins inside it, or not where it ends) is quarantined,
  and reading goes on at the next record;
- what a record says in HTTP is left to fastwarc.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pilebuilder.ledger import context
from pilebuilder.read.base import Quarantined, Raw
from pilebuilder.read.members import Member, gzip_members
from pilebuilder.read.streams import StreamError, decode, kind_of

MAX_HEADER = 1 << 20
_LENGTH = re.compile(rb"^content-length\s*:[ \t]*([^\r\n]*)", re.I | re.M)
_TYPE = re.compile(rb"^warc-type\s*:[ \t]*([^\r\n]*)", re.I | re.M)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_NEXT_WARC = re.compile(rb"(?:^|\n)(?=WARC/[01]\.\d)")
_ARC_LINE = re.compile(rb"([a-z][a-z0-9+.-]*:[^\s]*) ([0-9a-fA-F.:]+) (\d{8,14}) ([^\s]+)(?: [^\n]*?)? (\d+)\r?\n")
_NEXT_ARC = re.compile(rb"(?:^|\n)(?=[a-z][a-z0-9+.-]{1,10}:[^\s]* [0-9a-fA-F.:]+ \d{14} )")


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole record."""

    offset: int
    """Byte of the raw file at which its gzip member (else, of the decompressed file, the record) begins."""
    kind: bytes
    """``response``, ``conversion``, ...; ARC records are ``response``."""
    data: bytes
    """WARC header, blank line and block; an ARC record's is rewritten as WARC."""


def frames(raw: Raw, file: BinaryIO, max_bytes: int) -> Iterator[Frame | Quarantined]:
    """Records in order; what could not be read stands in its place. Raises `StreamError` at an untrue end."""
    head = file.read(64)
    file.seek(0)
    if kind_of(head) != "gzip":
        yield from _Window(decode(file, expect=raw.name), 0, max_bytes, whole=True)
        return
    first = True
    for member in gzip_members(file, lambda text: bool(_NEXT_WARC.match(text) or _ARC_LINE.match(text))):
        if not isinstance(member, Member):
            yield Quarantined(reason=member.reason, offset=member.raw_offset, detail=member.detail)
            continue
        window = _Window(member.pieces, member.offset, max_bytes, whole=False, first=first)
        try:
            yield from window
        except StreamError as error:
            if error.reason == "wrong_format" and first:
                raise
            yield Quarantined(reason=error.reason, offset=member.offset, detail=error.detail)
        for _ in _rest(member):
            pass
        first = False


def _rest(member: Member) -> Iterator[bytes]:
    """What is left of a member, so that its end is reached; an error in it was reported by the window."""
    try:
        yield from member.pieces
    except StreamError:
        return


class _Window:
    """Records in a run of decoded bytes, held a few at a time."""

    def __init__(self, pieces: Iterator[bytes], base: int, max_bytes: int, *, whole: bool, first: bool = True) -> None:
        self.pieces, self.base, self.max_bytes = pieces, base, max_bytes
        self.moving = whole
        """Whether offsets count decoded bytes (a file that is not gzip) or stay at the member's."""
        self.first = first
        self.data, self.at, self.gone = b"", 0, 0
        self.error: StreamError | None = None
        self.ended = False

    def more(self, n: int) -> bool:
        """Hold at least `n` bytes from the current place; false if there are fewer."""
        if len(self.data) - self.at >= n:
            return True
        parts, size = [self.data[self.at :]], len(self.data) - self.at
        self.gone += self.at
        while size < n and not self.ended:
            try:
                piece = next(self.pieces, b"")
            except StreamError as error:
                piece, self.error = b"", error
            self.ended = not piece
            parts.append(piece)
            size += len(piece)
        self.data, self.at = b"".join(parts), 0
        return size >= n

    @property
    def offset(self) -> int:
        return self.gone + self.at if self.moving else self.base

    def __iter__(self) -> Iterator[Frame | Quarantined]:
        version = b""  # fields and encoding of ARC records are the same in its versions 1 and 2
        while self._skip_blank():
            self.more(16)
            start = self.data[self.at : self.at + 16]
            if start.startswith(b"WARC/"):
                yield from self._warc()
            elif version == b"arc" or _looks_arc(start):
                version = b"arc"
                yield from self._arc()
            else:
                yield from self._lost(start)
            self.first = False
        if self.error:
            raise self.error

    def _skip_blank(self) -> bool:
        while self.more(1):
            if self.data[self.at] not in b"\r\n":
                return True
            self.at += 1
        return False

    def _lost(self, start: bytes) -> Iterator[Quarantined]:
        if self.first and not _NEXT_WARC.search(self.data, self.at):
            self.more(4096)
            from pilebuilder.read.whole import wrong_format

            problem = wrong_format("a crawl archive", self.data[self.at : self.at + 200])
            raise StreamError(problem.reason, problem.detail)
        yield Quarantined(reason="bad_record", offset=self.offset, detail=f"no record begins here: {context(start)}")
        self._next(_NEXT_WARC)

    def _next(self, pattern: re.Pattern[bytes]) -> None:
        """Go on to where the next record begins, at least one byte ahead."""
        self.at += 1
        while True:
            found = pattern.search(self.data, self.at)
            if found:
                self.at = found.end()
                return
            self.at = max(self.at, len(self.data) - 64)
            if not self.more(len(self.data) - self.at + 1):
                self.at = len(self.data)
                return

    def _header(self) -> bytes | None:
        """The header block with its blank line, or None if none ends within `MAX_HEADER`."""
        size = 4096
        while True:
            enough = self.more(size)
            found = _HEADER_END.search(self.data, self.at, self.at + size)
            if found:
                return self.data[self.at : found.end()]
            if not enough or size >= MAX_HEADER:
                return None
            size *= 4

    def _warc(self) -> Iterator[Frame | Quarantined]:
        offset, header = self.offset, self._header()
        if header is None:
            if self.error or self.ended:
                yield from self._cut(offset, "a record's header")
            else:
                yield Quarantined(reason="bad_record", offset=offset, detail=f"a header above {MAX_HEADER} bytes")
                self._next(_NEXT_WARC)
            return
        length, kind = _LENGTH.search(header), _TYPE.search(header)
        if not length or not length[1].strip().isdigit():
            shown = context(length[1]) if length else "missing"
            yield Quarantined(reason="bad_length", offset=offset, detail=f"Content-Length is {shown}")
            self._next(_NEXT_WARC)
            return
        body = yield from self._body(offset, header, int(length[1]), _NEXT_WARC)
        if body is not None:
            yield Frame(offset, kind[1].strip().lower() if kind else b"", header + body)

    def _arc(self) -> Iterator[Frame | Quarantined]:
        offset = self.offset
        self.more(8192)
        line = _ARC_LINE.match(self.data, self.at)
        if not line:
            if self.ended and b"\n" not in self.data[self.at :]:
                yield from self._cut(offset, "a record's header")
                return
            shown = context(self.data[self.at : self.at + 60])
            yield Quarantined(reason="bad_record", offset=offset, detail=f"no ARC record begins here: {shown}")
            self._next(_NEXT_ARC)
            return
        body = yield from self._body(offset, line[0], int(line[5]), _NEXT_ARC)
        if body is not None and not line[1].startswith((b"filedesc:", b"dns:")):
            yield Frame(offset, b"response", _as_warc(line, body))

    def _body(
        self, offset: int, header: bytes, length: int, following: re.Pattern[bytes]
    ) -> Generator[Quarantined, None, bytes | None]:
        """Take a record's block (the generator's value; None if it could not be had) and check what comes after it."""
        if length > self.max_bytes:
            yield Quarantined(
                reason="too_large", offset=offset, detail=f"a record of {length} bytes, above {self.max_bytes}"
            )
            self._next(following)
            return None
        size = len(header) + length
        if not self.more(size):
            inner = following.search(self.data, self.at + len(header))
            if inner or (self.ended and not self.error and not self.moving):
                detail = (
                    f"Content-Length is {length}, but its member holds {len(self.data) - self.at - len(header)} bytes"
                )
                yield Quarantined(reason="bad_length", offset=offset, detail=detail)
                self.at = inner.end() if inner else len(self.data)
            else:
                yield from self._cut(offset, "a record")
            return None
        body = self.data[self.at + len(header) : self.at + size]
        self.more(size + 16)
        begin = self.at
        after = self.data[begin + size : begin + size + 16].lstrip(b"\r\n")
        if (
            after
            and not after.startswith(b"WARC/"[: len(after)])
            and not (following is _NEXT_ARC and after[:1].isalpha())
        ):
            yield Quarantined(
                reason="bad_length", offset=offset, detail=f"after {length} bytes comes {context(after)}"
            )
            self._next(following)
            return None
        self.at = begin + size
        return body

    def _cut(self, offset: int, what: str) -> Iterator[Quarantined]:
        """The data ends inside a record; an error of the compression is the cause, if there was one."""
        detail = self.error.detail if self.error else f"the file ends inside {what}"
        reason = self.error.reason if self.error else "truncated"
        self.error, self.ended, self.at = None, True, len(self.data)
        yield Quarantined(
            reason=reason, offset=offset, detail=f"{detail}; it cuts {what}" if what not in detail else detail
        )


def _looks_arc(start: bytes) -> bool:
    return start.startswith((b"filedesc:", b"http://", b"https://", b"dns:"))


def _as_warc(line: re.Match[bytes], body: bytes) -> bytes:
    """An ARC record as the WARC record that says the same."""
    url, address, date, _, _ = line.groups()
    stamp = date.ljust(14, b"0").decode()
    when = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[8:10]}:{stamp[10:12]}:{stamp[12:14]}Z".encode()
    header = (
        b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\nWARC-Target-URI: "
        + url + b"\r\nWARC-Date: " + when + b"\r\nWARC-IP-Address: " + address
        + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    )  # fmt: skip
    return header + body
