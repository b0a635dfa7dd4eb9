"""The mix stage: survey the survivors, settle epochs and holdout, then draw every partition into a sorted run."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from pilebuilder.errors import RecipeError
from pilebuilder.mix import weights as weighing
from pilebuilder.mix.weights import By, Policy
from pilebuilder.recipe import Size, Strict
from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Manifest, Phases, Task, View
from pilebuilder.units import parse_size

SPLITS = ("train", "val", "test")
SLICE_BYTES = 64 << 20
"""Text in one slice of a shard, the unit that the shard stage sorts in memory; less under a small memory budget."""
CODE = "mix/1"


class Holdout(Strict):
    """How much to hold out, as ``0.5%``, ``20 MB`` or ``{share: 0.005, least: 10}``."""

    share: float | None = Field(None, ge=0, le=0.5, description="share of the documents of every component")
    size: Size | None = Field(None, ge=0, description="bytes of text, spread evenly over the components")
    least: int = Field(
        0, ge=0, le=1000, description="documents of each component at least; never more than a quarter of it"
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        text = str(value).strip()
        if text.endswith("%"):
            return {"share": float(text[:-1]) / 100}
        if isinstance(value, float) or text in ("0", "0.0"):
            return {"share": float(value)}
        return {"size": parse_size(text)}

    @property
    def wanted(self) -> bool:
        """Whether anything is to be held out."""
        return bool(self.share or self.size or self.least)

    @model_validator(mode="after")
    def _one(self) -> Holdout:
        if self.share is not None and self.size is not None:
            raise ValueError("give a share or a size, not both")
        return self


def _share(value: Any) -> Any:
    """A weight as a number or as ``12.5%``."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


Weight = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1e6)]


