"""Edits that need no model: white space, control characters. Each says what it removed for which reason."""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.c4 import without_citations
from pilebuilder.kernels.jit import BYTES, INT64, INT64S, UINT32S, address, byte, device, kernel, set_byte, u32
from pilebuilder.kernels.lines import line_end, skip_space, trim_space
from pilebuilder.kernels.unicode import CODE_POINTS, SPACE, WORD, classes, stored
from pilebuilder.kernels.utf8 import decode

SPACE_REASONS = ("line_breaks", "trailing", "runs", "blank_lines", "ends")
LINE_BREAKS, TRAILING, RUNS, BLANK_LINES, ENDS, PLAIN = 1, 2, 4, 8, 16, 32


@device
def odd_break(d: Any, s: Any, e: Any) -> Any:
    """Bytes of the line break at `s` that is no newline (``\\r\\n`` is one, U+2028, U+0085, ...), or 0."""
    b = byte(d, s)
    if b == 13:
        return 2 if s + 1 < e and byte(d, s + 1) == 10 else 1
    if b == 11 or b == 12:
        return 1
    if b == 0xC2 and byte(d, s + 1) == 0x85:
        return 2
    if b == 0xE2 and byte(d, s + 1) == 0x80 and (byte(d, s + 2) == 0xA8 or byte(d, s + 2) == 0xA9):
        return 3
    return 0


@device
def copy_line(d: Any, s: Any, e: Any, o: Any, at: Any, cls: Any, edits: Any) -> Any:
    """Copy the line [s, e), runs of blanks within it shortened to one if so asked; returns where the copy ends."""
    if not edits & (RUNS | PLAIN):
        for i in range(e - s):
            set_byte(o, at + i, byte(d, s + i))
        return at + e - s
    i = skip_space(d, s, e, cls) if not edits & PLAIN else s  # indentation is no run
    for k in range(s, i):
        set_byte(o, at + k - s, byte(d, k))
    at += i - s
    blanks = i == s
    while i < e:
        c, n = decode(d, i)
        if u32(cls, c) & SPACE:
            if edits & RUNS and blanks and i > s:
                i += n
                continue
            blanks = True
            if edits & PLAIN and c != 9:
                set_byte(o, at, 32)
                at += 1
                i += n
                continue
        else:
            blanks = False
        for k in range(n):
            set_byte(o, at + k, byte(d, i + k))
        at += n
        i += n
    return at


@kernel(
    types.void(
        BYTES, INT64S, UINT32S, INT64, INT64, types.uint8[::1], types.int64[::1], types.uint8[::1], types.int64[:, ::1]
    )
)  # fmt: skip
def space_texts(data, offsets, classes_, edits, blank_lines, out, ends, scratch_, removed):  # type: ignore[no-untyped-def]
    """Texts with white space put in order into `out`, their ends into `ends`, bytes removed per `SPACE_REASONS`.

    `edits` is a sum of `LINE_BREAKS`, ...; `blank_lines` is how many empty lines may follow each other. `scratch` has
    the size of the longest text.
    """
    source, o, cls = address(data), address(out), address(classes_)
    scratch = address(scratch_)
    at = 0
    for row in range(len(ends)):
        d, s, e = source, offsets[row], offsets[row + 1]
        size = len(data)
        if edits & LINE_BREAKS:
            odd = 0
            for i in range(s, e):
                b = byte(d, i)
                odd |= ((b >= 11) & (b <= 13)) | (b == 0xA8) | (b == 0xA9) | (b == 0x85)
            if odd:
                k = 0
                i = s
                while i < e:
                    n = odd_break(d, i, e)
                    set_byte(scratch, k, 10 if n else byte(d, i))
                    k += 1
                    i += n if n else 1
                removed[row, 0] = e - s - k
                d, s, e, size = scratch, 0, k, len(scratch_)
        begin = at
        blank = 0
        i = s
        kept = s < e
        while i <= e and kept:
            b = line_end(d, i, e, size)[0]
            first = skip_space(d, i, b, cls)
            last = b
            if edits & TRAILING:
                last = trim_space(d, first, b, cls) if first < b else i
                removed[row, 1] += b - last
            if first == b:
                blank += 1
                if edits & ENDS and at == begin and b < e:  # blank lines at the front
                    removed[row, 4] += last - i + 1
                    i = b + 1
                    continue
                if edits & BLANK_LINES and blank > blank_lines and b < e:
                    removed[row, 3] += last - i + 1
                    i = b + 1
                    continue
            else:
                blank = 0
            start = at
            at = copy_line(d, i, last, o, at, cls, edits)
            removed[row, 2] += last - i - (at - start)
            if b < e:
                set_byte(o, at, 10)
                at += 1
            i = b + 1
        if edits & ENDS:
            last = trim_space(o, begin, at, cls)
            removed[row, 4] += at - last
            at = last
        ends[row] = at


