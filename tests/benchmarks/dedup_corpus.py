"""The corpus of the dedup benchmarks: chunks of real text, with edited copies planted, and the true similar pairs.

Truth is exact: the Jaccard similarity of the sets of five-word shingles, words being ``\\w+`` of the lower-cased text
(nobody's normal form but Python's), for every pair of at least `FLOOR`, found by prefix filtering (Chaudhuri et al.
2006) without any hashing of sets.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np
from numba import njit, types

from tests.benchmarks.texts import documents

CHUNK = 1200
FLOOR = 0.5
WORD = re.compile(r"\w+")
NGRAM = 5


@dataclass(slots=True)
class Corpus:
    """Texts and, for the planted ones, which text was edited."""

    texts: list[str]
    source: np.ndarray
    """Index of the text that this one was made from, or -1 (int64)."""

    @property
    def megabytes(self) -> float:
        return sum(len(t.encode()) for t in self.texts) / 1e6


def build(chunks: int = 110_000, planted: int = 25_000, seed: int = 3) -> Corpus:
    """Real chunks of about 1 KB, and planted copies with edits of every strength, shuffled."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _, text in documents(chunks * 2 * CHUNK, CHUNK):
        if len(text) > 200:
            texts.append(text)
        if len(texts) == chunks:
            break
    sources = rng.sample(range(len(texts)), min(planted, len(texts)))
    rows = [(t, -1) for t in texts] + [(edit(texts[i], rng), i) for i in sources]
    order = list(range(len(rows)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    source = np.array([place[rows[i][1]] if rows[i][1] >= 0 else -1 for i in order])
    return Corpus([rows[i][0] for i in order], source)


def edit(text: str, rng: random.Random) -> str:
    """Replace, drop or insert words, or cut an end, at a strength drawn so that similarities cover 0.3 to 1."""
    words = re.split(r"(\s+)", text)
    strength = rng.random() ** 2 * 0.12
    out = []
    for word in words:
        draw = rng.random()
        if word.strip() and draw < strength:
            kind = rng.randrange(3)
            if kind == 0:
                out.append(f"word{rng.randrange(10**6)}")
            elif kind == 2:
                out += [word, " ", f"more{rng.randrange(10**6)}"]
        else:
            out.append(word)
    if rng.random() < 0.3:
        cut = int(len(out) * rng.random() * 0.25)
        out = out[cut:] if rng.random() < 0.5 else out[: len(out) - cut]
    return "".join(out)


def oracle_words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def oracle_shingles(text: str) -> set[str]:
    """Five-word shingles joined by spaces; a text of fewer words is one shingle."""
    words = oracle_words(text)
    if not words:
        return set()
    return {" ".join(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))}


def truth(texts: list[str], floor: float = FLOOR) -> tuple[np.ndarray, np.ndarray]:
    """Every pair (int64, pairs x 2, ascending) with true similarity of at least `floor`, and the similarities."""
    numbers: dict[str, int] = {}
    sets = []
    for text in texts:
        sets.append(np.array([numbers.setdefault(s, len(numbers)) for s in oracle_shingles(text)], np.int64))
    ends = np.cumsum([0, *map(len, sets)])
    flat = np.concatenate(sets)
    frequency = np.bincount(flat, minlength=len(numbers))
    rank = np.empty(len(numbers), np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(numbers))
    flat = rank[flat]
    for i in range(len(sets)):
        flat[ends[i] : ends[i + 1]].sort()
    pairs, similarity = _similar_pairs(flat, ends, np.argsort(np.diff(ends), kind="stable"), floor)
    pairs.sort(axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], similarity[order]


@njit(
    types.Tuple((types.int64[:, ::1], types.float64[::1]))(
        types.int64[::1], types.int64[::1], types.int64[::1], types.float64
    )
)
def _similar_pairs(flat, ends, by_size, floor):  # type: ignore[no-untyped-def]
    """Sets are sorted rarest element first; two of similarity >= floor share an element of their prefixes."""
    n = len(by_size)
    head = np.full(flat.max() + 1 if len(flat) else 1, -1, np.int64)  # last posting of each element
    post_next, post_set = np.empty(len(flat), np.int64), np.empty(len(flat), np.int64)
    posts = 0
    mark = np.full(n, -1, np.int64)
    capacity, found = 1 << 16, 0
    pairs, similarity = np.empty((capacity, 2), np.int64), np.empty(capacity, np.float64)
    for position in range(n):
        x = by_size[position]
        size = ends[x + 1] - ends[x]
        prefix = size - int(np.ceil(floor * size - 1e-9)) + 1
        for k in range(ends[x], ends[x] + min(prefix, size)):
            p = head[flat[k]]
            while p >= 0:
                y = post_set[p]
                p = post_next[p]
                other = ends[y + 1] - ends[y]
                if mark[y] == x or other < floor * size - 1e-9:
                    continue
                mark[y] = x
                i, j, shared = ends[x], ends[y], 0
                while i < ends[x + 1] and j < ends[y + 1]:
                    if flat[i] == flat[j]:
                        shared += 1
                        i += 1
                        j += 1
                    elif flat[i] < flat[j]:
                        i += 1
                    else:
                        j += 1
                value = shared / (size + other - shared)
                if value >= floor:
                    if found == capacity:
                        capacity *= 2
                        bigger, longer = np.empty((capacity, 2), np.int64), np.empty(capacity, np.float64)
                        bigger[:found], longer[:found] = pairs, similarity
                        pairs, similarity = bigger, longer
                    pairs[found, 0], pairs[found, 1], similarity[found] = x, y, value
                    found += 1
        for k in range(ends[x], ends[x] + min(prefix, size)):
            post_set[posts], post_next[posts] = x, head[flat[k]]
            head[flat[k]] = posts
            posts += 1
    return pairs[:found].copy(), similarity[:found].copy()
