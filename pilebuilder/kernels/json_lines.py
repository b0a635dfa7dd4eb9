"""JSON lines to columns: a validating byte scanner that decodes the text straight into an Arrow buffer.

It accepts a line only when every byte of it is JSON by RFC 8259 and nothing in it is unusual. Any other line (escaped
keys, a repeated text key, nesting beyond 64, numbers that a double cannot hold, broken syntax) is left to the caller,
who asks a general parser; so a text that comes from here is the text that parser would give. UTF-8 is checked by the
caller for a whole block at once.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64, INT64S, address, byte, device, i64, kernel, set_byte, set_i64
from pilebuilder.kernels.json_values import blank, copy, decode, past_value, string

PAD = 16
"""Bytes that must follow the data of a block, and that outputs must have beyond what they can hold."""
SLOTS = 5
"""Keys that become columns: text, id, url, date, licence, in this order."""
TEXT, ID = 0, 1
MISSING, STRING, ESCAPED, NUMBER, OTHER = 0, 1, 2, 3, 4

_OUT = types.Array(types.uint8, 1, "C")
_LONGS = types.Array(types.int64, 1, "C")
_SPANS = types.Array(types.int64, 2, "C")
_KINDS = types.Array(types.uint8, 2, "C")


@kernel(INT64(BYTES))
def newlines(b: np.ndarray) -> int:
    """How many newlines there are; LLVM makes vector code of it, ten times as fast as ``bytes.count``."""
    count = 0
    for i in range(len(b)):
        count += b[i] == 10
    return count


@device
def _same(b: int, start: int, end: int, keys: int, first: int, stop: int) -> bool:
    if end - start != stop - first:
        return False
    for k in range(end - start):  # noqa: SIM110 - compiled
        if byte(b, start + k) != byte(keys, first + k):
            return False
    return True


@device
def _holds(b: int, start: int, end: int, keys: int, first: int, stop: int) -> bool:
    """Whether the key stands in quotes anywhere in the span."""
    size = stop - first
    for i in range(start, end - size - 1):
        if byte(b, i) == 34 and byte(b, i + size + 1) == 34 and _same(b, i + 1, i + 1 + size, keys, first, stop):
            return True
    return False


@device
def _slot(b: int, start: int, end: int, keys: int, ends: int) -> int:
    """Which slot the key is for; `SLOTS` for the nested metadata, more for none."""
    first = 0
    for slot in range(SLOTS + 1):
        stop = i64(ends, slot)
        if _same(b, start, end, keys, first, stop):
            return slot
        first = stop
    return SLOTS + 1


@device
def _claim(b: int, start: int, end: int, slot: int, escaped: bool, spans: int, kinds: int, row: int) -> int:
    """Note a slot's value. 0: it is a column and not metadata; 1: it is metadata (too); -1: it is there twice."""
    place = row * SLOTS + slot
    if byte(kinds, place) != MISSING:
        return -1
    c = byte(b, start)
    kind = OTHER
    if c == 34:
        kind = ESCAPED if escaped else STRING
    elif c == 45 or 48 <= c <= 57:
        kind = NUMBER
    set_byte(kinds, place, kind)
    set_i64(spans, 2 * place, start)
    set_i64(spans, 2 * place + 1, end)
    if slot == ID:
        return 1 if kind != OTHER or c != 110 else 0
    return 0 if kind in (STRING, ESCAPED) or c == 110 else 1


@device
def _lone(
    b: int, start: int, end: int, keys: int, ends: int, meta: int, m: int, spans: int, kinds: int, row: int
) -> int:
    """Write the nested object (`start` to `end`) as the metadata, after the id if there is one.

    The end of the metadata, or -1 if the object may hold a key of its own that is named like the id's.
    """
    place = row * SLOTS + ID
    kind = byte(kinds, place)
    if kind == MISSING or (kind == OTHER and byte(b, i64(spans, 2 * place)) == 110):
        return copy(b, start, end, meta, m)
    first, stop = i64(ends, ID - 1), i64(ends, ID)
    if kind == OTHER or _holds(b, start, end, keys, first, stop):
        return -1
    set_byte(meta, m, 123)
    set_byte(meta, m + 1, 34)
    m = copy(keys, first, stop, meta, m + 2)
    set_byte(meta, m, 34)
    set_byte(meta, m + 1, 58)
    m = copy(b, i64(spans, 2 * place), i64(spans, 2 * place + 1), meta, m + 2)
    if byte(b, blank(b, start + 1)) != 125:
        set_byte(meta, m, 44)
        m += 1
    return copy(b, start + 1, end, meta, m)


