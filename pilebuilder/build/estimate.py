"""``plan --sample``: builds a little of every component and says from it what the whole will give, take and cost.

Everything is scaled by raw bytes, component by component: what the upstream's listing says there is, over what the
sample fetched. Two things do not grow like that, and the estimate errs on the safe side of both: start-up is counted
as if it grew (too long), and duplicates of documents outside the sample are not found (too many kept).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from pilebuilder.build.progress import Sink
from pilebuilder.build.run import Build
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import Count, Tally
from pilebuilder.recipe import Component, Recipe
from pilebuilder.units import Take

LAST = "tokenize"
"""The report is left out: what it measures on samples of its own does not grow with the corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one component will give."""

    component: str
    fetched: int
    """Bytes to fetch."""
    sampled: int
    """Bytes of them that the sample fetched."""
    documents: int
    """Documents to be read."""
    placed: int
    """Documents in the shards, copies for epochs included."""
    text_bytes: int
    """Bytes of their text."""
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one stage will take."""

    stage: str
    seconds: float
    """By the clock, with as many workers as the sample had."""
    disk_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a build of the whole recipe will give, take and cost."""

    components: list[Expected]
    stages: list[Cost]


def estimate(
    recipe: Recipe, sizes: Mapping[str, int], sample: Take, out: Path, *, workers: int, sink: Sink | None = None
) -> Estimate:
    """Build `sample` of each component up to tokens beside `out`, remove it again, and scale it.

    `sizes` are the bytes that each component would fetch. Raises `PilebuilderError` for a component of unknown size,
    or of which the sample holds nothing, and whatever the build of the sample raises.
    """
    if unknown := [c.name for c in recipe.components if not sizes.get(c.name)]:
        raise PilebuilderError(
            f"the listing of {unknown[0]} states no sizes; state how much of it to take (`take: 2 GB`)"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{out.name}-sample-", dir=out.parent) as folder:
        small = replace(recipe, components=tuple(_sampled(c, sizes[c.name], sample) for c in recipe.components))
        build = Build(small, Path(folder), target=LAST, workers=workers, sink=sink)
        tallies = build.run()
        tokens = _tokens(build)
        fetched = {c.name: tallies["fetch"].get(c.name, Count()).bytes_out for c in recipe.components}
        if empty := [name for name, size in fetched.items() if not size]:
            raise PilebuilderError(f"the sample holds nothing of {empty[0]}; take a larger one")
        growth = {name: max(1.0, sizes[name] / size) for name, size in fetched.items()}
        components = [
            _expected(c.name, growth[c.name], fetched[c.name], tallies, tokens[c.name]) for c in recipe.components
        ]
        return Estimate(components=components, stages=_costs(build, tallies, growth))


def _sampled(component: Component, size: int, sample: Take) -> Component:
    """The component with less to take; one that is smaller than the sample is taken as the recipe says."""
    whole = sample.unit == "bytes" and size <= sample.amount
    return component if whole else replace(component, take=sample)


def _expected(name: str, growth: float, fetched: int, tallies: Mapping[str, Tally], tokens: int) -> Expected:
    read, placed = tallies["read"].get(name, Count()), tallies["shard"].get(name, Count())
    return Expected(
        component=name,
        fetched=round(fetched * growth),
        sampled=fetched,
        documents=round(read.seen * growth),
        placed=round(placed.kept * growth),
        text_bytes=round(placed.bytes_out * growth),
        tokens=round(tokens * growth),
    )


def _costs(build: Build, tallies: Mapping[str, Tally], growth: Mapping[str, float]) -> list[Cost]:
    """Seconds and bytes by stage. Each grows like the text that the stage meets, whichever component it is of."""
    found = []
    for stage in build.stages:
        met = {name: count.bytes_in or count.bytes_out for name, count in tallies[stage].items() if name in growth}
        met = met if any(met.values()) else {name: count.bytes_out for name, count in tallies["read"].items()}
        total = sum(met.values())
        factor = sum(size * growth[name] for name, size in met.items()) / total if total else 1.0
        disk = sum(a.bytes for m in build.manifests(stage) for a in m.outputs)
        found.append(Cost(stage=stage, seconds=build.seconds(stage) * factor, disk_bytes=round(disk * factor)))
    return found


def _tokens(build: Build) -> Counter[str]:
    """Tokens by component, from the manifests of the token files."""
    found: Counter[str] = Counter()
    for artifact in build.artifacts(LAST, "tokens"):
        if artifact.path.endswith(".json"):
            for row in orjson.loads(build.open(artifact).read_bytes())["components"]:
                found[row["name"]] += row["tokens"]
    return found
