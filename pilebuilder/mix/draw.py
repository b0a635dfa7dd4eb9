"""The mix's tasks: count what is left of a partition, and draw it into a run sorted by the global order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.mix import order
from pilebuilder.mix.left import SPLITS, TEST, TRAIN, VAL, column, splits_of, survivors
from pilebuilder.mix.runs import write_run
from pilebuilder.task import Task, Workspace, canonical

if TYPE_CHECKING:
    import pyarrow as pa

GONE = len(SPLITS)


def survey(task: Task, work: Workspace) -> None:
    """Facts: documents left, their bytes of text (an upper bound unless `text`), and the extreme holdout draws."""
    partition, params = task.inputs[0], task.params
    table, kept = survivors(task, work, ["id", "text"] if params["text"] else ["id"])
    ids, least = column(table, "id"), params["least"]
    facts: dict[str, Any] = {"documents": table.num_rows, "text_bytes": int(partition.facts["text_bytes"])}
    if params["text"]:
        lengths = np.diff(text_buffers(column(table, "text"))[1])
        facts |= {"text_bytes": int(lengths.sum()), "largest": int(lengths.max(initial=0))}
        facts["weighted"] = float((lengths * factors_of(task, work, kept)).sum())
    if "tokenizer" in params:
        from pilebuilder.mix.sample import tokens_per_byte

        facts["sample_tokens"], facts["sample_bytes"] = tokens_per_byte(ids, column(table, "text"), params)
    draws = np.sort(order.draw(*order.words(ids), order.keys(params["seed"], "split")))
    facts["low"] = [int(d) for d in draws[:least]]
    facts["high"] = [int(d) for d in draws[len(draws) - min(least, len(draws)) :]]
    work.facts.update(facts)


def factors_of(task: Task, work: Workspace, kept: np.ndarray) -> np.ndarray:
    """Factor on the epochs of each document that is left, by the size of its cluster; 1 unless the mix asks."""
    from pilebuilder.mix import duplicates

    sizes = duplicates.sizes_of(task, work, len(kept))
    if sizes is None:
        return np.ones(int(kept.sum()))
    return duplicates.factors(sizes[kept], task.params["duplicates"])


def draw(task: Task, work: Workspace) -> None:
    """Assign split, copies and place to every document that is left, and write them as a run."""
    (table, kept), params = survivors(task, work), task.params
    table = _plain(table)
    hi, lo = order.words(column(table, "id"))
    split = splits_of(column(table, "id"), params)
    clear_of_heldout(task, work, table, split)
    epochs = params["epochs"] * factors_of(task, work, kept)
    copies = order.copies(order.draw(hi, lo, order.keys(params["seed"], "copies")), epochs)
    copies[split != TRAIN] = split[split != TRAIN] != GONE
    _record(task, work, table, split, copies, epochs)
    rows = np.repeat(np.arange(table.num_rows), copies)
    copy = _ordinals(copies)
    key = order.draw(hi[rows], lo[rows], order.keys(params["seed"], "order"), copy)
    index = Index(split[rows], rows, copy, key)
    path = work.output("run.arrows", "run", component=task.component, shards=params["shards"])
    schema = table.slice(0, 0).append_column("copy", _int32([])).append_column("key", _uint64([])).schema
    groups = write_run(path, schema, index.groups(table, params["slices"], params["shards"]))
    held = {name: {k: group[k] for k in ("rows", "sha256", "length")} for name, group in groups.items()}
    work.output("run.arrows", "run", groups=held)
    work.facts["splits"] = _counts(table, split, copies)


def clear_of_heldout(task: Task, work: Workspace, table: pa.Table, split: np.ndarray) -> None:
    """Training documents that equal a held-out one, or nearly do, leave: their split becomes `GONE`."""
    from pilebuilder.mix import heldout

    files, limit = heldout.files_of(work, task.inputs), task.params["near"]
    train = np.flatnonzero(split == TRAIN)
    if not files or not len(train):
        return
    match = heldout.find(column(table, "text").take(train), files)
    near = match.similarity >= limit if limit is not None else np.zeros(len(train), bool)
    count = work.tally.of(task.component)
    for reason, chosen in (("equals_heldout", match.equal), ("near_heldout", near & ~match.equal)):
        rows = np.flatnonzero(chosen)
        _rows(
            work, task, table, train[rows], "dropped", reason, value=match.similarity[rows],
            threshold=limit if reason == "near_heldout" else 1.0, duplicate_of=[match.partner[r] for r in rows],
        )  # fmt: skip
        count.dropped[reason] += len(rows)
        split[train[rows]] = GONE


def _ordinals(copies: np.ndarray) -> np.ndarray:
    """0, 1, ... within each document's copies: [2, 0, 1] -> [0, 1, 0]."""
    ends = np.cumsum(copies)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - copies, copies)
    return np.asarray(within)


