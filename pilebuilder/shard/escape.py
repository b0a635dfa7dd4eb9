"""JSON strings from UTF-8 buffers, whole columns at a time (RFC 8259, section 7).

Escaped are what JSON requires: ``"``, the backslash, and U+0000 to U+001F, with the short forms where they exist.
Everything else stays as it is, so the text reads back exactly and non-ASCII text does not grow.
"""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 16  # bytes tested and copied at once; a block with a byte to escape is written byte by byte

_WIDTH = np.ones(256, np.uint8)
_WIDTH[:32] = 6
_SHORT = np.zeros(256, np.uint8)
for _byte, _letter in zip(b'\b\t\n\f\r"\\', b'btnfr"\\', strict=True):
    _WIDTH[_byte], _SHORT[_byte] = 2, _letter
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()

_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_OFFSETS = numba.types.Array(numba.int64, 1, "C", readonly=True)
_OUT = numba.uint8[::1]


@numba.njit(numba.int64(_BYTES, numba.int64, numba.int64), cache=True, nogil=True)
def escaped_size(data: np.ndarray, start: int, stop: int) -> int:
    """Bytes that ``data[start:stop]`` takes between the quotes."""
    size = stop - start
    for i in range(start, stop):
        size += int(_WIDTH[data[i]]) - 1
    return size


@numba.njit(numba.int64(_BYTES, numba.int64, numba.int64, _OUT, numba.int64), cache=True, nogil=True)
def escape_into(data: np.ndarray, start: int, stop: int, out: np.ndarray, at: int) -> int:
    """Write ``data[start:stop]`` escaped at ``out[at:]``, which has `BLOCK` bytes to spare; returns the end."""
    i = start
    while i < stop:
        if i + BLOCK <= stop:
            special = False
            for k in range(BLOCK):
                byte = data[i + k]
                special |= (byte < 32) | (byte == 34) | (byte == 92)
                out[at + k] = byte
            if not special:
                i += BLOCK
                at += BLOCK
                continue
        for k in range(i, min(i + BLOCK, stop)):
            byte = data[k]
            if byte >= 32 and byte != 34 and byte != 92:
                out[at] = byte
                at += 1
            elif _SHORT[byte]:
                out[at] = 92
                out[at + 1] = _SHORT[byte]
                at += 2
            else:
                out[at] = 92
                out[at + 1] = 117  # u
                out[at + 2] = 48
                out[at + 3] = 48
                out[at + 4] = _HEX[byte >> 4]
                out[at + 5] = _HEX[byte & 15]
                at += 6
        i += BLOCK
    return at


@numba.njit(numba.void(_BYTES, _OFFSETS, numba.int64[::1]), cache=True, nogil=True)
def escaped_offsets(data: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    """Offsets of the escaped strings: ``out`` has one entry more than there are strings."""
    out[0] = 0
    for row in range(len(offsets) - 1):
        out[row + 1] = out[row] + escaped_size(data, offsets[row], offsets[row + 1])


@numba.njit(numba.void(_BYTES, _OFFSETS, _OUT), cache=True, nogil=True)
def escape_column(data: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    """All strings escaped, end to end."""
    at = 0
    for row in range(len(offsets) - 1):
        at = escape_into(data, offsets[row], offsets[row + 1], out, at)


@numba.njit(numba.void(_BYTES, _OFFSETS, _BYTES, _OFFSETS, numba.int64[::1]), cache=True, nogil=True)
def line_offsets(
    text: np.ndarray, text_at: np.ndarray, tail: np.ndarray, tail_at: np.ndarray, out: np.ndarray
) -> None:
    """Where each line begins: ``{"text":"`` (9 bytes), the escaped text, and the rest of the line."""
    out[0] = 0
    for row in range(len(text_at) - 1):
        size = escaped_size(text, text_at[row], text_at[row + 1])
        out[row + 1] = out[row] + 9 + size + tail_at[row + 1] - tail_at[row]


@numba.njit(numba.void(_BYTES, _OFFSETS, _BYTES, _OFFSETS, _OUT), cache=True, nogil=True)
def write_lines(text: np.ndarray, text_at: np.ndarray, tail: np.ndarray, tail_at: np.ndarray, out: np.ndarray) -> None:
    """One JSON line per row; `tail` holds, per row, everything after the text: its closing quote to the newline."""
    at = 0
    for row in range(len(text_at) - 1):
        out[at] = 123  # {"text":"
        out[at + 1] = 34
        out[at + 2] = 116
        out[at + 3] = 101
        out[at + 4] = 120
        out[at + 5] = 116
        out[at + 6] = 34
        out[at + 7] = 58
        out[at + 8] = 34
        at = escape_into(text, text_at[row], text_at[row + 1], out, at + 9)
        for i in range(tail_at[row], tail_at[row + 1]):
            out[at] = tail[i]
            at += 1
