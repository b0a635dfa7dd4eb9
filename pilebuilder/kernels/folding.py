"""Folding: UTF-8 text to the bytes of its words in one normal form, by table and without branches for ASCII.

Normal form. A *word* is a longest run of letters, digits, ``_`` and combining marks (`str.isalnum`, Unicode
categories L, N and M), case-folded one code point at a time; format characters (soft hyphen, joiners, byte order
mark) are ignored; a character of a script that is written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) is a
word of its own. A word longer than `WORD_BYTES` is cut into pieces of that size. `reference_words` states the same in
plain Python, and the tests hold the kernels to it.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.lanes import (
    LANES,
    bits_set,
    fold64,
    leads64,
    load8,
    long64,
    store2,
    store8,
    trailing_zeros,
)
from pilebuilder.kernels.unicode import stored

WORD_BYTES = 4096

U = np.uint64
MULTIPLY, POLYNOMIAL = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
# Code points above this are unassigned or private, except format characters and marks of plane 14.
TABLE_SIZE = 0x33400
ALONE, IGNORED, POINT = np.uint32(1 << 31), np.uint32(1 << 30), np.uint32(0x1FFFFF)
# Scripts written without spaces between words, as ranges of code points.
UNSPACED = (
    (0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x3005, 0x3008), (0x3040, 0x3100), (0x31F0, 0x3200),
    (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0xFF66, 0xFF9E), (0x20000, 0x323B0),
)  # fmt: skip


@functools.cache
def fold_table() -> np.ndarray:
    """What each code point contributes to a word: its folded code point with flags, or 0 for a separator."""
    return stored("folding", _fold_table, (__file__,))


def _fold_table() -> np.ndarray:
    table = np.zeros(TABLE_SIZE, np.uint32)
    category = unicodedata.category
    for point in range(TABLE_SIZE):
        char = chr(point)
        if char.isalnum() or char == "_":
            folded = char.casefold()
            folded = folded if len(folded) == 1 else char.lower()
            table[point] = ord(folded) if len(folded) == 1 else point
        else:
            kind = category(char)
            if kind[0] == "M":
                table[point] = point
            elif kind == "Cf":
                table[point] = IGNORED
    for low, high in UNSPACED:
        part = table[low:high]
        part[(part != 0) & (part != IGNORED)] |= ALONE
    table.flags.writeable = False
    return table


@functools.cache
def fold_bytes() -> np.ndarray:
    """What each code point adds to the folded text: bytes (low seven), and how many (high byte); from `fold_table`."""
    table = fold_table().astype(np.uint64)
    point = table & U(POINT)
    size = np.ones(len(table), np.uint64)
    encoded = point.copy()
    for least, mark in ((0x80, 0xC0), (0x800, 0xE0), (0x10000, 0xF0)):
        more = point >= least
        size += more
        lead = point >> (U(6) * (size - U(1)))
        encoded = np.where(more, lead | U(mark), encoded)
    for place in (1, 2, 3):
        rest = (point >> (U(6) * np.maximum(size - U(1), U(place)) - U(6 * place))) & U(0x3F) | U(0x80)
        encoded |= np.where(size > place, rest << U(8 * place), U(0))
    alone = table & U(ALONE) != 0
    encoded = np.where(alone, encoded << U(8), encoded)
    size = np.where(table == IGNORED, U(0), np.where(alone, size + U(2), size))
    packed: np.ndarray = np.where(table == 0, U(1 << 56), np.where(size == 0, U(0), encoded | (size << U(56))))
    packed.flags.writeable = False
    return packed


def reference_words(text: str) -> list[bytes]:
    """The words of a text in UTF-8, in plain Python: the definition that kernels are tested against."""
    table = fold_table()
    pieces: list[str] = []
    for char in text:
        value = (
            int(table[ord(char)]) if ord(char) < TABLE_SIZE else int(IGNORED) * (unicodedata.category(char) == "Cf")
        )
        if value == IGNORED:
            continue
        folded = chr(value & int(POINT)) if value else " "
        pieces.append(f" {folded} " if value & int(ALONE) else folded)
    words = "".join(pieces).split(" ")
    return [w[i : i + WORD_BYTES] for w in (x.encode("utf-8", "surrogatepass") for x in words if x)
            for i in range(0, len(w), WORD_BYTES)]  # fmt: skip


BYTES = types.Array(types.uint8, 1, "C", readonly=True)
UINT32S = types.Array(types.uint32, 1, "C", readonly=True)
UINT64S = types.Array(types.uint64, 1, "C", readonly=True)


@kernel(types.uint64(types.uint64))
def mix64(h: Any) -> Any:
    """A bijection of 64-bit integers in which each input bit reaches each output bit (MurmurHash3's finaliser)."""
    h ^= h >> U(33)
    h *= U(0xFF51AFD7ED558CCD)
    h ^= h >> U(33)
    h *= U(0xC4CEB9FE1A85EC53)
    return h ^ (h >> U(33))


BUFFER = types.Array(types.uint8, 1, "C")
HASHES = types.Array(types.uint64, 1, "C")
COUNTS = types.Array(types.int64, 1, "C")
OFFSETS = types.Array(types.int64, 1, "C", readonly=True)
EDGES = types.Array(types.int32, 1, "C")
Pair = types.UniTuple(types.intp, 2)


# By the five high bits of a first byte: how many bytes the code point has (0: none begins so, taken as one).
_LENGTHS = np.array([1] * 16 + [1] * 8 + [2] * 4 + [3] * 2 + [4, 1], np.int64)
_LEAD = np.array([0, 0x7F, 0x1F, 0x0F, 0x07], np.int64)


_LOW = np.array([0] + [(1 << (8 * k)) - 1 for k in range(1, 5)], np.uint64)
"""Masks of the lowest 0 .. 4 bytes."""


@kernel(types.UniTuple(types.uint64, 2)(types.uint64), inline="always")
def _code_point(x: Any) -> Any:
    """Code point that the lowest bytes of `x` begin with, and how many bytes it has."""
    length = _LENGTHS[(x >> U(3)) & U(31)]
    c = (x & U(_LEAD[length])) << U(18)
    c |= ((x >> U(8)) & U(63)) << U(12)
    c |= ((x >> U(16)) & U(63)) << U(6)
    c |= (x >> U(24)) & U(63)
    return c >> U(24 - 6 * length), U(length)


@kernel(types.uint64(UINT64S, types.uint64), inline="always")
def _entry(table: Any, c: Any) -> Any:
    """What a code point adds to the folded text (see `fold_bytes`); beyond the table only tags are ignored."""
    return table[c] if c < U(TABLE_SIZE) else U(0 if U(0xE0001) <= c < U(0xE0080) else 1 << 56)


@kernel(types.intp(BYTES, types.intp, types.uint64, types.intp, UINT64S, BUFFER, types.intp), inline="always")
def _fold_in_place(data: Any, at: Any, other: Any, size: Any, table: Any, out: Any, end: Any) -> Any:
    """Put what is not ASCII (`other`: its bytes) into the `size` <= 64 bytes that `fold64` wrote to `out`.

    Most fold to as many bytes as they have, or separate words, which as many zeros do as well: no byte of the text
    moves. Returns how many bytes are right: up to the first character that takes more or fewer, or is cut off.
    """
    fold64(data, at, out, end + LANES)  # a copy to take what stands behind a character from
    leads, covered, count, done = leads64(data, at), U(0), U(0), size
    pairs = long64(data, at) == U(0)
    while leads and pairs:  # as below, for scripts of two bytes
        i = trailing_zeros(leads)
        leads &= leads - U(1)
        x = load8(data, at + i)
        entry = table[((x & U(0x1F)) << U(6)) | ((x >> U(8)) & U(0x3F))]
        if i + 2 > size or not (entry >> U(56) == U(2) or entry == U(1 << 56)):
            done, leads = min(i, size), U(0)
            break
        store2(out, end + i, entry)
        covered |= U(3) << U(i)
        count += U(2)
    while leads:
        i = trailing_zeros(leads)
        leads &= leads - U(1)
        c, length = _code_point(load8(data, at + i))
        entry = _entry(table, c)
        wide = entry >> U(56)
        if i + np.intp(length) > size or not (wide == length or entry == U(1 << 56)):
            done = min(i, size)
            break
        low = U(_LOW[length])
        store8(out, end + i, (load8(out, end + LANES + i) & ~low) | (entry & low))
        covered |= ((U(1) << length) - U(1)) << U(i)
        count += length
    if done and (covered != other & (~U(0) >> U(LANES - done)) or bits_set(covered) != count):
        return 0  # not UTF-8: one byte after the other
    return done


@kernel(Pair(BYTES, types.intp, types.intp, UINT64S, BUFFER, types.intp))
def fold_block(data: Any, at: Any, stop: Any, table: Any, out: Any, end: Any) -> Any:
    """Fold `data[at:stop]` to word bytes with 0 between words, appended to `out` at `end`; returns (at, end).

    Reads past the block to the end of the last code point. `out` needs room for twice the block and 160 bytes.
    """
    limit = len(data)
    while at < stop:
        edge = at + 8
        if at + LANES + 8 <= limit:  # may read behind the block: what is folded too much is overwritten next
            other = fold64(data, at, out, end)
            size = min(LANES, stop - at)
            done = size
            if other:
                done = _fold_in_place(data, at, other, size, table, out, end)
            at += done
            end += done
            if done >= LANES - 3 or at == stop:
                continue
            edge = at + 8 if bits_set(other >> U(done)) < 16 else at + LANES - done
        edge = min(edge, stop)
        while at < edge:
            if at + 8 <= limit:
                x = load8(data, at)
            else:
                x = U(0)
                for k in range(limit - at):
                    x |= U(data[at + k]) << U(8 * k)
            c, length = _code_point(x)
            entry = _entry(table, c)
            at += np.intp(length)
            store8(out, end, entry)
            end += np.intp(entry >> U(56))
    return at, end
