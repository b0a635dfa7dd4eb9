"""Opt-out signals that the fetch recorded: counted from its inventories, by component."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pilebuilder.partition import read_table
from pilebuilder.task import Task, Workspace

ASKING = frozenset({"common-crawl", "daily-index"})
"""Fetchers that look for signals: in what a page says of itself, or in the files of its site."""


def count(task: Task, work: Workspace) -> None:
    """``opt-outs.json``: by component raw files, those with a signal, pages left out inside of files, and files by
    kind of signal (`pilebuilder.fetch.signals.Signal.kind`)."""
    found: dict[str, dict[str, Any]] = {}
    for artifact in task.inputs:
        held = found.setdefault(
            artifact.facts["component"], {"files": 0, "with_signals": 0, "pages_left_out": 0, "kinds": Counter()}
        )
        for text in read_table(work.open(artifact), ["extra"]).column("extra").to_pylist():
            extra = json.loads(text) if text else {}
            signals = extra.get("signals") or []
            held["files"] += 1
            held["with_signals"] += bool(signals)
            held["pages_left_out"] += int(extra.get("opted_out") or 0)
            held["kinds"].update({str(signal).partition(" in ")[0] for signal in signals})
    work.output("opt-outs.json", "opt-outs").write_text(json.dumps(found, sort_keys=True))
