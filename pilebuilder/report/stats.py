"""Intervals and effect sizes that the sections print. Plain Python floats, sums in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NORMAL_95, NORMAL_999 = 1.959963984540054, 3.2905267314919255


def wilson(hits: int, n: int, z: float = NORMAL_95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927).

    >>> [round(x, 4) for x in wilson(5, 100)]
    [0.0215, 0.1118]
    """
    if not n:
        return 0.0, 1.0
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # the ends are exact, whatever rounding makes of the formula
    return (max(0.0, middle - half) if hits else 0.0), (min(1.0, middle + half) if hits < n else 1.0)


def interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of bootstrap replicates; None without any."""
    ordered = sorted(values)
    if not ordered:
        return None
    tail = (1 - level) / 2
    return ordered[int(tail * len(ordered))], ordered[min(len(ordered) - 1, int((1 - tail) * len(ordered)))]


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Replicates of a ratio; those with nothing below are left out."""
    return [a / b for a, b in zip(above, below, strict=True) if b]


def log_odds(
    in_group: int, of_group: int, in_rest: int, of_rest: int, prior: float, of_prior: float
) -> tuple[float, float]:
    """Log-odds ratio with an informative Dirichlet prior and its z score (Monroe, Colaresi, Quinn 2008)."""
    a, b = in_group + prior, in_rest + prior
    rest_a, rest_b = of_group + of_prior - a, of_rest + of_prior - b
    if a <= 0 or b <= 0 or rest_a <= 0 or rest_b <= 0:
        return 0.0, 0.0
    delta = math.log(a / rest_a) - math.log(b / rest_b)
    return delta, delta / math.sqrt(1 / a + 1 / b)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Documents of one component and length: those of a group and the rest, and how many of each were removed."""

    group: int
    group_removed: int
    rest: int
    rest_removed: int


def risk_ratio(strata: Iterable[Stratum], z: float = NORMAL_999) -> tuple[float, float, float] | None:
    """Mantel-Haenszel ratio of removal rates, group over rest, with its interval (Greenland and Robins 1985).

    None when it is not defined: nothing removed on one side, or no stratum with both.

    >>> [round(x, 3) for x in risk_ratio([Stratum(100, 20, 100, 10)], 1.96)]
    [2.0, 0.987, 4.055]
    """
    above = below = spread = 0.0
    for s in strata:
        n = s.group + s.rest
        if not s.group or not s.rest:
            continue
        above += s.group_removed * s.rest / n
        below += s.rest_removed * s.group / n
        removed = s.group_removed + s.rest_removed
        spread += (removed * s.group * s.rest - s.group_removed * s.rest_removed * n) / (n * n)
    if above <= 0 or below <= 0:
        return None
    error = math.sqrt(max(spread, 0.0) / (above * below))
    ratio = above / below
    return ratio, ratio * math.exp(-z * error), ratio * math.exp(z * error)


def entropy(counts: Iterable[int]) -> float:
    """Shannon entropy in bits."""
    held = [c for c in counts if c]
    total = sum(held)
    return math.fsum(-c / total * math.log2(c / total) for c in held) if total else 0.0


def gini(counts: Sequence[int]) -> float:
    """Gini coefficient: 0 when all are equal, towards 1 when one has everything."""
    ordered = sorted(counts)
    n, total = len(ordered), sum(ordered)
    if not n or not total:
        return 0.0
    return (2 * sum(i * c for i, c in enumerate(ordered, 1)) / (n * total)) - (n + 1) / n


def divergence(left: Sequence[int], right: Sequence[int]) -> float:
    """Jensen-Shannon divergence of two count vectors, in bits: 0 for equal distributions, 1 for disjoint ones.

    >>> divergence([1, 0], [0, 1]), divergence([2, 2], [1, 1])
    (1.0, 0.0)
    """
    a, b = sum(left), sum(right)
    if not a or not b:
        return 0.0
    terms = []
    for x, y in zip(left, right, strict=True):
        p, q = x / a, y / b
        middle = (p + q) / 2
        terms += [p * math.log2(p / middle) / 2] if p else []
        terms += [q * math.log2(q / middle) / 2] if q else []
    return max(0.0, math.fsum(terms))
