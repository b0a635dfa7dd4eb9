import pytest

from pilebuilder.report.sections.composition import Part, by_weight, component_table, weights
from tests.report.anchors import MEAN_KIB, PILE, TOTAL_EFFECTIVE, TOTAL_RAW

GIB = 2**30


@pytest.fixture
def parts():
    """The Pile from the raw and epochs columns, with documents derived from the mean size."""
    made = []
    for name, (raw, _, epochs, _, mean, _) in PILE.items():
        made.append(Part(name=name, raw=raw * GIB, epochs=epochs, documents=round(raw * 2**20 / mean)))
    return by_weight(made)


def test_table_1_of_the_pile_follows_from_raw_sizes_and_epochs(parts):
    share = weights(parts)
    for part in parts:
        _, weight, _, effective, _, _ = PILE[part.name]
        assert share[part.name] * 100 == pytest.approx(weight, abs=0.01)
        assert part.effective / GIB == pytest.approx(effective, abs=0.02)
    assert abs(sum(share.values()) - 1) < 1e-9


def test_totals_of_table_1(parts):
    table = component_table(parts)
    total = dict(zip([c.key for c in table.columns], table.totals[0], strict=True))
    assert total["raw_bytes"] / GIB == pytest.approx(TOTAL_RAW, abs=0.005)
    assert total["effective_bytes"] / GIB == pytest.approx(TOTAL_EFFECTIVE, abs=0.05)
    assert total["mean_document_bytes"] / 1024 == pytest.approx(MEAN_KIB, abs=0.005)


def test_rows_come_by_weight_and_show_the_papers_digits(parts):
    rows, totals = component_table(parts).shown()
    assert rows[0][:4] == ["Pile-CC", "227.12", "18.11", "1.00"]
    assert rows[-1][0] == "Enron Emails"
    assert totals[0][1:3] == ["825.18", "100.00"]


def test_a_corpus_without_text_has_no_weights():
    parts = [Part(name="a", raw=0, epochs=1, documents=0)]
    assert weights(parts) == {"a": 0.0}
    table = component_table(parts)
    (mean,) = [v for c, v in zip(table.columns, table.rows[0], strict=True) if c.key == "mean_document_bytes"]
    assert mean is None
