"""Reports of corpora that are already there: made elsewhere, stripped, half built; and the datasheet's open questions."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pilebuilder.build.progress import Quiet
from pilebuilder.describe import describe
from pilebuilder.errors import RecipeError
from pilebuilder.report import corpus
from pilebuilder.report.papers import fillin

TEXT = "The river was quiet and the people talked about small things in the morning. "
OFF = "report: {topics: false}\n"


def lines(*records):
    return "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records) + "\n"


def quiet(folder, out, key=None, text=None):
    """A report without the slow topics, in this process alone."""
    out.mkdir(exist_ok=True)
    if not (out / "recipe.yaml").exists():
        (out / "recipe.yaml").write_text(OFF)
    return describe(folder, out, key, 1, Quiet(), text=text).parent


def table(reports, name):
    return json.loads((reports / "tables" / f"{name}.json").read_bytes())["rows"]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    root = tmp_path_factory.mktemp("foreign")
    folder = root / "corpus"
    (folder / "web").mkdir(parents=True)
    pile = [{"text": f"{TEXT}{i}", "meta": {"pile_set_name": "Pile-CC" if i % 2 else "a/<b>"}} for i in range(40)]
    same = [{"text": TEXT, "url": "http://example.org/x"}] * 30
    (folder / "train.jsonl").write_text(lines(*pile, "not json", "[1]", {"x": 1}, {"text": "\ud800"}))
    (folder / "val.jsonl.gz").write_bytes(gzip.compress(lines(*pile[:5]).encode()))
    (folder / "broken.jsonl.gz").write_bytes(gzip.compress(lines(*pile).encode())[:60])
    pq.write_table(pa.Table.from_pylist(same), folder / "web" / "part.parquet")
    return quiet(folder, root / "out")


def test_documents_are_read_by_component_from_lines_and_parquet(foreign):
    held = {r["component"]: r["documents"] for r in table(foreign, "components")}
    assert held["Pile-CC"] == 22
    assert held["a b"] == 23
    assert held["web"] == 30


def test_text_and_component_under_other_keys(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [{"doc": {"body": f"{TEXT}{i}"}, "of": {"name": "abc"[i % 3]}} for i in range(9)]
    (folder / "a.jsonl").write_text(lines(*rows, {"text": TEXT}))
    reports = quiet(folder, tmp_path / "out", "of.name", "doc.body")
    held = {r["component"]: r["documents"] for r in table(reports, "components")}
    assert [held[name] for name in "abc"] == [3, 3, 3]
    assert {r["reason"]: r["records"] for r in table(reports, "quarantine")} == {"no_text": 1}


def test_what_is_no_document_is_counted_with_its_cause(foreign):
    reasons = {r["reason"]: r["records"] for r in table(foreign, "quarantine")}
    assert reasons == {"bad_json": 2, "not_an_object": 1, "no_text": 1, "unreadable": 1}


def test_repeated_texts_and_addresses_are_counted(foreign):
    rows = {(r["what"], r["component"]): r for r in table(foreign, "repeats")}
    assert rows["Text", "web"]["documents_in_groups"] == 30
    assert rows["Text", "web"]["excess"] == 29
    assert rows["Web address", "web"]["groups"] == 1
    assert "gap" in rows["Web address", "Pile-CC"]["documents_in_groups"]


def test_what_needs_a_ledger_is_said_to_be_missing(foreign):
    page = (foreign / "removal.html").read_text()
    assert "not measured" in page
    assert "not measured" in (foreign / "duplicates.html").read_text()
    assert (foreign / "samples.html").read_text().count("The river") > 2
    for name in ("README.md", "croissant.json", "NOTICE", "datasheet.md"):
        assert (foreign / "papers" / name).stat().st_size > 0


def test_a_recipe_that_a_person_edited_is_kept(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "a.jsonl").write_text(lines({"text": TEXT, "kind": {"of": "x"}}))
    quiet(folder, tmp_path / "out", "kind.of")
    path = tmp_path / "out" / "recipe.yaml"
    held = yaml.safe_load(path.read_bytes())
    held["components"][0]["licence"] = {"spdx": "CC0-1.0"}
    path.write_text(yaml.safe_dump(held))
    reports = quiet(folder, tmp_path / "out", "kind.of")
    assert "CC0-1.0" in (reports / "papers" / "NOTICE").read_text()
    assert [c["name"] for c in yaml.safe_load(path.read_bytes())["components"]] == ["x"]


def test_a_folder_without_documents_is_refused(tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(RecipeError, match="no file of documents"):
        describe(tmp_path / "c", None, None, 1, Quiet())
    with pytest.raises(RecipeError, match="no such folder"):
        describe(tmp_path / "d", None, None, 1, Quiet())


@pytest.mark.parametrize(
    ("name", "split", "part"),
    [
        ("train/00.jsonl.zst", "train", ""),
        ("val.jsonl", "val", ""),
        ("web/validation-3.parquet", "val", "web"),
        ("data/books/test.json.gz", "test", "books"),
    ],
)
def test_names_of_files_tell_split_and_component(name, split, part):
    file = corpus.File(Path(name), name)
    assert (file.split, file.part) == (split, part)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small corpus built as far as the filter, and the same finished and stripped of its work folder."""
    from pilebuilder.build.run import Build
    from pilebuilder.recipe import load_recipe

    root = tmp_path_factory.mktemp("built")
    (root / "in.jsonl").write_text(lines(*({"text": f"{TEXT * (1 + i % 3)}{i}"} for i in range(90))))
    recipe = {
        "name": "small",
        "components": [{"name": "notes", "fetch": {"local": {"path": str(root / "in.jsonl")}}, "read": "jsonl"}],
        "filter": [{"length": {"min_chars": 100}}],
        "tokenize": None,
        "dedup": None,
        "mix": {"val": 0.1, "test": 0.1},
        "report": {"topics": False},
    }
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    Build(load_recipe(root / "r.yaml"), root / "part", target="filter").run()
    Build(load_recipe(root / "r.yaml"), root / "done", target="shard").run()
    return root


