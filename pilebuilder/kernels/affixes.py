"""What stands at the ends of a chunk and inside it: affixes, separators, addresses, chunks with a fixed reading."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pilebuilder.kernels import lexicon
from pilebuilder.kernels.jit import byte, device, i64, u32, u64
from pilebuilder.kernels.unicode import (
    ALPHA,
    ASCII_DIGIT,
    BEFORE_DOT,
    CURRENCY,
    ICON,
    LOWER,
    LOWERCASE,
    PREFIX,
    QUOTE,
    SUFFIX,
    UPPER,
)  # fmt: skip
from pilebuilder.kernels.utf8 import decode, decode_before, hash_bytes, hash_of

SPECIAL_SLOTS = 1 << 12
SPECIAL_FILTER = 8 * SPECIAL_SLOTS  # byte offset of the filter behind the packed parts
LONGEST_SPECIAL = 16
LONGEST_UNIT = 12
UNIT_SALT = np.uint64(0x51AF6A3C0B5D92E7)


@device
def filter_slot(n: Any, first: Any, last: Any) -> Any:
    """Where length, first and last byte of a chunk with a fixed reading are noted, so that most need no hash."""
    return (n * 0x9E5 ^ first * 0x1F3 ^ last * 0x2B) & (SPECIAL_SLOTS - 1)


@device
def special(d: Any, s: Any, e: Any, size: Any, keys: Any, parts: Any, salt: Any) -> Any:
    """Packed reading of a chunk with a fixed one (see `special_tables`), or 0."""
    if e - s > LONGEST_SPECIAL or not byte(parts, SPECIAL_FILTER + filter_slot(e - s, byte(d, s), byte(d, e - 1))):
        return 0
    key = hash_bytes(d, s, e, size) ^ salt
    slot = np.int64(key >> np.uint64(52))
    while u64(keys, slot) != 0:
        if u64(keys, slot) == key:
            return i64(parts, slot)
        slot = (slot + 1) & (SPECIAL_SLOTS - 1)
    return 0


@device
def is_digit(b: Any) -> Any:
    return b >= 48 and b <= 57


@device
def prefix_length(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Bytes of the prefix at the front of [s, e), or 0."""
    c, n = decode(d, s)
    if u32(cls, c) & PREFIX:
        return n
    if c == 46:  # a run of two dots or more
        k = s + 1
        while k < e and byte(d, k) == 46:
            k += 1
        return k - s if k - s > 1 else 0
    if c == 43:  # a plus that is no sign
        return 0 if s + 1 < e and is_digit(byte(d, s + 1)) else 1
    if c == 85 and s + 2 < e and byte(d, s + 1) == 83 and byte(d, s + 2) == 36:  # US$
        return 3
    if (c == 67 or c == 65) and s + 1 < e and byte(d, s + 1) == 36:  # C$, A$
        return 2
    return 0


@device
def dot_is_split(d: Any, s: Any, k: Any, cls: Any) -> Any:
    """Whether a single full stop at `k` leaves the word [s, k) before it."""
    if k <= s:
        return False
    c, i = decode_before(d, k)
    f = u32(cls, c)
    if f & BEFORE_DOT:
        return True
    if not f & UPPER or i <= s:
        return False
    f = u32(cls, decode_before(d, i)[0])
    return f & UPPER != 0 or (f & ALPHA != 0 and f & LOWERCASE == 0)


@device
def suffix_length(d: Any, s: Any, e: Any, size: Any, cls: Any, keys: Any, parts: Any, flags: Any) -> Any:
    """Bytes of the suffix at the end of [s, e), or 0; `flags` are those of the chunk that it is in."""
    if e <= s:
        return 0
    c, k = decode_before(d, e)
    f = u32(cls, c)
    if f & SUFFIX:
        return e - k
    if f & ASCII_DIGIT:
        return 0
    if c == 46:
        r = k
        while r > s and byte(d, r - 1) == 46:
            r -= 1
        if e - r > 1:
            return e - r
        return 1 if dot_is_split(d, s, k, cls) else 0
    if c == 115 or c == 83:  # 's
        if k > s:
            c, i = decode_before(d, k)
            if c == 39 or c == 0x2019:
                return e - i
        return 0
    if not flags & ASCII_DIGIT:
        return 0
    if k > s and is_digit(byte(d, k - 1)) and (c == 43 or f & CURRENCY):
        return e - k
    while k > s and e - k <= LONGEST_UNIT:  # a unit right after a digit
        if is_digit(byte(d, k - 1)):
            return e - k if special(d, k, e, size, keys, parts, UNIT_SALT) else 0
        k -= 1
    return 0


