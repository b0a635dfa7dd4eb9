"""Tasks for duplicates by a 128-bit key: equal texts, equal web addresses.

`scatter` writes the keys of some sketches as one sorted run; `resolve` merges one range of keys over all runs and
chooses survivors. No task holds more than its part of the keys. Where all keys fit, `whole` does both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pilebuilder.dedup import choose, runs
from pilebuilder.dedup.sketch import read_sketch, unfixed
from pilebuilder.kernels import clusters, ordering
from pilebuilder.task import Task, Workspace

MERGED = ("doc", "survivor", "duplicate_of", "similarity", "cluster")
"""Columns of a file of removals: document numbers, the survivor's id, similarity to it, documents in the cluster."""


def scatter(task: Task, work: Workspace) -> None:
    """Task: keys of the given sketches, sorted; documents removed by an earlier method are left out."""
    column, carry = task.params["column"], task.params["carry"]
    sketches = [a for a in task.inputs if a.kind in ("sketch", "index")]
    tables = [read_sketch(work.open(a), [column, *carry]) for a in sketches]
    whole = pa.concat_tables(tables).combine_chunks()
    local = np.flatnonzero(whole.column(column).is_valid().to_numpy(zero_copy_only=False))
    local = local[~removed_earlier(task, work, local)]
    whole = whole.take(local)
    keys = unfixed(whole.column(column).combine_chunks(), np.uint64)
    high, low = np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1])
    order = sort_keys(high, low)
    columns = {name: whole.column(name).combine_chunks().take(order) for name in carry}
    runs.write(
        runs.table(high=high[order], low=low[order], doc=local[order], **columns), work.output("keys.arrow", "run")
    )


def sort_keys(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Stable order by the 128-bit keys. The high halves decide, but for a case that chance never makes."""
    order = ordering.stable_order(high)
    same = high[order][1:] == high[order][:-1]
    if np.any(low[order][1:][same] != low[order][:-1][same]):
        return np.lexsort((low, high))
    return order


def removed_earlier(task: Task, work: Workspace, local: np.ndarray) -> np.ndarray:
    """Which of the group's documents an earlier method removed (bool)."""
    merged = runs.open_all(work, task.inputs, "merged")
    if not merged:
        return np.zeros(len(local), bool)
    layout = runs.layout_of(task, work)
    docs = local + layout.bases[task.params["first"]]
    gone = np.zeros(len(local), bool)
    for table in merged:
        gone |= member(docs, runs.column(table, "doc"))
    return gone


def member(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Which values occur in the sorted array `among`."""
    if not len(among) or not len(values):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.asarray(among[place] == values)


def resolve(task: Task, work: Workspace) -> None:
    """Task: clusters of equal keys in one range of keys; writes who is removed and for whom."""
    params = task.params
    layout = runs.layout_of(task, work)
    slices = []
    for table, first in zip(runs.open_all(work, task.inputs, "run"), params["firsts"], strict=True):
        part = runs.bucket(runs.column(table, "high"), params["bucket"], params["buckets"])
        table = table.slice(part.start, part.stop - part.start)
        doc = pa.array(runs.column(table, "doc") + layout.bases[first])
        slices.append(table.set_column(table.schema.get_field_index("doc"), "doc", doc))
    table = pa.concat_tables(slices)
    skip = int(params["buckets"]).bit_length() - 1
    rows, ends = equal_keys(table.column("high").to_numpy(), table.column("low").to_numpy(), skip)
    _choose(task, work, layout, table.take(rows).combine_chunks(), ends)


def whole(task: Task, work: Workspace) -> None:
    """Task: `scatter` and `resolve` in one, for a corpus whose keys fit into memory: nothing is written between."""
    layout, column = runs.layout_of(task, work), task.params["column"]
    sketches = [a for a in task.inputs if a.kind in ("sketch", "index")]
    table = pa.concat_tables([read_sketch(work.open(a), [column]) for a in sketches]).combine_chunks()
    local = np.flatnonzero(table.column(column).is_valid().to_numpy(zero_copy_only=False))
    local = local[~removed_earlier(task, work, local)]
    keys = unfixed(table.column(column).combine_chunks(), np.uint64)[local]
    rows, ends = equal_keys(*np.ascontiguousarray(keys.T))
    doc = local[rows]
    carried = pa.concat_tables([read_sketch(work.open(a), task.params["carry"]) for a in sketches])
    found = carried.take(doc).combine_chunks()
    _choose(task, work, layout, found.append_column("doc", pa.array(doc)), ends)


def equal_keys(high: np.ndarray, low: np.ndarray, skip: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of equal 128-bit keys as groups of two or more, in order of key, and where each group ends.

    `skip`: how many first bits all keys share.
    """
    part = ordering.deal(high.reshape(-1, 1), np.arange(len(high), dtype=np.int32), skip=skip)
    rows, ends = ordering.equal_groups(*part)
    first = np.repeat(rows[np.append(0, ends)[:-1]], np.diff(ends, prepend=0)) if len(ends) else rows
    if np.any(low[rows] != low[first]):  # equal high halves of different keys: chance never makes them
        order = np.lexsort((low, high))
        high, low = high[order], low[order]
        rows, ends = runs.runs_of_equals((high[1:] == high[:-1]) & (low[1:] == low[:-1]))
        rows = order[rows]
    return rows, ends


def _choose(task: Task, work: Workspace, layout: runs.Layout, found: pa.Table, ends: np.ndarray) -> None:
    """Survivors of clusters of equal keys: `found` holds their documents, cluster by cluster."""
    params = task.params
    label = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    doc = found.column("doc").to_numpy()
    component = layout.components(doc)
    keys = choose.rank_keys(found, component, layout.names, params["survivor"], params["priority"])
    best, _ = choose.in_clusters(label, keys, doc)
    may = choose.allowed(layout.names, params["policies"], params["method"], params["within"])
    replaced = clusters.choose(best, ends, component, may)
    write_merged(work, found, replaced, np.ones(len(doc)), np.diff(ends, prepend=0)[label], groups=len(ends))


def write_merged(
    work: Workspace, found: pa.Table, replaced: np.ndarray, similarity: np.ndarray, cluster: np.ndarray, **facts: Any
) -> None:
    """Write the removals among the documents `found` (columns doc and id): ``replaced[i]`` is a row, or -1."""
    doc = found.column("doc").to_numpy()
    gone = np.flatnonzero(replaced >= 0)
    gone = gone[np.argsort(doc[gone], kind="stable")]
    by = replaced[gone]
    ids = found.column("id").combine_chunks().take(by)
    merged = merged_table(doc[gone], doc[by], ids, similarity[gone], cluster[gone])
    runs.write(merged, work.output("merged.arrow", "merged", documents=len(gone), **facts))


def merged_table(
    doc: np.ndarray, survivor: np.ndarray, ids: pa.Array, similarity: np.ndarray, cluster: np.ndarray
) -> pa.Table:
    """A table of removals (columns `MERGED`) in order of document; `ids` are those of the survivors."""
    return runs.table(
        doc=doc,
        survivor=survivor,
        duplicate_of=ids.cast(pa.string()),
        similarity=similarity.astype(np.float32),
        cluster=cluster.astype(np.int64),
    )
