"""Which of a known set of word n-grams occur in a text buffer. Words stand between white space, in lower case."""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.frequent import _BASE, COUNTS, _finish
from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, kernel
from pilebuilder.kernels.wordbreak import HASHES, LOWER, SPANS, TABLE, lower_table, properties, split_lower


@kernel(
    types.int64(
        BYTES, INT64S, types.int64, TABLE, LOWER, SPANS, HASHES, HASHES, COUNTS,
    )
)  # fmt: skip
def list_grams(data, offsets, size, table, lower, spans, hashes, out, counts):  # type: ignore[no-untyped-def]
    """Hashes of all n-grams in order, and how many each document has; a shorter document has one of all its words."""
    total = 0
    top = np.uint64(1)
    for _ in range(size):
        top *= _BASE
    for row in range(len(offsets) - 1):
        n = split_lower(data, offsets[row], offsets[row + 1], table, lower, spans, hashes)
        h = np.uint64(0)
        first = total
        for i in range(n):
            h = h * _BASE + hashes[i]
            if i >= size:
                h -= top * hashes[i - size]
            if i >= size - 1:
                out[total] = _finish(h)
                total += 1
        counts[row] = total - first
    return total


@kernel(
    types.int64(
        BYTES, INT64S, types.int64, TABLE, LOWER, SPANS, HASHES, UINT64S, INT64S,
        types.Array(types.uint8, 1, "C"), types.Array(types.int64, 2, "C"),
    )
)  # fmt: skip
def find_grams(data, offsets, size, table, lower, spans, hashes, keys, places, hits, pairs):  # type: ignore[no-untyped-def]
    """Mark in `hits` the known n-grams that occur; rows (document, number) of occurrences in `pairs`, first ones only.

    `keys` and `places` are an open hash table (0: free) of n-gram hashes and their numbers. Returns the occurrences,
    which may be more than `pairs` holds.
    """
    found = 0
    mask = np.uint64(len(keys) - 1)
    top = np.uint64(1)
    for _ in range(size):
        top *= _BASE
    for row in range(len(offsets) - 1):
        n = split_lower(data, offsets[row], offsets[row + 1], table, lower, spans, hashes)
        h = np.uint64(0)
        for i in range(n):
            h = h * _BASE + hashes[i]
            if i >= size:
                h -= top * hashes[i - size]
            if i < size - 1:
                continue
            key = _finish(h)
            slot = np.int64(key & mask)
            while keys[slot] != 0:
                if keys[slot] == key:
                    hits[places[slot]] = 1
                    if found < len(pairs):
                        pairs[found, 0], pairs[found, 1] = row, places[slot]
                    found += 1
                    break
                slot = np.int64(np.uint64(slot + 1) & mask)
    return found


def grams(data: np.ndarray, offsets: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all n-grams of all documents (uint64), and the number of each document (int64)."""
    offsets = np.ascontiguousarray(offsets, np.int64)
    out = np.empty(int(offsets[-1] - offsets[0]) // 2 + len(offsets), np.uint64)
    counts = np.zeros(len(offsets) - 1, np.int64)
    total = list_grams(np.ascontiguousarray(data), offsets, size, *_tables(offsets), out, counts)
    return out[:total].copy(), counts


def _tables(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    longest = int(np.diff(offsets).max(initial=0)) + 1
    return properties(), lower_table(), np.empty((longest, 2), np.int64), np.empty(longest, np.uint64)


class GramSet:
    """Known n-grams of one size, numbered in the order given; pairs name a repeated one by its first number."""

    def __init__(self, known: np.ndarray, size: int) -> None:
        self.size = size
        distinct, first, inverse = np.unique(known, return_index=True, return_inverse=True)
        self.first_of = first[inverse] if len(known) else np.zeros(0, np.int64)
        slots = 1 << max(4, (2 * len(distinct)).bit_length())
        self.keys, self.places = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
        self.count = len(known)
        mask = slots - 1
        for key, number in zip(distinct.tolist(), first.tolist(), strict=True):
            slot = key & mask
            while self.keys[slot]:
                slot = (slot + 1) & mask
            self.keys[slot], self.places[slot] = key, number

    def search(self, data: np.ndarray, offsets: np.ndarray, pairs: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Which n-grams occur (uint8, one per number), and up to `pairs` rows of (document, number)."""
        offsets = np.ascontiguousarray(offsets, np.int64)
        hits, rows = np.zeros(self.count, np.uint8), np.zeros((pairs, 2), np.int64)
        found = find_grams(
            np.ascontiguousarray(data), offsets, self.size, *_tables(offsets), self.keys, self.places, hits, rows
        )
        return hits[self.first_of], rows[: min(found, pairs)]
