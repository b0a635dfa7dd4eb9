"""Measures of a binary classifier, with intervals: what a model card states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Z95 = 1.959963984540054


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) for no observations."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    centre = (share + Z95**2 / (2 * total)) / (1 + Z95**2 / total)
    half = Z95 * np.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2)) / (1 + Z95**2 / total)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def midranks(values: np.ndarray) -> np.ndarray:
    """float64 [n]: ranks from 1, ties share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    _, first, inverse, counts = np.unique(values[order], return_index=True, return_inverse=True, return_counts=True)
    ranks = np.empty(len(values))
    ranks[order] = (first + (counts + 1) / 2)[inverse]
    return ranks


def auc(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval (DeLong 1988); NaN where one class is missing."""
    positive = np.asarray(positive, bool)
    high, low = np.asarray(scores, float)[positive], np.asarray(scores, float)[~positive]
    m, n = len(high), len(low)
    if not m or not n:
        return float("nan"), float("nan"), float("nan")
    every = midranks(np.concatenate([high, low]))
    value = (every[:m].sum() - m * (m + 1) / 2) / (m * n)
    above = (every[:m] - midranks(high)) / n
    below = 1 - (every[m:] - midranks(low)) / m
    variance = (above.var(ddof=1) / m if m > 1 else 0) + (below.var(ddof=1) / n if n > 1 else 0)
    half = Z95 * np.sqrt(variance)
    return float(value), float(max(0.0, value - half)), float(min(1.0, value + half))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the precision-recall curve, as the sum over steps of recall; ties count as one step."""
    positive = np.asarray(positive, bool)
    if not positive.any():
        return float("nan")
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    ends = np.flatnonzero(np.diff(np.asarray(scores, float)[order], append=-np.inf))
    hits = np.cumsum(positive[order])[ends]
    return float(np.sum(hits / (ends + 1) * np.diff(hits, prepend=0)) / positive.sum())


def at_threshold(scores: np.ndarray, positive: np.ndarray, threshold: float) -> dict[str, float]:
    """Counts and rates of the decision ``score >= threshold``."""
    positive, chosen = np.asarray(positive, bool), np.asarray(scores) >= threshold
    tp, fp = int((chosen & positive).sum()), int((chosen & ~positive).sum())
    fn, tn = int((~chosen & positive).sum()), int((~chosen & ~positive).sum())
    return {
        "threshold": threshold,
        "true_positive": tp,
        "false_positive": fp,
        "false_negative": fn,
        "true_negative": tn,
        "precision": tp / (tp + fp) if tp + fp else float("nan"),
        "recall": tp / (tp + fn) if tp + fn else float("nan"),
        "false_positive_rate": fp / (fp + tn) if fp + tn else float("nan"),
    }


def calibration(scores: np.ndarray, positive: np.ndarray, bins: int = 10) -> dict[str, Any]:
    """Reliability by bins of equal width, and the expected calibration error (share-weighted mean gap)."""
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    place = np.minimum((scores * bins).astype(int), bins - 1)
    rows = []
    for k in range(bins):
        here = place == k
        if here.any():
            rows.append(
                {"bin": k / bins, "n": int(here.sum()), "score": float(scores[here].mean()),
                 "positive": float(positive[here].mean())}
            )  # fmt: skip
    gap = sum(row["n"] * abs(row["score"] - row["positive"]) for row in rows) / max(1, len(scores))
    return {"expected_calibration_error": gap, "bins": rows}


def length_buckets(
    scores: np.ndarray, positive: np.ndarray, sizes: np.ndarray, edges: Sequence[int] = (100, 300, 1000, 3000, 10000)
) -> list[dict[str, Any]]:
    """AUC within buckets of text length in bytes: a classifier that only measures length falls to 0.5 here."""
    rows = []
    for low, high in zip((0, *edges), (*edges, None), strict=True):
        here = (sizes >= low) & (sizes < high if high else True)
        value, lower, upper = auc(scores[here], positive[here])
        rows.append({"from": low, "to": high, "n": int(here.sum()), "auc": value, "low": lower, "high": upper})
    return rows


def by_group(scores: np.ndarray, positive: np.ndarray, groups: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Borkan et al. 2019 (arXiv:1903.04561) for each group of texts: subgroup AUC, BPSN and BNSP AUC.

    BPSN (background positive, subgroup negative) is low when harmless texts about the group score too high; BNSP when
    harmful ones score too low.
    """
    rows = []
    for name, member in groups.items():
        bpsn = (~member & positive) | (member & ~positive)
        bnsp = (~member & ~positive) | (member & positive)
        row: dict[str, Any] = {"group": name, "n": int(member.sum())}
        for key, chosen in (("subgroup", member), ("bpsn", bpsn), ("bnsp", bnsp)):
            row[key], row[f"{key}_low"], row[f"{key}_high"] = auc(scores[chosen], positive[chosen])
        rows.append(row)
    return rows


def rounded(value: Any, digits: int = 4) -> Any:
    """Plain JSON with floats rounded, NaN as null: cards and metrics files stay readable and stable."""
    if isinstance(value, Mapping):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), digits)
    return int(value) if isinstance(value, np.integer) else value
