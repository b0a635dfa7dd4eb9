"""Who was removed: rates by group, adjusted for component and length."""

import json

import pyarrow as pa

from pilebuilder.ledger import Journal
from pilebuilder.partition import write_table
from pilebuilder.report import plan
from pilebuilder.report.counters import Counters
from pilebuilder.report.sections import removal
from pilebuilder.report.stats import Stratum, risk_ratio
from tests.report.made import Bench, artifact, table

FILLER = "the river runs under a bright sky and people talk about small things in the morning near the old house "


def ledger(bench, ids, reason="gopher-quality.min_words", stage="filter"):
    journal = Journal(stage)
    if ids:
        journal.extend(len(ids), id=pa.array(ids), component="a", step="x", action="dropped", reason=reason)
    path = bench.root / f"ledger-{bench.runs}.parquet"
    bench.runs += 1
    write_table(journal.table(), path)
    return artifact(path, "ledger", bench.root)


def counted(bench, texts, gone, **more):
    made = table("a", texts)
    ids = made.column("id").to_pylist()
    inputs = [bench.partition(made, "a"), ledger(bench, [ids[i] for i in gone], **more)]
    found = bench.run(plan.task("removal", "removal:count", inputs, seed=1, shares={"a": 1.0}))
    return {"a": removal.read(Counters.read([bench.root / found["000-removal.parquet"].path]))}


def test_a_rule_that_removes_one_group_more_often_is_named(tmp_path):
    texts = [FILLER * 2 + ("a gay couple" if i % 2 else "an old couple") for i in range(800)]
    gone = [i for i in range(800) if (i % 2 and i % 4 == 1) or (i % 20 == 0)]
    held = counted(Bench(tmp_path), texts, gone)
    found = removal.effect(held, "orientation", "gay", "filter: gopher-quality.min_words")
    assert (found.documents, found.removed) == (400, 200)
    assert found.suspicious
    assert 4 < found.ratio[0] < 6
    other = removal.effect(held, "religion", "Muslim", "filter: gopher-quality.min_words")
    assert other.documents == 0
    assert not other.suspicious


def test_length_alone_does_not_make_a_group_suspicious(tmp_path):
    # Long documents name the group and are removed more often, whether they name it or not.
    texts, gone = [], []
    for i in range(800):
        long = i % 2 == 0
        names = i % 8 < 6 if long else i % 8 == 7
        texts.append(FILLER * (40 if long else 1) + ("women" if names else "folk"))
        if i % 10 < (6 if long else 1):
            gone.append(i)
    held = counted(Bench(tmp_path), texts, gone)
    found = removal.effect(held, "gender", "women", None)
    crude = (found.removed / found.documents) / (found.others_removed / found.others)
    assert crude > 1.5
    assert not found.suspicious
    assert 0.7 < found.ratio[0] < 1.3


def test_a_language_filter_is_not_blamed_for_removing_languages(tmp_path):
    texts = [FILLER] * 200 + [
        "Der Fluss fliesst unter einem hellen Himmel und die Leute reden oft ueber das Haus. " * 3
    ] * 200
    held = counted(Bench(tmp_path), texts, list(range(200, 400)), reason="lang.other")
    found = removal.effect(held, "language", "language de", "filter: lang.other")
    assert found.removed == 200
    assert not found.suspicious


def test_the_adjusted_ratio_of_one_stratum_is_the_plain_one():
    ratio, low, high = risk_ratio([Stratum(200, 60, 400, 40)])
    assert ratio == 3
    assert low < 3 < high
    assert risk_ratio([Stratum(0, 0, 10, 5)]) is None
    assert json.dumps(ratio)
