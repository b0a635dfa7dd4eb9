"""Bits per byte of an order-5 byte model, trained on the training split and read on the test split.

Counts of the byte that follows the 0 to 5 bytes before it, interpolated from short to long contexts after Witten and
Bell 1991. Each document stands alone: its contexts begin with zero bytes. A companion of models, as the compressor of
`pilebuilder.report.compressed` is, and in the same form; it knows the training text, which the compressor does not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.partition import read_table
from pilebuilder.report.compressed import FIELDS
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled.draw import draws
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

ORDER = 5
NAME = f"order-{ORDER} byte model"
TRAINED, READ = 8 << 20, 256 << 10
"""Bytes of training text of the whole corpus, and of test text of each component, about."""

Counts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Of one order: codes of context and byte with their counts; codes of contexts, their counts, their distinct bytes."""


def count(task: Task, work: Workspace) -> None:
    """``bytemodel.json``: rows of `compressed.FIELDS` by component. Inputs: ``overlap-train`` and ``overlap-held``."""
    known = [a for a in task.inputs if a.kind == "overlap-train"]
    model = train(_texts(work, known, task.params["seed"], TRAINED)) if known else []
    found: dict[str, list[int]] = {}
    for component, own in by_component(a for a in task.inputs if a.kind == "overlap-held").items():
        data, offsets = _texts(work, own, task.params["seed"], READ)
        bits = np.rint(np.add.reduceat(np.append(cost(model, data, offsets), 0.0), offsets[:-1])).astype(np.int64)
        size = np.diff(offsets)
        some = size > 0  # reduceat gives an empty document the value after it
        x, b = bits[some], size[some]
        sums = (some.sum(), b.sum(), x.sum(), (b * b).sum(), (x * x).sum(), (x * b).sum())
        found[component] = [int(v) for v in sums]
        assert len(sums) == len(FIELDS)
    work.output("bytemodel.json", "bytemodel").write_text(json.dumps(found if model else {}, sort_keys=True))


def _texts(work: Workspace, parts: list[Artifact], seed: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets of the documents with the lowest draws that make `limit` bytes; at least one."""
    import pyarrow as pa

    table: pa.Table = pa.concat_tables(
        [read_table(work.open(a), ["id", "text"]) for a in parts], promote_options="default"
    )
    table = table.append_column("draw", pa.array(draws(table.column("id").to_pylist(), seed, "byte model")))
    table = table.sort_by([("draw", "ascending"), ("id", "ascending")]).combine_chunks()
    data, offsets = text_buffers(table.column("text").combine_chunks())
    offsets = np.asarray(offsets, np.int64) - offsets[0]
    keep = max(1, int(np.searchsorted(offsets, limit, "right")) - 1)
    return data[: offsets[keep]], offsets[: keep + 1]


def codes(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """uint64 per byte: the byte in the lowest eight bits, the one before it above that, to `ORDER` before it."""
    place = np.arange(len(data)) - np.repeat(offsets[:-1], np.diff(offsets))
    found = data.astype(np.uint64)
    for back in range(1, ORDER + 1):
        before = np.zeros(len(data), np.uint64)
        before[back:] = data[: len(data) - back]
        found |= np.where(place >= back, before, np.uint64(0)) << np.uint64(8 * back)
    return found


def train(texts: tuple[np.ndarray, np.ndarray]) -> list[Counts]:
    """Counts of each order, shortest context first."""
    every = codes(*texts)
    model = []
    for order in range(ORDER + 1):
        pairs, n = np.unique(every & _mask(order), return_counts=True)
        contexts, first = np.unique(pairs >> np.uint64(8), return_index=True)
        total = np.add.reduceat(n, first) if len(n) else n
        model.append((pairs, n, contexts, total, np.diff(np.append(first, len(pairs)))))
    return model


def _mask(order: int) -> np.uint64:
    return np.uint64((1 << 8 * (order + 1)) - 1)


def cost(model: list[Counts], data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Bits of each byte (float64)."""
    every = codes(data, offsets)
    chance = np.full(len(data), 1 / 256)
    for order, (pairs, n, contexts, total, distinct) in enumerate(model):
        wanted = every & _mask(order)
        at, inside = _found(contexts, wanted >> np.uint64(8))
        seen, kinds = np.where(inside, total[at], 0), np.where(inside, distinct[at], 0)
        at, inside = _found(pairs, wanted)
        hits = np.where(inside, n[at], 0)
        known = seen > 0
        chance[known] = (hits + kinds * chance)[known] / (seen + kinds)[known]
    return np.asarray(-np.log2(chance))


def _found(held: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of each value in a sorted array, and whether it is there."""
    at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return at, held[at] == wanted
