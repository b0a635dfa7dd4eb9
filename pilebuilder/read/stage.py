"""The read stage: raw files become partitions of documents, one task per group of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pilebuilder import registry
from pilebuilder.recipe import Size
from pilebuilder.task import Artifact, Manifest, Phases, Task, View
from pilebuilder.yamlfile import Strict

if TYPE_CHECKING:
    from pilebuilder.recipe import Component

CODE = "read/1"
FILE_COST = 4096
"""Bytes that a file counts for on top of its size, so that a group of tiny files has a bounded number of them."""
PACKED = (".zst", ".gz", ".bz2", ".xz")
"""A file with such a name counts twice: it holds at least as much, so its group would take longer than others."""


class Config(Strict):
    """How raw files are cut into tasks and partitions. Which reader reads a component stands on its card."""

    partition_bytes: Size | None = Field(
        None, ge=1 << 20, le=1 << 30, description="text in one partition; default: by the recipe's `memory`"
    )


@registry.stage("read", version=1)
class Read:
    """Parse raw files into documents, to their proven end, without losing a record."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        config: Config = view.config("read")
        limit = config.partition_bytes or view.recipe.partition_bytes
        files = _files(view)
        plans = [Plan(c, files.get(c.name, []), limit) for c in view.components]
        surveyed = [plan for plan in plans if plan.surveyed]
        if surveyed:
            made = yield [task for plan in surveyed for task in plan.surveys()]
            settled = yield [plan.settling(_of(made, plan)) for plan in surveyed]
            for plan, manifest in zip(surveyed, settled, strict=True):
                plan.settled = {int(a.facts["group"]): a for a in manifest.of("settled")}
        yield [task for plan in plans for task in plan.reading()]


def _of(manifests: list[Manifest], plan: Plan) -> list[Artifact]:
    return [a for m in manifests if m.component == plan.component.name for a in m.of("survey")]


def _files(view: View) -> dict[str, list[dict[str, Any]]]:
    """Inventory rows by component, in the order in which they were fetched."""
    from pilebuilder.partition import read_table

    found: dict[str, list[dict[str, Any]]] = {}
    for artifact in view.artifacts("fetch", "inventory"):
        found.setdefault(artifact.facts["component"], []).extend(read_table(view.open(artifact)).to_pylist())
    return found


def settles(reader: Any) -> bool:
    """Whether a reader has things to settle between files, with the parameters that it was given."""
    return bool(reader.settles()) if hasattr(reader, "settles") else True


class Plan:
    """The tasks of one component."""

    def __init__(self, component: Component, files: list[dict[str, Any]], limit: int) -> None:
        self.component = component
        name, params = component.read
        self.reader = registry.make("reader", name, params)
        self.rows = {row["name"]: row for row in files}
        self.groups = list(groups(files, limit))
        self.surveyed = len(files) > 1 and hasattr(self.reader, "settle") and settles(self.reader)
        self.settled: dict[int, Artifact] = {}
        self._params = {"reader": name, "params": registry.resolved("reader", name, params)}
        self._limit = limit
        self._code = f"{CODE} {registry.part('reader', name).code}"

    def surveys(self) -> Iterator[Task]:
        """What others must know of each group's files; nothing where their names say enough."""
        if not hasattr(self.reader, "survey"):
            return
        for index, group in enumerate(self.groups):
            yield self._task(
                f"survey/{index:05}", "survey:survey_files", {"files": [_facts(row) for row in group]},
                [_artifact(row, "raw") for row in group],
            )  # fmt: skip

    def settling(self, surveys: list[Artifact]) -> Task:
        """The one task that knows all of the component's files."""
        names = [[row["name"] for row in group] for group in self.groups]
        return self._task("settle", "survey:settle_files", {"names": names}, surveys)

    def reading(self) -> Iterator[Task]:
        """The groups' documents."""
        tools = "".join(f" {k}={v}" for k, v in sorted(getattr(self.reader, "tools", dict)().items()))
        for index, group in enumerate(self.groups):
            beside, inputs = _beside(self.reader, group, self.rows), [_artifact(row, "raw") for row in group]
            params: dict[str, Any] = {"partition_bytes": self._limit, "files": [_facts(row) for row in group]}
            if self.surveyed:
                params["settled"] = True
            if settled := self.settled.get(index):
                beside |= settled.facts["beside"]
                inputs.append(replace(settled, facts={}))
            others = sorted({name for found in beside.values() for name in found})
            inputs += [_artifact(self.rows[name], "beside") for name in others]
            params |= {"beside": beside} if beside else {}
            yield self._task(f"{index:05}", "run:read_files", params, inputs, tools)

    def _task(self, name: str, function: str, params: dict[str, Any], inputs: list[Artifact], tools: str = "") -> Task:
        return Task(
            stage="read",
            name=f"{self.component.name}/{name}",
            function=f"pilebuilder.read.{function}",
            code=self._code + tools,
            component=self.component.name,
            params=self._params | params,
            inputs=tuple(inputs),
        )


def _artifact(row: dict[str, Any], kind: str) -> Artifact:
    """A raw file as an input; one that is read along is known to the task by its name."""
    facts = {"name": row["name"]} if kind == "beside" else {}
    return Artifact(path=row["path"], sha256=row["sha256"], bytes=row["bytes"], kind=kind, facts=facts)


def _beside(reader: Any, group: list[dict[str, Any]], rows: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Names of other raw files of the component that the reader wants along with each of a group (tables to join)."""
    if not hasattr(reader, "wants"):
        return {}
    names = list(rows)
    wanted = {row["name"]: [n for n in reader.wants(row["name"], names) if n in rows] for row in group}
    return {name: found for name, found in wanted.items() if found}


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    """What a reader may know of a raw file; its path is not among it, so moving a file re-reads nothing."""
    facts = {k: row.get(k) for k in ("name", "sha256", "bytes", "url", "licence", "date") if row.get(k) is not None}
    extra = row.get("extra")
    return facts | ({"extra": json.loads(extra) if isinstance(extra, str) else extra} if extra else {})


def groups(files: list[dict[str, Any]], limit: int) -> Iterator[list[dict[str, Any]]]:
    """Consecutive files of about half of `limit` bytes together, never more than `limit` unless one file is larger.

    Where a group ends is decided by the content: above a quarter of the limit, by a hash of the file's name weighted
    with its size. So a file that is added or removed changes its own group and perhaps the next, not all that follow.
    """
    group: list[dict[str, Any]] = []
    total = 0
    for row in files:
        size = row["bytes"] * (2 if row["name"].endswith(PACKED) else 1) + FILE_COST
        if group and total + size > limit:
            yield group
            group, total = [], 0
        group.append(row)
        total += size
        draw = int.from_bytes(hashlib.blake2b(row["name"].encode("utf-8", "surrogatepass"), digest_size=8).digest())
        if total >= limit // 4 and draw < min(1.0, 4 * size / limit) * 2**64:
            yield group
            group, total = [], 0
    if group:
        yield group
