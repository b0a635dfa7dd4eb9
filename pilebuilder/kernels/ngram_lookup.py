"""Word n-grams of texts looked up in an index: which documents hold which n-grams of a set.

Words and hashes are those of `pilebuilder.kernels.shingles`. Nothing is stored per document but its finds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.folding import fold_bytes
from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, kernel
from pilebuilder.kernels.shingles import next_shingles, workspace

BUFFER = types.Array(types.uint8, 1, "C")
HASHES = types.Array(types.uint64, 1, "C")
COUNTS = types.Array(types.int64, 1, "C")
EDGES = types.Array(types.int32, 1, "C")
INT = types.int64
U64 = np.uint64
EVERY = U64(0xFFFFFFFFFFFFFFFF)
"""The limit that samples nothing away."""


@kernel(
    INT(
        BYTES, INT64S, UINT64S, types.intp, types.uint64,
        BUFFER, HASHES, HASHES, COUNTS, EDGES, HASHES, COUNTS, COUNTS,
    )
)  # fmt: skip
def _collect(  # type: ignore[no-untyped-def]
    data, offsets, table, ngram, limit, folded, held, block, state, edges, out, ends, words,
):  # fmt: skip
    """n-gram hashes below `limit` of each text; -1 if `out` is too small."""
    total = 0
    for row in range(len(offsets) - 1):
        at, stop = offsets[row], offsets[row + 1]
        state[:] = 0
        grams = 0
        while at < stop:
            at, count = next_shingles(data, at, stop, table, ngram, folded, held, block, state, edges)
            if state[3]:  # fewer words than an n-gram
                count = 0
            grams += count
            for k in range(count):
                if block[k] <= limit:
                    if total == len(out):
                        return -1
                    out[total] = block[k]
                    total += 1
        ends[row] = total
        words[row] = grams + ngram - 1 if grams else 0
    return total


def collect(
    data: np.ndarray, offsets: np.ndarray, ngram: int, limit: np.uint64 = EVERY
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes of all n-grams of each text that are at most `limit`, in order, repeats included.

    Returns the hashes, the end of each text's in them, and the words of each text (0 if fewer than `ngram`).
    """
    offsets = np.ascontiguousarray(offsets, np.int64)
    out = np.empty(int(offsets[-1] - offsets[0]) // 2 + len(offsets), np.uint64)
    ends, words = np.zeros(len(offsets) - 1, np.int64), np.zeros(len(offsets) - 1, np.int64)
    total = _collect(data, offsets, fold_bytes(), ngram, limit, *workspace(ngram), out, ends, words)
    assert total >= 0, "an n-gram takes two bytes of text at least"
    return out[:total].copy(), ends, words


@kernel(
    INT(
        BYTES, INT64S, UINT64S, types.intp, types.uint64, UINT64S, UINT64S,
        BUFFER, HASHES, HASHES, COUNTS, EDGES, COUNTS, COUNTS,
    )
)  # fmt: skip
def _find(  # type: ignore[no-untyped-def]
    data, offsets, table, ngram, limit, bits, keys, folded, held, block, state, edges, rows, slots,
):  # fmt: skip
    """Places (row, slot of `keys`) of n-grams that are in the index; returns their number, even above the room."""
    found = 0
    mask = U64(len(keys) - 1)
    bit_mask = U64(64 * len(bits) - 1)
    for row in range(len(offsets) - 1):
        at, stop = offsets[row], offsets[row + 1]
        state[:] = 0
        while at < stop:
            at, count = next_shingles(data, at, stop, table, ngram, folded, held, block, state, edges)
            if state[3]:
                break
            for k in range(count):
                h = block[k]
                if h > limit:
                    continue
                place = (h >> U64(20)) & bit_mask
                if (bits[place >> U64(6)] >> (place & U64(63))) & U64(1) == U64(0):
                    continue
                slot = h & mask
                while keys[slot] != U64(0) and keys[slot] != h:
                    slot = (slot + U64(1)) & mask
                if keys[slot] == h:
                    if found < len(rows):
                        rows[found] = row
                        slots[found] = slot
                    found += 1
    return found


class Lookup:
    """A set of hashes as an open-addressing table behind a bit filter of about 1/16 density."""

    def __init__(self, hashes: np.ndarray, ngram: int, limit: np.uint64 = EVERY) -> None:
        self.ngram, self.limit = ngram, limit
        hashes = np.unique(hashes)
        hashes = hashes[hashes > 0]
        size = 1 << max(4, int(2 * len(hashes)).bit_length())
        self.keys = np.zeros(size, np.uint64)
        self.bits = np.zeros(max(1, size // 8), np.uint64)
        _fill(hashes, self.keys, self.bits)

    def find(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Document row and hash of every n-gram of the texts that is in the set, in order, repeats included."""
        offsets = np.ascontiguousarray(offsets, np.int64)
        work = workspace(self.ngram)
        room = 1 << 12
        while True:
            rows, slots = np.zeros(room, np.int64), np.zeros(room, np.int64)
            found = _find(
                data, offsets, fold_bytes(), self.ngram, self.limit, self.bits, self.keys,
                *work, rows, slots,
            )  # fmt: skip
            if found <= room:
                return rows[:found], self.keys[slots[:found]]
            room = found

    def __contains__(self, value: int) -> bool:
        slot = value & (len(self.keys) - 1)
        while self.keys[slot]:
            if int(self.keys[slot]) == value:
                return True
            slot = (slot + 1) & (len(self.keys) - 1)
        return False


@kernel(types.void(UINT64S, HASHES, HASHES))
def _fill(hashes: Any, keys: Any, bits: Any) -> None:
    """Enter hashes into an empty table and its bit filter."""
    mask = U64(len(keys) - 1)
    bit_mask = U64(64 * len(bits) - 1)
    for k in range(len(hashes)):
        h = hashes[k]
        place = (h >> U64(20)) & bit_mask
        bits[place >> U64(6)] |= U64(1) << (place & U64(63))
        slot = h & mask
        while keys[slot] != U64(0):
            slot = (slot + U64(1)) & mask
        keys[slot] = h
