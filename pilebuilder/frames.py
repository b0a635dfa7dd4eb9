"""Zstandard files of independent frames with a seek table: every tool reads them, and a reader may start at any frame.

Frames carry their content size and a checksum. The seek table is the skippable frame of zstd's own seekable format
(contrib/seekable_format/zstd_seekable_compression_format.md): entries of compressed and decompressed size (u32
little-endian each), then the number of frames (u32), a descriptor byte, and the magic 0x8F92EAB1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from pilebuilder.errors import PilebuilderError

SKIPPABLE, SEEKABLE = 0x184D2A5E, 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
LARGEST_FRAME = 1 << 30
"""The seekable format's own limit on the content of one frame."""


class FrameWriter:
    """Cuts a stream of lines into frames of at least `frame` bytes (the last may be smaller), each ending a line.

    The cut depends on the lines alone, not on how they arrive. A line above `LARGEST_FRAME` spans several frames.
    """

    def __init__(self, path: Path, frame: int, level: int) -> None:
        import zstandard

        self.file: BinaryIO = path.open("wb")
        self.frame = frame
        self.compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
        self.sizes: list[tuple[int, int]] = []
        self.pending: list[memoryview | bytes] = []
        self.held = 0

    def write(self, data: np.ndarray, offsets: np.ndarray) -> None:
        """Add lines: line i is ``data[offsets[i]:offsets[i + 1]]``."""
        start, last, view = 0, len(offsets) - 1, memoryview(data)  # type: ignore[arg-type]
        while start < last:
            # The first line that fills the frame is its last one.
            stop = int(np.searchsorted(offsets, offsets[start] + self.frame - self.held, "left"))
            stop = max(start + 1, min(stop, last))
            self.pending.append(view[offsets[start] : offsets[stop]])
            self.held += int(offsets[stop] - offsets[start])
            start = stop
            if self.held >= self.frame:
                self._flush()
        self.pending = [bytes(piece) for piece in self.pending]  # the caller may reuse its buffer

    def _flush(self) -> None:
        content = self.pending[0] if len(self.pending) == 1 else b"".join(self.pending)
        for start in range(0, len(content), LARGEST_FRAME):
            piece = content[start : start + LARGEST_FRAME]
            packed = self.compressor.compress(piece)
            self.file.write(packed)
            self.sizes.append((len(packed), len(piece)))
        self.pending, self.held = [], 0

    def close(self) -> None:
        """Write the last frame and the seek table. A file without lines is one empty frame, which tools accept."""
        if self.held or not self.sizes:
            self.pending = self.pending or [b""]
            if self.held:
                self._flush()
            else:
                packed = self.compressor.compress(b"")
                self.file.write(packed)
                self.sizes.append((len(packed), 0))
        body = b"".join(struct.pack("<II", *entry) for entry in self.sizes)
        body += _FOOTER.pack(len(self.sizes), 0, SEEKABLE)
        self.file.write(struct.pack("<II", SKIPPABLE, len(body)) + body)
        self.file.close()

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.file.close()


class SeekableFile:
    """A file of zstd frames that can be read from any position of its uncompressed content.

    `packed` and `plain` say where each frame begins in the file and in the content (int64, frames + 1 entries).
    A file without a seek table, or with one that does not fit, is refused (`PilebuilderError`).
    """

    def __init__(self, path: Path) -> None:
        import zstandard

        self.path = path
        self.file = path.open("rb")
        self.decompressor = zstandard.ZstdDecompressor()
        try:
            self.packed, self.plain = self._table()
        except BaseException:
            self.file.close()
            raise

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each frame begins, in the file and in the content; one entry more than there are frames."""
        size = self.file.seek(0, 2)
        self.file.seek(max(0, size - _FOOTER.size))
        footer = self.file.read()
        frames, descriptor, magic = _FOOTER.unpack(footer) if len(footer) == _FOOTER.size else (0, 0, 0)
        width = 12 if descriptor & 0x80 else 8  # with or without checksums in the table
        table = frames * width + _FOOTER.size
        if magic != SEEKABLE or size < table + 8:
            raise PilebuilderError(
                f"{self.path} has no seek table: it is cut short, or was packed again by another tool"
            )
        self.file.seek(size - table - 8)
        head = struct.unpack("<II", self.file.read(8))
        entries = np.frombuffer(self.file.read(frames * width), np.uint32).reshape(frames, width // 4)
        bounds = np.zeros((2, frames + 1), np.int64)
        np.cumsum(entries[:, :2].T, axis=1, out=bounds[:, 1:])
        if head != (SKIPPABLE, table) or bounds[0, -1] != size - table - 8:
            raise PilebuilderError(
                f"{self.path}: its seek table does not fit its frames; the file was changed or damaged"
            )
        return bounds[0], bounds[1]

    @property
    def size(self) -> int:
        """Bytes of uncompressed content."""
        return int(self.plain[-1])

    def frame(self, i: int) -> bytes:
        """Content of one frame; its checksum is verified."""
        import zstandard

        self.file.seek(int(self.packed[i]))
        raw = self.file.read(int(self.packed[i + 1] - self.packed[i]))
        wanted = int(self.plain[i + 1] - self.plain[i])
        try:
            content = self.decompressor.decompress(raw, max_output_size=wanted) if wanted else b""
        except zstandard.ZstdError as error:
            raise PilebuilderError(f"{self.path}: frame {i} is damaged ({error}); build the corpus again") from error
        if len(content) != wanted:
            raise PilebuilderError(f"{self.path}: frame {i} holds {len(content)} bytes, its seek table says {wanted}")
        return bytes(content)

    def batches(self, least: int = 0) -> Iterator[bytes]:
        """The content in order, in pieces that end lines: one frame each, more where a line spans frames, or until
        there are `least` bytes."""
        held: list[bytes] = []
        size = 0
        for i in range(len(self.plain) - 1):
            held.append(self.frame(i))
            size += len(held[-1])
            if held[-1].endswith(b"\n") and (size >= least or i + 2 == len(self.plain)):
                yield held[0] if len(held) == 1 else b"".join(held)
                held, size = [], 0
        if any(held):
            raise PilebuilderError(
                f"{self.path} ends within a line; it is cut short: delete it and run the build again"
            )

    def line(self, start: int) -> bytes:
        """The line that begins at this position of the content, without its end."""
        if not 0 <= start < self.size:
            raise PilebuilderError(f"{self.path} has {self.size} bytes of content; there is no position {start}")
        i = int(np.searchsorted(self.plain, start, "right")) - 1
        content = self.frame(i)[start - int(self.plain[i]) :]
        while b"\n" not in content and i + 2 < len(self.plain):
            i += 1
            content += self.frame(i)
        return content.partition(b"\n")[0]

    def __enter__(self) -> SeekableFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
