"""Order of 64-bit hashes: radix sort, and groups of equal keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import kernel

U = np.uint64
UINT64S = types.Array(types.uint64, 1, "C", readonly=True)
HASHES = types.Array(types.uint64, 1, "C")
ROWS = types.Array(types.int32, 1, "C", readonly=True)

RADIX_BITS = 11
RADIX = 1 << RADIX_BITS


@kernel(types.void(UINT64S, ROWS, types.int64, HASHES, types.Array(types.int32, 1, "C")))
def _radix_pass(keys: Any, rows: Any, shift: Any, keys_out: Any, rows_out: Any) -> None:
    """One stable counting pass over 11 bits of the keys."""
    counts = np.zeros(RADIX + 1, np.int64)
    for i in range(len(keys)):
        counts[((keys[i] >> U(shift)) & U(RADIX - 1)) + U(1)] += 1
    for d in range(1, RADIX):
        counts[d] += counts[d - 1]
    for i in range(len(keys)):
        digit = (keys[i] >> U(shift)) & U(RADIX - 1)
        at = counts[digit]
        counts[digit] = at + 1
        keys_out[at] = keys[i]
        rows_out[at] = rows[i]


@kernel(types.int64(HASHES, types.Array(types.int32, 1, "C"), types.int64))
def _insert(keys: Any, rows: Any, patience: Any) -> Any:
    """Insertion sort of what is almost sorted; -1 when it takes more than `patience` moves."""
    moves = 0
    for i in range(1, len(keys)):
        key, row = keys[i], rows[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j], rows[j] = keys[j - 1], rows[j - 1]
            j -= 1
            moves += 1
        keys[j], rows[j] = key, row
        if moves > patience:
            return -1
    return moves


def sort_by_key(keys: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays (uint64, int32) in ascending order of key, stable.

    Keys are hashes: after three passes over their top 33 bits hardly any stand wrong, and insertion mends those.
    Keys that are no hashes cost a comparison sort, not a wrong result.
    """
    held = np.ascontiguousarray(keys, np.uint64), np.ascontiguousarray(rows, np.int32)
    one, two = ((np.empty(len(keys), np.uint64), np.empty(len(keys), np.int32)) for _ in range(2))
    for digit, (source, target) in enumerate(((held, one), (one, two), (two, one))):
        _radix_pass(*source, 64 - (3 - digit) * RADIX_BITS, *target)
    if _insert(*one, 8 * len(keys) + 64) < 0:
        order = np.argsort(held[0], kind="stable")
        return held[0][order], held[1][order]
    return one


def stable_order(keys: np.ndarray) -> np.ndarray:
    """As ``np.argsort(keys, kind="stable")`` for fewer than 2^31 uint64 hashes, faster."""
    return sort_by_key(keys, np.arange(len(keys), dtype=np.int32))[1]


# -- groups of equal keys

PART_BITS = 12
"""Keys are dealt into parts by so many of their bits, so that a part of a few thousand stays in the nearest cache."""
KEYS = types.Array(types.uint64, 2, "C", readonly=True)
ROWS_OUT = types.Array(types.int32, 1, "C")
INT64S = types.Array(types.int64, 1, "C")
MARKS = types.Array(types.uint8, 1, "C")


@kernel(types.void(KEYS, ROWS, types.uint64, types.uint64, INT64S))
def _count(keys: Any, rows: Any, skip: Any, shift: Any, starts: Any) -> None:
    """How many keys of the chosen rows go into each part, two places on."""
    for i in range(len(rows)):
        for band in range(keys.shape[1]):
            starts[np.int64((keys[rows[i], band] << skip) >> shift) + 2] += 1


@kernel(types.void(KEYS, ROWS, types.int64, types.uint64, types.uint64, HASHES, ROWS_OUT, INT64S))
def _place(keys: Any, rows: Any, first: Any, skip: Any, shift: Any, keys_out: Any, rows_out: Any, starts: Any) -> None:
    """Put them there, each with its row + `first`, as they come; `starts` one place on moves along."""
    for i in range(len(rows)):
        for band in range(keys.shape[1]):
            key = keys[rows[i], band]
            part = np.int64((key << skip) >> shift) + 1
            at = starts[part]
            starts[part] = at + 1
            keys_out[at] = key
            rows_out[at] = first + rows[i]


Piece = tuple[np.ndarray, np.ndarray, int]
"""Keys (uint64, documents x bands), the rows of them that take part (int32), and what to add to these."""


