"""Byte-pair encoding (Sennrich et al. 2016): the pair of lowest rank is merged first, leftmost among equals."""

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
    i64,
    inlined,
    kernel,
    leading_zeros,
    set_i64,
    set_u32,
    set_u64,
    trailing_zeros,
    u32,
    u64,
)
from pilebuilder.kernels.lanes import least16, prefetch

FEW = 64
"""Most bytes of a word in a lane. There, bits say which ids are left and a vector which pair is the best."""
LANE, WIDTH, ALIVE, AT, LEFT, RIGHT = 72, 64, 65, 66, 67, 68
"""64-bit words of a lane: ids and keys of pairs (rank << 6 | place), `FEW` uint32 each, then these fields."""
ID_BITS, RANK_BITS = 21, 22
"""Bits of an id and of a rank in the table of pairs: vocabularies of up to two million tokens."""
_U = np.uint64
_ONE, _HALF, _NONE, _WORD = _U(1), _U(32), ~_U(0), _U(0xFFFFFFFF)
_FACTOR = _U(0x9E3779B97F4A7C15)
_ID, _RANK = _U(ID_BITS), _U(RANK_BITS)
_RANKS = (_ONE << _RANK) - _ONE
NO_PAIR = int(_RANKS)
"""What `rank_of` gives for a pair that is not merged; all ranks are below."""
NO_KEY = NO_PAIR << 6
TWOS = 1 << 15
"""Elements of a table of merges that hold the keys of all pairs of bytes, two each."""


@device
def parts(table: Any) -> Any:
    """Where a table of merges (uint64) has ids of bytes, sieve and pairs, their masks, and keys of pairs of bytes.

    A pair is ``left << 43 | right << 22 | rank`` in an open hash table; the sieve has a bit for each.
    """
    slots = (len(table) - TWOS - 256) // 17 * 16
    letters = address(table) + 8 * TWOS
    sieve = letters + 8 * 256
    return letters, sieve, sieve + slots // 2, slots - 1, 4 * slots - 1, address(table)


@device
def _hash(left: Any, right: Any) -> Any:
    return (_U(left) << _ID | _U(right)) * _FACTOR


@inlined
def _expect(merges: Any, left: Any, right: Any) -> None:
    """Ask for what `rank_of` will read of a pair."""
    h = _hash(left, right)
    prefetch(merges[1] + 8 * ((types.int64(h >> _U(40)) & merges[4]) >> 6))
    prefetch(merges[2] + 8 * (types.int64(h >> _HALF) & merges[3]))


@inlined
def rank_of(merges: Any, left: Any, right: Any) -> Any:
    """Rank of a pair, which is the id of what it gives, or `NO_PAIR`."""
    h = _hash(left, right)
    sieve = types.int64(h >> _U(40)) & merges[4]
    if not u64(merges[1], sieve >> 6) >> _U(sieve & 63) & _ONE:
        return NO_PAIR
    at, key = types.int64(h >> _HALF) & merges[3], _U(left) << _ID | _U(right)
    while True:
        found = u64(merges[2], at)
        if found >> _RANK == key:
            return types.int64(found & _RANKS)
        if found == _NONE:
            return NO_PAIR
        at = (at + 1) & merges[3]


@inlined
def _key(lane: Any, k: Any, right: Any, merges: Any) -> Any:
    return rank_of(merges, u32(lane, k), u32(lane, right)) << 6 | k


@device
def begin(lane: Any, d: Any, s: Any, n: Any, merges: Any) -> None:
    """Put a word of `n` bytes, at most `FEW`, into a lane."""
    keys, before = lane + 4 * FEW, byte(d, s)
    set_u32(lane, 0, i64(merges[0], before))
    for k in range(1, n):
        letter = byte(d, s + k)
        set_u32(lane, k, i64(merges[0], letter))
        set_u32(keys, k - 1, u32(merges[5], before << 8 | letter) | (k - 1))
        before = letter
    for k in range(n - 1, (n + 15) & ~15):
        set_u32(keys, k, NO_KEY)
    set_i64(lane, WIDTH, n)
    set_u64(lane, ALIVE, _NONE >> _U(64 - n))
    set_i64(lane, AT, -1)


