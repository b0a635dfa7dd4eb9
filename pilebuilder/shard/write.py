"""The shard's task: merge its slice of every run by the global order, and write lines, ledger rows and the summary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.errors import TaskError
from pilebuilder.frames import FrameWriter
from pilebuilder.shard.columns import ParquetShard
from pilebuilder.shard.lines import json_lines
from pilebuilder.shard.summary import Summary
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PBRUN1"
FIXED = ("id", "text", "component", "origin_file", "origin_offset", "copy", "key", "signal.lang")


def write_shard(task: Task, work: Workspace) -> None:
    """Write one ``.jsonl.zst``; memory holds one slice of the order at a time."""
    shard, meta = task.params["shard"], task.params["meta"]
    public = f"{shard}.jsonl.zst"
    path = work.output(public, "shard", public=public, split=shard.split("/")[0], shard=shard)
    summary, line = Summary(), 0
    wanted = [*FIXED, *(n for n in meta if n not in FIXED)]
    streams = [_stream(work.open(a), a) for a in task.inputs]
    with FrameWriter(path, task.params["frame"], task.params["level"]) as out, ExitStack() as stack:
        columns = stack.enter_context(_parquet(task, work, streams)) if task.params["parquet"] else None
        for table in _merged(streams, wanted):
            out.write(*json_lines(table, meta))
            if columns is not None:
                columns.write(table)
            _record(work, table, shard, line)
            summary.add(table)
            line += table.num_rows
    work.output(
        public,
        "shard",
        documents=line,
        text_bytes=summary.text_bytes,
        components=summary.counts(),
        frames=len(out.sizes),
    )
    work.output(f"{shard}.summary.json", "summary", split=shard.split("/")[0]).write_text(summary.to_json())


def _parquet(task: Task, work: Workspace, streams: list[Any]) -> ParquetShard:
    """The shard as Parquet too; the types of signals are settled before the first row."""
    import pyarrow as pa

    shard, meta = task.params["shard"], task.params["meta"]
    schema = pa.unify_schemas([s.schema for s in streams], promote_options="permissive")
    kinds = {n: schema.field(n).type for n in meta if n in schema.names}
    public = f"{shard}.parquet"
    return ParquetShard(work.output(public, "columns", public=public, split=shard.split("/")[0]), meta, kinds)


def _stream(path: Path, artifact: Artifact) -> Any:
    """The record batches of this shard in one run, checked against the digest that the task was planned with."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    size = source.size()
    source.seek(size - 8 - len(MAGIC))
    tail = source.read(8 + len(MAGIC))
    if tail[8:] != MAGIC:
        raise TaskError(f"{path} is not a run of the mix (its end is missing or damaged); delete it and run again")
    length = int.from_bytes(tail[:8], "little")
    source.seek(size - 8 - len(MAGIC) - length)
    group = json.loads(source.read(length))[artifact.facts["shard"]]
    source.seek(group["offset"])
    content = source.read_buffer(group["length"])
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise TaskError(f"{path} was changed after the mix wrote it; delete it and run the same command again")
    return pa.ipc.open_stream(content)


def _merged(streams: list[Any], wanted: list[str]) -> Iterator[pa.Table]:
    """Slices in order; each the rows of all runs, sorted by the draw of the order and then by id and copy."""
    import pyarrow as pa

    while streams:
        batches = []
        for stream in streams:
            try:
                batch = stream.read_next_batch()
            except StopIteration:
                batch = None
            if batch is not None:
                batches.append(batch)
        assert len(batches) in (0, len(streams)), "runs of one mix have the same number of slices"
        if not batches:
            return
        tables = [pa.Table.from_batches([b]).select([n for n in wanted if n in b.schema.names]) for b in batches]
        table = (
            pa.concat_tables([t for t in tables if t.num_rows], promote_options="permissive")
            if any(t.num_rows for t in tables)
            else None
        )
        if table is not None:
            yield table.take(_order(table)).combine_chunks()


def _order(table: pa.Table) -> np.ndarray:
    """Rows by key; equal keys (one pair in 2^64) by id and copy, so that the order never depends on the runs."""
    key = table.column("key").to_numpy()
    order = np.argsort(key, kind="stable")
    twins = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(twins):
        rows = list(zip(key.tolist(), table.column("id").to_pylist(), table.column("copy").to_pylist(), strict=True))
        order = np.array(sorted(range(len(rows)), key=rows.__getitem__))
    return order


def _record(work: Workspace, table: pa.Table, shard: str, first: int) -> None:
    """A ledger row for each placed copy (value: its line number), and the counts."""
    work.journal.extend(
        table.num_rows,
        id=table.column("id"),
        component=table.column("component"),
        step="place",
        action="kept",
        reason=shard,
        value=np.arange(first, first + table.num_rows, dtype=np.float64),
        file=table.column("origin_file"),
        offset=table.column("origin_offset"),
    )
    names, codes = _codes(table)
    size = np.diff(text_buffers(table.column("text").chunk(0))[1])
    for code, name in enumerate(names):
        chosen = codes == code
        count, n = work.tally.of(name), int(chosen.sum())
        total = int(size[chosen].sum())
        count.seen += n
        count.kept += n
        count.bytes_in += total
        count.bytes_out += total


def _codes(table: pa.Table) -> tuple[list[str], np.ndarray]:
    coded = table.column("component").combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy()