def deal_pieces(
    pieces: Sequence[Piece], bits: int = PART_BITS, skip: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every key of the chosen rows of all pieces, dealt into 2^bits parts by its first bits.

    The first `skip` bits, which all keys share, do not count. Returns the keys, the row of each (int32), and where
    each part begins (int64, parts + 1).
    """
    size = sum(len(rows) * keys.shape[1] for keys, rows, _ in pieces)
    out, owner = np.empty(size, np.uint64), np.empty(size, np.int32)
    starts = np.zeros((1 << bits) + 2, np.int64)
    bounds = U(skip), U(64 - bits)
    for keys, rows, _ in pieces:
        _count(keys, rows, *bounds, starts)
    np.cumsum(starts, out=starts)
    for keys, rows, first in pieces:
        _place(keys, rows, first, *bounds, out, owner, starts)
    return out, owner, starts[:-1]


def deal(
    keys: np.ndarray, rows: np.ndarray, bits: int = PART_BITS, skip: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`deal_pieces` of one piece."""
    return deal_pieces([(keys, np.ascontiguousarray(rows, np.int32), 0)], bits, skip)


@kernel(types.int64(UINT64S, types.int64, types.int64, MARKS, ROWS_OUT))
def _maybe_repeated(keys: Any, start: Any, stop: Any, marks: Any, found: Any) -> Any:
    """Places in ``keys[start:stop]`` of the keys that occur more than once, and of few others; returns how many.

    Without branches: which keys repeat cannot be foretold. A key counts in one of the `marks`, which it may share.
    """
    size = 256
    while size < 16 * (stop - start):
        size *= 2
    mask = U(size - 1)
    marks[:size] = 0
    for k in range(start, stop):
        mark = (keys[k] >> U(8)) & mask
        marks[mark] = (marks[mark] << 1) | 1
    count = 0
    for k in range(start, stop):
        found[count] = k - start
        count += marks[(keys[k] >> U(8)) & mask] > 1
    return count


@kernel(types.void(UINT64S, types.int64, types.int64, types.int64, ROWS_OUT, HASHES))
def _order_places(keys: Any, start: Any, size: Any, count: Any, found: Any, packed: Any) -> None:
    """Bring `found[:count]`, ascending places of keys from `start` on, into order of key, then place."""
    low = U(1)
    while low < U(size):
        low *= U(2)
    low -= U(1)
    for k in range(count):
        packed[k] = (keys[start + found[k]] & ~low) | U(found[k])
    some = packed[:count]
    some.sort()
    mixed = False  # two keys that differ in their last bits only
    for k in range(count):
        found[k] = np.int32(some[k] & low)
        mixed |= k > 0 and keys[start + found[k]] < keys[start + found[k - 1]]
    if mixed:
        places = np.sort(found[:count])
        for k in range(count):
            packed[k] = keys[start + places[k]]
        order = np.argsort(packed[:count], kind="mergesort")
        for k in range(count):
            found[k] = places[order[k]]


@kernel(types.int64(UINT64S, ROWS, INT64S, MARKS, ROWS_OUT, HASHES, INT64S, INT64S))
def _groups(keys: Any, rows: Any, starts: Any, marks: Any, found: Any, packed: Any, members: Any, ends: Any) -> Any:
    """Rows of equal keys as groups, in order of key, then as they came; returns the number of groups."""
    total, groups = 0, 0
    for part in range(len(starts) - 1):
        start = starts[part]
        count = _maybe_repeated(keys, start, starts[part + 1], marks, found)
        _order_places(keys, start, starts[part + 1] - start, count, found, packed)
        first = 0
        for k in range(1, count + 1):
            if k < count and keys[start + found[k]] == keys[start + found[first]]:
                continue
            if k - first > 1:
                for m in range(first, k):
                    members[total] = rows[start + found[m]]
                    total += 1
                ends[groups] = total
                groups += 1
            first = k
    return groups


def equal_groups(keys: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that share a key, as groups of two or more: (rows as int64, end of each group), in order of key.

    Keys are dealt into parts as by `deal`; within a group, rows stand as they came.
    """
    largest = int(np.diff(starts).max(initial=0))
    marks, found = np.empty(max(256, 32 * largest), np.uint8), np.empty(largest + 1, np.int32)
    members, ends = np.empty(len(keys), np.int64), np.empty(len(keys) // 2 + 1, np.int64)
    packed = np.empty(largest + 1, np.uint64)
    count = _groups(keys, rows, starts, marks, found, packed, members, ends)
    total = int(ends[count - 1]) if count else 0
    return members[:total].copy(), ends[:count].copy()
