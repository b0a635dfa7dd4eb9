"""Train holds nothing that equals or nearly equals a held-out document."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.kernels.shingles import reference_shingles
from pilebuilder.mix import heldout
from tests.mix.building import MiniBuild, ledger
from tests.shard.reading import documents

WORDS = [
    f"{a}{b}" for a in ("ka", "lo", "mi", "ter", "sun", "bra", "ve", "do", "ny", "pel") for b in "abcdefghijklmno"
]


def essay(rng: random.Random, length: int = 60) -> str:
    return " ".join(rng.choices(WORDS, k=length))


def edited(text: str, rng: random.Random, changes: int) -> str:
    words = text.split()
    for _ in range(changes):
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def jaccard(a: str, b: str) -> float:
    left, right = set(reference_shingles(a)), set(reference_shingles(b))
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """Essays, and in other components their equals (white space aside), near copies (above 0.7) and distant ones."""
    rng = random.Random(5)
    essays = [essay(rng) for _ in range(400)] + ["", "!", "one two", "three"]
    near = [edited(t, rng, 1) for t in essays[:400]]
    return {
        "Essays": essays,
        "Equal": [f"  {t.replace(' ', '  ')}\n" for t in essays[:200]],
        "Near": [t for t, e in zip(near, essays, strict=False) if jaccard(t, e) > 0.8],
        "Far": [edited(t, rng, 15) for t in essays[:100]] + [essay(rng) for _ in range(100)],
    }


def build(path: Path, texts: dict[str, list[str]], **mix: Any) -> MiniBuild:
    configs = {"mix": {"val": "10%", "test": "10%", **mix}, "shard": {"count": 2}}
    return MiniBuild(path, texts, configs=configs, limit=9000).run("mix", "shard")


def split(done: MiniBuild) -> tuple[list[str], list[str]]:
    held: list[str] = []
    train: list[str] = []
    for name, path in done.public().items():
        (train if name.startswith("train") else held).extend(d["text"] for d in documents(path))
    return train, held


def test_equal_and_near_leave_train_and_nothing_else(tmp_path: Path, texts: dict[str, list[str]]) -> None:
    done = build(tmp_path, texts)
    train, held = split(done)
    equals = {" ".join(t.split()) for t in held}
    assert not [t for t in train if " ".join(t.split()) in equals]
    held_words = {h: set(reference_shingles(h)) for h in held}
    holding: dict[bytes, list[str]] = defaultdict(list)
    for h, words in held_words.items():
        for shingle in words:
            holding[shingle].append(h)
    closest = 0.0
    for mine in (set(reference_shingles(t)) for t in set(train)):
        for h in {h for shingle in mine for h in holding.get(shingle, ())}:
            closest = max(closest, len(mine & held_words[h]) / len(mine | held_words[h]))
    assert 0 < closest < 0.8, "0.7 is estimated; nothing is this far off"
    rows = [r for r in ledger(done, "mix") if r["reason"] in ("equals_heldout", "near_heldout")]
    removed = {r["id"]: r for r in rows}
    assert len(removed) == len(rows) > 150
    texts_of = dict(everything(done))
    heldout_ids = {r["id"] for r in ledger(done, "mix") if r["action"] == "held_out"}
    for row in rows:
        assert row["duplicate_of"] in heldout_ids
        true = jaccard(texts_of[row["id"]], texts_of[row["duplicate_of"]])
        if row["reason"] == "equals_heldout":
            assert " ".join(texts_of[row["id"]].split()) == " ".join(texts_of[row["duplicate_of"]].split())
        else:
            assert row["threshold"] == 0.7
            assert abs(row["value"] - true) < 0.25
            assert true > 0.5
    tally = [m for m in done.manifests("mix") if m.name.startswith("draw/")]
    assert sum(m.tally[m.component].dropped.total() for m in tally) == len(rows)


def everything(done: MiniBuild) -> list[tuple[str, str]]:
    from pilebuilder.partition import read_table

    tables = [read_table(done.root / p.path, ["id", "text"]) for p in done.partitions()]
    return [pair for t in tables for pair in zip(t["id"].to_pylist(), t["text"].to_pylist(), strict=True)]


def test_null_keeps_near_copies_and_drops_equals(tmp_path: Path, texts: dict[str, list[str]]) -> None:
    done = build(tmp_path, texts, near_heldout=None)
    reasons = {r["reason"] for r in ledger(done, "mix") if r["action"] == "dropped"}
    assert reasons == {"equals_heldout"}


def test_what_is_removed_does_not_depend_on_how_much_is_looked_up_at_a_time(
    tmp_path: Path, texts: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = build(tmp_path / "a", texts).digests()
    monkeypatch.setattr(heldout, "CHUNK", 7)
    monkeypatch.setattr(heldout, "BLOCK", 5)
    monkeypatch.setattr(heldout, "PAIRS", 2)
    done = build(tmp_path / "b", texts)
    assert done.digests() == expected
    assert len([a for m in done.manifests("mix") for a in m.of("heldout")]) > 10


def test_without_holdout_nothing_is_sketched(tmp_path: Path, texts: dict[str, list[str]]) -> None:
    done = build(tmp_path, texts, val=0.0, test=0.0)
    assert {t.name.split("/")[0] for t in done.tasks["mix"]} == {"draw", "mixture"}
    assert len(split(done)[0]) == sum(map(len, texts.values()))
