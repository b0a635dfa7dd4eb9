"""Progress of a run: live in a terminal, one JSON line per event in a pipe. Stages know nothing of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from pilebuilder.ledger import Tally
from pilebuilder.task import Manifest
from pilebuilder.units import show_bytes


class Sink(Protocol):
    def event(self, kind: str, **data: Any) -> None: ...
    def close(self) -> None: ...


class Quiet:
    """Keeps events for tests and for callers that print their own."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def event(self, kind: str, **data: Any) -> None:
        self.events.append((kind, data))

    def close(self) -> None:
        pass


class JsonLines:
    """One JSON object per event: ``time``, ``event`` and its data."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def event(self, kind: str, **data: Any) -> None:
        line = json.dumps({"time": round(time.time(), 3), "event": kind, **data}, ensure_ascii=True, default=str)
        print(line, file=self._stream, flush=True)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Meter:
    """What a stage has done so far in this run."""

    total: int = 0
    done: int = 0
    reused: int = 0
    seen: int = 0
    kept: int = 0
    lost: int = 0
    bytes: int = 0
    worked: int = 0
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def add(self, manifest: Manifest, reused: bool) -> None:
        self.done += 1
        self.reused += reused
        for count in manifest.tally.values():
            self.seen += count.seen
            self.kept += count.kept
            self.lost += count.seen - count.kept
            size = count.bytes_in or count.bytes_out
            self.bytes += size
            self.worked += 0 if reused else size

    @property
    def seconds(self) -> float:
        return max(1e-6, (self.ended or time.monotonic()) - self.started)

    @property
    def eta(self) -> float | None:
        fresh = self.done - self.reused
        return (self.total - self.done) * self.seconds / fresh if fresh else None

    def as_data(self) -> dict[str, Any]:
        return {
            "tasks": self.total,
            "done": self.done,
            "reused": self.reused,
            "documents": self.seen,
            "kept": self.kept,
            "lost": self.lost,
            "seconds": round(self.seconds, 2),
            "mb_per_s": round(self.worked / self.seconds / 1e6, 2),
        }


class Terminal:
    """A live table: one line per stage with tasks, rates, documents kept and lost, and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._meters: dict[str, Meter] = {}
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._table)
        self._live.start()

    def event(self, kind: str, **data: Any) -> None:
        if kind == "stage" or kind == "task":
            self._meters[data["stage"]] = data["meter"]
        elif kind == "message":
            self._console.print(data["text"], highlight=False)

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2), header_style="dim")
        for name in ("stage", "tasks", "reused", "documents in", "kept", "lost", "MB/s", "docs/s", "time", "left"):
            table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
        for name, m in self._meters.items():
            if m.ended and not m.total:
                continue  # fused with the stage after it
            rate = f"{m.worked / m.seconds / 1e6:.1f}" if m.worked else ""
            docs = f"{m.seen / m.seconds:,.0f}" if m.seen and m.done > m.reused else ""
            left = "" if m.ended or m.eta is None else f"{m.eta:.0f} s"
            time_ = f"{m.seconds:.1f} s"
            counts = (f"{m.seen:,}", f"{m.kept:,}", f"{m.lost:,}") if m.seen else ("", "", "")
            table.add_row(name, f"{m.done}/{m.total}", str(m.reused or ""), *counts, rate, docs, time_, left)
        return table

    def close(self) -> None:
        self._live.stop()


def make_sink(log_json: bool, quiet: bool = False) -> Sink:
    """Live progress for a person, JSON lines for a pipe or on request."""
    if quiet:
        return Quiet()
    if log_json or not sys.stderr.isatty():
        return JsonLines()
    return Terminal()


def summary_rows(stages: Mapping[str, Tally]) -> list[tuple[str, str, str, str, str]]:
    """Component by component: documents read, kept, dropped, merged, quarantined, over all stages of a run."""
    rows = []
    read = stages.get("read", Tally())
    for component in sorted(read):
        tallies = [t[component] for t in stages.values() if component in t]
        dropped = sum(c.dropped.total() for c in tallies)
        merged = sum(c.merged for c in tallies)
        quarantined = sum(c.quarantined.total() for c in tallies)
        rows.append((component, f"{read[component].seen:,}", f"{dropped:,}", f"{merged:,}", f"{quarantined:,}"))
    return rows


__all__ = ["JsonLines", "Meter", "Quiet", "Sink", "Terminal", "make_sink", "show_bytes", "summary_rows"]