@device
def _line(
    b: int, i: int, keys: int, ends: int, text: int, o: int, meta: int, m: int, spans: int, kinds: int, row: int
) -> tuple[int, int, int]:
    """One object: (byte after it, end of text, end of meta); a negative first value leaves the line to the caller."""
    begin, brace = o, m
    for slot in range(SLOTS):
        set_byte(kinds, row * SLOTS + slot, MISSING)
    others = lone_start = lone_end = 0
    c = 44
    while c == 44:
        start = blank(b, i + 1)
        if byte(b, start) != 34:
            return -1, o, m
        close = string(b, start + 1)
        if close <= 0:
            return -1, o, m
        slot = _slot(b, start + 1, close - 1, keys, ends)
        i = blank(b, close)
        if byte(b, i) != 58:
            return -1, o, m
        value = blank(b, i + 1)
        if slot == TEXT:
            if byte(b, value) != 34 or o != begin:
                return -1, o, m
            i, o = decode(b, value + 1, text, o)
        else:
            escaped = False
            if byte(b, value) == 34:
                i = string(b, value + 1)
                escaped = i < 0
                i = abs(i) if i else -1
            else:
                i = past_value(b, value)
        if i < 0:
            return -1, o, m
        keep = slot != TEXT
        if keep and slot < SLOTS:
            claimed = _claim(b, value, i, slot, escaped, spans, kinds, row)
            if claimed < 0:
                return -1, o, m
            keep = claimed > 0
        if keep:
            set_byte(meta, m, 44)
            m = copy(b, start, i, meta, m + 1)
            others += slot != ID
            if slot == SLOTS and byte(b, value) == 123:
                lone_start, lone_end = value, i
        i = blank(b, i)
        c = byte(b, i)
    i = blank(b, i + 1)
    while begin < o and byte(text, begin) <= 32:
        begin += 1
    if c != 125 or byte(b, i) != 10 or o == begin:
        return -1, o, m
    if others == 1 and lone_end:
        alone = _lone(b, lone_start, lone_end, keys, ends, meta, brace, spans, kinds, row)
        if alone > 0:
            return i, o, alone
        return -1, o, m
    if m == brace:
        m += 1
    set_byte(meta, brace, 123)
    set_byte(meta, m, 125)
    return i, o, m + 1


@kernel(
    types.UniTuple(INT64, 3)(
        BYTES, INT64, BYTES, INT64S, _OUT, _LONGS, _OUT, _LONGS, _SPANS, _KINDS, _SPANS, _SPANS
    )
)  # fmt: skip
def scan(
    b: np.ndarray, n: int, keys: np.ndarray, ends: np.ndarray, text: np.ndarray, text_ends: np.ndarray,
    meta: np.ndarray, meta_ends: np.ndarray, spans: np.ndarray, kinds: np.ndarray, lines: np.ndarray, left: np.ndarray,
) -> tuple[int, int, int]:  # fmt: skip
    """Scan ``b[:n]``, whole lines each ending in a newline; `b` has `PAD` more bytes.

    `keys` holds the five slots' keys and the key of the nested metadata, `ends` where each ends. `text_ends` and
    `meta_ends` get one entry per document after a leading 0; `spans` and `kinds` say where the other slots' values
    are; `lines` (number, offset) where each document began. `left` lists lines for the caller: number, start, end,
    documents before it. Returns documents, lines left, lines in all.
    """
    at, keys_at, ends_at, spans_at, kinds_at = address(b), address(keys), address(ends), address(spans), address(kinds)
    text_at, meta_at = address(text), address(meta)
    row = skipped = number = 0
    i = o = m = 0
    text_ends[0] = 0
    meta_ends[0] = 0
    while i < n:
        start = i
        i = blank(at, i)
        c = byte(at, i)
        if c == 10:
            i += 1
            number += 1
            continue
        done = -1
        if c == 123:
            done, to, mo = _line(
                at, i, keys_at, ends_at, text_at, o, meta_at, m, spans_at, kinds_at, row
            )  # fmt: skip
            if done >= 0:
                o = to
                m = mo
                i = done + 1
                lines[row, 0] = number
                lines[row, 1] = start
                row += 1
                text_ends[row] = o
                meta_ends[row] = m
        if done < 0:
            while byte(at, i) != 10:
                i += 1
            left[skipped, 0] = number
            left[skipped, 1] = start
            left[skipped, 2] = i
            left[skipped, 3] = row
            skipped += 1
            i += 1
        number += 1
    return row, skipped, number


@kernel(types.void(BYTES, _SPANS, _KINDS, INT64, INT64, INT64, _OUT, _LONGS, types.Array(types.boolean, 1, "C")))
def gather(
    b: np.ndarray, spans: np.ndarray, kinds: np.ndarray, rows: int, slot: int, numbers: int,
    out: np.ndarray, ends: np.ndarray, there: np.ndarray,
) -> None:  # fmt: skip
    """Values of one slot as a column: strings decoded, numbers as written if `numbers`; anything else is null."""
    at, out_at = address(b), address(out)
    o = 0
    ends[0] = 0
    for row in range(rows):
        kind = kinds[row, slot]
        start = spans[row, 2 * slot]
        there[row] = True
        if kind == STRING:
            o = copy(at, start + 1, spans[row, 2 * slot + 1] - 1, out_at, o)
        elif kind == ESCAPED:
            _, o = decode(at, start + 1, out_at, o)
        elif kind == NUMBER and numbers:
            o = copy(at, start, spans[row, 2 * slot + 1], out_at, o)
        else:
            there[row] = False
        ends[row + 1] = o


@kernel(types.int64(BYTES, _SPANS, INT64, BYTES, _LONGS, types.Array(types.boolean, 1, "C"), INT64, _OUT, _LONGS))
def keys_of(
    prefix: np.ndarray, lines: np.ndarray, rows: int, ids: np.ndarray, id_ends: np.ndarray, there: np.ndarray,
    first: int, out: np.ndarray, ends: np.ndarray,
) -> int:  # fmt: skip
    """Record keys: the id where there is one, else ``prefix`` and the line's number (1 for the file's first)."""
    o = 0
    ends[0] = 0
    digits = np.empty(20, np.uint8)
    for row in range(rows):
        if there[row]:
            for k in range(id_ends[row], id_ends[row + 1]):
                out[o] = ids[k]
                o += 1
        else:
            for k in range(len(prefix)):
                out[o] = prefix[k]
                o += 1
            value = lines[row, 0] + first + 1
            count = 0
            while value > 0:
                digits[count] = 48 + value % 10
                value //= 10
                count += 1
            for k in range(count - 1, -1, -1):
                out[o] = digits[k]
                o += 1
        ends[row + 1] = o
    return o
