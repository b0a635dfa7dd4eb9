"""Character references of XML and HTML, and UTF-8, for kernels that read markup."""

from __future__ import annotations

from pilebuilder.kernels.jit import byte, device, set_byte


@device
def encode(out: int, at: int, code: int) -> int:
    """Write a code point as UTF-8; returns the position after it."""
    if code < 0x80:
        set_byte(out, at, code)
        return at + 1
    if code < 0x800:
        set_byte(out, at, 0xC0 | code >> 6)
        set_byte(out, at + 1, 0x80 | code & 63)
        return at + 2
    if code < 0x10000:
        set_byte(out, at, 0xE0 | code >> 12)
        set_byte(out, at + 1, 0x80 | code >> 6 & 63)
        set_byte(out, at + 2, 0x80 | code & 63)
        return at + 3
    set_byte(out, at, 0xF0 | code >> 18)
    set_byte(out, at + 1, 0x80 | code >> 12 & 63)
    set_byte(out, at + 2, 0x80 | code >> 6 & 63)
    set_byte(out, at + 3, 0x80 | code & 63)
    return at + 4


@device
def _digit(c: int, hexadecimal: bool) -> int:
    if 48 <= c <= 57:
        return c - 48
    c |= 32
    return c - 87 if hexadecimal and 97 <= c <= 102 else -1


@device
def number_reference(src: int, at: int, n: int) -> tuple[int, int]:
    """Code point and end of ``&#...;`` at `at`; (-1, at) when it is not of that form with at most 7 digits."""
    i = at + 2
    hexadecimal = i < n and byte(src, i) | 32 == 120
    i += int(hexadecimal)
    code, start = 0, i
    while i < n and i - start < 8:
        digit = _digit(byte(src, i), hexadecimal)
        if digit < 0:
            break
        code = code * (16 if hexadecimal else 10) + digit
        i += 1
    if i == start or i - start > 7 or i >= n or byte(src, i) != 59:
        return -1, at
    return code, i + 1


@device
def named_reference(src: int, at: int, n: int) -> tuple[int, int]:
    """Code point and end of ``&lt;`` and its like at `at`; (-1, at) for any other name."""
    a = byte(src, at + 1) if at + 1 < n else 0
    b = byte(src, at + 2) if at + 2 < n else 0
    c = byte(src, at + 3) if at + 3 < n else 0
    d = byte(src, at + 4) if at + 4 < n else 0
    e = byte(src, at + 5) if at + 5 < n else 0
    if b == 116 and c == 59 and (a == 108 or a == 103):
        return (60 if a == 108 else 62), at + 4
    if a == 97 and b == 109 and c == 112 and d == 59:
        return 38, at + 5
    if a == 113 and b == 117 and c == 111 and d == 116 and e == 59:
        return 34, at + 6
    return -1, at


@device
def unescape(src: int, n: int, out: int) -> int:
    """An XML attribute's value with its references resolved; -1 for one that is not plain."""
    i = o = 0
    while i < n:
        c = byte(src, i)
        if c != 38:
            set_byte(out, o, c)
            i += 1
            o += 1
            continue
        numeric = i + 1 < n and byte(src, i + 1) == 35
        code, after = number_reference(src, i, n) if numeric else named_reference(src, i, n)
        plain = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
        if not plain:
            return -1
        o = encode(out, o, code)
        i = after
    return o
