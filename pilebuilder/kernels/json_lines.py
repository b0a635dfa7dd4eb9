"""JSON lines to columns: a validating byte scanner that decodes the text straight into an Arrow buffer.

It accepts a line only when every byte of it is JSON by RFC 8259 and nothing in it is unusual. Any other line (escaped
keys, a repeated text key, nesting beyond 64, numbers that a double cannot hold, broken syntax) is left to the caller,
who asks a general parser; so a text that comes from here is the text that parser would give. UTF-8 is checked by the
caller for a whole block at once.

Strings are passed over eight bytes at a time: one word tells whether a quote, a backslash or a control character is
among them (the "has zero byte" test, Hacker's Delight 6-1).
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    load8,
    set_byte,
    set_i64,
    store8,
    trailing_zeros,
)

PAD = 16
"""Bytes that must follow the data of a block, and that outputs must have beyond what they can hold."""
SLOTS = 5
"""Keys that become columns: text, id, url, date, licence, in this order."""
TEXT, ID = 0, 1
MISSING, STRING, ESCAPED, NUMBER, OTHER = 0, 1, 2, 3, 4

_OUT = types.Array(types.uint8, 1, "C")
_LONGS = types.Array(types.int64, 1, "C")
_SPANS = types.Array(types.int64, 2, "C")
_KINDS = types.Array(types.uint8, 2, "C")

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_QUOTES = np.uint64(0x2222222222222222)
_SLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS = np.uint64(0x2020202020202020)


@kernel(INT64(BYTES))
def newlines(b: np.ndarray) -> int:
    """How many newlines there are; LLVM makes vector code of it, ten times as fast as ``bytes.count``."""
    count = 0
    for i in range(len(b)):
        count += b[i] == 10
    return count


@device
def _special(word: int) -> int:
    """High bits set from the first byte on that is a quote, a backslash or a control character; 0 if there is none."""
    q = word ^ _QUOTES
    s = word ^ _SLASHES
    return (((q - _ONES) & ~q) | ((s - _ONES) & ~s) | ((word - _BLANKS) & ~word)) & _HIGH


@device
def _blank(b: int, i: int) -> int:
    """The first byte from `i` on that is no white space within a line."""
    while True:
        c = byte(b, i)
        if c != 32 and c != 9 and c != 13:
            return i
        i += 1


@device
def _hex4(b: int, i: int) -> int:
    """Four hex digits as a number, or -1."""
    value = 0
    for k in range(4):
        c = byte(b, i + k)
        if 48 <= c <= 57:
            c -= 48
        else:
            c |= 32
            if c < 97 or c > 102:
                return -1
            c -= 87
        value = value * 16 + c
    return value


@device
def _escape(b: int, i: int) -> tuple[int, int]:
    """The escape whose letter is at `i`: (byte after it, code point), or (-1, 0) if it is none or a lone surrogate."""
    c = byte(b, i)
    if c == 117:
        v = _hex4(b, i + 1)
        i += 5
        if v < 0:
            return -1, 0
        if 0xD800 <= v < 0xE000:
            if v >= 0xDC00 or byte(b, i) != 92 or byte(b, i + 1) != 117:
                return -1, 0
            w = _hex4(b, i + 2)
            if w < 0xDC00 or w >= 0xE000:
                return -1, 0
            return i + 6, 0x10000 + ((v - 0xD800) << 10) + (w - 0xDC00)
        return i, v
    if c == 110:
        c = 10
    elif c == 116:
        c = 9
    elif c == 114:
        c = 13
    elif c == 98:
        c = 8
    elif c == 102:
        c = 12
    elif c != 34 and c != 92 and c != 47:
        return -1, 0
    return i + 1, c


@device
def _utf8(out: int, o: int, v: int) -> int:
    """Write a code point; the end of the output."""
    if v < 0x80:
        set_byte(out, o, v)
        return o + 1
    if v < 0x800:
        set_byte(out, o, 0xC0 | (v >> 6))
        set_byte(out, o + 1, 0x80 | (v & 63))
        return o + 2
    if v < 0x10000:
        set_byte(out, o, 0xE0 | (v >> 12))
        set_byte(out, o + 1, 0x80 | ((v >> 6) & 63))
        set_byte(out, o + 2, 0x80 | (v & 63))
        return o + 3
    set_byte(out, o, 0xF0 | (v >> 18))
    set_byte(out, o + 1, 0x80 | ((v >> 12) & 63))
    set_byte(out, o + 2, 0x80 | ((v >> 6) & 63))
    set_byte(out, o + 3, 0x80 | (v & 63))
    return o + 4


@device
def _string(b: int, i: int) -> int:
    """The byte after the string whose first character is at `i`; negative if it holds an escape; 0 if it is bad."""
    escaped = False
    while True:
        found = _special(load8(b, i))
        if found == 0:
            i += 8
            continue
        i += trailing_zeros(found) >> 3
        c = byte(b, i)
        if c == 34:
            return -(i + 1) if escaped else i + 1
        if c != 92:
            return 0
        escaped = True
        i, _ = _escape(b, i + 1)
        if i < 0:
            return 0


@device
def _decode(b: int, i: int, out: int, o: int) -> tuple[int, int]:
    """The string whose first character is at `i`, written at `o`: (byte after it, end of output) or (-1, o)."""
    while True:
        word = load8(b, i)
        found = _special(word)
        store8(out, o, word)
        if found == 0:
            i += 8
            o += 8
            continue
        step = trailing_zeros(found) >> 3
        i += step
        o += step
        c = byte(b, i)
        if c == 34:
            return i + 1, o
        if c != 92:
            return -1, o
        i, v = _escape(b, i + 1)
        if i < 0:
            return -1, o
        o = _utf8(out, o, v)


@device
def _number(b: int, i: int) -> int:
    """The byte after a number, or -1 if it is none or too large for comfort: 18 digits, exponents of 2."""
    if byte(b, i) == 45:
        i += 1
    start = i
    while 48 <= byte(b, i) <= 57:
        i += 1
    if i == start or i - start > 18 or (byte(b, start) == 48 and i - start > 1):
        return -1
    if byte(b, i) == 46:
        i += 1
        start = i
        while 48 <= byte(b, i) <= 57:
            i += 1
        if i == start:
            return -1
    if byte(b, i) | 32 == 101:
        i += 1
        if byte(b, i) == 43 or byte(b, i) == 45:
            i += 1
        start = i
        while 48 <= byte(b, i) <= 57:
            i += 1
        if i == start or i - start > 2:
            return -1
    return i


@device
def _scalar(b: int, i: int) -> int:
    """The byte after a number or literal, or -1."""
    c = byte(b, i)
    if c == 45 or 48 <= c <= 57:
        return _number(b, i)
    if c == 116 and byte(b, i + 1) == 114 and byte(b, i + 2) == 117 and byte(b, i + 3) == 101:
        return i + 4
    if c == 110 and byte(b, i + 1) == 117 and byte(b, i + 2) == 108 and byte(b, i + 3) == 108:
        return i + 4
    if c == 102 and byte(b, i + 1) == 97 and byte(b, i + 2) == 108 and byte(b, i + 3) == 115 and byte(b, i + 4) == 101:
        return i + 5
    return -1


@device
def _key(b: int, i: int) -> int:
    """From the quote of an object's key to its value, or -1."""
    if byte(b, i) != 34:
        return -1
    i = abs(_string(b, i + 1))
    if i == 0:
        return -1
    i = _blank(b, i)
    return _blank(b, i + 1) if byte(b, i) == 58 else -1


