"""Task that confirms candidates: true similarity of their shingles, components over proven pairs, and survivors.

A batch of candidates fits into memory, unless a single chain of candidate groups is larger: a million copies of one
text. Then whatever grows with it lies in files of the task's own folder or in those it maps, groups are compared and
clusters decided in portions, and the memory that the task holds does not grow. The result is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pilebuilder.dedup import choose, runs, verify
from pilebuilder.dedup.bands import BESIDE
from pilebuilder.dedup.exact import merged_table
from pilebuilder.kernels import clusters
from pilebuilder.kernels import similarity as likeness
from pilebuilder.task import Artifact, Task, Workspace

PIECE = 2048
"""Sets copied at a time where they go to a file."""
LEAST = 4096
"""Fewest candidates decided at a time."""


def confirm(task: Task, work: Workspace) -> None:
    """Task: true similarity of one batch of candidates, components over proven pairs, and their survivors."""
    layout_file, *files = task.inputs
    batch = Batch.read(work, files, task.params["batch"], task.params["limit"])
    _confirm(task, work, batch, runs.Layout.read(work.open(layout_file)), files)


def whole(task: Task, work: Workspace) -> None:
    """Task: `verify.extract` of every partition and `confirm` in one, for candidates that fit into memory: nothing is
    written between."""
    layout_file, assign_file, *files = task.inputs
    layout, assign = runs.Layout.read(work.open(layout_file)), runs.read(work.open(assign_file))
    batch = Batch.extract(work, files, layout, runs.column(assign, "doc"), task.params)
    _confirm(task, work, batch, layout, files)


def _confirm(task: Task, work: Workspace, batch: Batch, layout: runs.Layout, files: list[Artifact]) -> None:
    params = task.params
    root, compared = batch.components(files, params["verify"], params["containment"])
    sizes, order, ends = (batch.scratch(name, np.int64) for name in ("sizes", "order", "ends"))
    total = clusters.by_cluster(root, sizes, ends, order)
    decide = Decision(batch, layout, params)
    found = 0
    for start, stop in _portions(order[:total], root, ends, batch.rows):
        if stop - start > batch.rows:
            decide.giant(order[start:stop])
            found += 1
        else:
            rows = np.array(order[start:stop])
            found += decide.whole(rows, np.array(root[rows]))
        runs.release(root, sizes, order, ends, batch.doc)
    decide.write(sizes, root, compared=compared, clusters=found)
    runs.clear(work)


def _without(rows: np.ndarray, some: np.ndarray) -> np.ndarray:
    """The rows that are not among these."""
    return np.array(rows[~np.isin(rows, some)])


def _portions(order: np.ndarray, root: np.ndarray, ends: np.ndarray, rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of `order` of whole clusters, of about so many rows; a larger cluster alone."""
    start = 0
    while start < len(order):
        stop = min(start + rows, len(order))
        if stop < len(order):
            roots = root[order[start : stop + 1]]
            within = np.flatnonzero(roots[1:] != roots[:-1])
            stop = start + int(within[-1]) + 1 if len(within) else int(ends[roots[0]])
        yield start, stop
        start = stop


