"""A made corpus for the report's tests: a few partitions with known content, and the facts around them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pilebuilder.document import schema
from pilebuilder.ledger import Count, Tally
from pilebuilder.partition import write_table
from pilebuilder.report import chains, plan, stage
from pilebuilder.task import Artifact, Task, Workspace, digest_file

PILE = {
    "Pile-CC": (227.12, 18.11, 1.0, 227.12, 4.33, 54_953_117),
    "PubMed Central": (90.27, 14.40, 2.0, 180.55, 30.55, 3_098_931),
    "Github": (95.16, 7.59, 1.0, 95.16, 5.25, 19_021_454),
    "DM Mathematics": (7.75, 1.24, 2.0, 15.49, 8.00, 1_014_997),
    "Enron Emails": (0.88, 0.14, 2.0, 1.76, 1.78, 517_401),
}
CONFIG = stage.Config().model_dump(mode="json")
HOSTILE = "<script>alert(1)</script> \u202egnp.exe =1+1"


def card(name: str, **more: Any) -> dict[str, Any]:
    """A card as `model_dump` gives it."""
    pile = None
    if name in PILE:
        keys = ("raw_gib", "weight_percent", "epochs", "effective_gib", "mean_kib", "documents")
        pile = dict(zip(keys, PILE[name], strict=True)) | {"bytes": int(PILE[name][0] * 2**30)}
    return {
        "name": name,
        "title": "",
        "description": "",
        "homepage": None,
        "licence": {"spdx": "CC0-1.0", "text": None, "evidence": None},
        "access": "open",
        "consent": {"public": True, "terms": True, "author": None},
        "citation": None,
        "languages": ["en"],
        "pile": pile,
        "personal_data": None,
        **more,
    }


def count(seen: int, dropped: Mapping[str, int] | None = None, merged: int = 0, size: int = 0, **more: Any) -> Count:
    """A count whose law holds."""
    made = Count(seen=seen, merged=merged, bytes_in=size, bytes_out=size)
    made.dropped.update(dropped or {})
    made.quarantined.update(more.get("quarantined", {}))
    made.edited.update(more.get("edited", {}))
    made.kept = seen - merged - made.dropped.total() - made.quarantined.total()
    return made


def table(component: str, texts: list[str], languages: list[str] | None = None, scores: Any = None) -> pa.Table:
    """Documents of one component."""
    n = len(texts)
    columns = {
        "id": pa.array([f"{i:032x}" for i in range(n)]),
        "text": pa.array(texts, pa.large_string()),
        "component": pa.array([component] * n),
        "url": pa.nulls(n, pa.string()),
        "date": pa.array(["2020-01-02"] * n),
        "licence": pa.nulls(n, pa.string()),
        "meta": pa.array(["{}"] * n),
        "origin_file": pa.array(["a.txt"] * n),
        "origin_offset": pa.array(range(n), pa.int64()),
    }
    made = pa.table([columns[f.name].cast(f.type) for f in schema()], schema=schema())
    if languages:
        made = made.append_column("signal.lang", pa.array(languages))
        made = made.append_column(
            "signal.lang_score", pa.array(np.full(n, 0.9, np.float32) if scores is None else scores)
        )
    return made


def artifact(path: Path, kind: str, root: Path, **facts: Any) -> Artifact:
    """A file as a committed output."""
    digest, size = digest_file(path)
    return Artifact(path=path.relative_to(root).as_posix(), sha256=digest, bytes=size, kind=kind, facts=facts)


def scan(inputs: list[Artifact], share: float = 1.0) -> Task:
    """The full pass over these partitions and removal lists."""
    names = {a.facts["component"] for a in inputs if a.kind == "partition"}
    shares = {name: {"sample": share, "repeats": share} for name in sorted(names)}
    return plan.task("scan", "measure:scan", inputs, seed=1, shares=shares)


class Bench:
    """Runs the report's tasks in a folder without a build."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = 0

    def partition(self, content: pa.Table, component: str) -> Artifact:
        path = self.root / f"partition-{self.runs}.parquet"
        self.runs += 1
        write_table(content, path)
        return artifact(path, "partition", self.root, component=component, documents=content.num_rows)

    def json(self, value: Any, kind: str) -> Artifact:
        path = self.root / f"{kind}-{self.runs}.json"
        self.runs += 1
        path.write_text(json.dumps(value))
        return artifact(path, kind, self.root)

    def run(self, task: Task) -> dict[str, Artifact]:
        """Outputs of a task by name."""
        folder = self.root / f"run-{self.runs}"
        self.runs += 1
        folder.mkdir()
        work = Workspace(root=self.root, folder=folder, stage=task.stage)
        task.resolve()(task, work)
        return {
            name: artifact(folder / name, kind, self.root, **facts) for name, (kind, facts) in work.outputs.items()
        }

    def profile(self, content: pa.Table, component: str) -> Artifact:
        made = self.run(scan([self.partition(content, component)]))
        return made["000-profile.parquet"]

    def pages(self, facts: dict[str, Any], inputs: list[Artifact]) -> dict[str, Path]:
        """All files of the report by public name."""
        task = Task(
            stage="report",
            name="pages",
            function="pilebuilder.report.render:write",
            code=chains.CODE,
            params={"facts": facts, "config": CONFIG, "answers": {}, "shares": {}},
            inputs=tuple(inputs),
        )
        return {a.facts["public"]: self.root / a.path for a in self.run(task).values()}


def facts(stages: Mapping[str, Mapping[str, Count]], names: list[str], **more: Any) -> dict[str, Any]:
    """The planner's facts."""
    return {
        "corpus": {
            "name": "made",
            "title": "A made corpus",
            "description": "",
            "version": "1.0",
            "maintainer": "",
            "seed": 7,
            "recipe": "0" * 64,
            "tool": "0.0.0",
        },
        "sources": [{"name": n, "slug": f"s{i}", "epochs": 1.0, "card": card(n)} for i, n in enumerate(names)],
        "stages": {name: Tally(parts).to_json() for name, parts in stages.items()},
        "shards": [],
        "off": [],
        "settings": {},
        **more,
    }
