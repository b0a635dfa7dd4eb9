"""Words and word n-grams of UTF-8 text as 64-bit hashes, and digests of whole texts; no string is ever built.

Normal form. A *word* is a longest run of letters, digits, ``_`` and combining marks (`str.isalnum`, Unicode
categories L, N and M), case-folded one code point at a time; format characters (soft hyphen, joiners, byte order
mark) are ignored; a character of a script that is written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) is a
word of its own. A word longer than `WORD_BYTES` is cut into pieces of that size. `reference_words` states the same in
plain Python, and the tests hold the kernels to it.

A *shingle* is `ngram` successive words; a text of fewer words is one shingle; a text of no words has none. Its hash is
``mix64`` of a polynomial in the word hashes, so it can be computed from the joined words alone (`shingle_hash`).

Kernels read texts in blocks of `BLOCK` bytes: memory does not grow with the length of a document.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pilebuilder.kernels.jit import kernel

BLOCK = 8192
"""Bytes of text folded at a time: text, words and hashes of one block stay in the first two cache levels."""
PIECE = 128
"""Bytes that are folded in one go when all are ASCII."""
WORD_BYTES = 4096
TEXT_VERSION = 1
"""Version of the normal form and of both hashes: signatures of different versions do not compare."""

U = np.uint64
MULTIPLY, POLYNOMIAL = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
LOW7, HIGH, SPREAD = U(0x7F7F7F7F7F7F7F7F), U(0x8080808080808080), U(0xFF)
# Code points above this are unassigned or private, except format characters and marks of plane 14.
TABLE_SIZE = 0x33400
ALONE, IGNORED, POINT = np.uint32(1 << 31), np.uint32(1 << 30), np.uint32(0x1FFFFF)
# Scripts written without spaces between words, as ranges of code points.
UNSPACED = (
    (0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x3005, 0x3008), (0x3040, 0x3100), (0x31F0, 0x3200),
    (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0xFF66, 0xFF9E), (0x20000, 0x323B0),
)  # fmt: skip


@functools.cache
def fold_table() -> np.ndarray:
    """What each code point contributes to a word: its folded code point with flags, or 0 for a separator."""
    table = np.zeros(TABLE_SIZE, np.uint32)
    category = unicodedata.category
    for point in range(TABLE_SIZE):
        char = chr(point)
        if char.isalnum() or char == "_":
            folded = char.casefold()
            folded = folded if len(folded) == 1 else char.lower()
            table[point] = ord(folded) if len(folded) == 1 else point
        else:
            kind = category(char)
            if kind[0] == "M":
                table[point] = point
            elif kind == "Cf":
                table[point] = IGNORED
    for low, high in UNSPACED:
        part = table[low:high]
        part[(part != 0) & (part != IGNORED)] |= ALONE
    table.flags.writeable = False
    return table


@functools.cache
def fold_bytes() -> np.ndarray:
    """What each code point adds to the folded text: bytes (low seven), and how many (high byte); from `fold_table`."""
    table = fold_table().astype(np.uint64)
    point = table & U(POINT)
    size = np.ones(len(table), np.uint64)
    encoded = point.copy()
    for least, mark in ((0x80, 0xC0), (0x800, 0xE0), (0x10000, 0xF0)):
        more = point >= least
        size += more
        lead = point >> (U(6) * (size - U(1)))
        encoded = np.where(more, lead | U(mark), encoded)
    for place in (1, 2, 3):
        rest = (point >> (U(6) * np.maximum(size - U(1), U(place)) - U(6 * place))) & U(0x3F) | U(0x80)
        encoded |= np.where(size > place, rest << U(8 * place), U(0))
    alone = table & U(ALONE) != 0
    encoded = np.where(alone, encoded << U(8), encoded)
    size = np.where(table == IGNORED, U(0), np.where(alone, size + U(2), size))
    packed: np.ndarray = np.where(table == 0, U(1 << 56), np.where(size == 0, U(0), encoded | (size << U(56))))
    packed.flags.writeable = False
    return packed


def reference_words(text: str) -> list[bytes]:
    """The words of a text in UTF-8, in plain Python: the definition that kernels are tested against."""
    table = fold_table()
    pieces: list[str] = []
    for char in text:
        value = (
            int(table[ord(char)]) if ord(char) < TABLE_SIZE else int(IGNORED) * (unicodedata.category(char) == "Cf")
        )
        if value == IGNORED:
            continue
        folded = chr(value & int(POINT)) if value else " "
        pieces.append(f" {folded} " if value & int(ALONE) else folded)
    words = "".join(pieces).split(" ")
    return [w[i : i + WORD_BYTES] for w in (x.encode("utf-8", "surrogatepass") for x in words if x)
            for i in range(0, len(w), WORD_BYTES)]  # fmt: skip


def reference_shingles(text: str, ngram: int = 5) -> list[bytes]:
    """The shingles of a text as joined words, repeats included: what to feed to `datasketch.MinHash`."""
    words = reference_words(text)
    if not words:
        return []
    return [b" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))]


def shingle_hash(shingle: bytes) -> int:
    """64-bit hash of a shingle (words joined by a space), in plain Python."""
    full = (1 << 64) - 1
    total = 0
    for word in shingle.split(b" "):
        state = 0
        for at in range(0, len(word), 8):
            state = (state ^ int.from_bytes(word[at : at + 8], "little")) * int(MULTIPLY) & full
            state ^= state >> 29
        total = (total * int(POLYNOMIAL) + state) & full
    return int(mix64(U(total)))


def shingle_hash32(shingle: bytes) -> int:
    """The low half of `shingle_hash`: pass it to datasketch as `hashfunc` to get this project's signatures."""
    return shingle_hash(shingle) & 0xFFFFFFFF