class Index:
    """Placed copies of one partition: split, row in the partition, ordinal of the copy, draw of the order."""

    def __init__(self, split: np.ndarray, rows: np.ndarray, copy: np.ndarray, key: np.ndarray) -> None:
        sort = np.lexsort((copy, rows, key, split))
        self.split, self.rows, self.copy, self.key = split[sort], rows[sort], copy[sort], key[sort]

    def groups(
        self, table: pa.Table, slices: dict[str, int], shards: int
    ) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
        """Name and batches of each split and shard that has documents here."""
        for code, name in enumerate(SPLITS):
            first, last = np.searchsorted(self.split, [code, code + 1])
            bounds = first + np.searchsorted(
                order.bucket(self.key[first:last], slices[name]), np.arange(slices[name] + 1)
            )
            per_shard = slices[name] // (shards if code == TRAIN else 1)
            for shard, start in enumerate(range(0, slices[name], per_shard)):
                cuts = bounds[start : start + per_shard + 1]
                if cuts[0] < cuts[-1]:
                    yield group_name(name, shard, shards), self._batches(table, cuts)

    def _batches(self, table: pa.Table, cuts: np.ndarray) -> Iterator[pa.RecordBatch]:
        for start, stop in itertools.pairwise(cuts):
            rows = table.take(self.rows[start:stop]).combine_chunks()
            rows = rows.append_column("copy", _int32(self.copy[start:stop]))
            rows = rows.append_column("key", _uint64(self.key[start:stop]))
            batches = rows.to_batches()
            assert len(batches) <= 1, "a slice is one contiguous batch"
            yield batches[0] if batches else _empty_batch(rows.schema)


def group_name(split: str, shard: int, shards: int) -> str:
    """``train/07`` with as many digits as the last shard needs (two at least); ``val``; ``test``."""
    return f"train/{shard:0{max(2, len(str(shards - 1)))}}" if split == "train" else split


def _record(
    task: Task, work: Workspace, table: pa.Table, split: np.ndarray, copies: np.ndarray, epochs: np.ndarray
) -> None:
    """Ledger and counts: held-out documents, and those that a fraction of an epoch leaves out."""
    size = np.diff(text_buffers(column(table, "text"))[1])
    absent = (copies == 0) & (split == TRAIN)
    _rows(work, task, table, np.flatnonzero(split == VAL), "held_out", "val")
    _rows(work, task, table, np.flatnonzero(split == TEST), "held_out", "test")
    _rows(work, task, table, np.flatnonzero(absent), "dropped", "epochs", threshold=epochs[absent])
    count = work.tally.of(task.component)
    count.seen, count.kept = table.num_rows, int((copies > 0).sum())
    count.bytes_in, count.bytes_out = int(size.sum()), int(size[copies > 0].sum())
    count.dropped["epochs"] += int(absent.sum())


def _rows(
    work: Workspace, task: Task, table: pa.Table, rows: np.ndarray, action: str, reason: str, **columns: Any
) -> None:
    """A ledger row for each of these documents."""
    work.journal.extend(
        len(rows),
        id=column(table, "id").take(rows),
        component=task.component,
        step="draw",
        action=action,
        reason=reason,
        file=column(table, "origin_file").take(rows),
        offset=column(table, "origin_offset").take(rows),
        **columns,
    )


def _counts(table: pa.Table, split: np.ndarray, copies: np.ndarray) -> dict[str, dict[str, int]]:
    """By split: documents there are, distinct ones placed, copies placed, and the bytes of text of both."""
    size = np.diff(text_buffers(column(table, "text"))[1])
    counts = {}
    for code, name in enumerate(SPLITS):
        chosen = (split == code) & (copies > 0)
        counts[name] = {
            "available": int((split == code).sum()),
            "available_bytes": int(size[split == code].sum()),
            "documents": int(chosen.sum()),
            "copies": int(copies[chosen].sum()),
            "text_bytes": int(size[chosen].sum()),
            "placed_bytes": int((size[chosen] * copies[chosen]).sum()),
        }
    return counts


def mixture(task: Task, work: Workspace) -> None:
    """Write ``mixture.json``: by component the epochs and share asked for, and those that came out.

    ``{"seed", "shards", "components": {name: {"epochs", "share", "tokens_per_byte", "realised_epochs",
    "realised_share", "splits": {split: {"available", "available_bytes", "documents", "copies", "text_bytes",
    "placed_bytes"}}}}}``;
    shares are of the bytes of training text, realised epochs are copies over documents available for training.
    """
    params = task.params
    total = sum(r["train"]["placed_bytes"] for r in params["realised"].values())
    requested = params["requested"] or _asked(params)
    components = {}
    for name, epochs in params["epochs"].items():
        splits = params["realised"].get(name, {})
        train = splits.get("train") or {"available": 0, "copies": 0, "placed_bytes": 0}
        components[name] = {
            "epochs": epochs,
            "share": requested.get(name, 0.0),
            "tokens_per_byte": params["tokens_per_byte"].get(name),
            "realised_epochs": train["copies"] / train["available"] if train["available"] else 0.0,
            "realised_share": train["placed_bytes"] / total if total else 0.0,
            "splits": splits,
        }
    path = work.output("mixture.json", "mixture")
    path.write_text(canonical({"seed": params["seed"], "shards": params["shards"], "components": components}) + "\n")


def _asked(params: Any) -> dict[str, float]:
    """Shares that the epochs ask for, of the text that was there to be drawn."""
    asked = {
        name: splits["train"]["available_bytes"] * params["epochs"][name]
        for name, splits in params["realised"].items()
    }
    total = sum(asked.values())
    return {name: value / total for name, value in asked.items()} if total else {}


def _plain(table: pa.Table) -> pa.Table:
    """Dictionary columns (labels) decoded: a stream with dictionaries is not one batch per slice."""
    import pyarrow as pa

    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    return table.replace_schema_metadata(None).combine_chunks()


def _int32(values: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(np.asarray(values, np.int32))


def _uint64(values: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(np.asarray(values, np.uint64))


def _empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
