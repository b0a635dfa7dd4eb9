"""The quality step: threshold, percentile, Pareto; all by document alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilebuilder.errors import RecipeError
from pilebuilder.filter.quality import Quality
from pilebuilder.models import classifier
from tests.models.docs import docs, reasons
from tests.models.test_classifier import SMALL, folder_of_examples

GOOD, BAD, MIXED = "a proof of the lemma in measure theory", "buy now cheap offer free", "the proof is free to buy"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = folder_of_examples(tmp_path_factory.mktemp("quality"))
    given = classifier.read_two([str(folder / "good.jsonl")], [str(folder / "bad.jsonl")])
    classifier.train("q", given, folder, SMALL)
    return str(folder / "q")


def test_threshold_and_signal(model: str) -> None:
    d = docs([GOOD, BAD, ""])
    kept = Quality(model=model, threshold=0.5)(d)
    assert kept.column("text").to_pylist()[0] == GOOD
    assert (1, "quality.low") in reasons(d)
    assert len(Quality(model=model)(docs([GOOD, BAD]))) == 2
    assert "signal.maths" in Quality(model=model, signal="maths")(docs([GOOD])).table.column_names


def test_a_label_of_what_is_unwanted_keeps_the_low_scores(model: str) -> None:
    d = docs([GOOD, BAD, "", "x" * 3_000_000])
    kept = Quality(model=model, signal="maths", threshold=0.5, keep="low")(d)
    assert GOOD not in kept.column("text").to_pylist()
    assert BAD in kept.column("text").to_pylist()
    assert (0, "maths.high") in reasons(d)
    with pytest.raises(RecipeError, match="needs a threshold"):
        Quality(model=model, keep="low")


def test_percentile_is_that_of_the_models_own_negative_texts(model: str) -> None:
    d = docs([GOOD, BAD] * 3)
    assert len(Quality(model=model, percentile=99)(d)) == 3
    assert d.journal.table().to_pylist()[0]["threshold"] == pytest.approx(
        classifier.open_classifier(model).percentile(99)
    )


def test_pareto_keeps_by_score_and_depends_on_document_and_seed_alone(model: str) -> None:
    texts = [GOOD, MIXED, BAD] * 700
    step = Quality(model=model, pareto=9)
    kept = step(docs(texts)).column("text").to_pylist()
    share = {t: kept.count(t) / 700 for t in (GOOD, MIXED, BAD)}
    assert share[GOOD] > 0.6 > share[MIXED] > share[BAD]
    d = docs(texts)
    whole = step(d)
    half = step(docs(texts).take(np.arange(1000, 2100)))
    assert set(half.column("id").to_pylist()) <= set(whole.column("id").to_pylist())
    draws = step.draw(d)
    assert np.median(draws) == pytest.approx(2 ** (1 / 9) - 1, rel=0.1)
    assert not np.array_equal(draws, Quality(model=model, pareto=9, seed=1).draw(d))


def test_one_rule_at_a_time_and_a_model_that_exists(model: str) -> None:
    with pytest.raises(RecipeError, match="one of threshold"):
        Quality(model=model, threshold=0.5, pareto=9)
    with pytest.raises(RecipeError, match="train-classifier"):
        Quality(model="nowhere/model").digests()
    assert set(Quality(model=model).digests()) == {"model.bin", "metrics.json"}
    assert Path(model).is_dir()
