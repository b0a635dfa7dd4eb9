"""Task that prepares what confirms candidates: sets of shingles of their texts (see `pilebuilder.dedup.confirm`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pilebuilder.dedup import runs
from pilebuilder.dedup.sketch import read_sketch
from pilebuilder.document import text_buffers
from pilebuilder.kernels import shinglesets
from pilebuilder.partition import read_table
from pilebuilder.task import Artifact, Task, Workspace

TEXT_ROWS = 2048
"""Documents decoded at a time."""


def extract(task: Task, work: Workspace) -> None:
    """Task: shingle sets of one partition's candidates, and what the survivor rule needs of them."""
    params = task.params
    *sources, layout_file, assign_file = task.inputs
    layout = runs.Layout.read(work.open(layout_file))
    assign = runs.read(work.open(assign_file))
    base = layout.bases[params["ordinal"]]
    docs = runs.column(assign, "doc")
    low, high = np.searchsorted(docs, [base, base + layout.documents[params["ordinal"]]])
    docs, batch = docs[low:high], runs.column(assign, "batch")[low:high]
    carry = params["carry"]
    known = read_sketch(work.open(sources[-1]), ["shingles", *carry]).take(docs - base).combine_chunks()
    counts = known.column("shingles").to_numpy()
    if sources[-1].kind == "index":
        flat, ends, limits = _sampled_sets(work, sources[-1], docs - base)
    else:
        flat, ends = _sets(work, sources[0], docs - base, counts, params["ngram"])
        limits = shinglesets.sampling_limits(counts)
    order = np.argsort(batch, kind="stable")
    columns = {name: known.column(name).combine_chunks().take(order) for name in carry}
    table = runs.table(
        batch=batch[order],
        doc=docs[order],
        limit=limits[order],
        start=np.append(0, ends)[:-1][order],
        stop=ends[order],
        **columns,
    )
    runs.write(table, work.output("candidates.arrow", "candidates"))
    runs.write(pa.table({"hashes": flat}), work.output("shingles.arrow", "shingles"))


def _sets(
    work: Workspace, partition: Artifact, rows: np.ndarray, counts: np.ndarray, ngram: int
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Shingle sets of some of a partition's texts, and where each ends."""
    pieces, ends, filled = [], np.zeros(len(rows), np.int64), 0
    for start, stop, text, local in _texts(work, partition, rows):
        data, offsets = text_buffers(text)
        hashes, stops = shinglesets.collect(data, offsets, local, counts[start:stop], ngram)
        pieces.append(pa.array(hashes))
        ends[start:stop] = stops + filled
        filled += len(hashes)
    return pa.chunked_array(pieces, pa.uint32()), ends


def _sampled_sets(
    work: Workspace, index: Artifact, rows: np.ndarray
) -> tuple[pa.ChunkedArray, np.ndarray, np.ndarray]:
    """The same from the samples of an index file, and up to which hash each is complete."""
    table = read_table(work.open(index), ["sample", "limit"]).take(rows).combine_chunks()
    lists = table.column("sample").combine_chunks()
    ends = lists.offsets.to_numpy()[1:] - lists.offsets.to_numpy()[0]
    return pa.chunked_array([lists.flatten()], pa.uint32()), ends.astype(np.int64), table.column("limit").to_numpy()


def _texts(
    work: Workspace, partition: Artifact, rows: np.ndarray
) -> Iterator[tuple[int, int, pa.LargeStringArray, np.ndarray]]:
    """Texts of the partition piece by piece: which of the `rows` lie in it, and where."""
    first = 0
    with pq.ParquetFile(work.open(partition), pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(TEXT_ROWS, columns=["text"], use_threads=False):
            start, stop = np.searchsorted(rows, [first, first + batch.num_rows])
            if stop > start:
                yield start, stop, batch.column(0).cast(pa.large_string()), rows[start:stop] - first
            first += batch.num_rows
