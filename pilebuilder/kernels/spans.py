"""Spans of text: lines and paragraphs, fingerprints and windows of words, and cutting spans out of texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.folding import (
    ALONE,
    BUFFER,
    BYTES,
    COUNTS,
    EDGES,
    HASHES,
    IGNORED,
    OFFSETS,
    POINT,
    TABLE_SIZE,
    UINT32S,
    UINT64S,
    WORD_BYTES,
    Pair,
    fold_bytes,
    fold_table,
)
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.shingles import next_shingles, workspace


@kernel(types.int64(BYTES, OFFSETS, OFFSETS, types.boolean, types.int64, COUNTS, COUNTS, COUNTS))
def _units(
    data: Any, offsets: Any, rows: Any, paragraphs: Any, least: Any, row_out: Any, starts: Any, stops: Any
) -> Any:
    """Lines, or paragraphs (between empty lines), with at least `least` bytes that are not white space at the ends."""
    count = 0
    for index in range(len(rows)):
        at, end = offsets[rows[index]], offsets[rows[index] + 1]
        while at < end:
            stop = at  # end of the unit, its line break included
            blank = True
            while stop < end:
                line_blank = True
                while stop < end and data[stop] != 0x0A:
                    line_blank &= data[stop] <= 0x20
                    stop += 1
                stop += stop < end
                blank &= line_blank
                if not paragraphs or (line_blank and not blank):
                    break
            first, last = at, stop
            while first < last and data[first] <= 0x20:
                first += 1
            while last > first and data[last - 1] <= 0x20:
                last -= 1
            if last > first and last - first >= least:
                if count == len(starts):
                    return -1
                row_out[count], starts[count], stops[count] = index, first, stop
                count += 1
            at = stop
    return count


def units(
    data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, *, paragraphs: bool, least: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines or paragraphs of some texts: (index in `rows`, first byte, byte after the line break), all int64.

    `least` is the number of bytes, white space at the ends aside, below which a unit is left out.
    """
    rows = np.ascontiguousarray(rows, np.int64)
    room = int((offsets[rows + 1] - offsets[rows]).sum()) // max(1, least) + 1
    found = tuple(np.empty(room, np.int64) for _ in range(3))
    count = _units(data, offsets, rows, paragraphs, least, *found)
    assert count >= 0, "more units than fit"
    return found[0][:count], found[1][:count], found[2][:count]


@kernel(
    types.int64(
        BYTES, OFFSETS, OFFSETS, UINT64S, types.intp, types.int64, BUFFER, HASHES, HASHES, COUNTS, EDGES,
        HASHES, COUNTS, HASHES, COUNTS,
    )
)  # fmt: skip
def _fingerprints(
    data: Any, offsets: Any, rows: Any, table: Any, ngram: Any, window: Any, folded: Any, held: Any,
    block: Any, state: Any, edges: Any, ring: Any, place: Any, keys: Any, owners: Any,
) -> Any:  # fmt: skip
    """Winnowing (Schleimer et al. 2003): the least hash of every `window` successive n-grams, each taken once."""
    total = 0
    for index in range(len(rows)):
        at, stop = offsets[rows[index]], offsets[rows[index] + 1]
        state[:] = 0
        position, head, size = 0, 0, 0  # ring: hashes of rising value, oldest first (a monotone queue)
        last = -1
        while True:
            at, count = next_shingles(data, at, stop, table, ngram, folded, held, block, state, edges)
            if state[3]:
                count = 0  # fewer words than an n-gram: nothing that long can repeat
            for k in range(count):
                h = block[k]
                while size and ring[(head + size - 1) % window] >= h:
                    size -= 1
                ring[(head + size) % window] = h
                place[(head + size) % window] = position
                size += 1
                if place[head] <= position - window:
                    head = (head + 1) % window
                    size -= 1
                position += 1
                if position >= window and place[head] != last:
                    last = place[head]
                    if total == len(keys):
                        return -1
                    keys[total], owners[total] = ring[head], index
                    total += 1
            if at >= stop:
                break
    return total


