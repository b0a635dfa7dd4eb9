"""Bad input of which each kind ends in a clear error, a counted row, or a right answer within the budget."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pilebuilder.dedup import runs
from pilebuilder.dedup.config import Config
from pilebuilder.document import text_buffers
from pilebuilder.kernels import clusters, minhash
from tests.dedup.driver import Doc, Stage, dedup, ids, partitions_of
from tests.dedup.test_stage import edited, prose


def test_a_very_long_document_takes_no_memory_of_its_length() -> None:
    words = " ".join(f"w{n}" for n in random.Random(0).sample(range(10**7), 200_000))
    array = pa.array([words * 8], pa.large_string())  # 13 MB; a longer one takes the same buffers
    data, offsets = text_buffers(array)
    minhash.signatures(data, offsets, ngram=5, count=112, seed=1)
    tracemalloc.start()
    minhash.text_keys(data, offsets, ngram=5, bands=16, rows=7, seed=1)
    minhash.digests(data, offsets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < len(data)


def test_very_long_near_duplicates_are_found_within_a_small_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "allowance", lambda memory: 1 << 20)
    words = [f"w{n}" for n in random.Random(1).sample(range(10**7), 600_000)]
    docs = [Doc(" ".join(words)), Doc(" ".join(words[:570_000])), Doc(" ".join(words[:300_000])), Doc(prose(1))]
    stage = dedup(tmp_path, docs)
    assert set(stage.removed) == {ids(docs)[1]}
    # more shingles than are compared whole: a sample, with an error below 0.002
    assert stage.removed[ids(docs)[1]]["similarity"] == pytest.approx(0.95, abs=0.006)


def test_a_bucket_larger_than_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All documents share every band key, and the keys of one band alone are many times the budget."""
    docs = [Doc(f"{prose(60, 40)} end{i % 7}", key=str(i)) for i in range(3000)]
    results = []
    for room in (1 << 30, 96 << 10):
        monkeypatch.setattr(runs, "allowance", lambda memory, room=room: room)
        root = tmp_path / str(room)
        stage = Stage(root, Config(exact=False), partitions_of(root, docs, 64 << 10)).run()
        assert len(stage.removed) == len(docs) - 1
        assert stage.table("clusters")[0]["size"] == len(docs)
        assert stage.of("clusters")[0].facts["giant"] == 1
        results.append(stage.digests())
    assert results[0] == results[1]


def test_ids_that_repeat_across_components_lose_nothing_else(tmp_path: Path) -> None:
    same = "ab" * 16
    docs = [Doc(prose(1), "A", id=same), Doc(prose(2), "B", id=same), Doc(prose(3), "B", id="cd" * 16)]
    assert not dedup(tmp_path / "a", docs).removed
    docs.append(Doc(edited(prose(1), 1), "C", id=same))
    stage = dedup(tmp_path / "b", docs)
    tally = stage.tally
    assert sum(c.seen for c in tally.values()) == 4
    assert sum(c.merged for c in tally.values()) == 1


def test_batches_hold_whole_components_up_to_the_limit() -> None:
    rng = np.random.default_rng(0)
    parent = np.arange(500)
    for a, b in rng.integers(0, 500, (200, 2)):
        clusters.unite(parent, a, b)
    clusters.flatten(parent)
    load = rng.integers(1, 50, 500)
    batch = np.zeros(500, np.int32)
    count = clusters.assign_batches(parent, load.copy(), 300, batch)
    assert count == batch.max() + 1 > 10
    assert (batch == batch[parent]).all()
    largest = np.bincount(parent, load).max()
    assert np.bincount(batch, load).max() < 300 + largest
    assert (np.diff(batch[parent == np.arange(500)]) >= 0).all()