@device
def host_end(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """End of a host name with a top-level domain at `s`, or 0."""
    k = s
    label = s
    labels = 0
    low = True
    while k < e:
        c, n = decode(d, k)
        if c == 46:
            last = byte(d, k - 1)
            if (
                k == label
                or k - label > 252
                or byte(d, label) == 45
                or byte(d, label) == 95
                or last == 45
                or last == 95
            ):
                return 0
            labels += 1
            label = k + 1
            low = True
        elif not (
            c == 45 or c == 95 or (c >= 0xA1 and c <= 0xFFFF) or (c < 128 and u32(cls, c) & (ALPHA | ASCII_DIGIT))
        ):
            break
        elif not u32(cls, c) & LOWER:
            low = False
        k += n
    return k if labels > 0 and low and k - label > 1 and k - label < 253 else 0


@device
def is_address(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Whether [s, e) is a web or mail address as a whole: scheme and user optional, host, port and path."""
    start = s
    at = 0
    scheme = True
    for k in range(s, e):
        b = byte(d, k)
        if b == 64:
            at = k + 1
        elif scheme and b == 58 and k + 2 < e and byte(d, k + 1) == 47 and byte(d, k + 2) == 47 and k - s > 1:
            start = k + 3
        if b < 0x80 and b != 95 and b != 43 and b != 45 and b != 46 and not u32(cls, b) & (ALPHA | ASCII_DIGIT):
            scheme = False
    for attempt in range(2):
        begin = start if attempt == 0 else at
        if begin < start or (begin == 0 and attempt == 1):
            continue
        k = host_end(d, begin, e, cls)
        if k:
            if k < e and byte(d, k) == 58:
                p = k + 1
                while p < e and is_digit(byte(d, p)):
                    p += 1
                if p - k > 2 and p - k < 7:
                    k = p
            if k == e or byte(d, k) == 47 or byte(d, k) == 63 or byte(d, k) == 35:
                return True
    return False


@device
def infix_length(d: Any, s: Any, k: Any, e: Any, before: Any, cls: Any) -> Any:
    """Bytes of the separator at `k` inside the word [s, e), or 0; `before` is the flags of the character before."""
    c, n = decode(d, k)
    f = u32(cls, c)
    if c == 46:
        r = k + 1
        while r < e and byte(d, r) == 46:
            r += 1
        if r - k > 1:
            return r - k
    elif c == 0x2026 or f & ICON:
        return n
    if k + n >= e or k == s:
        return 0
    after_char = decode(d, k + n)[0]
    after = u32(cls, after_char)
    if (
        before & ASCII_DIGIT
        and (c == 43 or c == 45 or c == 42 or c == 94)
        and (after & ASCII_DIGIT or after_char == 45)
    ):
        return 1
    if c == 46:
        capital = after & (UPPER | QUOTE) or (after & ALPHA and not after & LOWERCASE)
        return 1 if before & (LOWER | QUOTE) and capital else 0
    if c == 44:
        return 1 if before & ALPHA and after & ALPHA else 0
    if not before & (ALPHA | ASCII_DIGIT):
        return 0
    if c == 45 or c == 0x2013 or c == 0x2014 or c == 126:
        if after & ALPHA:
            return n
        r = k  # two or three hyphens, two dashes
        while r < e and r - k < 3 and c == 45 and byte(d, r) == 45:
            r += 1
        if c == 0x2014 and after_char == 0x2014:
            r = k + 6
        return r - k if r > k + n and r < e and u32(cls, decode(d, r)[0]) & ALPHA else 0
    if c == 58 or c == 60 or c == 62 or c == 61 or c == 47:
        return 1 if after & ALPHA else 0
    return 0


@functools.cache
def special_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hash table of `lexicon.specials` and units, and a filter of the purely alphabetic ones.

    Keys uint64 [4096] (0 = empty); int64 [4608]: packed parts (number, then byte lengths, eight bits each) and behind
    them one byte per `filter_slot`; uint8 [4096]: 1 where the top 12 bits of a hash may be those of a special made of
    letters only.
    """
    keys, parts = np.zeros(SPECIAL_SLOTS, np.uint64), np.zeros(SPECIAL_SLOTS + SPECIAL_SLOTS // 8, np.int64)
    noted = parts.view(np.uint8)[SPECIAL_FILTER:]
    letters = np.zeros(SPECIAL_SLOTS, np.uint8)
    entries = [(word, lengths, 0) for word, lengths in lexicon.specials().items()]
    entries += [(unit, (len(unit.encode()),), int(UNIT_SALT)) for unit in lexicon.UNITS]
    for word, lengths, salt in entries:
        raw = word.encode()
        noted[filter_slot.py_func(len(raw), raw[0], raw[-1])] = 1
        hashed = hash_of(raw)
        key = hashed ^ salt
        slot = key >> 52
        while keys[slot]:
            slot = (slot + 1) % SPECIAL_SLOTS
        keys[slot] = key
        parts[slot] = len(lengths) | sum(n << 8 * (k + 1) for k, n in enumerate(lengths))
        if not salt and word.isascii() and word.isalpha():
            letters[hashed >> 52] = 1
    for table in (keys, parts, letters):
        table.flags.writeable = False
    return keys, parts, letters