@inlined
def _rate(lane: Any, merges: Any) -> None:
    """Rate the pairs that the step before made, of which the table has been asked for since."""
    at, keys = i64(lane, AT), lane + 4 * FEW
    if at >= 0:
        left, right = i64(lane, LEFT), i64(lane, RIGHT)
        set_u32(keys, at, _key(lane, at, right, merges) if right >= 0 else NO_KEY)
        if left >= 0:
            set_u32(keys, left, _key(lane, left, at, merges))


@device
def advance(lane: Any, merges: Any) -> Any:
    """Merge the best pair of the word in a lane; False if there is none."""
    _rate(lane, merges)
    keys = lane + 4 * FEW
    best = least16(keys)
    if i64(lane, WIDTH) > 16:
        for block in range(1, (i64(lane, WIDTH) + 15) >> 4):
            best = min(best, least16(keys + 64 * block))
    if best >= NO_KEY:
        return False
    k = best & 63
    alive = u64(lane, ALIVE)
    gone = k + 1 + trailing_zeros(alive >> _U(k + 1))
    alive ^= _ONE << _U(gone)
    set_u64(lane, ALIVE, alive)
    set_u32(lane, k, best >> 6)
    set_u32(keys, gone, NO_KEY)
    rest, below = alive >> _U(gone), alive & ((_ONE << _U(k)) - _ONE)
    left = right = -1
    if rest:
        right = gone + trailing_zeros(rest)
        _expect(merges, best >> 6, u32(lane, right))
    if below:
        left = 63 - leading_zeros(below)
        _expect(merges, u32(lane, left), best >> 6)
    set_i64(lane, AT, k)
    set_i64(lane, LEFT, left)
    set_i64(lane, RIGHT, right)
    return True


@device
def finish(lane: Any) -> Any:
    """Move the ids of the word in a lane to its beginning; returns their number."""
    alive, count = u64(lane, ALIVE), 0
    while alive:
        set_u32(lane, count, u32(lane, trailing_zeros(alive)))
        alive &= alive - _ONE
        count += 1
    return count


@device
def _push(heap: Any, n: Any, key: Any) -> Any:
    k = n
    while k > 0 and u64(heap, (k - 1) >> 1) > key:
        set_u64(heap, k, u64(heap, (k - 1) >> 1))
        k = (k - 1) >> 1
    set_u64(heap, k, key)
    return n + 1


@device
def _pop(heap: Any, n: Any) -> Any:
    """Remove the least key, which the caller has read; returns how many are left."""
    n -= 1
    key = u64(heap, n)
    k = 0
    while 2 * k + 1 < n:
        child = 2 * k + 1
        if child + 1 < n and u64(heap, child + 1) < u64(heap, child):
            child += 1
        if u64(heap, child) >= key:
            break
        set_u64(heap, k, u64(heap, child))
        k = child
    set_u64(heap, k, key)
    return n


@device
def _offer(k: Any, right: Any, n: Any, merges: Any, ids: Any, ranks: Any, heap: Any, waiting: Any) -> Any:
    """Note the rank of the pair at `k`, and put it among those that wait; returns how many those are."""
    r = rank_of(merges, u32(ids, k), u32(ids, right)) if right < n else NO_PAIR
    set_u32(ranks, k, r)
    return _push(heap, waiting, _U(r) << _HALF | _U(k)) if r != NO_PAIR else waiting


