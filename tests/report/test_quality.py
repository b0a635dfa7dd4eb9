"""Scores of the quality classifier: counted from what the filter leaves, and what Pareto sampling would keep of them."""

import numpy as np
import pyarrow as pa
import pytest

from pilebuilder.ledger import Journal
from pilebuilder.partition import write_table
from pilebuilder.report import plan, quality
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections import quality as page
from pilebuilder.report.site import page_of
from tests.report.made import Bench, artifact, table


def scored(bench, kept, dropped):
    """Histograms of a component of which the filter kept and dropped documents with these scores."""
    made = table("Web", ["text"] * len(kept)).append_column("signal.quality", pa.array(kept, pa.float32()))
    partition = bench.partition(made, "Web")
    journal = Journal("filter")
    for reason, values in (("quality.pareto", dropped), ("length.short", [0.9, 0.9])):
        ids = [f"{i:032x}" for i in range(len(values))]
        journal.extend(
            len(values),
            id=ids,
            component="Web",
            step="quality",
            action="dropped",
            reason=reason,
            value=np.array(values),
        )
    path = bench.root / "ledger.parquet"
    write_table(journal.table(), path)
    ledger = artifact(path, "ledger", bench.root)
    asked = plan.task("q", "quality:count", [partition, ledger], signals={"Web": ["quality"]})
    import json

    (made,) = bench.run(asked).values()
    return quality.merged([json.loads((bench.root / made.path).read_bytes())] * 2)


def test_kept_and_dropped_are_counted_apart(tmp_path):
    found = scored(Bench(tmp_path), [0.9995, 1.0, 0.5], [0.0, 0.25])
    held = found["Web"]["quality"]
    assert held["kept"][999] == 4
    assert held["kept"][500] == 2
    assert held["dropped"][0] == held["dropped"][250] == 2
    assert sum(quality.both(held)) == 10


def test_the_expected_share_is_that_of_the_filters_own_draws():
    """The step keeps a document when its Lomax variate exceeds 1 - score."""
    scores = np.random.default_rng(3).beta(1, 3, 50_000)
    histogram = np.bincount((scores * quality.BINS).astype(int), minlength=quality.BINS).tolist()
    shares = []
    for alpha in range(1, 10):
        draws = np.random.default_rng(alpha).pareto(alpha, len(scores))
        shares.append(quality.kept_share(histogram, alpha))
        assert shares[-1] == pytest.approx(float((draws > 1 - scores).mean()), abs=0.01)
    assert shares == sorted(shares, reverse=True)
    assert quality.kept_share([0] * quality.BINS, 3) == 0.0


def test_the_page_shows_scores_or_says_why_not(tmp_path):
    found = scored(Bench(tmp_path), [0.9375] * 40, [0.0625] * 5)
    facts = Facts(corpus={}, sources=(), stages={}, quality=found)
    text = page_of(page.section(facts))
    assert "too few (n = 10)" in text
    rows = page.pareto_table(facts).rows
    assert rows[8][1] == pytest.approx((80 * (2 - 0.9375) ** -9 + 10 * (2 - 0.0625) ** -9) / 90)
    assert rows[2][2] == 0.2390
    empty = page_of(page.section(Facts(corpus={}, sources=(), stages={})))
    assert "not measured: the recipe has no quality step" in empty