class Config(Strict):
    """Weights, holdout and order of the corpus."""

    by: By = Field(
        "epochs",
        description="what `weights` are: epochs of each component, target shares of the text, or temperature"
        " (shares in proportion to size^(1/temperature))",
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict,
        description="epochs or shares by component; a component without one keeps its card's epochs",
    )
    temperature: float = Field(1.0, ge=1, le=100, description="1 keeps natural shares, larger values even them out")
    budget: Size | None = Field(None, ge=1, description="bytes of training text in all; scales every component alike")
    max_epochs: float = Field(4.0, gt=0, le=1000, description="most repetitions that shares or a budget may cause")
    policy: Policy = Field("refuse", description="a weight that cannot be met stops the build, or is capped")
    val: Holdout = Field(Holdout(share=0.005), description="validation split")
    test: Holdout = Field(Holdout(share=0.005), description="test split")
    near_heldout: float | None = Field(
        0.7,
        ge=0.3,
        le=1,
        description="training documents this similar to a held-out one leave (Jaccard of word 5-grams, estimated);"
        " null: only those with equal text",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if self.by == "share" and not self.weights:
            raise ValueError("by: share needs `weights`, the target share of each component")
        if self.by == "temperature" and self.weights:
            raise ValueError("by: temperature computes the shares; remove `weights`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is left of the components when the mix begins: sums over their partitions."""

    documents: dict[str, int]
    bytes: dict[str, int]
    largest: int
    low: dict[str, list[int]]
    high: dict[str, list[int]]
    """Smallest and largest holdout draws of each component, for the least number of documents."""

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


@stage("mix", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Weights by epochs, share, temperature or budget; holdout of val and test; a seeded global order."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """Survey the partitions (where a size, share or least number needs it), then draw each into a run."""
        config, partitions = view.config("mix"), view.partitions()
        removals = {a.facts["partition"]: a for a in view.artifacts("dedup", "removal")}
        weighing.check_names(config.weights, [c.name for c in view.components])
        shard = view.config("shard")
        needs = Needs(config, shard)
        found = []
        if needs.survey:
            least = max(config.val.least, config.test.least)
            params = {"seed": view.recipe.seed, "least": least, "text": needs.text}
            found = yield _tasks("draw:survey", partitions, removals, lambda _: params)
        survey = _survey(partitions, found)
        plan = settle(config, shard, view, survey)
        heldout: list[Artifact] = []
        if any(getattr(config, split).wanted for split in ("val", "test")):
            held = yield _tasks("heldout:hold", partitions, removals, plan.thresholds)
            (gathered,) = yield [gather_task([a for m in held for a in m.of("held")])]
            heldout = gathered.of("heldout")
        drawn = yield _tasks("draw:draw", partitions, removals, plan.params, heldout)
        yield [mixture_task(plan, survey, drawn)]


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be measured before anything can be drawn."""

    config: Config
    shard: Any

    @property
    def text(self) -> bool:
        """Exact bytes of the survivors' text, which costs a read of the text."""
        sizes = self.config.val.size is not None or self.config.test.size is not None
        weighed = self.config.by != "epochs" or self.config.budget is not None
        return sizes or weighed or getattr(self.shard, "size", None) is not None

    @property
    def survey(self) -> bool:
        return self.text or self.config.val.least > 0 or self.config.test.least > 0


def _tasks(
    function: str,
    partitions: list[Artifact],
    removals: dict[str, Artifact],
    params: Callable[[str], dict[str, Any]],
    shared: Iterable[Artifact] = (),
) -> list[Task]:
    """One task for each partition, with its removal list when there is one, and what all of them read."""
    tasks, ordinal = [], Counter[str]()
    for partition in partitions:
        component, removal = partition.facts["component"], removals.get(partition.sha256)
        tasks.append(
            Task(
                stage="mix",
                name=f"{function.partition(':')[2]}/{component}/{ordinal[component]:05}",
                function=f"pilebuilder.mix.{function}",
                code=CODE,
                params=params(component),
                inputs=(partition, *([removal] if removal else ()), *shared),
                component=component,
            )
        )
        ordinal[component] += 1
    return tasks


def _survey(partitions: list[Artifact], manifests: list[Manifest]) -> Survey:
    """Sum the surveys, or without one take upper bounds from the partitions themselves."""
    documents: dict[str, int] = defaultdict(int)
    size: dict[str, int] = defaultdict(int)
    low: dict[str, list[int]] = defaultdict(list)
    high: dict[str, list[int]] = defaultdict(list)
    largest = 0
    facts: Iterable[Any] = (m.facts for m in manifests) if manifests else (p.facts for p in partitions)
    for partition, fact in zip(partitions, facts, strict=True):
        name = partition.facts["component"]
        documents[name] += fact["documents"]
        size[name] += fact["text_bytes"]
        low[name] += fact.get("low", [])
        high[name] += fact.get("high", [])
        largest = max(largest, fact.get("largest", 0))
    return Survey(documents=dict(documents), bytes=dict(size), largest=largest, low=dict(low), high=dict(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settled mix: what every draw task is told."""

    seed: int
    epochs: dict[str, float]
    requested: dict[str, float]
    """Share of the training text that the recipe asks for, by component, before any cap."""
    val: dict[str, int]
    test: dict[str, int]
    """Holdout draws at or above `val`, or below `test`, are held out."""
    slices: dict[str, int]
    """Ranges into which each split's order is cut: a whole number of slices for each shard."""
    shards: int

    near: float | None

    def thresholds(self, component: str) -> dict[str, Any]:
        """What decides the split of a component's documents."""
        return {"seed": self.seed, "val": self.val[component], "test": self.test[component]}

    def params(self, component: str) -> dict[str, Any]:
        """Parameters of a component's draw tasks."""
        return {
            **self.thresholds(component),
            "epochs": self.epochs[component],
            "slices": self.slices,
            "shards": self.shards,
            "near": self.near,
        }


def settle(config: Config, shard: Any, view: View, survey: Survey) -> Plan:
    """From the survey to thresholds, epochs, number of shards and slices."""
    held = {split: _held_share(getattr(config, split), survey) for split in ("val", "test")}
    if sum(held.values()) > 0.5:
        raise RecipeError(
            f"mix.val and mix.test would hold out {sum(held.values()):.0%} of the corpus; hold out at most half"
        )
    for_training = {name: size * (1 - sum(held.values())) for name, size in survey.bytes.items()}
    wish = weighing.Wish(
        by=config.by,
        weights=config.weights,
        epochs={c.name: c.epochs for c in view.components},
        temperature=config.temperature,
        budget=config.budget,
        max_epochs=config.max_epochs,
        policy=config.policy,
    )
    epochs = weighing.epochs(wish, for_training)
    train = sum(for_training[name] * epochs[name] for name in epochs)
    shards = _shards(shard, train, survey.largest)
    room = min(SLICE_BYTES, view.recipe.memory // 16)
    return Plan(
        seed=view.recipe.seed,
        epochs=epochs,
        requested=weighing.shares(wish, for_training),
        val={n: _threshold_high(held["val"], config.val.least, survey, n) for n in survey.documents},
        test={n: _threshold_low(held["test"], config.test.least, survey, n) for n in survey.documents},
        slices={
            "train": shards * _power_of_two(train / shards / room),
            "val": _power_of_two(survey.total * held["val"] / room),
            "test": _power_of_two(survey.total * held["test"] / room),
        },
        shards=shards,
        near=config.near_heldout,
    )


def _held_share(holdout: Holdout, survey: Survey) -> float:
    if holdout.size is None:
        return holdout.share or 0.0
    if not survey.total:
        return 0.0
    if holdout.size > survey.total / 2:
        raise RecipeError(
            f"the holdout of {holdout.size} bytes is more than half of the {survey.total} bytes of text that are left;"
            " lower mix.val and mix.test, or fetch more"
        )
    return holdout.size / survey.total


def _threshold_low(share: float, least: int, survey: Survey, name: str) -> int:
    threshold = int(share * 2**64)
    wanted = min(least, survey.documents[name] // 4)
    return max(threshold, sorted(survey.low[name])[wanted - 1] + 1) if wanted else threshold


def _threshold_high(share: float, least: int, survey: Survey, name: str) -> int:
    threshold = 2**64 - int(share * 2**64)
    wanted = min(least, survey.documents[name] // 4)
    return min(threshold, sorted(survey.high[name])[-wanted]) if wanted else threshold


def _shards(shard: Any, train: float, largest: int) -> int:
    size = getattr(shard, "size", None)
    if size is None:
        return int(getattr(shard, "count", 30))
    if size < largest:
        raise RecipeError(
            f"shard.size of {size} bytes is smaller than the largest document ({largest} bytes); raise shard.size"
        )
    return max(1, -(-int(train) // int(size)))


def _power_of_two(ratio: float) -> int:
    """Slices come in powers of two, so that they (and every task key) stay the same while a corpus grows a little."""
    needed = max(1, math.ceil(ratio))
    return int(1 << (needed - 1).bit_length())


def gather_task(held: list[Artifact]) -> Task:
    """Bring the held-out documents of all partitions together."""
    function = "pilebuilder.mix.heldout:gather"
    return Task(stage="mix", name="heldout", function=function, code=CODE, inputs=tuple(held))


def mixture_task(plan: Plan, survey: Survey, drawn: list[Manifest]) -> Task:
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
    }
    return Task(stage="mix", name="mixture", function="pilebuilder.mix.draw:mixture", code=CODE, params=params)