@device
def merge_many(d: Any, s: Any, n: Any, merges: Any, ids: Any, heap: Any) -> Any:
    """Ids of any number of bytes in `ids` (uint32), in time of n log n: a heap of pairs over a linked list.

    Returns their number. `ids` has room for 4 `n` numbers (ids, next, previous, ranks by place), `heap` for 3 `n`.
    """
    after, before, ranks = ids + 4 * n, ids + 8 * n, ids + 12 * n
    waiting = 0
    for k in range(n):
        set_u32(ids, k, i64(merges[0], byte(d, s + k)))
        set_u32(after, k, k + 1)
        set_u32(before, k, k - 1)
    for k in range(n):
        waiting = _offer(k, k + 1, n, merges, ids, ranks, heap, waiting)
    while waiting:
        key = u64(heap, 0)
        waiting = _pop(heap, waiting)
        k, rank = types.int64(key & _WORD), types.int64(key >> _HALF)
        if u32(ranks, k) != rank:
            continue  # one of the pair is part of another by now
        gone = u32(after, k)
        right = u32(after, gone)
        set_u32(ids, k, rank)
        set_u32(ranks, gone, NO_PAIR)
        set_u32(after, k, right)
        if right < n:
            set_u32(before, right, k)
        waiting = _offer(k, right, n, merges, ids, ranks, heap, waiting)
        if k > 0:
            waiting = _offer(u32(before, k), k, n, merges, ids, ranks, heap, waiting)
    count = k = 0
    while k < n:
        set_u32(ids, count, u32(ids, k))
        count += 1
        k = u32(after, k)
    return count


@device
def _insert(merges: Any, left: Any, right: Any, rank: Any) -> None:
    h = _hash(left, right)
    sieve, at = types.int64(h >> _U(40)) & merges[4], types.int64(h >> _HALF) & merges[3]
    set_u64(merges[1], sieve >> 6, u64(merges[1], sieve >> 6) | _ONE << _U(sieve & 63))
    while u64(merges[2], at) != _NONE:
        at = (at + 1) & merges[3]
    set_u64(merges[2], at, (_U(left) << _ID | _U(right)) << _RANK | _U(rank))


def empty(letters: list[int], pairs: int) -> np.ndarray:
    """A table of merges with the id of each byte and room for so many pairs."""
    slots = 1 << max(10, (2 * pairs - 1).bit_length())
    table = np.zeros(TWOS + 256 + slots // 16 + slots, np.uint64)
    table[TWOS : TWOS + 256] = letters
    table[-slots:] = _NONE
    return table


@device
def _rate_twos(merges: Any) -> None:
    """Note the key of each pair of bytes (the first times 256, and the second), for place 0."""
    for pair in range(1 << 16):
        left, right = i64(merges[0], pair >> 8), i64(merges[0], pair & 255)
        set_u32(merges[5], pair, rank_of(merges, left, right) << 6)


@kernel(types.void(INT64S, INT64S, INT64S, types.uint64[::1]))
def fill_pairs(left: np.ndarray, right: np.ndarray, ranks: np.ndarray, table: np.ndarray) -> None:
    """Put pairs of ids into a table of merges."""
    merges = parts(table)
    for k in range(len(left)):
        _insert(merges, left[k], right[k], ranks[k])
    _rate_twos(merges)


@kernel(types.int64(BYTES, INT64S, types.uint64[::1], types.uint32[::1], types.uint64[::1]))
def learn_pairs(tokens: np.ndarray, offsets: np.ndarray, table: np.ndarray, ids: np.ndarray, heap: np.ndarray) -> int:
    """Find, for tokens in the order of their ranks, the pair that each is merged from, and put it into the table.

    That is what merging makes of its bytes with the tokens of lower rank alone: two ids, as any tokenizer that was
    trained by merging pairs has it. Returns the first token of which that is not true, or -1.
    """
    d, merges = address(tokens), parts(table)
    for token in range(len(offsets) - 1):
        s, n = offsets[token], offsets[token + 1] - offsets[token]
        if n < 2:
            continue
        if merge_many(d, s, n, merges, address(ids), address(heap)) != 2:
            return token
        _insert(merges, ids[0], ids[1], token)
    _rate_twos(merges)
    return -1
