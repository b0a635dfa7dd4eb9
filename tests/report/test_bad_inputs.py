"""Corpora that give a report little or the wrong thing to work with: each has its pages, and they say what is missing."""

from __future__ import annotations

import json

import pytest
import yaml
from lxml import html

from pilebuilder.build.progress import Quiet
from pilebuilder.build.run import Build
from pilebuilder.describe import describe
from pilebuilder.partition import read_table
from pilebuilder.recipe import load_recipe
from pilebuilder.report import plan
from pilebuilder.report.overlap import summary
from tests.report.made import HOSTILE, Bench, artifact, table

GERMAN = "Der Fluss war am Morgen still, und die Leute sprachen an der alten Brücke über kleine Dinge."
ENGLISH = "The river was quiet in the morning and the people talked about small things near the bridge."


def lines(texts, **more):
    return "".join(json.dumps({"text": t, **more}) + "\n" for t in texts)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Components of no document, of one, of one foreign language; hostile text in all; no address, no date."""
    root = tmp_path_factory.mktemp("odd")
    inputs = {
        "Nothing": "",
        "One": lines([f"{HOSTILE} {ENGLISH}"]),
        "Deutsch": lines([f"{GERMAN} {HOSTILE} Nummer {i}, Zeichen {i * 7}." for i in range(60)]),
    }
    components = []
    for name, content in inputs.items():
        (root / f"{name}.jsonl").write_text(content)
        source = {"local": {"path": str(root / f"{name}.jsonl")}}
        components.append({"name": name, "title": HOSTILE, "description": HOSTILE, "fetch": source, "read": "jsonl"})
    recipe = {
        "name": "odd",
        "title": HOSTILE,
        "components": components,
        "dedup": {"minhash": None},
        "mix": {"val": 0, "test": 0},
        "quarantine": {"share": 1.0, "files": 9},
        "report": {"topics": False},
    }
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    Build(load_recipe(root / "r.yaml"), root / "out").run()
    return root / "out" / "reports"


def text_of(reports, name):
    (main,) = html.fromstring((reports / name).read_bytes()).xpath("//main")
    return " ".join(" ".join(main.itertext()).split())


def test_a_component_without_a_document_has_a_page_and_a_reason(odd):
    page = text_of(odd, "components/nothing.html")
    assert "No document of this component is in the corpus." in page
    assert "Without a value: " in page
    assert "Topics" not in page.split("Without a value")[0].split("Card")[1]
    assert "Without a document: Nothing." in text_of(odd, "components.html")
    assert "Nothing gave no document" in text_of(odd, "terms.html")


def test_a_component_of_one_document_shows_no_shares(odd):
    for name in ("lengths", "languages", "tokens", "profanity", "personal"):
        assert "too few (n = 1)" in text_of(odd, f"{name}.html"), name
    page = text_of(odd, "components/one.html")
    assert "1 distinct document," in page
    assert "100.00" not in page.split("Languages by component")[1].split("Definition")[0]


def test_a_language_that_the_lexicon_does_not_know_is_not_applicable(odd):
    page = text_of(odd, "sentiment.html")
    assert "not measured: too few English sentences in the sample (n = 1)" in page
    assert "know English only" in page
    assert "Muslim" not in page
    rows = json.loads((odd / "tables" / "profanity.json").read_text())["rows"]
    (deutsch,) = [r for r in rows if r["component"] == "Deutsch"]
    assert "gap" in deutsch["words"]


def test_addresses_that_nobody_has_are_a_gap(odd):
    assert "not measured: no component has URL metadata" in text_of(odd, "web.html")


def test_hostile_text_is_shown_and_does_nothing(odd):
    for path in odd.rglob("*.html"):
        page = html.fromstring(path.read_bytes())
        assert len(page.xpath("//script")) == (path.name == "samples.html")
        assert "\u202e" not in page.text_content()
    assert "<script>alert(1)</script> [U+202E]" in text_of(odd, "samples.html")


def test_every_page_of_an_odd_corpus_reads_without_holes(odd):
    for path in odd.rglob("*.html"):
        words = text_of(odd, path.relative_to(odd).as_posix())
        for bad in ("nan", "None", "inf ", "{}", "[]", " ,", "..", "( )"):
            assert f" {bad} " not in f" {words} ", (path.name, bad)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A corpus made elsewhere, cut into splits by its files: a third of the test documents stand in training."""
    root = tmp_path_factory.mktemp("foreign")
    folder = root / "corpus"
    folder.mkdir()
    train = [f"{ENGLISH} This is number {i} of the training text, and {i * i} is its square." for i in range(90)]
    test = [f"Held out text {i} {' '.join(f'w{i}x{k}' for k in range(30))}." for i in range(40)] + train[:20]
    (folder / "train.jsonl").write_text(lines(train))
    (folder / "val.jsonl").write_text(lines(test[:5]))
    (folder / "test.jsonl").write_text(lines(test))
    out = root / "out"
    out.mkdir()
    (out / "recipe.yaml").write_text("report: {topics: false}\n")
    return describe(folder, out, None, 1, Quiet()).parent


