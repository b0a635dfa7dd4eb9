"""An independent reader of Megatron's indexed dataset, written from its public layout."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

CODES = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 8: np.uint16}


class MegatronFile:
    def __init__(self, prefix: Path) -> None:
        index = prefix.with_suffix(".idx").read_bytes()
        assert index[:9] == b"MMIDIDX\x00\x00"
        version, code, sequences, bounds = struct.unpack("<QBQQ", index[9:34])
        assert version == 1
        at = 34
        self.lengths = np.frombuffer(index, np.int32, sequences, at)
        self.pointers = np.frombuffer(index, np.int64, sequences, at + 4 * sequences)
        self.doc_idx = np.frombuffer(index, np.int64, bounds, at + 12 * sequences)
        assert len(index) == at + 12 * sequences + 8 * bounds
        self.dtype = np.dtype(CODES[code])
        self.bin = np.fromfile(prefix.with_suffix(".bin"), self.dtype)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> np.ndarray:
        start = self.pointers[i] // self.dtype.itemsize
        return self.bin[start : start + self.lengths[i]]
