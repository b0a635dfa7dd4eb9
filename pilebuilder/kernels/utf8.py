"""UTF-8 at the level of bytes: decoding, and the 64-bit hash that stands for words, lines and paragraphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilebuilder.kernels.jit import byte, device, load8

SEED = np.uint64(0x9E3779B97F4A7C15)
FACTOR = np.uint64(0xD6E8FEB86659FD93)
LENGTH_FACTOR = np.uint64(0xA0761D6478BD642F)
HALF = np.uint64(32)


@device
def decode(d: Any, i: Any) -> Any:
    """Code point that starts at byte `i`, and its length in bytes."""
    b = byte(d, i)
    if b < 0x80:
        return b, 1
    if b < 0xE0:
        return (b & 0x1F) << 6 | byte(d, i + 1) & 0x3F, 2
    if b < 0xF0:
        return (b & 0xF) << 12 | (byte(d, i + 1) & 0x3F) << 6 | byte(d, i + 2) & 0x3F, 3
    high = (b & 7) << 18 | (byte(d, i + 1) & 0x3F) << 12
    return high | (byte(d, i + 2) & 0x3F) << 6 | byte(d, i + 3) & 0x3F, 4


@device
def decode_before(d: Any, e: Any) -> Any:
    """Code point that ends before byte `e`, and where it starts."""
    i = e - 1
    while byte(d, i) & 0xC0 == 0x80:
        i -= 1
    return decode(d, i)[0], i


@device
def tail8(d: Any, i: Any, e: Any, size: Any) -> Any:
    """Bytes [i, e), fewer than eight, as a uint64 with zeros above; `size` is where the array ends."""
    n = np.uint64(e - i)
    if i + 8 <= size:
        return load8(d, i) & ((np.uint64(1) << (n << np.uint64(3))) - np.uint64(1))
    x = np.uint64(0)
    for k in range(e - i):
        x |= np.uint64(byte(d, i + k)) << np.uint64(8 * k)
    return x


@device
def hash_start(n: Any) -> Any:
    return SEED ^ np.uint64(n) * LENGTH_FACTOR


@device
def hash_more(h: Any, x: Any) -> Any:
    h = (h ^ x) * FACTOR
    return h ^ h >> HALF


@device
def hash_bytes(d: Any, s: Any, e: Any, size: Any) -> Any:
    """64-bit hash of bytes [s, e): the identity of words, lines and paragraphs within a document."""
    h = hash_start(e - s)
    while e - s >= 8:
        h = hash_more(h, load8(d, s))
        s += 8
    if s < e:
        h = hash_more(h, tail8(d, s, e, size))
    return h


def hash_of(word: bytes) -> int:
    """`hash_bytes` in Python: for tables made from lists."""
    mask = (1 << 64) - 1
    h = int(SEED) ^ len(word) * int(LENGTH_FACTOR) & mask
    for k in range(0, len(word), 8):
        h = (h ^ int.from_bytes(word[k : k + 8], "little")) * int(FACTOR) & mask
        h ^= h >> 32
    return h
