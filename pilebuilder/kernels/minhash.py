"""MinHash signatures, band keys, and 128-bit digests of texts and addresses, over Arrow text buffers.

Signatures are those of datasketch, bit for bit, in both of its schemes: ``affine32`` (its default since 2.0) and
``legacy`` (a*h + b modulo 2^61 - 1, the only one before). `datasketch.LeanMinHash(seed=seed, hashvalues=row,
scheme=scheme)` built from a row of `signatures` equals the one datasketch computes from `reference_shingles` with
``hashfunc=shingle_hash32``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.affine import SIGNATURE, lower_affine, premix
from pilebuilder.kernels.folding import (
    BUFFER,
    BYTES,
    COUNTS,
    EDGES,
    HASHES,
    MULTIPLY,
    OFFSETS,
    UINT64S,
    U,
    fold_bytes,
    mix64,
)
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.lanes import bits_set, blank64, load8, squeeze64, store8
from pilebuilder.kernels.shingles import TEXTS, next_shingles, next_texts, shingle_count, workspace

SCHEMES = ("affine32", "legacy")
MERSENNE = U((1 << 61) - 1)
U32 = np.uint32
EMPTY = U32(0xFFFFFFFF)
PERMUTATION = types.Array(types.uint64, 1, "C", readonly=True)
SIGNATURES = types.Array(types.uint32, 2, "C")


@functools.cache
def permutations(count: int, seed: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and addends (uint64) of datasketch's permutations for this seed and scheme."""
    generator = np.random.RandomState(seed)
    if scheme == "legacy":
        prime = int(MERSENNE)
        pairs = [
            (generator.randint(1, prime, dtype=np.uint64), generator.randint(0, prime, dtype=np.uint64))
            for _ in range(count)
        ]
        a, b = np.array(pairs, np.uint64).T.copy()
    elif scheme == "affine32":
        a = generator.randint(0, 1 << 31, count, dtype=np.uint32).astype(np.uint64) * U(2) + U(1)
        b = generator.randint(0, 1 << 32, count, dtype=np.uint32).astype(np.uint64)
    else:
        raise ValueError(f"no permutation scheme is named {scheme!r}; known: {', '.join(SCHEMES)}")
    a.flags.writeable = b.flags.writeable = False
    return a, b


@kernel(types.void(HASHES, types.intp, types.intp, PERMUTATION, PERMUTATION, SIGNATURE))
def _lower_legacy(hashes: Any, start: Any, stop: Any, a: Any, b: Any, signature: Any) -> None:
    """As `lower_affine` for (a*h + b mod 2^64) mod (2^61 - 1), of which the low 32 bits count."""
    for k in range(start, stop):
        h = hashes[k] & U(0xFFFFFFFF)
        for j in range(len(a)):
            v = a[j] * h + b[j]
            v = (v & MERSENNE) + (v >> U(61))
            v = min(v, v - MERSENNE)  # below the prime the difference wraps around and is larger
            signature[j] = min(U32(v), signature[j])


@kernel(
    types.void(
        BYTES, OFFSETS, OFFSETS, UINT64S, types.intp, PERMUTATION, PERMUTATION, types.boolean,
        BUFFER, HASHES, HASHES, COUNTS, EDGES, SIGNATURES, COUNTS, BUFFER,
    ),
)  # fmt: skip
def _signatures(
    data: Any, starts: Any, stops: Any, table: Any, ngram: Any, a: Any, b: Any, affine: Any,
    folded: Any, words: Any, block: Any, state: Any, edges: Any, signatures: Any, shingles: Any, few: Any,
) -> None:  # fmt: skip
    a32, b32 = a.astype(U32), b.astype(U32)
    mixed, last = np.empty(len(block), U32), np.zeros(TEXTS, np.int64)
    signatures[:] = EMPTY
    row = 0
    while row < len(starts):
        after = next_texts(data, starts, stops, row, table, ngram, folded, words, block, edges, last)
        if after > row and affine:
            premix(block, last[after - row - 1], mixed)
        begin = 0
        for index in range(row, after):
            held = last[index - row] - begin
            count = shingle_count(held, ngram)
            shingles[index], few[index] = count, 0 < held < ngram
            if affine:
                lower_affine(mixed, begin, begin + count, a32, b32, signatures[index])
            else:
                _lower_legacy(block, begin, begin + count, a, b, signatures[index])
            begin = last[index - row]
        if after == row:  # a long text, in parts
            at = starts[row]
            state[:] = 0
            while at < stops[row]:
                at, count = next_shingles(data, at, stops[row], table, ngram, folded, words, block, state, edges)
                if affine:
                    premix(block, count, mixed)
                    lower_affine(mixed, 0, count, a32, b32, signatures[row])
                else:
                    _lower_legacy(block, 0, count, a, b, signatures[row])
            shingles[row], few[row] = state[2], state[3]
            after = row + 1
        row = after


