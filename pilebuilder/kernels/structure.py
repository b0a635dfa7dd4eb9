"""What a text is made of, character by character: punctuation, other signs, the longest run of one character; and
where ftfy's detector of mojibake has anything to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.ftfytables import ASK, PAIR_CLASS, tables
from pilebuilder.kernels.jit import BYTES, INT64S, UINT32S, UINT64S, address, kernel, u32, u64
from pilebuilder.kernels.unicode import CATEGORY_P, PUNCTUATION, SPACE, WORD, classes
from pilebuilder.kernels.utf8 import decode

COLUMNS = ("punctuation", "signs", "longest_run", "suspects")
"""Characters that are punctuation (``string.punctuation`` or Unicode category P); characters that are neither
alphanumeric nor white space; the longest run of one character other than white space; places at which
``ftfy.badness`` may find something: 0 means that it finds nothing."""
UNDERSCORE = 95


@kernel(types.void(BYTES, INT64S, UINT32S, UINT32S, UINT64S, UINT64S, types.int64[:, ::1]))
def _structure(data, offsets, kinds, info, left, right, out):  # type: ignore[no-untyped-def]
    d, flags, pairs, lefts, rights = address(data), address(kinds), address(info), address(left), address(right)
    for row in range(len(offsets) - 1):
        i, e = offsets[row], offsets[row + 1]
        punctuation = signs = longest = run = suspects = 0
        before, class_before = -1, 0
        while i < e:
            c, n = decode(d, i)
            f, t = u32(flags, c), u32(pairs, c)
            punctuation += f & (CATEGORY_P | PUNCTUATION) != 0
            signs += (f & (WORD | SPACE) == 0) | (c == UNDERSCORE)
            run = 1 if c != before else run + 1
            if run > longest and f & SPACE == 0:
                longest = run
            if c >= 0x80 or before >= 0x80:
                joined = before >= 0 and u64(lefts, class_before) & u64(rights, t & PAIR_CLASS) != 0
                suspects += joined | (t & ASK != 0)
            before, class_before = c, t & PAIR_CLASS
            i += n
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = punctuation, signs, longest, suspects


def structure(data: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """`COLUMNS` of the texts in a UTF-8 buffer: int64, one entry per document.

    >>> import numpy as np
    >>> text = "a--- b $".encode()
    >>> {k: v.tolist() for k, v in structure(np.frombuffer(text, np.uint8), np.array([0, len(text)])).items()}
    {'punctuation': [4], 'signs': [4], 'longest_run': [3], 'suspects': [0]}
    """
    offsets = np.ascontiguousarray(offsets, np.int64)
    out = np.zeros((len(offsets) - 1, len(COLUMNS)), np.int64)
    found: Any = tables(())
    _structure(np.ascontiguousarray(data), offsets, classes(), found.info, found.left, found.right, out)
    return {name: np.ascontiguousarray(out[:, i]) for i, name in enumerate(COLUMNS)}
