"""Words by the simple rules that other tools use, for rules and signals defined on them.

`SPLIT`: what ``str.split`` gives (Dolma's taggers). `NORMAL`: the same after ASCII punctuation is deleted and letters
are lower case (RedPajama-v2's normalized words; without its NFD step, so an accented letter is one character).
`PUNCT`: runs of ``\\w`` and runs of other characters (RedPajama-v2's raw words, NLTK's WordPunctTokenizer).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    UINT32S,
    UINT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    set_i64,
    set_u32,
    set_u64,
    u32,
    u64,
)  # fmt: skip
from pilebuilder.kernels.ngrams import count, find, seen
from pilebuilder.kernels.unicode import ALPHA, PUNCTUATION, SMALL, SPACE, UPPER, WORD, classes, lower_case
from pilebuilder.kernels.utf8 import decode, hash_more
from pilebuilder.kernels.wordstats import MAX_WORDS, stop_bit, stop_tables

SPLIT, NORMAL, PUNCT = 0, 1, 2
COLUMNS = (
    "words", "chars", "alpha_words", "ascii_alpha_words", "capital_words", "symbol_words", "stop_tokens",
    "twice_median",
)  # fmt: skip
LENGTHS = 256
"""Word lengths told apart for the median; longer ones count as the last."""

_SEED = np.uint64(0x9E3779B97F4A7C15)
_LENGTH = np.uint64(0xA0761D6478BD642F)


@device
def hash_point(h: Any, held: Any, filled: Any, c: Any) -> Any:
    """Add the UTF-8 bytes of a code point to a hash that takes eight bytes at a time."""
    if c < 0x80:
        x, n = c, 1
    elif c < 0x800:
        x, n = 0xC0 | c >> 6 | (0x80 | c & 0x3F) << 8, 2
    elif c < 0x10000:
        x, n = 0xE0 | c >> 12 | (0x80 | c >> 6 & 0x3F) << 8 | (0x80 | c & 0x3F) << 16, 3
    else:
        x = 0xF0 | c >> 18 | (0x80 | c >> 12 & 0x3F) << 8 | (0x80 | c >> 6 & 0x3F) << 16 | (0x80 | c & 0x3F) << 24
        n = 4
    held |= np.uint64(x) << np.uint64(8 * filled)
    if filled + n >= 8:
        h = hash_more(h, held)
        used = 8 - filled
        held = np.uint64(x) >> np.uint64(8 * used) if used < n else np.uint64(0)
        return h, held, n - used
    return h, held, filled + n


@device
def middle(lengths: Any, words: Any) -> Any:
    """Twice the median of the lengths counted in a histogram."""
    if words == 0:
        return 0
    low, high = (words - 1) >> 1, words >> 1
    passed = 0
    result = 0
    for n in range(LENGTHS):
        there = i64(lengths, n)
        if passed <= low < passed + there:
            result += n
        if passed <= high < passed + there:
            return result + n
        passed += there
    return result


@kernel(
    types.void(
        BYTES, INT64S, INT64, UINT32S, UINT32S, UINT64S, UINT64S, types.int64[::1], types.uint64[::1],
        types.int32[::1], types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def plain_words(  # type: ignore[no-untyped-def]
    data, offsets, mode, classes_, lower_, stop_keys_, stop_bits_, histogram_, hashes_, lengths_, firsts, out
):
    """Columns `COLUMNS` of documents into `out`; their words into `hashes` and `lengths`, as `word_stats` does."""
    d, cls, lower = address(data), address(classes_), address(lower_)
    hashes, lengths, histogram = address(hashes_), address(lengths_), address(histogram_)
    stop_keys, stop_bits = address(stop_keys_), address(stop_bits_)
    kept = 0
    for row in range(len(out)):
        firsts[row] = kept
        room = min(len(hashes_), kept + MAX_WORDS)
        i, e = offsets[row], offsets[row + 1]
        words = chars = alphas = ascii_alphas = capitals = symbols = stops = 0
        for k in range(LENGTHS):
            set_i64(histogram, k, 0)
        length, kind, flags, letter, symbol = 0, 0, 0, False, False
        h, held, filled = _SEED, np.uint64(0), 0
        while i <= e:
            c, n, f, now = 0, 1, SPACE, 0
            if i < e:
                c = byte(d, i)
                if c >= 0x80:
                    c, n = decode(d, i)
                f = u32(cls, c)
                now = 0 if f & SPACE else (1 if mode != PUNCT or f & WORD else 2)
            i += n
            if now and mode == NORMAL and f & PUNCTUATION:
                continue
            if now != kind and kind:
                words += 1
                chars += length
                alphas += flags & ALPHA != 0
                ascii_alphas += letter
                capitals += flags & UPPER != 0 and flags & SMALL == 0
                symbols += symbol
                h = hash_more(h, held) if filled else h
                h = hash_more(h, np.uint64(length) * _LENGTH)
                stops += stop_bit(h, stop_keys, stop_bits) != np.uint64(0)
                at = min(length, LENGTHS - 1)
                set_i64(histogram, at, i64(histogram, at) + 1)
                if kept < room:
                    set_u64(hashes, kept, h)
                    set_u32(lengths, kept, length)
                    kept += 1
                length, flags, letter, symbol = 0, 0, False, False
                h, held, filled = _SEED, np.uint64(0), 0
            kind = now
            if now:
                flags |= f
                letter |= (c >= 97 and c <= 122) or (c >= 65 and c <= 90)
                symbol |= c == 35 or c == 0x2026
                h, held, filled = hash_point(h, held, filled, u32(lower, c) if mode == NORMAL else c)
                length += 1
        out[row, 0], out[row, 1], out[row, 2], out[row, 3], out[row, 4] = words, chars, alphas, ascii_alphas, capitals
        out[row, 5], out[row, 6], out[row, 7] = symbols, stops, middle(histogram, words)
    firsts[len(out)] = kept


@kernel(types.void(UINT64S, INT64S, types.uint64[::1], types.int64[::1], types.int64[::1], types.float64[::1]))
def vocabulary(hashes_, firsts, table_, slots_, distinct, entropy):  # type: ignore[no-untyped-def]
    """Different words of each document, and the entropy of their frequencies in nats (summed in order of appearance).

    `table` (4 uint64 per word of the longest document, cleared) and `slots` (one per word) are scratch.
    """
    hashes, table, slots = address(hashes_), address(table_), address(slots_)
    for row in range(len(distinct)):
        first, n = firsts[row], firsts[row + 1] - firsts[row]
        size = 64
        while size < 2 * n:
            size <<= 1
        stamp = row + 1
        found = 0
        for k in range(n):
            key = u64(hashes, first + k)
            slot = find(table, size - 1, stamp, key)
            if not seen(table, slot, stamp, key):
                set_i64(slots, found, slot)
                found += 1
            count(table, slot, stamp, key)
        distinct[row] = found
        total = 0.0
        for k in range(found):
            share = np.int64(u64(table, 2 * i64(slots, k) + 1) & np.uint64(0xFFFFFFFF)) / n
            total -= share * math.log(share)
        entropy[row] = total


class PlainWords:
    """The words of each text by one of the rules above: `COLUMNS` as attributes, and what `repetition` needs."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray, mode: int, stop_words: tuple[str, ...] = ()) -> None:
        n = len(offsets) - 1
        room = int(np.minimum(np.diff(offsets), MAX_WORDS).sum())
        self.hashes, self.lengths = np.empty(room, np.uint64), np.empty(room, np.int32)
        self.firsts = np.empty(n + 1, np.int64)
        self.counts = np.zeros((n, len(COLUMNS)), np.int64)
        keys, bits = stop_tables(stop_words, hash_of_word)
        plain_words(
            data, offsets, mode, classes(), lower_case(), keys, bits, np.empty(LENGTHS, np.int64), self.hashes,
            self.lengths, self.firsts, self.counts,
        )  # fmt: skip

    def __getattr__(self, name: str) -> np.ndarray:
        if name in COLUMNS:
            return self.counts[:, COLUMNS.index(name)]
        raise AttributeError(name)

    def vocabulary(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of different words (int64) and entropy of their frequencies in nats (float64) of each document."""
        n = len(self.firsts) - 1
        most = int(np.diff(self.firsts).max(initial=0))
        size = 1 << max(6, (2 * most - 1).bit_length())
        distinct, entropy = np.zeros(n, np.int64), np.zeros(n)
        table, slots = np.zeros(2 * size, np.uint64), np.empty(most, np.int64)
        vocabulary(self.hashes, self.firsts, table, slots, distinct, entropy)
        return distinct, entropy


def hash_of_word(word: bytes) -> int:
    """Hash of a word as `plain_words` makes it, in Python."""
    mask = (1 << 64) - 1
    h = int(_SEED)
    length = len(word.decode())
    for k in range(0, len(word), 8):
        h = (h ^ int.from_bytes(word[k : k + 8], "little")) * 0xD6E8FEB86659FD93 & mask
        h ^= h >> 32
    h = (h ^ length * int(_LENGTH) & mask) * 0xD6E8FEB86659FD93 & mask
    return h ^ h >> 32
