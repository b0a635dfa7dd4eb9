"""fastText inference over UTF-8 buffers: tokens -> rows -> hidden vectors -> labels, as fastText itself does it.

Every hash, order and constant follows fastText's sources (Dictionary::getLine, computeSubwords, addWordNgrams,
HierarchicalSoftmaxLoss, SoftmaxLoss); only the order of float additions differs: a word's rows are summed once and
kept in a cache, so a frequent word costs one row. Probabilities agree within 1e-4, labels are the same.
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
    kernel,
    load8,
    ones,
    set_i64,
    set_u32,
    set_u64,
    trailing_zeros,
    u32,
    u64,
)
from pilebuilder.kernels.lanes import add_rows1, add_rows16
from pilebuilder.kernels.utf8 import hash_bytes

U64 = np.uint64
_BLANKS, _ONES, _TOPS = U64(0x2020202020202020), U64(0x0101010101010101), U64(0x8080808080808080)
PENDING = 64
"""Rows that are added together."""
LINE_END_FNV = 0xD79C9359
"""fastText's hash of ``</s>``."""


def _ro(kind: types.Type, ndim: int = 1) -> types.Array:
    return types.Array(kind, ndim, "C", readonly=True)


ROWS, INT32S = _ro(types.float32, 2), _ro(types.int32)
FLOATS = types.float32[:, ::1]


@kernel(types.uint64(types.uint64, types.int64))
def finish_hash(value: Any, length: int) -> Any:
    """Mix a 64-bit FNV-1a state and the length; never 0, which marks an empty slot."""
    value ^= U64(length)
    value ^= value >> U64(32)
    value *= U64(0xD6E8FEB86659FD93)
    value ^= value >> U64(32)
    return value | U64(1)


