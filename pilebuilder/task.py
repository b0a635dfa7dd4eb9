"""Tasks: pure functions with declared inputs and outputs, and the private folder in which one runs.

A stage plans tasks; the build decides by key which must run; an executor runs them; the worker commits what they
wrote. Nothing here knows any stage. See `pilebuilder.build.store` for the commit protocol.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pilebuilder.digest import canonical as canonical
from pilebuilder.digest import digest_file as digest_file
from pilebuilder.ledger import Journal, Tally
from pilebuilder.registry import load_file

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pilebuilder.recipe import Component, Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A committed file: the only thing that tasks pass to each other."""

    path: str
    """Relative to the output folder, or absolute for a file that is not ours (a local raw file)."""
    sha256: str
    bytes: int
    kind: str
    """What it holds: ``inventory``, ``raw``, ``partition``, ``sketch``, ``removal``, ``run``, ``shard`` ..."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Small JSON facts: component, documents, bytes of text, ordinal. ``public`` is its name in the output folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A pure function of `params` and the content of `inputs`. Everything it may depend on is in here."""

    stage: str
    name: str
    """Readable and unique within the stage: ``Gutenberg (PG-19)/0003``. Not part of the key."""
    function: str
    """``package.module:callable`` taking (task, workspace)."""
    code: str
    """Version of the code and of every part and model it uses; raised when the output for equal input changes."""
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Artifact, ...] = ()
    component: str = ""
    plugins: tuple[str, ...] = ()
    """Plug-in files to load first. Not part of the key: the parts' own code is."""

    @property
    def key(self) -> str:
        """Digest of what decides the output: function, code, parameters, content of inputs; no time, no path."""
        content = [
            [a.kind, a.sha256, {k: v for k, v in sorted(a.facts.items()) if k != "public"}] for a in self.inputs
        ]
        text = canonical([self.stage, self.function, self.code, self.component, self.params, content])
        return hashlib.sha256(text.encode()).hexdigest()

    def resolve(self) -> Callable[[Task, Workspace], None]:
        """Import the task's function, after the recipe's plug-in files."""
        for path in self.plugins:
            load_file(path)
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


@dataclass(slots=True)
class Workspace:
    """What a running task may touch: its private folder, its ledger rows, its counts."""

    root: Path
    """The output folder; input artifacts with relative paths lie under it."""
    folder: Path
    stage: str
    journal: Journal = field(init=False)
    tally: Tally = field(default_factory=Tally)
    outputs: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of outputs that were digested while they were written, by name; the commit digests all others."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Facts about the whole task for the stage's next phase (small JSON); they enter the manifest."""

    def __post_init__(self) -> None:
        self.journal = Journal(self.stage)

    def open(self, artifact: Artifact) -> Path:
        """Absolute path of an input."""
        return self.root / artifact.path

    def output(self, name: str, kind: str, **facts: Any) -> Path:
        """Declare an output file and get the path to write it to; calling again adds facts."""
        held = self.outputs.setdefault(name, (kind, {}))
        held[1].update(facts)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a task committed. Deterministic: no time, host or worker in it."""

    key: str
    stage: str
    name: str
    component: str
    outputs: tuple[Artifact, ...]
    tally: Tally
    facts: Mapping[str, Any]
    versions: Mapping[str, str]

    def of(self, kind: str) -> list[Artifact]:
        """Outputs of one kind, in the order in which the task declared them."""
        return [a for a in self.outputs if a.kind == kind]


class View(Protocol):
    """What a stage may know of the build when it plans (implemented by `pilebuilder.build`)."""

    recipe: Recipe
    target: str
    """The last stage this run will reach."""

    @property
    def components(self) -> list[Component]: ...
    def config(self, stage: str) -> Any:
        """The recipe's section for a stage, validated by the stage's `Config`; None when the recipe turns it off."""

    def artifacts(self, stage: str, kind: str) -> list[Artifact]:
        """Committed outputs of an earlier stage in this run, in plan order."""

    def manifests(self, stage: str) -> list[Manifest]:
        """Committed manifests of an earlier stage in this run, in plan order."""

    def partitions(self) -> list[Artifact]:
        """Document partitions as the newest stage that wrote any left them."""

    def open(self, artifact: Artifact) -> Path:
        """Absolute path of a committed file, for a stage that plans by what an earlier task found."""

    def scratch(self, name: str) -> Path:
        """A folder for caches outside what is verified (hash cache, download parts). Losing it costs only time."""


Phases = Generator[list[Task], list[Manifest], None]


class Stage(Protocol):
    """A stage plans in phases: it yields tasks and is sent their manifests, in the same order."""

    Config: ClassVar[type[BaseModel]]

    def run(self, view: View) -> Phases: ...


def batches(items: list[Any], limit: int, size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Consecutive groups of at most `limit` total size; an item above the limit is a group of its own."""
    group: list[Any] = []
    total = 0
    for item in items:
        n = size(item)
        if group and total + n > limit:
            yield group
            group, total = [], 0
        group.append(item)
        total += n
    if group:
        yield group
