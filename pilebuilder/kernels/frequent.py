"""The most frequent n-grams of a text buffer, exactly counted, in bounded memory, by two passes.

The first pass adds every n-gram to a table of small saturating counters (a counting sketch with one row). It can only
overcount, so an n-gram whose cell stays below a threshold has fewer occurrences than the threshold. The second pass
counts those above it, by a hash table. The same first pass fills a HyperLogLog for the number of distinct n-grams
(Flajolet et al. 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    set_byte,
    set_i64,
    set_u64,
    trailing_zeros,
    u64,
)
from pilebuilder.kernels.wordbreak import HASHES, LOWER, SPANS, TABLE, lower_table, properties, segment, split_lower

CELLS = 1 << 23
HOT = 1 << 17
"""Cells above the threshold at most; the threshold is the smallest that leaves no more."""
SLOTS = 1 << 19
REGISTERS = 1 << 14
"""Of the HyperLogLog: a relative standard error of 0.8 %."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

SKETCH = types.Array(types.uint8, 2, "C")
LEVELS = types.Array(types.uint8, 2, "C")
COUNTS = types.Array(types.int64, 1, "C")
SMALL = types.Array(types.int64, 1, "C", readonly=True)
SLOT_TABLE = types.Array(types.int64, 3, "C")


@device
def _finish(x):  # type: ignore[no-untyped-def]
    """The finaliser of SplitMix64."""
    x = (x ^ (x >> np.uint64(30))) * _A
    x = (x ^ (x >> np.uint64(27))) * _B
    return x ^ (x >> np.uint64(31))


@device
def _power(size):  # type: ignore[no-untyped-def]
    """What takes the oldest token of `size` out of a rolling hash."""
    top = np.uint64(1)
    for _ in range(size):
        top *= _BASE
    return top


@kernel(types.int64(BYTES, types.int64, types.int64, types.boolean, TABLE, LOWER, SPANS, HASHES))
def _tokens(data, start, stop, plain, table, lower, spans, hashes):  # type: ignore[no-untyped-def]
    if plain:
        return split_lower(data, start, stop, table, lower, spans, hashes)
    return segment(data, start, stop, table, lower, False, spans, hashes)


@kernel(types.void(BYTES, INT64S, types.boolean, TABLE, LOWER, SPANS, HASHES, SMALL, SKETCH, LEVELS, COUNTS, COUNTS))
def sketch_ngrams(data, offsets, plain, table, lower, spans, hashes, sizes, sketch, levels, totals, words):  # type: ignore[no-untyped-def]
    """First pass: cells and registers of each n in `sizes`, number of n-grams, and tokens of each document."""
    cells, mask, tokens = sketch.shape[1], np.uint64(sketch.shape[1] - 1), address(hashes)
    for row in range(len(offsets) - 1):
        n = _tokens(data, offsets[row], offsets[row + 1], plain, table, lower, spans, hashes)
        words[row] = n
        for which in range(len(sizes)):
            size = sizes[which]
            if n < size:
                continue
            top, h = _power(size), np.uint64(0)
            counts, ranks = address(sketch) + which * cells, address(levels) + which * REGISTERS
            for i in range(size - 1):
                h = h * _BASE + u64(tokens, i)
            for i in range(size - 1, n):
                h = h * _BASE + u64(tokens, i)
                if i >= size:
                    h -= top * u64(tokens, i - size)
                key = _finish(h)
                cell = np.int64((key >> np.uint64(24)) & mask)
                count = byte(counts, cell)
                if count < 255:
                    set_byte(counts, cell, count + 1)
                # the position of the first one bit among the upper 50 bits left of the register number, from 1
                rank = min(np.int64(trailing_zeros(key >> np.uint64(14))) + 1, 51)
                register = np.int64(key & np.uint64(REGISTERS - 1))
                if byte(ranks, register) < rank:
                    set_byte(ranks, register, rank)
            totals[which] += n - size + 1


@kernel(types.int64(BYTES, INT64S, types.boolean, TABLE, LOWER, SPANS, HASHES, SMALL, SKETCH, SLOT_TABLE, COUNTS))
def count_ngrams(data, offsets, plain, table, lower, spans, hashes, sizes, hot, held, used):  # type: ignore[no-untyped-def]
    """Second pass: key, count, first and last byte of the first occurrence of n-grams whose cell has its bit in `hot`.

    Returns -1, or the number (in `sizes`) of the n whose table would overflow: raise its threshold.
    """
    width, mask, tokens = hot.shape[1], np.uint64(8 * hot.shape[1] - 1), address(hashes)
    slots, full = np.uint64(held.shape[1] - 1), held.shape[1] * 3 // 4
    for row in range(len(offsets) - 1):
        n = _tokens(data, offsets[row], offsets[row + 1], plain, table, lower, spans, hashes)
        for which in range(len(sizes)):
            size = sizes[which]
            if n < size:
                continue
            top, h = _power(size), np.uint64(0)
            bits, entries = address(hot) + which * width, address(held) + which * held.shape[1] * 32
            for i in range(size - 1):
                h = h * _BASE + u64(tokens, i)
            for i in range(size - 1, n):
                h = h * _BASE + u64(tokens, i)
                if i >= size:
                    h -= top * u64(tokens, i - size)
                key = _finish(h)
                cell = np.int64((key >> np.uint64(24)) & mask)
                if not (byte(bits, cell >> 3) >> (cell & 7)) & 1:
                    continue
                key |= np.uint64(1)
                slot = np.int64((key >> np.uint64(20)) & slots)
                while u64(entries, 4 * slot) != 0 and u64(entries, 4 * slot) != key:
                    slot = np.int64(np.uint64(slot + 1) & slots)
                if u64(entries, 4 * slot) == 0:
                    if used[which] >= full:
                        return which
                    used[which] += 1
                    set_u64(entries, 4 * slot, key)
                    set_i64(entries, 4 * slot + 2, spans[i - size + 1, 0])
                    set_i64(entries, 4 * slot + 3, spans[i, 1])
                set_i64(entries, 4 * slot + 1, i64(entries, 4 * slot + 1) + 1)
    return -1


