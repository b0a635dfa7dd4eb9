"""JSON values as compiled code walks over them: strings, escapes, numbers, nested values (RFC 8259).

Helpers of the kernels in `pilebuilder.kernels.json_lines`. They take addresses; a string ends at its quote, and any
control character ends it as bad, so none runs beyond the newline that ends its line. They take only what is plain:
nesting up to 64, numbers that a double holds, no lone surrogates; the rest is left to a general parser.

Strings are passed over eight bytes at a time: one word tells whether a quote, a backslash or a control character is
among them (the "has zero byte" test, Hacker's Delight 6-1).
"""

from __future__ import annotations

import numpy as np

from pilebuilder.kernels.jit import byte, device, load8, set_byte, store8, trailing_zeros

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_QUOTES = np.uint64(0x2222222222222222)
_SLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS = np.uint64(0x2020202020202020)


@device
def special(word: int) -> int:
    """High bits set from the first byte on that is a quote, a backslash or a control character; 0 if there is none."""
    q = word ^ _QUOTES
    s = word ^ _SLASHES
    return (((q - _ONES) & ~q) | ((s - _ONES) & ~s) | ((word - _BLANKS) & ~word)) & _HIGH


@device
def blank(b: int, i: int) -> int:
    """The first byte from `i` on that is no white space within a line."""
    while True:
        c = byte(b, i)
        if c != 32 and c != 9 and c != 13:
            return i
        i += 1


@device
def hex4(b: int, i: int) -> int:
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
def escape(b: int, i: int) -> tuple[int, int]:
    """The escape whose letter is at `i`: (byte after it, code point), or (-1, 0) if it is none or a lone surrogate."""
    c = byte(b, i)
    if c == 117:
        v = hex4(b, i + 1)
        i += 5
        if v < 0:
            return -1, 0
        if 0xD800 <= v < 0xE000:
            if v >= 0xDC00 or byte(b, i) != 92 or byte(b, i + 1) != 117:
                return -1, 0
            w = hex4(b, i + 2)
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
def utf8(out: int, o: int, v: int) -> int:
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
def string(b: int, i: int) -> int:
    """The byte after the string whose first character is at `i`; negative if it holds an escape; 0 if it is bad."""
    escaped = False
    while True:
        found = special(load8(b, i))
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
        i, _ = escape(b, i + 1)
        if i < 0:
            return 0


@device
def decode(b: int, i: int, out: int, o: int) -> tuple[int, int]:
    """The string whose first character is at `i`, written at `o`: (byte after it, end of output) or (-1, o)."""
    while True:
        word = load8(b, i)
        found = special(word)
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
        i, v = escape(b, i + 1)
        if i < 0:
            return -1, o
        o = utf8(out, o, v)


@device
def number(b: int, i: int) -> int:
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
def scalar(b: int, i: int) -> int:
    """The byte after a number or literal, or -1."""
    c = byte(b, i)
    if c == 45 or 48 <= c <= 57:
        return number(b, i)
    if c == 116 and byte(b, i + 1) == 114 and byte(b, i + 2) == 117 and byte(b, i + 3) == 101:
        return i + 4
    if c == 110 and byte(b, i + 1) == 117 and byte(b, i + 2) == 108 and byte(b, i + 3) == 108:
        return i + 4
    if c == 102 and byte(b, i + 1) == 97 and byte(b, i + 2) == 108 and byte(b, i + 3) == 115 and byte(b, i + 4) == 101:
        return i + 5
    return -1


@device
def key(b: int, i: int) -> int:
    """From the quote of an object's key to its value, or -1."""
    if byte(b, i) != 34:
        return -1
    i = abs(string(b, i + 1))
    if i == 0:
        return -1
    i = blank(b, i)
    return blank(b, i + 1) if byte(b, i) == 58 else -1


@device
def past_value(b: int, i: int) -> int:
    """The byte after any value, or -1. Objects and arrays go on a stack of 64 bits."""
    objects = np.uint64(0)
    depth = 0
    while True:
        c = byte(b, i)
        if c == 34:
            i = abs(string(b, i + 1))
            if i == 0:
                return -1
        elif c == 123 or c == 91:
            if depth == 64:
                return -1
            i = blank(b, i + 1)
            if byte(b, i) == c + 2:  # } and ] come two after { and [
                i += 1
            else:
                objects = (objects << np.uint64(1)) | np.uint64(c == 123)
                depth += 1
                if c == 123:
                    i = key(b, i)
                    if i < 0:
                        return -1
                continue
        else:
            i = scalar(b, i)
            if i < 0:
                return -1
        while depth > 0:
            i = blank(b, i)
            c = byte(b, i)
            is_object = (objects & np.uint64(1)) != 0
            if c == 44:
                i = blank(b, i + 1)
                if is_object:
                    i = key(b, i)
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
def copy(b: int, start: int, end: int, out: int, o: int) -> int:
    """Copy a span, eight bytes at a time (the output has room for the excess)."""
    length = end - start
    for k in range(0, length, 8):
        store8(out, o + k, load8(b, start + k))
    return o + length
