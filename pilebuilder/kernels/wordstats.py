"""Word statistics: one pass over the text of each document, which also leaves its words (as hashes) for `ngrams`."""

from __future__ import annotations

import functools
from typing import Any

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
    i64,
    kernel,
    load8,
    set_i64,
    set_u32,
    set_u64,
    trailing_zeros,
    u32,
    u64,
)
from pilebuilder.kernels.unicode import ALPHA, ASCII_DIGIT, HIGH, SPACE, SUFFIX, SYMBOL
from pilebuilder.kernels.words import (
    MAX_CHUNK,
    SPLITS,
    decode,
    dot_is_split,
    hash_bytes,
    hash_more,
    hash_of,
    hash_start,
    put_special,
    special,
    split_chunk,
)  # fmt: skip

COLUMNS = ("words", "word_tokens", "word_chars", "alpha_words", "stop_words", "ellipses")
"""Columns of the result: words are tokens with at least one character that is no symbol, as Gopher counts them."""
MAX_WORDS = 1 << 22
"""Words of a document that are kept for `ngrams`: bounds memory; a document of about 25 MB holds as many."""
STOP_SLOTS = 256
FULL_STOP, APOSTROPHE = 46, 39
MAX_STOP_WORDS = 64

_HIGH_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_CASE_BITS = np.uint64(0x2020202020202020)
_FROM_A = np.uint64(0x1F1F1F1F1F1F1F1F)
_PAST_Z = np.uint64(0x0505050505050505)


@device
def letters(x: Any) -> Any:
    """Number of ASCII letters at the start of eight bytes, 0 to 8."""
    y = (x | _CASE_BITS) & _LOW_BITS
    other = (~(y + _FROM_A) | (y + _PAST_Z) | x) & _HIGH_BITS
    return trailing_zeros(other) >> 3


@device
def stop_bit(h: Any, stop_keys: Any, stop_bits: Any) -> Any:
    slot = np.int64(h >> np.uint64(56))
    while u64(stop_keys, slot) != 0:
        if u64(stop_keys, slot) == h:
            return u64(stop_bits, slot)
        slot = (slot + 1) & (STOP_SLOTS - 1)
    return np.uint64(0)


@device
def look(d: Any, s: Any, e: Any, cls: Any) -> Any:
    """Characters of the word [s, e), the flags they have together, and whether one of them is no symbol."""
    length = 0
    found = 0
    proper = False
    while s < e:
        c = byte(d, s)
        width = 1
        if c >= 0x80:
            c, width = decode(d, s)
        f = u32(cls, c)
        found |= f
        proper |= f & SYMBOL == 0
        length += 1
        s += width
    return length, found, proper


@device
def count_ellipses(d: Any, s: Any, e: Any) -> Any:
    """``text.count("...") + text.count("…")`` of [s, e)."""
    n = 0
    while s + 2 < e:
        b = byte(d, s)
        if (b == 46 and byte(d, s + 1) == 46 and byte(d, s + 2) == 46) or (
            b == 0xE2 and byte(d, s + 1) == 0x80 and byte(d, s + 2) == 0xA6
        ):
            n += 1
            s += 3
        else:
            s += 1
    return n


