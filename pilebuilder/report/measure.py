"""Tasks that make the full-pass summary and the sample of partitions, and add summaries up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.partition import read_table, write_table
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures import basic, identify
from pilebuilder.report.pieces import groups_by_component
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_NGRAMS = 10_000
"""N-grams of each size that a merged summary keeps."""
TABLES = ("domains", "repeats")


def scan(task: Task, work: Workspace) -> None:
    """Every full-pass measure of some partitions' documents, without those that dedup removed; and their sample.

    Inputs: partitions, each followed by its removal list and by what the fused pass measured, if it has them. Outputs
    of each component: ``profile``, ``domains`` and ``repeats`` where there are any, and a ``sample`` of each partition
    that has a document in it.
    """
    from pilebuilder.report.sampled.draw import draw

    for number, (component, own) in enumerate(groups_by_component(task.inputs).items()):
        counters, documents = Counters(), 0
        tables: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
        for place, group in enumerate(own):
            table = survivors(work, group, ["id", "text", *basic.META, basic.LANGUAGE, basic.SCORE])
            if not table.num_rows:
                continue
            table = identify.identified(table)
            documents += table.num_rows
            shares = task.params["shares"][component]
            for name, made in measure(table, counters, shares["repeats"], known(work, group)).items():
                tables[name].append(made)
            chosen = draw(table, task.params["seed"], shares["sample"])
            if chosen.num_rows:
                facts = {"component": component, "documents": chosen.num_rows, "text_bytes": _size(chosen)}
                write_table(chosen, work.output(f"{number:03}-{place:03}-sample.parquet", "sample", **facts))
        facts = {"component": component, "documents": documents}
        counters.write(work.output(f"{number:03}-profile.parquet", "profile", **facts))
        _write_tables(work, f"{number:03}-", component, tables)


def measure(
    table: pa.Table, counters: Counters, share: float, measured: pa.Table | None = None
) -> dict[str, pa.Table]:
    """Add the full-pass measures of some documents to the counters; returns tables of their domains and repeats.

    `measured` is what the fused pass of clean and filter kept of them.
    """
    from pilebuilder.report.measures import domains, ngrams, personal, repeats, signals
    from pilebuilder.report.measures.texts import Texts

    texts = Texts(table, measured)
    for add in (ngrams.ngrams, basic.lengths, basic.languages, basic.metadata, signals.signals, personal.personal):
        add(texts, counters)
    return {"domains": domains.domains(texts), "repeats": repeats.repeats(texts, share)}


def survivors(work: Workspace, group: Sequence[Artifact], wanted: list[str]) -> pa.Table:
    """Wanted columns (those that exist) of a partition, without the rows of the removal list that may follow it."""
    import pyarrow.parquet as pq

    path = work.open(group[0])
    held = set(pq.read_schema(path).names)
    return _left(work, group, read_table(path, [c for c in wanted if c in held]))


def known(work: Workspace, group: Sequence[Artifact]) -> pa.Table | None:
    """What the fused pass measured of the `survivors`, row by row; None when it did not."""
    for artifact in group:
        if artifact.kind == "measures":
            return _left(work, group, read_table(work.open(artifact)))
    return None


def _left(work: Workspace, group: Sequence[Artifact], table: pa.Table) -> pa.Table:
    for removal in (a for a in group if a.kind == "removal"):
        keep = np.ones(table.num_rows, bool)
        keep[np.asarray(read_table(work.open(removal), ["row"]).column("row"))] = False
        table = table.take(np.flatnonzero(keep)).combine_chunks()
    return table


def _size(table: pa.Table) -> int:
    import pyarrow.compute as pc

    return int(np.asarray(pc.binary_length(table.column("text"))).sum())


def _write_tables(work: Workspace, prefix: str, component: str, tables: Mapping[str, list[pa.Table]]) -> None:
    from pilebuilder.report.measures import domains, repeats

    for name, add_up in (("domains", domains.add_up), ("repeats", repeats.add_up)):
        some = [table for table in tables[name] if table.num_rows]
        if some:
            write_table(add_up(some), work.output(f"{prefix}{name}.parquet", name, component=component))


def merge(task: Task, work: Workspace) -> None:
    """Add up the summary files of one component: counters, and tables of domains and repeats."""
    counters = Counters.read(work.open(a) for a in task.inputs if a.kind == "profile")
    counters.prune("ngram ", KEPT_NGRAMS, "ngram.missed")
    counters.write(work.output("profile.parquet", "profile", component=task.component))
    tables = {name: [read_table(work.open(a)) for a in task.inputs if a.kind == name] for name in TABLES}
    _write_tables(work, "", task.component, tables)