@device
def _value(b: int, i: int) -> int:
    """The byte after any value, or -1. Objects and arrays go on a stack of 64 bits."""
    objects = np.uint64(0)
    depth = 0
    while True:
        c = byte(b, i)
        if c == 34:
            i = abs(_string(b, i + 1))
            if i == 0:
                return -1
        elif c == 123 or c == 91:
            if depth == 64:
                return -1
            i = _blank(b, i + 1)
            if byte(b, i) == c + 2:  # } and ] come two after { and [
                i += 1
            else:
                objects = (objects << np.uint64(1)) | np.uint64(c == 123)
                depth += 1
                if c == 123:
                    i = _key(b, i)
                    if i < 0:
                        return -1
                continue
        else:
            i = _scalar(b, i)
            if i < 0:
                return -1
        while depth > 0:
            i = _blank(b, i)
            c = byte(b, i)
            is_object = (objects & np.uint64(1)) != 0
            if c == 44:
                i = _blank(b, i + 1)
                if is_object:
                    i = _key(b, i)
                    if i < 0:
                        return -1
                break
            if c != (125 if is_object else 93):
                return -1
            i += 1
            objects >>= np.uint64(1)
            depth -= 1
        if depth == 0:
            return i


@device
def _same(b: int, start: int, end: int, keys: int, first: int, stop: int) -> bool:
    if end - start != stop - first:
        return False
    for k in range(end - start):  # noqa: SIM110 - compiled
        if byte(b, start + k) != byte(keys, first + k):
            return False
    return True


@device
def _copy(b: int, start: int, end: int, out: int, o: int) -> int:
    """Copy a span, eight bytes at a time (the output has room for the excess)."""
    length = end - start
    for k in range(0, length, 8):
        store8(out, o + k, load8(b, start + k))
    return o + length


