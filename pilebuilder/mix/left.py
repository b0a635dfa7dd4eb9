"""What dedup has left of a partition, and the split of each of its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.mix import order
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "val", "test")
TRAIN, VAL, TEST = 0, 1, 2


def survivors(task: Task, work: Workspace, columns: list[str] | None = None) -> tuple[pa.Table, np.ndarray]:
    """The partition (first input) without the rows of its removal list, if there is one; and which rows are left."""
    from pilebuilder.partition import read_table

    table = read_table(work.open(task.inputs[0]), columns)
    keep = np.ones(table.num_rows, bool)
    for removal in (a for a in task.inputs if a.kind == "removal"):
        keep[np.asarray(read_table(work.open(removal), ["row"]).column("row"))] = False
    return (table if keep.all() else table.take(np.flatnonzero(keep)).combine_chunks()), keep


def splits_of(ids: pa.Array, params: Any) -> np.ndarray:
    """Split of each document (int8) by the seed and thresholds of the task."""
    draws = order.draw(*order.words(ids), order.keys(params["seed"], "split"))
    split = np.full(len(draws), TRAIN, np.int8)
    split[~order.under(draws, params["val"])] = VAL
    split[order.under(draws, params["test"])] = TEST
    return split


def column(table: pa.Table, name: str) -> Any:
    import pyarrow as pa

    column = table.column(name)
    if column.num_chunks == 0:
        return pa.array([], column.type)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
