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
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.unicode import stored

PIECE = 128
"""Bytes that are folded in one go when all are ASCII."""
WORD_BYTES = 4096

U = np.uint64
MULTIPLY, POLYNOMIAL = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
LOW7, HIGH, SPREAD = U(0x7F7F7F7F7F7F7F7F), U(0x8080808080808080), U(0xFF)
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


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.IntType(64).as_pointer())


@intrinsic
def load8(typing: Any, array: Any, index: Any) -> Any:
    """Eight bytes from `index` of a uint8 array as a little-endian integer; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *args), align=1)

    return types.uint64(array, types.intp), generate


@intrinsic
def store8(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes at `index` of a uint8 array; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature.args[0], *args[:2]), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


@intrinsic
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Number of zero bits below the lowest one bit (64 for 0)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.intp(types.uint64), generate


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


@kernel(types.uint64(types.uint64), inline="always")
def _fold_ascii(x: Any) -> Any:
    """Eight ASCII bytes: letters in lower case, digits and ``_`` as they are, everything else 0."""
    low = x | U(0x2020202020202020)
    alpha = (low + U(0x1F1F1F1F1F1F1F1F)) & ~(low + U(0x0505050505050505))  # high bit set: 'a' <= byte <= 'z'
    digit = (x + U(0x5050505050505050)) & ~(x + U(0x4646464646464646))
    under = ~((x ^ U(0x5F5F5F5F5F5F5F5F)) + U(0x7F7F7F7F7F7F7F7F)) & HIGH
    alpha = ((alpha & HIGH) >> U(7)) * SPREAD
    other = (((digit & HIGH) | under) >> U(7)) * SPREAD
    return (low & alpha) | (x & other)


@kernel(types.boolean(BYTES, types.intp))
def _is_ascii(data: Any, at: Any) -> Any:
    """Whether `PIECE` bytes from `at` are ASCII."""
    seen = U(0)
    for k in range(0, PIECE, 8):
        seen |= load8(data, at + k)
    return seen & HIGH == U(0)


# By the five high bits of a first byte: how many bytes the code point has (0: none begins so, taken as one).
_LENGTHS = np.array([1] * 16 + [1] * 8 + [2] * 4 + [3] * 2 + [4, 1], np.int64)
_LEAD = np.array([0, 0x7F, 0x1F, 0x0F, 0x07], np.int64)


@kernel(Pair(BYTES, types.intp, types.intp, UINT64S, BUFFER, types.intp))
def fold_block(data: Any, at: Any, stop: Any, table: Any, out: Any, end: Any) -> Any:
    """Fold `data[at:stop]` to word bytes with 0 between words, appended to `out` at `end`; returns (at, end).

    Reads past the block to the end of the last code point. `out` needs room for three times the block and 16 bytes.
    """
    limit = len(data)
    while at < stop:
        if at + PIECE <= stop and _is_ascii(data, at):
            for k in range(0, PIECE, 8):  # a fixed number of steps without branches: becomes vector code
                store8(out, end + k, _fold_ascii(load8(data, at + k)))
            at += PIECE
            end += PIECE
            continue
        if at + 8 <= stop:
            x = load8(data, at)
            if x & HIGH == U(0):
                store8(out, end, _fold_ascii(x))
                at += 8
                end += 8
                continue
        edge = min(at + 8, stop)
        while at < edge:
            if at + 8 <= limit:
                x = load8(data, at)
            else:
                x = U(0)
                for k in range(limit - at):
                    x |= U(data[at + k]) << U(8 * k)
            length = _LENGTHS[(x >> U(3)) & U(31)]
            c = np.int64(x & U(_LEAD[length])) << 18
            c |= np.int64((x >> U(8)) & U(63)) << 12
            c |= np.int64((x >> U(16)) & U(63)) << 6
            c |= np.int64((x >> U(24)) & U(63))
            c >>= 24 - 6 * length
            at += length
            entry = table[c] if c < TABLE_SIZE else U(0 if 0xE0001 <= c < 0xE0080 else 1 << 56)
            store8(out, end, entry)
            end += np.intp(entry >> U(56))
    return at, end
