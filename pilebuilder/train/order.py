"""Which row every sample of a run is: a pure function of seed and number; nothing is stored or drawn in turn.

Samples come in blocks. In each block every component has the same quota, the largest remainders of its weight (and at
least one); their order is shuffled by a generator keyed by seed and block. The k-th sample of a component is row
P(k mod n) of its n rows, where P is a permutation keyed by seed, component and pass (a Feistel network that walks past
numbers above n). Any sample is found in constant time, so resuming and any number of processes see the same data.
"""

from __future__ import annotations

import numpy as np

from pilebuilder.errors import RecipeError, nearest
from pilebuilder.train.config import TrainConfig

BLOCK = 8192
"""Samples in which the proportions of components are exact; the smallest share that can be asked for is one in it."""

ROUNDS = 6


def quotas(weights: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Samples of each component per block: largest remainders, at least one where the weight is above zero."""
    share = weights / weights.sum() * block
    counts: np.ndarray = np.floor(share).astype(np.int64)
    largest = np.argsort(counts - share, kind="stable")
    counts[largest[: block - int(counts.sum())]] += 1
    for poor in np.flatnonzero((weights > 0) & (counts == 0)):
        counts[np.argmax(counts)] -= 1
        counts[poor] = 1
    return counts


def permute(values: np.ndarray, n: int, key: int) -> np.ndarray:
    """The keyed permutation of 0 ... n - 1, at `values`."""
    half = max(1, -(-(n - 1).bit_length() // 2))
    keys = np.random.Generator(np.random.Philox(key=key)).integers(0, 1 << 63, ROUNDS, np.uint64)
    result = _feistel(values.astype(np.uint64), half, keys)
    while (outside := result >= n).any():
        result[outside] = _feistel(result[outside], half, keys)
    return result.astype(np.int64)


def _feistel(values: np.ndarray, half: int, keys: np.ndarray) -> np.ndarray:
    """A permutation of 0 ... 4**half - 1."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps: arithmetic modulo 2**64
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(32))) & mask)
    joined: np.ndarray = left << shift | right
    return joined


class Order:
    """Samples of a run: (component, row) by number."""

    def __init__(self, rows: np.ndarray, weights: np.ndarray, seed: int, block: int = BLOCK) -> None:
        self.rows, self.seed, self.block = rows, seed, block
        self.quota = quotas(weights, block)
        self.plain = np.repeat(np.arange(len(rows)), self.quota)

    def samples(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Components and rows of samples `start` up to `stop`."""
        parts = []
        for block in range(start // self.block, -(-stop // self.block)):
            components, ranks = self._block(block)
            first = block * self.block
            part = slice(max(start - first, 0), min(stop - first, self.block))
            parts.append((components[part], ranks[part]))
        component = np.concatenate([c for c, _ in parts])
        rank = np.concatenate([r for _, r in parts])
        return component, self._rows(component, rank)

    def _block(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Component of each sample of a block, and how many samples of that component came before it in the run."""
        shuffled = np.random.Generator(np.random.Philox(key=_key(self.seed, 0, block))).permutation(self.plain)
        rank = np.empty(self.block, np.int64)
        rank[np.argsort(shuffled, kind="stable")] = np.arange(self.block)
        before = np.cumsum(self.quota) - self.quota
        return shuffled, rank - before[shuffled] + block * self.quota[shuffled]

    def _rows(self, component: np.ndarray, rank: np.ndarray) -> np.ndarray:
        rows = np.empty_like(rank)
        for c in np.unique(component):
            n = int(self.rows[c])
            passes = rank // n
            for p in np.unique(passes[component == c]):
                chosen = (component == c) & (passes == p)
                rows[chosen] = permute(rank[chosen] % n, n, _key(self.seed, 1 + int(c), int(p)))
        return rows


def _key(seed: int, what: int, number: int) -> int:
    """A key for the counter-based generator, different for each purpose and number."""
    return (seed % (1 << 64)) << 64 | what << 40 | number


def weights_of(config: TrainConfig, components: list[str], tokens: np.ndarray) -> np.ndarray:
    """Share of rows of each component; raises `RecipeError` for names that the corpus does not have."""
    asked = config.data.weights
    if asked == "natural":
        natural: np.ndarray = tokens / tokens.sum()
        return natural
    assert isinstance(asked, dict)
    for name, weight in asked.items():
        if name not in components:
            raise RecipeError(f"data.weights: the corpus has no component {name!r}{nearest(name, components)}")
        if weight and not tokens[components.index(name)]:
            raise RecipeError(f"data.weights: {name!r} has no training tokens; give it weight 0")
    found: np.ndarray = np.array([asked.get(name, 0.0) for name in components])
    if not found.sum():
        raise RecipeError("data.weights: at least one component needs a weight above 0")
    found /= found.sum()
    return found
