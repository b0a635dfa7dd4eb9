"""Task that prepares what confirms candidates: sets of shingles of their texts (see `pilebuilder.dedup.confirm`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pilebuilder.dedup import runs
from pilebuilder.dedup.sketch import read_sketch
from pilebuilder.document import text_buffers
from pilebuilder.kernels import shinglesets
from pilebuilder.partition import read_table
from pilebuilder.task import Artifact, Task, Workspace

TEXT_ROWS = 1024
"""Documents decoded at a time: about a megabyte, which stays in the cache until its shingles are made."""


def extract(task: Task, work: Workspace) -> None:
    """Task: shingle sets of one partition's candidates, and what the survivor rule needs of them."""
    *sources, layout_file, assign_file = task.inputs
    layout, assign = runs.Layout.read(work.open(layout_file)), runs.read(work.open(assign_file))
    low, high = place(layout, runs.column(assign, "doc"), task.params["ordinal"])
    docs, batch = runs.column(assign, "doc")[low:high], runs.column(assign, "batch")[low:high]
    rows = docs - layout.bases[task.params["ordinal"]]
    known, flat, ends, limits = candidates(work, sources, rows, task.params["carry"], task.params["ngram"])
    order = np.argsort(batch, kind="stable")
    columns = {name: known.column(name).combine_chunks().take(order) for name in task.params["carry"]}
    table = runs.table(
        batch=batch[order],
        doc=docs[order],
        limit=limits[order],
        start=np.append(0, ends)[:-1][order],
        stop=ends[order],
        **columns,
    )
    runs.write(table, work.output("candidates.arrow", "candidates"))
    runs.write(runs.table(hashes=flat), work.output("shingles.arrow", "shingles"))


def place(layout: runs.Layout, docs: np.ndarray, ordinal: int) -> tuple[int, int]:
    """Which of the ascending document numbers lie in a partition: first, and one after the last."""
    base = layout.bases[ordinal]
    low, high = np.searchsorted(docs, [base, base + layout.documents[ordinal]])
    return int(low), int(high)


def candidates(
    work: Workspace,
    sources: Sequence[Artifact],
    rows: np.ndarray,
    carry: list[str],
    ngram: int,
    out: np.ndarray | None = None,
) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray]:
    """Some rows of a partition: a table of the columns `carry`; their sets of shingles, one after the other (uint32,
    in `out` if given); where each ends; and up to which hash each is complete.

    `sources` are partition and sketch, or a file of an index.
    """
    known = read_sketch(work.open(sources[-1]), ["shingles", *carry]).take(rows).combine_chunks()
    if sources[-1].kind == "index":
        flat, ends, limits = _sampled_sets(work, sources[-1], rows)
        if out is not None:
            out[: len(flat)] = flat
        return known.select(carry), flat, ends, limits
    counts = known.column("shingles").to_numpy()
    out = np.empty(shinglesets.room(counts), np.uint32) if out is None else out
    flat, ends = _sets(work, sources[0], rows, counts, ngram, out)
    return known.select(carry), flat, ends, shinglesets.sampling_limits(counts)


def _sets(
    work: Workspace, partition: Artifact, rows: np.ndarray, counts: np.ndarray, ngram: int, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shingle sets of some of a partition's texts, and where each ends."""
    ends, filled = np.zeros(len(rows), np.int64), 0
    for start, stop, text, local in _texts(work, partition, rows):
        data, offsets = text_buffers(text)
        _, stops = shinglesets.collect(data, offsets, local, counts[start:stop], ngram, out[filled:])
        ends[start:stop] = stops + filled
        filled = int(ends[stop - 1])
    return out[:filled], ends


def _sampled_sets(work: Workspace, index: Artifact, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from the samples of an index file, and up to which hash each is complete."""
    table = read_table(work.open(index), ["sample", "limit"]).take(rows).combine_chunks()
    lists = table.column("sample").combine_chunks()
    ends = lists.offsets.to_numpy()[1:] - lists.offsets.to_numpy()[0]
    return lists.flatten().to_numpy(), ends.astype(np.int64), table.column("limit").to_numpy()


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