@kernel(types.uint64[:](BYTES, INT64S))
def word_hashes(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """uint64 [n]: hash of each word, as lists of words are looked up by it."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(out)):
        state = U64(0xCBF29CE484222325)
        for at in range(offsets[row], offsets[row + 1]):
            state = (state ^ U64(data[at])) * U64(0x100000001B3)
        out[row] = finish_hash(state, offsets[row + 1] - offsets[row])
    return out


@device
def token_end(d: Any, at: Any, end: Any, size: Any) -> Any:
    """Where the token at `at` ends: at white space as fastText knows it, or at `end`; `size` bytes may be read."""
    while at < end:
        if at + 8 <= size:
            x = load8(d, at)
            low = (x - _BLANKS - _ONES) & ~x & _TOPS  # top bit of each byte up to the blank; exact for the first
            if not low:
                at += 8
                continue
            at += np.int64(trailing_zeros(low) >> U64(3))
            if at >= end:
                return end
        b = byte(d, at)
        if b == 32 or 9 <= b <= 13 or b == 0:
            return at
        at += 1
    return end


@device
def token_key(d: Any, start: Any, end: Any, size: Any) -> Any:
    """The hash under which a token is looked up; never 0, which marks an empty slot."""
    return hash_bytes(d, start, end, size) | U64(1)


@kernel(types.uint64[:](BYTES, INT64S))
def token_keys(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """uint64 [n]: the hash under which the scorer looks up each word."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(out)):
        out[row] = token_key(address(data), offsets[row], offsets[row + 1], len(data))
    return out


@device
def bucket_row(slot: Any, pruned: Any, before: Any, present: Any) -> Any:
    """Row of a bucket among those of all buckets that the model kept, which stand in the order of the buckets, and 1;
    or any number, and 0 for a bucket that it did not keep: no branch, since nobody foresees which. `present` has a bit
    for each bucket, `before` the rows before each 64 of them (both fit a second-level cache, unlike a table of rows).
    Of a model that is not `pruned` every bucket is there."""
    if not pruned:
        return slot, 1
    bits = u64(present, slot >> 6)
    place = U64(slot & 63)
    row = u32(before, slot >> 6) + ones(bits & ((U64(1) << place) - U64(1)))
    return row, np.int64((bits >> place) & U64(1))


@device
def add_rows(to: Any, rows: Any, dim: Any, places: Any, count: Any) -> Any:
    """Add `count` of the `rows` to the floats at `to`, in the order in which their numbers stand at `places`."""
    k = 0
    while k + 16 <= dim:
        add_rows16(to + 4 * k, rows + 4 * k, 4 * dim, places, count)
        k += 16
    while k < dim:
        add_rows1(to + 4 * k, rows + 4 * k, 4 * dim, places, count)
        k += 1


@device
def marked(d: Any, start: Any, size: Any, i: Any) -> Any:
    """Byte `i` of a token of `size` bytes with the marks ``<`` and ``>`` around it; the token itself is at `start`."""
    if i == 0:
        return 60
    return 62 if i == size - 1 else byte(d, start + i - 1)


@device
def word_vector(d: Any, start: Any, end: Any, word: Any, rows: Any, dim: Any, words: Any, pruned: Any, before: Any,
                present: Any, bucket: Any, minn: Any, maxn: Any, places: Any, out: Any) -> Any:  # fmt: skip
    """Sum of a token's rows (its own, if `word` >= 0, and its character n-grams') into `out`; returns their number."""
    for k in range(dim):
        set_u32(out, k, 0)
    count = waiting = 0
    if word >= 0:
        set_i64(places, 0, word)
        count = waiting = 1
    size = end - start + 2 if maxn > 0 else 0
    for i in range(size):
        if marked(d, start, size, i) & 0xC0 == 0x80:
            continue
        state = np.uint32(2166136261)
        j = i
        n = 1
        while j < size and n <= maxn:
            while True:
                # fastText sign-extends each byte before the exclusive or
                state = np.uint32(state ^ np.uint32(np.int32(np.int8(marked(d, start, size, j)))))
                state = np.uint32(state * np.uint32(16777619))
                j += 1
                if j >= size or marked(d, start, size, j) & 0xC0 != 0x80:
                    break
            if n >= minn and not (n == 1 and (i == 0 or j == size)):
                row, there = bucket_row(np.int64(state % np.uint32(bucket)), pruned, before, present)
                set_i64(places, waiting, words + row)
                waiting += there
                count += there
                if waiting == PENDING:
                    add_rows(out, rows, dim, places, waiting)
                    waiting = 0
            n += 1
    add_rows(out, rows, dim, places, waiting)
    return count


@device
def is_line_end(d: Any, start: Any) -> Any:
    """True for a literal ``</s>``: fastText ends the line there."""
    return byte(d, start) == 60 and byte(d, start + 1) == 47 and byte(d, start + 2) == 115 and byte(d, start + 3) == 62


@device
def is_label(d: Any, start: Any) -> Any:
    """True for a token that begins with ``__label__``: fastText ignores those that it does not know."""
    same = True
    for k, mark in enumerate((95, 95, 108, 97, 98, 101, 108, 95, 95)):
        same = same and byte(d, start + k) == mark
    return same


@device
def fnv_of(d: Any, start: Any, end: Any) -> Any:
    """fastText's 32-bit hash of a token."""
    value = np.uint32(2166136261)
    for i in range(start, end):
        value = np.uint32(np.uint32(value ^ np.uint32(np.int32(np.int8(byte(d, i))))) * np.uint32(16777619))
    return value


@device
def ngram_rows(fnv: Any, tokens: Any, recent: Any, order: Any, words: Any, pruned: Any, before: Any, present: Any,
               bucket: Any, places: Any) -> Any:  # fmt: skip
    """Numbers of the rows of all word n-grams that end at this token into `places`; how many. `recent` holds the
    running hashes by start."""
    value = U64(np.int64(np.int32(fnv)))
    count = 0
    for back in range(1, min(order - 1, tokens) + 1):
        place = (tokens - back) % order
        running = u64(recent, place) * U64(116049371) + value
        set_u64(recent, place, running)
        row, there = bucket_row(np.int64(running % U64(bucket)), pruned, before, present)
        set_i64(places, count, words + row)
        count += there
    set_u64(recent, tokens % order, value)
    return count


@kernel(types.void(
            BYTES, INT64S, ROWS, types.int64, INT32S, UINT64S, types.int64, types.int64, types.int64, types.int64,
            UINT64S, INT32S, types.int64, types.uint64[::1], FLOATS, types.int64[:, ::1], FLOATS, types.int64[::1],
        ))  # fmt: skip
def hidden_vectors(  # type: ignore[no-untyped-def]
    data, offsets, rows_, words, before_, present_, bucket, minn, maxn, word_ngrams, table_hash, table_word,
    line_end, cache_keys, cache_vectors, lists, hidden, counts,
):  # fmt: skip
    """Mean row of each text into `hidden` [n, D]; number of rows into `counts` (0: nothing of it is known).

    Texts are one line each for fastText: white space of any kind separates tokens, and the end of line is a token of
    its own (`line_end`, its word number or -1). `cache_*` is a direct-mapped table of S slots, token -> sum of its
    rows: `cache_vectors` [S, D]; `cache_keys` [2 S] holds a key, and a token's number of rows with its FNV above.
    Slots met are noted and their vectors added later, a few at a time, so that the processor fetches them together:
    `lists` [3, at least `PENDING` and `word_ngrams`] has room for these.
    """
    dim, pruned = rows_.shape[1], len(before_) > 0
    d, size, rows, before, present = address(data), len(data), address(rows_), address(before_), address(present_)
    keys, vectors = address(cache_keys), address(cache_vectors)
    cache_mask, table_mask = len(cache_vectors) - 1, len(table_hash) - 1
    pending, places, recent = address(lists), address(lists) + 8 * lists.shape[1], address(lists) + 16 * lists.shape[1]
    for doc in range(len(offsets) - 1):
        at = offsets[doc]
        end = offsets[doc + 1]
        total = tokens = waiting = 0
        mean = address(hidden) + 4 * dim * doc
        for k in range(dim):
            set_u32(mean, k, 0)
        stop = False
        while not stop:
            while at < end and (byte(d, at) == 32 or 9 <= byte(d, at) <= 13 or byte(d, at) == 0):
                at += 1
            start = at
            if at >= end:  # the end of the line is the last token
                stop = True
                fnv = np.uint32(LINE_END_FNV)
                add_rows(mean, vectors, dim, pending, waiting)
                waiting = 0
                if line_end >= 0:
                    set_i64(pending, 0, line_end)
                    add_rows(mean, rows, dim, pending, 1)
                    total += 1
            else:
                at = token_end(d, at, end, size)
                key = token_key(d, start, at, size)
                slot = np.int64(key >> U64(20)) & cache_mask
                if u64(keys, 2 * slot) != key:
                    place = np.int64(key) & table_mask
                    word = np.int64(-1)
                    while table_word[place] >= 0:
                        if table_hash[place] == key:
                            word = np.int64(table_word[place])
                            break
                        place = (place + 1) & table_mask
                    if at - start == 4 and is_line_end(d, start):
                        at = end
                        continue
                    if word < 0 and at - start >= 9 and is_label(d, start):
                        continue
                    add_rows(mean, vectors, dim, pending, waiting)  # the slot may be one of those that wait
                    waiting = 0
                    count = word_vector(
                        d, start, at, word, rows, dim, words, pruned, before, present, bucket, minn, maxn, places,
                        vectors + 4 * dim * slot,
                    )  # fmt: skip
                    set_u64(keys, 2 * slot, key)
                    set_u64(keys, 2 * slot + 1, U64(count) | U64(fnv_of(d, start, at)) << U64(32))
                held = u64(keys, 2 * slot + 1)
                total += np.int64(held & U64(0xFFFFFFFF))
                fnv = np.uint32(held >> U64(32))
                set_i64(pending, waiting, slot)
                waiting += 1
                if waiting == PENDING or word_ngrams > 1:
                    add_rows(mean, vectors, dim, pending, waiting)
                    waiting = 0
            if word_ngrams > 1:
                count = ngram_rows(fnv, tokens, recent, word_ngrams, words, pruned, before, present, bucket, places)
                add_rows(mean, rows, dim, places, count)
                total += count
                tokens += 1
        counts[doc] = total
        if total:
            scale = np.float32(1.0 / total)
            for k in range(dim):
                hidden[doc, k] *= scale


@kernel(types.void(FLOATS, ROWS, INT32S, INT32S, types.int32[::1], types.float32[::1]))
def best_of_tree(hidden, output, left, right, labels, scores):  # type: ignore[no-untyped-def]
    """Most probable label of each hidden vector under a hierarchical softmax, by branch and bound over its tree."""
    leaves = output.shape[0]
    dim = output.shape[1]
    nodes = np.zeros(1024, np.int32)
    logs = np.zeros(1024, np.float32)
    tiny = np.float32(1e-5)
    for doc in range(len(hidden)):
        best = np.float32(-1e30)
        winner = -1
        depth = 1
        nodes[0] = 2 * leaves - 2
        logs[0] = np.float32(0)
        while depth:
            depth -= 1
            node = nodes[depth]
            score = logs[depth]
            if score < best:
                continue
            if left[node] < 0:
                if score > best:
                    best = score
                    winner = node
                continue
            value = np.float32(0)
            for k in range(dim):
                value += output[node - leaves, k] * hidden[doc, k]
            value = np.float32(1.0 / (1.0 + np.exp(-np.float64(value))))
            to_left = score + np.float32(np.log(np.float32(1) - value + tiny))
            to_right = score + np.float32(np.log(value + tiny))
            worse_first = to_left > to_right
            nodes[depth] = right[node] if worse_first else left[node]
            logs[depth] = to_right if worse_first else to_left
            nodes[depth + 1] = left[node] if worse_first else right[node]
            logs[depth + 1] = to_left if worse_first else to_right
            depth += 2
        labels[doc] = winner
        scores[doc] = min(np.float32(1), np.float32(np.exp(best)))


@kernel(types.void(FLOATS, ROWS, types.boolean, FLOATS))
def label_probabilities(hidden, output, independent, probabilities):  # type: ignore[no-untyped-def]
    """Softmax over labels, or one sigmoid per label (`independent`), of each hidden vector: float32 [n, K]."""
    dim = output.shape[1]
    for doc in range(len(hidden)):
        row = probabilities[doc]
        top = np.float32(-1e30)
        for label in range(len(output)):
            value = np.float32(0)
            for k in range(dim):
                value += output[label, k] * hidden[doc, k]
            row[label] = value
            top = max(top, value)
        total = np.float32(0)
        for label in range(len(output)):
            if independent:
                row[label] = np.float32(1.0 / (1.0 + np.exp(-np.float64(row[label]))))
            else:
                row[label] = np.exp(row[label] - top)
                total += row[label]
        if not independent:
            for label in range(len(output)):
                row[label] /= total