@dataclass(frozen=True, slots=True)
class Frequent:
    """The most frequent n-grams of one size in one buffer."""

    size: int
    texts: list[str]
    """Tokens joined by a space, as in their first occurrence."""
    counts: list[int]
    total: int
    """Number of n-grams, repeats included."""
    missed: int
    """An n-gram that is not listed occurs at most so often."""
    levels: np.ndarray
    """uint8 [REGISTERS]: HyperLogLog of the distinct n-grams."""


class Finder:
    """Counts n-grams of several sizes over one buffer; `plain` splits at white space and folds case."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray, sizes: tuple[int, ...], *, plain: bool = False) -> None:
        longest = int(np.diff(offsets).max(initial=0)) + 1
        self.text = (np.ascontiguousarray(data), np.ascontiguousarray(offsets, np.int64))
        self.how = (plain, properties(), lower_table(), np.empty((longest, 2), np.int64), np.empty(longest, np.uint64))
        self.sizes = sizes
        cells = min(CELLS, max(1 << 12, 1 << int(offsets[-1] - offsets[0]).bit_length()))
        self.sketch = np.zeros((len(sizes), cells), np.uint8)
        self.levels = np.zeros((len(sizes), REGISTERS), np.uint8)
        self.totals = np.zeros(len(sizes), np.int64)
        self.tokens = np.zeros(len(offsets) - 1, np.int64)
        """Tokens of each document (int64)."""
        numbers = np.array(sizes, np.int64)
        sketch_ngrams(*self.text, *self.how, numbers, self.sketch, self.levels, self.totals, self.tokens)

    def frequent(self, keep: int) -> list[Frequent]:
        """For each size the `keep` most frequent n-grams, ties by text; of many n-grams only those that come twice."""
        least = np.array([self._threshold(which) for which in range(len(self.sizes))], np.int64)
        numbers, kinds = np.array(self.sizes, np.int64), len(self.sizes)
        slots = min(SLOTS, max(1 << 12, 1 << (2 * int(self.totals.max())).bit_length()))
        while True:
            held, used = np.zeros((kinds, slots, 4), np.int64), np.zeros(kinds, np.int64)
            # a bit for each cell stays in the processor's cache, where a byte would not
            rows = zip(self.sketch, least.tolist(), strict=True)
            hot = np.stack([np.packbits(cells >= limit, bitorder="little") for cells, limit in rows])
            over = count_ngrams(*self.text, *self.how, numbers, hot, held, used)
            if over < 0:
                break
            least[over] += 1
        return [self._chosen(which, held[which], int(least[which]), keep) for which in range(kinds)]

    def _threshold(self, which: int) -> int:
        """1 where everything can be counted, else the smallest that leaves at most `HOT` cells."""
        if self.totals[which] <= SLOTS // 2:
            return 1
        low, high = 2, 255
        while low < high:
            middle = (low + high) // 2
            if np.count_nonzero(self.sketch[which] >= middle) <= HOT:
                high = middle
            else:
                low = middle + 1
        return low

    def _chosen(self, which: int, held: np.ndarray, threshold: int, keep: int) -> Frequent:
        rows, missed = held[held[:, 1] >= threshold, 1:], threshold - 1
        if len(rows) > keep:  # ties at the edge are all dropped, so that the choice does not depend on their order
            missed = int(-np.sort(-rows[:, 0])[keep])
            rows = rows[rows[:, 0] > missed]
        named = sorted((-int(n), self._shown(int(a), int(b))) for n, a, b in rows)
        total = int(self.totals[which])
        texts, counts = [t for _, t in named], [-n for n, _ in named]
        return Frequent(self.sizes[which], texts, counts, total, missed if total else 0, self.levels[which])

    def _shown(self, start: int, stop: int) -> str:
        plain, table, lower, _, _ = self.how
        spans, hashes = np.empty((stop - start, 2), np.int64), np.empty(stop - start, np.uint64)
        n = _tokens(self.text[0], start, stop, plain, table, lower, spans, hashes)
        words = [self.text[0][a:b].tobytes().decode() for a, b in spans[:n]]
        return " ".join(w.lower() for w in words) if plain else " ".join(words)


def distinct(levels: np.ndarray) -> float:
    """Number of distinct n-grams as the registers of a HyperLogLog tell it; small numbers by linear counting."""
    m = len(levels)
    estimate = (0.7213 / (1 + 1.079 / m)) * m * m / float(np.sum(2.0 ** -levels.astype(np.float64)))
    empty = int((levels == 0).sum())
    return m * float(np.log(m / empty)) if estimate <= 2.5 * m and empty else estimate
