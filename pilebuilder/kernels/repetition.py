"""Repeated n-grams by the definitions of Dolma and RedPajama-v2, over words as `plainwords` leaves them."""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    INT64S,
    UINT64S,
    address,
    i64,
    kernel,
    set_i64,
    set_u64,
    u64,
)  # fmt: skip
from pilebuilder.kernels.ngrams import count, find, lengthen, repeated_pairs, span_chars

NS = tuple(range(2, 11))
COLUMNS = ("top_times", "top_chars", "dup_chars", "all_chars", "covered_chars")
"""For one n: how often the most frequent n-gram occurs (the earliest among equals), its characters without blanks;
characters of all n-grams that occur again, each time counted; of all n-grams; of the words that lie in one."""


@kernel(
    types.void(
        UINT64S, types.Array(types.int32, 1, "C", readonly=True), INT64S, types.uint8[::1], types.uint64[::1],
        types.int64[::1], types.uint64[::1], types.int64[:, :, ::1],
    )
)  # fmt: skip
def repeated(hashes_, lengths_, firsts, sketch_, table_, where_, keys_, out):  # type: ignore[no-untyped-def]
    """`COLUMNS` for each n of `NS` of each document into `out` [documents, 9, 5]; scratch as for `ngram_stats`."""
    hashes, lengths, table = address(hashes_), address(lengths_), address(table_)
    sketch, where, keys = address(sketch_), address(where_), address(keys_)
    stamp = 0
    for row in range(len(out)):
        first, n_words = firsts[row], firsts[row + 1] - firsts[row]
        words, sizes = hashes + 8 * first, lengths + 4 * first
        total = span_chars(sizes, 0, n_words)
        left = repeated_pairs(words, n_words, sketch, where, keys)
        slots = 64
        while slots < 2 * left:
            slots <<= 1
        mask = slots - 1
        # characters of all n-grams: each word stands in n of them, but for those near the ends
        before, after = 0, 0
        for g in range(2, 11):
            if n_words < g:
                break
            before += span_chars(sizes, 0, g - 1)
            after += span_chars(sizes, n_words - (g - 1), g - 1)
            stamp += 1
            for q in range(left):
                key = u64(keys, q)
                count(table, find(table, mask, stamp, key), stamp, key)
            best, at, kept = 1, 0, 0
            chars, covered, until = 0, 0, 0
            for q in range(left):
                key = u64(keys, q)
                k = i64(where, q)
                times = np.int64(u64(table, 2 * find(table, mask, stamp, key) + 1) & np.uint64(0xFFFFFFFF))
                if times > best:
                    best, at = times, k
                if times > 1:
                    chars += span_chars(sizes, k, g)
                    start = max(k, until)
                    until = k + g
                    covered += span_chars(sizes, start, until - start)
                    set_i64(where, kept, k)
                    set_u64(keys, kept, key)
                    kept += 1
            out[row, g - 2, 0], out[row, g - 2, 1] = best, span_chars(sizes, at, g)
            out[row, g - 2, 2], out[row, g - 2, 4] = chars, covered
            out[row, g - 2, 3] = g * total - before - after
            left = lengthen(words, n_words, where, keys, kept, g)


def repetition(hashes: np.ndarray, lengths: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """int64 [documents, 9, 5]: `COLUMNS` for n-grams of 2 to 10 words."""
    most = int(np.diff(firsts).max(initial=0))
    sketch = np.empty(1 << max(6, (8 * most - 1).bit_length()), np.uint8)
    table = np.zeros(2 << max(6, (2 * most - 1).bit_length()), np.uint64)
    out = np.zeros((len(firsts) - 1, len(NS), len(COLUMNS)), np.int64)
    repeated(hashes, lengths, firsts, sketch, table, np.empty(most, np.int64), np.empty(most, np.uint64), out)
    return out
