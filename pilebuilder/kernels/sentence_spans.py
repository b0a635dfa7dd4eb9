"""Sentences of documents as consecutive spans, by rules that read each byte once.

A sentence ends after a run of ``. ! ?`` (or the marks of other scripts) and closing quotes and brackets, before white
space; at an empty line; at the end of a line shorter than `SHORT_LINE` (it was not broken to fit a page); or after
`LONGEST` bytes, at white space. A full stop does not end one after an abbreviation or an initial, nor before a
lower-case letter. What is left at the end of a document is a sentence too.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, device, kernel
from pilebuilder.kernels.wordbreak import _decode, word_hash

SHORT_LINE, LONGEST = 60, 2_000
CHUNK = 4 << 20
ABBREVIATIONS = (
    "mr mrs ms dr prof st sr jr rev hon gen col capt lt sgt gov sen rep pres inc ltd co corp bros dept univ est vs etc"
    " eg ie al cf approx no nos vol pp fig figs eq eqs sec ch ed eds jan feb mar apr jun jul aug sep sept oct nov dec"
    " mt ft ave blvd rd phd ca viz"
)
SLOTS = 1 << 9
_FACTOR = np.uint64(0x100000001B3)
_START, _MIX, _HALF = np.uint64(0xCBF29CE484222325), np.uint64(0xFF51AFD7ED558CCD), np.uint64(32)
OUT = types.Array(types.int64, 1, "C")


@functools.cache
def abbreviations() -> np.ndarray:
    """uint64 [SLOTS]: open hash table of the abbreviations' hashes (`wordbreak.word_hash`)."""
    table = np.zeros(SLOTS, np.uint64)
    for word in ABBREVIATIONS.split():
        h = word_hash(word)
        slot = h % SLOTS
        while table[slot]:
            slot = (slot + 1) % SLOTS
        table[slot] = h
    table.flags.writeable = False
    return table


@device
def _abbreviated(data, start, stop, table):  # type: ignore[no-untyped-def]
    """Whether the ASCII letters before the full stop at `stop` are an abbreviation or an initial."""
    i = stop
    while i > start and (97 <= data[i - 1] | 32 <= 122):
        i -= 1
    if i == stop or stop - i > 6:
        return False
    if stop - i == 1:  # an initial, or the last letter of "U.S"
        return data[i] < 97 or (i > start and data[i - 1] == 46)
    h = _START
    for k in range(i, stop):
        h = (h ^ np.uint64(data[k] | 32)) * _FACTOR
    h = (h ^ (h >> _HALF)) * _MIX
    slot = np.int64(h % np.uint64(SLOTS))
    while table[slot] != 0:
        if table[slot] == h:
            return True
        slot = (slot + 1) % SLOTS
    return False


@device
def _ends(point):  # type: ignore[no-untyped-def]
    return point in (33, 46, 63, 0x2026, 0x3002, 0xFF01, 0xFF1F, 0x061F, 0x06D4, 0x0964)


@device
def _closes(point):  # type: ignore[no-untyped-def]
    return point in (34, 39, 41, 93, 125, 0x2019, 0x201D, 0xBB, 0x300D)


@device
def _blank(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or 9 <= byte <= 13


@kernel(types.int64(BYTES, INT64S, UINT64S, OUT, OUT))
def sentences(data, offsets, table, ends, rows):  # type: ignore[no-untyped-def]
    """End of each sentence and its document; returns how many. Both arrays need an entry for each byte at most.

    Sentences follow each other without a gap: one begins where the one before ends, white space included.
    """
    count = 0
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        begin, i, line, text = start, start, start, False
        while i < stop:
            byte = np.int64(data[i])
            cut = np.int64(-1)
            if byte < 0x80 and not (byte == 46 or byte == 33 or byte == 63 or byte == 10):
                if not _blank(byte):
                    text = True
                elif i - begin > LONGEST:
                    cut = i + 1
                i += 1
            elif byte == 10:
                j = i + 1
                while j < stop and data[j] != 10 and _blank(data[j]):
                    j += 1
                if i - line < SHORT_LINE or (j < stop and data[j] == 10) or i - begin > LONGEST:
                    cut = i + 1
                i += 1
                line = i
            else:
                point, after = _decode(data, i)
                if not _ends(point):
                    text, i = True, after
                    continue
                dots = after
                while dots < stop:
                    point, next_one = _decode(data, dots)
                    if not (_ends(point) or _closes(point)):
                        break
                    dots = next_one
                if byte >= 0x80 or dots >= stop or _blank(data[dots]):
                    j = dots
                    while j < stop and data[j] == 32:
                        j += 1
                    lower = j < stop and 97 <= data[j] <= 122
                    if not (byte == 46 and dots == i + 1 and (lower or _abbreviated(data, begin, i, table))):
                        cut = dots
                text, i = True, dots
            if cut >= 0 and text and cut < stop:
                ends[count], rows[count] = cut, row
                count += 1
                begin, text = cut, False
        if begin < stop:
            if not text and count and rows[count - 1] == row:
                ends[count - 1] = stop  # trailing white space belongs to the last sentence
            else:
                ends[count], rows[count] = stop, row
                count += 1
    return count


def split(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of all sentences (int64, sentences + 1) and the document of each (int64)."""
    data, offsets = np.ascontiguousarray(data), np.ascontiguousarray(offsets, np.int64)
    found_ends, found_rows, first = [offsets[:1]], [np.zeros(0, np.int64)], 0
    while first < len(offsets) - 1:  # some documents at a time: the kernel wants room for one sentence per byte
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + CHUNK, "right")) - 1)
        room = int(offsets[last] - offsets[first]) + 1
        ends, rows = np.empty(room, np.int64), np.empty(room, np.int64)
        count = sentences(data, offsets[first : last + 1], abbreviations(), ends, rows)
        found_ends.append(ends[:count].copy())
        found_rows.append(rows[:count] + first)
        first = last
    return np.concatenate(found_ends), np.concatenate(found_rows)
