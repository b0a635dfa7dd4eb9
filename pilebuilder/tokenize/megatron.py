"""Megatron's ``MMapIndexedDataset``: ``.bin`` (ids, no header) and ``.idx``, as Megatron-LM and GPT-NeoX read them.

``.idx``, little-endian: the magic ``MMIDIDX\\0\\0``, version (u64, 1), type code (u8), sequences (u64), document
bounds (u64), lengths in ids (i32 each), byte offsets in ``.bin`` (i64 each), document bounds in sequences (i64 each,
from 0). Here each document is one sequence. Type codes 8 (uint16) and 4 (int32) mean the same in both projects; 6 and
7 do not, and are never written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilebuilder.errors import PilebuilderError

MAGIC = b"MMIDIDX\x00\x00"
CODES = {"uint16": 8, "int32": 4}
HEADER = 34
LONGEST = (1 << 31) - 1


def write_index(path: Path, lengths: np.ndarray, dtype: str) -> None:
    """Write the ``.idx`` for documents of these lengths (ids each, end of document included), in order."""
    n, width = len(lengths), np.dtype(dtype).itemsize
    starts = np.zeros(n, np.int64)
    np.cumsum(lengths[:-1], out=starts[1:], dtype=np.int64)
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<QBQQ", 1, CODES[dtype], n, n + 1))
        file.write(lengths.astype("<i4").tobytes())
        file.write((starts * width).astype("<i8").tobytes())
        file.write(np.arange(n + 1, dtype="<i8").tobytes())


@dataclass(frozen=True, slots=True)
class Index:
    """An ``.idx`` file, mapped."""

    dtype: np.dtype
    lengths: np.ndarray
    """Ids of each document (int32)."""
    starts: np.ndarray
    """First id of each document in the ``.bin``, in ids (int64)."""
    bounds: np.ndarray
    """Document bounds in sequences (int64)."""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def total(self) -> int:
        """Ids in the ``.bin``."""
        return int(self.starts[-1]) + int(self.lengths[-1]) if len(self.lengths) else 0


def read_index(path: Path) -> Index:
    """Map an ``.idx``; raises `PilebuilderError` when it is not one, is cut, or contradicts itself."""
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    head = content[:HEADER].tobytes()
    if len(head) < HEADER or head[:9] != MAGIC:
        raise PilebuilderError(f"{path} is not a Megatron index: its first bytes are not MMIDIDX")
    version, code, sequences, bounds = struct.unpack("<QBQQ", head[9:])
    kinds = {value: name for name, value in CODES.items()}
    if version != 1 or code not in kinds:
        raise PilebuilderError(
            f"{path}: version {version} with type code {code}; read are version 1 with codes 4 and 8"
        )
    if len(content) != HEADER + 12 * sequences + 8 * bounds:
        raise PilebuilderError(
            f"{path} has {len(content)} bytes, its header describes another size; it is cut or damaged"
        )
    at = HEADER
    lengths = content[at : at + 4 * sequences].view("<i4")
    pointers = content[at + 4 * sequences : at + 12 * sequences].view("<i8")
    dtype = np.dtype(kinds[code])
    starts = pointers // dtype.itemsize
    ends = starts + lengths
    if len(lengths) and (starts[0] != 0 or (lengths < 0).any() or (starts[1:] != ends[:-1]).any()):
        raise PilebuilderError(f"{path}: documents do not follow each other without gaps; it is damaged")
    return Index(dtype, lengths, starts, content[at + 12 * sequences :].view("<i8"))
