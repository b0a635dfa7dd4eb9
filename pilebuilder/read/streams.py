"""Decompression that proves the true end: zstd, gzip, bzip2, xz and plain files as bounded blocks of bytes.

The usual Python readers end quietly when a zstd file is cut anywhere or a gzip file between members. Here a file ends
only where its format says so (the last block of the last zstd frame, a gzip trailer, the bzip2 and xz footers);
anything else is a `StreamError` after everything before it was delivered. Output comes in blocks of at most about
2 MiB whatever the input, so a bomb meets `Limits` before it meets the memory.

Sources: RFC 8878 (zstd frames and blocks), RFC 1952 (gzip members), the .xz file format 1.2.1, bzip2's stream magic.

>>> import gzip, tempfile, pathlib
>>> cut = pathlib.Path(tempfile.mkdtemp()) / "a.gz"
>>> _ = cut.write_bytes(gzip.compress(b"x" * 100_000)[:-3])
>>> list(map(len, blocks(cut)))
Traceback (most recent call last):
pilebuilder.read.streams.StreamError: truncated: the gzip member at byte 0 has no end; the file stops at byte 129
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

READ = 1 << 18
"""Bytes read from the file at a time."""
STEP = 1 << 14
"""Bytes given to a member's decompressor at a time at first: what it does not use is copied back."""
OUT = 1 << 20
"""Most bytes a gzip, bzip2 or xz decompressor may return at once."""
ZSTD_BLOCKS = 16
"""Zstd blocks decoded at once; a block holds at most 128 KiB, so 2 MiB."""


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
        raise StreamError("wrong_format", f"the name says {wanted}, but the file begins with {_shown(head)}")
    guard = _Guard(source, limits)
    if kind == "plain":
        while block := source.take(OUT):
            yield guard.passed(block)
        return
    members = _zstd_frames(source, limits) if kind == "zstd" else _members(source, kind)
    for member in members:
        yield from guard.member(member)


def _shown(raw: bytes) -> str:
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


@dataclass(slots=True)
class Member:
    """One independently compressed part of a file. Its pieces must be used up before the next member is asked for."""

    offset: int
    """Byte of the file at which it begins."""
    pieces: Iterator[bytes] = field(repr=False)


def _zstd_frames(source: Source, limits: Limits) -> Iterator[Member]:
    """Frames one after the other. Block headers are walked here, so the end of each frame is known, not hoped for."""
    while head := source.peek(4):
        start = source.position
        if len(head) == 4 and head[1:] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
            size = int.from_bytes(source.take(8)[4:8], "little")
            while size and (skipped := len(source.take(min(size, READ)))):
                size -= skipped
            if size:
                raise _truncated("zstd skippable frame", start, source)
            yield Member(start, iter(()))
        elif head != b"\x28\xb5\x2f\xfd":
            reason = "truncated" if b"\x28\xb5\x2f\xfd".startswith(head) else "trailing_garbage"
            raise StreamError(reason, f"after the frame comes {_shown(source.peek(40))}", raw_offset=start)
        else:
            yield Member(start, _zstd_frame(source, limits))


def _zstd_frame(source: Source, limits: Limits) -> Iterator[bytes]:
    import zstandard

    start = source.position
    header = source.peek(18)
    size, checked = _zstd_header(header, start, limits, source)
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << limits.window_log).decompressobj(write_size=OUT)
    try:
        decoder.decompress(source.take(size))
        last = False
        while not last:
            length, last, whole = _walk(source)
            block = decoder.decompress(source.take(length)) if length else b""
            if block:
                yield block
            if not whole:
                raise _truncated("zstd frame", start, source)
        if checked:
            tail = source.take(4)
            if len(tail) < 4:
                raise _truncated("zstd frame", start, source)
            block = decoder.decompress(tail)
            if block:
                yield block
    except zstandard.ZstdError as error:
        raise StreamError("corrupt", f"zstd frame at byte {start}: {error}", raw_offset=start) from None
    if not decoder.eof:
        raise StreamError("corrupt", f"zstd frame at byte {start} did not end with its last block", raw_offset=start)


def _zstd_header(header: bytes, start: int, limits: Limits, source: Source) -> tuple[int, bool]:
    """Length of a frame header, and whether a checksum follows the last block (RFC 8878, 3.1.1.1)."""
    if len(header) < 6:
        raise _truncated("zstd frame", start, source)
    descriptor = header[4]
    single, checked = bool(descriptor & 0x20), bool(descriptor & 4)
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    size = 5 + (not single) + dictionary + content
    if len(header) < size:
        raise _truncated("zstd frame", start, source)
    at = 5 + (not single)
    if dictionary and any(header[at : at + dictionary]):
        raise StreamError("needs_dictionary", f"zstd frame at byte {start} needs a dictionary", raw_offset=start)
    base = 1 << (10 + (header[5] >> 3))
    window = base + base // 8 * (header[5] & 7)
    if not single and window > 1 << limits.window_log:
        detail = (
            f"zstd frame at byte {start} wants a window of {window} bytes, above 2**{limits.window_log};"
            " raise the reader's window_log"
        )
        raise StreamError("window_too_large", detail, raw_offset=start)
    return size, checked


