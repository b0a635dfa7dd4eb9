"""Tasks that confirm candidates: sets of shingles of the candidates' texts, and their true similarity."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pilebuilder.dedup import choose, runs
from pilebuilder.dedup.exact import write_merged
from pilebuilder.dedup.sketch import read_sketch
from pilebuilder.document import text_buffers
from pilebuilder.kernels import clusters, shinglesets
from pilebuilder.kernels import similarity as likeness
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


def confirm(task: Task, work: Workspace) -> None:
    """Task: true similarity of one batch of candidates, components over proven pairs, and their survivors."""
    params = task.params
    layout_file, *files = task.inputs
    layout = runs.Layout.read(work.open(layout_file))
    found, sets = _load(work, files, params["batch"], params["limit"])
    doc = found.column("doc").to_numpy()
    members, ends = _groups(work, files, params["batch"])
    root, compared = sets.verify(np.searchsorted(doc, members), ends, params["verify"], params["containment"])
    sizes = np.bincount(root, minlength=len(doc))
    rows = np.flatnonzero(sizes[root] > 1)
    component = layout.components(doc)
    part = found.take(rows).combine_chunks()
    keys = choose.rank_keys(part, component[rows], layout.names, params["survivor"], params["priority"])
    best, stops = choose.in_clusters(root[rows], keys, doc[rows])
    may = choose.allowed(layout.names, params["policies"], "minhash", params["within"])
    replaced = np.full(len(doc), -1)
    if params["transitive"]:
        chosen = clusters.choose(best, stops, component[rows], may)
        replaced[rows] = np.where(chosen >= 0, rows[chosen], -1)
    else:
        bars = {"jaccard": params["verify"], "containment": params["containment"]}
        arrays = (sets.hashes, sets.bounds, sets.limits)
        replaced = likeness.choose_similar(rows[best], stops, component, may, *arrays, **bars)
    gone = np.flatnonzero(replaced >= 0)
    gone = gone[np.argsort(replaced[gone], kind="stable")]
    similarity = np.ones(len(doc))
    similarity[gone] = sets.similarities(replaced[gone], gone)
    sets.close()
    write_merged(work, found, replaced, similarity, sizes[root], compared=compared, clusters=len(stops))


@dataclass(slots=True)
class Sets:
    """Shingle sets of one batch, in memory, or mapped from a file when one component alone is larger than the budget.

    A mapped file is read in portions of `room` bytes, after each of which its pages are given back.
    """

    hashes: np.ndarray
    bounds: np.ndarray
    limits: np.ndarray
    room: int
    spill: Path | None

    def verify(
        self, members: np.ndarray, ends: np.ndarray, jaccard: float, containment: float | None
    ) -> tuple[np.ndarray, int]:
        """Component of each set over verified pairs, and the number of comparisons."""
        parent, compared = np.arange(len(self.bounds) - 1), 0
        sizes = np.diff(self.bounds)[members]
        weight = 4 * np.cumsum(sizes)[ends - 1] if len(ends) else ends
        for low, high in self._portions(weight):
            first = ends[low - 1] if low else 0
            compared += likeness.verify(
                members[first : ends[high - 1]], ends[low:high] - first, self.hashes, self.bounds, self.limits,
                parent, jaccard=jaccard, containment=containment,
            )  # fmt: skip
        clusters.flatten(parent)
        return parent, compared

    def similarities(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Jaccard similarity of pairs of sets."""
        out = np.zeros(len(first))
        weight = 4 * np.cumsum(np.diff(self.bounds)[second])
        for low, high in self._portions(weight):
            part = slice(low, high)
            out[part] = likeness.similarities(first[part], second[part], self.hashes, self.bounds, self.limits)
        return out

    def _portions(self, weight: np.ndarray) -> Iterator[tuple[int, int]]:
        """Ranges of items of about `room` bytes; `weight` is the running sum."""
        low = 0
        while low < len(weight):
            high = len(weight)
            if self.spill is not None:
                done = weight[low - 1] if low else 0
                high = max(low + 1, int(np.searchsorted(weight, done + self.room, "right")))
            yield low, high
            low = high
            if self.spill is not None:
                self.hashes._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Remove the file, if there is one."""
        if self.spill is not None:
            self.hashes = self.hashes[:0].copy()
            self.spill.unlink()


def _load(work: Workspace, files: list[Artifact], batch: int, limit: int) -> tuple[pa.Table, Sets]:
    """The batch's candidates in order of document, and their shingle sets one after the other."""
    tables, parts = [], []
    candidates = runs.open_all(work, files, "candidates")
    for table, flat in zip(candidates, runs.open_all(work, files, "shingles"), strict=True):
        low, high = np.searchsorted(runs.column(table, "batch"), [batch, batch + 1])
        if high > low:
            table = table.slice(low, high - low)
            tables.append(table)
            parts.append((runs.column(flat, "hashes"), runs.column(table, "start"), runs.column(table, "stop")))
    found = pa.concat_tables(tables).combine_chunks()  # partitions come in order, and rows in order within a batch
    sizes = np.concatenate([stop - start for _, start, stop in parts])
    bounds = np.append(0, np.cumsum(sizes))
    spill = work.folder / "sets.tmp" if 4 * bounds[-1] > 2 * limit else None
    if spill is None:
        hashes = np.empty(bounds[-1], np.uint32)
        at = 0
        for flat, start, stop in parts:
            likeness.gather(flat, start, stop, hashes, at)
            at += int((stop - start).sum())
    else:
        hashes = _spilled(spill, parts)
    limits = found.column("limit").to_numpy()
    return found.drop_columns(["batch", "start", "stop", "limit"]), Sets(hashes, bounds, limits, limit, spill)


def _spilled(path: Path, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """The sets in a file, mapped."""
    with path.open("wb") as file:
        for flat, start, stop in parts:
            for low in range(0, len(start), TEXT_ROWS):
                part = slice(low, low + TEXT_ROWS)
                piece = np.empty(int((stop[part] - start[part]).sum()), np.uint32)
                likeness.gather(flat, start[part], stop[part], piece, 0)
                file.write(piece.data)
    return np.memmap(path, np.uint32, "r")


def _groups(work: Workspace, files: list[Artifact], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidate groups of the batch over all bucket files."""
    members, ends, filled = [], [], 0
    for table in runs.open_all(work, files, "routed"):
        low, high = np.searchsorted(runs.column(table, "batch"), [batch, batch + 1])
        flat, stops = runs.unlists(table, "members", low, high)
        members.append(flat)
        ends.append(stops + filled)
        filled += len(flat)
    return np.concatenate(members), np.concatenate(ends)
