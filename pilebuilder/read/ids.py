"""Readers' keys to document ids, a column at a time; a key that comes again within a task gets ``#2``, ``#3``, ..."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pilebuilder.document import document_id
from pilebuilder.kernels.digest import blake2b_hex, note_seen


class Ids:
    """Document ids of one task. Holds 8 to 16 bytes per document seen, to know a repeated key."""

    def __init__(self, component: str) -> None:
        self.component = component
        self._prefix = np.frombuffer(f"{component}\0".encode(), np.uint8)
        self._table = np.zeros(1 << 12, np.uint64)
        self._held = 0
        self._times: dict[str, int] = {}

    def of(self, keys: pa.StringArray) -> tuple[pa.StringArray, list[int]]:
        """Ids for keys, and the rows whose key had been seen before."""
        data, offsets = _buffers(keys)
        digits = np.empty(32 * len(keys), np.uint8)
        words = np.empty(len(keys), np.uint64)
        blake2b_hex(self._prefix, data, offsets, digits, words)
        again = self._again(words)
        repeated = [int(row) for row in np.flatnonzero(again)]
        for row in repeated:
            key = self._renamed(keys[row].as_py())
            digits[32 * row : 32 * row + 32] = np.frombuffer(document_id(self.component, key).encode(), np.uint8)
        ends = np.arange(0, 32 * len(keys) + 1, 32, dtype=np.int32)
        return pa.StringArray.from_buffers(len(keys), pa.py_buffer(ends), pa.py_buffer(digits)), repeated

    def _again(self, words: np.ndarray) -> np.ndarray:
        while 2 * (self._held + len(words)) > len(self._table):
            old = self._table[self._table != 0]
            self._table = np.zeros(2 * len(self._table), np.uint64)
            note_seen(self._table, old, np.empty(len(old), bool))
        seen = np.empty(len(words), bool)
        self._held += note_seen(self._table, words, seen)
        return seen

    def _renamed(self, key: str) -> str:
        """The first of ``key#2``, ``key#3``, ... that no document has."""
        while True:
            times = self._times[key] = self._times.get(key, 1) + 1
            name = f"{key}#{times}"
            word = np.frombuffer(bytes.fromhex(document_id(self.component, name)), np.uint64)[:1].copy()
            if not self._again(word)[0]:
                return name


def _buffers(keys: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 bytes and int64 offsets of a string array without nulls."""
    _, offsets, data = keys.cast(pa.large_string()).buffers()
    where = (
        np.frombuffer(offsets, np.int64)[keys.offset : keys.offset + len(keys) + 1]
        if offsets
        else np.zeros(1, np.int64)
    )
    return (np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)), where
