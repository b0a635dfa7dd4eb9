"""Takedowns: who leaves, who comes back in their place by policy, and that a whole corpus follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from pilebuilder.build.run import Build
from pilebuilder.build.takedown import Wanted, takedown
from pilebuilder.build.verify import verify
from pilebuilder.build.why import history
from pilebuilder.dedup.takedown import read_list
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.partition import read_table
from pilebuilder.recipe import load_recipe
from tests.dedup.driver import Doc, Stage, dedup, ids
from tests.dedup.test_stage import edited, prose


def corpus() -> list[Doc]:
    """A cluster of four (exact and near), a pair, and two texts of their own."""
    base = prose(1, 300)
    return [
        Doc(base + " longest of all"),
        Doc(base),
        Doc(base),
        Doc(edited(base, 3), "B"),
        Doc(prose(2)),
        Doc(prose(2)),
        Doc(prose(3)),
        Doc(prose(4), "B"),
    ]


def taken(tmp_path: Path, names: list[str], policy: str, limit: int = 1 << 20) -> Stage:
    path = tmp_path / "takedown.txt"
    path.write_text("# asked by mail\n" + "".join(f"{n.upper()}  # why\n" for n in names))
    rule = {"list": str(path), "duplicates": policy}
    return dedup(tmp_path / policy / str(limit), corpus(), takedown=rule, limit=limit)


def reasons(stage: Stage) -> dict[str, str]:
    return {name: row["reason"] for name, row in stage.removed.items()}


@pytest.mark.parametrize("limit", [1 << 20, 2000])
def test_the_next_of_the_cluster_comes_back(tmp_path: Path, limit: int) -> None:
    name = ids(corpus())
    before = dedup(tmp_path / "before", corpus()).removed
    assert len(before) == 4
    (survivor,) = set(name[:4]) - set(before)
    stage = taken(tmp_path, [survivor, name[6]], "promote", limit)
    found = reasons(stage)
    assert found[survivor] == found[name[6]] == "takedown"
    kept = [n for n in name if n not in found]
    assert len(kept) == 3
    assert len(set(name[:4]) & set(kept)) == 1
    assert stage.removed[survivor]["duplicate_of"] is None
    assert sum(count.dropped["takedown"] for count in stage.tally.values()) == 2
    rows = {row["id"]: row for row in stage.table("ledger")}
    assert (rows[survivor]["action"], rows[survivor]["step"]) == ("dropped", "takedown")
    assert all(size["cluster_size"] < 4 for size in stage.table("cluster_sizes"))


@pytest.mark.parametrize("limit", [1 << 20, 2000])
@pytest.mark.parametrize("which", [0, 1, 3])
def test_or_the_whole_cluster_leaves(tmp_path: Path, limit: int, which: int) -> None:
    name = ids(corpus())
    found = reasons(taken(tmp_path, [name[which]], "remove", limit))
    assert {n for n, why in found.items() if why == "takedown"} == set(name[:4])
    assert found[max(name[4], name[5])] == "exact"
    assert len(found) == 5


def test_a_duplicate_that_is_out_already_never_comes_back(tmp_path: Path) -> None:
    name = ids(corpus())
    found = reasons(taken(tmp_path, [name[0], name[1]], "promote"))
    kept = set(name) - set(found)
    assert len({name[2], name[3]} & kept) == 1
    everyone = reasons(taken(tmp_path, name, "promote"))
    assert set(everyone) == set(name)


def test_an_index_knows_what_was_taken_down(tmp_path: Path) -> None:
    name = ids(corpus())
    path = tmp_path / "list"
    path.write_text(name[6] + "\n")
    stage = dedup(tmp_path / "a", corpus(), takedown={"list": str(path)}, index={})
    rows = {r["id"]: r for r in stage.table("index")}
    assert [r["id"] for r in rows.values() if r["taken"]] == [name[6]]


@pytest.mark.parametrize("text", ["abc\n", "0" * 31 + "x", "\xff"])
def test_a_bad_list_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RecipeError, match=r"line 1|not UTF-8"):
        read_list(path)
    with pytest.raises(RecipeError, match="no such file"):
        dedup(tmp_path, [Doc("x")], takedown={"list": str(tmp_path / "absent")})


RECIPE = """\
name: small
components:
  - name: Web
    fetch: {{local: {{path: {0}/web}}}}
    read: {{jsonl: {{url: url}}}}
    licence: {{spdx: CC-BY-4.0}}
  - name: Notes
    fetch: {{local: {{path: {0}/notes}}}}
    read: jsonl
    licence: {{spdx: CC0-1.0}}
