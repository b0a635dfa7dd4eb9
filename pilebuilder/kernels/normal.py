"""Unicode normal forms: which texts are surely normalized already, by the quick check of Unicode Annex 15."""

from __future__ import annotations

import functools
import unicodedata
from typing import Any, Literal, cast

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, UINT16S, address, byte, kernel, u16
from pilebuilder.kernels.unicode import CODE_POINTS, stored
from pilebuilder.kernels.utf8 import decode

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
UNSURE = 1 << 8
"""Beside the combining class (low 8 bits): the character is not, or may not be, in normal form."""


@functools.cache
def normal_table(form: Form) -> np.ndarray:
    """uint16 [0x110000]: canonical combining class, and `UNSURE` for characters that may change under `form`."""

    def make() -> np.ndarray:
        table = np.array([unicodedata.combining(chr(c)) for c in range(CODE_POINTS)], np.uint16)
        chars = [chr(c) for c in range(CODE_POINTS)]
        for c in (c for c, char in enumerate(chars) if not unicodedata.is_normalized(form, char)):
            table[c] |= UNSURE
        if form in ("NFC", "NFKC"):
            for parts in map(str.split, filter(None, map(unicodedata.decomposition, chars))):
                if len(parts) == 2 and not parts[0].startswith("<"):
                    table[int(parts[1], 16)] |= UNSURE  # may join the character before it
            table[0x1161:0x1176] |= UNSURE  # Hangul vowels and final consonants do, by arithmetic
            table[0x11A8:0x11C3] |= UNSURE
        return table

    return stored(f"normal-{form}", make, (__file__,))


@kernel(types.void(BYTES, INT64S, UINT16S, types.uint8[::1]))
def unsure_rows(data, offsets, table_, unsure):  # type: ignore[no-untyped-def]
    """Mark with 1 the documents that the quick check cannot call normalized."""
    d, table = address(data), address(table_)
    for row in range(len(unsure)):
        i, e = offsets[row], offsets[row + 1]
        last = 0
        while i < e:
            if byte(d, i) < 0x80:
                last = 0
                i += 1
                continue
            c, n = decode(d, i)
            t = u16(table, c)
            if t and (t & UNSURE or (t < last)):
                unsure[row] = 1
                break
            last = t
            i += n


def not_normal(data: np.ndarray, offsets: np.ndarray, form: Form) -> np.ndarray:
    """Row numbers of the documents that are not in this normal form."""
    unsure = np.zeros(len(offsets) - 1, np.uint8)
    unsure_rows(data, offsets, normal_table(form), unsure)
    raw = memoryview(cast(Any, data))
    rows = [
        row
        for row in np.flatnonzero(unsure)
        if not unicodedata.is_normalized(form, str(raw[offsets[row] : offsets[row + 1]], "utf-8"))
    ]
    return np.array(rows, np.int64)