BYTES = types.Array(types.uint8, 1, "C", readonly=True)
UINT32S = types.Array(types.uint32, 1, "C", readonly=True)
UINT64S = types.Array(types.uint64, 1, "C", readonly=True)


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
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Number of zero bits below the lowest one bit (64 for 0)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.intp(types.uint64), generate


@kernel(types.uint64(types.uint64))
def mix64(h: Any) -> Any:
    """A bijection of 64-bit integers in which each input bit reaches each output bit (MurmurHash3's finaliser)."""
    h ^= h >> U(33)
    h *= U(0xFF51AFD7ED558CCD)
    h ^= h >> U(33)
    h *= U(0xC4CEB9FE1A85EC53)
    return h ^ (h >> U(33))


BUFFER = types.Array(types.uint8, 1, "C")
HASHES = types.Array(types.uint64, 1, "C")
COUNTS = types.Array(types.int64, 1, "C")
OFFSETS = types.Array(types.int64, 1, "C", readonly=True)
EDGES = types.Array(types.int32, 1, "C")
Pair = types.UniTuple(types.intp, 2)


@kernel(types.uint64(types.uint64), inline="always")
def _fold_ascii(x: Any) -> Any:
    """Eight ASCII bytes: letters in lower case, digits and ``_`` as they are, everything else 0."""
    low = x | U(0x2020202020202020)
    alpha = (low + U(0x1F1F1F1F1F1F1F1F)) & ~(low + U(0x0505050505050505))  # high bit set: 'a' <= byte <= 'z'
    digit = (x + U(0x5050505050505050)) & ~(x + U(0x4646464646464646))
    under = ~((x ^ U(0x5F5F5F5F5F5F5F5F)) + U(0x7F7F7F7F7F7F7F7F)) & HIGH
    alpha = ((alpha & HIGH) >> U(7)) * SPREAD
    other = (((digit & HIGH) | under) >> U(7)) * SPREAD
    return (low & alpha) | (x & other)


@kernel(types.boolean(BYTES, types.intp))
def _is_ascii(data: Any, at: Any) -> Any:
    """Whether `PIECE` bytes from `at` are ASCII."""
    seen = U(0)
    for k in range(0, PIECE, 8):
        seen |= load8(data, at + k)
    return seen & HIGH == U(0)


# By the five high bits of a first byte: how many bytes the code point has (0: none begins so, taken as one).
_LENGTHS = np.array([1] * 16 + [1] * 8 + [2] * 4 + [3] * 2 + [4, 1], np.int64)
_LEAD = np.array([0, 0x7F, 0x1F, 0x0F, 0x07], np.int64)


