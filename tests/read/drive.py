"""Drive a reader, alone or through the stage's task, and look at what came out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pilebuilder import registry
from pilebuilder.ledger import Tally
from pilebuilder.partition import read_table
from pilebuilder.read.base import Batch, Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.run import read_files
from pilebuilder.read.stage import Plan
from pilebuilder.task import Artifact, Task, Workspace


def raw_of(path: Path, name: str | None = None, *, length: int | None = None, **facts: Any) -> Raw:
    """A raw file as the fetch stage would describe it; `length` is the size it had when it was fetched."""
    size = path.stat().st_size if length is None else length
    return Raw(path=path, name=name or path.name, sha256="0" * 64, bytes=size, component="Test", **facts)


def items(
    reader: str, path: Path, name: str | None = None, *, facts: dict[str, Any] | None = None, **params: Any
) -> list[Item]:
    """Everything that a reader yields for one file."""
    return list(registry.make("reader", reader, params)(raw_of(path, name, **(facts or {}))))


def documents(found: list[Item]) -> list[dict[str, Any]]:
    """Records and rows of batches alike, as dictionaries with ``key`` and ``text``."""
    out: list[dict[str, Any]] = []
    for item in found:
        if isinstance(item, Record):
            out.append(
                {n: getattr(item, n) for n in ("key", "text", "offset", "url", "date", "licence", "meta", "signals")}
            )
        elif isinstance(item, Batch):
            out += [{**row, "key": row["id"], "offset": row["origin_offset"]} for row in item.table.to_pylist()]
    return out


def lost(found: list[Item]) -> Counter[str]:
    """Reasons of what was quarantined."""
    return Counter(item.reason for item in found if isinstance(item, Quarantined))


def skipped(found: list[Item]) -> Counter[str]:
    """Reasons of what was skipped."""
    total: Counter[str] = Counter()
    for item in found:
        if isinstance(item, Skipped):
            total[item.reason] += item.count
    return total


@dataclass
class Ran:
    """What a task of the read stage left behind."""

    work: Workspace
    tables: list[Any]
    ledger: list[dict[str, Any]]

    @property
    def count(self) -> Any:
        return self.work.tally["Test"]


def run_task(
    folder: Path, reader: str, files: list[tuple[str, Path]], *, partition_bytes: int = 64 << 20, **params: Any
) -> Ran:
    """Run the read task over files, check conservation, and return partitions and ledger."""
    facts, inputs = [], []
    for name, path in files:
        data = path.read_bytes() if path.stat().st_size < 1 << 26 else b""
        digest = hashlib.sha256(data).hexdigest()
        facts.append({"name": name, "sha256": digest, "bytes": path.stat().st_size})
        inputs.append(Artifact(path=str(path), sha256=digest, bytes=path.stat().st_size, kind="raw"))
    task = Task(
        stage="read", name="Test/0", function="pilebuilder.read.run:read_files", code="x", component="Test",
        params={
            "reader": reader, "params": registry.resolved("reader", reader, params), "files": facts,
            "partition_bytes": partition_bytes,
        },
        inputs=tuple(inputs),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    work = Workspace(root=folder, folder=folder, stage="read")
    read_files(task, work)
    work.tally.check("test")
    return Ran(work, [read_table(folder / name) for name in work.outputs], work.journal.table().to_pylist())


def run_component(
    folder: Path, reader: str, files: dict[str, bytes], *, limit: int = 1 << 24, **params: Any
) -> tuple[dict[str, dict[str, Any]], Counter[str], Tally]:
    """Read several files of a component as the stage plans it: documents by key, ledger reasons, counts.

    `files` is the inventory, in its order.
    """
    rows = []
    for number, (name, data) in enumerate(files.items()):
        path = folder / "raw" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        rows.append({"name": name, "path": str(path), "sha256": digest, "bytes": len(data)})
    component: Any = SimpleNamespace(name="Test", read=(reader, params))
    plan, done = Plan(component, rows, limit), 0

    def run(task: Task) -> Workspace:
        nonlocal done
        done += 1
        (out := folder / "out" / str(done)).mkdir(parents=True)
        work = Workspace(root=out, folder=out, stage="read")
        task.resolve()(task, work)
        work.tally.check(task.name)
        return work

    def made(work: Workspace, kind: str) -> list[Artifact]:
        return [
            Artifact(
                path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=0, kind=k, facts=facts
            )
            for name, (k, facts) in work.outputs.items()
            if k == kind and (path := work.folder / name)
        ]

    if plan.surveyed:
        surveys = [artifact for task in plan.surveys() for artifact in made(run(task), "survey")]
        plan.settled = {a.facts["group"]: a for a in made(run(plan.settling(surveys)), "settled")}
    documents: dict[str, dict[str, Any]] = {}
    ledger: Counter[str] = Counter()
    tally = Tally()
    for task in plan.reading():
        work = run(task)
        tally = Tally.total([tally, work.tally])
        for name in work.outputs:
            for row in read_table(work.folder / name).to_pylist():
                assert row["id"] not in documents
                documents[row["id"]] = row
        ledger.update(row["reason"] for row in work.journal.table().to_pylist())
    return documents, ledger, tally
