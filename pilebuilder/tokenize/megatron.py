"""Megatron's ``MMapIndexedDataset``: ``.bin`` (ids, no header) and ``.idx``, as Megatron-LM and GPT-NeoX read them.

``.idx``, little-endian: the magic ``MMIDIDX\\0\\0``, version (u64, 1), type code (u8), sequences (u64), document
bounds (u64), lengths in ids (i32 each), byte offsets in ``.bin`` (i64 each), document bounds in sequences (i64 each,
from 0). Here each document is one sequence. Type codes 8 (uint16) and 4 (int32) mean the same in both projects; 6 and
7 do not, and are never written.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

MAGIC = b"MMIDIDX\x00\x00"
CODES = {"uint16": 8, "int32": 4}
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
