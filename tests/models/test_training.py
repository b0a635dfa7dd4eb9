"""Training: the same bytes again, no twins across the split, bad input named."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pilebuilder.errors import RecipeError
from pilebuilder.models import training
from pilebuilder.models.training import Options


def examples(n: int = 120) -> tuple[list[str], list[str]]:
    rng = random.Random(1)
    words = {"a": ["sun", "sand", "sea", "salt", "gull", "wave"], "b": ["snow", "ice", "wolf", "fir", "wind", "cold"]}
    texts, labels = [], []
    for i in range(n):
        label = "ab"[i % 2]
        texts.append(" ".join(rng.choices(words[label], k=9)) + f" number {i}")
        labels.append(label)
    return texts, labels


def test_equal_input_gives_equal_bytes_in_any_order() -> None:
    texts, labels = examples()
    options = Options(dim=4, bucket=300)
    first = training.fit(texts, labels, options)
    assert first == training.fit(texts[::-1], labels[::-1], options)
    assert first != training.fit(texts, labels, Options(dim=4, bucket=300, seed=2))
    assert first != training.fit(texts[2:], labels[2:], options)


def test_balancing_repeats_the_smaller_class() -> None:
    texts, labels = training._balanced(["x", "y", "z", "q"], ["a", "a", "a", "b"])
    assert sorted(labels) == ["a"] * 3 + ["b"] * 3
    assert texts.count("q") == 3


def test_a_text_under_two_labels_teaches_nothing() -> None:
    assert training.distinct(["x", "y", "x", "y", ""], ["a", "b", "b", "b", "a"]) == (["y"], ["b"])


def test_twins_are_found_by_shared_word_ngrams() -> None:
    held = ["the quick brown fox jumps over the lazy dog near the river bank every morning"]
    near = held[0].replace("lazy", "sleepy").replace("river", "old river")
    texts = [held[0].upper(), near, held[0] + " " + " ".join(f"w{i}" for i in range(60)), "another text of some words"]
    assert training.twins(texts, held, 0.5).tolist() == [True, False, False, False]
    assert training.twins(texts, held, 0.2).tolist() == [True, True, False, False]
    assert not training.twins(texts, []).any()


def test_the_split_depends_on_the_text_alone() -> None:
    texts = [f"text {i}" for i in range(2000)]
    chosen = training.split(texts, 0.1, 1)
    assert 150 < chosen.sum() < 250
    np.testing.assert_array_equal(training.split(texts[::-1], 0.1, 1)[::-1], chosen)


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(RecipeError, match="a: 30, b: 2"):
        training.check_examples(["a"] * 30 + ["b"] * 2)
    with pytest.raises(RecipeError, match="two labels"):
        training.check_examples(["a"] * 30)
