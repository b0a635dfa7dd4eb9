"""How well fixed topics fit documents: the E step of latent Dirichlet allocation and the variational bound it reaches
(Hoffman, Blei, Bach 2010, algorithm 1)."""

from __future__ import annotations

import math

import numpy as np
from numba import types

from pilebuilder.kernels.jit import INT64S, device, kernel

FLOATS = types.Array(types.float64, 1, "C", readonly=True)
TOPICS = types.Array(types.float64, 2, "C", readonly=True)
_TINY = 1e-100


@device
def _psi(x):  # type: ignore[no-untyped-def]
    """The digamma function of a positive number, within 1e-12: recurrence up to 10, then the asymptotic series."""
    result = 0.0
    while x < 10:
        result -= 1 / x
        x += 1
    r = 1 / (x * x)
    series = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * 691 / 32760)))))
    return result + math.log(x) - 0.5 / x - series


@device
def _log_shares(gamma, out):  # type: ignore[no-untyped-def]
    """Expected logarithm of each topic's share."""
    total = 0.0
    for k in range(len(gamma)):
        total += gamma[k]
    whole = _psi(total)
    for k in range(len(gamma)):
        out[k] = _psi(gamma[k]) - whole
    return total


@kernel(types.UniTuple(types.float64, 2)(TOPICS, INT64S, INT64S, FLOATS, types.float64, types.int64, types.float64))
def bound(beta, starts, words, counts, alpha, steps, least):  # type: ignore[no-untyped-def]
    """Sum of the bounds of documents in nats, and their words.

    `beta` [words, topics] is exp(E[log beta]); document i has `words` and `counts` from ``starts[i]`` to
    ``starts[i + 1]``. A document is iterated until its topics change by less than `least` on average, at most `steps`
    times.
    """
    topics = beta.shape[1]
    gamma, shares, found = np.empty(topics), np.empty(topics), np.empty(topics)
    longest = 0
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    here = np.empty((longest, topics))
    total, size = 0.0, 0.0
    for i in range(len(starts) - 1):
        first, n = starts[i], starts[i + 1] - starts[i]
        if not n:
            continue
        for w in range(n):
            here[w] = beta[words[first + w]]
        gamma[:] = 1
        for _ in range(steps):
            _log_shares(gamma, shares)
            for k in range(topics):
                shares[k] = math.exp(shares[k])
            found[:] = 0
            for w in range(n):
                weight = _TINY
                for k in range(topics):
                    weight += shares[k] * here[w, k]
                weight = counts[first + w] / weight
                for k in range(topics):
                    found[k] += weight * here[w, k]
            change = 0.0
            for k in range(topics):
                updated = alpha + shares[k] * found[k]
                change += abs(updated - gamma[k])
                gamma[k] = updated
            if change < least * topics:
                break
        whole = _log_shares(gamma, shares)
        for k in range(topics):
            total += (alpha - gamma[k]) * shares[k] + math.lgamma(gamma[k]) - math.lgamma(alpha)
            found[k] = math.exp(shares[k])
        total += math.lgamma(alpha * topics) - math.lgamma(whole)
        for w in range(n):
            weight = _TINY
            for k in range(topics):
                weight += found[k] * here[w, k]
            total += counts[first + w] * math.log(weight)
            size += counts[first + w]
    return total, size
