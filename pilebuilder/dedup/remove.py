"""Tasks that turn decisions into removal lists, ledger rows and counts: one for each partition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pilebuilder.dedup import cut, runs, takedown
from pilebuilder.dedup.exact import member
from pilebuilder.partition import read_table, write_table
from pilebuilder.task import Artifact, Task, Workspace

SAMPLE_CLUSTERS = 20
"""Largest clusters that the report shows."""
SAMPLE_MEMBERS = 5
GIANT = 1000
"""Documents from which on a cluster is worth a person's look: a template, a licence, an error page."""


def listing(task: Task, work: Workspace) -> None:
    """Task: the removal list of one partition. Every document of the partition is counted, removed or not.

    Where repeated spans are wanted out, the partition is written anew, and the list belongs to the new one.
    """
    params = task.params
    partition = task.inputs[0]
    layout = runs.layout_of(task, work)
    base, documents = int(layout.bases[params["ordinal"]]), int(layout.documents[params["ordinal"]])
    merged = [a for a in task.inputs if a.kind == "merged"]
    found = _removed(work, merged, params["methods"], base, base + documents)
    found = takedown.apply(task, work, found, base, documents)
    row = found.column("doc").to_numpy() - base
    origin = read_table(work.open(partition), ["id", "origin_file", "origin_offset"])
    owner, empty = partition.sha256, np.zeros(0, np.int64)
    if params["spans"]:
        owner, empty = "@" + cut.PARTITION, cut.rewrite(task, work, base, row)
    count = work.tally.of(task.component)
    taken = _taken(found)
    count.seen, count.merged = documents, found.num_rows - len(taken)
    count.kept = documents - found.num_rows - len(empty)
    if len(taken):
        count.dropped[takedown.REASON] += len(taken)
        _record_dropped(task, work, origin.take(row[taken]).combine_chunks(), takedown.REASON, takedown.REASON)
    if len(empty):
        count.dropped[cut.EMPTY] += len(empty)
        _record_dropped(task, work, origin.take(empty).combine_chunks(), "spans", cut.EMPTY)
    if not found.num_rows and not len(empty):
        return
    facts = {"component": task.component, "partition": owner, "documents": found.num_rows + len(empty)}
    write_table(_list(found, row, empty, origin), work.output("removal.parquet", "removal", **facts))
    merged_rows = np.setdiff1d(np.arange(found.num_rows), taken)
    found, origin = found.take(merged_rows), origin.take(row[merged_rows]).combine_chunks()
    if found.num_rows:
        fate = runs.table(doc=found.column("doc").to_numpy(), survivor=found.column("survivor").to_numpy())
        runs.write(fate.append_column("id", origin.column("id")), work.output("fate.arrow", "fate"))
        _record(task, work, found, origin)


def _list(found: pa.Table, row: np.ndarray, empty: np.ndarray, origin: pa.Table) -> pa.Table:
    """The removal list, in row order; a document that cutting left empty is a duplicate of nothing."""
    rows = np.concatenate([row, empty])
    order = np.argsort(rows, kind="stable")
    blank, n = pa.nulls(len(empty), pa.string()), len(empty)
    columns = {
        "duplicate_of": (pa.string(), blank),
        "reason": (pa.string(), pa.array([cut.EMPTY] * n, pa.string())),
        "cluster_size": (pa.int64(), pa.array([1] * n, pa.int64())),
        "similarity": (pa.float32(), pa.array([0.0] * n, pa.float32())),
    }
    result = {"id": origin.column("id").take(rows[order]), "row": pa.array(rows[order].astype(np.int32))}
    for name, (kind, rest) in columns.items():
        held = found.column(name).cast(kind).combine_chunks() if found.num_rows else pa.nulls(0, kind)
        result[name] = pa.concat_arrays([held, rest]).take(order)
    return pa.table(result)


def _record(task: Task, work: Workspace, found: pa.Table, origin: pa.Table) -> None:
    """Ledger rows of the duplicates."""
    reason = found.column("reason").combine_chunks()
    bars = task.params["thresholds"]
    by_reason = pa.array([bars.get(x) for x in reason.dictionary.to_pylist()], pa.float64())
    sizes, index = np.unique(found.column("cluster_size").to_numpy(), return_inverse=True)
    work.journal.extend(
        found.num_rows,
        id=origin.column("id"),
        component=task.component,
        step=reason,
        action="duplicate",
        reason=reason,
        value=found.column("similarity"),
        threshold=by_reason.take(reason.indices),
        duplicate_of=found.column("duplicate_of"),
        file=origin.column("origin_file"),
        offset=origin.column("origin_offset"),
        detail=pa.array([f"cluster of {n}" for n in sizes.tolist()]).take(pa.array(index)),
    )


def _taken(found: pa.Table) -> np.ndarray:
    """Rows that a takedown removed."""
    if not found.num_rows:
        return np.zeros(0, np.int64)
    return np.flatnonzero(pc.equal(found.column("reason").cast(pa.string()), takedown.REASON).to_numpy())