def test_a_partly_built_corpus_is_described_as_far_as_it_is(built):
    reports = quiet(built / "part", built / "part-report")
    assert [r["documents"] for r in table(reports, "components")] == [60]
    assert not (built / "part" / "reports").exists()
    assert "not measured" in (reports / "duplicates.html").read_text()
    assert "No duplicate cluster" not in (reports / "duplicates.html").read_text()
    assert any(r["reason"] == "length.min_chars" for r in table(reports, "losses"))


def test_a_stripped_corpus_is_described_from_shards_and_ledger(built):
    import shutil

    shutil.copytree(built / "done", built / "bare", ignore=shutil.ignore_patterns("work", ".pilebuilder"))
    reports = quiet(built / "bare", built / "bare-report")
    assert [r["documents"] for r in table(reports, "components")] == [12], "the rest is too near to what was held out"
    assert any(r["reason"] == "length.min_chars" for r in table(reports, "losses"))


def test_open_questions_are_listed_with_the_place_of_the_answer(foreign, tmp_path):
    folder = foreign.parent
    held = fillin.lines(folder, None)
    assert len(held) == 59
    assert "  1. For what purpose" in fillin.tell(held, None)
    path = tmp_path / "answers.yaml"
    fillin.write(held, path)
    with pytest.raises(RecipeError, match="exists"):
        fillin.write(held, path)
    content = yaml.safe_load(path.read_text())
    assert 7 in content["answers"]
    assert 5 not in content["answers"], "answered by the build"
    content["answers"][1]["text"] = "To see."
    path.write_text(yaml.safe_dump(content))
    again = {line.number: line for line in fillin.lines(folder, path)}
    assert again[1].state == "answered"
    assert "  1. " not in fillin.tell(list(again.values()), path)
    assert f"{path}, under `answers:`, `3:`" in fillin.tell(list(again.values()), path)


def test_questions_of_a_recipe_without_a_build(tmp_path):
    held = fillin.lines(None, None)
    assert sum(line.state == "open" for line in held) == 40
    with pytest.raises(RecipeError, match="make a report first"):
        fillin.lines(tmp_path, None)


def test_a_precision_sheet_is_drawn_filled_and_read(tmp_path):
    from pilebuilder.report.papers import precision

    texts = [f"Write to person{i}@mail.example.org or =call (415) 555-{1000 + i} now." for i in range(300)]
    content = precision.sheet(texts, 1)
    assert content == precision.sheet(iter(texts), 1)
    assert content != precision.sheet(texts, 2)
    rows = content.splitlines()
    assert sum(r.startswith("email,") for r in rows) == sum(r.startswith("phone,") for r in rows) == 100
    path = tmp_path / "sheet.csv"
    path.write_text(content)
    with pytest.raises(RecipeError, match="nothing is judged"):
        precision.judged(path)
    path.write_text("\n".join([rows[0], *(r + ("yes" if i % 4 else "no") for i, r in enumerate(rows[1:]))]) + "\n")
    assert precision.judged(path) == {"email": (75, 100), "phone": (75, 100)}
    path.write_text("\n".join([rows[0], rows[1] + "perhaps"]))
    with pytest.raises(RecipeError, match="line 2"):
        precision.judged(path)
