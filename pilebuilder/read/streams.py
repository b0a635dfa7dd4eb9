"""Decompression that proves the true end: zstd, gzip, bzip2, xz and plain files as bounded blocks of bytes.

The usual Python readers end quietly when a zstd file is cut anywhere or a gzip file between members. Here a file ends
only where its format says so (the last block of the last zstd frame, a gzip trailer, the bzip2 and xz footers);
anything else is a `StreamError` after everything before it was delivered. Output comes in blocks of at most about
2 MiB whatever the input, so a bomb meets `Limits` before it meets the memory.

>>> import gzip, tempfile, pathlib
>>> cut = pathlib.Path(tempfile.mkdtemp()) / "a.gz"
>>> _ = cut.write_bytes(gzip.compress(b"x" * 100_000)[:-3])
>>> list(map(len, blocks(cut)))
Traceback (most recent call last):
pilebuilder.read.streams.StreamError: truncated: the gzip member at byte 0 has no end; the file stops at byte 129
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pilebuilder.read.members import Member

READ = 1 << 18
"""Bytes read from the file at a time."""
OUT = 1 << 20
"""Most bytes a gzip, bzip2 or xz decompressor may return at once."""


class StreamError(Exception):
    """The stream cannot be read on from here. Everything before was delivered."""

    def __init__(self, reason: str, detail: str, *, offset: int = 0, raw_offset: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
        self.offset = offset
        """Decoded bytes delivered before the failure."""
        self.raw_offset = raw_offset
        """Byte of the file at which the failing member or frame begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a stream may cost. The defaults pass every genuine dump and stop the known bombs."""

    ratio: float = 100.0
    """Decoded bytes per file byte over any `ratio_window`."""
    ratio_window: int = 64 << 20
    total_ratio: float = 2000.0
    """Decoded bytes per file byte from the start, once 16 MiB were decoded."""
    max_bytes: int | None = None
    """Decoded bytes of the whole stream."""
    empty_members: int = 10_000
    """Members, frames or streams without content: a flood of them is an attack."""
    window_log: int = 27
    """Largest zstd window, as a power of two. 27 is the format's own default; Reddit dumps need 31 (2 GiB)."""


DEFAULT = Limits()