@kernel(Pair(BYTES, types.intp, types.intp, UINT64S, BUFFER, types.intp))
def fold_block(data: Any, at: Any, stop: Any, table: Any, out: Any, end: Any) -> Any:
    """Fold `data[at:stop]` to word bytes with 0 between words, appended to `out` at `end`; returns (at, end).

    Reads past the block to the end of the last code point. `out` needs room for three times the block and 16 bytes.
    """
    limit = len(data)
    while at < stop:
        if at + PIECE <= stop and _is_ascii(data, at):
            for k in range(0, PIECE, 8):  # a fixed number of steps without branches: becomes vector code
                store8(out, end + k, _fold_ascii(load8(data, at + k)))
            at += PIECE
            end += PIECE
            continue
        if at + 8 <= stop:
            x = load8(data, at)
            if x & HIGH == U(0):
                store8(out, end, _fold_ascii(x))
                at += 8
                end += 8
                continue
        edge = min(at + 8, stop)
        while at < edge:
            if at + 8 <= limit:
                x = load8(data, at)
            else:
                x = U(0)
                for k in range(limit - at):
                    x |= U(data[at + k]) << U(8 * k)
            length = _LENGTHS[(x >> U(3)) & U(31)]
            c = np.int64(x & U(_LEAD[length])) << 18
            c |= np.int64((x >> U(8)) & U(63)) << 12
            c |= np.int64((x >> U(16)) & U(63)) << 6
            c |= np.int64((x >> U(24)) & U(63))
            c >>= 24 - 6 * length
            at += length
            entry = table[c] if c < TABLE_SIZE else U(0 if 0xE0001 <= c < 0xE0080 else 1 << 56)
            store8(out, end, entry)
            end += np.intp(entry >> U(56))
    return at, end


@kernel(types.intp(BUFFER, types.intp, EDGES))
def _find_edges(folded: Any, end: Any, edges: Any) -> Any:
    """Where words begin and end in `folded[:end]`, in turns; returns how many positions. Zeros must follow `end`."""
    count = 0
    before = U(0)  # whether the byte before this piece belongs to a word
    for at in range(0, end + 1, 64):
        inside = U(0)
        for k in range(8):
            x = load8(folded, at + 8 * k)
            full = (((x & LOW7) + LOW7) | x) & HIGH
            inside |= (((full >> U(7)) * U(0x0102040810204080)) >> U(56)) << U(8 * k)
        change = inside ^ ((inside << U(1)) | before)
        before = inside >> U(63)
        while change:
            edges[count] = at + trailing_zeros(change)
            change &= change - U(1)
            count += 1
    return count


@kernel(types.uint64(BUFFER, types.intp, types.intp))
def _hash_word(folded: Any, at: Any, size: Any) -> Any:
    """Hash of the word of `size` > 0 bytes at `at`, eight bytes at a time."""
    h = U(0)
    for k in range(0, size, 8):
        h = (h ^ (load8(folded, at + k) & (~U(0) >> U(64 - 8 * min(size - k, 8))))) * MULTIPLY
        h ^= h >> U(29)
    return h


@kernel(types.intp(BUFFER, types.intp, EDGES, HASHES, types.intp))
def _hash_short(folded: Any, total: Any, edges: Any, out: Any, at: Any) -> Any:
    """Hashes of words of up to 16 bytes into `out` from `at` on, without branches; returns the longest word's size.

    For a longer word what is written is not its hash.
    """
    longest = 0
    for k in range(total >> 1):
        first = np.intp(edges[2 * k])
        size = np.intp(edges[2 * k + 1]) - first
        longest = max(longest, size)
        h = (load8(folded, first) & (~U(0) >> U(64 - 8 * min(size, 8)))) * MULTIPLY
        h ^= h >> U(29)
        more = (h ^ (load8(folded, first + 8) & (~U(0) >> U(64 - 8 * max(min(size, 16) - 8, 1))))) * MULTIPLY
        more ^= more >> U(29)
        out[at + k] = more if size > 8 else h
    return longest


@kernel(Pair(BUFFER, types.intp, types.boolean, HASHES, types.intp, EDGES))
def hash_words(folded: Any, end: Any, final: Any, prefix: Any, count: Any, edges: Any) -> Any:
    """Hash the words of `folded[:end]`; returns (bytes consumed, words so far).

    ``prefix[k]`` is the polynomial in the hashes of the first k words of the text (modulo 2^64); `prefix[count]` must
    hold the last known one. A word that touches `end` stays for the next block unless this is the `final` one.
    `folded` must have 80 bytes of room behind `end`.
    """
    for k in range(0, 80, 8):
        store8(folded, end + k, U(0))
    total = _find_edges(folded, end, edges)
    used = end
    if total and not final and edges[total - 1] == end:
        used = np.intp(edges[total - 2])
        while end - used >= WORD_BYTES:  # whole pieces of a word that is too long do not wait for its end
            edges[total - 1] = used + WORD_BYTES
            edges[total], edges[total + 1] = used + WORD_BYTES, end
            total += 2
            used += WORD_BYTES
        total -= 2
    longest = _hash_short(folded, total, edges, prefix, count + 1)
    poly = prefix[count]
    if longest <= 16:
        for k in range(count + 1, count + 1 + (total >> 1)):
            poly = poly * POLYNOMIAL + prefix[k]
            prefix[k] = poly
        return used, count + (total >> 1)
    if longest <= WORD_BYTES:
        for k in range(0, total, 2):
            h = prefix[count + 1]
            if edges[k + 1] - edges[k] > 16:
                h = _hash_word(folded, np.intp(edges[k]), np.intp(edges[k + 1] - edges[k]))
            count += 1
            poly = poly * POLYNOMIAL + h
            prefix[count] = poly
        return used, count
    for k in range(0, total, 2):
        at, stop = np.intp(edges[k]), np.intp(edges[k + 1])
        while at < stop:
            poly = poly * POLYNOMIAL + _hash_word(folded, at, min(stop - at, WORD_BYTES))
            at += WORD_BYTES
            count += 1
            prefix[count] = poly
    return used, count


