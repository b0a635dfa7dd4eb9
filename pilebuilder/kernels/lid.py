"""The text that a language model should see: letters only, from a bounded sample of each document."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, address, kernel, load8, store8
from pilebuilder.kernels.unicode import stored
from pilebuilder.kernels.wordstats import letters as ascii_letters

LETTER, JOINER, UPPER, LOWER = 1, 2, 4, 8
LAST = 0x32400
"""Code points from here on are no letters of any living script (CJK extensions end before it)."""
_CASE = np.uint64(0x2020202020202020)
SLACK = 8
"""Bytes behind what is written that may be overwritten."""
SEEK = 64
"""Bytes that a window may skip to begin at a word; scripts without spaces then begin at a code point."""

CODES = types.Array(types.int32, 1, "C", readonly=True)


@functools.cache
def letter_classes() -> np.ndarray:
    """uint8 [LAST] of flags: LETTER for letters, marks and zero-width joiners (with UPPER or LOWER where it has a
    case), JOINER for apostrophes, which stay inside words."""
    return stored("letters", _letter_classes, (__file__,))


def _letter_classes() -> np.ndarray:
    table = np.zeros(LAST, np.uint8)
    case = {"Lu": UPPER, "Ll": LOWER}
    for code in range(LAST):
        category = unicodedata.category(chr(code))
        if category[0] in "LM" and category != "Me":
            table[code] = LETTER | case.get(category, 0)
    table[[0x200C, 0x200D]] = LETTER
    table[[0x27, 0x2019]] = JOINER
    return table


@functools.cache
def lower_codes() -> np.ndarray:
    """int32 [0x800]: lower case of the code points of one and two bytes (Latin, Greek, Cyrillic, Armenian), where it
    is one code point with as many bytes; else the code point itself."""
    table = np.arange(0x800, dtype=np.int32)
    for code in range(0x800):
        lower = chr(code).lower()
        if len(lower) == 1 and len(lower.encode()) == len(chr(code).encode()):
            table[code] = ord(lower)
    return table


@kernel(types.void(types.uint8[::1], types.int64, types.int64, CODES))  # fmt: skip
def lower_word(out, start, end, lower):  # type: ignore[no-untyped-def]
    """Lower-case out[start:end] in place, as far as the lower form has as many bytes."""
    at = start
    while at < end:
        lead = out[at]
        if lead < 0x80:
            out[at] = lower[lead]
            at += 1
        elif lead < 0xE0:
            code = lower[(np.int64(lead) & 0x1F) << 6 | (np.int64(out[at + 1]) & 0x3F)]
            out[at] = 0xC0 | code >> 6
            out[at + 1] = 0x80 | code & 0x3F
            at += 2
        else:
            at += 3 if lead < 0xF0 else 4


@kernel(types.int64(BYTES, types.int64, types.int64, types.int64, types.int64, BYTES,
                   CODES, types.uint8[::1], types.int64))  # fmt: skip
def copy_letters(data, start, stop, end, budget, classes, lower, out, place):  # type: ignore[no-untyped-def]
    """Copy words of letters from data[start:stop] to out[place:], one space between, until `budget` bytes are written.

    A word all in capitals is lower-cased (a language model knows few of those). A word that begins before `stop` is
    copied to its own end, but not past `end` or the budget. Returns the new `place`; a trailing space is left in.
    `out` has `SLACK` more bytes than are needed.
    """
    source, target, size_of_data = address(data), address(out), len(data)
    limit = place + budget
    word = np.int64(-1)  # where the open word begins in `out`
    seen = np.uint8(0)
    at = start
    while at < end and (at < stop or word >= 0):
        if at + 8 <= size_of_data:
            x = load8(source, at)
            count = min(ascii_letters(x), end - at)
            if count > 0 and place + count < limit:  # letters of ASCII, as many as stand here
                if word < 0:
                    word = place
                    seen = np.uint8(0)
                cases = _CASE if count == 8 else _CASE & ((np.uint64(1) << np.uint64(8 * count)) - np.uint64(1))
                seen |= np.uint8(LOWER if x & cases else 0) | np.uint8(UPPER if ~x & cases else 0)
                store8(target, place, x)
                place += count
                at += count
                continue
        lead = data[at]
        if lead < 0x80:
            size = 1
            code = np.int64(lead)
        elif lead < 0xE0:
            size = 2
            code = (np.int64(lead) & 0x1F) << 6 | (np.int64(data[at + 1]) & 0x3F)
        elif lead < 0xF0:
            size = 3
            code = (
                (np.int64(lead) & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | (np.int64(data[at + 2]) & 0x3F)
            )
        else:
            size = 4
            code = (
                (np.int64(lead) & 0x07) << 18
                | (np.int64(data[at + 1]) & 0x3F) << 12
                | (np.int64(data[at + 2]) & 0x3F) << 6
                | (np.int64(data[at + 3]) & 0x3F)
            )
        kind = classes[code] if code < len(classes) else np.uint8(0)
        if kind & 1 or (kind == 2 and word >= 0):
            if place + size >= limit:
                break
            if word < 0:
                word = place
                seen = np.uint8(0)
            seen |= kind
            for k in range(size):
                out[place + k] = data[at + k]
            place += size
        elif word >= 0:
            if seen & 12 == 4 and place - word > 1:
                lower_word(out, word, place, lower)
            out[place] = 32
            place += 1
            word = np.int64(-1)
        at += size
    if word >= 0:
        if seen & 12 == 4 and place - word > 1:
            lower_word(out, word, place, lower)
        out[place] = 32
        place += 1
    return place


@kernel(types.void(BYTES, INT64S, types.int64, types.int64, BYTES, CODES,
                  types.uint8[::1], types.int64[::1]))  # fmt: skip
def sample_letters(data, offsets, budget, windows, classes, lower, out, out_offsets):  # type: ignore[no-untyped-def]
    """Letters of each document: all of a short one, else `windows` evenly spaced pieces of budget/windows bytes.

    `out` must hold, per document, min(its bytes, budget) + windows + 1 bytes, and `SLACK`; `out_offsets` [n + 1] gets
    the bounds.
    """
    place = np.int64(0)
    out_offsets[0] = 0
    for doc in range(len(offsets) - 1):
        begin = offsets[doc]
        end = offsets[doc + 1]
        length = end - begin
        if length <= budget:
            place = copy_letters(data, begin, end, end, budget + 1, classes, lower, out, place)
        else:
            for window in range(windows):
                start = begin + length * window // windows
                stop = begin + length * (window + 1) // windows
                if window:
                    seek = start
                    while seek < start + SEEK and data[seek] != 32 and data[seek] != 10:
                        seek += 1
                    if seek < start + SEEK:
                        start = seek
                while data[start] & 0xC0 == 0x80:
                    start += 1
                place = copy_letters(data, start, stop, end, budget // windows, classes, lower, out, place)
        out_offsets[doc + 1] = place


def letters(data: np.ndarray, offsets: np.ndarray, budget: int, windows: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 bytes and offsets of the scoring text of each document (at most about `budget` bytes each)."""
    offsets = np.ascontiguousarray(offsets, np.int64)
    room = np.minimum(np.diff(offsets), budget).sum() + (windows + 2) * len(offsets) + SLACK
    out, out_offsets = np.empty(int(room), np.uint8), np.zeros(len(offsets), np.int64)
    sample_letters(data, offsets, budget, windows, letter_classes(), lower_codes(), out, out_offsets)
    return out[: out_offsets[-1]], out_offsets
