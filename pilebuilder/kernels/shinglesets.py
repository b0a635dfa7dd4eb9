"""Sets of shingle hashes: what the similarity of two texts is computed from, whole or as a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.folding import (
    BUFFER,
    BYTES,
    COUNTS,
    EDGES,
    HASHES,
    OFFSETS,
    UINT64S,
    U,
    fold_bytes,
)
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.shingles import TEXTS, next_shingles, next_texts, shingle_count, workspace

EVERY = 0xFFFFFFFF
SETS = types.Array(types.uint32, 1, "C")

SPARSE = 1 << 11
"""Sets of at most so many hashes fill an eighth of their table or less: it stays in the nearest cache all the same."""


@kernel(types.int64(types.int64), inline="always")
def table_size(count: Any) -> Any:
    """Slots (a power of two) of the table of a set of so many hashes."""
    size = 64
    while size < (8 if count <= SPARSE else 2) * count:
        size *= 2
    return size


def slots_for(largest: int) -> np.ndarray:
    """A table (uint64: stamp and hash) for sets of at most so many hashes."""
    return np.zeros(max(table_size(largest), table_size(min(largest, SPARSE))), np.uint64)


@kernel(types.int64(HASHES, types.int64, types.int64, types.int64, HASHES, types.uint64, types.uint64, SETS,
                    types.int64, types.int64))  # fmt: skip
def _add(block: Any, start: Any, stop: Any, top: Any, slots: Any, stamp: Any, mask: Any, out: Any, first: Any,
         total: Any) -> Any:  # fmt: skip
    """Append the hashes that are not in the table yet to ``out[first:total]``; returns the total, -1 without room."""
    most = min(len(out), first + ((np.int64(mask) * 7) >> 3))
    for k in range(start, stop):
        h = block[k] & U(EVERY)
        if np.int64(h) > top:
            continue
        entry = h | (stamp << U(32))
        slot = h & mask
        while slots[slot] >> U(32) == stamp and slots[slot] != entry:
            slot = (slot + U(1)) & mask
        if slots[slot] == entry:
            continue
        if total >= most:
            return -1
        slots[slot] = entry
        out[total] = np.uint32(h)
        total += 1
    return total


@kernel(
    types.int64(
        BYTES, OFFSETS, OFFSETS, UINT64S, types.intp, BUFFER, HASHES, HASHES, COUNTS, EDGES,
        COUNTS, SETS, HASHES,
    ),
)  # fmt: skip
def _collect(
    data: Any, starts: Any, stops: Any, table: Any, ngram: Any, folded: Any, words: Any, block: Any,
    state: Any, edges: Any, ends: Any, out: Any, slots: Any,
) -> Any:  # fmt: skip
    """Distinct shingle hashes of texts, one after the other; see `collect`."""
    total, row = 0, 0
    last = np.zeros(TEXTS, np.int64)
    while row < len(starts):
        after = next_texts(data, starts, stops, row, table, ngram, folded, words, block, edges, last)
        begin = 0
        for index in range(row, after):
            count = shingle_count(last[index - row] - begin, ngram)
            mask = U(min(table_size(count), len(slots)) - 1)
            top = ends[index]
            total = _add(block, begin, begin + count, top, slots, U(index + 1), mask, out, total, total)
            if total < 0:
                return -1
            ends[index] = total
            begin = last[index - row]
        if after == row:  # a long text, in parts
            at, first = starts[row], total
            mask = U(min(table_size(stops[row] - at), len(slots)) - 1)  # a shingle takes two bytes or more
            state[:] = 0
            while True:
                at, count = next_shingles(data, at, stops[row], table, ngram, folded, words, block, state, edges)
                total = _add(block, 0, count, ends[row], slots, U(row + 1), mask, out, first, total)
                if total < 0:
                    return -1
                if at >= stops[row]:
                    break
            ends[row] = total
            after = row + 1
        row = after
    return total


SAMPLED = 1 << 18
"""Texts with more shingles are compared by a sample of about half to all of this many: error of J below 0.002."""


def sampling_limits(shingles: np.ndarray) -> np.ndarray:
    """Largest hash that is kept (int64) of a text of so many shingles: 2^32 / 2^s - 1, and s is 0 for most texts.

    The sample of a very large text has at most about `SAMPLED` shingles.
    """
    shift = np.ceil(np.log2(np.maximum(1.0, shingles / SAMPLED))).astype(np.int64)
    return np.asarray(np.int64(EVERY) >> shift)


def room(shingles: np.ndarray) -> int:
    """How many hashes the sets of texts of so many shingles have at most, as `collect` keeps them."""
    limits = sampling_limits(shingles)
    # A sample is larger than its expectation by six standard deviations once in a billion texts.
    expected = shingles * (limits / EVERY)
    return int((np.where(limits < EVERY, expected + 6 * np.sqrt(expected), shingles)).sum()) + 64


def collect(
    data: np.ndarray,
    offsets: np.ndarray,
    rows: np.ndarray,
    shingles: np.ndarray,
    ngram: int,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sets of shingles of the texts at `rows`: (hashes as uint32, end of each row's hashes), by first occurrence.

    The low halves of the hashes are enough: a chance match changes the similarity of two texts of n shingles by about
    n / 2^32. `shingles` is the number of shingles of each of these texts, repeats included. A text of very many gives
    a sample that is the same for every text: only hashes up to its limit (see `sampling_limits`). `out`, if given,
    takes the hashes; it has `room` for these texts.
    """
    rows = np.ascontiguousarray(rows, np.int64)
    ends = sampling_limits(shingles)
    out = np.empty(room(shingles), np.uint32) if out is None else out
    slots = slots_for(min(int(shingles.max(initial=1)), 2 * SAMPLED))
    starts, stops, work = offsets[rows], offsets[rows + 1], workspace(ngram)
    total = _collect(data, starts, stops, fold_bytes(), ngram, *work, ends, out, slots)
    if total < 0:
        raise ValueError(f"the sketch counts {int(shingles.sum())} shingles, but the {len(rows)} texts have more")
    return out[:total], ends


@kernel(types.int64(types.Array(types.uint32, 1, "C", readonly=True), OFFSETS, types.int64, COUNTS, COUNTS, SETS))
def _smallest(hashes: Any, ends: Any, size: Any, limits: Any, stops: Any, out: Any) -> Any:
    start, total = 0, 0
    for row in range(len(ends)):
        part = np.sort(hashes[start : ends[row]])
        if len(part) > size:
            part = part[:size]
            limits[row] = part[size - 1]
        out[total : total + len(part)] = part
        total += len(part)
        stops[row] = total
        start = ends[row]
    return total


def smallest(hashes: np.ndarray, ends: np.ndarray, size: int, limits: np.ndarray) -> tuple[np.ndarray, ...]:
    """The `size` smallest hashes of each set, ascending: (hashes, ends, limits); a smaller set is there as a whole."""
    stops, out, limits = np.zeros(len(ends), np.int64), np.empty(len(hashes), np.uint32), limits.copy()
    total = _smallest(hashes, np.ascontiguousarray(ends, np.int64), size, limits, stops, out)
    return out[:total], stops, limits