@kernel(types.void(HASHES, types.intp, types.intp, types.uint64, HASHES))
def combine(prefix: Any, count: Any, ngram: Any, power: Any, out: Any) -> None:
    """``out[k]``: hash of the words k .. k + ngram - 1, for `count` shingles. `power` is POLYNOMIAL ** ngram."""
    for k in range(count):
        h = prefix[k + ngram] - prefix[k] * power
        h ^= h >> U(33)
        h *= U(0xFF51AFD7ED558CCD)
        h ^= h >> U(33)
        h *= U(0xC4CEB9FE1A85EC53)
        out[k] = h ^ (h >> U(33))


@kernel(
    Pair(BYTES, types.intp, types.intp, UINT64S, types.intp, types.uint64, BUFFER, HASHES, HASHES, COUNTS, EDGES),
)
def next_shingles(
    data: Any,
    at: Any,
    stop: Any,
    table: Any,
    ngram: Any,
    power: Any,
    folded: Any,
    prefix: Any,
    out: Any,
    state: Any,
    edges: Any,
) -> Any:
    """Shingle hashes of the next block of a text into `out`; returns (where to go on, how many).

    `state` holds between calls: bytes of an unfinished word, prefixes carried over, shingles so far, and at the end
    whether the text has fewer words than a shingle. Set it to zero before a text. At the end of the text (the first
    number returned is `stop`) the last shingles are out as well.
    """
    carried, words = state[0], state[1]
    if words == 0:
        prefix[0] = U(0)
    at, end = fold_block(data, at, min(stop, at + BLOCK), table, folded, carried)
    final = at >= stop
    used, words = hash_words(folded, end, final, prefix, words, edges)
    carried = end - used
    for k in range(carried):
        folded[k] = folded[used + k]
    count = max(0, words - ngram + 1)
    combine(prefix, count, ngram, power, out)
    state[2] += count
    if final and state[2] == 0 and words > 0:  # a text of fewer than ngram words is one shingle
        out[0] = mix64(prefix[words])
        count = 1
        state[2] = 1
        state[3] = 1
    if count and not final:
        for k in range(ngram):
            prefix[k] = prefix[count + k]
        words = ngram - 1
    state[0], state[1] = carried, words
    return at, count


