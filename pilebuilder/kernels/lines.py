"""Line and paragraph statistics, and counts of characters by class: one pass each over the bytes of a document."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    UINT32S,
    address,
    byte,
    device,
    kernel,
    load8,
    ones,
    trailing_zeros,
    u32,
)  # fmt: skip
from pilebuilder.kernels.ngrams import count, find, seen
from pilebuilder.kernels.unicode import ALPHA, CONTROL, DIGIT, LINE_BREAK, LOWERCASE, SPACE, TERMINAL, UNSPACED, UPPER
from pilebuilder.kernels.utf8 import decode, decode_before, hash_bytes, tail8

LINE_COLUMNS = (
    "newlines", "pieces", "dup_pieces", "dup_piece_chars", "lines", "bullet_lines", "ellipsis_lines",
    "filled_lines", "terminal_lines", "short_lines", "dup_line_chars", "longest_line",
    "paragraphs", "dup_paragraphs", "dup_paragraph_chars",
)  # fmt: skip
"""Pieces are what ``re.split("\\n+", text)`` gives (Gopher's lines when it looks for duplicates), lines what
``str.splitlines`` gives (Gopher's bullets and ellipses), filled lines those of ``text.split("\\n")`` with more than
white space (FineWeb's lines)."""
CHAR_COLUMNS = (
    "chars", "letters", "upper", "lower", "digits", "spaces", "controls", "hashes", "braces", "replacements",
    "unspaced",
)  # fmt: skip
MAX_LINES = 1 << 21
"""Distinct lines of a document that are remembered: bounds memory; a further one is not known when it comes again."""
SHORT_LINE = 30
"""Characters up to which FineWeb calls a line short."""

_NEWLINES = np.uint64(0x0A0A0A0A0A0A0A0A)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)


@device
def newline_at(x: Any) -> Any:
    """Place of the first newline among eight bytes; 8 if there is none."""
    y = x ^ _NEWLINES
    return trailing_zeros((y - _ONES) & ~y & _HIGH) >> 3


@device
def continuation_bytes(x: Any) -> Any:
    """How many of eight bytes are UTF-8 continuation bytes: high bit set, next bit clear."""
    return ones(x & ~(x << np.uint64(1)) & _HIGH)


@device
def line_end(d: Any, s: Any, e: Any, size: Any) -> Any:
    """End of the line that starts at `s` (its newline, or `e`), and how many characters it has."""
    i = s
    more = 0
    while i < e:
        if i + 8 > size:
            while i < e and byte(d, i) != 10:
                more += byte(d, i) & 0xC0 == 0x80
                i += 1
            break
        x = load8(d, i)
        n = newline_at(x)
        if n < 8 or i + 8 > e:
            if n > e - i:
                n = e - i
            more += continuation_bytes(x & ((np.uint64(1) << np.uint64(8 * n)) - np.uint64(1))) if n else 0
            i += n
            break
        more += continuation_bytes(x)
        i += 8
    return i, i - s - more


@device
def characters(d: Any, s: Any, e: Any, size: Any) -> Any:
    """Characters in the bytes [s, e)."""
    more = 0
    i = s
    while i + 8 <= e:
        more += continuation_bytes(load8(d, i))
        i += 8
    return e - s - more - (continuation_bytes(tail8(d, i, e, size)) if i < e else 0)


@device
def skip_space(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Where text begins in [s, e): past leading white space."""
    while s < e:
        c, n = decode(d, s)
        if not u32(cls, c) & SPACE:
            break
        s += n
    return s


@device
def trim_space(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Where text ends in [s, e): before trailing white space."""
    while e > s:
        c, k = decode_before(d, e)
        if not u32(cls, c) & SPACE:
            break
        e = k
    return e


@device
def is_bullet(d: Any, s: Any, e: Any) -> Any:
    if s >= e:
        return 0
    b = byte(d, s)
    return b == 45 or (b == 0xE2 and e - s > 2 and byte(d, s + 1) == 0x80 and byte(d, s + 2) == 0xA2)


@device
def ends_in_ellipsis(d: Any, s: Any, e: Any) -> Any:
    if e - s < 3:
        return 0
    b = byte(d, e - 1)
    if b == 46:
        return byte(d, e - 2) == 46 and byte(d, e - 3) == 46
    return b == 0xA6 and byte(d, e - 2) == 0x80 and byte(d, e - 3) == 0xE2


@device
def breaks_besides_newline(d: Any, s: Any, e: Any) -> Any:
    """Whether ``str.splitlines`` would break somewhere other than at a newline, or might."""
    found = 0
    for i in range(s, e):
        b = byte(d, i)
        found |= (np.uint8(b - 11) < 3) | (np.uint8(b - 28) < 3) | (b == 0x85) | (b == 0xA8) | (b == 0xA9)
    return found


@device
def split_lines(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Lines as ``str.splitlines`` gives them, those that begin with a bullet, those that end in an ellipsis."""
    lines = bullets = ellipses = 0
    while s < e:
        k = s
        n = 0
        c = 0
        while k < e:
            c, n = decode(d, k)
            if u32(cls, c) & LINE_BREAK:
                break
            k += n
            n = 0
        first = skip_space(d, s, k, cls)
        lines += 1
        bullets += is_bullet(d, first, k)
        ellipses += ends_in_ellipsis(d, first, trim_space(d, first, k, cls))
        s = k + n
        if c == 13 and s < e and byte(d, s) == 10:
            s += 1
    return lines, bullets, ellipses


@device
def paragraphs(d: Any, s: Any, e: Any, size: Any, cls: Any, table: Any, mask: Any, stamp: Any) -> Any:
    """Paragraphs (``re.split("\\n{2,}", text.strip())``), those that came before, and the characters in those."""
    s = skip_space(d, s, e, cls)
    e = trim_space(d, s, e, cls)
    found = repeated = chars = stored = 0
    a = s
    while a <= e:
        b = line_end(d, a, e, size)[0]
        while b + 1 < e and byte(d, b + 1) != 10:
            b = line_end(d, b + 1, e, size)[0]
        found += 1
        key = hash_bytes(d, a, b, size)
        slot = find(table, mask, stamp, key)
        if seen(table, slot, stamp, key):
            repeated += 1
            chars += characters(d, a, b, size)
        elif 2 * stored <= mask and stored < MAX_LINES:
            count(table, slot, stamp, key)
            stored += 1
        if b >= e:
            break
        while b < e and byte(d, b) == 10:
            b += 1
        a = b
    return found, repeated, chars


@kernel(
    types.int64(
        BYTES, INT64S, INT64S, UINT32S, INT64, types.uint64[::1], types.int64[:, ::1]
    )
)  # fmt: skip
def line_stats(data, starts, ends, classes, stamp, table_, out):  # type: ignore[no-untyped-def]
    """Columns `LINE_COLUMNS` of documents into `out`; returns the next stamp.

    `table` is scratch: 2 uint64 per slot, a power of two of slots.
    """
    d, size, cls, table = address(data), len(data), address(classes), address(table_)
    room = len(table_) >> 1
    for row in range(len(starts)):
        s, e = starts[row], ends[row]
        newlines = pieces = dup_pieces = dup_piece_chars = lines = bullets = ellipses = longest = 0
        filled = terminal = short = dup_chars = stored = 0
        stamp += 1
        bound = 2
        for i in range(s, e):
            bound += byte(d, i) == 10
        slots = 64
        while slots < room and slots < 2 * bound:
            slots <<= 1
        mask = slots - 1
        odd = breaks_besides_newline(d, s, e)
        a = s
        while a <= e:
            b, chars = line_end(d, a, e, size)
            newlines += b < e
            if chars > longest:
                longest = chars
            if b > a or a == s or b == e:
                pieces += 1
                key = hash_bytes(d, a, b, size)
                slot = find(table, mask, stamp, key)
                known = seen(table, slot, stamp, key)
                if known:
                    dup_pieces += 1
                    dup_piece_chars += chars
                elif 2 * stored < slots and stored < MAX_LINES:
                    count(table, slot, stamp, key)
                    stored += 1
                if b > a:
                    first = skip_space(d, a, b, cls)
                    if first < b:
                        filled += 1
                        terminal += u32(cls, decode_before(d, b)[0]) & TERMINAL != 0
                        short += chars <= SHORT_LINE
                        if known:
                            dup_chars += chars
                        if not odd:
                            bullets += is_bullet(d, first, b)
                            ellipses += ends_in_ellipsis(d, first, trim_space(d, first, b, cls))
            if not odd:
                lines += b < e or b > a
            a = b + 1
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = newlines, pieces, dup_pieces, dup_piece_chars
        out[row, 4], out[row, 5], out[row, 6] = lines, bullets, ellipses
        out[row, 7], out[row, 8], out[row, 9], out[row, 10], out[row, 11] = filled, terminal, short, dup_chars, longest
        if odd:
            out[row, 4], out[row, 5], out[row, 6] = split_lines(d, s, e, cls)
        out[row, 12], out[row, 13], out[row, 14] = 1, 0, 0
        if newlines > 1:
            stamp += 1
            out[row, 12], out[row, 13], out[row, 14] = paragraphs(d, s, e, size, cls, table, mask, stamp)
    return stamp


@kernel(types.void(BYTES, INT64S, INT64S, UINT32S, types.int64[:, ::1]))
def char_stats(data, starts, ends, classes, out):  # type: ignore[no-untyped-def]
    """Columns `CHAR_COLUMNS` of documents into `out`."""
    d, cls = address(data), address(classes)
    for row in range(len(starts)):
        s, e = starts[row], ends[row]
        high = upper = lower = digits = spaces = hashes = braces = controls = 0
        for i in range(s, e):
            b = byte(d, i)
            high += b >= 0x80
            upper += np.uint8(b - 65) < 26  # type: ignore[assignment]
            lower += np.uint8(b - 97) < 26  # type: ignore[assignment]
            digits += np.uint8(b - 48) < 10  # type: ignore[assignment]
            spaces += (b == 32) | (np.uint8(b - 9) < 5) | (np.uint8(b - 28) < 4)
            controls += b < 32
            hashes += b == 35
            braces += b == 123
        out[row, 0] = e - s
        letters = upper + lower
        replaced = unspaced = 0
        controls -= spaces
        for i in range(s, e):
            controls += (byte(d, i) == 32) | (byte(d, i) == 127)
        if high:
            i = s
            while i < e:
                if byte(d, i) < 0x80:
                    i += 1
                    continue
                c, n = decode(d, i)
                f = u32(cls, c)
                letters += f & ALPHA != 0
                upper += f & UPPER != 0
                lower += f & LOWERCASE != 0
                digits += f & DIGIT != 0
                spaces += f & SPACE != 0
                controls += f & CONTROL != 0
                unspaced += f & UNSPACED != 0
                replaced += c == 0xFFFD
                out[row, 0] -= n - 1
                i += n
        out[row, 1], out[row, 2], out[row, 3], out[row, 4], out[row, 5] = letters, upper, lower, digits, spaces
        out[row, 6], out[row, 7], out[row, 8], out[row, 9], out[row, 10] = controls, hashes, braces, replaced, unspaced


@kernel(types.void(BYTES, INT64S, INT64S, UINT32S, INT64, types.int64[::1]))
def count_short_lines(data, starts, ends, classes, limit, out):  # type: ignore[no-untyped-def]
    """Lines with more than white space, but at most `limit` characters, of each document into `out`."""
    d, size, cls = address(data), len(data), address(classes)
    for row in range(len(out)):
        a, e = starts[row], ends[row]
        while a < e:
            b, chars = line_end(d, a, e, size)
            if chars <= limit and skip_space(d, a, b, cls) < b:
                out[row] += 1
            a = b + 1
