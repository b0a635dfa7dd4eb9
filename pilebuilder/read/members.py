"""Members of compressed files, each with its proven end: zstd frames, gzip members, bzip2 and xz streams.

Sources: RFC 8878 (zstd frames and blocks), RFC 1952 (gzip members), the .xz file format 1.2.1, bzip2's stream magic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pilebuilder.read.streams import OUT, READ, Limits, Source, StreamError, shown

STEP = 1 << 14
"""Bytes given to a member's decompressor at a time at first: what it does not use is copied back."""
ZSTD_BLOCKS = 16
"""Zstd blocks decoded at once; a block holds at most 128 KiB, so 2 MiB."""


@dataclass(slots=True)
class Member:
    """One independently compressed part of a file. Its pieces must be used up before the next member is asked for."""

    offset: int
    """Byte of the file at which it begins."""
    pieces: Iterator[bytes] = field(repr=False)


def zstd_frames(source: Source, limits: Limits) -> Iterator[Member]:
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
            raise StreamError(reason, f"after the frame comes {shown(source.peek(40))}", raw_offset=start)
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


def compressed_members(source: Source, kind: str) -> Iterator[Member]:
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
            raise StreamError(reason, f"after the {kind} data comes {shown(head)}", raw_offset=start)
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
            yield StreamError("trailing_garbage", f"not gzip: {shown(head)}", raw_offset=start)
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
