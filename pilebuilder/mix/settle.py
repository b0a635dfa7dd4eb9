"""From what the recipe asks and what the survey found to numbers: epochs, holdout thresholds, shards and slices."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pilebuilder.errors import RecipeError
from pilebuilder.mix import weights as weighing
from pilebuilder.mix.config import Config, Holdout
from pilebuilder.task import Artifact, Manifest, View
from pilebuilder.units import show_bytes

SLICE_BYTES = 64 << 20
"""Text in one slice of a shard, the unit that the shard stage sorts in memory; less under a small memory budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is left of the components when the mix begins: sums over their partitions."""

    documents: dict[str, int]
    bytes: dict[str, int]
    weighted: dict[str, float]
    """Bytes, each document's times the factor of its cluster size."""
    tokens_per_byte: dict[str, float]
    """By component, where a budget in tokens asked for it."""
    largest: int
    low: dict[str, list[int]]
    high: dict[str, list[int]]
    """Smallest and largest holdout draws of each component, for the least number of documents."""

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


def surveyed(partitions: list[Artifact], manifests: list[Manifest]) -> Survey:
    """Sum the survey tasks' facts, or without a survey take upper bounds from the partitions themselves."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    low: dict[str, list[int]] = defaultdict(list)
    high: dict[str, list[int]] = defaultdict(list)
    largest = 0
    facts: Iterable[Any] = (m.facts for m in manifests) if manifests else (p.facts for p in partitions)
    for partition, fact in zip(partitions, facts, strict=True):
        name = partition.facts["component"]
        for key in ("documents", "text_bytes", "sample_tokens", "sample_bytes"):
            sums[name][key] += fact.get(key, 0)
        sums[name]["weighted"] += fact.get("weighted", fact["text_bytes"])
        low[name] += fact.get("low", [])
        high[name] += fact.get("high", [])
        largest = max(largest, fact.get("largest", 0))
    return Survey(
        documents={n: int(s["documents"]) for n, s in sums.items()},
        bytes={n: int(s["text_bytes"]) for n, s in sums.items()},
        weighted={n: s["weighted"] for n, s in sums.items()},
        tokens_per_byte={n: s["sample_tokens"] / s["sample_bytes"] for n, s in sums.items() if s["sample_bytes"]},
        largest=largest,
        low=dict(low),
        high=dict(high),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settled mix: what every draw task is told."""

    seed: int
    epochs: dict[str, float]
    requested: dict[str, float]
    """Share of the training text (tokens, under a budget in tokens) that the recipe asks for, before any cap; empty
    where it asks for epochs, and the shares follow from what there is."""
    val: dict[str, int]
    test: dict[str, int]
    """Holdout draws at or above `val`, or below `test`, are held out."""
    slices: dict[str, int]
    """Ranges into which each split's order is cut: a whole number of slices for each shard."""
    shards: int
    near: float | None
    duplicates: dict[str, float]

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
            "duplicates": self.duplicates,
        }


def settle(config: Config, shard: Any, view: View, survey: Survey) -> Plan:
    """Everything that the draw tasks need, from totals alone."""
    held = {split: _held_share(getattr(config, split), survey) for split in ("val", "test")}
    if sum(held.values()) > 0.5:
        raise RecipeError(
            f"mix.val and mix.test would hold out {sum(held.values()):.0%} of the corpus; hold out at most half"
        )
    left = 1 - sum(held.values())
    unit = survey.tokens_per_byte if config.tokens is not None else dict.fromkeys(survey.bytes, 1.0)
    amounts = {name: size * left * unit.get(name, 0.0) for name, size in survey.weighted.items()}
    wish = weighing.Wish(
        by=config.by,
        weights=config.weights,
        epochs={c.name: c.epochs for c in view.components},
        temperature=config.temperature,
        budget=config.budget if config.tokens is None else config.tokens,
        show=show_bytes if config.tokens is None else lambda n: f"{n:,.0f} tokens",
        max_epochs=config.max_epochs,
        policy=config.policy,
    )
    epochs = weighing.epochs(wish, amounts)
    train = sum(size * left * epochs[name] for name, size in survey.weighted.items())
    shards = _shards(shard, train, survey.largest)
    room = min(SLICE_BYTES, view.recipe.memory // 16)
    return Plan(
        seed=view.recipe.seed,
        epochs=epochs,
        requested=weighing.shares(wish, amounts) if config.weighed else {},
        val={n: _threshold_high(held["val"], config.val.least, survey, n) for n in survey.documents},
        test={n: _threshold_low(held["test"], config.test.least, survey, n) for n in survey.documents},
        slices={
            "train": shards * _power_of_two(train / shards / room),
            "val": _power_of_two(survey.total * held["val"] / room),
            "test": _power_of_two(survey.total * held["test"] / room),
        },
        shards=shards,
        near=config.near_heldout,
        duplicates={str(size): factor for size, factor in sorted(config.duplicates.items())},
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