clean: []
filter: []
dedup: {1}
mix: {{val: 0, test: 0}}
shard: {{count: 2}}
tokenize: null
report: null
"""


def write(folder: Path, section: str) -> Path:
    base = prose(1, 300)
    for name, rows in (
        ("web", [{"text": base + " x y z", "url": "http://a.org/1"}, {"text": prose(5), "url": "http://a.org/2"}]),
        ("notes", [{"text": base}, {"text": prose(6)}, {"text": prose(7)}]),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
        lines = b"".join(json.dumps(r).encode() + b"\n" for r in rows)
        (folder / name / "a.jsonl.zst").write_bytes(zstandard.compress(lines))
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE.format(folder, section))
    return recipe


def build(recipe: Path, out: Path) -> dict[str, str]:
    """Build; the texts of the shards, and of which component."""
    Build(load_recipe(recipe), out, target="shard").run()
    assert not [f for f in verify(out) if f.kind != "stray"], verify(out)
    texts = {}
    for path in sorted((out / "train").glob("*.zst")):
        for line in (
            zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True).readall().splitlines()
        ):
            row = json.loads(line)
            texts[row["text"]] = row["meta"]["pile_set_name"]
    return texts


def test_a_corpus_follows_its_takedown_list(tmp_path: Path) -> None:
    recipe, out = write(tmp_path, "{}"), tmp_path / "out"
    base = prose(1, 300)
    assert build(recipe, out)[base + " x y z"] == "Web"
    survivor = next(
        row["id"]
        for m in [Build(load_recipe(recipe), out)]
        for path in sorted(out.glob("work/read/*/*.parquet"))
        if path.name != "ledger.parquet"
        for row in read_table(path).to_pylist()
        if row["text"] == base + " x y z"
    )
    dry = takedown(out, Wanted(urls=("https://www.a.org/1/",)), dry_run=True)
    assert dry.added == [survivor]
    assert not dry.path.exists()
    assert "best of its 1 duplicates comes back" in dry.sentences[0]
    assert "names no takedown list yet" in dry.remedy
    answer = takedown(out, Wanted(ids=(survivor, "0" * 32), licences=("CC-BY-4.0",)))
    assert answer.unknown == ["0" * 32]
    assert len(answer.added) == 2
    assert read_list(tmp_path / "takedown.txt") == sorted(answer.added)
    assert takedown(out, Wanted(ids=(survivor,))).added == []

    texts = build(write(tmp_path, "{takedown: {list: takedown.txt}}"), out)
    assert texts == {base: "Notes", prose(6): "Notes", prose(7): "Notes"}
    assert any(row["action"] == "dropped" and row["reason"] == "takedown" for row in history(out, survivor))
    assert "is out already" in takedown(out, Wanted(ids=(survivor,))).sentences[0]

    texts = build(write(tmp_path, "{takedown: {list: takedown.txt, duplicates: remove}}"), out)
    assert set(texts) == {prose(6), prose(7)}


def test_a_recipe_without_dedup_says_what_to_do(tmp_path: Path) -> None:
    recipe, out = write(tmp_path, "null"), tmp_path / "out"
    Build(load_recipe(recipe), out, target="read").run()
    with pytest.raises(PilebuilderError, match="optout"):
        takedown(out, Wanted(ids=("0" * 32,)))
    with pytest.raises(PilebuilderError, match="no build"):
        takedown(tmp_path, Wanted(ids=("0" * 32,)))
