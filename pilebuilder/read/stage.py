"""The read stage: raw files become partitions of documents, one task per group of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pilebuilder import registry
from pilebuilder.recipe import Size, Strict
from pilebuilder.task import Artifact, Phases, Task, View

if TYPE_CHECKING:
    from pilebuilder.recipe import Component

CODE = "read/1"
FILE_COST = 4096
"""Bytes that a file counts for on top of its size, so that a group of tiny files has a bounded number of them."""


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
        yield [task for c in view.components for task in _tasks(c, files.get(c.name, []), limit)]


def _files(view: View) -> dict[str, list[dict[str, Any]]]:
    """Inventory rows by component, in the order in which they were fetched."""
    from pilebuilder.partition import read_table

    found: dict[str, list[dict[str, Any]]] = {}
    for artifact in view.artifacts("fetch", "inventory"):
        found.setdefault(artifact.facts["component"], []).extend(read_table(view.open(artifact)).to_pylist())
    return found


def _tasks(component: Component, files: list[dict[str, Any]], limit: int) -> Iterator[Task]:
    name, params = component.read
    common = {"reader": name, "params": registry.resolved("reader", name, params), "partition_bytes": limit}
    reader = registry.make("reader", name, params)
    tools = "".join(f" {tool}={version}" for tool, version in sorted(getattr(reader, "tools", dict)().items()))
    rows = {row["name"]: row for row in files}
    for index, group in enumerate(groups(files, limit)):
        beside = _beside(reader, group, rows)
        inputs = [_artifact(row, "raw") for row in group]
        inputs += [
            _artifact(rows[other], "beside") for other in sorted({n for found in beside.values() for n in found})
        ]
        yield Task(
            stage="read",
            name=f"{component.name}/{index:05}",
            function="pilebuilder.read.run:read_files",
            code=f"{CODE} {registry.part('reader', name).code}{tools}",
            component=component.name,
            params={**common, "files": [_facts(row) for row in group], **({"beside": beside} if beside else {})},
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
        size = row["bytes"] + FILE_COST
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
