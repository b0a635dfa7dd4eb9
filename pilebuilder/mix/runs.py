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
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
