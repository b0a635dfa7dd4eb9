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
        if stop - start > batch.rows and params["transitive"]:
            decide.giant(order[start:stop])
            found += 1
        else:
            rows = np.array(order[start:stop])
            found += decide.whole(rows, np.array(root[rows]))
        runs.release(root, sizes, order, ends, batch.doc)
    decide.write(sizes, root, compared=compared, clusters=found)
    batch.close()


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

    def close(self) -> None:
        """Remove the files, if there are any; the arrays must not be used any more."""
        for name in ("doc", "limits", "bounds", "sets", "parent", "sizes", "order", "ends", "replaced", "similarity"):
            (self.work.folder / f"{name}.tmp").unlink(missing_ok=True)


class Decision:
    """Who of each cluster stays, and for whom the others leave."""

    def __init__(self, batch: Batch, layout: runs.Layout, params: Mapping[str, Any]) -> None:
        self.batch, self.layout, self.params = batch, layout, params
        self.carry = choose.carried(params["survivor"])
        self.may = choose.allowed(layout.names, params["policies"], "minhash", params["within"])
        self.replaced, self.similarity = batch.scratch("replaced", np.int64), batch.scratch("similarity", np.float64)
        """For each candidate the one that replaces it plus one, or 0; and how similar it is to that one."""

    def _ordered(self, rows: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Component of each row; the rows in order of cluster, best first, and the ends of the clusters in it."""
        doc = np.array(self.batch.doc[rows])
        component = self.layout.components(doc)
        found = self.batch.take(rows, self.carry)
        rules, priority = self.params["survivor"], self.params["priority"]
        keys = choose.rank_keys(found, component, self.layout.names, rules, priority)
        return component, *choose.in_clusters(label, keys, doc)

    def whole(self, rows: np.ndarray, label: np.ndarray) -> int:
        """Decide whole clusters (`label` tells them apart); returns how many there are."""
        component, best, ends = self._ordered(rows, label)
        if self.params["transitive"]:
            chosen = clusters.choose(best, ends, component, self.may)
            self._note(rows, np.where(chosen >= 0, rows[chosen], -1))
        else:
            every = self.layout.components(self.batch.doc)
            bars = {"jaccard": self.params["verify"], "containment": self.params["containment"]}
            bars["largest"] = self.batch.largest
            chosen = likeness.choose_similar(rows[best], ends, every, self.may, *self.batch.sets, **bars)
            self._note(rows, chosen[rows])
        return len(ends)

    def giant(self, rows: np.ndarray) -> None:
        """Decide one cluster that does not fit: what is best of each component, then who leaves for one of these.

        A survivor is the best of its component, since what replaces the best replaces the rest as well.
        """
        size = self.batch.rows
        best = np.zeros(0, np.int64)
        for start in range(0, len(rows), size):
            some = np.concatenate([best, rows[start : start + size]])
            component, order, _ = self._ordered(some, np.zeros(len(some), np.int64))
            best = some[order[np.unique(component[order], return_index=True)[1]]]
        component, order, ends = self._ordered(best, np.zeros(len(best), np.int64))
        kept = best[clusters.choose(order, ends, component, self.may) < 0]
        for start in range(0, len(rows), size):
            part = np.array(rows[start : start + size])
            some = np.concatenate([kept, part[~np.isin(part, kept)]])
            component, order, ends = self._ordered(some, np.zeros(len(some), np.int64))
            chosen = clusters.choose(order, ends, component, self.may)
            self._note(some, np.where(chosen >= 0, some[chosen], -1))

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
