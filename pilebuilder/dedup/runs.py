"""Files between the phases: Arrow IPC, uncompressed, so that a task maps them and touches only the rows it needs.

Documents are numbered: partitions in plan order, rows in file order. A task that handles part of the corpus writes
numbers relative to its part, so its key depends on its own inputs alone; the `Layout` turns them into corpus numbers.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from pilebuilder.task import Artifact, Task, Workspace

BASELINE = 224 << 20
"""What a worker takes before it has read anything: interpreter, Arrow, numba and the compiled kernels (measured)."""
EXACT_RECORD = 160
"""Bytes of one key of an exact method with what travels with it, in memory."""
BAND_RECORD = 48
"""Bytes of one band key with its document number while it is sorted."""
MOST_BUCKETS = 4096
"""A run of band keys is cut into so many ranges of keys; a bucket is one or more of them."""


def allowance(memory: int) -> int:
    """Bytes of data that one task may hold, of a worker's budget: what the baseline leaves, halved for temporaries."""
    return max(16 << 20, (memory - BASELINE) // 2)


def scratch(work: Workspace, name: str, size: int, kind: Any, external: bool) -> np.ndarray:
    """An array of zeros: in memory, or, when it would not fit, `external`, in a file of the task's own folder."""
    if not external or not size:
        return np.zeros(size, kind)
    return np.memmap(work.folder / f"{name}.tmp", kind, "w+", shape=(size,))


def clear(work: Workspace) -> None:
    """Remove the files of `scratch`, if there are any; their arrays must not be used any more."""
    for path in work.folder.glob("*.tmp"):
        path.unlink()


def release(*arrays: np.ndarray) -> None:
    """Give back the memory of arrays that lie in files; their content stays there."""
    for array in arrays:
        if isinstance(array, np.memmap):
            array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def write(table: pa.Table, path: Path) -> None:
    """Write a table as one record batch without compression: the same bytes for the same table."""
    table = table.combine_chunks()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)


def read(path: Path) -> pa.Table:
    """Map a table that `write` wrote; nothing is read until it is used."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column without nulls as numpy, mapped when it is one chunk."""
    chunks = table.column(name)
    if chunks.num_chunks == 0:
        return np.zeros(0, chunks.type.to_pandas_dtype())
    array = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
    return array.to_numpy()  # type: ignore[no-any-return]


def table(**columns: Any) -> pa.Table:
    """A table from numpy or Arrow columns."""
    return pa.table({k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()})


def lists(values: np.ndarray, ends: np.ndarray) -> pa.Array:
    """A list column from flat values and the end of each row's values."""
    offsets = np.zeros(len(ends) + 1, np.int64)
    offsets[1:] = ends
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def unlists(table: pa.Table, name: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat values and row ends of some rows of a list column; the values are mapped, not copied."""
    chunks = table.column(name)
    if chunks.num_chunks == 0 or stop <= start:
        return np.zeros(0, chunks.type.value_type.to_pandas_dtype()), np.zeros(0, np.int64)
    array = chunks.chunk(0)
    offsets = array.offsets.to_numpy()[start : stop + 1]
    return array.values.to_numpy()[offsets[0] : offsets[-1]], offsets[1:] - offsets[0]


INDEXED = "index:"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each partition's documents lie in the corpus numbering."""

    bases: np.ndarray
    """First document number of each partition (int64)."""
    documents: np.ndarray
    component: np.ndarray
    """Index of each partition's component (int32)."""
    names: Sequence[str]
    """Component names, sorted; those of other corpora's indexes begin with `INDEXED`."""

    @classmethod
    def read(cls, path: Path) -> Layout:
        found = read(path)
        documents = column(found, "documents")
        labels = found.column("component").combine_chunks().to_pylist()
        names = sorted(set(labels))
        index = {name: i for i, name in enumerate(names)}
        component = np.array([index[x] for x in labels], np.int32)
        return cls(np.cumsum(documents) - documents, documents, component, names)

    @property
    def total(self) -> int:
        return int(self.documents.sum())

    def components(self, docs: np.ndarray) -> np.ndarray:
        """Component index of each document number (int32)."""
        return np.asarray(self.component[self.partitions(docs)])

    def indexed(self, docs: np.ndarray) -> np.ndarray:
        """Which documents belong to another corpus's index (bool)."""
        foreign = np.array([name.startswith(INDEXED) for name in self.names], bool)
        return np.asarray(foreign[self.components(docs)])

    def partitions(self, docs: np.ndarray) -> np.ndarray:
        """Ordinal of the partition that holds each document."""
        # Empty partitions share their base with the next: the last one with this base holds the document.
        return np.searchsorted(self.bases, docs, side="right") - 1


def layout_of(task: Task, work: Workspace) -> Layout:
    """The layout among a task's inputs."""
    (found,) = (Layout.read(work.open(a)) for a in task.inputs if a.kind == "layout")
    return found


def write_layout(task: Task, work: Workspace) -> None:
    """Task: the table of partitions, so that its rows need not stand in every later task's parameters."""
    rows = task.params["partitions"]
    write(
        table(
            component=pa.array([c for c, _ in rows], pa.string()), documents=np.array([n for _, n in rows], np.int64)
        ),
        work.output("layout.arrow", "layout"),
    )


def bucket(keys: np.ndarray, index: int, count: int) -> slice:
    """Rows of sorted 64-bit keys in the index-th of `count` equal ranges of keys."""
    edges = [np.uint64((i << 64) // count) for i in (index, index + 1) if 0 < i < count]
    found = [int(x) for x in np.searchsorted(keys, edges)]
    if index == 0:
        found.insert(0, 0)
    if index == count - 1:
        found.append(len(keys))
    return slice(*found)


def runs_of_equals(same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of two or more: ``same[i]`` says that sorted row i + 1 equals row i. Returns row numbers and run ends."""
    if not len(same):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    member = np.zeros(len(same) + 1, bool)
    member[1:] = same
    member[:-1] |= same
    rows = np.flatnonzero(member)
    last = ~np.append(same, False)[rows]
    return rows, np.flatnonzero(last) + 1


def open_all(work: Workspace, inputs: Sequence[Artifact], kind: str) -> list[pa.Table]:
    """Map all inputs of a kind, in order."""
    return [read(work.open(a)) for a in inputs if a.kind == kind]
