"""Order of 64-bit hashes: radix sort, and groups of equal keys."""

from __future__ import annotations

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
