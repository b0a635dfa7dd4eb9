"""Drives a build: stage by stage, it asks for tasks, reuses what is committed, runs the rest, and checks the sums."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pilebuilder import executors, registry
from pilebuilder.atomic import write_atomic
from pilebuilder.build import guard, publish, warm
from pilebuilder.build.lockfile import STATE, RunLock
from pilebuilder.build.progress import Meter, Quiet, Sink
from pilebuilder.build.store import Store, explain_os_error
from pilebuilder.build.worker import execute
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import Tally
from pilebuilder.recipe import STAGES, Component, Recipe
from pilebuilder.task import Artifact, Manifest, Task


class NotYetError(Exception):
    """Planning without running met tasks whose outputs do not exist yet."""


class Build:
    """One run of a recipe up to a target stage, into one output folder. Implements `pilebuilder.task.View`."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        *,
        target: str = STAGES[-1],
        workers: int = 1,
        executor: str | None = None,
        address: str | None = None,
        sink: Sink | None = None,
    ) -> None:
        self.recipe = recipe
        self.root = out.resolve()
        self.target = target
        self.store = Store(self.root)
        self.sink = sink or Quiet()
        self.planned: dict[str, list[tuple[Task, bool]]] = {}
        self._executor_options = (executor or recipe.head.executor, workers, address)
        self._executor: executors.Executor | None = None
        self._done: dict[str, list[Manifest]] = {}
        self._meters: dict[str, Meter] = {}
        self._dry = False

    # -- what a stage may see --

    @property
    def components(self) -> list[Component]:
        return list(self.recipe.components)

    def config(self, stage: str) -> Any:
        return self.recipe.stages[stage]

    def manifests(self, stage: str) -> list[Manifest]:
        return list(self._done.get(stage, ()))

    def artifacts(self, stage: str, kind: str) -> list[Artifact]:
        return [a for m in self._done.get(stage, ()) for a in m.of(kind)]

    def partitions(self) -> list[Artifact]:
        if rewritten := self.artifacts("dedup", "partition"):  # only when it cuts repeated spans out of texts
            return rewritten
        for stage in ("filter", "clean", "read"):
            if self._done.get(stage):
                return self.artifacts(stage, "partition")
        return []

    def open(self, artifact: Artifact) -> Path:
        return self.root / artifact.path

    def scratch(self, name: str) -> Path:
        folder = self.root / STATE / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # -- running --

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages of this run in order; those that the recipe turns off are left out."""
        upto = STAGES[: STAGES.index(self.target) + 1]
        return tuple(s for s in upto if self.recipe.stages[s] is not None)

    def run(self) -> dict[str, Tally]:
        """Build up to the target. Returns the sums per stage; raises a `PilebuilderError` that says what to do."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with RunLock(self.root):
                self.store.collect_attempts()
                tallies = self._run_stages()
                if self.target in publish.REACHED_BY:
                    publish.publish(self)
                return tallies
        except OSError as error:
            raise explain_os_error(error, f"building {self.recipe.name} in {self.root}") from error
        finally:
            self.close()

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def _run_stages(self) -> dict[str, Tally]:
        tallies = {}
        for stage in self.stages:
            try:
                self._drive(stage)
            except KeyboardInterrupt:
                if self._executor is not None:
                    self._executor.close(now=True)
                raise
            tallies[stage] = Tally.total([m.tally for m in self._done[stage]])
            guard.check(stage, tallies[stage], self.components)
            self._meters[stage].ended = self._meters[stage].started + self._meters[stage].seconds
            self._save_state()
            self.sink.event("stage_done", stage=stage, **self._meters[stage].as_data())
        return tallies

    def plan(self) -> dict[str, list[tuple[Task, bool]]]:
        """Tasks by stage and whether each is committed; stops at the first stage whose inputs must be made."""
        self._dry = True
        for stage in self.stages:
            try:
                self._drive(stage)
            except NotYetError:
                break
        return self.planned

    def _drive(self, stage: str) -> None:
        """Run one stage's generator: perform each phase it yields and send it the manifests."""
        self._done[stage] = []
        self._meters[stage] = Meter()
        self.planned[stage] = []
        self.sink.event("stage", stage=stage, **self._announce(stage))
        phases = registry.part("stage", stage).factory().run(self)
        manifests: list[Manifest] | None = None
        with contextlib.closing(phases), contextlib.suppress(StopIteration):
            while True:
                tasks = phases.send(manifests)
                manifests = self._perform(stage, tasks)
                self._done[stage] += manifests

    def _announce(self, stage: str) -> dict[str, Any]:
        meter = self._meters[stage]
        return {"meter": meter} if not _wants_data(self.sink) else meter.as_data()

    def _perform(self, stage: str, tasks: Sequence[Task]) -> list[Manifest]:
        """Manifests of these tasks in order: committed ones are reused, the others run."""
        if self.recipe.plugins:
            tasks = [replace(task, plugins=self.recipe.plugins) for task in tasks]
        _assert_distinct(stage, tasks)
        results: list[Manifest | None] = [self.store.find(task) for task in tasks]
        self.planned[stage] += [(task, found is not None) for task, found in zip(tasks, results, strict=True)]
        meter = self._meters[stage]
        meter.total += len(tasks)
        for found in results:
            if found is not None:
                self._account(stage, found, reused=True)
        missing = [i for i, found in enumerate(results) if found is None]
        missing.sort(key=lambda i: -sum(a.bytes for a in tasks[i].inputs))  # a large task begun last is waited for
        if missing and self._dry:
            raise NotYetError
        if missing:
            if self._executor is None:
                kind, workers, address = self._executor_options
                self._look_ahead()
                self._executor = executors.make(kind, workers, address, memory=self.recipe.memory)
            chosen = [tasks[i] for i in missing]
            self._compile(chosen)
            for index, manifest in self._executor.run(execute, chosen, str(self.root)):
                results[missing[index]] = manifest
                self._account(stage, manifest, reused=False)
        return [m for m in results if m is not None]

    def _look_ahead(self) -> None:
        """While the fork server loads, this process loads what planning the later stages takes."""
        for name in ("pyarrow.parquet", *(f"pilebuilder.{stage}.plan" for stage in self.stages)):
            with contextlib.suppress(ImportError):  # what is wanted and does not load is said where it is wanted
                importlib.import_module(name)

    def _compile(self, tasks: Sequence[Task]) -> None:
        """On the first run on a machine, let the workers share the compilation of what tasks need."""
        executor = self._executor
        if executor is None or executor.workers < 2 or self._executor_options[0] == "ray":
            return
        if modules := warm.cold(tasks):
            self.sink.event("message", text="compiling text kernels (first run on this machine)")
            for _ in executor.run(warm.load, warm.as_tasks(modules), str(self.root)):
                pass
            warm.done(modules)

    def _account(self, stage: str, manifest: Manifest, *, reused: bool) -> None:
        self._meters[stage].add(manifest, reused)
        if not reused:
            self.sink.event("task", stage=stage, task=manifest.name, **self._announce(stage))

    def _save_state(self) -> None:
        """Which tasks make up this run: what `status`, `why` and `verify` of an unfinished build go by."""
        state = {
            "recipe": str(self.recipe.path.resolve()),
            "name": self.recipe.name,
            "digest": self.recipe.digest,
            "target": self.target,
            "stages": {s: [f"work/{s}/{m.key[:32]}" for m in done] for s, done in self._done.items()},
        }
        write_atomic(self.root / STATE / "state.json", json.dumps(state, indent=1).encode())

    def seconds(self, stage: str) -> float:
        """How long a stage of this run took, by the clock."""
        return self._meters[stage].seconds

    def quarantine_excess(self) -> list[str]:
        """Components with more in quarantine than the recipe allows, in words."""
        return guard.quarantine_excess(self)


def _wants_data(sink: Sink) -> bool:
    from pilebuilder.build.progress import Terminal

    return not isinstance(sink, Terminal)


def _assert_distinct(stage: str, tasks: Sequence[Task]) -> None:
    names: dict[str, str] = {}
    for task in tasks:
        assert task.stage == stage, (task.stage, stage)
        if names.setdefault(task.name, task.key) != task.key:
            raise PilebuilderError(
                f"stage {stage} planned two tasks named {task.name}: a defect of the stage, report it"
            )


def load_manifests(root: Path) -> dict[str, list[Manifest]]:
    """Manifests of the last run in an output folder, by stage; empty when its work folder is gone."""
    try:
        state = json.loads((root / STATE / "state.json").read_bytes())
    except (OSError, ValueError):
        return {}
    store = Store(root)
    found: dict[str, list[Manifest]] = {}
    for stage, folders in state["stages"].items():
        with contextlib.suppress(FileNotFoundError):
            found[stage] = [store.load(root / folder) for folder in folders]
    return found
