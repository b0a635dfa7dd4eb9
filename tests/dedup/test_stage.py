"""The whole stage on small corpora: who is removed, for whom, and that every document is accounted for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pilebuilder.dedup.config import Config
from pilebuilder.partition import read_table
from tests.dedup.driver import Doc, Stage, dedup, ids, partitions_of

STEMS = ("alpha", "beta", "gamma", "delta", "river", "stone", "cloud", "winter", "signal", "garden")
WORDS = [stem + letter for stem in STEMS for letter in "abcdefghij"]


def prose(seed: int, words: int = 200) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def edited(text: str, changes: int, seed: int = 0) -> str:
    """The text with so many words replaced."""
    rng, words = random.Random(seed), text.split()
    for i in rng.sample(range(len(words)), changes):
        words[i] = f"new{rng.randrange(10**9)}"
    return " ".join(words)


def test_exact_near_and_distinct(tmp_path: Path) -> None:
    base = prose(1)
    docs = [
        Doc(base),
        Doc(f"  {base.replace(' ', chr(10), 3)}\n"),  # the same but for white space
        Doc(edited(base, 3) + " tail"),
        Doc(prose(2)),
        Doc(base, component="B"),
    ]
    stage = dedup(tmp_path, docs)
    name = ids(docs)
    removed = stage.removed
    survivor = name[2]  # the longest of the cluster
    assert set(removed) == {name[0], name[1], name[4]}
    assert {r["duplicate_of"] for r in removed.values()} == {survivor}
    reasons = sorted(r["reason"] for r in removed.values())
    assert reasons == ["exact", "exact", "minhash"]
    near = next(r for r in removed.values() if r["reason"] == "minhash")
    assert 0.7 <= near["similarity"] < 1
    tally = stage.tally
    assert (tally["A"].seen, tally["A"].kept, tally["A"].merged) == (4, 2, 2)
    assert (tally["B"].seen, tally["B"].kept, tally["B"].merged) == (1, 0, 1)
    ledger = {row["id"]: row for row in stage.table("ledger")}
    assert set(ledger) == set(removed)
    row = ledger[near["id"]]
    assert (row["action"], row["step"], row["reason"]) == ("duplicate", "minhash", "minhash")
    assert row["value"] == pytest.approx(near["similarity"], abs=1e-6)
    assert row["threshold"] == 0.7
    assert row["duplicate_of"] == survivor
    assert row["file"] == "docs.jsonl"
    (cluster,) = stage.table("clusters")
    assert (cluster["survivor"], cluster["size"]) == (survivor, 4)
    assert sorted(cluster["members"]) == sorted(removed)


def test_removal_lists_name_partition_and_row(tmp_path: Path) -> None:
    base = prose(1)
    docs = [Doc(prose(i)) for i in range(2, 40)] + [Doc(base), Doc(edited(base, 2)), Doc(base)]
    stage = dedup(tmp_path, docs, limit=8 << 10)
    partitions = {p.sha256: p for p in stage.partitions()}
    assert len(partitions) > 3
    assert sum(m.tally.total([m.tally])["A"].seen for m in stage.done if m.tally) == len(docs)
    for artifact in stage.of("removal"):
        partition = partitions[artifact.facts["partition"]]
        rows = read_table(stage.root / artifact.path).to_pylist()
        assert artifact.facts["documents"] == len(rows)
        names = read_table(stage.root / partition.path, ["id"])["id"].to_pylist()
        assert [names[r["row"]] for r in rows] == [r["id"] for r in rows]
    assert len(stage.removed) == 2


def test_candidates_below_the_bar_stay(tmp_path: Path) -> None:
    # 3 of 4 quarters are shared: MinHash with many narrow bands proposes the pair, true similarity refuses it.
    shared = prose(3, 300)
    docs = [Doc(f"{shared} {prose(4, 100)}"), Doc(f"{shared} {prose(5, 100)}")]
    near = {"bands": 56, "rows": 2}
    assert not dedup(tmp_path / "a", docs, minhash={**near, "verify": 0.7}).removed
    found = dedup(tmp_path / "b", docs, minhash={**near, "verify": 0.5}).removed
    assert len(found) == 1
    assert next(iter(found.values()))["similarity"] == pytest.approx(296 / (2 * 396 - 296), abs=1e-6)


def test_containment_removes_an_excerpt(tmp_path: Path) -> None:
    whole = prose(6, 400)
    docs = [Doc(whole), Doc(" ".join(whole.split()[100:260]))]
    near = {"bands": 100, "rows": 1}
    assert not dedup(tmp_path / "a", docs, minhash=near).removed
    assert set(dedup(tmp_path / "b", docs, minhash={**near, "containment": 0.95}).removed) == {ids(docs)[1]}


def test_short_and_empty_documents(tmp_path: Path) -> None:
    docs = [Doc(t) for t in ("", " \n", "One", "one!", "ONE two three", "one two three", "...", "…")]
    name = ids(docs)
    stage = dedup(tmp_path / "a", docs)
    # Empty texts equal each other; a text without words is never a near-duplicate; a short one by all its words.
    pairs = [{name[0], name[1]}, {name[2], name[3]}, {name[4], name[5]}]
    assert all(len(pair & set(stage.removed)) == 1 for pair in pairs)
    assert len(stage.removed) == 3
    skipped = dedup(tmp_path / "b", docs, minhash={"short": "skip"})
    assert {r["reason"] for r in skipped.removed.values()} == {"exact"}
    assert len(skipped.removed) == 1


def test_addresses(tmp_path: Path) -> None:
    docs = [
        Doc(prose(1), url="http://www.site.org/a", date="2020-01-01"),
        Doc(prose(2), url="https://site.org/a/", date="2021-01-01"),
        Doc(prose(3), url="https://site.org/b"),
        Doc(prose(4)),
        Doc(prose(5)),
    ]
    name = ids(docs)
    assert not dedup(tmp_path / "a", docs).removed
    removed = dedup(tmp_path / "b", docs, url=True, survivor=["latest"]).removed
    assert {k: (r["duplicate_of"], r["reason"]) for k, r in removed.items()} == {name[0]: (name[1], "url")}
    removed = dedup(tmp_path / "c", docs, url=True, survivor=["earliest"]).removed
    assert set(removed) == {name[1]}


def test_a_duplicate_of_a_removed_text_points_to_the_last_survivor(tmp_path: Path) -> None:
    base = prose(7)
    longer = edited(base, 2) + " and more"
    docs = [Doc(base), Doc(base), Doc(base), Doc(longer)]
    stage = dedup(tmp_path, docs)
    name = ids(docs)
    assert set(stage.removed) == set(name[:3])
    assert {r["duplicate_of"] for r in stage.removed.values()} == {name[3]}
    assert sorted(r["reason"] for r in stage.removed.values()) == ["exact", "exact", "minhash"]
    assert stage.table("clusters")[0]["size"] == 4


@pytest.mark.parametrize(
    ("rules", "stays"),
    [
        (["longest"], 3),
        (["shortest"], 2),
        (["priority", "longest"], 1),
        (["earliest"], 0),
        (["latest"], 2),
        (["+signal.quality"], 0),
        (["-signal.quality"], 1),
    ],
)
def test_survivor_rules(tmp_path: Path, rules: list[str], stays: int) -> None:
    base = prose(8, 300)
    docs = [
        Doc(f"{base} a bb", "A", date="2001-05-05", signals={"quality": 0.9}),
        Doc(f"{base} a bc", "B", date="2002-05-05", signals={"quality": 0.1}),
        Doc(f"{base} a", "C", date="2003-05-05", signals={"quality": 0.5}),
        Doc(f"{base} a bb ccc", "C"),
    ]
    stage = dedup(tmp_path, docs, survivor=rules, priority=["B", "A"])
    name = ids(docs)
    assert set(name) - set(stage.removed) == {name[stays]}


def test_ties_go_to_the_smallest_id_and_equal_ids_lose_nothing(tmp_path: Path) -> None:
    docs = [Doc(prose(9), id=f"{i:032x}") for i in (3, 1, 2)]
    assert set(dedup(tmp_path / "a", docs).removed) == {docs[0].id, docs[2].id}
    same = [Doc(prose(9), id="ab" * 16), Doc(prose(10), id="ab" * 16), Doc(prose(9), component="B", id="ab" * 16)]
    stage = dedup(tmp_path / "b", same)
    assert sum(len(read_table(stage.root / a.path)) for a in stage.of("removal")) == 1
    assert (stage.tally["A"].kept, stage.tally["B"].kept) == (2, 0)


def test_policies_of_components(tmp_path: Path) -> None:
    base = prose(11)
    docs = [Doc(base, "A"), Doc(base, "B"), Doc(base, "B"), Doc(base, "C")]
    name = ids(docs)

    def kept(folder: str, **components: object) -> set[int]:
        stage = dedup(tmp_path / folder, docs, components=components, priority=["A", "B", "C"], survivor=["priority"])
        return {i for i, n in enumerate(name) if n not in stage.removed}

    assert kept("a") == {0}
    assert len(kept("b", B={"against": "self"})) == 2
    assert len(kept("c", B={"methods": []})) == 3
    assert len(kept("d", B={"against": ["C"]})) == 3  # C goes for A; B may go only for C, which does not stay
    assert kept("e", C={"against": "self"}) == {0, 3}
    assert kept("f", C={"methods": ["url"]}) == {0, 3}


def test_chains(tmp_path: Path) -> None:
    words = prose(12, 500).split()
    docs = [Doc(" ".join(words[i : i + 300])) for i in (0, 45, 90, 135)]
    near = {"bands": 50, "rows": 2}
    name = ids(docs)
    loose = dedup(tmp_path / "a", docs, minhash=near).removed
    assert len(loose) == 3
    assert min(r["similarity"] for r in loose.values()) < 0.7
    strict = dedup(tmp_path / "b", docs, minhash={**near, "transitive": False}).removed
    assert len(strict) == 2
    assert min(r["similarity"] for r in strict.values()) >= 0.7
    assert {r["duplicate_of"] for r in strict.values()} <= set(name) - set(strict)


def corpus(seed: int, families: int = 120) -> list[Doc]:
    rng = random.Random(seed)
    docs = []
    for family in range(families):
        base = prose(1000 + family, rng.randrange(8, 300))
        for copy in range(rng.randrange(1, 5)):
            text = edited(base, rng.randrange(0, max(1, len(base.split()) // 12)), copy)
            docs.append(Doc(text, rng.choice("ABC"), url=f"http://x.org/{rng.randrange(200)}"))
    rng.shuffle(docs)
    return docs


def test_same_bytes_in_any_order_of_tasks_and_reuse(tmp_path: Path) -> None:
    docs, config = corpus(1), Config(url=True)
    digests = []
    for n, shuffle in enumerate((None, 1, 2)):
        root = tmp_path / str(n)
        partitions = partitions_of(root, docs, 20 << 10)
        digests.append(Stage(root, config, partitions).run(shuffle).digests())
    assert digests[0] == digests[1] == digests[2]
    assert len([1 for kind, _ in digests[0] if kind == "removal"]) > 3


def test_the_memory_budget_changes_the_plan_but_not_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pilebuilder.dedup import runs

    docs, found, tasks = corpus(2), [], []
    for room in (1 << 30, 200 << 10, 20 << 10):
        monkeypatch.setattr(runs, "allowance", lambda memory, room=room: room)
        root = tmp_path / str(room)
        stage = Stage(root, Config(url=True), partitions_of(root, docs, 10 << 10)).run()
        found.append(stage.digests())
        tasks.append(len(stage.tasks))
    assert found[0] == found[1] == found[2]
    assert tasks[0] < tasks[1] < tasks[2]


def test_the_order_of_partitions_does_not_choose_survivors(tmp_path: Path) -> None:
    docs = corpus(3)
    for doc, name in zip(docs, ids(docs), strict=True):
        doc.id = name
    one = dedup(tmp_path / "a", docs, url=True).removed
    other = dedup(tmp_path / "b", docs[::-1], url=True).removed
    assert {k: r["duplicate_of"] for k, r in one.items()} == {k: r["duplicate_of"] for k, r in other.items()}


def test_methods_can_be_turned_off(tmp_path: Path) -> None:
    docs = [Doc(prose(1)), Doc(prose(1)), Doc(edited(prose(1), 1))]
    near = dedup(tmp_path / "a", docs, exact=False)
    assert {r["reason"] for r in near.removed.values()} == {"minhash"}
    assert len(near.removed) == 2
    exact = dedup(tmp_path / "b", docs, minhash=None)
    assert {r["reason"] for r in exact.removed.values()} == {"exact"}
    none = dedup(tmp_path / "c", docs, exact=False, minhash=None)
    assert not none.removed
    assert none.tally["A"].kept == 3


def test_an_empty_corpus(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Config(), []).run()
    assert not stage.removed
    assert stage.of("clusters")[0].facts["clusters"] == 0


def test_a_skewed_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of equal texts, of near-equal texts, and of texts from one template: one cluster, one, and none."""
    from pilebuilder.dedup import runs

    base = prose(50, 60)
    equal = [Doc(base, key=f"e{i}") for i in range(6000)]
    near = [Doc(f"{prose(51, 60)} end{i}", key=f"n{i}") for i in range(6000)]
    template = [Doc(f"{prose(52, 30)} {prose(10_000 + i, 40)}", key=f"t{i}") for i in range(6000)]
    docs = equal + near + template
    random.Random(0).shuffle(docs)
    name = dict(zip(ids(docs), docs, strict=True))
    results = []
    for room in (1 << 30, 1 << 20):
        monkeypatch.setattr(runs, "allowance", lambda memory, room=room: room)
        root = tmp_path / str(room)
        stage = Stage(root, Config(), partitions_of(root, docs, 1 << 20)).run()
        results.append(stage.digests())
        removed = stage.removed
        kept = [d.key[0] for n, d in name.items() if n not in removed]
        assert kept.count("e") == 1
        assert kept.count("n") == 1
        assert kept.count("t") == 6000
    assert results[0] == results[1]
    compared = sum(a.facts.get("compared", 0) for a in stage.of("merged"))
    assert 6000 < compared < 2_000_000
