"""Word statistics: one pass over the text of each document, which also leaves its words (as hashes) for `ngrams`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.affixes import dot_is_split, special
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
    ones,
    set_i64,
    set_u32,
    set_u64,
    trailing_zeros,
    u32,
    u64,
)
from pilebuilder.kernels.unicode import ALPHA, ASCII_DIGIT, HIGH, SPACE, SUFFIX, SYMBOL
from pilebuilder.kernels.utf8 import decode, hash_bytes, hash_more, hash_of, hash_start
from pilebuilder.kernels.words import MAX_CHUNK, SPLITS, put_special, split_chunk

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
_BLANKS = np.uint64(0x2020202020202020)
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
def look(d: Any, s: Any, e: Any, size: Any, cls: Any) -> Any:
    """Characters of the word [s, e), the flags they have together, and whether one of them is no symbol."""
    if e - s <= 8 and s + 8 <= size and letters(load8(d, s)) >= e - s:
        return e - s, ALPHA, True
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


# What stands at the start of a chunk, for `plain_chunk`.
OTHER, WORD, WORD_AND_MARK = 0, 1, 2


@device
def letters_end(d: Any, i: Any, e: Any, size: Any) -> Any:
    """End of the ASCII letters at `i`, not looking beyond `MAX_CHUNK` or `e`."""
    if i + 8 > size:
        return i
    n = letters(load8(d, i))
    j = i + n
    while n == 8 and j + 8 <= size and j - i <= MAX_CHUNK:
        n = letters(load8(d, j))
        j += n
    return min(j, e)


@device
def plain_chunk(d: Any, i: Any, e: Any, size: Any, cls: Any, keys: Any, parts: Any, first_filter: Any) -> Any:
    """The common cases first: end, hash and kind of a word of ASCII letters with white space, or one mark and white
    space, behind it. `OTHER` says nothing about the chunk."""
    j = letters_end(d, i, e, size)
    nothing = np.uint64(0)
    if j == i or j - i > MAX_CHUNK:
        return j, nothing, OTHER
    kind = WORD
    if j < e and not (byte(d, j) < 0x80 and u32(cls, byte(d, j)) & SPACE):
        mark = byte(d, j)
        if j + 1 < e and not (byte(d, j + 1) < 0x80 and u32(cls, byte(d, j + 1)) & SPACE):
            return j, nothing, OTHER
        kind = WORD_AND_MARK
        if mark == FULL_STOP:
            if special(d, i, j + 1, size, keys, parts, nothing):
                return j, nothing, OTHER
            if not dot_is_split(d, i, j, cls):  # an initial
                return j + 1, hash_bytes(d, i, j + 1, size), WORD
        elif mark == APOSTROPHE or mark >= 0x80 or not u32(cls, mark) & SUFFIX:
            return j, nothing, OTHER
    n = np.uint64(j - i)
    if j - i < 8:  # the eight bytes at `i` exist, or there had been no letters
        h = hash_more(hash_start(n), load8(d, i) & ((np.uint64(1) << (n << np.uint64(3))) - np.uint64(1)))
    else:
        h = hash_bytes(d, i, j, size)
    if byte(first_filter, np.int64(h >> np.uint64(52))) and special(d, i, j, size, keys, parts, nothing):
        kind = OTHER
    return j, h, kind


@device
def chunk_end(d: Any, i: Any, e: Any, cls: Any) -> Any:
    """End of the chunk at `i`, its characters, its flags, whether one character is no symbol, and, if the chunk is
    empty, the bytes of the white space there."""
    j = i
    flags = 0
    width = 1
    length = 0
    symbols = SYMBOL
    while j < e and j - i < MAX_CHUNK:
        c = byte(d, j)
        width = 1
        if c >= 0x80:
            c, width = decode(d, j)
        f = u32(cls, c)
        if f & SPACE:
            break
        flags |= f
        symbols &= f
        length += 1
        j += width
    return j, length, flags, symbols == 0, width


@kernel(
    types.void(
        BYTES, INT64S, INT64S, UINT32S, UINT64S, INT64S, BYTES, UINT64S, UINT64S, types.int64[::1],
        types.uint64[::1], types.int32[::1], types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def word_stats(  # type: ignore[no-untyped-def]
    data, starts, ends, classes, special_keys, special_parts, letter_filter, stop_keys_, stop_bits_, spans_,
    hashes_, lengths_, firsts, out,
):  # fmt: skip
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
            b = byte(d, i)
            if b <= 32 and u32(cls, b) & SPACE:  # more than the one that a word takes with it
                i += 1
                while i + 8 <= e and load8(d, i) == _BLANKS:
                    i += 8
                continue
            j, h, kind = plain_chunk(d, i, e, size, cls, keys, parts, first_filter)
            if kind != OTHER:
                words += 1
                tokens += 1
                alpha += 1
                chars += j - i
                stops |= stop_bit(h, stop_keys, stop_bits)
                if kept < room:
                    set_u64(hashes, kept, h)
                    set_u32(lengths, kept, j - i)
                    kept += 1
                if kind == WORD_AND_MARK:
                    proper = u32(cls, byte(d, j)) & SYMBOL == 0
                    words += proper
                    chars += proper
                    tokens += 1
                    if kept < room:
                        set_u64(hashes, kept, hash_more(hash_start(1), np.uint64(byte(d, j))))
                        set_u32(lengths, kept, 1)
                        kept += 1
                    j += 1
                i = j + 1
                continue
            j, length, flags, proper, width = chunk_end(d, i, e, cls)
            if j == i:
                i += width
                continue
            count = 0
            if flags & SPLITS or (flags & ASCII_DIGIT and flags & ALPHA):
                ellipses += count_ellipses(d, i, j)
                count = split_chunk(d, i, j, size, cls, keys, parts, spans, flags)
            elif flags & ALPHA and not flags & HIGH:
                count = put_special(spans, 0, i, special(d, i, j, size, keys, parts, np.uint64(0)))
            if count == 0:
                set_i64(spans, 0, i)
                set_i64(spans, 1, j)
            for k in range(max(count, 1)):
                s, t = i64(spans, 2 * k), i64(spans, 2 * k + 1)
                if count:
                    length, flags, proper = look(d, s, t, size, cls)
                tokens += 1
                if proper:
                    words += 1
                    chars += length
                alpha += flags & ALPHA != 0
                h = hash_bytes(d, s, t, size)
                stops |= stop_bit(h, stop_keys, stop_bits)
                if kept < room:
                    set_u64(hashes, kept, h)
                    set_u32(lengths, kept, length)
                    kept += 1
            i = j
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = words, tokens, chars, alpha
        out[row, 4], out[row, 5] = ones(stops), ellipses
    firsts[len(starts)] = kept


@functools.cache
def stop_tables(words: tuple[str, ...], hashed: Callable[[bytes], int] = hash_of) -> tuple[np.ndarray, np.ndarray]:
    """Hash table word -> its bit, for at most `MAX_STOP_WORDS` words: keys uint64 [256], bits uint64 [256]."""
    if len(words) > MAX_STOP_WORDS:
        raise ValueError(f"at most {MAX_STOP_WORDS} stop words can be looked for at once, got {len(words)}")
    keys, bits = np.zeros(STOP_SLOTS, np.uint64), np.zeros(STOP_SLOTS, np.uint64)
    for number, word in enumerate(dict.fromkeys(words)):
        key = hashed(word.encode())
        slot = key >> 56
        while keys[slot]:
            slot = (slot + 1) % STOP_SLOTS
        keys[slot], bits[slot] = key, 1 << number
    return keys, bits
