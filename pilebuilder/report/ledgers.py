"""Tasks that read ledger files, and find the texts that the report shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.partition import read_table
from pilebuilder.report.pieces import groups
from pilebuilder.report.sampled.draw import draws
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

EXCERPT = 512
"""Bytes of a text that a page shows."""
SAMPLES = 25
"""Validation documents of each component that the report may show."""
SHOWN_ROWS = 50
"""Quarantine rows quoted for each component, stage and reason."""


def read_ledger(task: Task, work: Workspace) -> None:
    """What some ledger files say: rows by component, stage, step, action and reason, and the quarantine rows.

    ``{"rows": [[component, stage, step, action, reason, n]], "noted": [[component, reason, n, sum of values]],
    "quarantine": [[component, stage, reason, file, offset, detail]], "samples": {component: [[draw, id]]}}``; of each
    component, stage and reason at most `SHOWN_ROWS` quarantine rows, by file and offset; of each component the
    `SAMPLES` documents of the validation split with the smallest draws of seed and id, so that nobody picks them.
    """
    import pyarrow as pa

    names = ["component", "stage", "step", "action", "reason"]
    tables = [
        read_table(work.open(a), [*names, "id", "file", "offset", "detail", "value"]).cast(_plain_labels())
        for a in task.inputs
    ]
    table = pa.concat_tables(tables).combine_chunks()
    groups = table.group_by(names, use_threads=False).aggregate([([], "count_all")])
    rows = sorted((list(r.values()) for r in groups.select([*names, "count_all"]).to_pylist()), key=_order)
    content: dict[str, Any] = {"rows": rows, "noted": _noted(table), "quarantine": first_rows(_quarantined(table))}
    content["samples"] = _samples(table, task.params["seed"])
    path = work.output("ledger.json", "ledger-summary")
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def draw_samples(task: Task, work: Workspace) -> None:
    """A ledger summary that draws samples from all documents of partitions: for a corpus without validation split.

    Inputs: partitions, each followed by its removal list if it has one.
    """
    from pilebuilder.report.measure import survivors

    found: dict[str, list[list[Any]]] = {}
    for group in groups(task.inputs):
        component = group[0].facts["component"]
        ids = survivors(work, group, ["id"]).column("id").to_pylist()
        drawn = zip(draws(ids, task.params["seed"], "samples").tolist(), ids, strict=True)
        found[component] = sorted([*found.get(component, []), *([draw, i] for draw, i in drawn)])[:SAMPLES]
    content = {"rows": [], "quarantine": [], "samples": found}
    work.output("ledger.json", "ledger-summary").write_text(json.dumps(content, separators=(",", ":")))


def excerpts(task: Task, work: Workspace) -> None:
    """Beginnings of the texts that the report shows, by id: ``{id: {component, text, cut, reason, similarity}}``.

    Inputs: the clusters and ledger summaries, which say what is wanted; partitions; the removal lists of these
    partitions (reason and similarity of the removed). Personal data is masked before the text is cut.
    """
    wanted: set[str] = set()
    for source in task.inputs:
        if source.kind == "clusters":
            clusters = read_table(work.open(source))
            wanted.update(clusters.column("survivor").to_pylist())
            wanted.update(member for members in clusters.column("members").to_pylist() for member in members)
        elif source.kind == "ledger-summary":
            samples = json.loads(work.open(source).read_bytes())["samples"]
            wanted.update(i for drawn in samples.values() for _, i in drawn)
    found: dict[str, dict[str, Any]] = {}
    for source in task.inputs:
        if source.kind not in ("partition", "removal"):
            continue
        path = work.open(source)
        rows = _rows_of(path, wanted)
        if not len(rows):
            continue
        columns = ["id", "text"] if source.kind == "partition" else ["id", "reason", "similarity"]
        for row in read_table(path, columns).take(rows).to_pylist():
            held = found.setdefault(row.pop("id"), {})
            if source.kind == "partition":
                held.update(component=source.facts["component"], **beginning(row["text"]))
            else:
                held.update(row)
    path = work.output("excerpts.json", "excerpts")
    path.write_text(json.dumps(found, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def beginning(text: str, size: int = EXCERPT) -> dict[str, Any]:
    """The first bytes of a text, cut between code points, personal data masked.

    >>> beginning("naïve", 3)
    {'text': 'na', 'cut': True}
    """
    from pilebuilder.report.measures.personal import SECRET_WINDOW, mask

    # A match that the cut would divide is masked whole: look further than what is shown.
    masked = mask(text[: size + SECRET_WINDOW]).encode()
    shown = masked[:size].decode("utf-8", "ignore")
    return {"text": shown, "cut": len(masked) > size or len(text) > size + SECRET_WINDOW}


def _rows_of(path: Path, wanted: set[str]) -> np.ndarray:
    """Row numbers whose id is wanted; reads the ids only."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = read_table(path, ["id"]).column("id")
    inside = pc.is_in(ids, value_set=pa.array(sorted(wanted), ids.type))
    return np.flatnonzero(inside.to_numpy(zero_copy_only=False))


def _plain_labels() -> pa.Schema:
    import pyarrow as pa

    names = ("component", "stage", "step", "action", "reason", "id", "file")
    return pa.schema(
        [(n, pa.string()) for n in names] + [("offset", pa.int64()), ("detail", pa.string()), ("value", pa.float64())]
    )


def _samples(table: pa.Table, seed: int) -> dict[str, list[list[Any]]]:
    """Draws and ids of validation documents, smallest draws first."""
    import pyarrow.compute as pc

    held = table.filter(
        pc.and_(pc.equal(table.column("action"), "held_out"), pc.equal(table.column("reason"), "val"))
    ).select(["component", "id"])
    found: dict[str, list[list[Any]]] = {}
    for component in sorted(set(held.column("component").to_pylist())):
        ids = held.filter(pc.equal(held.column("component"), component)).column("id").to_pylist()
        drawn = draws(ids, seed, "samples").tolist()
        found[component] = sorted([draw, i] for draw, i in zip(drawn, ids, strict=True))[:SAMPLES]
    return found


def _noted(table: pa.Table) -> list[list[Any]]:
    """Documents and sum of values by component and reason, of what steps only took note of."""
    import pyarrow.compute as pc

    held = table.filter(pc.equal(table.column("action"), "noted"))
    sums = held.group_by(["component", "reason"], use_threads=False).aggregate([([], "count_all"), ("value", "sum")])
    rows = sums.select(["component", "reason", "count_all", "value_sum"]).to_pylist()
    return sorted(([r["component"], r["reason"], r["count_all"], r["value_sum"] or 0.0] for r in rows), key=_order)


def _quarantined(table: pa.Table) -> list[list[Any]]:
    import pyarrow.compute as pc

    chosen = table.filter(pc.equal(table.column("action"), "quarantined"))
    columns = ["component", "stage", "reason", "file", "offset", "detail"]
    return [list(row.values()) for row in chosen.select(columns).to_pylist()]


def first_rows(rows: list[list[Any]], limit: int = SHOWN_ROWS) -> list[list[Any]]:
    """The first rows by file and offset of each component, stage and reason: the same from any order of the inputs."""
    seen: dict[tuple[Any, ...], int] = {}
    kept = []
    for row in sorted(rows, key=_order):
        group = tuple(row[:3])
        seen[group] = seen.get(group, 0) + 1
        if seen[group] <= limit:
            kept.append(row)
    return kept


def _order(row: list[Any]) -> list[tuple[bool, Any]]:
    """Sorts rows that hold nulls: a null comes last."""
    return [(value is None, "" if value is None else value) for value in row]
