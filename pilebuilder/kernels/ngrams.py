"""Repeated n-grams of words, as Gopher measures them: the top 2- to 4-grams and duplicate 5- to 10-grams.

A repeated n-gram holds repeated (n-1)-grams, so only the 2-grams look at every word; first through a table of two bits
per slot, which lets most of them go, then exactly. Longer n-grams look at the positions that are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    INT64,
    INT64S,
    UINT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    set_byte,
    set_i64,
    set_u64,
    u32,
    u64,
)  # fmt: skip

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
COLUMNS = (*(f"top_{n}_gram_chars" for n in TOP), *(f"dup_{n}_gram_chars" for n in DUPLICATE))
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@device
def join(left: Any, right: Any) -> Any:
    """Hash of an n-gram from the hash of its first n-1 words and its last word; order matters."""
    h = (left + (left << np.uint64(1)) + _HALF ^ right) * _MIX
    return h ^ h >> _HALF


@device
def find(table: Any, mask: Any, stamp: Any, key: Any) -> Any:
    """Slot of `key` in a table of (key, stamp and count) pairs; a slot with an older stamp is free."""
    slot = np.int64(key >> np.uint64(20)) & mask
    while u64(table, 2 * slot) != key and np.int64(u64(table, 2 * slot + 1) >> _HALF) == stamp:
        slot = (slot + 1) & mask
    return slot


@device
def count(table: Any, slot: Any, stamp: Any, key: Any) -> Any:
    """Count one more of `key` at its slot; returns how many there are now."""
    held = u64(table, 2 * slot + 1)
    if np.int64(held >> _HALF) == stamp and u64(table, 2 * slot) == key:
        held += np.uint64(1)
    else:
        set_u64(table, 2 * slot, key)
        held = (np.uint64(stamp) << _HALF) + np.uint64(1)
    set_u64(table, 2 * slot + 1, held)
    return np.int64(held & np.uint64(0xFFFFFFFF))


@device
def seen(table: Any, slot: Any, stamp: Any, key: Any) -> Any:
    held = u64(table, 2 * slot + 1)
    return np.int64(held >> _HALF) == stamp and u64(table, 2 * slot) == key


@device
def span_chars(lengths: Any, first: Any, n: Any) -> Any:
    chars = 0
    for k in range(first, first + n):
        chars += u32(lengths, k)
    return chars


@device
def repeated_pairs(words, n_words, sketch, where, keys):  # type: ignore[no-untyped-def]
    """Places and keys of the 2-grams that seem to occur again, into `where` and `keys`; returns how many.

    Each 2-gram goes once through the sketch (8 bytes per word, up to a power of two): 1 = seen, 3 = seen again. None
    that occurs again is missed. The lists are written without a branch: every entry, at a place that moves on only
    after those that stay.
    """
    slots = 64
    while slots < 8 * n_words:
        slots <<= 1
    for k in range(slots >> 3):
        set_u64(sketch, k, np.uint64(0))
    mask = slots - 1
    for k in range(n_words - 1):
        slot = np.int64(join(u64(words, k), u64(words, k + 1)) >> np.uint64(24)) & mask
        set_byte(sketch, slot, (byte(sketch, slot) << 1 | 1) & 3)
    left = 0
    for k in range(n_words - 1):
        key = join(u64(words, k), u64(words, k + 1))
        set_i64(where, left, k)
        set_u64(keys, left, key)
        left += byte(sketch, np.int64(key >> np.uint64(24)) & mask) == 3
    return left


@device
def lengthen(words, n_words, where, keys, kept, g):  # type: ignore[no-untyped-def]
    """From the n-grams of `g` words that occur again, those of one word more that may; returns how many.

    A longer n-gram occurs again only where this one and the one a word further both do.
    """
    left = 0
    for q in range(kept - 1):
        k = i64(where, q)
        longer = join(u64(keys, q), u64(words, min(k + g, n_words - 1)))
        adjacent = i64(where, q + 1) == k + 1
        set_i64(where, left, k)
        set_u64(keys, left, longer)
        left += adjacent
    return left


@kernel(
    types.int64(
        UINT64S, types.Array(types.int32, 1, "C", readonly=True), INT64S, INT64S, INT64, types.uint8[::1],
        types.uint64[::1], types.int64[::1], types.uint64[::1], types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def ngram_stats(hashes_, lengths_, firsts, lasts, stamp, sketch_, table_, where_, keys_, places_, out):  # type: ignore[no-untyped-def]
    """Columns `COLUMNS` (characters in repeated n-grams) of documents into `out`; returns the next stamp.

    `hashes`, `lengths`: the words that `word_stats` left, those of a document at [first, last). `sketch` (8 bytes per
    word), `table` (4 uint64 per word), `where`, `keys` and `places` (one per word) are scratch; `table` is cleared by
    raising `stamp` instead of writing.
    """
    hashes, lengths, table = address(hashes_), address(lengths_), address(table_)
    sketch, where, keys, places = address(sketch_), address(where_), address(keys_), address(places_)
    for row in range(len(firsts)):
        first = firsts[row]
        n_words = lasts[row] - first
        for column in range(9):
            out[row, column] = 0
        if n_words < 2:
            continue
        words, sizes = hashes + 8 * first, lengths + 4 * first
        left = repeated_pairs(words, n_words, sketch, where, keys)
        slots = 64
        while slots < 2 * left:
            slots <<= 1
        mask = slots - 1
        # top n-grams: the most frequent one, the earliest among equals
        for g in range(2, 5):
            if n_words < g:
                break
            stamp += 1
            for q in range(left):
                key = u64(keys, q)
                slot = find(table, mask, stamp, key)
                count(table, slot, stamp, key)
                set_i64(places, q, slot)
            best, at, kept = 1, 0, 0
            for q in range(left):
                k = i64(where, q)
                times = np.int64(u64(table, 2 * i64(places, q) + 1) & np.uint64(0xFFFFFFFF))
                if times > best:
                    best, at = times, k  # type: ignore[assignment]
                set_i64(where, kept, k)
                set_u64(keys, kept, u64(keys, q))
                kept += times > 1
            out[row, g - 2] = best * (span_chars(sizes, at, g) + g - 1)
            left = lengthen(words, n_words, where, keys, kept, g)
        # duplicate n-grams, counted without overlap from left to right
        for g in range(5, 11):
            stamp += 1
            chars, free = 0, 0
            for q in range(left):
                k = i64(where, q)
                key = u64(keys, q)
                if k >= free:
                    slot = find(table, mask, stamp, key)
                    if seen(table, slot, stamp, key):
                        chars += span_chars(sizes, k, g)
                        free = k + g
                    else:
                        count(table, slot, stamp, key)
            out[row, g - 2] = chars
            if chars == 0:
                break
            kept = left
            left = 0
            for q in range(kept - 1):
                k = i64(where, q)
                if i64(where, q + 1) == k + 1:
                    set_i64(where, left, k)
                    set_u64(keys, left, join(u64(keys, q), u64(words, k + g)))
                    left += 1
    return stamp
