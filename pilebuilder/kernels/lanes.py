"""What numba does not offer: bytes from any place, 64 at a time in vectors of LLVM, counts of bits, sums of floats."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


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
def store2(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the two lowest bytes of `value` at `index` of a uint8 array; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        short = ir.IntType(16)
        to = builder.bitcast(_address(context, builder, signature.args[0], *args[:2]), short.as_pointer())
        builder.store(builder.trunc(args[2], short), to, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


def _adder(lanes: int) -> Any:
    """An intrinsic that adds rows of so many float32 to those at an address, one row after the other: the rows at
    `base` whose numbers are the first `count` int64 at `places`, `stride` bytes apart."""

    def add(typing: Any, to: Any, base: Any, stride: Any, places: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            row = ir.VectorType(ir.FloatType(), lanes).as_pointer()
            target, numbers = builder.inttoptr(args[0], row), builder.inttoptr(args[3], ir.IntType(64).as_pointer())
            first = builder.load(target)
            first.align = 4
            total = cgutils.alloca_once_value(builder, first)
            with cgutils.for_range(builder, args[4]) as loop:
                place = builder.mul(builder.load(builder.gep(numbers, [loop.index])), args[2])
                value = builder.load(builder.inttoptr(builder.add(args[1], place), row))
                value.align = 4
                builder.store(builder.fadd(builder.load(total), value), total)
            builder.store(builder.load(total), target).align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return intrinsic(add)


add_rows1, add_rows16 = _adder(1), _adder(16)

_INT = ir.IntType(32)
_ROW = ir.VectorType(_INT, 16)


def _row(builder: Any, place: Any) -> Any:
    return builder.inttoptr(place, _ROW.as_pointer())


@intrinsic
def least16(typing: Any, place: Any) -> Any:
    """The least of the 16 uint32 at an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row = builder.load(_row(builder, args[0]), align=4)
        kind = ir.FunctionType(_INT, [_ROW])
        function = builder.module.declare_intrinsic("llvm.vector.reduce.umin.v16i32", (), kind)
        return builder.zext(builder.call(function, [row]), ir.IntType(64))

    return types.int64(types.int64), generate