@device
def _holds(b: int, start: int, end: int, keys: int, first: int, stop: int) -> bool:
    """Whether the key stands in quotes anywhere in the span."""
    size = stop - first
    for i in range(start, end - size - 1):
        if byte(b, i) == 34 and byte(b, i + size + 1) == 34 and _same(b, i + 1, i + 1 + size, keys, first, stop):
            return True
    return False


@device
def _slot(b: int, start: int, end: int, keys: int, ends: int) -> int:
    """Which slot the key is for; `SLOTS` for the nested metadata, more for none."""
    first = 0
    for slot in range(SLOTS + 1):
        stop = i64(ends, slot)
        if _same(b, start, end, keys, first, stop):
            return slot
        first = stop
    return SLOTS + 1


@device
def _claim(b: int, start: int, end: int, slot: int, escaped: bool, spans: int, kinds: int, row: int) -> int:
    """Note a slot's value. 0: it is a column and not metadata; 1: it is metadata (too); -1: it is there twice."""
    place = row * SLOTS + slot
    if byte(kinds, place) != MISSING:
        return -1
    c = byte(b, start)
    kind = OTHER
    if c == 34:
        kind = ESCAPED if escaped else STRING
    elif c == 45 or 48 <= c <= 57:
        kind = NUMBER
    set_byte(kinds, place, kind)
    set_i64(spans, 2 * place, start)
    set_i64(spans, 2 * place + 1, end)
    if slot == ID:
        return 1 if kind != OTHER or c != 110 else 0
    return 0 if kind in (STRING, ESCAPED) or c == 110 else 1


@device
def _lone(
    b: int, start: int, end: int, keys: int, ends: int, meta: int, m: int, spans: int, kinds: int, row: int
) -> int:
    """Write the nested object (`start` to `end`) as the metadata, after the id if there is one.

    The end of the metadata, or -1 if the object may hold a key of its own that is named like the id's.
    """
    place = row * SLOTS + ID
    kind = byte(kinds, place)
    if kind == MISSING or (kind == OTHER and byte(b, i64(spans, 2 * place)) == 110):
        return _copy(b, start, end, meta, m)
    first, stop = i64(ends, ID - 1), i64(ends, ID)
    if kind == OTHER or _holds(b, start, end, keys, first, stop):
        return -1
    set_byte(meta, m, 123)
    set_byte(meta, m + 1, 34)
    m = _copy(keys, first, stop, meta, m + 2)
    set_byte(meta, m, 34)
    set_byte(meta, m + 1, 58)
    m = _copy(b, i64(spans, 2 * place), i64(spans, 2 * place + 1), meta, m + 2)
    if byte(b, _blank(b, start + 1)) != 125:
        set_byte(meta, m, 44)
        m += 1
    return _copy(b, start + 1, end, meta, m)


@device
def _line(
    b: int, i: int, keys: int, ends: int, text: int, o: int, meta: int, m: int, spans: int, kinds: int, row: int
) -> tuple[int, int, int]:
    """One object: (byte after it, end of text, end of meta); a negative first value leaves the line to the caller."""
    begin, brace = o, m
    for slot in range(SLOTS):
        set_byte(kinds, row * SLOTS + slot, MISSING)
    others = lone_start = lone_end = 0
    c = 44
    while c == 44:
        start = _blank(b, i + 1)
        if byte(b, start) != 34:
            return -1, o, m
        close = _string(b, start + 1)
        if close <= 0:
            return -1, o, m
        slot = _slot(b, start + 1, close - 1, keys, ends)
        i = _blank(b, close)
        if byte(b, i) != 58:
            return -1, o, m
        value = _blank(b, i + 1)
        if slot == TEXT:
            if byte(b, value) != 34 or o != begin:
                return -1, o, m
            i, o = _decode(b, value + 1, text, o)
        else:
            escaped = False
            if byte(b, value) == 34:
                i = _string(b, value + 1)
                escaped = i < 0
                i = abs(i) if i else -1
            else:
                i = _value(b, value)
        if i < 0:
            return -1, o, m
        keep = slot != TEXT
        if keep and slot < SLOTS:
            claimed = _claim(b, value, i, slot, escaped, spans, kinds, row)
            if claimed < 0:
                return -1, o, m
            keep = claimed > 0
        if keep:
            set_byte(meta, m, 44)
            m = _copy(b, start, i, meta, m + 1)
            others += slot != ID
            if slot == SLOTS and byte(b, value) == 123:
                lone_start, lone_end = value, i
        i = _blank(b, i)
        c = byte(b, i)
    i = _blank(b, i + 1)
    while begin < o and byte(text, begin) <= 32:
        begin += 1
    if c != 125 or byte(b, i) != 10 or o == begin:
        return -1, o, m
    if others == 1 and lone_end:
        alone = _lone(b, lone_start, lone_end, keys, ends, meta, brace, spans, kinds, row)
        if alone > 0:
            return i, o, alone
        return -1, o, m
    if m == brace:
        m += 1
    set_byte(meta, brace, 123)
    set_byte(meta, m, 125)
    return i, o, m + 1