@dataclass(slots=True)
class Batch:
    """The candidates of a batch in order of document, and their shingle sets one after the other."""

    work: Workspace
    number: int
    external: bool
    """Whether what grows with the batch lies in files."""
    room: int
    """Bytes of sets to read between two releases of what is mapped."""
    tables: list[pa.Table]
    """The candidates, mapped, by partition."""
    starts: np.ndarray
    """First candidate of each table."""
    doc: np.ndarray
    limits: np.ndarray
    bounds: np.ndarray
    hashes: np.ndarray
    largest: int
    """Hashes of the largest set."""

    @classmethod
    def read(cls, work: Workspace, files: list[Artifact], number: int, limit: int) -> Batch:
        """Map the candidates; gather their sets."""
        tables, flats = [], []
        candidates = runs.open_all(work, files, "candidates")
        for table, flat in zip(candidates, runs.open_all(work, files, "shingles"), strict=True):
            low, high = np.searchsorted(runs.column(table, "batch"), [number, number + 1])
            if high > low:
                tables.append(table.slice(low, high - low))
                flats.append(runs.column(flat, "hashes"))
        count, size, largest = sum(t.num_rows for t in tables), 0, 0
        for table in tables:
            sizes = runs.column(table, "stop") - runs.column(table, "start")
            size, largest = size + int(sizes.sum()), max(largest, int(sizes.max()))
        external = 4 * size + BESIDE * count > 2 * limit
        starts = np.cumsum([0, *(t.num_rows for t in tables)])[:-1]
        doc, limits = (runs.scratch(work, name, count, np.int64, external) for name in ("doc", "limits"))
        bounds = runs.scratch(work, "bounds", count + 1, np.int64, external)
        hashes = runs.scratch(work, "sets", size, np.uint32, external)
        batch = cls(work, number, external, limit, tables, starts, doc, limits, bounds, hashes, largest)
        for table, flat, at in zip(tables, flats, starts, strict=True):
            batch._fill(table, flat, int(at))
        return batch

    @classmethod
    def extract(
        cls, work: Workspace, files: list[Artifact], layout: runs.Layout, doc: np.ndarray, params: Mapping[str, Any]
    ) -> Batch:
        """The same of all candidates (`doc`, ascending) from the texts, held in memory."""
        carry, ngram = choose.carried(params["survivor"]), params["ngram"]
        hashes, filled = np.empty(params["bytes"] // 4 + 64, np.uint32), 0
        tables, starts, limits, bounds = [], [], [], [np.zeros(1, np.int64)]
        sources = iter([a for a in files if a.kind in ("partition", "sketch", "index")])
        for ordinal in params["partitions"]:
            source = [next(sources)]
            if source[0].kind == "partition":
                source.append(next(sources))
            low, high = verify.place(layout, doc, ordinal)
            rows = doc[low:high] - layout.bases[ordinal]
            table, flat, ends, limit = verify.candidates(work, source, rows, carry, ngram, hashes[filled:])
            tables.append(table)
            starts.append(low)
            limits.append(limit)
            bounds.append(ends + filled)
            filled += len(flat)
        bound = np.concatenate(bounds)
        sets = np.concatenate(limits), bound, hashes[:filled], int(np.diff(bound).max())
        return cls(work, 0, False, params["limit"], tables, np.array(starts), doc, *sets)

    def _fill(self, table: pa.Table, flat: np.ndarray, at: int) -> None:
        """Copy one partition's part."""
        low, high = runs.column(table, "start"), runs.column(table, "stop")
        self.doc[at : at + len(low)] = runs.column(table, "doc")
        self.limits[at : at + len(low)] = runs.column(table, "limit")
        self.bounds[at + 1 : at + len(low) + 1] = self.bounds[at] + np.cumsum(high - low)
        for start in range(0, len(low), PIECE if self.external else len(low)):
            part = slice(start, start + (PIECE if self.external else len(low)))
            likeness.gather(flat, low[part], high[part], self.hashes, int(self.bounds[at + start]))
            runs.release(self.hashes)
        runs.release(self.doc, self.limits, self.bounds)

    @property
    def rows(self) -> int:
        """How many candidates to decide at a time."""
        return max(LEAST, self.room // (2 * BESIDE)) if self.external else max(1, len(self.doc))

    @property
    def sets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.hashes, self.bounds, self.limits

    def scratch(self, name: str, kind: type) -> np.ndarray:
        """An array of zeros, one for each candidate."""
        return runs.scratch(self.work, name, len(self.doc), kind, self.external)

    def release(self) -> None:
        """Give back what is mapped."""
        runs.release(self.doc, *self.sets)

    def components(self, files: list[Artifact], jaccard: float, containment: float | None) -> tuple[np.ndarray, int]:
        """Component of each candidate over verified pairs, by its first one, and the number of comparisons."""
        parent, compared = self.scratch("parent", np.int64), 0
        clusters.number(parent)
        for table in runs.open_all(self.work, files, "routed"):
            low, high = np.searchsorted(runs.column(table, "batch"), [self.number, self.number + 1])
            flat, ends = runs.unlists(table, "members", low, high)
            for first, last in self._groups(flat, ends):
                begin = int(ends[first - 1]) if first else 0
                members = np.searchsorted(self.doc, flat[begin : ends[last - 1]])
                compared += likeness.verify(
                    members, ends[first:last] - begin, *self.sets, parent,
                    jaccard=jaccard, containment=containment, largest=self.largest,
                )  # fmt: skip
                self.release()
                runs.release(parent)
        clusters.flatten(parent)
        return parent, compared

    def _groups(self, flat: np.ndarray, ends: np.ndarray) -> Iterator[tuple[int, int]]:
        """Ranges of groups with about `rows` members."""
        first = 0
        while first < len(ends):
            last = len(ends)
            if self.external:
                done = int(ends[first - 1]) if first else 0
                last = max(first + 1, int(np.searchsorted(ends, done + self.rows, "right")))
            yield first, last
            first = last

    def take(self, rows: np.ndarray, columns: list[str]) -> pa.Table:
        """Columns of some candidates, touching only these."""
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        cuts = [*np.searchsorted(ascending, self.starts), len(rows)]
        parts = [
            table.select(columns).take(ascending[low:high] - start)
            for table, start, low, high in zip(self.tables, self.starts, cuts[:-1], cuts[1:], strict=True)
        ]
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(rows))
        return pa.concat_tables(parts).combine_chunks().take(back)


class Decision:
    """Who of each cluster stays, and for whom the others leave."""

    def __init__(self, batch: Batch, layout: runs.Layout, params: Mapping[str, Any]) -> None:
        self.batch, self.layout, self.params = batch, layout, params
        self.carry = choose.carried(params["survivor"])
        self.may = choose.allowed(layout.names, params["policies"], "minhash", params["within"])
        self.replaced, self.similarity = batch.scratch("replaced", np.int64), batch.scratch("similarity", np.float64)
        """For each candidate the one that replaces it plus one, or 0; and how similar it is to that one."""
        self.component = batch.scratch("component", np.int32)
        for start in range(0, len(batch.doc), batch.rows):
            part = slice(start, start + batch.rows)
            self.component[part] = layout.components(batch.doc[part])
            runs.release(self.component, batch.doc)

    def _ordered(self, rows: np.ndarray, label: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The rows in order of cluster (`label`; absent: all are one), best first, and the ends of the clusters."""
        found = self.batch.take(rows, self.carry)
        rules, priority = self.params["survivor"], self.params["priority"]
        keys = choose.rank_keys(found, np.array(self.component[rows]), self.layout.names, rules, priority)
        label = np.zeros(len(rows), np.int64) if label is None else label
        order, ends = choose.in_clusters(label, keys, np.array(self.batch.doc[rows]))
        return rows[order], ends

    def whole(self, rows: np.ndarray, label: np.ndarray) -> int:
        """Decide whole clusters (`label` tells them apart); returns how many there are."""
        best, ends = self._ordered(rows, label)
        if self.params["transitive"]:
            self._leave(best, ends)
        else:
            self._leave_similar(best, ends)
        return len(ends)

    def _leave(self, best: np.ndarray, ends: np.ndarray) -> None:
        """In clusters of rows, best first, a document leaves for the best that may replace it."""
        component = np.array(self.component[best])
        chosen = clusters.choose(np.arange(len(best)), ends, component, self.may)
        self._note(best, np.where(chosen >= 0, best[chosen], -1))

    def _leave_similar(self, best: np.ndarray, ends: np.ndarray, kept: np.ndarray | None = None) -> None:
        """The same, where the best must be similar to it; `kept` holds the survivors of a cluster in portions."""
        bars = {"jaccard": self.params["verify"], "containment": self.params["containment"]}
        bars["largest"] = self.batch.largest
        sets = self.batch.sets
        likeness.choose_similar(best, ends, self.component, self.may, *sets, self.replaced, kept=kept, **bars)
        self._note(best, np.array(self.replaced[best]) - 1)
        runs.release(self.component)

    def giant(self, rows: np.ndarray) -> None:
        """Decide one cluster that does not fit, in portions; `rows` is overwritten."""
        if self.params["transitive"]:
            return self._giant(rows)
        kept = likeness.survivors()
        spare, part_of = (self.batch.scratch(name, np.int64)[: len(rows)] for name in ("spare", "part"))
        for portion in self._best_first(rows, spare, part_of):
            self._leave_similar(portion, np.array([len(portion)]), kept)
            runs.release(rows, spare, part_of)

    def _giant(self, rows: np.ndarray) -> None:
        """What is best of each component, then who leaves for one of these.

        A survivor is the best of its component, since what replaces the best replaces the rest as well.
        """
        size, best = self.batch.rows, np.zeros(0, np.int64)
        for start in range(0, len(rows), size):
            some, _ = self._ordered(np.concatenate([best, rows[start : start + size]]))
            best = some[np.unique(self.component[some], return_index=True)[1]]
        best, ends = self._ordered(best)
        chosen = clusters.choose(np.arange(len(best)), ends, np.array(self.component[best]), self.may)
        kept = best[chosen < 0]
        for start in range(0, len(rows), size):
            self._leave(*self._ordered(np.concatenate([kept, _without(rows[start : start + size], kept)])))

    def _best_first(self, rows: np.ndarray, spare: np.ndarray, part_of: np.ndarray) -> Iterator[np.ndarray]:
        """All rows, best first, in portions that fit. The arrays have the same size and are overwritten.

        Rows are dealt into parts between pivots, which are some of them in order, until a part can be ordered at once.
        """
        size = self.batch.rows
        if len(rows) <= size:
            yield self._ordered(np.array(rows))[0]
            return
        some, _ = self._ordered(np.array(rows[:: -(-len(rows) // size)]))
        parts = min(-(-2 * len(rows) // size), len(some) // 2)
        pivots = some[np.arange(1, parts) * len(some) // parts]
        portions = [slice(start, start + size // 2) for start in range(0, len(rows), size // 2)]
        counts = np.zeros(parts, np.int64)
        for portion in portions:
            some = np.array(rows[portion])
            both, _ = self._ordered(np.concatenate([pivots, _without(some, pivots)]))
            by_row = np.argsort(both)
            part = np.cumsum(np.isin(both, pivots))[by_row][np.searchsorted(both[by_row], some)]
            part_of[portion] = part
            counts += np.bincount(part, minlength=parts)
        ends = np.cumsum(counts)
        filled = ends - counts
        for portion in portions:
            order = np.argsort(part_of[portion], kind="stable")
            part = np.array(part_of[portion][order])
            spare[filled[part] + np.arange(len(part)) - np.searchsorted(part, part)] = rows[portion][order]
            filled += np.bincount(part, minlength=parts)
            runs.release(rows, spare, part_of)
        for low, high in zip(ends - counts, ends, strict=True):
            yield from self._best_first(spare[low:high], rows[low:high], part_of[low:high])

    def _note(self, rows: np.ndarray, by: np.ndarray) -> None:
        """Keep what was decided, with the similarity of each pair."""
        gone = np.flatnonzero(by >= 0)
        gone = gone[np.lexsort((rows[gone], by[gone]))]
        first, second = by[gone], rows[gone]
        self.replaced[second] = first + 1
        self.similarity[second] = likeness.similarities(first, second, *self.batch.sets, largest=self.batch.largest)
        self.batch.release()
        runs.release(self.replaced, self.similarity)

    def write(self, sizes: np.ndarray, root: np.ndarray, **facts: int) -> None:
        """Files of removals, each of about as many candidates as are decided at a time."""
        count, size = len(self.replaced), self.batch.rows
        for number, start in enumerate(range(0, max(1, count), size)):
            gone = np.flatnonzero(self.replaced[start : start + size]) + start
            by = self.replaced[gone] - 1
            survivors, index = np.unique(by, return_inverse=True)
            doc, cluster = self.batch.doc, sizes[root[gone]]
            ids = self.batch.take(survivors, ["id"]).column("id").combine_chunks().take(index)
            merged = merged_table(doc[gone], doc[by], ids, self.similarity[gone], cluster)
            name = f"merged-{number:05}.arrow" if number else "merged.arrow"
            told = facts if not number else {}
            runs.write(merged, self.batch.work.output(name, "merged", documents=len(gone), **told))
            runs.release(self.replaced, self.similarity, sizes, root, doc)
