"""Measures against brute force and published examples."""

from __future__ import annotations

import numpy as np
import pytest

from pilebuilder.models import metrics


def brute_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    high, low = scores[positive], scores[~positive]
    return float(((high[:, None] > low) + 0.5 * (high[:, None] == low)).mean())


@pytest.mark.parametrize("seed", range(4))
def test_auc_equals_the_share_of_pairs_in_the_right_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 12, 90) / 12, rng.random(90) < 0.4
    value, low, high = metrics.auc(scores, positive)
    assert value == pytest.approx(brute_auc(scores, positive))
    assert low < value < high


def test_auc_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    truth = 0.7602  # P(N(1,1) > N(0,1)) = Phi(1 / sqrt 2)
    covered = 0
    for _ in range(300):
        scores = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 120)])
        _, low, high = metrics.auc(scores, np.arange(180) < 60)
        covered += low <= truth <= high
    assert 270 <= covered <= 298


def test_auc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(metrics.auc(np.ones(3), np.ones(3, bool))[0])
    assert metrics.rounded({"a": float("nan"), "b": [0.123456]}) == {"a": None, "b": [0.1235]}


def test_wilson_interval_of_a_textbook_case() -> None:
    assert metrics.wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert metrics.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert metrics.wilson(0, 0) == (0.0, 1.0)


def test_average_precision_counts_ties_as_one_step() -> None:
    assert metrics.average_precision(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision(np.zeros(4), np.array([1, 0, 0, 0])) == pytest.approx(0.25)


def test_threshold_counts() -> None:
    row = metrics.at_threshold(np.array([0.9, 0.7, 0.4, 0.7]), np.array([True, False, True, True]), 0.7)
    assert (row["true_positive"], row["false_positive"], row["false_negative"], row["true_negative"]) == (2, 1, 1, 0)
    assert row["precision"] == pytest.approx(2 / 3)


def test_a_group_that_is_scored_too_high_shows_in_bpsn_and_not_in_bnsp() -> None:
    rng = np.random.default_rng(2)
    positive, member = rng.random(4000) < 0.5, rng.random(4000) < 0.2
    scores = positive * 0.4 + rng.random(4000) * 0.5 + member * 0.3
    ((row),) = metrics.by_group(scores, positive, {"x": member})
    assert row["bpsn"] < 0.75 < 0.98 < row["bnsp"]


def test_length_that_stands_in_for_the_label_falls_to_chance_within_buckets() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 5000, 6000)
    positive = rng.random(6000) < sizes / 5000
    rows = metrics.length_buckets(sizes / 5000, positive, sizes, edges=(1000, 2000, 3000, 4000))
    assert metrics.auc(sizes / 5000, positive)[0] > 0.8
    assert max(row["auc"] for row in rows if row["n"]) < 0.75


def test_calibration_error_of_a_calibrated_score_is_small() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random(20000)
    positive = rng.random(20000) < scores
    assert metrics.calibration(scores, positive)["expected_calibration_error"] < 0.02
    assert metrics.calibration(scores**3, positive)["expected_calibration_error"] > 0.1