@kernel(
    types.void(
        BYTES, INT64S, INT64S, UINT32S, UINT64S, INT64S, BYTES, UINT64S, UINT64S, types.int64[::1],
        types.uint64[::1], types.int32[::1], types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def word_stats(  # type: ignore[no-untyped-def]
    data,
    starts,
    ends,
    classes,
    special_keys,
    special_parts,
    letter_filter,
    stop_keys_,
    stop_bits_,
    spans_,
    hashes_,
    lengths_,
    firsts,
    out,
):
    """Columns `COLUMNS` of documents into `out`; their words into `hashes` and `lengths` (characters).

    `firsts[k]` is where the words of document k begin. Of one document at most `MAX_WORDS` are kept, and none
    beyond the room in `hashes`; all are counted.
    """
    d, size, cls = address(data), len(data), address(classes)
    keys, parts, first_filter = address(special_keys), address(special_parts), address(letter_filter)
    stop_keys, stop_bits = address(stop_keys_), address(stop_bits_)
    spans, hashes, lengths = address(spans_), address(hashes_), address(lengths_)
    kept = 0
    for row in range(len(starts)):
        firsts[row] = kept
        room = min(len(hashes_), kept + MAX_WORDS)
        i, e = starts[row], ends[row]
        words = tokens = chars = alpha = ellipses = 0
        stops = np.uint64(0)
        while i < e:
            # the common case first: a word of ASCII letters with white space behind it
            if i + 8 <= size:
                x = load8(d, i)
                n = letters(x)
                if n:
                    j = i + n
                    if n == 8:
                        more = 8
                        while more == 8 and j + 8 <= size:
                            more = letters(load8(d, j))
                            j += more
                    if j > e:
                        j = e
                    if j == e or (byte(d, j) < 0x80 and u32(cls, byte(d, j)) & SPACE):
                        n = j - i
                        if n < 8:
                            h = hash_more(hash_start(n), x & ((np.uint64(1) << np.uint64(8 * n)) - np.uint64(1)))
                        else:
                            h = hash_bytes(d, i, j, size)
                        if not byte(first_filter, np.int64(h >> np.uint64(52))) or not special(
                            d, i, j, size, keys, parts, np.uint64(0)
                        ):
                            words += 1
                            tokens += 1
                            alpha += 1
                            chars += n
                            stops |= stop_bit(h, stop_keys, stop_bits)
                            if kept < room:
                                set_u64(hashes, kept, h)
                                set_u32(lengths, kept, n)
                                kept += 1
                            i = j + 1
                            continue
                    # next: such a word with one mark behind it, as at the end of a clause
                    mark = byte(d, j)
                    if j + 1 == e or (byte(d, j + 1) < 0x80 and u32(cls, byte(d, j + 1)) & SPACE):
                        whole = 0
                        if mark == FULL_STOP:
                            if special(d, i, j + 1, size, keys, parts, np.uint64(0)):
                                whole = 2
                            elif not dot_is_split(d, i, j, cls):
                                whole = 1
                        elif mark == APOSTROPHE or mark >= 0x80 or not u32(cls, mark) & SUFFIX:
                            whole = 2
                        n = j - i + (whole == 1)
                        h = hash_bytes(d, i, i + n, size)
                        if whole == 0 and byte(first_filter, np.int64(h >> np.uint64(52))):
                            whole = 2
                        if whole < 2:
                            words += 1
                            alpha += 1
                            chars += n
                            tokens += 2 - whole
                            stops |= stop_bit(h, stop_keys, stop_bits)
                            if kept < room:
                                set_u64(hashes, kept, h)
                                set_u32(lengths, kept, n)
                                kept += 1
                            if whole == 0:
                                words += u32(cls, mark) & SYMBOL == 0
                                chars += u32(cls, mark) & SYMBOL == 0
                                if kept < room:
                                    set_u64(hashes, kept, hash_more(hash_start(1), np.uint64(mark)))
                                    set_u32(lengths, kept, 1)
                                    kept += 1
                            i = j + 1
                            continue
            # any other chunk: find its end, and what is in it
            j = i
            flags = 0
            width = 1
            while j < e and j - i < MAX_CHUNK:
                c = byte(d, j)
                width = 1
                if c >= 0x80:
                    c, width = decode(d, j)
                if u32(cls, c) & SPACE:
                    break
                flags |= u32(cls, c)
                j += width
            if j == i:
                i += width
                continue
            count = 1
            set_i64(spans, 0, i)
            set_i64(spans, 1, j)
            if flags & SPLITS or (flags & ASCII_DIGIT and flags & ALPHA):
                ellipses += count_ellipses(d, i, j)
                count = split_chunk(d, i, j, size, cls, keys, parts, spans)
            elif flags & ALPHA and not flags & HIGH:
                known = special(d, i, j, size, keys, parts, np.uint64(0))
                if known:
                    count = put_special(spans, 0, i, known)
            for k in range(count):
                s, t = i64(spans, 2 * k), i64(spans, 2 * k + 1)
                length, found, proper = look(d, s, t, cls)
                tokens += 1
                if proper:
                    words += 1
                    chars += length
                alpha += found & ALPHA != 0
                h = hash_bytes(d, s, t, size)
                stops |= stop_bit(h, stop_keys, stop_bits)
                if kept < room:
                    set_u64(hashes, kept, h)
                    set_u32(lengths, kept, length)
                    kept += 1
            i = j
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = words, tokens, chars, alpha
        distinct = 0
        while stops:
            stops &= stops - np.uint64(1)
            distinct += 1
        out[row, 4], out[row, 5] = distinct, ellipses
    firsts[len(starts)] = kept


@functools.cache
def stop_tables(words: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Hash table word -> its bit, for at most `MAX_STOP_WORDS` words: keys uint64 [256], bits uint64 [256]."""
    if len(words) > MAX_STOP_WORDS:
        raise ValueError(f"at most {MAX_STOP_WORDS} stop words can be looked for at once, got {len(words)}")
    keys, bits = np.zeros(STOP_SLOTS, np.uint64), np.zeros(STOP_SLOTS, np.uint64)
    for number, word in enumerate(dict.fromkeys(words)):
        key = hash_of(word.encode())
        slot = key >> 56
        while keys[slot]:
            slot = (slot + 1) % STOP_SLOTS
        keys[slot], bits[slot] = key, 1 << number
    return keys, bits
