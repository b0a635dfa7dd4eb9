"""Words by simple rules, their statistics and repetitions, against plain Python (str.split, re, Counter, median)."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.kernels.plainwords import LENGTHS, NORMAL, PUNCT, SPLIT, PlainWords, hash_of_word
from pilebuilder.kernels.repetition import NS, repetition
from tests.kernels.texts import CASES, any_text, buffers

STOP = ("the", "of", "a")


def lower(c: str) -> str:
    return c.lower() if len(c.lower()) == 1 else c


def words(text: str, mode: int) -> list[str]:
    if mode == PUNCT:
        return re.findall(r"\w+|[^\w\s]+", text)
    if mode == NORMAL:
        text = "".join(lower(c) for c in text if c not in string.punctuation)
    return text.split()


def expected(text: str, mode: int) -> list[int]:
    found = words(text, mode)
    raw = found
    if mode == NORMAL:  # letters are judged as they were written
        raw = "".join(c for c in text if c not in string.punctuation).split()
    return [
        len(found), sum(map(len, found)), sum(any(c.isalpha() for c in w) for w in raw),
        sum(bool(re.search("[a-zA-Z]", w)) for w in raw), sum(w.isupper() for w in raw),
        sum("#" in w or "…" in w for w in raw), sum(w in STOP for w in found),
        int(2 * median(min(len(w), LENGTHS - 1) for w in found)) if found else 0,
    ]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=3), st.sampled_from([SPLIT, NORMAL, PUNCT]))
def test_words_and_columns_equal_their_definition(texts: list[str], mode: int) -> None:
    found = PlainWords(*buffers(texts), mode, STOP)
    for row, text in enumerate(texts):
        hashes = [hash_of_word(w.encode()) for w in words(text, mode)]
        assert found.hashes[found.firsts[row] : found.firsts[row + 1]].tolist() == hashes
        assert found.counts[row].tolist() == expected(text, mode)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=3))
def test_vocabulary(texts: list[str]) -> None:
    distinct, entropy = PlainWords(*buffers(texts), NORMAL).vocabulary()
    for row, text in enumerate(texts):
        counts = Counter(words(text, NORMAL))
        total = counts.total()
        assert distinct[row] == len(counts)
        assert entropy[row] == pytest.approx(-sum(n / total * math.log(n / total) for n in counts.values()), abs=1e-9)


def repeated(tokens: list[str], n: int) -> list[int]:
    grams = [tuple(tokens[k : k + n]) for k in range(len(tokens) - n + 1)]
    if not grams:
        return [0] * 5
    counts = Counter(grams)
    top, times = counts.most_common(1)[0]
    covered = np.zeros(len(tokens), bool)
    for k, gram in enumerate(grams):
        if counts[gram] > 1:
            covered[k : k + n] = True
    sizes = {gram: sum(map(len, gram)) for gram in counts}
    return [
        times, sizes[top], sum(c * sizes[g] for g, c in counts.items() if c > 1), sum(sizes[g] for g in grams),
        sum(len(w) for w, c in zip(tokens, covered, strict=True) if c),
    ]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(any_text, st.text("ab ", max_size=80)), min_size=1, max_size=3))
def test_repetition(texts: list[str]) -> None:
    found = PlainWords(*buffers(texts), SPLIT)
    measured = repetition(found.hashes, found.lengths, found.firsts)
    for row, text in enumerate(texts):
        assert measured[row].tolist() == [repeated(text.split(), n) for n in NS]


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hard_cases(text: str) -> None:
    for mode in (SPLIT, NORMAL, PUNCT):
        assert PlainWords(*buffers([text]), mode, STOP).counts[0].tolist() == expected(text, mode)
