"""Where GPT-2's pattern cuts text, as bits: blocks of 64 bytes are classified in vectors, and runs found by shifts.

The pattern is that of Radford et al. (2019):
``'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+``. It is
runs of letters, numbers or anything else, each with one space before it; white space but for its last character; and
seven English endings behind an apostrophe that begins a run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, address, byte, device, kernel, set_u64, trailing_zeros, u64
from pilebuilder.kernels.lanes import kinds64
from pilebuilder.kernels.utf8 import decode

LETTER, NUMBER, SPACE = 1, 2, 3
"""Classes of characters in the table that `cut` is given; all others are 0."""
_U = np.uint64
_ONE, _NONE, _TOP = _U(1), _U(0), _U(63)


@device
def _bit(words: Any, i: Any) -> Any:
    return u64(words, i >> 6) >> _U(i & 63) & _ONE


@device
def _set(words: Any, i: Any) -> Any:
    set_u64(words, i >> 6, u64(words, i >> 6) | _ONE << _U(i & 63))


@device
def _ending(d: Any, p: Any, size: Any, first: Any) -> Any:
    """Length of the English ending at the apostrophe `p`, or 0; it does not reach into the next document."""
    if p + 1 >= size or _bit(first, p + 1):
        return 0
    b = byte(d, p + 1)
    if b == 115 or b == 116 or b == 100 or b == 109:  # s t d m
        return 2
    if p + 2 >= size or _bit(first, p + 2):
        return 0
    c = byte(d, p + 2)
    return 3 if (b == 108 and c == 108) or ((b == 118 or b == 114) and c == 101) else 0  # ll ve re


@device
def _endings(d: Any, base: Any, found: Any, size: Any, first: Any, starts: Any) -> None:
    """Cut behind the endings at these apostrophes, and not before their letters."""
    while found:
        p = base + trailing_zeros(found)
        found &= found - _ONE
        n = _ending(d, p, size, first)
        if n:
            set_u64(starts, (p + 1) >> 6, u64(starts, (p + 1) >> 6) & ~(_ONE << _U((p + 1) & 63)))
            _set(starts, p + n)


@device
def _last(d: Any, i: Any, size: Any) -> Any:
    """`decode` where the text may end within the character, which only damaged text does."""
    b = byte(d, i)
    n = 2 if b < 0xE0 else 3 if b < 0xF0 else 4
    return decode(d, i) if i + n <= size else (0, size - i)


@kernel(types.void(BYTES, INT64S, BYTES, types.uint64[::1], types.uint64[::1]))
def cut(data: np.ndarray, offsets: np.ndarray, table: np.ndarray, first: np.ndarray, starts: np.ndarray) -> None:
    """Set the bit of each byte of `data` where a pretoken begins in `starts`, and of each document's first in `first`.

    `offsets` begin at 0; `table` is the class of each code point; both arrays of bits are zeros, one word longer than
    the 64ths of ``offsets[-1]``. The bit behind the last byte is set in both.
    """
    size = offsets[-1]
    d, f, out = address(data), address(first), address(starts)
    for row in range(len(offsets)):
        _set(f, offsets[row])
    tail = np.zeros(64, np.uint8)
    letters = numbers = spaces = others = blanks = highs = _NONE  # what the block before says of its last byte
    more_letters = more_numbers = more_blanks = _NONE  # what its last character says of the first bytes of this one
    waiting = _NONE  # apostrophes of the block before
    for k in range((size >> 6) + 1):
        at = k << 6
        if at + 64 <= size:
            letter, number, space, blank, mark, lead, high = kinds64(data, at)
        else:
            tail[: size - at] = data[at:size]
            letter, number, space, blank, mark, lead, high = kinds64(tail, 0)
        letter |= more_letters
        number |= more_numbers
        blank |= more_blanks
        more_letters = more_numbers = more_blanks = _NONE
        while lead:
            i = trailing_zeros(lead)
            lead &= lead - _ONE
            c, n = decode(d, at + i) if at + i + 4 <= size else _last(d, at + i, size)
            kind = table[c] if c < len(table) else 0
            run = (_ONE << _U(n)) - _ONE
            here, there = run << _U(i), run >> _U(64 - i) if i else _NONE
            if kind == LETTER:
                letter |= here
                more_letters = there
            elif kind == NUMBER:
                number |= here
                more_numbers = there
            elif kind == SPACE:
                blank |= here
                more_blanks = there
        other = ~(letter | number | blank)
        begins = u64(f, k)
        inner = ~begins
        after_letter, after_number = (letter << _ONE | letters) & inner, (number << _ONE | numbers) & inner
        after_other, after_blank = (other << _ONE | others) & inner, (blank << _ONE | blanks) & inner
        alone = ~((space << _ONE | spaces) & inner)  # no space before it that belongs to it
        runs = (letter & ~after_letter) | (number & ~after_number) | (other & ~after_other)
        ends = ~blank & after_blank  # the character before, which is white space, begins a pretoken
        wide = ends & (high << _ONE | highs)
        ends ^= wide
        set_u64(out, k, begins | (runs & alone) | (blank & ~after_blank) | ends >> _ONE)
        if ends & _ONE:
            set_u64(out, k - 1, u64(out, k - 1) | _ONE << _TOP)
        while wide:
            p = at + trailing_zeros(wide) - 1
            wide &= wide - _ONE
            while byte(d, p) & 0xC0 == 0x80:
                p -= 1
            _set(out, p)
        if waiting:
            _endings(d, at - 64, waiting, size, f, out)
        waiting = mark & ~after_other & alone
        letters, numbers, spaces, others = letter >> _TOP, number >> _TOP, space >> _TOP, other >> _TOP
        blanks, highs = blank >> _TOP, high >> _TOP
    if waiting:
        _endings(d, size & ~63, waiting, size, f, out)