@kernel(
    types.UniTuple(INT64, 3)(
        BYTES, INT64, BYTES, INT64S, _OUT, _LONGS, _OUT, _LONGS, _SPANS, _KINDS, _SPANS, _SPANS
    )
)  # fmt: skip
def scan(
    b: np.ndarray, n: int, keys: np.ndarray, ends: np.ndarray, text: np.ndarray, text_ends: np.ndarray,
    meta: np.ndarray, meta_ends: np.ndarray, spans: np.ndarray, kinds: np.ndarray, lines: np.ndarray, left: np.ndarray,
) -> tuple[int, int, int]:  # fmt: skip
    """Scan ``b[:n]``, whole lines each ending in a newline; `b` has `PAD` more bytes.

    `keys` holds the five slots' keys and the key of the nested metadata, `ends` where each ends. `text_ends` and
    `meta_ends` get one entry per document after a leading 0; `spans` and `kinds` say where the other slots' values
    are; `lines` (number, offset) where each document began. `left` lists lines for the caller: number, start, end,
    documents before it. Returns documents, lines left, lines in all.
    """
    at, keys_at, ends_at, spans_at, kinds_at = address(b), address(keys), address(ends), address(spans), address(kinds)
    text_at, meta_at = address(text), address(meta)
    row = skipped = number = 0
    i = o = m = 0
    text_ends[0] = 0
    meta_ends[0] = 0
    while i < n:
        start = i
        i = _blank(at, i)
        c = byte(at, i)
        if c == 10:
            i += 1
            number += 1
            continue
        done = -1
        if c == 123:
            done, to, mo = _line(
                at, i, keys_at, ends_at, text_at, o, meta_at, m, spans_at, kinds_at, row
            )  # fmt: skip
            if done >= 0:
                o = to
                m = mo
                i = done + 1
                lines[row, 0] = number
                lines[row, 1] = start
                row += 1
                text_ends[row] = o
                meta_ends[row] = m
        if done < 0:
            while byte(at, i) != 10:
                i += 1
            left[skipped, 0] = number
            left[skipped, 1] = start
            left[skipped, 2] = i
            left[skipped, 3] = row
            skipped += 1
            i += 1
        number += 1
    return row, skipped, number


@kernel(types.void(BYTES, _SPANS, _KINDS, INT64, INT64, INT64, _OUT, _LONGS, types.Array(types.boolean, 1, "C")))
def gather(
    b: np.ndarray, spans: np.ndarray, kinds: np.ndarray, rows: int, slot: int, numbers: int,
    out: np.ndarray, ends: np.ndarray, there: np.ndarray,
) -> None:  # fmt: skip
    """Values of one slot as a column: strings decoded, numbers as written if `numbers`; anything else is null."""
    at, out_at = address(b), address(out)
    o = 0
    ends[0] = 0
    for row in range(rows):
        kind = kinds[row, slot]
        start = spans[row, 2 * slot]
        there[row] = True
        if kind == STRING:
            o = _copy(at, start + 1, spans[row, 2 * slot + 1] - 1, out_at, o)
        elif kind == ESCAPED:
            _, o = _decode(at, start + 1, out_at, o)
        elif kind == NUMBER and numbers:
            o = _copy(at, start, spans[row, 2 * slot + 1], out_at, o)
        else:
            there[row] = False
        ends[row + 1] = o


@kernel(types.int64(BYTES, _SPANS, INT64, BYTES, _LONGS, types.Array(types.boolean, 1, "C"), INT64, _OUT, _LONGS))
def keys_of(
    prefix: np.ndarray, lines: np.ndarray, rows: int, ids: np.ndarray, id_ends: np.ndarray, there: np.ndarray,
    first: int, out: np.ndarray, ends: np.ndarray,
) -> int:  # fmt: skip
    """Record keys: the id where there is one, else ``prefix`` and the line's number (1 for the file's first)."""
    o = 0
    ends[0] = 0
    digits = np.empty(20, np.uint8)
    for row in range(rows):
        if there[row]:
            for k in range(id_ends[row], id_ends[row + 1]):
                out[o] = ids[k]
                o += 1
        else:
            for k in range(len(prefix)):
                out[o] = prefix[k]
                o += 1
            value = lines[row, 0] + first + 1
            count = 0
            while value > 0:
                digits[count] = 48 + value % 10
                value //= 10
                count += 1
            for k in range(count - 1, -1, -1):
                out[o] = digits[k]
                o += 1
        ends[row + 1] = o
    return o
