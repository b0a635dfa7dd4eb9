"""Words: how a chunk of text between white space is split into words and symbols.

The rules are those of spaCy's English tokenizer (prefixes, suffixes and infixes stripped in turn, contractions and
abbreviations from `lexicon`, web addresses whole), because the public Gopher, C4 and FineWeb filters count with it.
They differ from it in these cases: emoticons are known only as a whole chunk or what is left after affixes, two
ellipsis characters are two words, an IP address with a path is split, letters are ``str.isalpha``, and a chunk above
`MAX_CHUNK` bytes is cut. Scripts without spaces are not segmented: a run of their letters is one word; statistics
say how many letters stand in such scripts (`UNSPACED`), and rules that count words leave those documents alone.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pilebuilder.kernels import lexicon
from pilebuilder.kernels.jit import byte, device, i64, load8, set_i64, u32, u64
from pilebuilder.kernels.unicode import (
    AFFIX,
    ALPHA,
    ASCII_DIGIT,
    BEFORE_DOT,
    CURRENCY,
    ICON,
    INFIX,
    LOWER,
    LOWERCASE,
    PREFIX,
    QUOTE,
    SUFFIX,
    UPPER,
)  # fmt: skip

MAX_CHUNK = 1 << 16
"""Bytes of text without white space that are split as one chunk; what follows starts a new one."""
SPECIAL_SLOTS = 1 << 12
SPECIAL_FILTER = 8 * SPECIAL_SLOTS  # byte offset of the filter behind the packed parts
LONGEST_SPECIAL = 16
LONGEST_UNIT = 12
SPLITS = PREFIX | SUFFIX | ICON | CURRENCY | QUOTE | AFFIX
"""A chunk with none of these flags, and not both digits and letters, is one word."""

SEED = np.uint64(0x9E3779B97F4A7C15)
FACTOR = np.uint64(0xD6E8FEB86659FD93)
LENGTH_FACTOR = np.uint64(0xA0761D6478BD642F)
UNIT_SALT = np.uint64(0x51AF6A3C0B5D92E7)
HALF = np.uint64(32)


@device
def decode(d: Any, i: Any) -> Any:
    """Code point that starts at byte `i`, and its length in bytes."""
    b = byte(d, i)
    if b < 0x80:
        return b, 1
    if b < 0xE0:
        return (b & 0x1F) << 6 | byte(d, i + 1) & 0x3F, 2
    if b < 0xF0:
        return (b & 0xF) << 12 | (byte(d, i + 1) & 0x3F) << 6 | byte(d, i + 2) & 0x3F, 3
    high = (b & 7) << 18 | (byte(d, i + 1) & 0x3F) << 12
    return high | (byte(d, i + 2) & 0x3F) << 6 | byte(d, i + 3) & 0x3F, 4


@device
def decode_before(d: Any, e: Any) -> Any:
    """Code point that ends before byte `e`, and where it starts."""
    i = e - 1
    while byte(d, i) & 0xC0 == 0x80:
        i -= 1
    return decode(d, i)[0], i


@device
def tail8(d: Any, i: Any, e: Any, size: Any) -> Any:
    """Bytes [i, e), fewer than eight, as a uint64 with zeros above; `size` is where the array ends."""
    n = np.uint64(e - i)
    if i + 8 <= size:
        return load8(d, i) & ((np.uint64(1) << (n << np.uint64(3))) - np.uint64(1))
    x = np.uint64(0)
    for k in range(e - i):
        x |= np.uint64(byte(d, i + k)) << np.uint64(8 * k)
    return x


@device
def hash_start(n: Any) -> Any:
    return SEED ^ np.uint64(n) * LENGTH_FACTOR


@device
def hash_more(h: Any, x: Any) -> Any:
    h = (h ^ x) * FACTOR
    return h ^ h >> HALF


@device
def hash_bytes(d: Any, s: Any, e: Any, size: Any) -> Any:
    """64-bit hash of bytes [s, e): the identity of words, lines and paragraphs within a document."""
    h = hash_start(e - s)
    while e - s >= 8:
        h = hash_more(h, load8(d, s))
        s += 8
    if s < e:
        h = hash_more(h, tail8(d, s, e, size))
    return h


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


@device
def put(spans: Any, n: Any, s: Any, e: Any) -> Any:
    set_i64(spans, 2 * n, s)
    set_i64(spans, 2 * n + 1, e)
    return n + 1


@device
def put_special(spans: Any, n: Any, s: Any, packed: Any) -> Any:
    for _ in range(packed & 0xFF):
        packed >>= 8
        n = put(spans, n, s, s + (packed & 0xFF))
        s += packed & 0xFF
    return n


@device
def split_chunk(d: Any, s: Any, e: Any, size: Any, cls: Any, keys: Any, parts: Any, spans: Any, flags: Any) -> Any:
    """Split the chunk [s, e) into words; their starts and ends go to `spans` in text order; returns their number.

    `flags` are those of all its characters together.
    """
    n = 0
    end = e
    none = np.uint64(0)
    known = 0
    fresh = True  # what is left has not been looked up yet
    while s < e:
        if fresh:
            known = special(d, s, e, size, keys, parts, none)
            if known:
                break
        pre = prefix_length(d, s, e, cls)
        if pre:
            known = special(d, s + pre, e, size, keys, parts, none) if s + pre < e else 0
            if known:
                n = put(spans, n, s, s + pre)
                s += pre
                break
        suf = suffix_length(d, s + pre, e, size, cls, keys, parts, flags)
        if suf and suf < e - s:
            known = special(d, s, e - suf, size, keys, parts, none)
            if known:
                e -= suf
                break
        if pre == 0 and suf == 0:
            break
        if pre:
            n = put(spans, n, s, s + pre)
            s += pre
        e -= suf
        fresh = pre > 0 and suf > 0
    if known:
        n = put_special(spans, n, s, known)
    elif s < e:
        n = split_middle(d, s, e, cls, spans, n) if flags & INFIX else put(spans, n, s, e)
    n = split_suffixes(d, e, end, cls, spans, n)
    return join_marks(d, size, cls, keys, parts, spans, n) if n > 1 else n


@device
def join_marks(d: Any, size: Any, cls: Any, keys: Any, parts: Any, spans: Any, n: Any) -> Any:
    """Join two or three marks in a row that are known as one word, such as two apostrophes."""
    kept = 0
    k = 0
    none = np.uint64(0)
    while k < n:
        s, e = i64(spans, 2 * k), i64(spans, 2 * k + 1)
        k += 1
        if e - s == 1 and not u32(cls, byte(d, s)) & (ALPHA | ASCII_DIGIT):
            more = 0
            if k < n and i64(spans, 2 * k + 1) - e == 1:
                if (
                    k + 1 < n
                    and i64(spans, 2 * k + 3) - e == 2
                    and special(d, s, e + 2, size, keys, parts, none) == 0x301
                ):
                    more = 2
                elif special(d, s, e + 1, size, keys, parts, none) == 0x201:
                    more = 1
            k += more
            e += more
        kept = put(spans, kept, s, e)
    return kept


@device
def split_middle(d: Any, s: Any, e: Any, cls: Any, spans: Any, n: Any) -> Any:
    """What is left of a chunk between its affixes: an address, or words around separators."""
    start = s
    k = s
    before = 0
    checked = False
    while k < e:
        b = byte(d, k)
        f = u32(cls, b)
        if b >= 0x80 or f & INFIX:
            m = infix_length(d, s, k, e, before, cls)
            if m and k > s:
                if not checked:
                    if is_address(d, s, e, cls):
                        break
                    checked = True
                if k > start:
                    n = put(spans, n, start, k)
                n = put(spans, n, k, k + m)
                k += m
                start = k
                before = u32(cls, decode_before(d, k)[0])
                continue
            c, m = decode(d, k)
            before = u32(cls, c)
            k += m
        else:
            before = f
            k += 1
    return put(spans, n, start, e) if start < e else n


@device
def split_suffixes(d: Any, s: Any, e: Any, cls: Any, spans: Any, n: Any) -> Any:
    """The suffixes [s, e), found from the end, put in text order."""
    first = s
    while s < e:
        c, m = decode(d, s)
        k = s + m
        if c == 46:
            while k < e and byte(d, k) == 46:
                k += 1
        elif (c == 39 or c == 0x2019) and k < e and (byte(d, k) == 115 or byte(d, k) == 83):
            k += 1
        elif s == first and not u32(cls, c) & SUFFIX:  # a unit: it reaches to the next suffix proper
            while k < e and not u32(cls, decode(d, k)[0]) & SUFFIX and byte(d, k) != 46 and byte(d, k) != 43:
                k += decode(d, k)[1]
        n = put(spans, n, s, k)
        s = k
    return n


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


def hash_of(word: bytes) -> int:
    """`hash_bytes` in Python: for tables made from lists."""
    mask = (1 << 64) - 1
    h = int(SEED) ^ len(word) * int(LENGTH_FACTOR) & mask
    for k in range(0, len(word), 8):
        h = (h ^ int.from_bytes(word[k : k + 8], "little")) * int(FACTOR) & mask
        h ^= h >> 32
    return h
