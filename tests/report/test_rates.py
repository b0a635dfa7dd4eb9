"""Planted rates: profanity, repeats, with what must not raise them."""

import json
import random

import pytest

from pilebuilder.partition import read_table, write_table
from pilebuilder.report import plan
from pilebuilder.report.sampled.draw import draw
from pilebuilder.report.sections import repeats
from pilebuilder.report.stats import wilson
from tests.report.made import Bench, artifact, scan, table

THINGS = ["house", "river", "stone", "garden", "morning", "letter", "window", "market", "teacher", "summer"]
BAD = "You are a fucking idiot and you talk shit all day."
GERMAN = "Die Frau und die Kinder gehen in die Stadt, und die Leute dort kennen die beiden schon lange."


def calm(rng):
    one, two, three = rng.sample(THINGS, 3)
    return f"The {one} was near the {two} and people talked about the {three} for a while."


def measured(tmp_path, sentences):
    bench = Bench(tmp_path)
    documents = ["\n\n".join(sentences[i : i + 20]) for i in range(0, len(sentences), 20)]
    path = tmp_path / "sample.parquet"
    write_table(draw(table("a", documents), 1, 1.0), path)
    source = artifact(path, "sample", tmp_path, component="a", documents=len(documents))
    made = bench.run(plan.task("b", "sampled.bias:measure", [source], terms="pile", toxicity="toxicity", seed=1))
    return json.loads((tmp_path / made["000-bias.json"].path).read_text())["profanity"]


@pytest.mark.parametrize("planted", [0, 2, 20])
def test_profanity_at_a_planted_rate_lies_in_its_interval(tmp_path, planted):
    rng = random.Random(planted)
    sentences = [calm(rng) for _ in range(2000 - planted)] + [BAD] * planted
    rng.shuffle(sentences)
    found = measured(tmp_path, sentences)
    assert found["sentences"] == 2000
    low, high = wilson(found["toxic"], found["sentences"])
    assert low <= planted / 2000 <= high
    assert found["profane"] >= planted
    assert (found["profane"] == 0) == (planted == 0)
    assert all("*" in word for word, _ in found["frequent"]), "masked"


def test_the_german_article_is_no_profanity(tmp_path):
    rng = random.Random(1)
    found = measured(tmp_path, [calm(rng) for _ in range(200)] + [GERMAN] * 200)
    assert found["profane"] == found["toxic"] == 0
    assert found["sentences"] < 300, "German sentences are left out"


@pytest.mark.parametrize("cuts", [1, 3])
def test_250_planted_copies_are_counted_however_the_partitions_lie(tmp_path, cuts):
    class Facts:
        names, shares, from_files = ["a", "b"], {"a": 1.0}, False

    bench = Bench(tmp_path)
    texts = [f"a text of its own, number {i}" for i in range(1000)] + [f"copied text {i % 125}" for i in range(375)]
    random.Random(2).shuffle(texts)
    size = -(-len(texts) // cuts)
    parts = [bench.partition(table("a", texts[i : i + size]), "a") for i in range(0, len(texts), size)]
    made = [read_table(tmp_path / bench.run(scan([p]))["000-repeats.parquet"].path) for p in parts]
    from pilebuilder.report.measures.repeats import add_up

    Facts.repeats = {"a": add_up(made)}
    rows = {(r[0], r[1]): r for r in repeats.repeat_table(Facts).rows}
    documents, groups, inside, *_, excess, rate = rows["Text", "a"][2:]
    assert (documents, groups, inside, excess) == (1375, 125, 375, 250)
    assert rate == 250 / 1375
    assert rows["Text", repeats.WHOLE][2] == 1375
    assert str(rows["Text", "b"][4]).startswith("not measured")


def test_a_sample_of_texts_estimates_the_rate_of_all(tmp_path):
    bench = Bench(tmp_path)
    texts = [f"single {i}" for i in range(4000)] + [f"double {i % 2000}" for i in range(4000)]
    part = bench.partition(table("a", texts), "a")
    made = read_table(tmp_path / bench.run(scan([part], share=0.25))["000-repeats.parquet"].path)
    _, _, _, rate, low, high, _, excess = repeats.rates(repeats.counts(made, "text")[1], 0.25)
    assert low < 0.5 < high
    assert abs(rate - 0.5) < 0.05
    assert abs(excess - 0.25) < 0.05


def test_texts_that_two_components_share_are_counted(tmp_path):
    class Facts:
        names, shares, from_files = ["a", "b", "c"], {}, False

    bench = Bench(tmp_path)
    texts = {
        "a": [f"own {i}" for i in range(60)] + ["both 1", "both 2", "both 2"],
        "b": [f"other {i}" for i in range(40)] + ["both 1", "both 2"],
        "c": [f"third {i}" for i in range(10)],
    }
    held = {n: bench.run(scan([bench.partition(table(n, t), n)]))["000-repeats.parquet"] for n, t in texts.items()}
    Facts.repeats = {n: read_table(tmp_path / made.path) for n, made in held.items()}
    (row,) = repeats.shared_table(Facts).rows
    assert row == ("a", "b", 2, 3, 3 / 63, 2, 2 / 42)
    figure = repeats.repeat_figure(Facts)
    assert "2 documents, 1 texts" in figure.draw(760)