def _record_dropped(task: Task, work: Workspace, origin: pa.Table, step: str, reason: str) -> None:
    """Ledger rows of documents that no duplicate replaces."""
    work.journal.extend(
        origin.num_rows,
        id=origin.column("id"),
        component=task.component,
        step=step,
        action="dropped",
        reason=reason,
        file=origin.column("origin_file"),
        offset=origin.column("origin_offset"),
    )


def _removed(work: Workspace, files: list[Artifact], methods: list[str], low: int, high: int) -> pa.Table:
    """Removals of documents low .. high - 1 in order, each with the survivor that is left in the end.

    A text that equals one which a later method removed goes where that one went.
    """
    by_method: list[tuple[str, list[pa.Table]]] = [
        (method, [runs.read(work.open(a)) for a, m in zip(files, methods, strict=True) if m == method])
        for method in dict.fromkeys(methods)
    ]
    parts, by = [], [method for method, _ in by_method]
    for index, (_, tables) in enumerate(by_method):
        for table in tables:
            docs = runs.column(table, "doc")
            start, stop = np.searchsorted(docs, [low, high])
            if stop == start:
                continue
            part = table.slice(start, stop - start)
            for _, later in by_method[index + 1 :]:
                for other in later:
                    part = _follow(part, other)
            reason = pa.DictionaryArray.from_arrays(np.full(part.num_rows, index, np.int8), by)
            parts.append(part.append_column("reason", reason))
    if not parts:
        return runs.table(doc=np.zeros(0, np.int64))
    whole = pa.concat_tables(parts).combine_chunks().rename_columns({"cluster": "cluster_size"})
    return whole.take(np.argsort(whole.column("doc").to_numpy(), kind="stable"))


def _follow(part: pa.Table, later: pa.Table) -> pa.Table:
    """Where a survivor was itself removed by a later method, put that method's survivor in its place."""
    survivor, gone = part.column("survivor").to_numpy(), runs.column(later, "doc")
    moved = member(survivor, gone)
    if not moved.any():
        return part
    at = np.searchsorted(gone, survivor[moved])
    rows = np.arange(part.num_rows)
    rows[moved] = part.num_rows + np.arange(len(at))
    both = pa.concat_tables(
        [part.select(["survivor", "duplicate_of"]), later.select(["survivor", "duplicate_of"]).take(at)]
    ).take(rows)
    for name in ("survivor", "duplicate_of"):
        part = part.set_column(part.schema.get_field_index(name), name, both.column(name))
    return part


def summary(task: Task, work: Workspace) -> None:
    """Task: how large clusters are, and samples of the largest, for the report; sizes of clusters for mix."""
    layout = runs.Layout.read(work.open(task.inputs[0]))
    fates = runs.open_all(work, task.inputs, "fate")
    merged = runs.open_all(work, task.inputs, "merged")
    survivors = np.concatenate([np.zeros(0, np.int64), *(runs.column(t, "survivor") for t in fates)])
    doc, copies = np.unique(survivors, return_counts=True)
    order = np.lexsort((doc, -copies))
    largest = [(int(doc[i]), int(copies[i]) + 1) for i in order[:SAMPLE_CLUSTERS]]
    rows = [_sample(fates, merged, survivor, size) for survivor, size in largest]
    sizes, counts = np.unique(copies + 1, return_counts=True)
    kind = pa.schema([("survivor", pa.string()), ("size", pa.int64()), ("members", pa.list_(pa.string()))])
    path = work.output("clusters.parquet", "clusters", **_facts(sizes, counts))
    write_table(pa.Table.from_pylist(rows, schema=kind), path)
    for ordinal, partition in enumerate(task.params["partitions"]):
        base = layout.bases[ordinal]
        low, high = np.searchsorted(doc, [base, base + layout.documents[ordinal]])
        if high > low:
            table = pa.table(
                {
                    "row": pa.array((doc[low:high] - base).astype(np.int32)),
                    "cluster_size": pa.array(copies[low:high] + 1),
                }
            )
            path = work.output(f"sizes-{ordinal:05}.parquet", "cluster_sizes", partition=partition, ordinal=ordinal)
            write_table(table, path)


def _facts(sizes: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    return {
        "clusters": int(counts.sum()),
        "documents": int((sizes * counts).sum()),
        "largest": int(sizes.max(initial=0)),
        "giant": int(counts[sizes >= GIANT].sum()),
        "sizes": [[int(s), int(n)] for s, n in zip(sizes, counts, strict=True)][:1000],
    }


def _sample(fates: list[pa.Table], merged: list[pa.Table], survivor: int, size: int) -> dict[str, Any]:
    members: list[str] = []
    for table in fates:
        rows = np.flatnonzero(runs.column(table, "survivor") == survivor)[: SAMPLE_MEMBERS - len(members)]
        members += table.column("id").take(rows).to_pylist()
        if len(members) == SAMPLE_MEMBERS:
            break
    for table in merged:
        rows = np.flatnonzero(runs.column(table, "survivor") == survivor)
        if len(rows):
            return {"survivor": table.column("duplicate_of")[int(rows[0])].as_py(), "size": size, "members": members}
    raise AssertionError(f"no removal names document {survivor}")
