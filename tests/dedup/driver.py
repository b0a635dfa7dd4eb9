"""Runs the dedup stage alone over partitions made from documents in memory, through the real store and worker."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from pilebuilder.build.worker import execute
from pilebuilder.dedup.config import Config
from pilebuilder.dedup.stage import Dedup
from pilebuilder.document import document_id, schema
from pilebuilder.ledger import Tally
from pilebuilder.partition import pieces, read_table, write_table
from pilebuilder.task import Artifact, Manifest, Task, Workspace


@dataclass(slots=True)
class Doc:
    """A document of a test corpus."""

    text: str
    component: str = "A"
    url: str | None = None
    date: str | None = None
    key: str = ""
    id: str = ""
    signals: dict[str, float] = field(default_factory=dict)


def table_of(docs: Sequence[Doc], offset: int = 0) -> pa.Table:
    """Documents as the read stage leaves them."""
    rows = [
        {
            "id": d.id or document_id(d.component, d.key or str(offset + i)),
            "text": d.text,
            "component": d.component,
            "url": d.url,
            "date": d.date,
            "origin_file": "docs.jsonl",
            "origin_offset": offset + i,
        }
        for i, d in enumerate(docs)
    ]
    table = pa.Table.from_pylist(rows, schema())
    for name in sorted({n for d in docs for n in d.signals}):
        table = table.append_column(f"signal.{name}", pa.array([d.signals.get(name) for d in docs], pa.float64()))
    return table


def write_partitions(task: Task, work: Workspace) -> None:
    """Task: documents handed over in memory become partitions, as the fused pass leaves them."""
    for component, table in HANDED[task.params["handed"]]:
        for piece, size in pieces(table, task.params["limit"]):
            facts = {"component": component, "documents": piece.num_rows, "text_bytes": size}
            path = work.output(f"{len(work.outputs):05}.parquet", "partition", **facts)
            write_table(piece.combine_chunks(), path, reread=True)
        work.tally.of(component).seen = work.tally.of(component).kept = 0


HANDED: dict[str, list[tuple[str, pa.Table]]] = {}


class Stage:
    """A `pilebuilder.task.View` over committed partitions; runs the stage in this process."""

    target = "dedup"

    def __init__(self, root: Path, config: Config, partitions: list[Artifact], memory: int = 1 << 30) -> None:
        self.root, self._config, self._partitions = root, config, partitions
        self.recipe = SimpleNamespace(memory=memory, seed=0, path=None)
        self.sketches: list[Artifact] = []
        self.done: list[Manifest] = []
        self.tasks: list[Task] = []

    def config(self, stage: str) -> Any:
        return self._config

    def artifacts(self, stage: str, kind: str) -> list[Artifact]:
        return self.sketches if (stage, kind) == ("filter", "sketch") else []

    def partitions(self) -> list[Artifact]:
        return self._partitions

    def run(self, shuffle: int | None = None, perform: Callable[..., Iterable[Any]] = execute) -> Stage:
        phases = Dedup().run(self)  # type: ignore[arg-type]
        manifests: list[Manifest] | None = None
        while True:
            try:
                tasks = phases.send(manifests)  # type: ignore[arg-type]
            except StopIteration:
                return self
            self.tasks += tasks
            order = list(range(len(tasks)))
            if shuffle is not None:
                random.Random(shuffle).shuffle(order)
            found = {i: perform(tasks[i], self.root) for i in order}
            manifests = [found[i] for i in range(len(tasks))]  # type: ignore[misc]
            self.done += manifests

    @property
    def tally(self) -> Tally:
        return Tally.total([m.tally for m in self.done])

    def of(self, kind: str) -> list[Artifact]:
        return [a for m in self.done for a in m.of(kind)]

    def table(self, kind: str) -> list[dict[str, Any]]:
        return [row for a in self.of(kind) for row in read_table(self.root / a.path).to_pylist()]

    @property
    def removed(self) -> dict[str, dict[str, Any]]:
        """Rows of the removal lists by document id."""
        return {row["id"]: row for row in self.table("removal")}

    def digests(self, *kinds: str) -> list[tuple[str, str]]:
        kinds = kinds or ("removal", "clusters", "ledger")
        return [(a.kind, a.sha256) for m in self.done for a in m.outputs if a.kind in kinds]


def partitions_of(root: Path, docs: Sequence[Doc], limit: int = 1 << 20) -> list[Artifact]:
    """Commit documents as partitions, by component in order of first appearance."""
    names = list(dict.fromkeys(d.component for d in docs))
    handed = str(len(HANDED))
    HANDED[handed] = [(n, table_of([d for d in docs if d.component == n])) for n in names]
    content = [[d.id, d.component, d.text, d.url, d.date, d.key, sorted(d.signals.items())] for d in docs]
    task = Task(
        stage="read",
        name="given",
        function="tests.dedup.driver:write_partitions",
        code="1",
        params={"handed": handed, "limit": limit, "content": content},
    )
    return execute(task, root).of("partition")


def dedup(root: Path, docs: Sequence[Doc], *, memory: int = 1 << 30, limit: int = 1 << 20, **config: Any) -> Stage:
    """Run the stage over these documents."""
    return Stage(root, Config(**config), partitions_of(root, docs, limit), memory).run()


def ids(docs: Sequence[Doc]) -> list[str]:
    """Document ids in the order of `docs`, as `table_of` gives them when each component stands alone."""
    seen: dict[str, int] = {}
    out = []
    for d in docs:
        n = seen.get(d.component, 0)
        seen[d.component] = n + 1
        out.append(d.id or document_id(d.component, d.key or str(n)))
    return out
