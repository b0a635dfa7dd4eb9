"""How the report's tasks are made and wait for each other: chains that advance together, rounds of merging."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from pilebuilder.report.pieces import by_component, outputs
from pilebuilder.task import Artifact, Manifest, Task

CODE = "report/23"
MERGED_AT_ONCE = 64
"""Summaries that one merge task adds up; more of them make more rounds."""

Chain = Generator[list[Task], list[Manifest], list[Artifact]]


def together(chains: Mapping[str, Chain]) -> Generator[list[Task], list[Manifest], dict[str, list[Artifact]]]:
    """Advance several chains phase by phase, each sent the manifests of its own tasks; gives what each returned."""
    waiting: dict[str, list[Task]] = {}
    results: dict[str, list[Artifact]] = {}

    def advance(name: str, manifests: list[Manifest] | None) -> None:
        try:
            waiting[name] = chains[name].send(manifests)  # type: ignore[arg-type]
        except StopIteration as done:
            waiting.pop(name, None)
            results[name] = done.value

    for name in chains:
        advance(name, None)
    while waiting:
        asked = dict(waiting)
        manifests = yield [task for tasks in asked.values() for task in tasks]
        at = 0
        for name, tasks in asked.items():
            advance(name, manifests[at : at + len(tasks)])
            at += len(tasks)
    return results


def task(name: str, function: str, inputs: list[Artifact], component: str = "", **params: Any) -> Task:
    return Task(
        stage="report",
        name=name,
        function=f"pilebuilder.report.{function}",
        code=CODE,
        params=params,
        inputs=tuple(inputs),
        component=component,
    )


def merge_rounds(name: str, function: str, kinds: tuple[str, ...], found: list[Manifest]) -> Chain:
    """Add up each component's summaries until it has one; returns these in the order of first appearance."""
    held: dict[str, list[list[Artifact]]] = {}

    def take(manifests: list[Manifest]) -> None:
        for manifest in manifests:
            for component, made in by_component(outputs([manifest], *kinds)).items():
                held.setdefault(component, []).append(made)

    take(found)
    while any(len(pieces) > 1 for pieces in held.values()):
        tasks = [
            task(
                f"{name}/{component}/{at // MERGED_AT_ONCE:04}",
                function,
                [a for piece in pieces[at : at + MERGED_AT_ONCE] for a in piece],
                component,
            )
            for component, pieces in held.items()
            if len(pieces) > 1
            for at in range(0, len(pieces), MERGED_AT_ONCE)
        ]
        for component in {t.component for t in tasks}:
            held[component] = []
        take((yield tasks))
    return [a for pieces in held.values() for piece in pieces for a in piece]
