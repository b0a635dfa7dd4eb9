"""Tasks that look at documents and at ledger rows: each turns its inputs into one small mergeable summary file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import SIGNAL, text_buffers
from pilebuilder.report.counters import Counters
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

LANGUAGE, SCORE = SIGNAL + "lang", SIGNAL + "lang_score"
UNDETERMINED = "und"
SHORT_FOR_LANGUAGE = 20
"""Documents of fewer characters are left out of the language table, and counted."""
SURE = 0.5
"""Below this score the label counts as undetermined; the table shows the threshold-free count beside it."""
EXCERPT = 480
"""Characters of a text that a page shows."""
SHOWN_ROWS = 50
"""Quarantine rows quoted for each component, stage and reason."""


def profile(task: Task, work: Workspace) -> None:
    """Lengths, languages and metadata of one partition's documents, without those that dedup removed."""
    table = survivors(task, work, [*("text", "url", "date", "licence"), LANGUAGE, SCORE])
    counters = Counters()
    if table.num_rows:
        _lengths(table, counters)
        _languages(table, counters)
        _metadata(table, counters)
    counters.write(work.output("profile.parquet", "profile", component=task.component, documents=table.num_rows))


def survivors(task: Task, work: Workspace, wanted: list[str]) -> pa.Table:
    """Wanted columns (those that exist) of the first input, without the rows of its removal list (second input)."""
    import pyarrow.parquet as pq

    from pilebuilder.partition import read_table

    path = work.open(task.inputs[0])
    held = set(pq.read_schema(path).names)
    table = read_table(path, [c for c in wanted if c in held])
    if len(task.inputs) == 1:
        return table
    keep = np.ones(table.num_rows, bool)
    keep[np.asarray(read_table(work.open(task.inputs[1]), ["row"]).column("row"))] = False
    return table.take(np.flatnonzero(keep)).combine_chunks()


def characters(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Code points of each text: its bytes that do not continue a UTF-8 sequence (int64)."""
    starts = np.concatenate([[0], np.cumsum((data[: offsets[-1]] & 0xC0) != 0x80, dtype=np.int64)])
    return np.asarray(starts[offsets[1:]] - starts[offsets[:-1]])


def _text(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    return text_buffers(table.column("text").combine_chunks())


def _lengths(table: pa.Table, counters: Counters) -> None:
    data, offsets = _text(table)
    size = np.diff(offsets)
    counters.add("documents", "", 0, len(size))
    counters.add_lengths("bytes", size)
    counters.add_lengths("characters", characters(data, offsets))
    counters.add("empty", "", 0, int((size == 0).sum()))


def _languages(table: pa.Table, counters: Counters) -> None:
    """Documents, bytes and summed score (in thousandths) by label; short documents are only counted.

    Labels below the score `SURE` count as undetermined; ``language.any`` counts them under their own label.
    """
    import pyarrow.compute as pc

    if LANGUAGE not in table.column_names:
        counters.add("language.unmeasured", "", 0, table.num_rows)
        return
    data, offsets = _text(table)
    size, long = np.diff(offsets), characters(data, offsets) >= SHORT_FOR_LANGUAGE
    counters.add("language.short", "", 0, int((~long).sum()))
    coded = pc.fill_null(table.column(LANGUAGE).cast("string"), UNDETERMINED).combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    score = None
    if SCORE in table.column_names:
        raw = pc.fill_null(table.column(SCORE), 0.0).to_numpy().astype(np.float64)
        score = np.rint(raw * 1000).astype(np.int64)
    sure = np.ones(len(size), bool) if score is None else score >= SURE * 1000
    for code, label in enumerate(coded.dictionary.to_pylist()):
        chosen, label = (codes == code) & long, label or UNDETERMINED
        counters.add("language.any", label, 0, int(chosen.sum()))
        if score is not None:
            counters.add("language.score", label, 0, int(score[chosen].sum()))
        for name, rows in ((label, chosen & sure), (UNDETERMINED, chosen & ~sure)):
            counters.add("language.documents", name, 0, int(rows.sum()))
            counters.add("language.bytes", name, 0, int(size[rows].sum()))


def _metadata(table: pa.Table, counters: Counters) -> None:
    """How many documents lack an address, a date, a licence; documents by year of their date."""
    import pyarrow.compute as pc

    for name in ("url", "date", "licence"):
        if name in table.column_names:
            counters.add("null", name, 0, table.column(name).null_count)
    if "date" in table.column_names:
        years = pc.utf8_slice_codeunits(pc.drop_null(table.column("date")), 0, 4)
        counted = pc.value_counts(years.combine_chunks()) if len(years) else []
        for entry in counted:
            year = entry["values"].as_py()
            if year.isdigit() and len(year) == 4:
                counters.add("year", "", int(year), entry["counts"].as_py())


def merge(task: Task, work: Workspace) -> None:
    """Add up summary files of one component."""
    counters = Counters.read(work.open(a) for a in task.inputs)
    counters.write(work.output("profile.parquet", "profile", component=task.component))


def read_ledger(task: Task, work: Workspace) -> None:
    """What some ledger files say: rows by component, stage, step, action and reason, and the quarantine rows.

    ``{"rows": [[component, stage, step, action, reason, n]], "quarantine": [[component, stage, reason, file, offset,
    detail]]}``; of each component, stage and reason at most `SHOWN_ROWS` quarantine rows, by file and offset.
    """
    import pyarrow as pa

    from pilebuilder.partition import read_table

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
    from pilebuilder.partition import read_table

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

    from pilebuilder.partition import read_table

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
