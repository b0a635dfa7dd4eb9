"""Which of up to 64 groups of terms each sentence speaks of, by whole words in lower case; two-word terms too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import types

from pilebuilder.kernels.jit import INT64S, UINT64S, address, device, kernel, u64
from pilebuilder.kernels.wordbreak import word_hash

_PAIR = 0x9E3779B97F4A7C15
_FULL = (1 << 64) - 1
MASKS = types.Array(types.uint64, 1, "C")


def table(groups: Sequence[Iterable[str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Open hash tables of single words and of word pairs: keys and bit masks of the groups (uint64 each).

    A term is one word or two; the tokens are those of `wordbreak.segment`, so "o'clock" is one word.
    """
    assert len(groups) <= 64, len(groups)
    single: dict[int, int] = {}
    double: dict[int, int] = {}
    for number, terms in enumerate(groups):
        for term in terms:
            words = term.lower().split()
            assert 1 <= len(words) <= 2, term
            hashes = [word_hash(w) for w in words]
            into, key = (single, hashes[0]) if len(words) == 1 else (double, pair_hash(*hashes))
            into[key] = into.get(key, 0) | 1 << number
    return (*_open(single), *_open(double))


def pair_hash(first: int, second: int) -> int:
    """Hash of two words in a row."""
    return (first * _PAIR + second) & _FULL


def _open(found: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    size = 1 << max(4, (4 * len(found)).bit_length())
    keys, masks = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for key, mask in sorted(found.items()):
        slot = key % size
        while keys[slot]:
            slot = (slot + 1) % size
        keys[slot], masks[slot] = key, mask
    return keys, masks


@device
def _look(key, keys, masks, last):  # type: ignore[no-untyped-def]
    """Mask of a key in an open hash table, given by the addresses of its arrays and its last slot."""
    slot = np.int64(key & np.uint64(last))
    while True:
        held = u64(keys, slot)
        if held == key:
            return u64(masks, slot)
        if held == 0:
            return np.uint64(0)
        slot = (slot + 1) & last


@kernel(types.void(UINT64S, INT64S, UINT64S, UINT64S, UINT64S, UINT64S, MASKS, MASKS))
def mark(hashes, bounds, single, single_masks, double, double_masks, tokens, sentences):  # type: ignore[no-untyped-def]
    """Masks of the groups that each token belongs to, and that each sentence (`bounds`, n + 1 token numbers) names."""
    pair = np.uint64(_PAIR)
    ones, twos = address(single), address(double)
    one_masks, two_masks = address(single_masks), address(double_masks)
    for s in range(len(bounds) - 1):
        total = np.uint64(0)
        for i in range(bounds[s], bounds[s + 1]):
            found = _look(hashes[i], ones, one_masks, len(single) - 1)
            tokens[i] |= found
            if i + 1 < bounds[s + 1]:
                both = _look(hashes[i] * pair + hashes[i + 1], twos, two_masks, len(double) - 1)
                tokens[i] |= both
                tokens[i + 1] |= both
                found |= both
            total |= found
        sentences[s] = total
