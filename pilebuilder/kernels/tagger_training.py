"""How the part-of-speech tagger learns; apart from `tagger`, so that tagging does not wait for this to compile."""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.tagger import FEATURES, FORM_ROWS, INTS, _features

REAL = types.Array(types.float64, 2, "C")
GOLD = types.Array(types.int8, 1, "C", readonly=True)


@kernel(types.int64(FORM_ROWS, INTS, INTS, GOLD, types.int64, REAL, REAL))
def learn(f, bounds, order, gold, step, weights, sums):  # type: ignore[no-untyped-def]
    """One epoch over sentences (`bounds`, n + 1 token numbers) in `order`; returns the next step.

    `sums` gathers step times change, so that the average is ``weights - sums / step``.
    """
    rows, scores = np.empty(FEATURES, np.int64), np.empty(17, np.float64)
    for sentence in order:
        first, stop = bounds[sentence], bounds[sentence + 1]
        before, last = 30, 31
        for i in range(first, stop):
            _features(f, i, first, stop, before, last, rows)
            scores[:] = 0
            for k in range(FEATURES):
                for t in range(17):
                    scores[t] += weights[rows[k], t]
            best = np.argmax(scores)
            right = np.int64(gold[i])
            step += 1
            if best != right:
                for k in range(FEATURES):
                    weights[rows[k], right] += 1
                    sums[rows[k], right] += step
                    weights[rows[k], best] -= 1
                    sums[rows[k], best] -= step
            before, last = last, np.int64(best)
    return step
