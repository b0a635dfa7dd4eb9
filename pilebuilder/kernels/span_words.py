"""Words of many spans of a text at once: `wordbreak.segment` over sentences or documents."""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, kernel
from pilebuilder.kernels.wordbreak import HASHES, LOWER, SPANS, TABLE, segment

BOUNDS = types.Array(types.int64, 1, "C")
STOPS = types.Array(types.int64, 1, "C", readonly=True)


@kernel(types.int64(BYTES, INT64S, STOPS, TABLE, LOWER, SPANS, HASHES, BOUNDS))
def words(data, starts, stops, table, lower, spans, hashes, bounds):  # type: ignore[no-untyped-def]
    """Tokens of each ``data[starts[i]:stops[i]]`` in turn, as `segment` with `fold` gives them; returns their number.

    `spans` [n, 2] and `hashes` need a row for each byte of the spans at most; ``bounds[i + 1]`` is set to the number
    of tokens up to span `i`.
    """
    at = np.int64(0)
    for i in range(len(starts)):
        at += segment(data, starts[i], stops[i], table, lower, True, spans[at:], hashes[at:])
        bounds[i + 1] = at
    return at
