"""Tasks that find repeated spans of text: lines, paragraphs, and runs of words.

Lines and paragraphs: a digest of each as a sorted run of keys; those in too many documents are cut from all but the
first. Runs of at least `words` words: texts that share one share a winnowed fingerprint; around shared fingerprints
the hash of every window of `words` words is compared over the corpus, and every window that occurred before is cut.
All keys move through files cut into ranges, so memory follows the budget. Spans begin and end at words, so no
character is cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pilebuilder.dedup import runs
from pilebuilder.dedup.exact import sort_keys
from pilebuilder.document import text_buffers
from pilebuilder.kernels import minhash, ordering, spans
from pilebuilder.partition import read_table
from pilebuilder.task import Task, Workspace


def units(task: Task, work: Workspace) -> None:
    """Task: digests of the lines (or paragraphs) of one partition's remaining documents, each once per document."""
    data, offsets, rows = _texts(task, work)
    index, starts, stops = spans.units(
        data, offsets, rows, paragraphs=task.params["unit"] == "paragraphs", least=task.params["least"]
    )
    keys = minhash.span_digests(data, starts, stops)
    high, low, doc = np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1]), rows[index]
    order = sort_keys(high, low)
    high, low, doc = high[order], low[order], doc[order]
    fresh = np.ones(len(doc), bool)
    fresh[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1]) | (doc[1:] != doc[:-1])
    runs.write(runs.table(high=high[fresh], low=low[fresh], doc=doc[fresh]), work.output("units.arrow", "run"))


def frequent(task: Task, work: Workspace) -> None:
    """Task: in one range of keys, digests in more than so many documents; the documents that must lose them."""
    params = task.params
    columns: dict[str, list[np.ndarray]] = {"high": [], "low": [], "doc": []}
    for table, base in _slices(task, work):
        part = runs.bucket(runs.column(table, "high"), params["bucket"], params["buckets"])
        for name, held in columns.items():
            held.append(runs.column(table, name)[part] + (base if name == "doc" else 0))
    high, low, doc = (np.concatenate(held) for held in columns.values())
    order = sort_keys(high, low)
    high, low, doc = high[order], low[order], doc[order]
    rows, ends = runs.runs_of_equals((high[1:] == high[:-1]) & (low[1:] == low[:-1]))
    sizes = np.diff(ends, prepend=0)
    rank = np.arange(len(rows)) - np.repeat(ends - sizes, sizes)  # documents of a run stand in ascending order
    rows = rows[(np.repeat(sizes, sizes) > params["documents"]) & (rank >= params["keep"])]
    rows = rows[np.argsort(doc[rows], kind="stable")]
    runs.write(
        runs.table(doc=doc[rows], high=high[rows], low=low[rows]), work.output("cuts.arrow", "cuts", of=params["of"])
    )


def fingerprints(task: Task, work: Workspace) -> None:
    """Task: winnowed fingerprints of one partition's remaining documents, sorted."""
    data, offsets, rows = _texts(task, work)
    keys, owners = spans.fingerprints(data, offsets, rows, task.params["words"])
    key, doc = ordering.sort_by_key(keys, rows[owners])
    runs.write(runs.table(key=key, doc=doc), work.output("fingerprints.arrow", "run"))


def shared(task: Task, work: Workspace) -> None:
    """Task: fingerprints of one range that occur twice or more, by the document they occur in."""
    key, (doc,) = _merged(task, work, ["doc"])
    rows, _ = runs.runs_of_equals(key[1:] == key[:-1])
    rows = rows[np.lexsort((key[rows], doc[rows]))]
    runs.write(runs.table(doc=doc[rows], key=key[rows]), work.output("anchors.arrow", "anchors"))


def windows(task: Task, work: Workspace) -> None:
    """Task: hashes of the windows of words around shared fingerprints, sorted."""
    words = task.params["words"]
    half = words // 2
    data, offsets, _ = _texts(task, work)
    base = _layout(task, work).bases[task.params["ordinal"]]
    anchors = _rows_of(task, work, "anchors", base, len(offsets) - 1)
    docs, keys = anchors["doc"] - base, anchors["key"]
    found_key, found_doc, found_at = [], [], []
    for row, low, high in _by_row(docs):
        start, stop = int(offsets[row]), int(offsets[row + 1])
        at = np.flatnonzero(np.isin(spans.ngram_hashes(data, start, stop, half), keys[low:high]))
        hashes = spans.ngram_hashes(data, start, stop, words)
        near = np.zeros(len(hashes) + 1, np.int64)  # windows that hold one of the shared n-grams
        for edge, step in ((at - (words - half), 1), (at + 1, -1)):
            near += step * np.bincount(np.clip(edge, 0, len(hashes)), minlength=len(near))
        places = np.flatnonzero(np.cumsum(near)[:-1] > 0)
        found_key.append(hashes[places])
        found_doc.append(np.full(len(places), row))
        found_at.append(places)
    key = np.concatenate([np.zeros(0, np.uint64), *found_key])
    doc, place = (np.concatenate([np.zeros(0, np.int64), *x]) for x in (found_doc, found_at))
    order = ordering.stable_order(key)
    columns = {"key": key[order], "doc": doc[order], "place": place[order].astype(np.int64)}
    runs.write(runs.table(**columns), work.output("windows.arrow", "run"))


