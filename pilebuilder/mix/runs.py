"""Run files: one partition's documents in the global order, cut so that each output shard reads only its own bytes.

Layout: for each split and shard one Arrow IPC stream (zstd), then a JSON index ``{group: {offset, length, rows,
sha256}}``, its length (u64, little-endian) and the magic ``PBRUN1``. A stream holds one record batch per slice of the
shard, empty ones included: a slice is a range of the global order, so slice j of a shard is batch j of every run.

A shard's task is keyed by the digests of the groups that it reads, not of whole runs: an edit upstream rewrites only
the shards that hold what it touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PBRUN1"


def write_run(
    path: Path, schema: pa.Schema, groups: Iterable[tuple[str, Iterable[pa.RecordBatch]]]
) -> dict[str, dict[str, Any]]:
    """Write non-empty groups in order; returns the index."""
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)
    index: dict[str, dict[str, Any]] = {}
    with path.open("wb") as file:
        for name, batches in groups:
            sink = _Digesting(file)
            rows = 0
            with pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema, options=options) as stream:
                for batch in batches:
                    stream.write_batch(batch)
                    rows += batch.num_rows
            index[name] = {
                "offset": sink.start,
                "length": sink.length,
                "rows": rows,
                "sha256": sink.digest.hexdigest(),
            }
        tail = json.dumps(index, sort_keys=True).encode()
        file.write(tail + len(tail).to_bytes(8, "little") + MAGIC)
    return index


class _Digesting:
    """A binary sink that digests and counts what passes to the file beneath."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.file, self.start, self.length = file, file.tell(), 0
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.length += memoryview(data).nbytes
        return int(self.file.write(data))

    def tell(self) -> int:
        return self.length

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_run(path: Path) -> tuple[Any, dict[str, dict[str, Any]]]:
    """A mapped run and its index."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    end = source.size() - 8 - len(MAGIC)
    source.seek(end)
    tail = source.read()
    assert tail[8:] == MAGIC, path
    length = int.from_bytes(tail[:8], "little")
    source.seek(end - length)
    return source, json.loads(source.read(length))


def merge(task: Task, work: Workspace) -> None:
    """Task: many runs as one, slice by slice; memory holds one slice of them at a time."""
    runs = [open_run(work.open(a)) for a in task.inputs]
    names = sorted({name for _, index in runs for name in index}, key=lambda n: (n.partition("/")[0], len(n), n))
    path = work.output("run.arrows", "run", shards=task.inputs[0].facts["shards"])
    schema = _common([_stream(source, next(iter(index.values()))).schema for source, index in runs if index])
    groups = write_run(path, schema, ((name, _slices(runs, name, schema)) for name in names))
    held = {name: {k: group[k] for k in ("rows", "sha256", "length")} for name, group in groups.items()}
    work.output("run.arrows", "run", groups=held)


def _stream(source: Any, group: dict[str, Any]) -> Any:
    import pyarrow as pa

    source.seek(group["offset"])
    return pa.ipc.open_stream(source.read_buffer(group["length"]))


def _common(schemas: list[pa.Schema]) -> pa.Schema:
    """One schema for all: components differ in the signals that their steps measured."""
    import pyarrow as pa

    return pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])


def _slices(runs: list[tuple[Any, dict[str, Any]]], name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batch j of every run that has this group, as one batch."""
    import pyarrow as pa

    streams = [_stream(source, index[name]) for source, index in runs if name in index]
    for batches in zip(*streams, strict=True):
        table = pa.concat_tables(
            [schema.empty_table(), *(pa.Table.from_batches([b]) for b in batches)], promote_options="permissive"
        ).combine_chunks()
        yield from table.to_batches() or [pa.RecordBatch.from_pylist([], schema=schema)]
