"""The first run on a machine: a stage's kernels are compiled by all workers at once, each kernel by one of them.

Left alone, every worker would compile every kernel that it meets. What a stage needs is read from the sources: the
kernel modules that the files of its parts name. Nothing depends on this but time, so what cannot be found out, or
written, is left to the tasks.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pilebuilder import registry
from pilebuilder.kernels.cache import cache_root, imported
from pilebuilder.task import Task

PACKAGE = Path(__file__).parents[1]
KERNELS = PACKAGE / "kernels"
FOLDERS = ("dedup", "report")
"""Stages that use most kernels that their files name; the fused pass of clean and filter goes by its steps."""
FOLLOWED = ("clean", "filter", "models", "report")
_NAMED = re.compile(r"^\s*(?:from|import) pilebuilder\.([\w.]+)(?: import ([\w, ]+))?", re.M)


def cold(tasks: Sequence[Task]) -> list[str]:
    """Kernel modules that these tasks will ask for, with those that they import, in an order in which workers seldom
    meet at one: the ones that others import first, then the large. None when a run on this machine had them before."""
    levels: dict[str, int] = {}
    for name in sorted(_kernels(_files(tasks))):
        _level(name, levels)
    modules = sorted(levels, key=lambda name: (levels[name], -(KERNELS / f"{name}.py").stat().st_size, name))
    return modules if modules and not _marker(modules).exists() else []


def _level(name: str, levels: dict[str, int]) -> int:
    """How many imports lie below a kernel module, at the most; noted with those of all modules below it."""
    if name not in levels:
        below = imported((KERNELS / f"{name}.py").read_bytes())
        levels[name] = 1 + max((_level(inner, levels) for inner in below), default=-1)
    return levels[name]


def as_tasks(modules: Iterable[str]) -> list[Task]:
    """One task a module, for `load`; they commit nothing."""
    return [Task(stage="compile", name=name, function=f"{__name__}:load", code="", params={}) for name in modules]


def load(task: Task, root: str) -> Any:
    """What a worker does for one module: numba compiles it, or finds it compiled."""
    with contextlib.suppress(Exception):  # what fails here fails again in the task that needs it, and is said there
        importlib.import_module(f"pilebuilder.kernels.{task.name}")


def done(modules: Iterable[str]) -> None:
    """Remember on this machine that these were compiled."""
    marker = _marker(modules)
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        return  # a cache that cannot be written: the next run compiles again, as it would have


def _files(tasks: Sequence[Task]) -> list[Path]:
    """Sources of what runs in these tasks of one stage."""
    if tasks[0].stage in FOLDERS:
        return sorted((PACKAGE / tasks[0].stage).rglob("*.py"))
    named = {("step", s["name"]) for t in tasks for segment in t.params.get("segments", ()) for s in segment["steps"]}
    named |= {("sketch", t.params["sketch"]["name"]) for t in tasks if t.params.get("sketch")}
    named |= {("report", "measures") for t in tasks if t.params.get("measures")}
    parts = [registry.part(kind, name) for kind, name in sorted(named)]
    sources = [getattr(sys.modules[part.factory.__module__], "__file__", None) for part in parts]
    return [Path(source) for source in sources if source]


def _kernels(files: list[Path]) -> set[str]:
    """Kernel modules named in these files, and in the files beside them that they name."""
    found: set[str] = set()
    seen: set[Path] = set()
    while files:
        path = files.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        source = path.read_text(encoding="utf-8")
        if ".stats(" in source:  # `Docs.stats`, which most rules measure by
            found.add("textstats")
        for module, names in _NAMED.findall(source):
            package, *inner = module.split(".")
            asked = inner[:1] or [name.strip() for name in names.split(",")]
            if package == "kernels":
                found |= {name for name in asked if (KERNELS / f"{name}.py").is_file()}
            elif package in FOLLOWED:
                place = PACKAGE.joinpath(*module.split("."))
                files += [place.with_suffix(".py"), *(place / f"{name.strip()}.py" for name in names.split(","))]
    return found


@functools.cache
def sources() -> bytes:
    """Digest of everything that decides machine code, but for the processor."""
    digest = hashlib.sha256(f"{sys.version}".encode())
    for path in sorted(KERNELS.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def _marker(modules: Iterable[str]) -> Path:
    digest = hashlib.sha256(sources() + " ".join(sorted(modules)).encode()).hexdigest()[:16]
    return cache_root() / "kernels" / f"compiled-{digest}"
