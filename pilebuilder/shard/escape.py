"""JSON strings from UTF-8 buffers, whole columns at a time (RFC 8259, section 7).

Escaped are what JSON requires: ``"``, the backslash, and U+0000 to U+001F, with the short forms where they exist.
Everything else stays as it is, so the text reads back exactly and non-ASCII text does not grow. Plain stretches move
eight bytes at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64S,
    address,
    byte,
    device,
    kernel,
    load8,
    set_byte,
    store8,
    trailing_zeros,
)

PAD = 16
"""Bytes that the output must have to spare: stores of eight bytes may overhang."""
HEAD = np.frombuffer(b'{"text":"', np.uint8).copy()

_EXTRA = np.zeros(256, np.uint8)  # bytes that escaping adds
_EXTRA[:32] = 5
_SHORT = np.zeros(256, np.uint8)
for _byte, _letter in zip(b'\b\t\n\f\r"\\', b'btnfr"\\', strict=True):
    _EXTRA[_byte], _SHORT[_byte] = 1, _letter
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
_U = np.uint64
_ONES, _TOPS = _U(0x0101010101010101), _U(0x8080808080808080)
_OUT = types.Array(types.uint8, 1, "C")
_PLACES = types.Array(types.int64, 1, "C")


@device
def _special(x: Any) -> Any:
    """Top bit of each byte that must be escaped; exact up to the lowest such byte, which is all that is used."""
    quote, slash = x ^ (_ONES * _U(34)), x ^ (_ONES * _U(92))
    found = ((x - _ONES * _U(32)) & ~x) | ((quote - _ONES) & ~quote) | ((slash - _ONES) & ~slash)
    return found & _TOPS


@device
def _escape(d: Any, at: Any, stop: Any, out: Any, to: Any) -> Any:
    """Write bytes at .. stop - 1 escaped; returns the end of the output."""
    while at < stop:
        if at + 8 <= stop:
            x = load8(d, at)
            store8(out, to, x)
            found = _special(x)
            if not found:
                at += 8
                to += 8
                continue
            plain = types.int64(trailing_zeros(found) >> _U(3))
            at += plain
            to += plain
        b = byte(d, at)
        at += 1
        if not _EXTRA[b]:
            set_byte(out, to, b)
            to += 1
            continue
        set_byte(out, to, 92)
        if _SHORT[b]:
            set_byte(out, to + 1, _SHORT[b])
            to += 2
        else:
            set_byte(out, to + 1, 117)  # u
            set_byte(out, to + 2, 48)
            set_byte(out, to + 3, 48)
            set_byte(out, to + 4, _HEX[b >> 4])
            set_byte(out, to + 5, _HEX[b & 15])
            to += 6
    return to


@device
def _size(data: Any, start: Any, stop: Any) -> Any:
    """Bytes that ``data[start:stop]`` takes between the quotes."""
    extra = 0
    for i in range(start, stop):
        extra += types.int64(_EXTRA[data[i]])
    return stop - start + extra


@kernel(types.void(BYTES, INT64S, _PLACES))
def escaped_offsets(data: Any, offsets: Any, out: Any) -> None:
    """Offsets of the escaped strings: ``out`` has one entry more than there are strings."""
    out[0] = 0
    for row in range(len(offsets) - 1):
        out[row + 1] = out[row] + _size(data, offsets[row], offsets[row + 1])


@kernel(types.void(BYTES, INT64S, _OUT))
def escape_column(data: Any, offsets: Any, out: Any) -> None:
    """All strings escaped, end to end; `out` has `PAD` bytes to spare."""
    d, o, to = address(data), address(out), 0
    for row in range(len(offsets) - 1):
        to = _escape(d, offsets[row], offsets[row + 1], o, to)


@kernel(types.void(BYTES, INT64S, BYTES, INT64S, BYTES, _PLACES))
def line_offsets(text: Any, text_at: Any, tail: Any, tail_at: Any, head: Any, out: Any) -> None:
    """Where each line begins: the head, the escaped text, and the rest of the line."""
    out[0] = 0
    for row in range(len(text_at) - 1):
        size = _size(text, text_at[row], text_at[row + 1])
        out[row + 1] = out[row] + len(head) + size + tail_at[row + 1] - tail_at[row]


@kernel(types.void(BYTES, INT64S, BYTES, INT64S, BYTES, _OUT))
def write_lines(text: Any, text_at: Any, tail: Any, tail_at: Any, head: Any, out: Any) -> None:
    """One JSON line per row; `tail` holds, per row, everything after the text: its closing quote to the newline."""
    d, t, o, to = address(text), address(tail), address(out), 0
    for row in range(len(text_at) - 1):
        for i in range(len(head)):
            out[to + i] = head[i]
        to = _escape(d, text_at[row], text_at[row + 1], o, to + len(head))
        at, stop = tail_at[row], tail_at[row + 1]
        while at + 8 <= stop:
            store8(o, to, load8(t, at))
            at += 8
            to += 8
        while at < stop:
            set_byte(o, to, byte(t, at))
            at += 1
            to += 1
