"""One record beyond the limit, between others: a counted row, and the others are documents. Limits are set low here;
``python -m tests.benchmarks.read`` does it with half a gigabyte, and measures memory."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pilebuilder import registry
from pilebuilder.read import (
    delimited,
    enron,
    files,
    hackernews_items,
    line_blocks,
    mathematics,
    reddit_rows,
    rows,
    uspto,
    xml,
)
from tests.read.drive import run_task
from tests.read.made import MADE, Made

LIMIT, HUGE = 1 << 20, 5 << 20
CASES = [made for made in MADE if made.huge and made.reader != "arxiv"]  # arXiv's limits are set in a child process


@pytest.mark.parametrize("made", CASES, ids=lambda made: f"{made}:{made.name}")
def test_a_record_beyond_the_limit_costs_itself(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (reddit_rows, "MAX_LINE"), (hackernews_items, "MAX_LINE"), (rows, "MAX_ROW"), (enron, "MAX_MESSAGE"),
        (mathematics, "MAX_MODULE"), (uspto, "MAX_RECORD"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, LIMIT)
    monkeypatch.setattr(line_blocks, "BLOCK", 1 << 16)
    for function in (delimited.records, files.contents, xml.splits):
        defaults = function.__kwdefaults__ | {"limit": LIMIT}  # type: ignore[attr-defined]
        monkeypatch.setattr(function, "__kwdefaults__", defaults)
    limits = {
        field.name: LIMIT
        for field in fields(registry.part("reader", made.reader).factory)
        if field.name.startswith("max_") and field.name.endswith("bytes")
    }
    path = tmp_path / "file"
    wanted = made.write(path, 1, HUGE) * made.per_unit
    ran = run_task(tmp_path / "out", made.reader, [(made.name, path)], **(made.params | limits))
    assert ran.count.kept == wanted, ran.ledger
    assert ran.count.quarantined.total() == 1, ran.ledger
    [row] = [row for row in ran.ledger if row["action"] == "quarantined"]
    assert row["reason"] in ("too_large", "bomb"), row
    assert len(row["detail"] or "") < 400
