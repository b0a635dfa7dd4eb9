"""How one task does the work of many: its inputs as groups, its outputs by component.

A task has an overhead (a start, syncs to the disk) that a few kilobytes of text do not justify, so the plan gives a
task as many small partitions as make a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pilebuilder.task import Artifact, Manifest, batches

BATCH = 8 << 20
"""Bytes of text that one task of a full pass has at least, where the corpus has them."""


def by_component(artifacts: Iterable[Artifact]) -> dict[str, list[Artifact]]:
    """Artifacts by their component, in the order of first appearance."""
    held: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        held.setdefault(artifact.facts["component"], []).append(artifact)
    return held


def groups(inputs: Sequence[Artifact], kind: str = "partition") -> Iterator[list[Artifact]]:
    """Each input of that kind with what follows it, up to the next of that kind."""
    held: list[Artifact] = []
    for artifact in inputs:
        if artifact.kind == kind and held:
            yield held
            held = []
        held.append(artifact)
    if held:
        yield held


def groups_by_component(inputs: Sequence[Artifact]) -> dict[str, list[list[Artifact]]]:
    """The `groups` of partitions by component, in the order of first appearance."""
    held: dict[str, list[list[Artifact]]] = {}
    for group in groups(inputs):
        held.setdefault(group[0].facts["component"], []).append(group)
    return held


def text_bytes(artifact: Artifact) -> int:
    """Bytes of text in a partition or sample."""
    return int(artifact.facts.get("text_bytes", artifact.bytes))


def joined(parts: Sequence[list[Artifact]], limit: int = BATCH) -> list[list[Artifact]]:
    """Groups, each begun by a partition, put together to tasks' inputs of at most `limit` bytes of text."""
    together = batches(list(parts), limit, lambda group: sum(a.facts.get("text_bytes", 0) for a in group))
    return [[artifact for group in batch for artifact in group] for batch in together]


def outputs(found: Iterable[Manifest], *kinds: str) -> list[Artifact]:
    """Outputs of these kinds, in the order of the tasks."""
    return [a for manifest in found for kind in kinds for a in manifest.of(kind)]
