"""The bound of fixed topics against its formula in NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln, psi

from pilebuilder.kernels import lda

TOPICS, WORDS = 16, 60


def reference(beta: np.ndarray, ids: np.ndarray, n: np.ndarray, alpha: float, steps: int) -> float:
    here, gamma = beta[ids].T, np.ones(TOPICS)
    for _ in range(steps):
        expected = np.exp(psi(gamma) - psi(gamma.sum()))
        updated = alpha + expected * (here @ (n / (expected @ here + 1e-100)))
        change = np.abs(updated - gamma).mean()
        gamma = updated
        if change < 1e-3:
            break
    log_theta = psi(gamma) - psi(gamma.sum())
    value = n @ np.log(np.exp(log_theta) @ here + 1e-100)
    value += ((alpha - gamma) * log_theta).sum() + (gammaln(gamma) - gammaln(alpha)).sum()
    return float(value + gammaln(alpha * TOPICS) - gammaln(gamma.sum()))


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_the_bound_is_that_of_the_formula(steps: int) -> None:
    rng = np.random.default_rng(steps)
    weights = rng.gamma(0.3, 1.0, (TOPICS, WORDS)) + 1e-3
    beta = np.ascontiguousarray(np.exp(psi(weights) - psi(weights.sum(1, keepdims=True))).T)
    rows = [np.sort(rng.choice(WORDS, size, replace=False)) for size in (1, 20, 0, WORDS, 5)]
    counts = [rng.integers(1, 9, len(row)).astype(float) for row in rows]
    starts = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    total, size = lda.bound(beta, starts, np.concatenate(rows), np.concatenate(counts), 1 / TOPICS, steps, 1e-3)
    kept = [(r, c) for r, c in zip(rows, counts, strict=True) if len(r)]
    assert total == pytest.approx(sum(reference(beta, r, c, 1 / TOPICS, steps) for r, c in kept), rel=1e-10)
    assert size == sum(c.sum() for c in counts)


def test_nothing_to_judge() -> None:
    beta, none = np.ones((3, TOPICS)), np.zeros(0, np.int64)
    assert lda.bound(beta, np.zeros(1, np.int64), none, np.zeros(0), 0.1, 5, 1e-3) == (0.0, 0.0)