def fingerprints(data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes that two texts share whenever they share `span` successive words: (hash, index in `rows`).

    N-grams of half the span are winnowed in windows of the other half.
    """
    ngram = span // 2
    window = span - ngram + 1
    rows = np.ascontiguousarray(rows, np.int64)
    room = int((offsets[rows + 1] - offsets[rows]).sum()) // 2 + 64
    keys, owners = np.empty(room, np.uint64), np.empty(room, np.int64)
    ring, place = np.zeros(window, np.uint64), np.zeros(window, np.int64)
    folded, held, block, state, edges = workspace(ngram)
    total = _fingerprints(
        data, offsets, rows, fold_bytes(), ngram, window, folded, held, block, state, edges,
        ring, place, keys, owners,
    )  # fmt: skip
    assert total >= 0, "more fingerprints than n-grams"
    return keys[:total].copy(), owners[:total].copy()


@kernel(
    types.int64(
        BYTES,
        types.int64,
        types.int64,
        UINT64S,
        types.intp,
        BUFFER,
        HASHES,
        HASHES,
        COUNTS,
        EDGES,
        HASHES,
    )
)
def _all_hashes(
    data: Any, at: Any, stop: Any, table: Any, ngram: Any, folded: Any, held: Any, block: Any,
    state: Any, edges: Any, out: Any,
) -> Any:  # fmt: skip
    total = 0
    state[:] = 0
    while True:
        at, count = next_shingles(data, at, stop, table, ngram, folded, held, block, state, edges)
        if state[3]:
            return 0
        for k in range(count):
            out[total] = block[k]
            total += 1
        if at >= stop:
            return total


def ngram_hashes(data: np.ndarray, start: int, stop: int, ngram: int) -> np.ndarray:
    """Hash of every n-gram of words of one text (uint64), in order; none for a text of fewer words."""
    out = np.empty((stop - start) // 2 + 64, np.uint64)
    work = workspace(ngram)
    total = _all_hashes(data, start, stop, fold_bytes(), ngram, *work, out)
    return out[:total].copy()


@kernel(Pair(BYTES, types.intp, types.intp, UINT32S, COUNTS, COUNTS))
def _word_bounds(data: Any, at: Any, end: Any, table: Any, starts: Any, stops: Any) -> Any:
    """Bytes of each word, by the definition of `pilebuilder.kernels.shingles`."""
    count, size = 0, 0  # size: bytes of the folded word so far, 0 between words
    while at < end:
        begin = at
        c: Any = np.int64(data[at])
        length = 1 + (c >= 0xC0) + (c >= 0xE0) + (c >= 0xF0)
        if length > 1:
            c &= 0xFF >> (length + 1)
        for k in range(1, min(length, end - at)):
            c = (c << 6) | (np.int64(data[at + k]) & 0x3F)
        at += length
        value = table[c] if c < TABLE_SIZE else (IGNORED if 0xE0001 <= c < 0xE0080 else np.uint32(0))
        if value == IGNORED:
            continue
        alone = value & ALONE != 0
        if size and (value == 0 or alone):
            size = 0
        if value == 0:
            continue
        c = np.int64(value & POINT)
        length = 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000)
        if size + length > WORD_BYTES:  # the rest of this character, or all of it, is the next piece
            size = size + length - WORD_BYTES
            starts[count], stops[count] = begin, at
            count += 1
        else:
            if size == 0:
                starts[count] = begin
                count += 1
            size += length
            stops[count - 1] = at
        if alone:
            size = 0
    return count, 0


def word_bounds(data: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """First byte, and byte after the last, of each word of a text (int64): where n-gram k begins and ends."""
    starts, stops = np.empty(stop - start + 1, np.int64), np.empty(stop - start + 1, np.int64)
    count, _ = _word_bounds(data, start, stop, fold_table(), starts, stops)
    return starts[:count], stops[:count]


@kernel(types.void(BYTES, OFFSETS, OFFSETS, OFFSETS, OFFSETS, BUFFER, COUNTS))
def _cut(data: Any, offsets: Any, span_rows: Any, starts: Any, stops: Any, out: Any, ends: Any) -> None:
    total, span = 0, 0
    for row in range(len(offsets) - 1):
        at = offsets[row]
        while span < len(span_rows) and span_rows[span] == row:
            for k in range(at, max(at, starts[span])):
                out[total] = data[k]
                total += 1
            at = max(at, stops[span])
            span += 1
        for k in range(at, offsets[row + 1]):
            out[total] = data[k]
            total += 1
        ends[row] = total


def cut(
    data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Texts without some spans of bytes: (bytes, offsets). Spans are sorted by row and start, and may overlap."""
    out, ends = np.empty(int(offsets[-1] - offsets[0]), np.uint8), np.zeros(len(offsets) - 1, np.int64)
    _cut(data, offsets, rows, starts, stops, out, ends)
    result = np.append(0, ends)
    return out[: result[-1]], result
