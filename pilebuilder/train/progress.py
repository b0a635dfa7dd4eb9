"""Progress of a run: a live line in a terminal, one JSON record per line in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Watch = Callable[[Mapping[str, Any]], None]


@contextmanager
def shown(steps: int, *, as_json: bool = False) -> Iterator[Watch]:
    """A function that shows each record of the logbook as it is written; `steps` of the whole run."""
    if as_json or not sys.stderr.isatty():
        yield lambda record: print(json.dumps(record, ensure_ascii=True), flush=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
        task = bar.add_task("", total=steps)

        def watch(record: Mapping[str, Any]) -> None:
            if record["kind"] == "step":
                bar.update(task, completed=record["step"] + 1, description=step_line(record))
            elif line := event_line(record):
                bar.console.print(line)

        yield watch


def step_line(row: Mapping[str, Any]) -> str:
    """One step in words: loss, learning rate, gradient norm, speed."""
    loss = "not finite" if row["loss"] is None else f"{row['loss']:.4f}"
    norm = "not finite" if row["gradient_norm"] is None else f"{row['gradient_norm']:.2f}"
    parts = [f"loss {loss}", f"lr {row['lr']:.1e}", f"norm {norm}", f"{row['tokens_per_second']:,.0f} tokens/s"]
    if "mfu" in row:
        parts.append(f"mfu {row['mfu']:.1%}")
    return "  ".join([*parts, *(["skipped"] if row["skipped"] else [])])


def event_line(row: Mapping[str, Any]) -> str:
    """One event in words; empty for those that a person at a terminal need not see."""
    what, step = row["event"], row.get("step", "")
    if what in ("start", "resume"):
        again = f" at step {step}" if what == "resume" else ""
        line = f"{what}{again}: {row['parameters']:,} parameters on {row['device']}, attention {row['attention']}"
        documents = f", within documents by {row['documents']}" if "documents" in row else ""
        refused = "; ".join(f"{name}: {why}" for name, why in row.get("refused_kernels", {}).items())
        return line + documents + (f" (not taken: {refused})" if refused else "")
    if what == "evaluate":
        overall = row["scores"][-1]
        return f"step {step}: {overall['bits_per_byte']:.4f} bits per byte on {row['split']}"
    if what == "checkpoint":
        return ""
    return f"{what} at step {step}" + (f": {row['why']}" if "why" in row else "")
