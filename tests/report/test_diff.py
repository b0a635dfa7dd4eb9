"""Two corpora compared: what came, what went, and why."""

import json

import pyarrow as pa
import pytest

from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import Journal
from pilebuilder.partition import write_table
from pilebuilder.report import diff


def corpus(root, kept, dropped, documents):
    """A finished build: ids kept by component, ids dropped with their reason, and one table."""
    (root / "ledger").mkdir(parents=True)
    (root / "reports" / "tables").mkdir(parents=True)
    placed = Journal("shard")
    for component, ids in kept.items():
        placed.extend(len(ids), id=pa.array(ids), component=component, step="place", action="kept", reason="train/00")
    write_table(placed.table(), root / "ledger" / "shard-00000.parquet")
    gone = Journal("filter")
    for reason, ids in dropped.items():
        gone.extend(len(ids), id=pa.array(ids), component="a", step="x", action="dropped", reason=reason)
    write_table(gone.table(), root / "ledger" / "filter-00000.parquet")
    columns = [{"key": k, "title": k, "kind": "name" if k == "component" else "count"} for k in
               ("component", "raw_bytes", "weight", "documents", "tokens")]  # fmt: skip
    row = {
        "component": "a",
        "raw_bytes": 10,
        "weight": 1.0,
        "documents": documents,
        "tokens": {"gap": "not measured: x"},
    }
    table = {"columns": columns, "rows": [row], "totals": [], "provenance": {"name": root.name}}
    (root / "reports" / "tables" / "components.json").write_text(json.dumps(table))
    return root


def ids(*numbers):
    return [f"{n:032x}" for n in numbers]


def test_every_document_that_came_or_went_has_its_reason(tmp_path):
    # Copies (epochs) count once; 0 is an id like any other, and so is one that ends in zero bytes.
    old = corpus(tmp_path / "old", {"a": ids(0, 1, 2, 3, 3), "b": ids(10 << 64)}, {"lang.other": ids(7)}, 4)
    new = corpus(tmp_path / "new", {"a": ids(0, 1, 7), "c": ids(20)}, {"length.min_chars": ids(2)}, 3)
    section = diff.compare(old, new)
    tables = {t.name: t for t in section.tables()}
    assert section.lead == "2 documents came, 3 went, 2 are in both."
    rows = {r[0]: r[1:] for r in tables["diff-documents"].rows}
    assert rows == {"a": (4, 3, 2, 2, 1), "b": (1, 0, 0, 1, 0), "c": (0, 1, 0, 0, 1)}
    assert dict(tables["diff-removed"].rows) == {"filter: length.min_chars": 1, diff.NEVER: 2}
    assert dict(tables["diff-added"].rows) == {"filter: lang.other": 1, diff.NEVER: 1}
    components = dict(
        zip([c.key for c in tables["diff-components"].columns], tables["diff-components"].rows[0], strict=True)
    )
    assert components["documents_change"] == -1
    assert components["tokens_change"] is None


def test_the_comparison_is_a_page_with_tables(tmp_path):
    old = corpus(tmp_path / "old", {"a": ids(1)}, {}, 1)
    page = diff.write(diff.compare(old, old), tmp_path / "out")
    text = page.read_text()
    assert "0 documents came, 0 went, 1 are in both." in text
    assert (tmp_path / "out" / "tables" / "diff-documents.csv").exists()


def test_a_folder_without_a_corpus_is_refused(tmp_path):
    with pytest.raises(PilebuilderError, match="holds no finished corpus"):
        diff.compare(tmp_path, tmp_path)
