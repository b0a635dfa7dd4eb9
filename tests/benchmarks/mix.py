"""Mix and shard at size: ``python -m tests.benchmarks.mix [MB]`` (1,000 by default), in one process, on one core.

Real text is written as partitions first (not timed). Then one fresh process surveys, holds out, draws, orders and
writes all shards under a 1 GiB budget, and says what it took: CPU seconds, and the largest resident set it ever had.
The plan for 10 GB follows by arithmetic from the same functions that plan the build. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pilebuilder.mix import settle
from pilebuilder.task import Manifest, Task, Workspace

MEMORY = 1 << 30


class Folder(Workspace):
    """A folder of another workspace (its `root`), so that every component numbers its own partitions."""

    def output(self, name: str, kind: str, **facts: Any) -> Path:
        return self.root.output(f"{self.folder.name}/{name}", kind, **facts)  # type: ignore[attr-defined, no-any-return]


def write_partitions(task: Task, work: Workspace) -> None:
    """Task: real text as partitions, one component for each kind of text, in the order in which it comes."""
    import pyarrow as pa

    from pilebuilder.document import document_id, schema
    from pilebuilder.partition import PartitionWriter
    from tests.benchmarks.texts import documents

    writers: dict[str, PartitionWriter] = {}
    held: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}

    def flush(name: str) -> None:
        texts = held.pop(name, [])
        n = len(texts)
        first = numbers.get(name, 0)
        numbers[name] = first + n
        columns = {
            "id": [document_id(name, str(first + i)) for i in range(n)],
            "text": texts,
            "component": [name] * n,
            "url": [None] * n,
            "date": [None] * n,
            "licence": [None] * n,
            "meta": ["{}"] * n,
            "origin_file": ["x"] * n,
            "origin_offset": list(range(first, first + n)),
        }
        if name not in writers:
            writers[name] = PartitionWriter(Folder(root=work, folder=work.folder / name, stage="read"), name)
        writers[name].write(pa.table(columns, schema=schema()))

    for component, text in documents(task.params["bytes"], longest=20_000):
        name = component.split("-")[0]
        held.setdefault(name, []).append(text)
        if len(held[name]) == 2000:
            flush(name)
    for name in sorted(held):
        flush(name)
    for name in sorted(writers):
        writers[name].flush()


class View:
    """What the stages may know: the partitions, and a budget of 1 GiB."""

    def __init__(self, root: Path, read: Manifest, configs: dict[str, Any]) -> None:
        from tests.mix.building import STAGES

        self.root, self.done = root, {"read": [read]}
        self.recipe = SimpleNamespace(seed=1, memory=MEMORY)
        names = sorted({a.facts["component"] for a in read.of("partition")})
        self.components = [SimpleNamespace(name=n, epochs=2.0 if n == "prose" else 1.0) for n in names]
        self.configs = {name: stage.Config(**configs.get(name, {})) for name, stage in STAGES.items()}

    def config(self, stage: str) -> Any:
        return self.configs[stage]

    def manifests(self, stage: str) -> list[Manifest]:
        return self.done.get(stage, [])

    def artifacts(self, stage: str, kind: str) -> list[Any]:
        return [a for m in self.manifests(stage) for a in m.of(kind)]

    def partitions(self) -> list[Any]:
        return self.artifacts("read", "partition")


def run(root: Path) -> None:
    """In the measured process: both stages; prints figures."""
    from pilebuilder.build.worker import execute
    from tests.mix.building import STAGES

    read = pickle.loads((root / "read.pickle").read_bytes())
    view = View(root, read, {"shard": {"count": 30}, "mix": {"val": "0.5%", "test": "0.5%"}})
    figures: dict[str, Any] = {}
    for stage in ("mix", "shard"):
        before = os.times()
        phases = STAGES[stage]().run(view)
        manifests: Any = None
        view.done[stage] = []
        while True:
            try:
                tasks = phases.send(manifests)
            except StopIteration:
                break
            manifests = [execute(t, root) for t in tasks]
            view.done[stage] += manifests
        after = os.times()
        figures[f"{stage}_cpu_seconds"] = sum(after[:2]) - sum(before[:2])
        figures[f"{stage}_peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shards = view.artifacts("shard", "shard")
    figures["documents"] = sum(a.facts["documents"] for a in shards)
    figures["placed_mb"] = sum(a.facts["text_bytes"] for a in shards) / 1e6
    print(json.dumps(figures))


def plan(total: float) -> dict[str, Any]:
    """Slices of a corpus of this many bytes in 30 shards, and the memory of one of them."""
    per_shard = settle._power_of_two(total / 30 / settle.SLICE_BYTES)
    slice_mib = total / 30 / per_shard / (1 << 20)
    partitions = -(-int(total) // (64 << 20))
    return {"slices_per_shard": per_shard, "slice_mib": slice_mib, "runs": partitions}


def main() -> None:
    """Write partitions, measure a fresh process over them, print."""
    if len(sys.argv) > 2:
        run(Path(sys.argv[2]))
        return
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        from pilebuilder.build.worker import execute

        task = Task(
            stage="read", name="texts", function="tests.benchmarks.mix:write_partitions", code="1",
            params={"bytes": size * 1_000_000},
        )  # fmt: skip
        read = execute(task, root)
        (root / "read.pickle").write_bytes(pickle.dumps(read))
        command = [sys.executable, "-m", "tests.benchmarks.mix", str(size), str(root)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
    figures["text_mb"] = sum(a.facts["text_bytes"] for a in read.of("partition")) / 1e6
    for stage in ("mix", "shard"):
        figures[f"{stage}_mb_s"] = figures["placed_mb"] / figures[f"{stage}_cpu_seconds"]
    for target in (1e9, 1e10, 1e12):
        figures[f"plan_{target / 1e9:.0f}_gb"] = plan(target)
    for key, value in figures.items():
        print(f"{key:28} {value:12,.1f}" if isinstance(value, float) else f"{key:28} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
