"""The logbook of a run: JSON lines, only ever appended to, each flushed to the disk.

Two kinds: ``step`` (numbers of one update) and ``event`` (start, resume, checkpoint, evaluation, note ...). A run that
was killed writes the steps after its last checkpoint a second time; `steps` gives the later ones. The last step of
each write carries the energy that the processes of this start have used so far.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pilebuilder.errors import PilebuilderError

NAME = "logbook.jsonl"
LONGEST_NOTE = 10_000


class Logbook:
    """Appends records to ``logbook.jsonl``; `watch` sees each as it is written."""

    def __init__(self, path: Path, watch: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self.path, self.watch = path, watch

    def step(self, rows: list[dict[str, Any]]) -> None:
        """Append the records of some steps in one write."""
        self._append([{"kind": "step", **row} for row in rows])

    def event(self, what: str, **facts: Any) -> None:
        """Append an event."""
        self._append([{"kind": "event", "event": what, **facts}])

    def _append(self, rows: list[dict[str, Any]]) -> None:
        stamped = [{"time": round(time.time(), 3), **row} for row in rows]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in stamped)
        with self.path.open("ab+") as file:
            # A line that a killed run left unfinished must not swallow the next one.
            if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                file.write(b"\n")
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if self.watch:
            for row in stamped:
                self.watch(row)


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole record, in the order of writing; a line cut by a kill is left out."""
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def note(run: Path, text: str) -> dict[str, Any]:
    """Append what a person has to say about a run, also while it is running; returns the record."""
    path = run / NAME
    if not path.is_file():
        raise PilebuilderError(f"{run} is not the folder of a training run: it has no {NAME}")
    text = text.strip()
    if not text:
        raise PilebuilderError("the note is empty")
    if len(text) > LONGEST_NOTE:
        raise PilebuilderError(f"the note has {len(text):,} characters, a note has at most {LONGEST_NOTE:,}")
    last = steps(path)
    written: list[dict[str, Any]] = []
    Logbook(path, lambda row: written.append(dict(row))).event(
        "note", step=last[-1]["step"] + 1 if last else 0, text=text
    )
    return written[0]


def steps(path: Path) -> list[dict[str, Any]]:
    """The last record of each step, by step."""
    found = {row["step"]: row for row in read(path) if row["kind"] == "step"}
    return [found[step] for step in sorted(found)]