@intrinsic
def prefetch(typing: Any, place: Any) -> Any:
    """Ask for the cache line at an address, which is read soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, _INT, _INT, _INT])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(function, [builder.inttoptr(args[0], pointer), _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def copy16(typing: Any, to: Any, place: Any) -> Any:
    """Copy 16 uint32 from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(builder.load(_row(builder, args[1]), align=4), _row(builder, args[0]), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


# Sixty-four bytes at a time, in the vector types of LLVM: it makes of them what the processor has.
LANES = 64
_BLOCK64 = ir.VectorType(ir.IntType(8), LANES)


def _all(byte: int) -> Any:
    """A vector of one byte."""
    return ir.Constant(_BLOCK64, [byte] * LANES)


def _vector(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.bitcast(_address(context, builder, kind, array, index), _BLOCK64.as_pointer())


def _spread(builder: Any, wide: Any, value: Any) -> Any:
    """A vector of one number that is known at run time."""
    empty = ir.Constant(wide, ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(empty, value, _INT(0)),
        empty,
        ir.Constant(ir.VectorType(_INT, wide.count), [0] * wide.count),
    )


def _mask(builder: Any, flags: Any) -> Any:
    return builder.bitcast(flags, ir.IntType(64))


@intrinsic
def nonzero64(typing: Any, array: Any, index: Any) -> Any:
    """Which of 64 bytes from `index` of a uint8 array are not 0, as bits; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_vector(context, builder, signature.args[0], *args), align=1)
        return _mask(builder, builder.icmp_unsigned("!=", x, _all(0)))

    return types.uint64(array, types.intp), generate


@intrinsic
def fold64(typing: Any, array: Any, index: Any, out: Any, end: Any) -> Any:
    """Fold 64 bytes into `out`: letters in lower case, digits and ``_`` as they are, all else 0; bits: not ASCII."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_vector(context, builder, signature.args[0], *args[:2]), align=1)
        low = builder.or_(x, _all(0x20))
        letter = builder.icmp_unsigned("<", builder.sub(low, _all(0x61)), _all(26))
        digit = builder.icmp_unsigned("<", builder.sub(x, _all(0x30)), _all(10))
        stays = builder.or_(digit, builder.icmp_unsigned("==", x, _all(0x5F)))
        folded = builder.select(letter, low, builder.select(stays, x, _all(0)))
        builder.store(folded, _vector(context, builder, signature.args[2], *args[2:]), align=1)
        return _mask(builder, builder.icmp_signed("<", x, _all(0)))

    return types.uint64(array, types.intp, out, types.intp), generate


def _at_least(byte: int, doc: str) -> Any:
    def compare(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x = builder.load(_vector(context, builder, signature.args[0], *args), align=1)
            return _mask(builder, builder.icmp_unsigned(">=", x, _all(byte)))

        return types.uint64(array, types.intp), generate

    compare.__doc__ = doc
    return intrinsic(compare)


leads64 = _at_least(0xC0, "Which of 64 bytes from `index` on begin a character of two bytes or more, as bits.")
long64 = _at_least(0xE0, "Which of them begin one of three bytes or more.")


def _compress(builder: Any, values: Any, bits: Any) -> Any:
    """The bytes of a vector whose bits are set, moved together."""
    name, lanes = "llvm.experimental.vector.compress.v64i8", ir.VectorType(ir.IntType(1), LANES)
    kind = ir.FunctionType(_BLOCK64, [_BLOCK64, lanes, _BLOCK64])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, [values, builder.bitcast(bits, lanes), _all(0)])


@intrinsic
def squeeze64(typing: Any, array: Any, index: Any, bits: Any, out: Any, end: Any) -> Any:
    """Copy those of 64 bytes whose bits are set into `out`, one after the other; what follows them becomes 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_vector(context, builder, signature.args[0], *args[:2]), align=1)
        to = _vector(context, builder, signature.args[3], *args[3:])
        builder.store(_compress(builder, x, args[2]), to, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64, out, types.intp), generate


@intrinsic
def places64(typing: Any, bits: Any, base: Any, out: Any, end: Any) -> Any:
    """Write `base` + the place of each set bit into the int32 array `out` from `end` on; returns the new end.

    Writes 64 elements, of which those behind the new end mean nothing.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(ir.IntType(32), LANES)
        places = builder.zext(_compress(builder, ir.Constant(_BLOCK64, list(range(LANES))), args[0]), wide)
        start = _spread(builder, wide, builder.trunc(args[1], ir.IntType(32)))
        data = context.make_array(signature.args[2])(context, builder, args[2]).data
        to = builder.bitcast(builder.gep(data, [args[3]]), wide.as_pointer())
        builder.store(builder.add(places, start), to, align=4)
        return builder.add(args[3], builder.ctpop(args[0]))

    return types.intp(types.uint64, types.intp, out, types.intp), generate


@intrinsic
def blank64(typing: Any, array: Any, index: Any, out: Any, end: Any) -> Any:
    """Copy 64 bytes into `out` with ASCII white space and control characters as spaces; returns which, as bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_vector(context, builder, signature.args[0], *args[:2]), align=1)
        blank = builder.icmp_unsigned("<=", x, _all(0x20))
        spaced = builder.select(blank, _all(0x20), x)
        builder.store(spaced, _vector(context, builder, signature.args[2], *args[2:]), align=1)
        return _mask(builder, blank)

    return types.uint64(array, types.intp, out, types.intp), generate


@intrinsic
def kinds64(typing: Any, array: Any, index: Any) -> Any:
    """Of 64 bytes from `index` of a uint8 array, as bits: ASCII letters, ASCII digits, spaces, all ASCII white space,
    apostrophes, bytes that begin a character above ASCII, and all above ASCII; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_vector(context, builder, signature.args[0], *args), align=1)

        def within(value: Any, first: int, count: int) -> Any:
            return builder.icmp_unsigned("<", builder.sub(value, _all(first)), _all(count))

        space = builder.icmp_unsigned("==", x, _all(0x20))
        flags = (
            within(builder.or_(x, _all(0x20)), 0x61, 26),
            within(x, 0x30, 10),
            space,
            builder.or_(space, within(x, 9, 5)),
            builder.icmp_unsigned("==", x, _all(0x27)),
            builder.icmp_unsigned(">=", x, _all(0xC0)),
            builder.icmp_signed("<", x, _all(0)),
        )
        masks = [_mask(builder, each) for each in flags]
        return context.make_tuple(builder, signature.return_type, masks)

    return types.UniTuple(types.uint64, 7)(array, types.intp), generate


@intrinsic
def equal64(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Which of 64 numbers from `index` of a uint32 array equal `value`, as bits; the caller keeps within bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(ir.IntType(32), LANES)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        numbers = builder.load(builder.bitcast(builder.gep(data, [args[1]]), wide.as_pointer()), align=4)
        return _mask(builder, builder.icmp_unsigned("==", numbers, _spread(builder, wide, args[2])))

    return types.uint64(array, types.intp, types.uint32), generate


@intrinsic
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Number of zero bits below the lowest one bit (64 for 0)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.intp(types.uint64), generate


@intrinsic
def bits_set(typing: Any, value: Any) -> Any:
    """Number of one bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.intp(types.uint64), generate
