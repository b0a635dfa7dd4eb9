"""Word lists as hash tables that kernels can look words up in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pilebuilder.kernels.fasttext import word_hashes


def table(groups: Mapping[int, Iterable[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Open-addressing table of words with flags: hashes (uint64, 0 empty) and flags (uint8), both a power of two long.

    A word in several groups gets all their flags.
    """
    flags: dict[str, int] = {}
    for flag, words in groups.items():
        for word in words:
            flags[word] = flags.get(word, 0) | flag
    words = sorted(flags)
    size = 1 << (4 * max(1, len(words))).bit_length()
    keys, kinds = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
    encoded = [word.encode() for word in words]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    hashes = word_hashes(np.frombuffer(b"".join(encoded) or b"\0", np.uint8), offsets)
    for word, key in zip(words, hashes.tolist(), strict=True):
        place = key & (size - 1)
        while keys[place]:
            place = (place + 1) & (size - 1)
        keys[place], kinds[place] = key, flags[word]
    return keys, kinds