def signatures(
    data: np.ndarray, offsets: np.ndarray, *, ngram: int, count: int, seed: int, scheme: str = "affine32"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MinHash signatures of texts.

    Returns the signatures (uint32, documents x count; all ones for a text without words), the numbers of shingles with
    repeats (int64), and whether a text has words, but fewer than `ngram`, so that all of them make its one shingle.
    """
    return _sign(data, offsets, ngram, *permutations(count, seed, scheme), scheme)


def _sign(
    data: np.ndarray, offsets: np.ndarray, ngram: int, a: np.ndarray, b: np.ndarray, scheme: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`signatures` with these permutations."""
    rows = len(offsets) - 1
    out, shingles, few = np.empty((rows, len(a)), np.uint32), np.zeros(rows, np.int64), np.zeros(rows, np.uint8)
    work = workspace(ngram)
    affine = scheme == "affine32"
    _signatures(data, offsets[:-1], offsets[1:], fold_bytes(), ngram, a, b, affine, *work, out, shingles, few)
    return out, shingles, few.view(bool)


@kernel(types.void(SIGNATURES, types.intp, types.Array(types.uint64, 2, "C")))
def _band_keys(minima: Any, rows: Any, keys: Any) -> None:
    """Keys of the bands; `minima` stand row by row: the first minimum of every band, the second of every band ..."""
    bands = keys.shape[1]
    for i in range(keys.shape[0]):
        key, low = keys[i], minima[i]
        for band in range(bands):
            key[band] = U(band + 1) * MULTIPLY
        for k in range(rows):
            for band in range(bands):
                h = (key[band] ^ U(low[k * bands + band])) * MULTIPLY
                key[band] = h ^ (h >> U(32))
        for band in range(bands):
            key[band] = mix64(key[band])


AT_ONCE = 1024
"""Texts whose keys and digests are made at a time: what is read or made twice stays in the second cache level."""


def band_keys(signatures: np.ndarray, *, bands: int, rows: int) -> np.ndarray:
    """Keys (uint64, documents x bands): equal in a band when its `rows` minima are; never equal across bands."""
    keys = np.empty((len(signatures), bands), np.uint64)
    minima = signatures[:, : bands * rows].reshape(-1, bands, rows).swapaxes(1, 2)
    _band_keys(np.ascontiguousarray(minima).reshape(-1, bands * rows), rows, keys)
    return keys


def text_keys(
    data: np.ndarray, offsets: np.ndarray, *, ngram: int, bands: int, rows: int, seed: int, scheme: str = "affine32"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`digests` and `band_keys` of texts, their numbers of shingles, and which are `few`; no signature is kept."""
    count = len(offsets) - 1
    digest, keys = np.empty((count, 2), np.uint64), np.empty((count, bands), np.uint64)
    shingles, few = np.zeros(count, np.int64), np.zeros(count, bool)
    a, b = (x.reshape(bands, rows).T.ravel() for x in permutations(bands * rows, seed, scheme))
    buffer = np.zeros(DIGEST_BUFFER, np.uint8)
    for start in range(0, count, AT_ONCE):
        part, some = slice(start, start + AT_ONCE), offsets[start : start + AT_ONCE + 1]
        _digests(data, some[:-1], some[1:], U(0), buffer, digest[part])
        minima, shingles[part], few[part] = _sign(data, some, ngram, a, b, scheme)
        _band_keys(minima, rows, keys[part])
    return digest, keys, shingles, few


# -- digests


@kernel(types.uint64(types.uint64, types.uint64), inline="always")
def _rotate(x: Any, bits: Any) -> Any:
    return (x << bits) | (x >> (U(64) - bits))


C1, C2 = U(0x87C37B91114253D5), U(0x4CF5AD432745937F)


@kernel(types.void(BUFFER, types.intp, COUNTS, HASHES))
def _absorb(data: Any, end: Any, at: Any, state: Any) -> None:
    """MurmurHash3 x64 128: whole blocks of 16 bytes of `data[at[0]:end]`; moves `at[0]` on."""
    h1, h2 = state[0], state[1]
    i = at[0]
    while i + 16 <= end:
        k1, k2 = load8(data, i), load8(data, i + 8)
        h1 ^= _rotate(k1 * C1, U(31)) * C2
        h1 = (_rotate(h1, U(27)) + h2) * U(5) + U(0x52DCE729)
        h2 ^= _rotate(k2 * C2, U(33)) * C1
        h2 = (_rotate(h2, U(31)) + h1) * U(5) + U(0x38495AB5)
        i += 16
    state[0], state[1] = h1, h2
    at[0] = i


@kernel(types.void(BUFFER, types.intp, types.intp, types.intp, HASHES))
def _finish(data: Any, at: Any, end: Any, length: Any, state: Any) -> None:
    """MurmurHash3's tail of fewer than 16 bytes and its finaliser; `data` has 16 bytes of room behind `end`."""
    h1, h2 = state[0], state[1]
    store8(data, end, U(0))
    store8(data, end + 8, U(0))
    if end > at:
        k1, k2 = load8(data, at), load8(data, at + 8)
        h2 ^= _rotate(k2 * C2, U(33)) * C1
        h1 ^= _rotate(k1 * C1, U(31)) * C2
    h1 ^= U(length)
    h2 ^= U(length)
    h1 += h2
    h2 += h1
    h1, h2 = mix64(h1), mix64(h2)
    h1 += h2
    h2 += h1
    state[0], state[1] = h1, h2


PIECE = 8192
DIGEST_BUFFER = PIECE + 320
DIGESTS = types.Array(types.uint64, 2, "C")


@kernel(types.Tuple((types.intp, types.boolean))(BYTES, types.intp, types.intp, BUFFER, types.intp, types.boolean))
def _collapse_block(data: Any, at: Any, size: Any, out: Any, end: Any, space: Any) -> Any:
    """Append up to 64 bytes with white space collapsed; returns (end, whether the last byte was white space).

    Reads 64 bytes from `at` on; `out` needs 64 bytes of room behind `end`.
    """
    blanks = blank64(data, at, out, end)
    mine = ~U(0) >> U(64 - size)
    twice = blanks & ((blanks << U(1)) | U(space)) & mine
    if twice == U(0):
        end += size
    else:
        keep = ~twice & mine
        squeeze64(out, end, keep, out, end)
        end += bits_set(keep)
    return end, (blanks >> U(size - 1)) & U(1) != U(0)


@kernel(types.void(BYTES, OFFSETS, OFFSETS, types.uint64, BUFFER, DIGESTS))
def _digests(data: Any, starts: Any, stops: Any, seed: Any, buffer: Any, out: Any) -> None:
    at = np.zeros(1, np.int64)
    for row in range(len(out)):
        state = out[row]
        state[0] = state[1] = seed
        end, length, space = 0, 0, True  # space: the last byte out is one, or nothing is out yet
        i, stop = starts[row], stops[row]
        while i < stop:
            if i + 64 <= len(data):
                size = min(64, stop - i)
                end, space = _collapse_block(data, i, size, buffer, end, space)
                i += size
            else:
                for _ in range(min(8, stop - i)):  # without branches: which bytes go cannot be foretold
                    c = data[i]
                    i += 1
                    now = c <= 0x20
                    buffer[end] = 0x20 if now else c
                    end += 1 - (now & space)
                    space = now
            if end >= PIECE:  # hash whole blocks, but never the last byte: it may be a space at the end of the text
                at[0] = 0
                _absorb(buffer, end - 1, at, state)
                length += at[0]
                for k in range(end - at[0]):
                    buffer[k] = buffer[at[0] + k]
                end -= at[0]
        if end > 0 and space:
            end -= 1
        at[0] = 0
        _absorb(buffer, end, at, state)
        _finish(buffer, at[0], end, length + end, state)


def digests(data: np.ndarray, offsets: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """128-bit digests (uint64, documents x 2): MurmurHash3 x64 128 of the text with white space normalised.

    Every run of ASCII white space and control characters counts as one space, and there is none at either end. The
    digest is wide, not cryptographic: it tells texts apart that were not built to collide.
    """
    return span_digests(data, offsets[:-1], offsets[1:], seed=seed)


def span_digests(data: np.ndarray, starts: np.ndarray, stops: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The same of any spans of bytes (uint64, spans x 2)."""
    out = np.empty((len(starts), 2), np.uint64)
    _digests(data, starts, stops, U(seed), np.zeros(DIGEST_BUFFER, np.uint8), out)
    return out


@kernel(types.intp(BYTES, types.intp, types.intp, BUFFER))
def _canonical_url(data: Any, at: Any, stop: Any, out: Any) -> Any:
    """Write an address without what does not name the page; returns its length. See `url_keys`."""
    while at < stop and data[at] <= 0x20:
        at += 1
    while stop > at and data[stop - 1] <= 0x20:
        stop -= 1
    host = at
    for k in range(at, min(stop, at + 6)):  # http:// or https://; any other scheme is part of the name
        if data[k] == 0x3A:
            if k + 2 < stop and data[k + 1] == 0x2F and data[k + 2] == 0x2F and (data[at] | 0x20) == 0x68:
                host = k + 3
            break
    if host > at:
        at = host
        www = at + 4 <= stop and data[at + 3] == 0x2E
        for k in range(3):
            www = www and (data[at + k] | 0x20) == 0x77
        if www:
            at += 4
    end, inside, port = 0, True, -1
    for k in range(at, stop + 1):
        c = data[k] if k < stop else 0x23
        if inside and (c == 0x2F or c == 0x3F or c == 0x23):
            inside = False
            if port >= 0 and (
                (end - port == 3 and out[port + 1] == 0x38 and out[port + 2] == 0x30)
                or (end - port == 4 and out[port + 1] == 0x34 and out[port + 2] == 0x34 and out[port + 3] == 0x33)
            ):
                end = port
        if c == 0x23:
            break
        if inside:
            if c == 0x3A:
                port = end
            if 0x41 <= c <= 0x5A:
                c |= 0x20
        out[end] = c
        end += 1
    while end > 0 and out[end - 1] == 0x2F:
        end -= 1
    return end


@kernel(types.void(BYTES, OFFSETS, types.uint64, BUFFER, DIGESTS))
def _url_keys(data: Any, offsets: Any, seed: Any, buffer: Any, out: Any) -> None:
    at = np.zeros(1, np.int64)
    for row in range(len(out)):
        state = out[row]
        state[0] = state[1] = seed
        end = _canonical_url(data, offsets[row], offsets[row + 1], buffer)
        at[0] = 0
        _absorb(buffer, end, at, state)
        _finish(buffer, at[0], end, end, state)


def url_keys(data: np.ndarray, offsets: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """128-bit keys (uint64, rows x 2) of web addresses in canonical form.

    ``http://``, ``https://``, ``www.``, default ports, the fragment and slashes at the end do not count, nor does the
    case of the host; path and query do, as written.
    """
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    longest = int(np.diff(offsets).max(initial=0))
    _url_keys(data, offsets, U(seed), np.zeros(longest + 32, np.uint8), out)
    return out
