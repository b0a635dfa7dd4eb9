"""Minima of affine maps of 32-bit hashes, a*h + b modulo 2^32: the heart of MinHash, in vectors of 16 permutations.

The minima of several vectors stay in registers while all hashes of a text pass by; each hash is loaded once for them.
LLVM makes of a vector what the processor has (one register with AVX-512, two with AVX2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pilebuilder.kernels.jit import kernel

U32 = np.uint32
HASHES = types.Array(types.uint64, 1, "C")
SIGNATURE = types.Array(types.uint32, 1, "C")

LANES, MOST = 16, 7
"""Permutations in a vector, and vectors lowered at a time: with multipliers and addends they fill 21 registers."""
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I32, LANES)
_UNDEFINED, _FIRST = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_VECTOR, [0] * LANES)


def _lowering(vectors: int) -> Any:
    """An intrinsic that lowers so many vectors of a signature, from permutation `at` on, by ``hashes[start:stop]``."""

    def lower(typing: Any, hashes: Any, start: Any, stop: Any, a: Any, b: Any, signature: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, kinds: Any, args: Any) -> Any:
            def place(k: int, index: Any) -> Any:
                return builder.gep(context.make_array(kinds.args[k])(context, builder, args[k]).data, [index])

            def parts(k: int) -> list[Any]:
                places = [place(k, builder.add(args[6], _I64(LANES * n))) for n in range(vectors)]
                return [builder.bitcast(p, _VECTOR.as_pointer()) for p in places]

            times, plus = ([builder.load(p, align=4) for p in parts(k)] for k in (3, 4))
            minima = [builder.load(p, align=4) for p in parts(5)]
            before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.cbranch(builder.icmp_signed("<", args[1], args[2]), body, after)

            builder.position_at_end(body)
            k, held = builder.phi(_I64), [builder.phi(_VECTOR) for _ in minima]
            one = builder.insert_element(_UNDEFINED, builder.load(place(0, k), align=4), _I32(0))
            hash_ = builder.shuffle_vector(one, _UNDEFINED, _FIRST)
            lowered = []
            for a_n, b_n, low in zip(times, plus, held, strict=True):
                value = builder.add(builder.mul(hash_, a_n), b_n)
                lowered.append(builder.select(builder.icmp_unsigned("<", value, low), value, low))
            following = builder.add(k, _I64(1))
            builder.cbranch(builder.icmp_signed("<", following, args[2]), body, after)
            for phi, first, later in zip([k, *held], [args[1], *minima], [following, *lowered], strict=True):
                phi.add_incoming(first, before)
                phi.add_incoming(later, body)

            builder.position_at_end(after)
            last = [builder.phi(_VECTOR) for _ in minima]
            for phi, first, later in zip(last, minima, lowered, strict=True):
                phi.add_incoming(first, before)
                phi.add_incoming(later, body)
            for phi, to in zip(last, parts(5), strict=True):
                builder.store(phi, to, align=4)
            return context.get_dummy_value()

        return types.void(hashes, types.intp, types.intp, a, b, signature, types.intp), generate

    lower.__doc__ = _lowering.__doc__
    return intrinsic(lower)


_lower_most, _lower_one = _lowering(MOST), _lowering(1)


@kernel(types.void(SIGNATURE, types.intp, types.intp, SIGNATURE, SIGNATURE, SIGNATURE))
def lower_affine(hashes: Any, start: Any, stop: Any, a: Any, b: Any, signature: Any) -> None:
    """Lower a signature to the least ``a*h + b`` of ``hashes[start:stop]``, where that is less (all uint32)."""
    j = 0
    while j + LANES * MOST <= len(a):
        _lower_most(hashes, start, stop, a, b, signature, j)
        j += LANES * MOST
    while j + LANES <= len(a):
        _lower_one(hashes, start, stop, a, b, signature, j)
        j += LANES
    for k in range(start, stop):
        h = hashes[k]
        for i in range(j, len(a)):
            signature[i] = min(U32(a[i] * h + b[i]), signature[i])


@kernel(types.void(HASHES, types.intp, SIGNATURE))
def premix(hashes: Any, count: Any, out: Any) -> None:
    """The low halves of the hashes through MurmurHash3's 32-bit finaliser, as datasketch does before affine maps."""
    for k in range(count):
        h = U32(hashes[k])
        h = U32((h ^ (h >> U32(16))) * U32(0x85EBCA6B))
        h = U32((h ^ (h >> U32(13))) * U32(0xC2B2AE35))
        out[k] = h ^ (h >> U32(16))