def test_reference_text_stands_beside_the_components_own(tmp_path):
    found = scored(Bench(tmp_path), [0.9375] * 40, [0.0625] * 20)
    scores = {"positive": [0] * 95 + [10] * 5, "negative": [20] * 5 + [0] * 95}
    told = [{"component": "Web", "signal": "quality", "name": "q", "scores": scores}]
    facts = Facts(corpus={}, sources=(), stages={}, quality=found, classifiers=told)
    (held,) = page.densities(facts)
    assert (held.reference[19], held.other[0], held.raw[18], held.raw[1], held.kept[18]) == (50, 100, 80, 40, 80)
    rows = page.density_table([held]).rows
    assert rows[19][4:] == (1.0, 0.0, 0.0, 0.0)
    assert rows[1][6] == pytest.approx(40 / 120)
    assert "reference, held out: 100% at 0.5 or above" in page.density_figure(held, 0).alt
    silent = Facts(corpus={}, sources=(), stages={}, quality=found)
    assert "no scores" in str(page.density_table(page.densities(silent)).rows[0][4])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A corpus of two components, one of them sampled by a classifier that was trained for it."""
    import json

    import yaml

    from pilebuilder.build.run import Build
    from pilebuilder.models import classifier
    from pilebuilder.recipe import load_recipe
    from tests.models.test_classifier import SMALL, folder_of_examples

    root = tmp_path_factory.mktemp("quality")
    folder = folder_of_examples(root)
    given = classifier.read_two([str(folder / "good.jsonl")], [str(folder / "bad.jsonl")])
    measured = classifier.train("q", given, folder, SMALL)
    words = {
        "Web": ["a proof of the lemma in measure theory", "buy now cheap offer free shipping"],
        "Books": ["a calm text"],
    }
    components = []
    for name, kinds in words.items():
        texts = [f"{kinds[i % len(kinds)]} {' '.join(f'{name}{i}w{k}' for k in range(8))}" for i in range(200)]
        (root / f"{name}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        components.append({"name": name, "fetch": {"local": {"path": str(root / f"{name}.jsonl")}}, "read": "jsonl"})
    recipe = {
        "name": "scored",
        "components": components,
        "filter": [{"quality": {"model": str(folder / "q"), "pareto": 3, "only": ["Web"]}}],
        "dedup": None,
        "mix": {"val": 0, "test": 0},
        "tokenize": None,
        "report": {"topics": False},
    }
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    Build(load_recipe(root / "r.yaml"), root / "out").run()
    tables = {p.stem: json.loads(p.read_text()) for p in (root / "out" / "reports" / "tables").glob("*.json")}
    return tables, measured, (root / "out" / "reports" / "quality.html").read_text()


def test_a_built_recipe_with_a_quality_step_shows_its_scores(built):
    tables, measured, text = built
    rows = {(r["component"], r["fate"]): r for r in tables["quality-scores"]["rows"]}
    assert set(rows) == {("Web", "kept"), ("Web", "dropped")}
    kept, dropped = rows["Web", "kept"]["documents"], rows["Web", "dropped"]["documents"]
    assert kept + dropped == 200
    lost = {(r["stage"], r["reason"]): r["documents"] for r in tables["losses"]["rows"]}
    assert lost["filter", "quality.pareto"] == dropped
    assert rows["Web", "kept"]["p50"] > rows["Web", "dropped"]["p50"]
    shares = [r["kept: Web (quality)"] for r in tables["pareto"]["rows"]]
    assert shares == sorted(shares, reverse=True)
    assert abs(shares[2] - kept / 200) < 0.12, "shape 3 is the recipe's"
    found = {r["threshold"]: r for r in tables["quality-classifiers"]["rows"]}
    for at in measured["thresholds"]:
        assert found[at["threshold"]]["precision"] in (at["precision"], {"gap": f"too few (n = {_least(measured)})"})
    density = tables["quality-density"]["rows"]
    assert len(density) == page.DENSITY
    for column, n in (("raw", kept + dropped), ("kept", kept), ("reference", measured["held_out"]["positive"])):
        if n >= 30:
            assert sum(r[column] for r in density) == pytest.approx(1)
        else:
            assert {r[column]["gap"] for r in density} == {f"too few (n = {n})"}
    low, high = (sum(r["raw"] for r in density if low <= r["from"] < low + 0.5) for low in (0, 0.5))
    assert min(low, high) > 0.3, "half of the documents are of each kind"
    assert "1 component was scored" in text
    assert 'id="figure-quality-density"' in text
    assert 'id="figure-pareto"' in text
    assert 'id="figure-quality-scores"' in text


def _least(measured):
    return min(measured["held_out"].values())
