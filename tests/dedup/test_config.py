"""The recipe's section: refusals, and bands for a threshold."""

from __future__ import annotations

import pytest
from datasketch.lsh import _optimal_param
from pydantic import ValidationError

from pilebuilder.dedup.config import Config, MinHash, candidate_probability, optimal_bands
from pilebuilder.dedup.stage import Dedup


@pytest.mark.parametrize(
    "bad",
    [
        {"minhas": None},
        {"minhash": {"bands": 0}},
        {"minhash": {"verify": 1.5}},
        {"minhash": {"threshold": 0.8, "bands": 9}},
        {"minhash": {"scheme": "affine64"}},
        {"survivor": ["biggest"]},
        {"components": {"A": {"against": "none"}}},
    ],
)
def test_bad_sections_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(bad)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("permutations", [64, 112, 128])
def test_bands_for_a_threshold_are_those_of_datasketch(threshold: float, permutations: int) -> None:
    assert optimal_bands(threshold, permutations) == _optimal_param(threshold, permutations, 0.5, 0.5)


def test_threshold_sets_bands_and_rows() -> None:
    near = MinHash(threshold=0.8, permutations=128)
    assert (near.bands, near.rows) == (9, 13)
    assert (MinHash().bands, MinHash().rows) == (16, 7)


def test_candidate_probability_of_published_settings() -> None:
    # The 14 x 8 of FineWeb and the 450 x 20 of RefinedWeb.
    assert candidate_probability(0.8, 14, 8) == pytest.approx(0.924, abs=5e-4)
    assert candidate_probability(0.8, 450, 20) == pytest.approx(0.995, abs=5e-4)


def test_the_sketch_depends_on_nothing_that_it_does_not_need() -> None:
    base = Dedup.sketch(Config())
    assert base == Dedup.sketch(Config(url=True, minhash={"verify": 0.9}, priority=("A",)))  # type: ignore[arg-type]
    assert base != Dedup.sketch(Config(minhash={"seed": 2}))  # type: ignore[arg-type]
    assert Dedup.sketch(Config(survivor=("+signal.quality",)))[1]["signals"] == ["quality"]  # type: ignore[index]
    assert Dedup.sketch(Config(minhash=None))[1]["near"] is False  # type: ignore[index]


def test_components_named_are_collected() -> None:
    config = Config.model_validate(
        {"priority": ["A"], "components": {"B": {"against": ["C"]}, "D": {"against": "self"}}}
    )
    assert config.components_named() == {"A", "B", "C", "D"}