def workspace(ngram: int) -> tuple[np.ndarray, ...]:
    """Arrays for `next_shingles`: folded bytes, prefixes, hashes, state, word edges. One set per thread."""
    # A block folds to at most 5/3 of its bytes (a Han character of 3 bytes gains two separators); words need 2 bytes.
    folded = 3 * BLOCK + WORD_BYTES + 128
    return (
        np.zeros(folded, np.uint8),
        np.zeros(folded // 2 + ngram + 2, np.uint64),
        np.zeros(folded // 2 + ngram + 2, np.uint64),
        np.zeros(4, np.int64),
        np.zeros(folded + 64, np.int32),
    )


def power_of(ngram: int) -> np.uint64:
    """POLYNOMIAL ** ngram modulo 2^64."""
    return U(pow(int(POLYNOMIAL), ngram, 1 << 64))


SLOTS = types.Array(types.uint32, 1, "C")
STAMPS = types.Array(types.int32, 1, "C")


@kernel(
    types.int64(
        BYTES, OFFSETS, OFFSETS, UINT64S, types.intp, types.uint64, BUFFER, HASHES, HASHES, COUNTS, EDGES,
        COUNTS, SLOTS, SLOTS, STAMPS,
    ),
)  # fmt: skip
def _collect(
    data: Any, offsets: Any, rows: Any, table: Any, ngram: Any, power: Any, folded: Any, prefix: Any, block: Any,
    state: Any, edges: Any, ends: Any, out: Any, seen: Any, stamps: Any,
) -> Any:  # fmt: skip
    """Distinct shingle hashes of chosen rows, one row after the other; see `collect`."""
    total = 0
    for index in range(len(rows)):
        row = rows[index]
        at, stop = offsets[row], offsets[row + 1]
        top = ends[index]
        stamp = np.int32(index + 1)
        size = 64
        while size < len(seen) and size < stop - at:  # a shingle takes two bytes or more: at most half full
            size *= 2
        mask = np.uint32(size - 1)
        begin = total
        state[:] = 0
        while True:
            at, count = next_shingles(data, at, stop, table, ngram, power, folded, prefix, block, state, edges)
            for k in range(count):
                h = np.uint32(block[k])
                if np.int64(h) > top:
                    continue
                slot = h & mask
                while stamps[slot] == stamp and seen[slot] != h:
                    slot = (slot + np.uint32(1)) & mask
                if stamps[slot] == stamp:
                    continue
                if total == len(out) or total - begin > (size * 7) >> 3:
                    return -1
                stamps[slot] = stamp
                seen[slot] = h
                out[total] = h
                total += 1
            if at >= stop:
                break
        ends[index] = total
    return total


SAMPLED = 1 << 18
"""Texts with more shingles are compared by a sample of about half to all of this many: error of J below 0.002."""


EVERY = 0xFFFFFFFF


def sampling_limits(shingles: np.ndarray) -> np.ndarray:
    """Largest hash that is kept (int64) of a text of so many shingles: 2^32 / 2^s - 1, and s is 0 for most texts.

    The sample of a very large text has at most about `SAMPLED` shingles.
    """
    shift = np.ceil(np.log2(np.maximum(1.0, shingles / SAMPLED))).astype(np.int64)
    return np.asarray(np.int64(EVERY) >> shift)


def collect(
    data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, shingles: np.ndarray, ngram: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sets of shingles of the texts at `rows`: (hashes as uint32, end of each row's hashes), by first occurrence.

    The low halves of the hashes are enough: a chance match changes the similarity of two texts of n shingles by about
    n / 2^32. `shingles` is the number of shingles of each of these texts, repeats included. A text of very many gives
    a sample that is the same for every text: only hashes up to its limit (see `sampling_limits`).
    """
    rows = np.ascontiguousarray(rows, np.int64)
    limits = sampling_limits(shingles)
    # A sample is larger than its expectation by six standard deviations once in a billion texts.
    expected = shingles * (limits / EVERY)
    room = int((np.where(limits < EVERY, expected + 6 * np.sqrt(expected), shingles)).sum()) + 64
    ends, out = limits.copy(), np.empty(room, np.uint32)
    slots = 1 << max(6, int(2 * min(int(shingles.max(initial=1)), 2 * SAMPLED)).bit_length())
    seen, stamps = np.zeros(slots, np.uint32), np.zeros(slots, np.int32)
    work = workspace(ngram)
    total = _collect(
        data, offsets, rows, fold_bytes(), ngram, power_of(ngram), *work, ends, out, seen, stamps
    )  # fmt: skip
    if total < 0:
        raise ValueError(f"the sketch counts {int(shingles.sum())} shingles, but the {len(rows)} texts have more")
    return out[:total], ends


@kernel(types.int64(types.Array(types.uint32, 1, "C", readonly=True), OFFSETS, types.int64, COUNTS, COUNTS, SLOTS))
def _smallest(hashes: Any, ends: Any, size: Any, limits: Any, stops: Any, out: Any) -> Any:
    start, total = 0, 0
    for row in range(len(ends)):
        part = np.sort(hashes[start : ends[row]])
        if len(part) > size:
            part = part[:size]
            limits[row] = part[size - 1]
        out[total : total + len(part)] = part
        total += len(part)
        stops[row] = total
        start = ends[row]
    return total


def smallest(hashes: np.ndarray, ends: np.ndarray, size: int, limits: np.ndarray) -> tuple[np.ndarray, ...]:
    """The `size` smallest hashes of each set, ascending: (hashes, ends, limits); a smaller set is there as a whole."""
    stops, out, limits = np.zeros(len(ends), np.int64), np.empty(len(hashes), np.uint32), limits.copy()
    total = _smallest(hashes, np.ascontiguousarray(ends, np.int64), size, limits, stops, out)
    return out[:total], stops, limits
