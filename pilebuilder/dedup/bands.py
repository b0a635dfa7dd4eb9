"""Tasks that turn MinHash band keys into candidate groups, and candidate groups into groups that fit into memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pilebuilder.dedup import runs
from pilebuilder.dedup.exact import removed_earlier
from pilebuilder.dedup.sketch import read_sketch, unfixed
from pilebuilder.kernels import clusters, ordering
from pilebuilder.kernels.shinglesets import SAMPLED
from pilebuilder.task import Task, Workspace

PIECE, SHARED = 4096, 16
"""Members of the largest group that is compared as one, and how many of the first each piece of a larger one gets."""
JOINED = 36
"""Bytes that joining holds of a candidate."""
STRIDE = 1 << 20
"""Documents looked at in one go where the corpus does not fit into memory."""
BESIDE = 256
"""Bytes that verification holds of a candidate beside its shingles."""


def scatter(task: Task, work: Workspace) -> None:
    """Task: band keys of the given sketches as one run in parts by key, and how many shingles each document has."""
    key, doc, _ = ordering.deal_pieces(_keys(task, work), runs.MOST_BUCKETS.bit_length() - 1)
    runs.write(runs.table(key=key, doc=doc), work.output("bands.arrow", "run"))


def candidates(task: Task, work: Workspace) -> None:
    """Task: documents that share a band key in one range of keys, as groups of two or more."""
    params = task.params
    layout = runs.layout_of(task, work)
    keys, docs = [], []
    for table, first in zip(runs.open_all(work, task.inputs, "run"), params["firsts"], strict=True):
        key = runs.column(table, "key")
        part = runs.bucket(
            key, params["bucket"], params["buckets"]
        )  # parts stand in order, and a bucket is whole parts
        keys.append(key[part])
        docs.append(runs.column(table, "doc")[part] + layout.bases[first])
    key, doc = np.concatenate(keys), np.concatenate(docs)
    skip = int(params["buckets"]).bit_length() - 1
    dealt = ordering.deal(key.reshape(-1, 1), np.arange(len(key), dtype=np.int32), skip=skip)
    rows, ends = ordering.equal_groups(*dealt)
    _write_groups(work, doc[rows], ends, layout)


def whole(task: Task, work: Workspace) -> None:
    """Task: `scatter` and `candidates` in one, for a corpus whose keys fit into memory: nothing is written between."""
    layout = runs.layout_of(task, work)
    members, ends = ordering.equal_groups(*ordering.deal_pieces(_keys(task, work)))
    _write_groups(work, members, ends, layout)


def _keys(task: Task, work: Workspace) -> list[ordering.Piece]:
    """Band keys of each given sketch, and the rows that take part; writes the numbers of shingles."""
    sketches = [a for a in task.inputs if a.kind in ("sketch", "index")]
    tables = [read_sketch(work.open(a), ["bands", "shingles"]).combine_chunks() for a in sketches]
    sizes = runs.table(shingles=np.concatenate([runs.column(table, "shingles") for table in tables]))
    runs.write(sizes, work.output("sizes.arrow", "sizes"))
    pieces, first = [], 0
    for table in tables:
        bands = table.column("bands").combine_chunks()
        rows = np.flatnonzero(bands.is_valid().to_numpy(zero_copy_only=False))
        rows = rows[~removed_earlier(task, work, first + rows)].astype(np.int32)
        pieces.append((unfixed(bands, np.uint64), rows, first))
        first += table.num_rows
    return pieces


def _write_groups(work: Workspace, members: np.ndarray, ends: np.ndarray, layout: runs.Layout) -> None:
    members, ends = without_foreign(members, ends, layout)
    members, ends = without_repeats(*in_pieces(members, ends))
    facts = {"members": len(members), "groups": len(ends)}
    runs.write(runs.table(members=runs.lists(members, ends)), work.output("groups.arrow", "groups", **facts))


def without_foreign(members: np.ndarray, ends: np.ndarray, layout: runs.Layout) -> tuple[np.ndarray, np.ndarray]:
    """Groups with a document of this corpus: what only other corpora share is not ours to compare."""
    if not len(ends) or not any(name.startswith(runs.INDEXED) for name in layout.names):
        return members, ends
    sizes = np.diff(ends, prepend=0)
    ours = np.add.reduceat(~layout.indexed(members), ends - sizes) > 0
    return members[np.repeat(ours, sizes)], np.cumsum(sizes[ours])


def in_pieces(members: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Very large groups as several of at most `PIECE` members, each led by the first members of the whole group.

    A template or a licence can put a million documents into one group. Its pieces are compared one after the other,
    and the leaders they share tie equal texts of different pieces together.
    """
    sizes = np.diff(ends, prepend=0)
    if not np.any(sizes > PIECE):
        return members, ends
    out, lengths = [], []
    for start, size in zip(ends - sizes, sizes, strict=True):
        group = members[start : start + size]
        if size <= PIECE:
            out.append(group)
            lengths.append(size)
            continue
        for at in range(0, size, PIECE - SHARED):
            piece = group[at : at + PIECE - SHARED]
            piece = np.concatenate([group[:SHARED], piece]) if at else piece
            out.append(piece)
            lengths.append(len(piece))
    return np.concatenate(out), np.cumsum(lengths)


