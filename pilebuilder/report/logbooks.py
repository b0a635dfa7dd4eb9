"""A training run's logbook as a report reads it: steps, attempts with their lineage, entries.

The file is JSON lines, appended to and never changed (`pilebuilder.train.logbook`). A killed process leaves its last
steps behind, and the next attempt, which begins at a checkpoint before them, writes them again: of each step the last
record counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pilebuilder.units import show_seconds

Row = Mapping[str, Any]
BEGINS = ("start", "resume")
ENDS = ("finish", "interrupted", "stopped")


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One process that trained, from its start to its end."""

    number: int
    began: float
    """Seconds since 1970, as are all times."""
    first: int
    """The step it began with."""
    origin: int | None
    """The attempt whose checkpoint it went on from."""
    facts: Row
    """Its start or resume event."""
    steps: int = 0
    last: int | None = None
    """The last step it wrote."""
    ended: str = "no end written: killed, or still running"
    until: float = 0.0
    repeated: int = 0
    """Steps that an earlier attempt had done already."""
    joules: dict[str, float] = field(default_factory=dict)
    """By ``cpu`` and ``gpu``, what its last line says."""

    @property
    def seconds(self) -> float:
        """From its first line to its last."""
        return max(0.0, self.until - self.began)

    @property
    def energy(self) -> float | None:
        """Joules of all that was counted; None when nothing was."""
        return sum(self.joules.values()) if self.joules else None

    @property
    def method(self) -> str:
        """How energy was counted."""
        held = self.facts.get("energy") or {}
        return "; ".join(f"{part.upper()}: {text}" for part, text in sorted(held.items()))

    def setting(self, name: str, default: float) -> float:
        """A number of the run's settings of energy."""
        return float(((self.facts.get("config") or {}).get("power") or {}).get(name, default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The logbook of one run."""

    name: str
    attempts: Sequence[Attempt]
    steps: Sequence[Row]
    """The last record of each step, by step."""
    events: Sequence[Row]

    @property
    def facts(self) -> Row:
        """The newest start or resume event; empty when the file holds none."""
        return self.attempts[-1].facts if self.attempts else {}

    @property
    def config(self) -> Row:
        """Settings of the newest attempt."""
        return self.facts.get("config") or {}

    @property
    def planned(self) -> int | None:
        """Steps of the whole run."""
        tokens, batch = self.config.get("tokens"), self.config.get("batch_tokens")
        return -(-int(tokens) // int(batch)) if tokens and batch else None


def parse(name: str, content: bytes) -> Book:
    """A logbook from the bytes of its file; a line that a kill cut off is left out."""
    steps: dict[int, Row] = {}
    attempts: list[Attempt] = []
    events: list[Row] = []
    writer: dict[int, int] = {}  # the attempt that wrote the newest record of a step
    for line in content.split(b"\n"):
        row = _row(line)
        if row is None:
            continue
        now = attempts[-1] if attempts else None
        if row["kind"] == "event":
            events.append(row)
            if row["event"] in BEGINS:
                first = int(row.get("step", 0))
                origin = writer.get(first - 1) if row["event"] == "resume" else None
                attempts.append(
                    Attempt(number=len(attempts) + 1, began=row["time"], first=first, origin=origin, facts=row)
                )
                attempts[-1].until = row["time"]
            elif now is not None and row["event"] != "note":
                now.until = row["time"]
                if row["event"] in ENDS:
                    now.ended = _ending(row)
        elif now is not None:
            number = int(row["step"])
            now.repeated += number in steps
            now.steps, now.last, now.until = now.steps + 1, number, row["time"]
            steps[number], writer[number] = row, now.number
            for part in ("cpu", "gpu"):
                if f"{part}_joules" in row:
                    now.joules[part] = float(row[f"{part}_joules"])
    return Book(name=name, attempts=attempts, steps=[steps[s] for s in sorted(steps)], events=events)


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
        kind, time = row["kind"], float(row["time"])
    except (ValueError, KeyError, TypeError):
        return None
    known = (kind == "step" and "step" in row) or (kind == "event" and "event" in row)
    return {**row, "time": time} if known else None


def _ending(row: Row) -> str:
    words = {"finish": "finished", "interrupted": "stopped by a signal, after a checkpoint"}
    return words.get(row["event"]) or f"stopped: {row.get('why', 'no reason given')}"


def clock(time: float) -> str:
    """A time as people write it, UTC.

    >>> clock(0)
    '1970-01-01 00:00:00'
    """
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def carbon(attempt: Attempt) -> tuple[float, float] | None:
    """kWh drawn from the grid and grams of CO2 equivalent, by the settings of the attempt; None when not counted."""
    if attempt.energy is None:
        return None
    drawn = attempt.energy / 3.6e6 * attempt.setting("pue", 1.0)
    return drawn, drawn * attempt.setting("grid_gco2_per_kwh", 0.0)


def entry(row: Row) -> str:
    """One event in words."""
    what = row["event"]
    if what in BEGINS:
        damaged = row.get("damaged_checkpoints") or []
        words = f"{row.get('parameters', 0):,} parameters on {row.get('device', 'an unknown device')}"
        words += f", torch {row.get('torch', '?')}"
        again = f"Resumed before step {row.get('step', 0):,}" if what == "resume" else "Started"
        return f"{again}: {words}." + "".join(f" Passed over: {text}." for text in damaged)
    if what == "evaluate":
        whole = row["scores"][-1]
        error = whole.get("standard_error")
        plus = f" (standard error {error:.4f})" if error is not None else ""
        return f"Evaluated on {row.get('split')}: {whole['bits_per_byte']:.4f} bits per byte{plus}."
    if what == "checkpoint":
        return f"Checkpoint before step {row.get('step', 0):,}, {show_seconds(float(row.get('seconds', 0)))}."
    if what == "note":
        return str(row.get("text", ""))
    if what == "rollback":
        first, last = (*(row.get("batches") or ()), None, None)[:2]
        over = f", over batches {first:,} to {last:,}" if isinstance(first, int) and isinstance(last, int) else ""
        back = f"Went back from step {row.get('from_step', 0):,} to before step {row.get('step', 0):,}"
        return f"{back}{over}: {row.get('why', 'no reason given')}."
    if what == "finish":
        return "Finished."
    if what in ENDS:
        return _ending(row)[:1].upper() + _ending(row)[1:] + "."
    rest = ", ".join(f"{k} {_plain(v)}" for k, v in row.items() if k not in ("kind", "event", "time", "step"))
    return f"{what[:1].upper()}{what[1:]}" + (f": {rest}." if rest else ".")


def _plain(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def entries(book: Book) -> list[tuple[float, int | None, str, str]]:
    """Time, step, kind and words of every entry; checkpoints between two other entries stand in one line."""
    found: list[tuple[float, int | None, str, str]] = []
    held: list[Row] = []

    def flush() -> None:
        if len(held) == 1:
            found.append((held[0]["time"], held[0].get("step"), "checkpoint", entry(held[0])))
        elif held:
            first, last = (f"{int(r.get('step', 0)):,}" for r in (held[0], held[-1]))
            mean = sum(float(r.get("seconds", 0)) for r in held) / len(held)
            words = f"{len(held)} checkpoints, before steps {first} to {last}, {show_seconds(mean)} each."
            found.append((held[-1]["time"], held[-1].get("step"), "checkpoint", words))
        held.clear()

    for row in book.events:
        if row["event"] == "checkpoint":
            held.append(row)
            continue
        flush()
        found.append((row["time"], row.get("step"), row["event"], entry(row)))
    flush()
    return found
