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
