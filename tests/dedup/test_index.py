"""The persistent index: a later corpus continues from it, damage is refused, takedowns promote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.dedup.index import NAME, open_index, takedown
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.partition import read_table
from tests.dedup.driver import Doc, Stage, dedup, ids
from tests.dedup.test_stage import edited, prose


def publish(stage: Stage, folder: Path) -> Path:
    """Copy the public files of a run out of its work folder, as a build does at its end."""
    folder.mkdir(parents=True)
    for kind in ("index", "index-head"):
        for artifact in stage.of(kind):
            shutil.copy(stage.root / artifact.path, folder / Path(artifact.facts["public"]).name)
    return folder


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {r["id"]: r for a in open_index(folder).files for r in read_table(Path(a.path)).to_pylist()}


@pytest.fixture
def first(tmp_path: Path) -> tuple[Path, list[Doc]]:
    base = prose(1, 1000)
    docs = [
        Doc(base + " end"),
        Doc(base),
        Doc(base),
        Doc(prose(2)),
        Doc("short one"),
        Doc(prose(3), "B", url="http://b.org/3"),
    ]
    stage = dedup(tmp_path / "first", docs, index={"sample": 64}, limit=3000)
    assert len(stage.removed) == 2
    return publish(stage, tmp_path / "index"), docs


def test_one_row_for_every_document(first: tuple[Path, list[Doc]]) -> None:
    folder, docs = first
    name, rows = ids(docs), rows_of(folder)
    assert set(rows) == set(name)
    assert [rows[n]["survivor"] for n in name] == [None, name[0], name[0], None, None, None]
    assert [rows[n]["cluster"] > 1 for n in name] == [True, True, True, False, False, False]
    assert rows[name[0]]["cluster"] == 3
    assert {r["component"] for r in rows.values()} == {"A", "B"}
    assert len(rows[name[0]]["sample"]) == 64
    assert rows[name[0]]["limit"] == rows[name[0]]["sample"][-1]
    assert len(rows[name[4]]["sample"]) == 1
    assert not any(r["taken"] for r in rows.values())


def test_a_later_corpus_continues_from_it(first: tuple[Path, list[Doc]], tmp_path: Path) -> None:
    folder, docs = first
    name = ids(docs)
    later = [
        Doc(docs[3].text, "C"),
        Doc(edited(docs[0].text, 20), "C"),
        Doc(docs[2].text, "C"),
        Doc(prose(77), "C"),
        Doc(prose(77), "C"),
        Doc(prose(78), "C", url="https://b.org/3/"),
        Doc("Short one!", "C"),
    ]
    stage = dedup(tmp_path / "later", later, against=[str(folder)], url=True)
    new = ids(later)
    found = {n: (stage.removed[n]["reason"], stage.removed[n]["duplicate_of"]) for n in new if n in stage.removed}
    pair = sorted([new[3], new[4]])
    assert found == {
        new[0]: ("exact", name[3]),
        new[1]: ("minhash", name[0]),
        new[2]: ("exact", name[0]),  # equal to a text that was itself removed: its survivor is named
        pair[1]: ("exact", pair[0]),
        new[5]: ("url", name[5]),
        new[6]: ("minhash", name[4]),
    }
    # 64 smallest hashes of about a thousand: a standard error of 0.05
    assert stage.removed[new[1]]["similarity"] == pytest.approx(0.82, abs=0.12)
    assert stage.tally["C"].seen == 7
    assert "A" not in stage.tally

    outward = dedup(tmp_path / "outward", later, against=[str(folder)], url=True, within=False)
    assert set(outward.removed) == set(found) - {pair[1]}


def test_samples_that_are_whole_sets_give_true_similarity(tmp_path: Path) -> None:
    docs = [Doc(prose(5, 100))]
    index = publish(dedup(tmp_path / "a", docs, index={"sample": 200}), tmp_path / "index")
    later = [Doc(" ".join(docs[0].text.split()[:90]), "B")]
    stage = dedup(tmp_path / "b", later, against=[str(index)])
    assert next(iter(stage.removed.values()))["similarity"] == pytest.approx(86 / 96, abs=1e-6)


def test_order_of_continuing_does_not_matter_for_bytes(first: tuple[Path, list[Doc]], tmp_path: Path) -> None:
    folder, docs = first
    runs = [dedup(tmp_path / str(i), docs, against=[str(folder)], index={"sample": 64}).digests() for i in range(2)]
    assert runs[0] == runs[1]
    # every document of the first corpus is known by now
    assert len(dedup(tmp_path / "again", docs, against=[str(folder)]).removed) == len(docs)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"minhash": {"seed": 2}}, "was made with seed=1, this recipe has 2"),
        ({"minhash": {"ngram": 6}}, "ngram=5, this recipe has 6"),
        ({"minhash": {"scheme": "legacy"}}, "scheme='affine32'"),
        ({"minhash": {"bands": 20}}, "bands=16, this recipe has 20"),
    ],
)
def test_another_signature_is_refused_by_name(
    first: tuple[Path, list[Doc]], tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        dedup(tmp_path / "later", [Doc("x")], against=[str(first[0])], **config)


def test_damage_is_found(first: tuple[Path, list[Doc]], tmp_path: Path) -> None:
    folder, _ = first
    file = sorted(folder.glob("*.parquet"))[0]
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:], b""):
        file.write_bytes(damaged)
        with pytest.raises(PilebuilderError, match=r"00000\.parquet is damaged"):
            dedup(tmp_path / "later", [Doc("x")], against=[str(folder)])
    file.unlink()
    with pytest.raises(PilebuilderError, match="lacks"):
        open_index(folder)
    head = folder / NAME
    content = json.loads(head.read_text())
    head.write_text(json.dumps({**content, "version": 99}))
    with pytest.raises(RecipeError, match="version 99"):
        open_index(folder)
    head.write_text("{")
    with pytest.raises(RecipeError, match="cannot be read"):
        open_index(folder)
    head.unlink()
    with pytest.raises(RecipeError, match="holds no dedup index"):
        open_index(folder)


def test_takedown_of_a_survivor_promotes_the_next(first: tuple[Path, list[Doc]], tmp_path: Path) -> None:
    folder, docs = first
    name = ids(docs)
    result = takedown(folder, [name[0], "0" * 32])
    best = min(name[1], name[2])
    assert (result.taken, result.promoted, result.unknown) == ([name[0]], {name[0]: best}, ["0" * 32])
    rows = rows_of(folder)
    other = max(name[1], name[2])
    assert (rows[best]["survivor"], rows[other]["survivor"], rows[name[0]]["survivor"]) == (None, best, best)
    assert [rows[n]["taken"] for n in name] == [True, False, False, False, False, False]
    assert json.loads((folder / NAME).read_text())["generation"] == 2
    again = takedown(folder, [best])
    assert again.promoted == {best: other}
    assert takedown(folder, [other]).promoted == {}
    # what was taken down does not come back with the next corpus
    stage = dedup(tmp_path / "later", [Doc(docs[0].text, "C")], against=[str(folder)])
    assert len(stage.removed) == 1


def test_takedown_of_a_cluster_and_of_a_removed_document(first: tuple[Path, list[Doc]]) -> None:
    folder, docs = first
    name = ids(docs)
    assert takedown(folder, [name[1]]).taken == []  # it was not in the corpus
    result = takedown(folder, [name[2]], whole_cluster=True)
    assert (result.taken, result.promoted) == ([name[0]], {})
    assert [rows_of(folder)[n]["taken"] for n in name[:4]] == [True, True, True, False]


def test_cluster_sizes_for_mix(tmp_path: Path) -> None:
    base = prose(1)
    docs = [Doc(prose(9)), Doc(base), Doc(base), Doc(edited(base, 2) + " more")]
    stage = dedup(tmp_path, docs)
    (artifact,) = stage.of("cluster_sizes")
    assert artifact.facts["partition"] == stage.partitions()[0].sha256
    assert stage.table("cluster_sizes") == [{"row": 3, "cluster_size": 3}]
