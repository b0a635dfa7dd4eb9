"""The lines of a table of texts as columns, and texts made again from the lines that stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64S,
    UINT32S,
    UINT64S,
    address,
    byte,
    device,
    kernel,
    set_byte,
    u32,
    u64,
)  # fmt: skip
from pilebuilder.kernels.lines import characters, line_end, skip_space, trim_space
from pilebuilder.kernels.ngrams import count, find, seen
from pilebuilder.kernels.unicode import ALPHA, DIGIT, SPACE, UPPER, classes
from pilebuilder.kernels.utf8 import decode, decode_before, hash_bytes

FEATURES = ("chars", "words", "letters", "upper", "digits", "spaces", "marks", "columns", "first", "last")
"""Of a line without the white space at its ends: characters; runs without white space; letters, upper case, digits,
white space; characters that are none of these; columns (1 + bars, tabs, and runs of two blanks or more); first and
last code point (0 for an empty line)."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of all texts in order. `starts`, `ends`: bytes of each without its newline; `rows`: its text's number;
    `keys` uint64: hash of it without the white space at its ends, 0 for a blank line."""

    data: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    rows: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, data: np.ndarray, offsets: np.ndarray, paragraphs: bool = False) -> Lines:
        """All lines (``str.split("\\n")``), or all paragraphs (what blank lines separate, with those behind it)."""
        offsets = np.ascontiguousarray(offsets, np.int64)
        room = int(count_lines(data, offsets))
        starts, ends, rows = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
        keys = np.empty(room, np.uint64)
        n = find_lines(data, offsets, classes(), paragraphs, starts, ends, rows, keys)
        return cls(data, offsets, starts[:n], ends[:n], rows[:n], keys[:n])

    def features(self) -> dict[str, np.ndarray]:
        """`FEATURES` of each line, int64."""
        out = np.zeros((len(FEATURES), len(self.starts)), np.int64)
        line_features(self.data, self.starts, self.ends, classes(), out)
        return dict(zip(FEATURES, out, strict=True))

    def repeats(self) -> np.ndarray:
        """Lines (bool) that are not blank and came before in the same text."""
        out = np.zeros(len(self.starts), bool)
        most = int(np.bincount(self.rows, minlength=1).max()) if len(self.rows) else 0
        table = np.zeros(2 << max(6, (2 * most - 1).bit_length()), np.uint64)
        mark_repeats(self.keys, self.rows, table, out)
        return out

    def count_by_text(self, marks: np.ndarray) -> np.ndarray:
        """How many (or, of numbers, how much in all) of each text's lines; int64 per text."""
        if marks.dtype != bool:
            return np.bincount(self.rows, weights=marks, minlength=len(self.offsets) - 1).astype(np.int64)
        return np.bincount(self.rows[marks], minlength=len(self.offsets) - 1).astype(np.int64)

    def without(self, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bytes and offsets of the texts without the marked lines; bytes that each line took with it, int64.

        A line goes with its newline; the last line goes with the newline before it, if that is still there.
        """
        out = np.empty(int(self.offsets[-1] - self.offsets[0]) + 8, np.uint8)
        ends, taken = np.empty(len(self.offsets) - 1, np.int64), np.zeros(len(self.starts), np.int64)
        drop_lines(
            self.data, self.offsets, self.starts, self.ends, self.rows, marks.astype(np.uint8), out, ends, taken
        )
        return out, np.concatenate(([0], ends)), taken


@kernel(types.int64(BYTES, INT64S))
def count_lines(data, offsets):  # type: ignore[no-untyped-def]
    """Lines of all texts: one more than newlines in each."""
    d = address(data)
    found = len(offsets) - 1
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        found += byte(d, i) == 10
    return found


@device
def paragraph_end(d, s, e, size, cls):  # type: ignore[no-untyped-def]
    """End of the paragraph at `s`: before the first blank line behind it (or the text's end), and of those lines."""
    b = line_end(d, s, e, size)[0]
    while b < e:
        after = line_end(d, b + 1, e, size)[0]
        if skip_space(d, b + 1, after, cls) == after:
            break
        b = after
    last = b
    while last < e:
        after = line_end(d, last + 1, e, size)[0]
        if skip_space(d, last + 1, after, cls) < after:
            break
        last = after
    return b, last


@kernel(
    types.int64(
        BYTES, INT64S, UINT32S, types.boolean, types.int64[::1], types.int64[::1], types.int64[::1], types.uint64[::1]
    )
)  # fmt: skip
def find_lines(data, offsets, classes_, paragraphs, starts, ends, rows, keys):  # type: ignore[no-untyped-def]
    """Starts, ends, text numbers and hashes of all lines or paragraphs; returns how many there are."""
    d, size, cls = address(data), len(data), address(classes_)
    n = 0
    for row in range(len(offsets) - 1):
        a, e = offsets[row], offsets[row + 1]
        while a <= e:
            b = line_end(d, a, e, size)[0]
            last = b
            if paragraphs:
                b, last = paragraph_end(d, a, e, size, cls)
            first = skip_space(d, a, b, cls)
            keys[n] = hash_bytes(d, first, trim_space(d, first, b, cls), size) if first < b else np.uint64(0)
            starts[n], ends[n], rows[n] = a, last, row
            n += 1
            a = last + 1
    return n


@kernel(types.void(BYTES, INT64S, INT64S, UINT32S, types.int64[:, ::1]))
def line_features(data, starts, ends, classes_, out):  # type: ignore[no-untyped-def]
    """`FEATURES` of each line into `out` [features, lines]."""
    d, cls = address(data), address(classes_)
    for n in range(len(starts)):
        s = skip_space(d, starts[n], ends[n], cls)
        e = trim_space(d, s, ends[n], cls)
        chars = words = letters = upper = digits = spaces = marks = 0
        columns = 1
        blanks = 0
        inside = False
        if s < e:
            out[8, n] = decode(d, s)[0]
            out[9, n] = decode_before(d, e)[0]
        while s < e:
            c = byte(d, s)
            width = 1
            if c >= 0x80:
                c, width = decode(d, s)
            f = u32(cls, c)
            chars += 1
            space = f & SPACE != 0
            spaces += space
            letters += f & ALPHA != 0
            upper += f & UPPER != 0
            digits += f & DIGIT != 0
            marks += f & (SPACE | ALPHA | DIGIT) == 0
            words += not space and not inside
            blanks = blanks + 1 if space else 0
            columns += c == 124 or c == 9 or (blanks == 2 and c != 9)
            inside = not space
            s += width
        out[0, n], out[1, n], out[2, n], out[3, n] = chars, words, letters, upper
        out[4, n], out[5, n], out[6, n], out[7, n] = digits, spaces, marks, columns


@kernel(types.void(UINT64S, INT64S, types.uint64[::1], types.boolean[::1]))
def mark_repeats(keys_, rows, table_, out):  # type: ignore[no-untyped-def]
    """Mark lines whose key came before in the same text; key 0 (blank) never."""
    keys, table = address(keys_), address(table_)
    mask = (len(table_) >> 1) - 1
    for n in range(len(rows)):
        key = u64(keys, n)
        if key:
            slot = find(table, mask, rows[n] + 1, key)
            out[n] = seen(table, slot, rows[n] + 1, key)
            count(table, slot, rows[n] + 1, key)


@kernel(
    types.void(
        BYTES, INT64S, INT64S, INT64S, INT64S, BYTES, types.uint8[::1], types.int64[::1], types.int64[::1]
    )
)  # fmt: skip
def drop_lines(data, offsets, starts, ends, rows, marks, out, text_ends, taken):  # type: ignore[no-untyped-def]
    """Texts without the marked lines into `out`, their ends, and the bytes that went with each line into `taken`."""
    d, o = address(data), address(out)
    at = 0
    line = 0
    for row in range(len(text_ends)):
        open_end = False  # whether the last line that stays still waits for its newline
        while line < len(rows) and rows[line] == row:
            size = ends[line] - starts[line]
            if marks[line]:
                # the last line has its newline before it, if a line stayed there
                taken[line] = size + (ends[line] < offsets[row + 1] or open_end)
            else:
                if open_end:
                    set_byte(o, at, 10)
                    at += 1
                for i in range(size):
                    set_byte(o, at + i, byte(d, starts[line] + i))
                at += size
                open_end = True
            line += 1
        text_ends[row] = at


def copies(lines: Lines) -> np.ndarray:
    """int64 [texts, 4]: lines that begin with ``*`` or ``-``, that end in the ellipsis character, copies of lines that
    occur more than once (all of them, blank ones too, white space told apart), and the characters of those."""
    out = np.zeros((len(lines.offsets) - 1, 4), np.int64)
    most = int(np.bincount(lines.rows, minlength=1).max()) if len(lines.rows) else 0
    table = np.zeros(2 << max(6, (2 * most - 1).bit_length()), np.uint64)
    count_copies(lines.data, lines.starts, lines.ends, lines.rows, table, np.empty(most, np.int64), out)
    return out


@kernel(types.void(BYTES, INT64S, INT64S, INT64S, types.uint64[::1], types.int64[::1], types.int64[:, ::1]))
def count_copies(data, starts, ends, rows, table_, slots, out):  # type: ignore[no-untyped-def]
    """See `copies`; `table` and `slots` (one per line of the longest text) are scratch."""
    d, size, table = address(data), len(data), address(table_)
    mask = (len(table_) >> 1) - 1
    n = 0
    while n < len(rows):
        row, first = rows[n], n
        while n < len(rows) and rows[n] == row:
            s, e = starts[n], ends[n]
            b = byte(d, s) if s < e else 0
            out[row, 0] += b == 42 or b == 45
            out[row, 1] += e - s > 2 and byte(d, e - 3) == 0xE2 and byte(d, e - 2) == 0x80 and byte(d, e - 1) == 0xA6
            key = hash_bytes(d, s, e, size)
            slot = find(table, mask, row + 1, key)
            count(table, slot, row + 1, key)
            slots[n - first] = slot
            n += 1
        for k in range(first, n):
            if u64(table, 2 * slots[k - first] + 1) & np.uint64(0xFFFFFFFF) > np.uint64(1):
                out[row, 2] += 1
                out[row, 3] += characters(d, starts[k], ends[k], size)
