"""Counts that only signals need."""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, UINT32S, address, byte, kernel, u32
from pilebuilder.kernels.unicode import PUNCTUATION, WORD, classes
from pilebuilder.kernels.utf8 import decode

COLUMNS = ("sentences", "braces", "punctuation", "encoded", "longest_encoded")
"""Matches of ``\\b[^.!?]+[.!?]*`` (RedPajama-v2's sentences); ``{`` and ``}``; ASCII punctuation; characters in runs
of at least 64 of the alphabet of base64 and newlines (StarCoder 2's rule for encoded data); the longest such run."""
ENCODED = 64


@kernel(types.void(BYTES, INT64S, UINT32S, types.int64[:, ::1]))
def signal_counts(data, offsets, classes_, out):  # type: ignore[no-untyped-def]
    """`COLUMNS` of each document into `out`."""
    d, cls = address(data), address(classes_)
    for row in range(len(out)):
        i, e = offsets[row], offsets[row + 1]
        sentences = braces = punctuation = encoded = longest = run = 0
        word = False
        state = 0  # 0: before a sentence, 1: in it, 2: in the marks at its end
        while i <= e:
            c, n, f = 0, 1, 0
            if i < e:
                c = byte(d, i)
                if c >= 0x80:
                    c, n = decode(d, i)
                f = u32(cls, c)
            i += n
            in_run = (c >= 97 and c <= 122) or (c >= 65 and c <= 90) or (c >= 47 and c <= 57) or c == 43 or c == 61
            if in_run or c == 10:
                run += 1
            else:
                if run >= ENCODED:
                    encoded += run
                    longest = max(longest, run)
                run = 0
            if i > e:
                break
            braces += c == 123 or c == 125
            punctuation += f & PUNCTUATION != 0
            mark = c == 46 or c == 33 or c == 63
            now = f & WORD != 0
            if state == 1 and mark:
                state = 2
            elif state != 1 and not mark:
                if now != word:
                    sentences += 1
                    state = 1
                else:
                    state = 0
            word = now
        out[row, 0], out[row, 1], out[row, 2], out[row, 3], out[row, 4] = (
            sentences,
            braces,
            punctuation,
            encoded,
            longest,
        )


def counts(data: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """`COLUMNS` of each text, int64."""
    out = np.zeros((len(offsets) - 1, len(COLUMNS)), np.int64)
    signal_counts(data, offsets, classes(), out)
    return dict(zip(COLUMNS, out.T, strict=True))
