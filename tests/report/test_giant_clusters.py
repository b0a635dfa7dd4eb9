"""The warning of clusters that a person should look at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pilebuilder.report.sections.duplicates import GIANT, giant_clusters


def facts(sizes: list[list[int]]) -> Any:
    return SimpleNamespace(clusters={"sizes": sizes})


def test_giant_clusters_are_pointed_out_and_others_are_not() -> None:
    assert giant_clusters(facts([[2, 10], [GIANT - 1, 1]])) is None
    found = giant_clusters(facts([[2, 10], [GIANT, 2], [5000, 1]]))
    assert found is not None
    assert found.warning
    assert "3 clusters" in found.text
    assert "7,000 documents" in found.text
