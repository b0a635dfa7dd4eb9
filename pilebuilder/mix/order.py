"""The random numbers of the mix: pure functions of seed and document id, the same on every machine for any worker.

A document id is 32 hex digits, read as two big-endian 64-bit words ``hi`` and ``lo``. For a purpose (``split``,
``copies``, ``order``) the seed gives two keys, the halves of ``blake2b("pilebuilder.mix\\0<purpose>\\0<seed>")``, and

    draw(id, copy) = f(f(f(lo ^ key0) + hi ^ key1) + copy * 0x9E3779B97F4A7C15)      modulo 2^64

where f is the finaliser of SplitMix64 (Steele, Lea, Flood 2014). Draws are uniform over the 64-bit integers, so

- a document is held out when its ``split`` draw lies below the share times 2^64;
- ``e`` epochs give ``floor(e)`` copies, and one more when its ``copies`` draw lies below ``frac(e)`` times 2^64;
- the ``order`` draw of a copy is its place in the corpus: shard k of n holds the draws in [k/n, (k+1)/n), sorted.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

TOP = 1 << 64
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_NIBBLE = np.full(256, 255, np.uint8)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _NIBBLE[_digit] = _value


def words(ids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Ids as two uint64 arrays (hi, lo). An id that is not 32 hex digits counts by its 16-byte BLAKE2b digest."""
    import pyarrow as pa

    ids = ids.cast(pa.large_binary())
    _, offsets_buffer, data = ids.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    if len(ids) and (np.diff(offsets) == 32).all():
        digits = _NIBBLE[np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, 32)]
        if digits.max() < 16:
            raw = (digits[:, 0::2] << 4) | digits[:, 1::2]
            both = np.ascontiguousarray(raw).view(">u8")
            return both[:, 0].astype(np.uint64), both[:, 1].astype(np.uint64)
    digests = b"".join(_identity(i) for i in ids.to_pylist())
    both = np.frombuffer(digests, ">u8").reshape(-1, 2)
    return both[:, 0].astype(np.uint64), both[:, 1].astype(np.uint64)


def _identity(key: bytes) -> bytes:
    if len(key) == 32 and not key.strip(b"0123456789abcdef"):
        return bytes.fromhex(key.decode())
    return hashlib.blake2b(key, digest_size=16).digest()


def keys(seed: int, purpose: str) -> tuple[np.uint64, np.uint64]:
    """The two 64-bit keys of a purpose under a seed."""
    digest = hashlib.blake2b(f"pilebuilder.mix\0{purpose}\0{seed}".encode(), digest_size=16).digest()
    return np.uint64(int.from_bytes(digest[:8], "big")), np.uint64(int.from_bytes(digest[8:], "big"))


def draw(hi: np.ndarray, lo: np.ndarray, key: tuple[np.uint64, np.uint64], copy: np.ndarray | int = 0) -> np.ndarray:
    """One uniform uint64 per document (and copy)."""
    copies = np.asarray(copy, np.uint64)
    return _finish(_finish(_finish(lo ^ key[0]) + hi ^ key[1]) + copies * _GOLDEN)


def _finish(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def below(share: float) -> int:
    """The integer threshold of a share: draws below it are the share's part. 1 gives 2^64, so everything."""
    assert 0 <= share <= 1, share
    return int(share * TOP)


def under(draws: np.ndarray, threshold: int) -> np.ndarray:
    """``draws < threshold`` for thresholds up to and including 2^64."""
    if threshold >= TOP:
        return np.ones(len(draws), bool)
    return np.asarray(draws < np.uint64(threshold))


def copies(draws: np.ndarray, epochs: float | np.ndarray) -> np.ndarray:
    """Copies of each document (int64): floor of its epochs, and one more for the fraction's share of documents."""
    whole = np.floor(epochs).astype(np.int64)
    fraction = ((epochs - whole) * float(TOP)).astype(np.uint64)  # exact: a fraction times a power of two
    return np.asarray(whole + (draws < fraction))


def bucket(draws: np.ndarray, count: int) -> np.ndarray:
    """Which of `count` equal ranges of the 64-bit integers each draw falls into (int64), `count` at most 2^31."""
    assert 0 < count <= 1 << 31, count
    high, low = draws >> np.uint64(32), draws & np.uint64(0xFFFFFFFF)
    n = np.uint64(count)
    return ((high * n + ((low * n) >> np.uint64(32))) >> np.uint64(32)).astype(np.int64)
