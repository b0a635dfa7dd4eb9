"""Where words lie in folded bytes (see `pilebuilder.kernels.folding`), and their hashes, eight at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pilebuilder.kernels.folding import (
    BUFFER,
    EDGES,
    HASHES,
    MULTIPLY,
    WORD_BYTES,
    U,
)
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.lanes import load8, nonzero64, places64, store8, trailing_zeros

MARGIN = 80
"""Bytes of room that `find_edges` needs behind the folded ones."""


@kernel(types.intp(EDGES, types.intp, types.intp))
def _cut_words(edges: Any, first: Any, count: Any) -> Any:
    """Cut words of more than `WORD_BYTES` into pieces, among the edges from `first` on; returns how many there are."""
    pieces = 0
    for k in range(first, count, 2):
        pieces += (edges[k + 1] - edges[k] - 1) // WORD_BYTES
    total = count + 2 * pieces
    to = total
    for k in range(count - 2, first - 2, -2):
        if to == k + 2:
            break  # nothing before is cut
        at, stop = edges[k], edges[k + 1]
        while stop > at:
            begin = at + (stop - at - 1) // WORD_BYTES * WORD_BYTES
            to -= 2
            edges[to], edges[to + 1] = begin, stop
            stop = begin
    return total


@kernel(types.intp(BUFFER, types.intp, types.intp, EDGES, types.intp))
def find_edges(folded: Any, start: Any, end: Any, edges: Any, count: Any) -> Any:
    """Append where words begin and end in ``folded[start:end]``, in turns; returns how many positions there are then.

    `end` and the `MARGIN` bytes behind it become 0; no word may reach back beyond `start`.
    """
    for k in range(0, MARGIN, 8):
        store8(folded, end + k, U(0))
    first = count
    before = U(0)  # whether the byte before this piece belongs to a word
    for at in range(start, end + 1, 64):
        inside = nonzero64(folded, at)
        change = inside ^ ((inside << U(1)) | before)
        before = inside >> U(63)
        count = places64(change, at, edges, count)
    return _cut_words(edges, first, count) if end - start > WORD_BYTES else count


_LANES = 8
_I64, _I32 = ir.IntType(64), ir.IntType(32)
_WORDS8 = ir.VectorType(_I64, _LANES)


def _all(value: int) -> Any:
    """A vector of one number."""
    return ir.Constant(_WORDS8, [value & ((1 << 64) - 1)] * _LANES)


def _load(builder: Any, base: Any, places: list[Any], ahead: int) -> Any:
    """Eight bytes from each of eight places, `ahead` bytes on; one by one, since processors gather more slowly."""
    found = ir.Constant(_WORDS8, ir.Undefined)
    for lane, place in enumerate(places):
        pointer = builder.gep(base, [builder.add(place, _I64(ahead))])
        bytes8 = builder.load(builder.bitcast(pointer, _I64.as_pointer()), align=1)
        found = builder.insert_element(found, bytes8, _I32(lane))
    return found


def _absorb(builder: Any, state: Any, bytes8: Any, size: Any) -> Any:
    """One round of the word hash over the first `size` bytes (1 .. 8) of each lane."""
    masks = builder.lshr(_all(-1), builder.sub(_all(64), builder.shl(size, _all(3))))
    mixed = builder.mul(builder.xor(state, builder.and_(bytes8, masks)), _all(int(MULTIPLY)))
    return builder.xor(mixed, builder.lshr(mixed, _all(29)))


@intrinsic
def _hash8(typing: Any, folded: Any, edges: Any, word: Any, out: Any, to: Any) -> Any:
    """Hash the words number `word` .. `word` + 7 into ``out[to:to + 8]``; bits: those of more than 16 bytes, not done.

    The caller keeps within bounds: 16 edges from ``2 * word`` on, all of them places in `folded` with 16 bytes behind.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def data(k: int) -> Any:
            return context.make_array(signature.args[k])(context, builder, args[k]).data

        def least(x: Any, y: Any) -> Any:
            return builder.select(builder.icmp_unsigned("<", x, y), x, y)

        first = builder.gep(data(1), [builder.shl(args[2], _I64(1))])
        places = [builder.zext(builder.load(builder.gep(first, [_I64(2 * k)]), align=4), _I64) for k in range(_LANES)]
        # a word's begin in the low half of a lane, its end in the high half
        pair = builder.load(builder.bitcast(first, _WORDS8.as_pointer()), align=4)
        size = builder.sub(builder.lshr(pair, _all(32)), builder.and_(pair, _all(0xFFFFFFFF)))
        short = _absorb(builder, _all(0), _load(builder, data(0), places, 0), least(size, _all(8)))
        more = builder.icmp_unsigned(">", size, _all(8))
        rest = least(builder.select(more, builder.sub(size, _all(8)), _all(8)), _all(8))
        long = _absorb(builder, short, _load(builder, data(0), places, 8), rest)
        to = builder.bitcast(builder.gep(data(3), [args[4]]), _WORDS8.as_pointer())
        builder.store(builder.select(more, long, short), to, align=8)
        return builder.zext(builder.bitcast(builder.icmp_unsigned(">", size, _all(16)), ir.IntType(8)), _I64)

    return types.uint64(folded, edges, types.intp, out, types.intp), generate


@kernel(types.void(BUFFER, EDGES, types.intp, HASHES, types.intp))
def hash_between(folded: Any, edges: Any, count: Any, out: Any, to: Any) -> None:
    """Hashes of the words between the first `count` edges into `out` from `to` on; seven more places are overwritten.

    A word of s bytes takes ceil(s / 8) rounds, each over eight bytes: xor, multiply, xor with itself shifted.
    """
    words = count >> 1
    for k in range(0, words, 8):
        longer = _hash8(folded, edges, k, out, to + k)
        while longer:
            word = k + trailing_zeros(longer)
            longer &= longer - U(1)
            if word < words:
                at, stop = np.intp(edges[2 * word]), np.intp(edges[2 * word + 1])
                h = out[to + word]  # of the first 16 bytes
                for i in range(at + 16, stop, 8):
                    h = (h ^ (load8(folded, i) & (~U(0) >> U(64 - 8 * min(stop - i, 8))))) * MULTIPLY
                    h ^= h >> U(29)
                out[to + word] = h