def without_repeats(members: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Groups with the same members are kept once: near-identical texts meet in every band."""
    if not len(ends):
        return members, ends
    starts = np.append(0, ends[:-1])
    mixed = members.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    sums = np.add.reduceat(mixed * np.uint64(0xBF58476D1CE4E5B9), starts)
    sizes = ends - starts
    order = ordering.stable_order(sums + sizes.astype(np.uint64))
    keep = np.ones(len(ends), bool)
    keep[order[1:]] = np.diff((sums + sizes.astype(np.uint64))[order]) != 0
    return members[np.repeat(keep, sizes)], np.cumsum(sizes[keep])


def join(task: Task, work: Workspace) -> None:
    """Task: put candidates that any chain of groups connects into the same batch, each batch small enough to verify.

    Takes one byte for each document of the corpus and `JOINED` for each candidate: in memory where that fits, else in
    files of which only what is in use is held. Groups are mapped file by file.
    """
    layout = runs.layout_of(task, work)
    tables = runs.open_all(work, task.inputs, "groups")
    limit = task.params["limit"]
    is_candidate = runs.scratch(work, "candidates", layout.total, bool, layout.total > limit)
    for table in tables:
        is_candidate[_groups(table)[0]] = True
    count = int(np.count_nonzero(is_candidate))
    external = count * JOINED > 2 * limit
    docs, parent, load = (runs.scratch(work, name, count, np.int64, external) for name in ("docs", "parent", "load"))
    batch = runs.scratch(work, "batch", count, np.int32, external)
    _number(is_candidate, docs, parent)
    for table in tables:
        members, ends = _groups(table)
        clusters.unite_groups(parent, np.searchsorted(docs, members), ends)
        runs.release(docs, parent)
    clusters.flatten(parent)
    _load(task, work, layout, docs, load)
    held = int(load.sum())
    batches = clusters.assign_batches(parent, load, limit, batch)
    runs.write(runs.table(doc=docs, batch=batch), work.output("assign.arrow", "assign"))
    for index, table in enumerate(tables):
        members, ends = _groups(table)
        starts = np.append(0, ends[:-1]).astype(np.int64)[: len(ends)]
        of_group = np.asarray(batch[np.searchsorted(docs, members[starts])])
        order = np.argsort(of_group, kind="stable")
        taken = table.column("members").take(order).combine_chunks() if len(order) else table.column("members")
        routed = pa.table({"batch": of_group[order], "members": taken})
        runs.write(routed, work.output(f"routed-{index:05}.arrow", "routed"))
        runs.release(docs, batch)
    bounds = np.searchsorted(docs, np.append(layout.bases, layout.total))
    work.facts["batches"] = batches
    work.facts["candidates"] = count
    work.facts["bytes"] = held
    work.facts["partitions"] = np.flatnonzero(np.diff(bounds)).tolist()
    runs.clear(work)


def _number(is_candidate: np.ndarray, docs: np.ndarray, parent: np.ndarray) -> None:
    """Document number of each candidate, and each as a component of its own, some at a time."""
    filled = 0
    for start in range(0, len(is_candidate), STRIDE):
        found = np.flatnonzero(is_candidate[start : start + STRIDE]) + start
        docs[filled : filled + len(found)] = found
        parent[filled : filled + len(found)] = np.arange(filled, filled + len(found))
        filled += len(found)
        runs.release(docs, parent, is_candidate)


def _groups(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    return runs.unlists(table, "members", 0, table.num_rows)


def _load(task: Task, work: Workspace, layout: runs.Layout, docs: np.ndarray, load: np.ndarray) -> None:
    """Bytes that verification holds of each candidate, by its number of shingles that `scatter` wrote."""
    for table, first in zip(runs.open_all(work, task.inputs, "sizes"), task.params["firsts"], strict=True):
        base = layout.bases[first]
        low, high = np.searchsorted(docs, [base, base + table.num_rows])
        shingles = runs.column(table, "shingles")[docs[low:high] - base]
        load[low:high] = 4 * np.minimum(shingles, 2 * SAMPLED) + BESIDE
        runs.release(docs, load)