def repeats(task: Task, work: Workspace) -> None:
    """Task: windows of one range that occurred before, in an earlier document or earlier in the same one."""
    key, (doc, place) = _merged(task, work, ["doc", "place"])
    rows, ends = runs.runs_of_equals(key[1:] == key[:-1])
    first = np.zeros(len(rows), bool)
    first[ends - np.diff(ends, prepend=0)] = True  # runs and rows within them come in order of document and place
    rows = rows[~first]
    rows = rows[np.lexsort((place[rows], doc[rows]))]
    runs.write(runs.table(doc=doc[rows], place=place[rows]), work.output("cuts.arrow", "cuts", of="substring"))


def found(
    task: Task, work: Workspace, data: np.ndarray, offsets: np.ndarray, base: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Spans to cut from one partition's texts: (kind, rows, first bytes, bytes after), sorted by row and place."""
    for kind, params in task.params["spans"]:
        cuts = _rows_of(task, work, "cuts", base, len(offsets) - 1, kind)
        docs = cuts.pop("doc") - base
        parts = [np.zeros((3, 0), np.int64)]
        if kind == "substring":
            for row, low, high in _by_row(docs):
                starts, stops = spans.word_bounds(data, int(offsets[row]), int(offsets[row + 1]))
                place = cuts["place"][low:high]
                parts.append(np.stack([np.full(len(place), row), starts[place], stops[place + params["words"] - 1]]))
        elif len(docs):
            rows = np.unique(docs)
            index, starts, stops = spans.units(
                data, offsets, rows, paragraphs=kind == "paragraphs", least=params["least"]
            )  # fmt: skip
            keys = minhash.span_digests(data, starts, stops)
            gone = np.isin(_triples(rows[index], keys[:, 0], keys[:, 1]), _triples(docs, cuts["high"], cuts["low"]))
            parts.append(np.stack([rows[index], starts, stops])[:, gone])
        row, start, stop = np.concatenate(parts, axis=1)
        yield kind, row, start, stop


def _triples(*columns: np.ndarray) -> np.ndarray:
    """Three columns of 8 bytes as one that can be looked up."""
    return np.ascontiguousarray(np.stack([c.astype(np.uint64) for c in columns], axis=1)).view("S24").ravel()


def _layout(task: Task, work: Workspace) -> runs.Layout:
    layout = runs.layout_of(task, work)
    return layout


def _texts(task: Task, work: Workspace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes and offsets of a partition's texts, and the rows that no earlier method removed."""
    (partition,) = (a for a in task.inputs if a.kind == "partition")
    layout, ordinal = _layout(task, work), task.params["ordinal"]
    data, offsets = text_buffers(read_table(work.open(partition), ["text"]).column("text").chunk(0))
    kept = np.ones(len(offsets) - 1, bool)
    for table in runs.open_all(work, task.inputs, "merged"):
        docs = runs.column(table, "doc")
        low, high = np.searchsorted(docs, layout.bases[ordinal] + np.array([0, len(kept)]))
        kept[docs[low:high] - layout.bases[ordinal]] = False
    return data, offsets, np.flatnonzero(kept)


def _slices(task: Task, work: Workspace) -> Iterator[tuple[pa.Table, int]]:
    """The runs of all partitions, each with the number of its first document."""
    layout = _layout(task, work)
    for table, first in zip(runs.open_all(work, task.inputs, "run"), task.params["firsts"], strict=True):
        yield table, int(layout.bases[first])


def _merged(task: Task, work: Workspace, names: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """One range of keys over all runs, sorted, with the named columns; documents in corpus numbers."""
    keys: list[np.ndarray] = []
    columns: list[list[np.ndarray]] = [[] for _ in names]
    for table, base in _slices(task, work):
        key = runs.column(table, "key")
        part = runs.bucket(key, task.params["bucket"], task.params["buckets"])
        keys.append(key[part])
        for name, held in zip(names, columns, strict=True):
            held.append(runs.column(table, name)[part] + (base if name == "doc" else 0))
    key = np.concatenate(keys)
    order = ordering.stable_order(key)
    return key[order], [np.concatenate(held)[order] for held in columns]


def _rows_of(
    task: Task, work: Workspace, kind: str, base: int, documents: int, of: str | None = None
) -> dict[str, np.ndarray]:
    """Rows about one partition's documents in files sorted by document, put together and sorted again."""
    tables = []
    for artifact in task.inputs:
        if artifact.kind != kind or (of is not None and artifact.facts["of"] != of):
            continue
        table = runs.read(work.open(artifact))
        low, high = np.searchsorted(runs.column(table, "doc"), [base, base + documents])
        tables.append(table.slice(low, high - low))
    whole = pa.concat_tables(tables) if tables else runs.table(doc=np.zeros(0, np.int64), place=np.zeros(0, np.int64))
    columns: dict[str, Any] = {name: whole.column(name).to_numpy() for name in whole.column_names}
    order = np.lexsort([columns[name] for name in reversed(whole.column_names)])
    return {name: values[order] for name, values in columns.items()}


def _by_row(rows: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(row, first, last + 1) of each run of equal values of a sorted array."""
    edges = np.flatnonzero(np.diff(rows)) + 1
    for low, high in zip([0, *edges], [*edges, len(rows)], strict=True):
        if high > low:
            yield int(rows[low]), int(low), int(high)
