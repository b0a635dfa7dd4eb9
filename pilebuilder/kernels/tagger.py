"""A part-of-speech tagger: an averaged perceptron over hashed features (Collins 2002), greedy from left to right.

Weights are int8 [rows, tags]; a feature's row is the top bits of its hash, so the model needs no vocabulary.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, address, byte, device, kernel, load8
from pilebuilder.kernels.wordbreak import HASHES, LOWER, SPANS, _decode

TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
)  # fmt: skip
"""Universal part-of-speech tags."""
BITS = 17
FORMS, FEATURES = 6, 17
WORD, LAST_ONE, LAST_TWO, LAST_THREE, FIRST_TWO, SHAPE = range(FORMS)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)
_NONE = np.uint64(0x5851F42D4C957F2D)

FORM_ROWS = types.Array(types.uint64, 2, "C")
WEIGHTS = types.Array(types.int8, 2, "C", readonly=True)
TAG_ROW = types.Array(types.int8, 1, "C")
INTS = types.Array(types.int64, 1, "C", readonly=True)


@kernel(types.void(BYTES, SPANS, HASHES, types.int64, LOWER, FORM_ROWS))
def forms(data, spans, hashes, count, lower, out):  # type: ignore[no-untyped-def]
    """What the features look at in each token: its hash in lower case, endings, beginning, shape."""
    last = np.empty(3, np.uint64)
    for i in range(count):
        at, stop = spans[i, 0], spans[i, 1]
        last[:] = 0
        begin, shape, n = np.uint64(0), np.uint64(0), 0
        while at < stop:
            point, at = _decode(data, at)
            small = np.int64(lower[point])
            last[0], last[1], last[2] = last[1], last[2], np.uint64(small)
            if n < 2:
                begin = begin * _FACTOR + np.uint64(small)
            if small != point:
                shape |= np.uint64(1) if n == 0 else np.uint64(2)
            elif 48 <= point <= 57:
                shape |= np.uint64(4)
            elif point == 45:
                shape |= np.uint64(8)
            elif not (97 <= point <= 122 or point > 127):
                shape |= np.uint64(16)
            n += 1
        out[i, WORD] = hashes[i]
        out[i, LAST_ONE] = last[2]
        out[i, LAST_TWO] = last[1] * _FACTOR + last[2]
        out[i, LAST_THREE] = (last[0] * _FACTOR + last[1]) * _FACTOR + last[2]
        out[i, FIRST_TWO] = begin
        out[i, SHAPE] = shape | (np.uint64(32) if n > 3 else np.uint64(0))


@device
def _row(which, value):  # type: ignore[no-untyped-def]
    h = (value ^ np.uint64(which + 1) * _OTHER) * _FACTOR
    h = (h ^ (h >> _SHIFT)) * _OTHER
    return np.int64(h >> np.uint64(64 - BITS))


@device
def _features(f, i, first, stop, before, last, out):  # type: ignore[no-untyped-def]
    """Rows of the features of token `i` of the sentence [first, stop); `before` and `last` are the two tags before."""
    word = f[i, WORD]
    previous = f[i - 1, WORD] if i > first else _NONE
    earlier = f[i - 2, WORD] if i > first + 1 else _NONE
    following = f[i + 1, WORD] if i + 1 < stop else _NONE
    later = f[i + 2, WORD] if i + 2 < stop else _NONE
    out[0] = _row(0, word)
    out[1] = _row(1, f[i, LAST_THREE])
    out[2] = _row(2, f[i, LAST_TWO])
    out[3] = _row(3, f[i, LAST_ONE])
    out[4] = _row(4, f[i, FIRST_TWO])
    out[5] = _row(5, f[i, SHAPE] * np.uint64(2) + np.uint64(i == first))
    out[6] = _row(6, np.uint64(last))
    out[7] = _row(7, np.uint64(last * 32 + before))
    out[8] = _row(8, word * _FACTOR + np.uint64(last))
    out[9] = _row(9, previous)
    out[10] = _row(10, following)
    out[11] = _row(11, f[i - 1, LAST_THREE] if i > first else _NONE)
    out[12] = _row(12, f[i + 1, LAST_THREE] if i + 1 < stop else _NONE)
    out[13] = _row(13, earlier)
    out[14] = _row(14, later)
    out[15] = _row(15, word * _FACTOR + following)
    out[16] = _row(16, (f[i, LAST_TWO] * _FACTOR + np.uint64(last)) * _FACTOR + f[i, SHAPE])


_BIAS, _LANES, _EIGHT = np.uint64(0x8080808080808080), np.uint64(0x00FF00FF00FF00FF), np.uint64(8)


@device
def _best(a, b, c, d, last):  # type: ignore[no-untyped-def]
    """The first tag of the highest sum: sums of the even and odd tags 0 to 7 in 16 bits each, of 8 to 15, of 16."""
    best, highest = 0, np.int64(-1)
    for pair in range(8):
        even, odd, shift = (a, b, pair) if pair < 4 else (c, d, pair - 4)
        for which in range(2):
            sum_ = np.int64(((odd if which else even) >> np.uint64(16 * shift)) & np.uint64(0xFFFF))
            if sum_ > highest:
                best, highest = 2 * pair + which, sum_
    return 16 if np.int64(last) > highest else best


@kernel(types.void(FORM_ROWS, INTS, WEIGHTS, TAG_ROW))
def tag(f, bounds, weights, out):  # type: ignore[no-untyped-def]
    """Tag numbers (positions in `TAGS`) of the tokens of sentences (`bounds`, n + 1 token numbers), into `out`.

    The weights of a row are added up eight bytes at a time, each plus 128, so that none is negative: 17 of them fit
    into 16 bits.
    """
    rows, base = np.empty(FEATURES, np.int64), address(weights)
    for sentence in range(len(bounds) - 1):
        first, stop = bounds[sentence], bounds[sentence + 1]
        before, last = 30, 31
        for i in range(first, stop):
            _features(f, i, first, stop, before, last, rows)
            a, b, c, d, e = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
            for k in range(FEATURES):
                at = rows[k] * 17
                low, high = load8(base, at) ^ _BIAS, load8(base, at + 8) ^ _BIAS
                a += low & _LANES
                b += (low >> _EIGHT) & _LANES
                c += high & _LANES
                d += (high >> _EIGHT) & _LANES
                e += np.uint64(byte(base, at + 16) ^ 0x80)
            best = _best(a, b, c, d, e)
            out[i] = best
            before, last = last, best
