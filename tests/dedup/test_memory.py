"""Memory: what a worker holds of its own stays within the recipe's budget, and one cluster may be larger than that."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.dedup import confirm, runs
from pilebuilder.dedup.config import Config
from tests.benchmarks import dedup_growth
from tests.dedup.driver import Doc, Stage, dedup, partitions_of
from tests.dedup.test_stage import edited, prose

ROOT = Path(__file__).resolve().parents[2]


def crowd() -> list[Doc]:
    """One large cluster over three components, among small ones and texts of one template that are no duplicates."""
    base, rng = prose(7, 80), random.Random(1)
    docs = [
        Doc(f"{base} end{i % 7}" + " more" * (i % 3), component="ABC"[i % 3], key=f"c{i}", date=f"20{i % 24:02}-01-01")
        for i in range(700)
    ]
    for i in range(60):
        text = prose(100 + i)
        docs += [Doc(text, key=f"s{i}"), Doc(edited(text, 4), component="B", key=f"s{i}")]
    docs += [Doc(f"{base} {prose(500 + i, 60)}", key=f"t{i}") for i in range(100)]
    rng.shuffle(docs)
    return docs


def most_at_a_time(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """How many rows are ranked at a time, how many are meant to, and the number of components, of every call."""
    seen, ordered = [], confirm.Decision._ordered

    def watched(self: confirm.Decision, rows: Any, label: Any = None) -> Any:
        seen.append((len(rows), self.batch.rows, len(self.layout.names)))
        return ordered(self, rows, label)

    monkeypatch.setattr(confirm.Decision, "_ordered", watched)
    return seen


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"survivor": ["latest", "shortest"], "components": {"B": {"against": "self"}, "C": {"against": ["A"]}}},
        {"survivor": ["priority"], "priority": ["C", "A"], "components": {"A": {"methods": ["exact"]}}},
        {"minhash": {"transitive": False, "verify": 0.9}},
        {
            "minhash": {"transitive": False},
            "survivor": ["earliest", "longest"],
            "components": {"C": {"against": ["A"]}},
        },
    ],
    ids=["default", "against", "priority", "each similar", "each similar, against"],
)
def test_a_cluster_that_does_not_fit_is_decided_as_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    config = {"exact": False, **config}
    docs = crowd()
    found = dedup(tmp_path / "one", docs, limit=80 << 10, **config)
    monkeypatch.setattr(runs, "allowance", lambda memory: 160 << 10)
    monkeypatch.setattr(confirm, "LEAST", 50)
    ranked = most_at_a_time(monkeypatch)
    partitions = partitions_of(tmp_path / "parts", docs, 80 << 10)
    parts = Stage(tmp_path / "parts", Config(**config), partitions).run()
    assert len(parts.of("merged")) > len(found.of("merged"))
    assert parts.digests() == found.digests()
    assert found.tally["B"].merged > 100
    assert len(ranked) > 10
    assert all(rows <= room + components for rows, room, components in ranked)
    assert not [path for path in tmp_path.rglob("*.tmp") if path.is_file()]


MEASURE = """\
import json, pathlib, sys
from pilebuilder.build import store
from tests.benchmarks.dedup_growth import CONFIGS, measure
store.sync = lambda path: None  # as the other tests of this folder
print(json.dumps(measure(pathlib.Path(sys.argv[1]), int(sys.argv[2]), **CONFIGS["measure-near"])))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from Linux")
@pytest.mark.parametrize(("kind", "documents"), [("same", 600_000), ("grow", 30_000)])
def test_private_memory_stays_within_the_budget(tmp_path: Path, kind: str, documents: int) -> None:
    """At 256 MiB: one text in five variants over and over, and distinct documents with duplicates among them."""
    budget = 256 << 20
    getattr(dedup_growth, kind)(tmp_path, documents, budget // 16)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path, str(budget)], capture_output=True, text=True, cwd=ROOT
    )
    assert not done.returncode, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["removed"] == documents - 1 if kind == "same" else found["removed"] > documents // 10
    assert 0 < found["over_base_mib"] < budget >> 20
