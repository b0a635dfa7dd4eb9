"""The mix stage: survey the survivors, settle epochs and holdout, then draw every partition into a sorted run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pilebuilder.mix import settle
from pilebuilder.mix.config import Config, Holdout
from pilebuilder.mix.weights import check_names
from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Manifest, Phases, Task, View

__all__ = ["Config", "Holdout", "Mix"]
CODE = "mix/1"
FAN = 256
"""Runs that the shard stage reads at once; more are first merged, `MERGE` at a time, so that reads stay large."""
MERGE = 64


@stage("mix", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Weights by epochs, share, temperature or budget; holdout of val and test; a seeded global order."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """Survey the partitions (where a size, share or least number needs it), then draw each into a run."""
        config: Config = view.config("mix")
        shard, partitions = view.config("shard"), view.partitions()
        check_names(config.weights, [c.name for c in view.components])
        inputs = Inputs(partitions, view)
        if config.duplicates:
            yield from inputs.count_clusters(view)
        found = []
        if params := survey_params(config, shard, view):
            found = yield inputs.tasks("draw:survey", lambda _: params)
        survey = settle.surveyed(partitions, found)
        plan = settle.settle(config, shard, view, survey)
        if config.val.wanted or config.test.wanted:
            held = yield inputs.tasks("heldout:hold", plan.thresholds)
            (gathered,) = yield [_task("heldout", "heldout:gather", [a for m in held for a in m.of("held")])]
            inputs.shared = gathered.of("heldout")
        drawn = yield inputs.tasks("draw:draw", plan.params)
        runs = [a for m in drawn for a in m.of("run")]
        level = 0
        while len(runs) > FAN:
            merged = yield [
                _task(f"merge/{level}/{i // MERGE:05}", "runs:merge", runs[i : i + MERGE])
                for i in range(0, len(runs), MERGE)
            ]
            runs, level = [a for m in merged for a in m.of("run")], level + 1
        yield [mixture_task(plan, survey, drawn)]


def survey_params(config: Config, shard: Any, view: View) -> dict[str, Any] | None:
    """What the survey must measure; None when nothing needs it."""
    least = max(config.val.least, config.test.least)
    sizes = config.val.size is not None or config.test.size is not None
    text = sizes or config.weighed or getattr(shard, "size", None) is not None
    if not text and not least:
        return None
    params: dict[str, Any] = {"seed": view.recipe.seed, "least": least, "text": text}
    if config.duplicates:
        params["duplicates"] = {str(size): factor for size, factor in sorted(config.duplicates.items())}
    if config.tokens is not None:
        params["tokenizer"] = _tokenizer(view)
    return params


def _tokenizer(view: View) -> dict[str, Any]:
    """The recipe's tokenizer, as the sampling task needs it; GPT-2 where the recipe does not tokenize."""
    from pilebuilder.models.vocabulary import load

    chosen = view.config("tokenize")
    spec = {name: getattr(chosen, name, None) for name in ("eod", "pattern", "vocab_size")}
    name = getattr(chosen, "tokenizer", "gpt2")
    found = load(name, eod=spec["eod"], pattern=spec["pattern"], size=spec["vocab_size"])
    return {"name": name, **spec, "digest": found.digest}


class Inputs:
    """What the tasks over partitions read: the partition, its removal list, its clusters, and what all share."""

    def __init__(self, partitions: list[Artifact], view: View) -> None:
        self.partitions = partitions
        self.removals = {a.facts["partition"]: a for a in view.artifacts("dedup", "removal")}
        self.clusters: list[tuple[Artifact, int]] = []
        self.shared: list[Artifact] = []

    def count_clusters(self, view: View) -> Phases:
        """Phase: cluster sizes of every document, from what dedup removed."""
        from pilebuilder.mix import duplicates

        planned, places = duplicates.tasks(self.partitions, view.artifacts("dedup", "fate"), CODE)
        counted = yield planned
        files = [m.of("clusters")[0] for m in counted]
        self.clusters = [(files[number], start) for number, start in places]

    def tasks(self, function: str, params: Callable[[str], dict[str, Any]]) -> list[Task]:
        """One task for each partition."""
        return list(self._tasks(function, params))

    def _tasks(self, function: str, params: Callable[[str], dict[str, Any]]) -> Iterator[Task]:
        ordinal = Counter[str]()
        for i, partition in enumerate(self.partitions):
            component, removal = partition.facts["component"], self.removals.get(partition.sha256)
            given = params(component)
            inputs = [partition, *([removal] if removal else ()), *self.shared]
            if self.clusters and "duplicates" in given:
                artifact, start = self.clusters[i]
                inputs.append(artifact)
                given = {**given, "clusters_at": start}
            name = f"{function.partition(':')[2]}/{component}/{ordinal[component]:05}"
            yield _task(name, function, inputs, given, component)
            ordinal[component] += 1


def _task(
    name: str, function: str, inputs: list[Artifact], params: dict[str, Any] | None = None, component: str = ""
) -> Task:
    return Task(
        stage="mix",
        name=name,
        function=f"pilebuilder.mix.{function}",
        code=CODE,
        params=params or {},
        inputs=tuple(inputs),
        component=component,
    )


def mixture_task(plan: settle.Plan, survey: settle.Survey, drawn: list[Manifest]) -> Task:
    """The last task: write the realised mixture beside the requested one."""
    realised: dict[str, dict[str, Any]] = {}
    for manifest in drawn:
        into = realised.setdefault(manifest.component, {})
        for split, counts in manifest.facts["splits"].items():
            held = into.setdefault(split, dict.fromkeys(counts, 0))
            for key, value in counts.items():
                held[key] += value
    params = {
        "epochs": plan.epochs,
        "requested": plan.requested,
        "realised": realised,
        "shards": plan.shards,
        "seed": plan.seed,
        "tokens_per_byte": survey.tokens_per_byte,
    }
    return _task("mixture", "draw:mixture", [], params)
