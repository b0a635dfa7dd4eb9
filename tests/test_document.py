"""Docs: whole columns in, every loss and edit recorded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pilebuilder.document import Docs, Rule, document_id, from_buffers, schema, text_buffers, texts
from pilebuilder.ledger import Count, Journal


def docs(*values: str) -> Docs:
    n = len(values)
    columns = {
        "id": [document_id("c", str(i)) for i in range(n)],
        "text": texts(values),
        "component": ["c"] * n,
        "origin_file": ["f"] * n,
        "origin_offset": list(range(n)),
    }
    table = pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in schema()], names=schema().names).cast(schema())
    return Docs(table=table, component="c", journal=Journal("filter"), count=Count(seen=n)).within("filter", "step")


def test_ids_depend_on_component_and_key_alone() -> None:
    assert document_id("a", "b") == document_id("a", "b")
    assert len({document_id("a", "b"), document_id("a", "c"), document_id("b", "b"), document_id("a\0b", "")}) == 4
    assert len(document_id("a", "\ud800")) == 32


def test_the_first_failing_rule_is_the_reason() -> None:
    start = docs("a", "bb", "ccc", "dddd")
    sizes = np.array([1, 2, 3, 4])
    left = start.reject(
        [
            Rule(reason="short", failed=sizes < 2, value=sizes, threshold=2),
            Rule(reason="odd", failed=sizes % 2 == 1, value=sizes),
        ]
    )
    assert left.text.to_pylist() == ["bb", "dddd"]
    rows = start.journal.table().to_pylist()
    assert [(r["reason"], r["value"], r["threshold"], r["offset"]) for r in rows] == [
        ("short", 1, 2, 0),
        ("odd", 3, None, 2),
    ]
    assert start.count.dropped == {"short": 1, "odd": 1}


def test_measurements_follow_the_documents_until_the_text_changes() -> None:
    calls = []

    def lengths(d: Docs) -> np.ndarray:
        calls.append(len(d))
        return np.diff(d.buffers()[1])

    start = docs("a", "bb", "ccc")
    assert start.measure("n", lengths).tolist() == [1, 2, 3]
    left = start.drop(np.array([True, False, False]), "x")
    assert left.measure("n", lengths).tolist() == [2, 3]
    assert calls == [3]
    edited = left.edit(texts(["b", "ccc"]), "cut")
    assert edited.measure("n", lengths).tolist() == [1, 3]
    assert calls == [3, 2]


def test_edits_count_bytes_both_ways() -> None:
    start = docs("ab", "cd", "ef")
    edited = start.edit(texts(["a", "cd", "éé"]), "change")
    rows = start.journal.table().to_pylist()
    assert [(r["action"], r["value"], r["offset"]) for r in rows] == [("edited", 1.0, 0), ("edited", -2.0, 2)]
    assert start.count.edited == {"change": -1}
    assert edited.text.to_pylist() == ["a", "cd", "éé"]
    assert start.edit(start.text, "nothing") is start


def test_signals_are_columns_and_can_be_replaced() -> None:
    one = docs("a", "b").signal("x", [1, 2])
    two = one.signal("x", [3, 4])
    assert one.table["signal.x"].to_pylist() == [1, 2]
    assert two.table["signal.x"].to_pylist() == [3, 4]
    assert two.table.num_columns == one.table.num_columns


def test_buffers_see_slices_and_empty_tables() -> None:
    data, offsets = text_buffers(texts(["aa", "b", "cc"]).slice(1, 2))
    assert bytes(data[offsets[0] : offsets[-1]]) == b"bcc"
    assert from_buffers(data, offsets).to_pylist() == ["b", "cc"]
    assert text_buffers(texts([]))[1].tolist() == [0]


def test_a_mask_of_another_length_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        docs("a", "b").drop(np.array([True]), "x")
