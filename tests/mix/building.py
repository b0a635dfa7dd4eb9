"""A build in small: partitions made from texts, and the stages under test run over them through the real worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from pilebuilder.build.worker import execute
from pilebuilder.document import document_id, schema
from pilebuilder.mix import Mix
from pilebuilder.partition import PartitionWriter, write_table
from pilebuilder.shard import Shard
from pilebuilder.task import Artifact, Manifest, Task, Workspace
from pilebuilder.tokenize import Tokenize

STAGES: dict[str, Any] = {"mix": Mix, "shard": Shard, "tokenize": Tokenize}


def partition_task(task: Task, work: Workspace) -> None:
    """Write given documents as partitions: params hold component, texts, limit and signals."""
    name, texts = task.params["component"], task.params["texts"]
    rows = {
        "id": [document_id(name, str(i)) for i in range(len(texts))],
        "text": texts,
        "component": [name] * len(texts),
        "url": [f"https://example.org/{i}" if i % 2 else None for i in range(len(texts))],
        "date": [None] * len(texts),
        "licence": ["CC0-1.0"] * len(texts),
        "meta": [f'{{"n":{i}}}' for i in range(len(texts))],
        "origin_file": ["raw.jsonl"] * len(texts),
        "origin_offset": list(range(len(texts))),
    }
    table = pa.table(rows, schema=schema())
    for signal, values in task.params.get("signals", {}).items():
        table = table.append_column(f"signal.{signal}", pa.array(values))
    with PartitionWriter(work, name, task.params["limit"]) as writer:
        writer.write(table)
    count = work.tally.of(name)
    count.seen = count.kept = len(texts)


def removal_task(task: Task, work: Workspace) -> None:
    """A removal list for a partition: params hold its digest, rows and ids."""
    path = work.output("removal.parquet", "removal", partition=task.params["partition"])
    write_table(pa.table({"id": task.params["ids"], "row": pa.array(task.params["rows"], pa.int64())}), path)


def fate_task(task: Task, work: Workspace) -> None:
    """What dedup says of the removed: their number in the corpus and that of their survivor."""
    table = pa.table({k: pa.array(task.params[k], pa.int64()) for k in ("doc", "survivor")})
    with pa.OSFile(str(work.output("fate.arrow", "fate")), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)


@dataclass
class MiniBuild:
    """Implements what stages may ask of a build (`pilebuilder.task.View`)."""

    root: Path
    texts: Mapping[str, Sequence[str]]
    epochs: Mapping[str, float] = field(default_factory=dict)
    seed: int = 7
    limit: int = 4000
    memory: int = 1 << 30
    signals: Mapping[str, Mapping[str, list[Any]]] = field(default_factory=dict)
    configs: dict[str, Any] = field(default_factory=dict)
    done: dict[str, list[Manifest]] = field(default_factory=dict)
    tasks: dict[str, list[Task]] = field(default_factory=dict)
    target: str = "tokenize"

    def __post_init__(self) -> None:
        self.recipe = SimpleNamespace(seed=self.seed, memory=self.memory)
        self.components = [SimpleNamespace(name=n, epochs=self.epochs.get(n, 1.0)) for n in self.texts]
        self.configs = {name: stage.Config(**self.configs.get(name, {})) for name, stage in STAGES.items()}
        here = "tests.mix.building"
        self._run(
            "read",
            [
                Task(
                    stage="read",
                    name=name,
                    function=f"{here}:partition_task",
                    code="1",
                    params={
                        "component": name,
                        "texts": list(texts),
                        "limit": self.limit,
                        "signals": self.signals.get(name, {}),
                    },
                    component=name,
                )
                for name, texts in self.texts.items()
            ],
        )

    def remove(self, component: str, rows: Sequence[int]) -> None:
        """Put rows (counted over the whole component) on removal lists, as the dedup stage does."""
        from pilebuilder.partition import read_table

        tasks, first = [], 0
        for part in self.partitions():
            if part.facts["component"] != component:
                continue
            ids = read_table(self.root / part.path, ["id"]).column("id").to_pylist()
            here = [r - first for r in rows if first <= r < first + len(ids)]
            first += len(ids)
            params = {"partition": part.sha256, "rows": here, "ids": [ids[r] for r in here]}
            tasks.append(
                Task(
                    stage="dedup",
                    name=part.path,
                    function="tests.mix.building:removal_task",
                    code="1",
                    params=params,
                    component=component,
                )
            )
        self._run("dedup", tasks)

    def fate(self, survivor_of: Mapping[int, int]) -> None:
        """Record which document (numbered over the corpus) survived for each removed one."""
        params = {"doc": list(survivor_of), "survivor": list(survivor_of.values())}
        name = f"fate{len(self.done.get('dedup', []))}"
        self._run(
            "dedup", [Task(stage="dedup", name=name, function="tests.mix.building:fate_task", code="1", params=params)]
        )

    def run(self, *stages: str) -> MiniBuild:
        """Run stages in order."""
        for stage in stages:
            phases = STAGES[stage]().run(self)
            tasks = next(phases)
            while True:
                manifests = self._run(stage, tasks)
                try:
                    tasks = phases.send(manifests)
                except StopIteration:
                    break
        return self

    def _run(self, stage: str, tasks: list[Task]) -> list[Manifest]:
        assert len({t.name for t in tasks}) == len(tasks), "names are unique"
        manifests = [execute(t, self.root) for t in tasks]
        self.done.setdefault(stage, []).extend(manifests)
        self.tasks.setdefault(stage, []).extend(tasks)
        return manifests

    def config(self, stage: str) -> Any:
        return self.configs.get(stage)

    def artifacts(self, stage: str, kind: str) -> list[Artifact]:
        return [a for m in self.done.get(stage, []) for a in m.of(kind)]

    def manifests(self, stage: str) -> list[Manifest]:
        return self.done.get(stage, [])

    def partitions(self) -> list[Artifact]:
        return self.artifacts("read", "partition")

    def scratch(self, name: str) -> Path:
        folder = self.root / "scratch" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def public(self) -> dict[str, Path]:
        """Committed files by their public name."""
        return {
            a.facts["public"]: self.root / a.path
            for manifests in self.done.values()
            for m in manifests
            for a in m.outputs
            if "public" in a.facts
        }

    def digests(self) -> dict[str, str]:
        """Digests of the public files."""
        return {
            a.facts["public"]: a.sha256
            for manifests in self.done.values()
            for m in manifests
            for a in m.outputs
            if "public" in a.facts
        }


def ledger(build: MiniBuild, stage: str) -> list[dict[str, Any]]:
    """All ledger rows of a stage."""
    from pilebuilder.partition import read_table

    return [row for a in build.artifacts(stage, "ledger") for row in read_table(build.root / a.path).to_pylist()]
