"""Repeated lines, paragraphs and runs of words: cut everywhere but where they stood first, and accounted for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pilebuilder.dedup import runs
from pilebuilder.dedup.config import Config
from pilebuilder.kernels.folding import reference_words
from pilebuilder.partition import read_table
from tests.dedup.driver import Doc, Stage, dedup, ids, partitions_of
from tests.dedup.test_stage import prose

NOTICE = "All rights reserved. Licensed under the terms of the notice."


def texts_of(stage: Stage) -> list[str]:
    return [t for a in stage.of("partition") for t in read_table(stage.root / a.path, ["text"])["text"].to_pylist()]


def test_lines_in_many_documents_stay_in_the_first(tmp_path: Path) -> None:
    docs = [Doc(f"{prose(i)}\n  {NOTICE}\nshort\n{prose(100 + i)}") for i in range(6)]
    stage = dedup(tmp_path, docs, lines={"documents": 4, "keep": 2})
    texts = texts_of(stage)
    assert [NOTICE in t for t in texts] == [True, True, False, False, False, False]
    assert all("short" in t for t in texts)
    assert texts[5] == f"{prose(5)}\n  short\n{prose(105)}"
    edits = [r for r in stage.table("ledger") if r["action"] == "edited"]
    assert [(r["reason"], r["value"]) for r in edits] == [("repeated-spans", len(NOTICE) + 1)] * 4
    count = stage.tally["A"]
    assert (count.seen, count.kept) == (6, 6)
    assert count.bytes_in - count.bytes_out == count.edited["repeated-spans"] == 4 * (len(NOTICE) + 1)
    listed = stage.table("spans")
    assert [(r["row"], r["kind"]) for r in listed] == [(i, "lines") for i in range(2, 6)]
    for r in listed:
        assert docs[r["row"]].text[r["start"] : r["stop"]] == NOTICE + "\n"
    assert not dedup(tmp_path / "b", docs, lines={"documents": 6}).table("spans")


def test_paragraphs(tmp_path: Path) -> None:
    block = f"{NOTICE}\nSecond line of it."
    docs = [Doc(f"{prose(i)}\n\n{block}\n\n{prose(50 + i)}") for i in range(3)]
    texts = texts_of(dedup(tmp_path, docs, paragraphs={"documents": 1}))
    assert texts[0] == docs[0].text
    assert texts[1:] == [f"{prose(i)}\n\n{prose(50 + i)}" for i in (1, 2)]


def test_documents_left_empty_are_dropped_with_a_reason(tmp_path: Path) -> None:
    docs = [Doc(f"{NOTICE}\n"), Doc(f"{NOTICE} \n\n"), Doc(f"{NOTICE}\n{prose(1)}")]
    stage = dedup(tmp_path, docs, exact=False, minhash=None, lines={"documents": 1})
    count = stage.tally["A"]
    assert (count.kept, count.dropped) == (2, {"cut.empty": 1})
    (removal,) = stage.of("removal")
    (partition,) = stage.of("partition")
    assert removal.facts["partition"] == partition.sha256
    (row,) = stage.table("removal")
    assert (row["id"], row["row"], row["reason"]) == (ids(docs)[1], 1, "cut.empty")
    assert {r["action"] for r in stage.table("ledger")} == {"edited", "dropped"}


def test_removal_lists_belong_to_the_new_partition(tmp_path: Path) -> None:
    docs = [Doc(prose(1)), Doc(prose(1)), Doc(f"{NOTICE}\n{prose(2)}"), Doc(f"{NOTICE}\n{prose(3)}"), Doc("x y", "B")]
    stage = dedup(tmp_path, docs, lines={"documents": 1})
    rewritten = {a.facts["component"]: a for a in stage.of("partition")}
    old = {a.facts["component"]: a for a in stage.partitions()}
    assert rewritten["A"].sha256 != old["A"].sha256
    assert rewritten["B"].sha256 == old["B"].sha256
    assert stage.of("removal")[0].facts["partition"] == rewritten["A"].sha256
    assert stage.of("cluster_sizes")[0].facts["partition"] == rewritten["A"].sha256
    assert rewritten["A"].facts["documents"] == 4


def brute_force(texts: list[str], words: int) -> list[list[bool]]:
    """For each word of each text, whether it lies in a window that occurred before."""
    seen: set[tuple[bytes, ...]] = set()
    marks = []
    for text in texts:
        split = reference_words(text)
        mark = [False] * len(split)
        for i in range(len(split) - words + 1):
            window = tuple(split[i : i + words])
            if window in seen:
                mark[i : i + words] = [True] * words
            seen.add(window)
        marks.append(mark)
    return marks


def patchwork(seed: int, count: int = 40) -> list[str]:
    """Texts that share runs of many lengths, with each other and within themselves."""
    rng = random.Random(seed)
    pool = [prose(500 + i, rng.randrange(5, 80)) for i in range(12)]
    texts = []
    for i in range(count):
        parts = [rng.choice(pool) if rng.random() < 0.4 else prose(10_000 + 50 * i + k, 30) for k in range(6)]
        texts.append(rng.choice([" ", ", ", "\n"]).join(parts) + " é中国ü")
    return texts


@pytest.mark.parametrize("words", [10, 20, 33])
def test_substrings_are_those_of_brute_force(tmp_path: Path, words: int) -> None:
    texts = patchwork(words)
    docs = [Doc(t) for t in texts]
    stage = dedup(tmp_path, docs, exact=False, minhash=None, substring={"words": words}, limit=4000)
    expected = brute_force(texts, words)
    assert sum(map(sum, expected)) > 200
    left = {}
    for artifact in stage.of("partition"):
        left |= dict(zip(*read_table(stage.root / artifact.path, ["id", "text"]).to_pydict().values(), strict=True))
    for name, text, mark in zip(ids(docs), texts, expected, strict=True):
        kept = [w for w, gone in zip(reference_words(text), mark, strict=True) if not gone]
        assert reference_words(left[name]) == kept


def test_marking_measures_and_cuts_nothing(tmp_path: Path) -> None:
    shared = prose(1, 60)
    docs = [Doc(f"{prose(2)} {shared}"), Doc(f"{shared} {prose(3)}")]
    stage = dedup(tmp_path, docs, substring={"words": 50}, repeated="mark")
    (artifact,) = stage.of("partition")
    table = read_table(stage.root / artifact.path)
    assert table["text"].to_pylist() == [d.text for d in docs]
    assert table["signal.repeated"].to_pylist() == [0.0, pytest.approx(len(shared) / len(docs[1].text))]
    assert not stage.table("ledger")
    assert stage.tally["A"].kept == 2


def test_spans_are_the_same_for_any_memory_and_partitioning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = [Doc(t) for t in patchwork(7, 24)]
    config = Config.model_validate({"lines": {"documents": 2}, "substring": {"words": 12}})
    stages = []
    for room, limit in ((1 << 30, 3000), (30 << 10, 3000), (1 << 30, 1 << 20)):
        monkeypatch.setattr(runs, "allowance", lambda memory, room=room: room)
        root = tmp_path / f"{room}-{limit}"
        stages.append(Stage(root, config, partitions_of(root, docs, limit)).run())
    parted, tight, whole = stages
    assert len(whole.tasks) < len(parted.tasks) < len(tight.tasks)
    assert parted.digests("partition", "ledger") == tight.digests("partition", "ledger")
    assert texts_of(whole) == texts_of(parted)
