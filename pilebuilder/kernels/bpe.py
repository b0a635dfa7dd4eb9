"""Pretokens to ids: each kind of pretoken is merged once, and looked up from then on.

A pretoken of up to `SHORT` bytes is its own key in an open hash table, so that a hit compares no text; longer ones lie
in a second table with their bytes beside it. When the tables are full they are made anew, larger or without those
pretokens that were not met again: half of all words of a corpus occur once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import (
    BYTES,
    INT64S,
    UINT64S,
    address,
    byte,
    device,
    i64,
    inlined,
    kernel,
    load8,
    set_byte,
    set_i64,
    set_u32,
    set_u64,
    trailing_zeros,
    u32,
    u64,
)
from pilebuilder.kernels.lanes import copy16, prefetch
from pilebuilder.kernels.merging import FEW, LANE, advance, begin, finish, merge_many, parts
from pilebuilder.kernels.utf8 import hash_bytes, tail8

SHORT = 15
"""Bytes of the longest pretoken that is a key by itself; what is longer than `FEW` is merged each time."""
INLINE = 3
"""Ids that a row of the table holds; of a pretoken with more it says where they are."""
SPARE = 16
"""Elements behind the last that a copy of ids may touch."""
AHEAD = 256
"""Pretokens that are looked up together: their rows are asked for before the first of them is looked at."""
LANES = 8
"""New pretokens that are merged side by side."""
SCRATCH = 4 * (AHEAD + 1) + AHEAD + LANES * LANE
"""Elements of the scratch array `plans`: a row for each pretoken, those that are new, and the lanes."""
PLAN = LANE - 1
"""Field of a lane: the pretoken in it."""
DONE, FULL, LARGE = 0, 1, 2
"""Why `encode` returned: all is encoded; the tables are full; a pretoken is longer than the scratch space."""
POSITION, IDS, DOCUMENT, USED, LONGER, STORED, KEPT, WIDTH, ROOM = range(9)
"""What the state holds: where to go on, ids so far and documents begun; rows of both tables, ids stored, bytes kept;
the bytes of a pretoken that needs more space; then the most that USED, LONGER, STORED and KEPT may be."""
ONCE, MET = 1 << 30, 1 << 31
"""Beside the number of ids of a pretoken: it was met once, or again since the tables were made."""

_U = np.uint64
_ONE, _HALF, _NONE, _WORD = _U(1), _U(32), ~_U(0), _U(0xFFFFFFFF)
_K1, _K2 = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F)
_LOW = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(SHORT + 1)], np.uint64)
_HIGH = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(SHORT + 1)], np.uint64)
TABLE = types.Array(types.uint64, 2, "C")


@device
def _slot(low: Any, high: Any, shift: Any) -> Any:
    h = low * _K1 ^ high * _K2
    return types.int64((h ^ h >> _HALF) * _K1 >> shift)


@device
def _full(state: Any) -> Any:
    full = False
    for k in range(USED, KEPT + 1):
        full |= i64(state, k) >= i64(state, ROOM + k - USED)
    return full


@device
def _store(store: Any, state: Any, ids: Any, count: Any) -> Any:
    """Put ids behind those stored; returns where."""
    at = i64(state, STORED)
    for i in range(count):
        set_u32(store, at + i, u32(ids, i))
    set_i64(state, STORED, at + count)
    return at


@device
def _keep(kept: Any, state: Any, text: Any, s: Any, width: Any) -> Any:
    """Put bytes behind those kept; returns where (and how many), as a row of the longer has it."""
    at = i64(state, KEPT)
    for i in range(width):
        set_byte(kept, at + i, byte(text, s + i))
    set_i64(state, KEPT, at + width)
    return _U(at) << _HALF | _U(width)


@device
def _same(d: Any, s: Any, width: Any, kept: Any, place: Any) -> Any:
    at, same = types.int64(place >> _HALF), types.int64(place & _WORD) == width
    i = 0
    while same and i < width:
        same = byte(d, s + i) == byte(kept, at + i)
        i += 1
    return same


@device
def _look_ahead(d: Any, s: Any, size: Any, starts: Any, words: Any, shift: Any, plans: Any) -> Any:
    """Fill rows of `plans` (start, row of a table, low bytes, high bytes and width) for the pretokens from `s` on, and
    ask for their rows; the start of the one behind them stands in the row behind. Returns their number."""
    n = 0
    k = (s + 1) >> 6
    left = u64(starts, k) & _NONE << _U((s + 1) & 63)
    while s < size and n < AHEAD:
        while left == 0:
            k += 1
            left = u64(starts, k)
        e = (k << 6) + trailing_zeros(left)
        left &= left - _ONE
        width = e - s
        low = high = _U(0)
        row = 0
        if width <= SHORT:
            if s + 16 <= size:
                low, high = load8(d, s) & _LOW[width], load8(d, s + 8) & _HIGH[width]
            else:
                low = tail8(d, s, e, size) if width < 8 else load8(d, s)
                high = tail8(d, s + 8, e, size) if width > 8 else _U(0)
            high |= _U(width) << _U(56)
            row = words[0] + 32 * _slot(low, high, shift)
            prefetch(row)
        elif width <= FEW:
            low = hash_bytes(d, s, e, size) | _ONE
            row = words[2] + 32 * (types.int64(low >> _U(20)) & words[3])
            prefetch(row)
        plan = plans + 32 * n
        set_i64(plan, 0, s)
        set_i64(plan, 1, row)
        set_u64(plan, 2, low)
        set_u64(plan, 3, high)
        s = e
        n += 1
    set_i64(plans + 32 * n, 0, s)
    return n


@device
def _find(d: Any, plans: Any, ahead: Any, words: Any, fresh: Any) -> Any:
    """Find the row of each pretoken, or take a free one and note that it is `fresh`; returns how many of these."""
    new = 0
    for k in range(ahead):
        plan = plans + 32 * k
        row, low, high = i64(plan, 1), u64(plan, 2), u64(plan, 3)
        if high:
            while u64(row, 1) != high or u64(row, 0) != low:
                if u64(row, 1) == 0:
                    set_u64(row, 0, low)
                    set_u64(row, 1, high)
                    set_i64(fresh, new, k)
                    new += 1
                    break
                row += 32
                if row == words[0] + 32 * words[1]:
                    row = words[0]
            set_i64(plan, 1, row)
            if u32(row, 7) & 0xFF > INLINE:
                prefetch(words[4] + 4 * u32(row, 4))
        elif row:
            s, width = i64(plan, 0), i64(plan, 4) - i64(plan, 0)
            while u64(row, 0) != low or not _same(d, s, width, words[5], u64(row, 1)):
                if u64(row, 0) == 0:
                    set_u64(row, 0, low)
                    set_u64(row, 1, _keep(words[5], words[6], d, s, width))
                    set_i64(fresh, new, k)
                    new += 1
                    break
                row += 32
                if row == words[2] + 32 * (words[3] + 1):
                    row = words[2]
            set_i64(plan, 1, row)
    return new


@device
def _learn(d: Any, plans: Any, fresh: Any, new: Any, words: Any, merges: Any, lanes: Any) -> None:
    """Merge the fresh pretokens, some at a time by turns: while one waits for the table of pairs, others go on."""
    state, begun = words[6], 0
    for lane in range(LANES):
        set_i64(lanes + 8 * LANE * lane, PLAN, -1)
    active = min(new, LANES)
    while active:
        for number in range(LANES):
            lane = lanes + 8 * LANE * number
            if i64(lane, PLAN) >= 0:
                if advance(lane, merges):
                    continue
                count, plan = finish(lane), plans + 32 * i64(lane, PLAN)
                row = i64(plan, 1)
                if u64(plan, 3):
                    for i in range(min(count, INLINE)):
                        set_u32(row, 4 + i, u32(lane, i))
                    if count > INLINE:
                        set_u32(row, 4, _store(words[4], state, lane, count))
                    set_i64(state, USED, i64(state, USED) + 1)
                else:
                    set_u32(row, 4, _store(words[4], state, lane, count))
                    set_i64(state, LONGER, i64(state, LONGER) + 1)
                set_u32(row, 7, count)
                set_i64(lane, PLAN, -1)
                active -= begun >= new
            if begun < new:
                plan = plans + 32 * i64(fresh, begun)
                begin(lane, d, i64(plan, 0), i64(plan, 4) - i64(plan, 0), merges)
                set_i64(lane, PLAN, i64(fresh, begun))
                begun += 1


@inlined
def _emit(plan: Any, store: Any, out: Any) -> Any:
    """Write the ids of a pretoken whose row is known, and note that it was met; returns their number."""
    row = i64(plan, 1)
    count = u32(row, 7)
    if count < MET:
        set_u32(row, 7, count + ONCE)
    count &= 0xFF
    if u64(plan, 3) == 0:
        for i in range(count):
            set_u32(out, i, u32(store, u32(row, 4) + i))
    elif count <= INLINE:
        set_u64(out, 0, u64(row, 2))
        set_u64(out, 1, u64(row, 3))
    else:
        copy16(out, store + 4 * u32(row, 4))
    return count


@kernel(
    types.int64(
        BYTES, INT64S, UINT64S, UINT64S, TABLE, TABLE, types.uint32[::1], types.uint8[::1], types.int64[::1],
        types.uint64[::1], types.uint32[::1], types.uint64[::1], types.uint32[::1], types.int64[::1],
    )
)  # fmt: skip
def encode(data, offsets, starts, merges, table, longer, store, kept, state, plans, ids, heap, out, ends):  # type: ignore[no-untyped-def]
    """Ids of the pretokens that begin at the bits of `starts` into `out`, and where documents end in it into `ends`.

    `table` has rows of low bytes, high bytes and width, ids and their number; `longer` rows of hash, place in `kept`
    and width, place in `store`, and number. Returns `DONE`, or why it must be called again after something was done.
    """
    size = offsets[-1]
    d, to, plan, bits = address(data), address(out), address(plans), address(starts)
    fresh = plan + 32 * (AHEAD + 1)
    pairs, lanes = parts(merges), fresh + 8 * AHEAD
    words = (
        address(table), len(table), address(longer), len(longer) - 1, address(store), address(kept), address(state),
    )  # fmt: skip
    shift = _U(64 - trailing_zeros(_U(len(table))))
    s, n, row = state[POSITION], state[IDS], state[DOCUMENT]
    reason = DONE
    while s < size and reason == DONE:
        if _full(words[6]):
            reason = FULL
            break
        ahead = _look_ahead(d, s, size, bits, words, shift, plan)
        new = _find(d, plan, ahead, words, fresh)
        if new:
            _learn(d, plan, fresh, new, words, pairs, lanes)
        for k in range(ahead):
            here = plan + 32 * k
            s, e = i64(here, 0), i64(here, 4)
            while s >= offsets[row]:
                ends[row] = n
                row += 1
            if i64(here, 1):
                count = _emit(here, words[4], to + 4 * n)
            elif 4 * (e - s) <= len(ids):
                count = merge_many(d, s, e - s, pairs, address(ids), address(heap))
                out[n : n + count] = ids[:count]
            else:
                state[WIDTH] = e - s
                reason = LARGE
                break
            n += count
            s = e
    if s >= size:
        ends[row:] = n
    state[POSITION], state[IDS], state[DOCUMENT] = s, n, row
    return reason


@device
def _move_short(row: Any, words: Any, shift: Any) -> None:
    table, last, state = words[0], words[1] - 1, words[6]
    at = _slot(u64(row, 0), u64(row, 1), shift)
    while u64(table, 4 * at + 1) != 0:
        at = (at + 1) & last
    new, count = table + 32 * at, u32(row, 7) & 0xFF
    for i in range(4):
        set_u64(new, i, u64(row, i))
    if count > INLINE:
        set_u32(new, 4, _store(words[4], state, words[7] + 4 * u32(row, 4), count))
    set_u32(new, 7, count)
    set_i64(state, USED, i64(state, USED) + 1)


@device
def _move_long(row: Any, words: Any) -> None:
    longer, last, kept, state = words[2], words[3], words[5], words[6]
    at = types.int64(u64(row, 0) >> _U(20)) & last
    while u64(longer, 4 * at) != 0:
        at = (at + 1) & last
    new, count = longer + 32 * at, u32(row, 7) & 0xFF
    width, place = types.int64(u64(row, 1) & _WORD), types.int64(u64(row, 1) >> _HALF)
    set_u64(new, 0, u64(row, 0))
    set_u64(new, 1, _keep(kept, state, words[8], place, width))
    set_u32(new, 4, _store(words[4], state, words[7] + 4 * u32(row, 4), count))
    set_u32(new, 7, count)
    set_i64(state, LONGER, i64(state, LONGER) + 1)


@kernel(
    types.void(
        TABLE, TABLE, types.uint32[::1], types.uint8[::1], TABLE, TABLE, types.uint32[::1], types.uint8[::1],
        types.int64[::1], types.int64,
    )
)  # fmt: skip
def move(table, longer, store, kept, new_table, new_longer, new_store, new_kept, state, least):  # type: ignore[no-untyped-def]
    """Put rows into empty tables, without their marks: those marked at least `least` (`MET`: met again; 0: all)."""
    words = (
        address(new_table), len(new_table), address(new_longer), len(new_longer) - 1, address(new_store),
        address(new_kept), address(state), address(store), address(kept),
    )  # fmt: skip
    shift = _U(64 - trailing_zeros(_U(len(new_table))))
    state[USED : KEPT + 1] = 0
    for number in range(len(table)):
        row = address(table) + 32 * number
        if u64(row, 1) and u32(row, 7) >= least:
            _move_short(row, words, shift)
    for number in range(len(longer)):
        row = address(longer) + 32 * number
        if u64(row, 0) and u32(row, 7) >= least:
            _move_long(row, words)
