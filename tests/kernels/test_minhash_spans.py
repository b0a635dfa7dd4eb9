"""Units, fingerprints, word bounds and cuts against plain Python."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import folding, spans
from tests.kernels.test_minhash import WORDY, buffers


def unit_texts(text: str, paragraphs: bool, least: int = 1) -> list[str]:
    data, offsets = buffers([text])
    _, starts, stops = spans.units(data, offsets, np.array([0]), paragraphs=paragraphs, least=least)
    return [bytes(data[a:b]).decode() for a, b in zip(starts, stops, strict=True)]


def test_lines_and_paragraphs() -> None:
    text = "\n  one\ntwo \n \nthree\nfour\n\n\n\nfive"
    assert unit_texts(text, False) == ["one\n", "two \n", "three\n", "four\n", "five"]
    assert unit_texts(text, True) == ["one\ntwo \n \n", "three\nfour\n\n", "five"]
    assert unit_texts(text, False, 4) == ["three\n", "four\n", "five"]
    assert unit_texts("", True) == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("ab \n\té"), max_size=60))
def test_lines_are_those_of_split(text: str) -> None:
    expected = [t.strip() for t in text.split("\n") if t.strip()]
    assert [u.strip() for u in unit_texts(text, False)] == expected


@settings(max_examples=150, deadline=None, derandomize=True)
@given(WORDY)
def test_bounds_name_the_words(text: str) -> None:
    data, offsets = buffers([text])
    starts, stops = spans.word_bounds(data, 0, int(offsets[1]))
    found = [folding.reference_words(bytes(data[a:b]).decode()) for a, b in zip(starts, stops, strict=True)]
    assert [w for words in found for w in words] == folding.reference_words(text)
    assert all(len(words) == 1 for words in found)
    assert len(spans.ngram_hashes(data, 0, int(offsets[1]), 1)) == len(starts)


@pytest.mark.parametrize("letter", ["x", "é", "\u1e9e"])
def test_bounds_of_words_longer_than_the_limit(letter: str) -> None:
    text = f"a {letter * 5000} b {letter * 9000}"
    data, offsets = buffers([text])
    starts, stops = spans.word_bounds(data, 0, int(offsets[1]))
    assert len(starts) == len(folding.reference_words(text))
    assert bytes(data[starts[-1] : stops[-1]]).decode().strip(letter) == ""


def test_texts_that_share_a_span_share_a_fingerprint() -> None:
    rng = random.Random(1)
    for trial in range(60):
        span = rng.randrange(4, 40)
        shared = [f"s{rng.randrange(10**6)}" for _ in range(span)]
        texts = []
        for _ in range(2):
            ends = [[f"w{rng.randrange(10**6)}" for _ in range(rng.randrange(0, 60))] for _ in range(2)]
            texts.append(" ".join(ends[0] + shared + ends[1]))
        keys, owners = spans.fingerprints(*buffers(texts), np.arange(2), span)
        assert set(keys[owners == 0].tolist()) & set(keys[owners == 1].tolist()), trial


def test_fingerprints_are_few() -> None:
    rng = random.Random(2)
    text = " ".join(f"w{rng.randrange(10**6)}" for _ in range(20_000))
    keys, _ = spans.fingerprints(*buffers([text]), np.arange(1), 50)
    assert 0.8 * 2 / 27 < len(keys) / 20_000 < 1.2 * 2 / 27


def test_cut() -> None:
    data, offsets = buffers(["hello world", "", "abcdef"])
    rows, starts, stops = np.array([0, 0, 2]), np.array([0, 3, 13]), np.array([5, 6, 15])
    text, ends = spans.cut(data, offsets, rows, starts, stops)
    assert [bytes(text[a:b]) for a, b in itertools.pairwise(ends)] == [b"world", b"", b"abef"]
