"""Keeps train clear of the held-out documents: their equals, and their near-duplicates, leave.

Near-duplicates are found by MinHash as in dedup (word 5-grams, datasketch's permutations), but more finely: 28 bands
of 4 minima propose a pair of Jaccard similarity 0.7 with a chance of 0.9995, 0.5 with 0.84. Of the proposed pairs
those count whose signatures agree in the wanted share of all 112 minima (standard error 0.05 at most). What dedup left
in because it lies below its threshold, or because it may not compare two components, is caught here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from pilebuilder.document import text_buffers
from pilebuilder.mix.left import TRAIN, column, splits_of, survivors
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    from pathlib import Path

NGRAM, BANDS, ROWS, SEED = 5, 28, 4, 1
MINIMA = BANDS * ROWS
CHUNK = 1 << 16
"""Held-out documents in one file of `gather`: what a draw task looks up at a time (45 MiB, mapped)."""
BLOCK = 1 << 15
"""Documents of a partition whose signatures are held at a time (14 MiB)."""
PAIRS = 1 << 18
"""Proposed pairs whose signatures are compared at a time."""
NEVER = np.uint64(0)


@dataclass(frozen=True, slots=True)
class Sketches:
    """What is compared of some documents."""

    digests: np.ndarray
    """uint64 [documents, 2], of the text with white space normalised."""
    signatures: np.ndarray
    """uint32 [documents, MINIMA]"""
    keys: np.ndarray
    """uint64 [documents, BANDS]; `NEVER` for a text without words, which has no near-duplicates."""

    @classmethod
    def of(cls, text: pa.LargeStringArray) -> Sketches:
        """Sketches of texts, one pass over them."""
        from pilebuilder.kernels import minhash

        data, offsets = text_buffers(text)
        signatures, shingles, _ = minhash.signatures(data, offsets, ngram=NGRAM, count=MINIMA, seed=SEED)
        keys = minhash.band_keys(signatures, bands=BANDS, rows=ROWS)
        keys[shingles == 0] = NEVER
        return cls(minhash.digests(data, offsets), signatures, keys)


def hold(task: Task, work: Workspace) -> None:
    """Task: sketch the held-out documents of one partition."""
    table, _ = survivors(task, work, ["id", "text"])
    rows = np.flatnonzero(splits_of(column(table, "id"), task.params) != TRAIN)
    if not len(rows):
        return
    chosen = table.take(rows).combine_chunks()
    sketches = Sketches.of(column(chosen, "text"))
    _write(
        work.output("held.arrow", "held", documents=len(rows)),
        id=chosen.column("id").cast(pa.string()).combine_chunks(),
        digest=_fixed(sketches.digests),
        signature=_fixed(sketches.signatures),
        keys=_fixed(sketches.keys),
    )


def gather(task: Task, work: Workspace) -> None:
    """Task: all held-out documents, in files of at most `CHUNK`, each with its band keys sorted."""
    for number, table in enumerate(_chunks([_read(work.open(a)) for a in task.inputs])):
        keys = _rows(table.column("keys").combine_chunks(), np.uint64).ravel()
        order = np.argsort(keys, kind="stable")
        order = order[np.searchsorted(keys[order], NEVER, "right") :]
        _write(
            work.output(f"documents-{number:04}.arrow", "heldout"), **_columns(table, ("id", "digest", "signature"))
        )
        _write(
            work.output(f"keys-{number:04}.arrow", "heldout"),
            key=pa.array(keys[order]),
            document=pa.array((order // BANDS).astype(np.uint32)),
        )


@dataclass(slots=True)
class Match:
    """Which of some documents are too close to a held-out one."""

    similarity: np.ndarray
    """Largest estimated similarity to a held-out document (float64); 1 for equal texts, 0 where none was proposed."""
    equal: np.ndarray
    partner: list[str | None]
    """Id of that held-out document."""


def find(text: pa.LargeStringArray, files: list[Path]) -> Match:
    """Compare documents with all held-out ones; `files` are those of `gather` in order."""
    match = Match(np.zeros(len(text)), np.zeros(len(text), bool), [None] * len(text))
    for start in range(0, len(text) if files else 0, BLOCK):
        sketches = Sketches.of(text.slice(start, BLOCK))
        for documents, keys in zip(files[0::2], files[1::2], strict=True):
            _compare(sketches, _read(documents), _read(keys), match, start)
    return match


def _compare(sketches: Sketches, held: pa.Table, index: pa.Table, match: Match, first: int) -> None:
    """Note the closest held-out document of each one, if closer than what was found before."""
    signatures = _rows(held.column("signature").chunk(0), np.uint32)
    digests = _rows(held.column("digest").chunk(0), np.uint64)
    ids = held.column("id").chunk(0)
    for rows, partners in _proposed(sketches.keys, index):
        similarity = np.empty(len(rows))
        for at in range(0, len(rows), PAIRS):
            part = slice(at, at + PAIRS)
            similarity[part] = (sketches.signatures[rows[part]] == signatures[partners[part]]).mean(axis=1)
        _keep(match, first + rows, similarity, partners, ids)
    order = np.argsort(digests[:, 0], kind="stable")
    place = np.searchsorted(digests[order, 0], sketches.digests[:, 0])
    nearest = order[np.minimum(place, len(order) - 1)]
    same = np.flatnonzero((digests[nearest] == sketches.digests).all(axis=1))
    match.equal[first + same] = True
    _keep(match, first + same, np.ones(len(same)), nearest[same], ids)


def _proposed(keys: np.ndarray, index: pa.Table) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (row, held-out document) that agree in a band, each once, a bounded number at a time."""
    sorted_keys, documents = index.column("key").chunk(0).to_numpy(), index.column("document").chunk(0).to_numpy()
    low = np.searchsorted(sorted_keys, keys.ravel(), "left")
    count = np.searchsorted(sorted_keys, keys.ravel(), "right") - low
    hits = np.flatnonzero(count)
    ends = np.cumsum(count[hits])
    start = 0
    while start < len(hits):
        base = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, base + 4 * PAIRS, "right")))
        some, sizes = hits[start:stop], count[hits[start:stop]]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        partners = documents[np.repeat(low[some], sizes) + within].astype(np.int64)
        pairs = np.unique(np.repeat(some // BANDS, sizes) << 32 | partners)
        yield pairs >> 32, pairs & 0xFFFFFFFF
        start = stop


def _keep(match: Match, rows: np.ndarray, similarity: np.ndarray, partners: np.ndarray, ids: pa.Array) -> None:
    """Of several partners of a row the closest, the first of equals; it must beat what the row had."""
    order = np.lexsort((partners, -similarity, rows))
    rows, similarity, partners = rows[order], similarity[order], partners[order]
    best = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.zeros(0, np.int64)
    for i in best[similarity[best] > match.similarity[rows[best]]]:
        match.similarity[rows[i]] = similarity[i]
        match.partner[rows[i]] = ids[int(partners[i])].as_py()


def files_of(work: Workspace, inputs: tuple[Artifact, ...]) -> list[Path]:
    """The files of `gather` among a task's inputs."""
    return [work.open(a) for a in inputs if a.kind == "heldout"]


def _chunks(tables: list[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for table in tables:
        for start in range(0, table.num_rows, CHUNK):
            piece = table.slice(start, CHUNK)
            if sum(t.num_rows for t in held) + piece.num_rows > CHUNK:
                yield pa.concat_tables(held).combine_chunks()
                held = []
            held.append(piece)
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _write(path: Path, **columns: Any) -> None:
    """One uncompressed record batch, to be mapped."""
    batch = pa.record_batch(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _read(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _columns(table: pa.Table, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: table.column(name).combine_chunks() for name in names}


def _fixed(values: np.ndarray) -> pa.Array:
    values = np.ascontiguousarray(values)
    width = values.itemsize * values.shape[1]
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, pa.py_buffer(values)])


def _rows(array: Any, kind: Any) -> np.ndarray:
    """A fixed-size binary array as a two-dimensional one, without a copy."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    width = array.type.byte_width // np.dtype(kind).itemsize
    flat = np.frombuffer(array.buffers()[1], kind)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)
