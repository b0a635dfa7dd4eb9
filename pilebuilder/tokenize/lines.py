"""Output shards back into columns: a compiled scanner for exactly the lines that the shard stage writes.

A line is ``{"text":"...","meta":{"pile_set_name":"...","id":"<32 hex digits>"...}}``. The scanner accepts nothing
else: a shard that was edited by hand is named, not half understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from pilebuilder.errors import TaskError

BLOCK = 16
BATCH_BYTES = 8 << 20
"""JSON lines that are scanned and encoded at once."""
HEAD = np.frombuffer(b'{"text":"', np.uint8).copy()
MIDDLE = np.frombuffer(b'","meta":{"pile_set_name":"', np.uint8).copy()
NAME_END = np.frombuffer(b'","id":"', np.uint8).copy()

_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_PLAIN = np.zeros(256, np.uint8)  # what the letter after a backslash stands for
for _letter, _byte in zip(b'btnfr"\\/', b'\b\t\n\f\r"\\/', strict=True):
    _PLAIN[_letter] = _byte
_HEX = np.full(256, 255, np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _HEX[_digit] = _value


@numba.njit(numba.int64(_BYTES, numba.int64, numba.int64, _BYTES), cache=True, nogil=True)
def _literal(data: np.ndarray, at: int, stop: int, wanted: np.ndarray) -> int:
    """The position after `wanted`, or -1."""
    if at < 0 or at + len(wanted) > stop:
        return -1
    for k in range(len(wanted)):
        if data[at + k] != wanted[k]:
            return -1
    return at + len(wanted)


@numba.njit(
    numba.types.UniTuple(numba.int64, 2)(_BYTES, numba.int64, numba.int64, numba.uint8[::1], numba.int64),
    cache=True,
    nogil=True,
)
def _string(data: np.ndarray, at: int, stop: int, out: np.ndarray, to: int) -> tuple[int, int]:
    """Unescape up to the closing quote: positions of that quote and of the end of the output; -1 if there is none."""
    while at < stop:
        if at + BLOCK <= stop:
            special = False
            for k in range(BLOCK):
                byte = data[at + k]
                special |= (byte == 34) | (byte == 92) | (byte < 32)
                out[to + k] = byte
            if not special:
                at += BLOCK
                to += BLOCK
                continue
        last = min(at + BLOCK, stop)
        while at < last:
            byte = data[at]
            if byte == 34:
                return at, to
            if byte < 32:
                return -1, to
            if byte != 92:
                out[to] = byte
                at += 1
            elif at + 1 < stop and _PLAIN[data[at + 1]]:
                out[to] = _PLAIN[data[at + 1]]
                at += 2
            else:  # the writer escapes only control characters this way: \u00XX
                if at + 6 > stop or data[at + 1] != 117 or data[at + 2] != 48 or data[at + 3] != 48:
                    return -1, to
                high, low = _HEX[data[at + 4]], _HEX[data[at + 5]]
                if high > 1 or low > 15:
                    return -1, to
                out[to] = (high << 4) | low
                at += 6
            to += 1
    return -1, to


@numba.njit(
    numba.int64(
        _BYTES,
        _BYTES,
        numba.int64[::1],
        numba.uint8[::1],
        numba.int64[::1],
        numba.int64[::1],
        numba.int32[::1],
        numba.uint8[:, ::1],
    ),
    cache=True,
    nogil=True,
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
    at = to = 0
    for row in range(len(component)):
        line_at[row] = at
        stop = at
        at = _literal(data, at, len(data), HEAD)
        if at < 0:
            return row
        at, to = _string(data, at, len(data), out, to)
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
        # A document takes at most as many bytes as its line, and blocks of output may overhang by one block.
        out = np.empty(len(data) + BLOCK, np.uint8)
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


def contents(path: Path) -> Iterator[bytes]:
    """Uncompressed content of a shard in batches of whole frames, each batch ending a line."""
    import zstandard

    held: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        while block := reader.read(BATCH_BYTES):
            end = block.rfind(b"\n") + 1
            held.append(block[:end] if end else block)
            size += len(block)
            if end:
                yield b"".join(held)
                held = [block[end:]] if end < len(block) else []
    if held and any(held):
        raise TaskError(f"{path} ends within a line; it is cut short: delete it and run the same command again")
