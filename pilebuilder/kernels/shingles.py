"""Words and word n-grams of UTF-8 text as 64-bit hashes; no string is ever built.

Words are those of `pilebuilder.kernels.folding`. A *shingle* is `ngram` successive words; a text of fewer words is one
shingle; a text of no words has none. Its hash is ``mix64`` of a polynomial in the word hashes, so it can be computed
from the joined words alone (`shingle_hash`).

Kernels read texts in blocks of `BLOCK` bytes: memory does not grow with the length of a document.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.folding import (
    BUFFER,
    BYTES,
    COUNTS,
    EDGES,
    HASHES,
    MULTIPLY,
    POLYNOMIAL,
    UINT64S,
    WORD_BYTES,
    Pair,
    U,
    fold_block,
    load8,
    mix64,
    nonzero64,
    places64,
    reference_words,
    store8,
)
from pilebuilder.kernels.jit import kernel

BLOCK = 8192
"""Bytes of text folded at a time: text, words and hashes of one block stay in the first two cache levels."""


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


@kernel(types.intp(BUFFER, types.intp, EDGES))
def _find_edges(folded: Any, end: Any, edges: Any) -> Any:
    """Where words begin and end in `folded[:end]`, in turns; returns how many positions. Zeros must follow `end`."""
    count = 0
    before = U(0)  # whether the byte before this piece belongs to a word
    for at in range(0, end + 1, 64):
        inside = nonzero64(folded, at)
        change = inside ^ ((inside << U(1)) | before)
        before = inside >> U(63)
        count = places64(change, at, edges, count)
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
def _extend_prefix(folded: Any, total: Any, edges: Any, prefix: Any, count: Any) -> Any:
    """Hash the words between the `total` edges and carry the polynomial on; returns the number of words so far."""
    poly = prefix[count]
    for k in range(0, total, 2):
        at = np.intp(edges[k])
        size = np.intp(edges[k + 1]) - at
        if size <= 16:  # as `_hash_word`, without branches
            h = (load8(folded, at) & (~U(0) >> U(64 - 8 * min(size, 8)))) * MULTIPLY
            h ^= h >> U(29)
            more = (h ^ (load8(folded, at + 8) & (~U(0) >> U(64 - 8 * max(size - 8, 1))))) * MULTIPLY
            more ^= more >> U(29)
            h = more if size > 8 else h
        else:
            while size > WORD_BYTES:
                poly = poly * POLYNOMIAL + _hash_word(folded, at, WORD_BYTES)
                count += 1
                prefix[count] = poly
                at += WORD_BYTES
                size -= WORD_BYTES
            h = _hash_word(folded, at, size)
        poly = poly * POLYNOMIAL + h
        count += 1
        prefix[count] = poly
    return count


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
    return used, _extend_prefix(folded, total, edges, prefix, count)


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
