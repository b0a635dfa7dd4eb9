"""The ledger and the law of conservation."""

from __future__ import annotations

import numpy as np
import pytest

from pilebuilder.errors import ConservationError
from pilebuilder.ledger import ACTIONS, Count, Journal, Tally, context, schema


def test_rows_of_both_kinds_come_out_as_one_table() -> None:
    journal = Journal("read")
    journal.add(component="a", step="jsonl", action="quarantined", reason="bad_json", file="x", offset=12)
    journal.extend(2, id=["1", "2"], component="a", step="s", action="dropped", reason="r", value=np.array([1.5, 2.5]))
    table = journal.table()
    assert table.schema == schema()
    assert table["stage"].to_pylist() == ["read"] * 3
    assert table["value"].to_pylist() == [1.5, 2.5, None]
    assert table["offset"].to_pylist() == [None, None, 12]
    assert set(table["action"].to_pylist()) <= set(ACTIONS)


def test_a_column_that_does_not_exist_is_a_defect() -> None:
    with pytest.raises(AssertionError, match="not ledger columns"):
        Journal("read").extend(1, id=["1"], colour="red")


def test_context_is_bounded_and_escaped() -> None:
    shown = context(b"\x1b[31m\xff\n" + b"x" * 500)
    assert shown.startswith("\\x1b[31m\\\\xff\\n")
    assert len(shown) < 260
    assert shown.isprintable()


def test_counts_add_up_or_raise() -> None:
    count = Count(seen=10, kept=6, merged=1)
    count.dropped.update(short=2)
    count.quarantined.update(bad=1)
    tally = Tally({"a": count})
    tally.check("here")
    twice = Tally.total([tally, Tally.from_json(tally.to_json())])
    assert twice["a"].seen == 20
    assert twice["a"].dropped == {"short": 4}
    assert count.seen == 10
    count.kept = 5
    with pytest.raises(ConservationError, match=r"here: component a: 10 documents in.* 1 unaccounted"):
        tally.check("here")
