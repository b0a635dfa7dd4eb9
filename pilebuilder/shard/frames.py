"""Zstandard files of independent frames with a seek table: every tool reads them, and a reader may start at any frame.

Frames carry their content size and a checksum. The seek table is the skippable frame of zstd's own seekable format
(contrib/seekable_format/zstd_seekable_compression_format.md): entries of compressed and decompressed size (u32
little-endian each), then the number of frames (u32), a descriptor byte, and the magic 0x8F92EAB1.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

SKIPPABLE, SEEKABLE = 0x184D2A5E, 0x8F92EAB1
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
        body += struct.pack("<IBI", len(self.sizes), 0, SEEKABLE)
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
