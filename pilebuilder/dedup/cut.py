"""Takes repeated spans out of one partition's texts (or marks them), and accounts for every byte."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa

from pilebuilder.dedup import spans as tasks
from pilebuilder.document import SIGNAL, from_buffers, text_buffers
from pilebuilder.kernels import spans
from pilebuilder.partition import read_table, write_table
from pilebuilder.task import Task, Workspace

REASON = "repeated-spans"
EMPTY = "cut.empty"
"""Reason of a document of which nothing but white space is left."""
PARTITION = "docs.parquet"


def rewrite(task: Task, work: Workspace, base: int, removed: np.ndarray) -> np.ndarray:
    """Write the partition anew; returns the rows of documents that were left empty (they stay in it, to be listed).

    `removed` are rows that leave as duplicates: their text is not touched.
    """
    partition = task.inputs[0]
    table = read_table(work.open(partition))
    data, offsets = text_buffers(table.column("text").chunk(0))
    first = offsets[0]
    data, offsets = data[first : offsets[-1]], offsets - first
    row, start, stop = _spans(task, work, data, offsets, base, table)
    count = work.tally.of(task.component)
    kept = np.ones(table.num_rows, bool)
    kept[removed] = False
    sizes = np.diff(offsets)
    count.bytes_in += int(sizes.sum())
    facts = {"component": task.component, "documents": table.num_rows}
    path = work.output(PARTITION, "partition", **facts)
    if not len(row) and not task.params["mark"]:
        os.link(work.open(partition), path)
        work.output(PARTITION, "partition", text_bytes=int(sizes.sum()))
        count.bytes_out += int(sizes[kept].sum())
        return np.zeros(0, np.int64)
    inside = np.bincount(row, stop - start, minlength=table.num_rows).astype(np.int64)
    empty = np.zeros(0, np.int64)
    at = table.schema.get_field_index("text")
    if task.params["mark"]:
        share = inside / np.maximum(1, sizes)
        table = table.append_column(SIGNAL + "repeated", pa.array(share))
    else:
        data, offsets = spans.cut(data, offsets, row, start, stop)
        table = table.set_column(at, "text", from_buffers(data, offsets))
        changed = np.unique(row)
        empty = changed[[not bytes(data[offsets[r] : offsets[r + 1]]).strip() for r in changed]]
        _record(task, work, table, changed, inside)
        count.edited[REASON] += int(inside.sum())
    after = np.diff(offsets)
    kept[empty] = False
    count.bytes_out += int(after[kept].sum())
    write_table(table, path)
    work.output(PARTITION, "partition", text_bytes=int(after.sum()))
    return empty


def _spans(
    task: Task, work: Workspace, data: np.ndarray, offsets: np.ndarray, base: int, table: pa.Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All spans of the partition, overlapping ones as one: row, first byte, byte after. Lists them by kind as well."""
    kinds, parts = [], [np.zeros((3, 0), np.int64)]
    for kind, row, start, stop in tasks.found(task, work, data, offsets, base):
        joined = _union(row, start, stop)
        parts.append(joined)
        kinds += [kind] * joined.shape[1]
    whole = np.concatenate(parts, axis=1)
    if whole.shape[1]:
        row, start, stop = whole
        listed = pa.table(
            {
                "id": table.column("id").combine_chunks().take(row),
                "row": pa.array(row.astype(np.int32)),
                "kind": pa.array(kinds, pa.string()),
                "start": pa.array(start - offsets[row]),
                "stop": pa.array(stop - offsets[row]),
            }
        )
        write_table(listed, work.output("spans.parquet", "spans", component=task.component, spans=len(row)))
    row, start, stop = _union(*whole)
    return row, start, stop


def _union(row: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Spans sorted by place, those that touch or overlap joined: int64 [3, spans]. Rows do not overlap in bytes."""
    order = np.lexsort((stop, start))
    row, start, stop = row[order], start[order], stop[order]
    if not len(row):
        return np.stack([row, start, stop])
    reach = np.maximum.accumulate(stop)
    first = np.ones(len(row), bool)
    first[1:] = (start[1:] > reach[:-1]) | (row[1:] != row[:-1])
    heads = np.flatnonzero(first)
    return np.stack([row[heads], start[heads], reach[np.append(heads[1:], len(row)) - 1]])


def _record(task: Task, work: Workspace, table: pa.Table, rows: np.ndarray, inside: np.ndarray) -> None:
    work.journal.extend(
        len(rows),
        id=table.column("id").combine_chunks().take(rows),
        component=task.component,
        step="spans",
        action="edited",
        reason=REASON,
        value=inside[rows].astype(float),
        file=table.column("origin_file").combine_chunks().take(rows),
        offset=table.column("origin_offset").combine_chunks().take(rows),
    )
