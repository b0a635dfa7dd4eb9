"""Takedowns: documents named by id leave, and by policy what resembles them.

With ``duplicates: promote`` a document on the list takes no part in the comparison, so the best of the rest of its
cluster stays. With ``remove`` it takes part like any other, and then its whole cluster leaves. Either way only tasks
of the dedup stage run again after the list has changed: no text is read that need not be compared anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pilebuilder.dedup import runs
from pilebuilder.dedup.sketch import read_sketch
from pilebuilder.errors import RecipeError
from pilebuilder.task import Task, Workspace

REASON = "takedown"
DIGITS = frozenset("0123456789abcdef")


def read_list(path: Path) -> list[str]:
    """Document ids of a takedown list, each once, sorted. Raises `RecipeError` on a missing file or a bad line."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise RecipeError(f"takedown list {path}: {error.strerror}; `pilebuilder takedown` writes one") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"takedown list {path}: not UTF-8 at byte {error.start}") from None
    found = set()
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip().lower()
        if entry and (len(entry) != 32 or set(entry) - DIGITS):
            raise RecipeError(f"{path}, line {number}: {entry!r} is no document id (32 hex digits)")
        found.add(entry)
    return sorted(found - {""})


def mark(task: Task, work: Workspace) -> None:
    """Task: which documents of some sketches are on the list, in the form of a file of removals."""
    layout = runs.layout_of(task, work)
    (wanted,) = (read_list(work.open(a)) for a in task.inputs if a.kind == REASON)
    sketches = [a for a in task.inputs if a.kind == "sketch"]
    ids = pa.concat_tables([read_sketch(work.open(a), ["id"]) for a in sketches]).column("id")
    listed = pc.is_in(ids, value_set=pa.array(wanted, ids.type)).to_numpy()
    doc = np.flatnonzero(listed) + layout.bases[task.params["first"]]
    runs.write(removals(doc), work.output("merged.arrow", task.params["kind"], documents=len(doc)))


def removals(doc: np.ndarray) -> pa.Table:
    """Removals (see `pilebuilder.dedup.exact.MERGED`) that leave nothing in the place of these documents."""
    return runs.table(
        doc=doc,
        survivor=doc,
        duplicate_of=pa.nulls(len(doc), pa.string()),
        similarity=np.zeros(len(doc), np.float32),
        cluster=np.ones(len(doc), np.int64),
    )


def spread(task: Task, work: Workspace) -> None:
    """Task: survivors of the clusters that hold a document on the list."""
    doc = np.concatenate([np.zeros(0, np.int64), *(runs.column(t, "doc") for t in _open(task, work, "taken"))])
    methods = task.params["methods"]
    merged = _open(task, work, "merged")
    for method in dict.fromkeys(methods):  # a survivor of one method may be removed by a later one
        step = [t for t, m in zip(merged, methods, strict=True) if m == method]
        moved = doc.copy()
        for table in step:
            gone = runs.column(table, "doc")
            if len(gone):
                at = np.minimum(np.searchsorted(gone, doc), len(gone) - 1)
                moved = np.where(gone[at] == doc, runs.column(table, "survivor")[at], moved)
        doc = moved
    runs.write(runs.table(doc=np.unique(doc)), work.output("tainted.arrow", "tainted"))


def _open(task: Task, work: Workspace, kind: str) -> list[pa.Table]:
    return runs.open_all(work, task.inputs, kind)


def apply(task: Task, work: Workspace, found: pa.Table, base: int, documents: int) -> pa.Table:
    """Removals of one partition, among which those of tainted clusters become takedowns, survivors included."""
    tainted = np.concatenate([np.zeros(0, np.int64), *(runs.column(t, "doc") for t in _open(task, work, "tainted"))])
    if not len(tainted):
        return found
    kept = found
    if found.num_rows:
        kept = found.filter(pa.array(~np.isin(found.column("survivor").to_numpy(), tainted)))
        with_it = np.setdiff1d(found.column("doc").to_numpy(), kept.column("doc").to_numpy())
    else:
        with_it = np.zeros(0, np.int64)
    own = tainted[(tainted >= base) & (tainted < base + documents)]
    doc = np.union1d(with_it, own)
    if not len(doc):
        return found
    gone = removals(doc).rename_columns({"cluster": "cluster_size"})
    gone = gone.append_column("reason", pa.array([REASON] * len(doc)).dictionary_encode())
    parts = [gone, kept.select(gone.column_names).cast(gone.schema)] if kept.num_rows else [gone]
    whole = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return whole.take(np.argsort(whole.column("doc").to_numpy(), kind="stable"))
