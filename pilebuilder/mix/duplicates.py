"""Weights by duplication: how many copies of a document the sources held says how much they thought of it.

Dedup leaves one document of each cluster. `mix.duplicates` maps cluster sizes to factors on the epochs of what is
left: ``{2: 2, 5: 3, 100: 1}`` doubles documents that occurred two to four times, triples those with five to 99, and
leaves the rest alone (Penedo et al. 2025, FineWeb2, section 4.2, and TxT360 before it, upsample by cluster size).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from pilebuilder.task import Artifact, Task, Workspace, batches

GROUP = 1 << 22
"""Documents whose cluster sizes stand in one file (16 MiB)."""


def tasks(partitions: list[Artifact], fates: list[Artifact], code: str) -> tuple[list[Task], list[tuple[int, int]]]:
    """Tasks that count cluster sizes, and for each partition its task and its place in that task's file.

    Documents are numbered as dedup numbers them: partitions in order, rows in order, removed ones included.
    """
    sizes = [p.facts["documents"] for p in partitions]
    planned, places, base = [], [], 0
    for number, group in enumerate(batches(sizes, GROUP, int)):
        total = sum(group)
        places += [(number, start) for start in np.cumsum([0, *group[:-1]]).tolist()]
        planned.append(
            Task(
                stage="mix",
                name=f"clusters/{number:04}",
                function="pilebuilder.mix.duplicates:count",
                code=code,
                params={"first": base, "documents": total},
                inputs=tuple(fates),
            )
        )
        base += total
    return planned, places


def count(task: Task, work: Workspace) -> None:
    """Task: the cluster size of each document in a range of documents; 1 for one without duplicates."""
    first, documents = task.params["first"], task.params["documents"]
    sizes = np.ones(documents, np.uint32)
    for fate in task.inputs:
        with pa.memory_map(str(work.open(fate))) as source:
            table = pa.ipc.open_file(source).read_all()
            for chunk in table.column("survivor").chunks:
                survivors = chunk.to_numpy() - first
                here = survivors[(survivors >= 0) & (survivors < documents)]
                np.add.at(sizes, here, 1)
    path = work.output("clusters.arrow", "clusters", documents=documents)
    batch = pa.record_batch({"size": pa.array(sizes)})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def sizes_of(task: Task, work: Workspace, documents: int) -> np.ndarray | None:
    """Cluster sizes (uint32) of all rows of the task's partition, if the mix asks for them."""
    for artifact in task.inputs:
        if artifact.kind == "clusters":
            with pa.memory_map(str(work.open(artifact))) as source:
                column = pa.ipc.open_file(source).read_all().column("size")
                start = task.params["clusters_at"]
                return np.asarray(column.slice(start, documents).combine_chunks().to_numpy())
    return None


def factors(sizes: np.ndarray, rule: Mapping[str, float]) -> np.ndarray:
    """Factor of each document: that of the largest size in the rule which its cluster reaches, 1 below all.

    >>> factors(np.array([1, 2, 4, 5, 100]), {"2": 2.0, "5": 3.0, "100": 1.0})
    array([1., 2., 2., 3., 1.])
    """
    steps = sorted((int(size), float(factor)) for size, factor in rule.items())
    at = np.searchsorted([s for s, _ in steps], sizes, "right")
    return np.array([1.0, *(f for _, f in steps)])[at]
