"""Driving the fetch stage without the rest of a build: plans, runs tasks in this process, commits to a real store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilebuilder.build.store import Store
from pilebuilder.fetch.stage import Config, Fetch
from pilebuilder.partition import read_table
from pilebuilder.recipe import Head, Recipe, _component
from pilebuilder.task import Manifest, Task
from pilebuilder.yamlfile import parse


def recipe(text: str, folder: Path) -> Recipe:
    """A recipe with the fetch stage alone, from YAML text, so that these tests need no other stage."""
    source = parse(text, folder / "recipe.yaml")
    config = Config.model_validate(source.data.pop("fetch", {}))
    head = Head.model_validate(source.data)
    components = tuple(_component(entry, i, head, source) for i, entry in enumerate(head.components))
    return Recipe(path=source.path, head=head, components=components, stages={"fetch": config})


@dataclass
class Outcome:
    """What one run of the stage did."""

    root: Path
    manifests: list[Manifest] = field(default_factory=list)
    ran: list[Task] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """Inventory rows of all components."""
        tables = [read_table(self.root / a.path) for m in self.manifests for a in m.of("inventory")]
        return [row for table in tables for row in table.to_pylist()]

    def names(self) -> list[str]:
        return [row["name"] for row in self.rows()]

    def quarantine(self) -> list[dict[str, Any]]:
        tables = [read_table(self.root / a.path) for m in self.manifests for a in m.of("ledger")]
        return [row for table in tables for row in table.to_pylist() if row["action"] == "quarantined"]

    def reasons(self) -> dict[str, str]:
        """Reason by item name."""
        return {row["file"]: row["reason"] for row in self.quarantine()}

    def content(self, name: str) -> bytes:
        row = next(r for r in self.rows() if r["name"] == name)
        return (self.root / row["path"]).read_bytes()


class View:
    """The part of a build that the fetch stage sees."""

    def __init__(self, made: Recipe, root: Path) -> None:
        self.recipe, self.root, self.target = made, root, "fetch"
        self.components = list(made.components)

    def config(self, stage: str) -> Any:
        return self.recipe.stages[stage]

    def open(self, artifact: Any) -> Path:
        return self.root / artifact.path

    def scratch(self, name: str) -> Path:
        folder = self.root / ".state" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def run(made: Recipe, root: Path) -> Outcome:
    """Run the fetch stage as a build would: committed tasks are reused, the others run here."""
    store, outcome = Store(root), Outcome(root)
    phases = Fetch().run(View(made, root))
    manifests = None
    while True:
        try:
            tasks = phases.send(manifests)
        except StopIteration:
            return outcome
        manifests = [_perform(store, task, outcome) for task in tasks]
        outcome.manifests += manifests


def _perform(store: Store, task: Task, outcome: Outcome) -> Manifest:
    found = store.find(task)
    if found:
        return found
    outcome.ran.append(task)
    work = store.workspace(task)
    task.resolve()(task, work)
    return store.commit(task, work)