def space(
    data: np.ndarray, offsets: np.ndarray, edits: int, blank_lines: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes and offsets of the texts with white space in order, and bytes removed, int64 [documents, 5]."""
    n = len(offsets) - 1
    out, ends = np.empty(int(offsets[-1] - offsets[0]) + 8, np.uint8), np.empty(n, np.int64)
    removed = np.zeros((n, len(SPACE_REASONS)), np.int64)
    scratch = np.empty(int(np.diff(offsets).max(initial=0)) + 8, np.uint8)
    space_texts(data, offsets, classes(), edits, blank_lines, out, ends, scratch, removed)
    return out, np.concatenate(([0], ends)), removed


# What may be dropped from a text without a word changing, by kind.
KINDS = ("control", "byte_order_mark", "noncharacter", "annotation", "deprecated", "zero_width", "bidirectional")


@functools.cache
def control_table(kinds: tuple[str, ...]) -> np.ndarray:
    """uint8 [0x110000]: 1 + number of the kind (in `KINDS`) of each code point of these kinds, 0 for all others."""

    def make() -> np.ndarray:
        table = np.zeros(CODE_POINTS, np.uint8)
        members: dict[str, list[int]] = {
            "control": [
                c for c in range(0xA0) if unicodedata.category(chr(c)) == "Cc" and chr(c) not in "\t\n\r\x0c\x85"
            ],
            "byte_order_mark": [0xFEFF],
            "noncharacter": [*range(0xFDD0, 0xFDF0), *(p << 16 | c for p in range(17) for c in (0xFFFE, 0xFFFF))],
            "annotation": [0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC],
            "deprecated": [*range(0x206A, 0x2070)],
            "zero_width": [0xAD, 0x180E, 0x200B, 0x2060],
            "bidirectional": [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
        }
        for number, kind in enumerate(KINDS):
            if kind in kinds:
                table[members[kind]] = number + 1
        return table

    return stored("controls", make, (__file__,), extra=",".join(kinds))


@kernel(types.void(BYTES, INT64S, BYTES, types.uint8[::1], types.int64[::1], types.int64[:, ::1]))
def drop_characters(data, offsets, table_, out, ends, removed):  # type: ignore[no-untyped-def]
    """Texts without the characters that `table` numbers into `out`; bytes removed per number - 1 into `removed`."""
    d, o, table = address(data), address(out), address(table_)
    at = 0
    for row in range(len(ends)):
        s, e = offsets[row], offsets[row + 1]
        odd = 0
        for i in range(s, e):
            b = byte(d, i)
            odd |= (b >= 0x7F) | ((b < 32) & (b != 10) & (b != 9) & (b != 13))
        if not odd:
            for i in range(e - s):
                set_byte(o, at + i, byte(d, s + i))
            ends[row] = at = at + e - s
            continue
        while s < e:
            c = byte(d, s)
            n = 1
            if c >= 0x80:
                c, n = decode(d, s)
            kind = byte(table, c)
            if kind:
                removed[row, kind - 1] += n
            else:
                for k in range(n):
                    set_byte(o, at + k, byte(d, s + k))
                at += n
            s += n
        ends[row] = at


def without_controls(
    data: np.ndarray, offsets: np.ndarray, kinds: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes and offsets of the texts without characters of these kinds; bytes removed, int64 [documents, 7]."""
    n = len(offsets) - 1
    out, ends = np.empty(int(offsets[-1] - offsets[0]) + 8, np.uint8), np.empty(n, np.int64)
    removed = np.zeros((n, len(KINDS)), np.int64)
    drop_characters(data, offsets, control_table(kinds), out, ends, removed)
    return out, np.concatenate(([0], ends)), removed


@kernel(types.void(BYTES, INT64S, UINT32S, INT64, types.uint8[::1], types.int64[::1]))
def shorten_runs(data, offsets, classes_, longest, out, ends):  # type: ignore[no-untyped-def]
    """Texts with runs of one mark (no letter, digit or white space) cut to `longest` into `out`, their ends."""
    d, o, cls = address(data), address(out), address(classes_)
    at = 0
    for row in range(len(ends)):
        s, e = offsets[row], offsets[row + 1]
        before, run = -1, 0
        while s < e:
            c = byte(d, s)
            n = 1
            if c >= 0x80:
                c, n = decode(d, s)
            run = run + 1 if c == before and not u32(cls, c) & (SPACE | WORD) else 1
            before = c
            if run <= longest:
                for k in range(n):
                    set_byte(o, at + k, byte(d, s + k))
                at += n
            s += n
        ends[row] = at


def short_runs(data: np.ndarray, offsets: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets of the texts with no mark more than `longest` times in a row."""
    out, ends = np.empty(int(offsets[-1] - offsets[0]) + 8, np.uint8), np.empty(len(offsets) - 1, np.int64)
    shorten_runs(data, offsets, classes(), longest, out, ends)
    return out, np.concatenate(([0], ends))


@kernel(types.void(BYTES, INT64S, types.uint8[::1], types.int64[::1]))
def drop_citations(data, offsets, out, ends):  # type: ignore[no-untyped-def]
    """Texts without ``[12]``, ``[]``, ``[edit]``, ``[citation needed]`` into `out`, their ends into `ends`."""
    at = 0
    for row in range(len(ends)):
        at = without_citations(address(data), offsets[row], offsets[row + 1], address(out), at)
        ends[row] = at


def no_citations(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets of the texts without the citation marks that C4 removes."""
    out, ends = np.empty(int(offsets[-1] - offsets[0]) + 8, np.uint8), np.empty(len(offsets) - 1, np.int64)
    drop_citations(data, offsets, out, ends)
    return out, np.concatenate(([0], ends))
