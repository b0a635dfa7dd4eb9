"""Words: how a chunk of text between white space is split into words and symbols.

The rules are those of spaCy's English tokenizer (prefixes, suffixes and infixes stripped in turn, contractions and
abbreviations from `lexicon`, web addresses whole), because the public Gopher, C4 and FineWeb filters count with it.
They differ from it in these cases: emoticons are known only as a whole chunk or what is left after affixes, two
ellipsis characters are two words, an IP address with a path is split, letters are ``str.isalpha``, and a chunk above
`MAX_CHUNK` bytes is cut. Scripts without spaces are not segmented: a run of their letters is one word; statistics
say how many letters stand in such scripts (`UNSPACED`), and rules that count words leave those documents alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pilebuilder.kernels.affixes import infix_length, is_address, prefix_length, special, suffix_length
from pilebuilder.kernels.jit import byte, device, i64, set_i64, u32
from pilebuilder.kernels.unicode import (
    AFFIX,
    ALPHA,
    ASCII_DIGIT,
    CURRENCY,
    ICON,
    INFIX,
    PREFIX,
    QUOTE,
    SUFFIX,
)  # fmt: skip
from pilebuilder.kernels.utf8 import decode, decode_before

MAX_CHUNK = 1 << 16
"""Bytes of text without white space that are split as one chunk; what follows starts a new one."""
SPLITS = PREFIX | SUFFIX | ICON | CURRENCY | QUOTE | AFFIX
"""A chunk with none of these flags, and not both digits and letters, is one word."""


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
