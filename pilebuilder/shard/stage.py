"""The shard stage: one task per output file, keyed by exactly the bytes of the runs that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, field_validator

from pilebuilder.recipe import Size
from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Phases, Task, View
from pilebuilder.yamlfile import Strict

FIELDS = ("url", "date", "licence", "meta", "origin_file", "origin_offset", "copy")
"""Columns that may stand in ``meta`` beside ``signal.*``; component (as pile_set_name) and id always do, first."""
CODE = "shard/1"


class Config(Strict):
    """Number, layout and compression of the output files."""

    count: int = Field(30, ge=1, le=100_000, description="training shards; the Pile has 30")
    size: Size | None = Field(
        None, ge=1 << 10, description="bytes of text in a training shard, in place of `count`; the number follows"
    )
    level: int = Field(3, ge=1, le=19, description="zstd level; 3 writes fast, 19 is smallest")
    frame: Size = Field(
        4 << 20, ge=1 << 10, le=256 << 20, description="bytes of JSON lines in one frame, the unit of random access"
    )
    parquet: bool = Field(False, description="also write each shard as Parquet, with columns text and meta")
    meta: list[str] = Field(
        ["url", "date", "licence"],
        description="fields of `meta` after pile_set_name and id: " + ", ".join(FIELDS) + ", or signal.NAME",
    )

    @field_validator("meta")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        keys = [n.removeprefix("signal.") for n in names]
        for name in names:
            if name in ("id", "pile_set_name", "component"):
                raise ValueError(f"{name} always stands in meta (component as pile_set_name); remove it here")
            if name not in FIELDS and not name.startswith("signal."):
                raise ValueError(f"meta cannot hold {name!r}; it takes {', '.join(FIELDS)} or signal.NAME")
        if len(set(keys)) != len(keys):
            raise ValueError("a field stands twice in meta")
        return names


@stage("shard", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Output files in the Pile's layout: train/00.jsonl.zst ..., val.jsonl.zst, test.jsonl.zst."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """One task for each shard that has documents."""
        config = view.config("shard")
        runs = final_runs(view)
        params = {"level": config.level, "frame": config.frame, "meta": config.meta, "parquet": config.parquet}
        yield [shard_task(name, list(slices(runs, name)), params) for name in shard_names(runs)]


def final_runs(view: View) -> list[Artifact]:
    """The runs of the mix's last phase that wrote any: the merged ones, where there were too many to read at once."""
    written = [m for m in view.manifests("mix") if m.of("run")]
    last = written[-1].name.rpartition("/")[0] if written and written[-1].name.startswith("merge/") else ""
    return [a for m in written if m.name.startswith(last) for a in m.of("run")]


def shard_names(runs: list[Artifact]) -> list[str]:
    """Names of the shards that have documents: train in order, then val and test."""
    found = {name for run in runs for name in run.facts["groups"]}
    train = sorted((n for n in found if n.startswith("train/")), key=lambda n: (len(n), n))
    return [*train, *(n for n in ("val", "test") if n in found)]


def slices(runs: list[Artifact], name: str) -> Iterator[Artifact]:
    """The part of each run that belongs to a shard, as an input of its own: its digest covers those bytes only."""
    for run in runs:
        group = run.facts["groups"].get(name)
        if group:
            yield Artifact(
                path=run.path, sha256=group["sha256"], bytes=group["length"], kind="slice", facts={"shard": name}
            )


def shard_task(name: str, inputs: list[Artifact], params: dict[str, object]) -> Task:
    return Task(
        stage="shard",
        name=name,
        function="pilebuilder.shard.write:write_shard",
        code=CODE,
        params={**params, "shard": name},
        inputs=tuple(inputs),
    )
