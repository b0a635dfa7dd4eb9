"""The kernels against the fastText package: same labels on every text, same probabilities to rounding."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from pilebuilder import models
from pilebuilder.kernels import lid
from pilebuilder.models import ft
from pilebuilder.models.fasttext_file import load
from pilebuilder.models.scorer import Scorer, open_scorer
from tests.models.docs import buffers

TEXT = """the report was printed before noon and nobody read it der Bericht wurde gedruckt le rapport fut imprimé 报告
已经印刷 отчёт был напечатан التقرير طبع 2024 -- </s> __label__en __label__ ( ) naïve e\u0301tude 🙂 \u200d"""
WORDS = TEXT.split()


def corpus(n: int = 400) -> list[str]:
    rng = random.Random(3)
    gaps = [" ", " ", " ", "  ", "\t", "\x0b", "\x00", "\u00a0"]
    texts = ["".join(rng.choice(WORDS) + rng.choice(gaps) for _ in range(rng.randrange(40))) for _ in range(n)]
    return [*texts, "", " ", "x" * 9000, "é" * 4097, "</s> hello", "hello </s> monde", "__label__fr"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models of every kind of file that the reader knows, trained on the spot."""
    folder = tmp_path_factory.mktemp("models")
    rng = random.Random(5)
    topics = {
        "a": "sun warm sand sea salt gulls",
        "b": "snow cold ice wind fir wolf",
        "c": "lamp desk chair ink clerk",
    }
    vocabulary = {label: text.split() for label, text in topics.items()}
    lines = []
    for label, words in vocabulary.items():
        for _ in range(150):
            mixed = rng.choices(words, k=8) + rng.choices(WORDS[:10], k=4)
            rng.shuffle(mixed)
            lines.append(f"__label__{label} {' '.join(mixed)}")
    (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    paths = {}
    kinds: dict[str, dict[str, object]] = {
        "softmax": {"wordNgrams": 2, "minn": 2, "maxn": 4, "bucket": 500, "dim": 4},
        "trigrams": {"wordNgrams": 3, "bucket": 700, "dim": 5},
        "plain": {"dim": 6},
        "hs": {"loss": "hs", "minn": 2, "maxn": 3, "bucket": 300, "dim": 4},
        "ova": {"loss": "ova", "wordNgrams": 2, "bucket": 200, "dim": 4},
    }
    for name, options in kinds.items():
        model = ft.train(folder / "lines.txt", seed=1, options=options)
        paths[name] = folder / f"{name}.bin"
        model.save_model(str(paths[name]))
        if name == "softmax":
            model.quantize(input=str(folder / "lines.txt"), cutoff=300, qnorm=True, dsub=2)
            paths["pruned"] = folder / "pruned.ftz"
            model.save_model(str(paths["pruned"]))
    return paths


KINDS = ["softmax", "trigrams", "plain", "hs", "ova", "pruned"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_the_packages_labels(trained: dict[str, Path], kind: str) -> None:
    scorer, reference = open_scorer(trained[kind]), ft.reference(trained[kind])
    texts = [*corpus(), "sun sand sea", "wolf ice", "clerk ink lamp sun"]
    data, offsets = buffers(texts)
    found = scorer.best(data, offsets)
    labels, scores = ft.reference_best(reference, data, offsets)
    tolerance = 8e-3 if kind == "ova" else 1e-4  # fastText takes sigmoids from a table of 512 steps
    for text, label, score, want, value in zip(texts, found.label, found.probability, labels, scores, strict=True):
        assert score == pytest.approx(value, abs=tolerance), text
        assert (scorer.labels[label] if label >= 0 else "") == want or kind == "ova", text


def test_lid_agrees_on_all_texts_raw_and_sampled() -> None:
    scorer, reference = models.load("lid.176"), ft.reference(models.locate("lid.176"))
    data, offsets = buffers(corpus())
    for text in ((data, offsets), lid.letters(data, offsets, 512)):
        found = scorer.best(*text)
        labels, scores = ft.reference_best(reference, *text)
        assert [scorer.labels[i] if i >= 0 else "" for i in found.label] == labels
        np.testing.assert_allclose(found.probability, scores, atol=2e-4)


def test_probabilities_sum_to_one_and_name_the_same_winner(trained: dict[str, Path]) -> None:
    scorer = open_scorer(trained["softmax"])
    data, offsets = buffers(["sun sand", "wolf and ice", "clerk"])
    every = scorer.probabilities(data, offsets)
    np.testing.assert_allclose(every.sum(axis=1), 1, atol=1e-5)
    assert [scorer.labels[i] for i in every.argmax(axis=1)] == ["a", "b", "c"]


def test_scoring_does_not_depend_on_what_was_scored_before(trained: dict[str, Path]) -> None:
    data, offsets = buffers(corpus())
    warm = open_scorer(trained["softmax"])
    warm.best(data, offsets)
    again = warm.best(data, offsets)
    cold = Scorer(load(trained["softmax"])).best(data, offsets)
    np.testing.assert_array_equal(again.probability, cold.probability)
    half = len(offsets) // 2
    part = warm.best(data, offsets[half:])
    np.testing.assert_array_equal(part.label, cold.label[half:])