class Source:
    """Buffered reading of a file with look-ahead, and its byte position."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._data, self._at, self._base = file, b"", 0, 0

    @property
    def position(self) -> int:
        """Bytes of the file consumed."""
        return self._base + self._at

    def peek(self, n: int) -> bytes:
        """The next `n` bytes, fewer only at the end of the file."""
        if len(self._data) - self._at < n:
            self._base += self._at
            rest = self._data[self._at :]
            while len(rest) < n and (more := self._file.read(max(READ, n - len(rest)))):
                rest += more
            self._data, self._at = rest, 0
        return self._data[self._at : self._at + n]

    def take(self, n: int) -> bytes:
        """The next `n` bytes, consumed."""
        piece = self.peek(n)
        self._at += len(piece)
        return piece

    def give_back(self, n: int) -> None:
        """Un-consume the last `n` bytes taken."""
        self._at -= n
        assert self._at >= 0

    def seek(self, position: int) -> None:
        """Go to a byte of the file."""
        self._file.seek(position)
        self._data, self._at, self._base = b"", 0, position


# What a compressed file begins with. A bzip2 stream is "BZh", a level, and the digits of pi or of its square root.
def kind_of(head: bytes) -> str:
    """``zstd``, ``gzip``, ``bzip2``, ``xz`` or ``plain``, by the first bytes; the file's name decides nothing.

    >>> kind_of(b"BZh9 is how this text begins"), kind_of(bytes.fromhex("28b52ffd"))
    ('plain', 'zstd')
    """
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return "zstd"
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bzip2"
    return "xz" if head[:6] == b"\xfd7zXZ\x00" else "plain"


_SUFFIXES = {".zst": "zstd", ".zstd": "zstd", ".gz": "gzip", ".tgz": "gzip", ".bz2": "bzip2", ".xz": "xz"}


def blocks(path: Path, *, limits: Limits = DEFAULT, expect: str | None = None) -> Iterator[bytes]:
    """Decoded blocks of a file, to its proven end; raises `StreamError` after the last good block.

    `expect` is the file's name: when its suffix names a compression and the content is none, that is
    ``wrong_format`` (an error page saved under an archive's name), not a plain file.
    """
    with path.open("rb", buffering=0) as file:
        yield from decode(file, limits=limits, expect=expect if expect is not None else path.name)


def decode(file: BinaryIO, *, limits: Limits = DEFAULT, expect: str = "") -> Iterator[bytes]:
    """As `blocks`, for an open binary file."""
    source = Source(file)
    head = source.peek(64)
    kind = kind_of(head)
    if not head:
        raise StreamError("empty_file", "the file holds no byte")
    wanted = _SUFFIXES.get(Path(expect).suffix.lower())
    if kind == "plain" and wanted:
        raise StreamError("wrong_format", f"the name says {wanted}, but the file begins with {shown(head)}")
    guard = _Guard(source, limits)
    if kind == "plain":
        while block := source.take(OUT):
            yield guard.passed(block)
        return
    from pilebuilder.read.members import compressed_members, zstd_frames

    for member in zstd_frames(source, limits) if kind == "zstd" else compressed_members(source, kind):
        yield from guard.member(member)


def shown(raw: bytes) -> str:
    from pilebuilder.ledger import context

    return repr(context(raw[:40]))


class _Guard:
    """Counts what goes through and stops a bomb."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.decoded = self.empty = 0
        self._mark = (0, 0)

    def passed(self, block: bytes) -> bytes:
        limits, raw = self.limits, self.source.position
        self.decoded += len(block)
        if limits.max_bytes is not None and self.decoded > limits.max_bytes:
            raise self._error("too_large", f"more than {limits.max_bytes} bytes once decompressed")
        if self.decoded > 16 << 20 and self.decoded > limits.total_ratio * raw:
            raise self._error("bomb", f"{self.decoded} bytes out of {raw}: above {limits.total_ratio:g} to 1")
        if self.decoded - self._mark[1] >= limits.ratio_window:
            grown, read = self.decoded - self._mark[1], raw - self._mark[0]
            if grown > limits.ratio * max(read, 1):
                raise self._error("bomb", f"{grown} bytes out of {read}: above {limits.ratio:g} to 1")
            self._mark = (raw, self.decoded)
        return block

    def member(self, member: Member) -> Iterator[bytes]:
        before = self.decoded
        try:
            for block in member.pieces:
                yield self.passed(block)
        except StreamError as error:
            error.offset = error.offset or self.decoded
            raise
        if self.decoded == before:
            self.empty += 1
            if self.empty > self.limits.empty_members:
                raise self._error("bomb", f"more than {self.limits.empty_members} empty members")

    def _error(self, reason: str, detail: str) -> StreamError:
        return StreamError(reason, detail, offset=self.decoded, raw_offset=self.source.position)


class Stream(io.RawIOBase):
    """Decoded blocks as a readable file, for parsers that want one; `StreamError` comes out of `read`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self._at = pieces, b"", 0
        self.offset = 0
        """Decoded bytes handed out."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._at >= len(self._held):
            block = next(self._pieces, None)
            if block is None:
                return 0
            self._held, self._at = block, 0
        n = min(len(buffer), len(self._held) - self._at)
        buffer[:n] = self._held[self._at : self._at + n]
        self._at += n
        self.offset += n
        return n


def open_stream(path: Path, *, limits: Limits = DEFAULT, expect: str | None = None) -> io.BufferedReader:
    """A file opened for reading through whatever compression its first bytes tell."""
    return Unbroken(Stream(blocks(path, limits=limits, expect=expect)), READ)


class Unbroken(io.BufferedReader):
    """Buffered reading in which `read` gives what there was before an error, and the error at the next call.

    The ordinary one throws away what it had gathered for the call in which the stream broke.
    """

    _error: Exception | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self._error:
            raise self._error
        wanted = -1 if size is None or size < 0 else size
        piece = self.read1(wanted)
        if len(piece) == wanted or not piece:
            return piece
        pieces, held = [piece], len(piece)
        try:
            while held != wanted and (piece := self.read1(wanted - held if wanted > 0 else -1)):
                pieces.append(piece)
                held += len(piece)
        except Exception as error:
            self._error = error
        return b"".join(pieces)
