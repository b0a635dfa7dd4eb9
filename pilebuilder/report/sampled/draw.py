"""The sample: documents of a component whose hash of seed and id falls below a share; the same for any partitions."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pilebuilder.partition import read_table, write_table
from pilebuilder.report.measure import survivors
from pilebuilder.report.measures.basic import LANGUAGE
from pilebuilder.task import Task, Workspace

TOP = 1 << 64


def draws(ids: list[str], seed: int, purpose: str) -> np.ndarray:
    """A uniform uint64 for each document id."""
    prefix = f"pilebuilder.report\0{purpose}\0{seed}\0".encode()
    digests = b"".join(hashlib.blake2b(prefix + i.encode(), digest_size=8).digest() for i in ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def sample(task: Task, work: Workspace) -> None:
    """The sampled documents of one partition: id, text, language if measured, draw."""
    import pyarrow as pa

    table = survivors(task, work, ["id", "text", LANGUAGE])
    found = draws(table.column("id").to_pylist(), task.params["seed"], "sample")
    threshold = int(task.params["share"] * TOP)
    rows = np.flatnonzero(found < np.uint64(threshold)) if threshold < TOP else np.arange(len(found))
    if not len(rows):
        return
    chosen = table.take(rows).append_column("draw", pa.array(found[rows]))
    write_table(chosen, work.output("sample.parquet", "sample", component=task.component, documents=len(rows)))


def gather(task: Task, work: Workspace) -> None:
    """One file of all sampled documents of a component, by draw: the order does not depend on the partitions."""
    import pyarrow as pa

    tables = [read_table(work.open(a)) for a in task.inputs]
    table = pa.concat_tables(tables, promote_options="default").sort_by([("draw", "ascending"), ("id", "ascending")])
    facts: dict[str, Any] = {"component": task.component, "documents": table.num_rows}
    facts["text_bytes"] = int(np.asarray(_sizes(table)).sum())
    write_table(table.combine_chunks(), work.output("sample.parquet", "gathered", **facts))


def _sizes(table: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_length(table.column("text"))
