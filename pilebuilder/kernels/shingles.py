"""Words and word n-grams of UTF-8 text as 64-bit hashes; no string is ever built.

Words are those of `pilebuilder.kernels.folding`. A *shingle* is `ngram` successive words; a text of fewer words is one
shingle; a text of no words has none. Its hash is ``mix64`` of a polynomial in the word hashes, so it can be computed
from the joined words alone (`shingle_hash`).

Kernels read texts in blocks of about `BLOCK` bytes: many short texts (`next_texts`) or part of a long one
(`next_shingles`). Memory does not grow with the length of a document.
"""

from __future__ import annotations

import threading
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
    OFFSETS,
    POLYNOMIAL,
    UINT64S,
    WORD_BYTES,
    Pair,
    U,
    fold_block,
    mix64,
    reference_words,
)
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.wordhash import find_edges, hash_between

BLOCK = 8192
"""Bytes of text folded at a time: text, words and hashes of one block stay in the first two cache levels."""
TEXTS = 256
"""Most texts in a block."""


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


@kernel(Pair(BUFFER, types.intp, types.boolean, HASHES, types.intp, EDGES))
def hash_words(folded: Any, end: Any, final: Any, words: Any, count: Any, edges: Any) -> Any:
    """Append hashes of the words of ``folded[:end]`` to `words`, which holds `count`; returns (bytes consumed, words).

    A word that touches `end` stays for the next block unless this is the `final` one. `folded` must have
    `MARGIN` bytes of room behind `end`, `words` seven numbers.
    """
    total = find_edges(folded, 0, end, edges, 0)
    used = end
    if total and not final and edges[total - 1] == end:
        used = np.intp(edges[total - 2])
        if end - used < WORD_BYTES:  # a whole piece of a word that is too long does not wait for its end
            total -= 2
        else:
            used = end
    hash_between(folded, edges, total, words, count)
    return used, count + (total >> 1)


@kernel(types.void(HASHES, types.intp, types.intp, HASHES))
def combine(words: Any, count: Any, ngram: Any, out: Any) -> None:
    """``out[k]``: hash of the words k .. k + ngram - 1, for `count` shingles: `mix64` of their polynomial."""
    if ngram == 5:  # the default: in one go
        for k in range(count):
            h = (words[k] * POLYNOMIAL + words[k + 1]) * POLYNOMIAL + words[k + 2]
            out[k] = (h * POLYNOMIAL + words[k + 3]) * POLYNOMIAL + words[k + 4]
    else:
        out[:count] = words[:count]
        for i in range(1, ngram):
            for k in range(count):
                out[k] = out[k] * POLYNOMIAL + words[k + i]
    for k in range(count):
        h = out[k]
        h ^= h >> U(33)
        h *= U(0xFF51AFD7ED558CCD)
        h ^= h >> U(33)
        h *= U(0xC4CEB9FE1A85EC53)
        out[k] = h ^ (h >> U(33))


@kernel(types.uint64(HASHES, types.intp, types.intp))
def _one_shingle(words: Any, start: Any, stop: Any) -> Any:
    """Hash of a shingle of any number of words: all of a text that has fewer than n."""
    h = U(0)
    for k in range(start, stop):
        h = h * POLYNOMIAL + words[k]
    return mix64(h)


@kernel(
    Pair(BYTES, types.intp, types.intp, UINT64S, types.intp, BUFFER, HASHES, HASHES, COUNTS, EDGES),
)
def next_shingles(
    data: Any, at: Any, stop: Any, table: Any, ngram: Any, folded: Any, words: Any, out: Any, state: Any, edges: Any
) -> Any:
    """Shingle hashes of the next block of a text into `out`; returns (where to go on, how many).

    `state` holds between calls: bytes of an unfinished word, word hashes carried over, shingles so far, and at the end
    whether the text has fewer words than a shingle. Set it to zero before a text. At the end of the text (the first
    number returned is `stop`) the last shingles are out as well.
    """
    at, end = fold_block(data, at, min(stop, at + BLOCK), table, folded, state[0])
    final = at >= stop
    used, held = hash_words(folded, end, final, words, state[1], edges)
    for k in range(end - used):
        folded[k] = folded[used + k]
    count = max(0, held - ngram + 1)
    combine(words, count, ngram, out)
    state[2] += count
    if final and state[2] == 0 and held > 0:  # a text of fewer than ngram words is one shingle
        out[0] = _one_shingle(words, 0, held)
        count = state[2] = state[3] = 1
    elif count and not final:
        for k in range(ngram - 1):
            words[k] = words[count + k]
        held = ngram - 1
    state[0], state[1] = end - used, held
    return at, count


@kernel(
    types.intp(
        BYTES, OFFSETS, OFFSETS, types.intp, UINT64S, types.intp, BUFFER, HASHES, HASHES, EDGES, COUNTS,
    )
)  # fmt: skip
def next_texts(
    data: Any, starts: Any, stops: Any, row: Any, table: Any, ngram: Any, folded: Any, words: Any, out: Any,
    edges: Any, ends: Any,
) -> Any:  # fmt: skip
    """Shingle hashes of as many texts from number `row` on as fit into a block; returns the number of the next text.

    Text i is ``data[starts[i]:stops[i]]``. The k-th of the block has the words from ``ends[k - 1]`` (0 for the first)
    to `ends[k]`, and its shingles begin in `out` at its first word: one for each word that ngram - 1 more of its words
    follow, or a single one for a text of fewer words (`shingle_count`). Returns `row` itself when the text there is
    longer than a block, for `next_shingles`.
    """
    end, total, size = 0, 0, 0
    first = row
    while row < len(starts) and row - first < TEXTS:
        size += stops[row] - starts[row]
        if size > BLOCK:
            break
        begin = end
        _, end = fold_block(data, starts[row], stops[row], table, folded, end)
        total = find_edges(folded, begin, end, edges, total)
        end += 1  # a 0 stands between
        ends[row - first] = total >> 1
        row += 1
    hash_between(folded, edges, total, words, 0)
    held = total >> 1
    combine(words, max(0, held - ngram + 1), ngram, out)
    begin = 0
    for k in range(row - first):
        if begin < ends[k] < begin + ngram:
            out[begin] = _one_shingle(words, begin, ends[k])
        begin = ends[k]
    return row


@kernel(types.intp(types.intp, types.intp), inline="always")
def shingle_count(words: Any, ngram: Any) -> Any:
    """Number of shingles of a text of so many words."""
    return words - ngram + 1 if words >= ngram else min(words, 1)


class _Held(threading.local):
    """Work arrays of each thread: made anew for each call, their pages would cost as much as a thousand texts."""

    def __init__(self) -> None:
        self.arrays: dict[int, tuple[np.ndarray, ...]] = {}


_held = _Held()


def workspace(ngram: int) -> tuple[np.ndarray, ...]:
    """This thread's arrays for `next_shingles`: folded bytes, word hashes, hashes, state, word edges."""
    if ngram not in _held.arrays:
        _held.arrays[ngram] = _workspace(ngram)
    return _held.arrays[ngram]


def _workspace(ngram: int) -> tuple[np.ndarray, ...]:
    # A block folds to at most 5/3 of its bytes (a Han character of 3 bytes gains two separators); words need 2 bytes.
    folded = 3 * BLOCK + WORD_BYTES + 256
    return (
        np.zeros(folded, np.uint8),
        np.zeros(folded // 2 + ngram + 10, np.uint64),
        np.zeros(folded // 2 + ngram + 10, np.uint64),
        np.zeros(4, np.int64),
        np.zeros(folded + 64, np.int32),
    )
