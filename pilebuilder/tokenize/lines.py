"""Output shards back into columns: a compiled scanner for exactly the lines that the shard stage writes.

A line is ``{"text":"...","meta":{"pile_set_name":"...","id":"<32 hex digits>"...}}``. The scanner accepts nothing
else: a shard that was edited by hand is named, not half understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from pilebuilder.errors import TaskError
from pilebuilder.kernels.jit import BYTES, address, byte, device, kernel, load8, set_byte, store8, trailing_zeros

HEAD = np.frombuffer(b'{"text":"', np.uint8).copy()
MIDDLE = np.frombuffer(b'","meta":{"pile_set_name":"', np.uint8).copy()
NAME_END = np.frombuffer(b'","id":"', np.uint8).copy()

_U = np.uint64
_ONES, _TOPS = _U(0x0101010101010101), _U(0x8080808080808080)
_PLAIN = np.zeros(256, np.uint8)  # what the letter after a backslash stands for
for _letter, _byte in zip(b'btnfr"\\/', b'\b\t\n\f\r"\\/', strict=True):
    _PLAIN[_letter] = _byte
_HEX = np.full(256, 255, np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _HEX[_digit] = _value


@kernel(types.int64(BYTES, types.int64, types.int64, BYTES))
def _literal(data: np.ndarray, at: int, stop: int, wanted: np.ndarray) -> int:
    """The position after `wanted`, or -1."""
    if at < 0 or at + len(wanted) > stop:
        return -1
    for k in range(len(wanted)):
        if data[at + k] != wanted[k]:
            return -1
    return at + len(wanted)


@device
def _string(d: Any, at: Any, stop: Any, out: Any, to: Any) -> Any:
    """Unescape up to the closing quote: positions of that quote and of the end of the output; -1 if there is none."""
    while at < stop:
        if at + 8 <= stop:
            x = load8(d, at)
            store8(out, to, x)
            quote, slash = x ^ (_ONES * _U(34)), x ^ (_ONES * _U(92))
            # Top bit of each quote, backslash or control character; exact up to the lowest one, which is what is used.
            found = ((x - _ONES * _U(32)) & ~x) | ((quote - _ONES) & ~quote) | ((slash - _ONES) & ~slash)
            found &= _TOPS
            if not found:
                at += 8
                to += 8
                continue
            plain = types.int64(trailing_zeros(found) >> _U(3))
            at += plain
            to += plain
        b = byte(d, at)
        if b == 34:
            return at, to
        if b < 32:
            return -1, to
        if b != 92:
            set_byte(out, to, b)
            at += 1
        elif at + 1 < stop and _PLAIN[byte(d, at + 1)]:
            set_byte(out, to, _PLAIN[byte(d, at + 1)])
            at += 2
        else:  # the writer escapes only control characters this way: \u00XX
            if at + 6 > stop or byte(d, at + 1) != 117 or byte(d, at + 2) != 48 or byte(d, at + 3) != 48:
                return -1, to
            high, low = _HEX[byte(d, at + 4)], _HEX[byte(d, at + 5)]
            if high > 1 or low > 15:
                return -1, to
            set_byte(out, to, high << 4 | low)
            at += 6
        to += 1
    return -1, to


@kernel(
    types.int64(
        BYTES,
        BYTES,
        types.int64[::1],
        types.uint8[::1],
        types.int64[::1],
        types.int64[::1],
        types.int32[::1],
        types.uint8[:, ::1],
    )
)
def _scan(
    data: np.ndarray,
    names: np.ndarray,
    names_at: np.ndarray,
    out: np.ndarray,
    text_at: np.ndarray,
    line_at: np.ndarray,
    component: np.ndarray,
    ids: np.ndarray,
) -> int:
    """Fill the columns; returns the number of lines read, less than there are when one is not as written."""
    d, o = address(data), address(out)
    at = to = 0
    for row in range(len(component)):
        line_at[row] = at
        stop = at
        at = _literal(data, at, len(data), HEAD)
        if at < 0:
            return row
        at, to = _string(d, at, len(data), o, to)
        text_at[row + 1] = to
        at = _literal(data, at, len(data), MIDDLE)
        if at < 0:
            return row
        component[row] = -1
        for code in range(len(names_at) - 1):
            size = names_at[code + 1] - names_at[code]
            if at + size < len(data) and data[at + size] == 34:
                same = True
                for k in range(size):
                    same &= data[at + k] == names[names_at[code] + k]
                if same:
                    component[row] = code
                    at = _literal(data, at + size, len(data), NAME_END)
                    break
        if component[row] < 0 or at < 0 or at + 33 > len(data) or data[at + 32] != 34:
            return row
        for k in range(16):
            high, low = _HEX[data[at + 2 * k]], _HEX[data[at + 2 * k + 1]]
            if high > 15 or low > 15:
                return row
            ids[row, k] = (high << 4) | low
        stop = at + 33
        while stop < len(data) and data[stop] != 10:
            stop += 1
        if stop >= len(data) or data[stop - 1] != 125 or data[stop - 2] != 125:
            return row
        at = stop + 1
    line_at[len(component)] = at
    return len(component)


@dataclass(frozen=True, slots=True)
class Lines:
    """Documents of one batch of lines."""

    text: np.ndarray
    """UTF-8 bytes of all texts, end to end."""
    offsets: np.ndarray
    """Where each text begins in `text`; one more than documents (int64)."""
    component: np.ndarray
    """Index into the shard's components (int32)."""
    ids: np.ndarray
    """Document ids, 16 bytes each (uint8, documents x 16)."""
    starts: np.ndarray
    """Where each line begins in the shard's uncompressed content (int64)."""


class Scanner:
    """Scans lines whose components are known beforehand (they stand in the shard's facts)."""

    def __init__(self, components: list[str], where: str) -> None:
        import json

        quoted = [json.dumps(name, ensure_ascii=False).encode()[1:-1] for name in components]
        self.names = np.frombuffer(b"".join(quoted), np.uint8)
        self.names_at = np.cumsum([0, *map(len, quoted)])
        self.where, self.lines, self.bytes = where, 0, 0

    def scan(self, content: bytes) -> Lines:
        """Columns of whole lines; raises `TaskError` that names the first line that is not as written."""
        data = np.frombuffer(content, np.uint8)
        n = int(np.count_nonzero(data == 10))
        # A document takes at most as many bytes as its line, and stores of eight bytes may overhang.
        out = np.empty(len(data) + 8, np.uint8)
        text_at, line_at = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        component, ids = np.empty(n, np.int32), np.empty((n, 16), np.uint8)
        done = _scan(data, self.names, self.names_at, out, text_at, line_at, component, ids)
        if done < n or line_at[n] != len(data):
            raise TaskError(
                f"{self.where}: line {self.lines + min(done, n) + 1} is not as pilebuilder writes it; the file was"
                " changed after it was written: delete it and run the same command again"
            )
        starts = line_at[:n] + self.bytes
        self.lines, self.bytes = self.lines + n, self.bytes + len(data)
        return Lines(out[: text_at[n]], text_at, component, ids, starts)
