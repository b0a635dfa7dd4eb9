"""Document ids as a column: BLAKE2b-128 over ``component NUL key`` for every key at once, as hexadecimal text.

The result equals ``hashlib.blake2b(message, digest_size=16).hexdigest()`` (RFC 7693) for each message; a test compares
them. Called once per document from Python, hashing would cost as much as parsing the document.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, device, kernel

_BYTES_OUT = types.Array(types.uint8, 1, "C")
_UINT64_OUT = types.Array(types.uint64, 1, "C")

IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.int64,
)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
# Parameter block of an unkeyed hash with 16 bytes of output: fanout 1, depth 1, digest length 16.
_PARAMETERS = np.uint64(0x01010010)


@device
def _mix(v: np.ndarray, a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    v[a] = v[a] + v[b] + x
    t = v[d] ^ v[a]
    v[d] = (t >> np.uint64(32)) | (t << np.uint64(32))
    v[c] = v[c] + v[d]
    t = v[b] ^ v[c]
    v[b] = (t >> np.uint64(24)) | (t << np.uint64(40))
    v[a] = v[a] + v[b] + y
    t = v[d] ^ v[a]
    v[d] = (t >> np.uint64(16)) | (t << np.uint64(48))
    v[c] = v[c] + v[d]
    t = v[b] ^ v[c]
    v[b] = (t >> np.uint64(63)) | (t << np.uint64(1))


@device
def _compress(h: np.ndarray, v: np.ndarray, m: np.ndarray, block: np.ndarray, total: int, last: bool) -> None:
    for i in range(16):
        word = np.uint64(0)
        for k in range(7, -1, -1):
            word = (word << np.uint64(8)) | np.uint64(block[8 * i + k])
        m[i] = word
    for i in range(8):
        v[i] = h[i]
        v[i + 8] = IV[i]
    v[12] ^= np.uint64(total)
    if last:
        v[14] = ~v[14]
    for r in range(12):
        s = SIGMA[r % 10]
        _mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        _mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        _mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        _mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        _mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        _mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        _mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        _mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for i in range(8):
        h[i] ^= v[i] ^ v[i + 8]


@kernel(types.void(BYTES, BYTES, INT64S, _BYTES_OUT, _UINT64_OUT))
def blake2b_hex(prefix: np.ndarray, data: np.ndarray, offsets: np.ndarray, out: np.ndarray, first: np.ndarray) -> None:
    """For each key between two offsets: 32 hex digits of BLAKE2b-128(prefix + key), and the digest's first word."""
    h = np.empty(8, np.uint64)
    v = np.empty(16, np.uint64)
    m = np.empty(16, np.uint64)
    block = np.empty(128, np.uint8)
    p = len(prefix)
    for row in range(len(offsets) - 1):
        start = offsets[row]
        length = p + offsets[row + 1] - start
        for i in range(8):
            h[i] = IV[i]
        h[0] ^= _PARAMETERS
        done = 0
        while True:
            n = min(128, length - done)
            for i in range(n):
                at = done + i
                block[i] = prefix[at] if at < p else data[start + at - p]
            for i in range(n, 128):
                block[i] = 0
            done += n
            last = done >= length
            _compress(h, v, m, block, done, last)
            if last:
                break
        first[row] = h[0]
        for i in range(16):
            value = np.int64((h[i >> 3] >> np.uint64(8 * (i & 7))) & np.uint64(255))
            out[32 * row + 2 * i] = HEX[value >> 4]
            out[32 * row + 2 * i + 1] = HEX[value & 15]


@kernel(types.int64(_UINT64_OUT, types.Array(types.uint64, 1, "C", readonly=True), types.Array(types.boolean, 1, "C")))
def note_seen(table: np.ndarray, words: np.ndarray, seen: np.ndarray) -> int:
    """Put each word into an open hash table (size a power of two, 0 = free); ``seen[i]`` if it was there already.

    Returns how many were new. The caller keeps the table at most half full.
    """
    mask = np.int64(len(table) - 1)
    new = 0
    for i in range(len(words)):
        word = words[i]
        if word == 0:
            word = np.uint64(1)
        at = np.int64(word & np.uint64(mask))
        seen[i] = False
        while table[at] != 0:
            if table[at] == word:
                seen[i] = True
                break
            at = (at + 1) & mask
        if not seen[i]:
            table[at] = word
            new += 1
    return new
