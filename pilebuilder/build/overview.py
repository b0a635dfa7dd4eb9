"""``status`` and ``plan``: what an output folder holds, and what a run would do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilebuilder.build.lockfile import STATE, describe, is_held
from pilebuilder.build.publish import LOCK
from pilebuilder.build.run import Build, load_manifests
from pilebuilder.ledger import Tally
from pilebuilder.recipe import STAGES
from pilebuilder.task import Task


@dataclass(frozen=True, slots=True)
class StageState:
    """One line of `status`."""

    stage: str
    tasks: int
    tally: Tally
    bytes: int


def status(root: Path) -> dict[str, Any]:
    """What an output folder holds: recipe, stages with counts, whether a run is live or the build finished."""
    manifests = load_manifests(root)
    try:
        state = json.loads((root / STATE / "state.json").read_bytes())
    except (OSError, ValueError):
        state = {}
    return {
        "folder": str(root),
        "recipe": state.get("recipe"),
        "target": state.get("target"),
        "live": describe(root / STATE / "lock") if is_held(root) else None,
        "finished": (root / LOCK).exists(),
        "stages": [
            StageState(
                stage,
                len(done),
                Tally.total([m.tally for m in done]),
                sum(a.bytes for m in done for a in m.outputs),
            )
            for stage, done in manifests.items()
        ],
    }


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One line of `plan`; `tasks` is None for a stage whose inputs must be made first."""

    stage: str
    tasks: int | None
    reuse: int
    bytes: int
    """Bytes of input that tasks to run would read."""


def plan(build: Build) -> list[StagePlan]:
    """Tasks to run and to reuse, stage by stage, as far as it can be known without running any."""
    planned = build.plan()
    return [_stage_plan(stage, planned.get(stage)) for stage in STAGES if stage in build.stages]


def _stage_plan(stage: str, tasks: Sequence[tuple[Task, bool]] | None) -> StagePlan:
    if tasks is None:
        return StagePlan(stage, None, 0, 0)
    missing = [task for task, found in tasks if not found]
    return StagePlan(stage, len(missing), len(tasks) - len(missing), sum(a.bytes for t in missing for a in t.inputs))


def totals(tallies: Mapping[str, Tally]) -> dict[str, int]:
    """Sums over all components and stages, for the closing line of a run."""
    read = tallies.get("read", Tally())
    every = [count for tally in tallies.values() for count in tally.values()]
    return {
        "read": sum(c.seen for c in read.values()),
        "dropped": sum(c.dropped.total() for c in every),
        "merged": sum(c.merged for c in every),
        "quarantined": sum(c.quarantined.total() for c in every),
    }