def test_overlap_of_a_corpus_made_elsewhere_is_measured_by_its_splits(foreign):
    (row,) = json.loads((foreign / "tables" / "overlap-test.json").read_text())["rows"]
    assert (row["items"], row["whole"]) == (60, 20)
    assert row["any"] >= 20, "those that stand whole in training share their 13-grams"
    assert "20 test documents occur word for word in training." in text_of(foreign, "overlap.html")
    bits = json.loads((foreign / "tables" / "bits-per-byte.json").read_text())["rows"][0]
    assert 0 < bits["bits_per_byte: order-5 byte model"] < 8


def test_tokens_of_a_corpus_made_elsewhere_are_estimated_with_an_interval(foreign):
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    (row,) = json.loads((foreign / "tables" / "tokens.json").read_text())["rows"]
    import numpy as np

    texts = [json.loads(t)["text"].encode() for p in ("train", "val", "test") for t in _lines(foreign, p)]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    counted = encoders.engine("tiktoken", load("gpt2")).encode(np.frombuffer(b"".join(texts), np.uint8), offsets)[1]
    assert (row["documents"], row["tokens"]) == (155, int(counted[-1]))
    assert row["tokens_per_byte"] == int(counted[-1]) / sum(map(len, texts))
    assert row["low"] < row["tokens_per_byte"] < row["high"]
    assert row["estimate"] == int(counted[-1]), "all of a small corpus is in the sample"
    assert "no token files; see Tokens" in text_of(foreign, "components.html")


def _lines(reports, name):
    return (reports.parents[1] / "corpus" / f"{name}.jsonl").read_text().splitlines()


def test_benchmark_items_with_a_changed_word_are_reported_by_their_13_grams(tmp_path):
    """100 items verbatim, 100 with one word changed, 100 with one word left out, 100 elsewhere."""
    bench = Bench(tmp_path)
    items = [{"q": " ".join(f"t{i}n{k}" for k in range(40))} for i in range(400)]

    def planted(i):
        words = items[i]["q"].split()
        if 100 <= i < 200:
            words[20] = "other"
        return " ".join(words[:20] + words[21:] if 200 <= i < 300 else words)

    documents = [f"before it {planted(i)} and after it" for i in range(300)]
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(map(json.dumps, items)))
    benchmark = artifact(path, "benchmark", tmp_path, name="made", fields=["q"])
    index = bench.run(plan.task("index", "overlap:index", [benchmark]))
    known = [index["items.parquet"], index["grams.npy"]]
    partition = bench.partition(table("a", documents), "a")
    scan = bench.run(plan.task("scan", "overlap:scan", [*known, partition]))["scan.json"]
    (held,) = summary(read_table(tmp_path / known[0].path), json.loads((tmp_path / scan.path).read_text()))
    assert (held["items"], held["whole"], held["any"]) == (400, 100, 300)
    # 28 13-grams an item: all of the verbatim ones; 15 of those around a changed word, 15 around one left out
    assert held["shares"] == pytest.approx(100 * (1 + 15 / 28 + 15 / 28))
