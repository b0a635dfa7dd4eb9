"""Sorting more rows than memory holds: runs sorted in memory, packed into one unnamed temporary file, merged back.

For formats whose parts of one document stand far apart (an answer and its question). Memory is `budget` plus one
64 KiB block a run, whatever the input; the order is by key and then by the order of adding, so it is the same always.
The temporary file lies in the system's folder for such files, has no name, and is gone when the sorter is.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator
from typing import IO, Any

_HEAD = struct.Struct("<qqqI")
_BLOCK = 64 << 10
_COST = 160
"""Bytes that a row costs in memory besides its payload."""

Row = tuple[int, int, int, bytes]
"""Group, order within the group, offset in the input, payload."""


class Sorter:
    """Add rows in any order; iterate once for all of them by group and order.

    >>> sorter = Sorter()
    >>> sorter.add(2, 0, 10, b"b"); sorter.add(1, 5, 20, b"c"); sorter.add(1, 0, 30, b"a")
    >>> [payload for *_, payload in sorter]
    [b'a', b'c', b'b']
    """

    def __init__(self, budget: int = 128 << 20) -> None:
        self._budget, self._bytes = budget, 0
        self._held: list[Row] = []
        self._file: IO[bytes] | None = None
        self._runs: list[list[tuple[int, int]]] = []

    def add(self, group: int, order: int, offset: int, payload: bytes) -> None:
        self._held.append((group, order, offset, payload))
        self._bytes += len(payload) + _COST
        if self._bytes > self._budget:
            self._spill()

    def __iter__(self) -> Iterator[Row]:
        self._held.sort()
        if not self._runs:
            return iter(self._held)
        return heapq.merge(*(self._run(blocks) for blocks in self._runs), self._held)

    def _spill(self) -> None:
        import tempfile

        import zstandard

        self._file = self._file or tempfile.TemporaryFile(prefix="pilebuilder-")  # noqa: SIM115 (lives as long as this)
        self._held.sort()
        packer, blocks, size = zstandard.ZstdCompressor(level=1), [], 0
        pieces: list[bytes] = []
        for group, order, offset, payload in self._held:
            pieces += (_HEAD.pack(group, order, offset, len(payload)), payload)
            size += len(payload) + _HEAD.size
            if size >= _BLOCK:
                blocks.append(self._write(packer.compress(b"".join(pieces))))
                pieces, size = [], 0
        if pieces:
            blocks.append(self._write(packer.compress(b"".join(pieces))))
        self._runs.append(blocks)
        self._held, self._bytes = [], 0

    def _write(self, packed: bytes) -> tuple[int, int]:
        assert self._file is not None
        start = self._file.seek(0, 2)
        self._file.write(packed)
        return start, len(packed)

    def _run(self, blocks: list[tuple[int, int]]) -> Iterator[Row]:
        import zstandard

        assert self._file is not None
        unpacker: Any = zstandard.ZstdDecompressor()
        for start, length in blocks:
            self._file.seek(start)
            data, at = unpacker.decompress(self._file.read(length)), 0
            while at < len(data):
                group, order, offset, size = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                yield group, order, offset, data[at : at + size]
                at += size
