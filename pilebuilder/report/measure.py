"""Tasks that look at documents and at ledger rows: each turns its inputs into one small mergeable summary file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.partition import read_table, write_table
from pilebuilder.report.counters import Counters
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

EXCERPT = 480
"""Characters of a text that a page shows."""
KEPT_NGRAMS = 10_000
"""N-grams of each size that a merged summary keeps."""
SHOWN_ROWS = 50
"""Quarantine rows quoted for each component, stage and reason."""


def profile(task: Task, work: Workspace) -> None:
    """Every full-pass measure of one partition's documents, without those that dedup removed."""
    from pilebuilder.report.measures import basic, domains, ngrams, personal, signals
    from pilebuilder.report.measures.texts import Texts

    table = survivors(task, work, ["text", *basic.META, basic.LANGUAGE, basic.SCORE])
    counters = Counters()
    if table.num_rows:
        texts = Texts(table)
        for measure in (ngrams.ngrams, basic.lengths, basic.languages, basic.metadata, signals.signals):
            measure(texts, counters)
        personal.personal(texts, counters)
        found = domains.domains(texts)
        if found.num_rows:
            write_table(found, work.output("domains.parquet", "domains", component=task.component))
    counters.write(work.output("profile.parquet", "profile", component=task.component, documents=table.num_rows))


def survivors(task: Task, work: Workspace, wanted: list[str]) -> pa.Table:
    """Wanted columns (those that exist) of the first input, without the rows of its removal list (second input)."""
    import pyarrow.parquet as pq

    path = work.open(task.inputs[0])
    held = set(pq.read_schema(path).names)
    table = read_table(path, [c for c in wanted if c in held])
    if len(task.inputs) == 1:
        return table
    keep = np.ones(table.num_rows, bool)
    keep[np.asarray(read_table(work.open(task.inputs[1]), ["row"]).column("row"))] = False
    return table.take(np.flatnonzero(keep)).combine_chunks()


def merge(task: Task, work: Workspace) -> None:
    """Add up the summary files of one component: counters, and tables of domains."""
    from pilebuilder.report.measures import domains

    counters = Counters.read(work.open(a) for a in task.inputs if a.kind == "profile")
    counters.prune("ngram ", KEPT_NGRAMS, "ngram.missed")
    counters.write(work.output("profile.parquet", "profile", component=task.component))
    tables = [read_table(work.open(a)) for a in task.inputs if a.kind == "domains"]
    if tables:
        write_table(domains.add_up(tables), work.output("domains.parquet", "domains", component=task.component))


def read_ledger(task: Task, work: Workspace) -> None:
    """What some ledger files say: rows by component, stage, step, action and reason, and the quarantine rows.

    ``{"rows": [[component, stage, step, action, reason, n]], "quarantine": [[component, stage, reason, file, offset,
    detail]]}``; of each component, stage and reason at most `SHOWN_ROWS` quarantine rows, by file and offset.
    """
    import pyarrow as pa

    names = ["component", "stage", "step", "action", "reason"]
    tables = [
        read_table(work.open(a), [*names, "file", "offset", "detail"]).cast(_plain_labels()) for a in task.inputs
    ]
    table = pa.concat_tables(tables).combine_chunks()
    groups = table.group_by(names, use_threads=False).aggregate([([], "count_all")])
    rows = sorted((list(r.values()) for r in groups.select([*names, "count_all"]).to_pylist()), key=_order)
    content: dict[str, Any] = {"rows": rows, "quarantine": first_rows(_quarantined(table))}
    path = work.output("ledger.json", "ledger-summary")
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def excerpts(task: Task, work: Workspace) -> None:
    """Beginnings of the texts of cluster members, by id: ``{id: {component, text, cut, reason, similarity}}``.

    Inputs: the clusters, partitions, and the removal lists of these partitions (reason and similarity of the removed).
    """
    clusters = read_table(work.open(task.inputs[0]))
    wanted = {*clusters.column("survivor").to_pylist()}
    wanted.update(member for members in clusters.column("members").to_pylist() for member in members)
    found: dict[str, dict[str, Any]] = {}
    for source in task.inputs[1:]:
        path = work.open(source)
        rows = _rows_of(path, wanted)
        if not len(rows):
            continue
        columns = ["id", "text"] if source.kind == "partition" else ["id", "reason", "similarity"]
        for row in read_table(path, columns).take(rows).to_pylist():
            held = found.setdefault(row.pop("id"), {})
            if source.kind == "partition":
                text = row["text"]
                held.update(component=source.facts["component"], text=text[:EXCERPT], cut=len(text) > EXCERPT)
            else:
                held.update(row)
    path = work.output("excerpts.json", "excerpts")
    path.write_text(json.dumps(found, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def _rows_of(path: Path, wanted: set[str]) -> np.ndarray:
    """Row numbers whose id is wanted; reads the ids only."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = read_table(path, ["id"]).column("id")
    inside = pc.is_in(ids, value_set=pa.array(sorted(wanted), ids.type))
    return np.flatnonzero(inside.to_numpy(zero_copy_only=False))


def _plain_labels() -> pa.Schema:
    import pyarrow as pa

    names = ("component", "stage", "step", "action", "reason", "file")
    return pa.schema([(n, pa.string()) for n in names] + [("offset", pa.int64()), ("detail", pa.string())])


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
