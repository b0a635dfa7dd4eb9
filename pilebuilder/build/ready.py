"""Imported once by the fork server of a build: what the workers of such a recipe loaded last time, all of them find
loaded.

Kernels, models and tokenizers take a worker most of a second. Which modules those are a worker says at the end of a
run, and they are noted on this machine under the names of the recipe's parts; so a first run loads as it goes, and
compiles its kernels in its workers. Nothing depends on this but time: what fails here fails again in the task that
needs it, and is said there.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from pilebuilder import registry
from pilebuilder.atomic import write_atomic
from pilebuilder.build import warm
from pilebuilder.digest import canonical
from pilebuilder.executors import RECIPE, Executor
from pilebuilder.kernels.cache import cache_root
from pilebuilder.recipe import STAGES, Recipe, load_recipe
from pilebuilder.steps import Steps, parse_spec
from pilebuilder.task import Task

OURS = "pilebuilder."


def note(recipe: Recipe, target: str, executor: Executor, root: Path) -> None:
    """Ask a worker what it has loaded, and keep the answer for the next run of such a recipe."""
    place = _place(recipe, target)
    if place.exists():
        return
    task = Task(stage="ready", name="modules", function=f"{__name__}:loaded", code="", params={})
    names: Any
    with contextlib.suppress(Exception):  # a worker that is gone, a cache that cannot be written: the build is done
        for _, names in executor.run(loaded, [task], str(root)):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, json.dumps(names).encode())


def loaded(task: Task, root: str) -> Any:
    """Names of the project's modules in this worker, in the order in which they came."""
    return [name for name in sys.modules if name.startswith(OURS)]


def load(path: Path, target: str) -> None:
    """Import what was noted, and open the models and tokenizers of the recipe's parts (their `load`)."""
    recipe = load_recipe(path)
    place = _place(recipe, target)
    if not place.exists():
        return
    for name in json.loads(place.read_bytes()):
        if name.startswith(OURS):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    for part in _parts(recipe, target):
        if hasattr(part, "load"):
            with contextlib.suppress(Exception):
                part.load()


def _parts(recipe: Recipe, target: str) -> list[Any]:
    """Sections of the stages up to the target, and the steps in them."""
    found: list[Any] = []
    for stage in STAGES[: STAGES.index(target) + 1]:
        section = recipe.stages[stage]
        found.append(section)
        if isinstance(section, Steps):
            found += [registry.make("step", name, params) for name, params, _, _ in map(parse_spec, section.root)]
    return found


def _place(recipe: Recipe, target: str) -> Path:
    """Where the names are kept: by the kernels' sources and what decides which code runs."""
    readers = sorted({component.read[0] for component in recipe.components})
    names = {f"{type(part).__module__}.{type(part).__qualname__}" for part in _parts(recipe, target)}
    told = canonical([target, readers, sorted(names), recipe.stages["dedup"] is not None])
    return cache_root() / "kernels" / f"ready-{hashlib.sha256(warm.sources() + told.encode()).hexdigest()[:16]}"


if RECIPE in os.environ:  # only in a fork server
    gc.disable()
    with contextlib.suppress(Exception):
        named, last = json.loads(os.environ.pop(RECIPE))
        load(Path(named), last)
    gc.freeze()
    gc.enable()
