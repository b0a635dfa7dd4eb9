"""Tasks that make the full-pass summary of each partition, and add summaries up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.partition import read_table, write_table
from pilebuilder.report.counters import Counters
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_NGRAMS = 10_000
"""N-grams of each size that a merged summary keeps."""


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
