"""Drive a reader, alone or through the stage's task, and look at what came out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilebuilder import registry
from pilebuilder.partition import read_table
from pilebuilder.read.base import Batch, Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.run import read_files
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