def _walk(source: Source) -> tuple[int, bool, bool]:
    """Length of the next few whole blocks, whether the last of them ends the frame, and whether more are there."""
    data, at = source.peek(READ), 0
    for _ in range(ZSTD_BLOCKS):
        head = int.from_bytes(data[at : at + 3], "little")
        if head >> 3 > 1 << 17:
            where = source.position + at
            raise StreamError("corrupt", f"zstd block at byte {where}: {head >> 3} bytes is no size", raw_offset=where)
        end = at + 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
        if len(data) < at + 3 or len(data) < end:
            return at, False, at > 0
        at = end
        if head & 1:
            return at, True, True
    return at, False, True


def _truncated(what: str, start: int, source: Source) -> StreamError:
    end = source.position + len(source.peek(1 << 20))
    return StreamError(
        "truncated", f"the {what} at byte {start} has no end; the file stops at byte {end}", raw_offset=start
    )


class _Gzip:
    """zlib's decompressor with the interface that bz2 and lzma share."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _decoder(kind: str) -> Any:
    if kind == "gzip":
        return _Gzip()
    if kind == "bzip2":
        import bz2

        return bz2.BZ2Decompressor()
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 30)


_MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}


def _members(source: Source, kind: str) -> Iterator[Member]:
    """gzip members, bzip2 streams or xz streams one after the other; zero padding after the last one is allowed."""
    first = True
    while head := source.peek(64):
        start = source.position
        if not head.startswith(_MAGIC[kind]):
            if not first and not head.strip(b"\0"):
                while not source.peek(READ).strip(b"\0") and source.take(READ):
                    pass
                if not source.peek(1):
                    return
            short = len(head) < len(_MAGIC[kind]) and _MAGIC[kind].startswith(head)
            reason = "truncated" if short else "trailing_garbage"
            raise StreamError(reason, f"after the {kind} data comes {_shown(head)}", raw_offset=start)
        first = False
        yield Member(start, _member(source, kind))


def _member(source: Source, kind: str) -> Iterator[bytes]:
    import lzma
    import zlib

    start, decoder, step = source.position, _decoder(kind), STEP
    name = {"gzip": "gzip member", "bzip2": "bzip2 stream", "xz": "xz stream"}[kind]
    try:
        while not decoder.eof:
            data = b""
            if decoder.needs_input:
                data = source.take(step)
                step = min(step * 2, READ)
                if not data:
                    raise _truncated(name, start, source)
            block = decoder.decompress(data, OUT)
            if block:
                yield block
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise StreamError("corrupt", f"{name} at byte {start}: {error}", raw_offset=start) from None
    source.give_back(len(decoder.unused_data))


def gzip_members(file: BinaryIO, begins: Callable[[bytes], bool]) -> Iterator[Member | StreamError]:
    """Members of a gzip file; after a corrupt one, the search goes on for the next whose text `begins` accepts.

    For crawl archives, where each record is a member of its own: one damaged member costs one record. What was
    damaged is yielded as a `StreamError` in its place, or raised by the member's own pieces.
    """
    source = Source(file)
    while head := source.peek(64):
        start = source.position
        if head.startswith(b"\x1f\x8b\x08"):
            broken = False

            def pieces(at: int = start) -> Iterator[bytes]:
                nonlocal broken
                broken = True
                yield from _member(source, "gzip")
                broken = False

            yield Member(start, pieces())
            if not broken:
                continue
        elif not head.strip(b"\0") and start:
            source.take(READ) if not source.peek(READ).strip(b"\0") else source.take(len(head))
            continue
        else:
            yield StreamError("trailing_garbage", f"not gzip: {_shown(head)}", raw_offset=start)
        if not _resync(source, start + 1, begins):
            return


def _resync(source: Source, position: int, begins: Callable[[bytes], bool]) -> bool:
    """Go to the next place at or after `position` where a gzip member with acceptable text begins."""
    import zlib

    source.seek(position)
    while True:
        window = source.peek(READ)
        at = window.find(b"\x1f\x8b\x08")
        if at < 0:
            if len(window) < READ:
                return False
            source.take(len(window) - 2)
            continue
        source.take(at)
        try:
            if begins(zlib.decompressobj(wbits=31).decompress(source.peek(4096), 256)):
                return True
        except zlib.error:
            pass
        source.take(1)


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
    return io.BufferedReader(Stream(blocks(path, limits=limits, expect=expect)), READ)
