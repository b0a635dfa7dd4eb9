"""How often one web address stands on several documents.

Addresses are sampled by their own hash, so all documents of a sampled address are in hand in whatever partition they
lie: counts are exact for it, and rates of the sample estimate those of the component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.report.measures.texts import Texts
from pilebuilder.report.sampled.draw import TOP, draws

if TYPE_CHECKING:
    import pyarrow as pa


def addresses(texts: Texts, part: float) -> pa.Table:
    """``url``, ``documents`` of the sampled addresses of a partition."""
    import pyarrow as pa

    column = texts.column("url")
    if column is None or column.null_count == len(column):
        return pa.table({"url": pa.array([], pa.string()), "documents": pa.array([], pa.int64())})
    counts = column.drop_null().cast(pa.string()).value_counts()
    table = pa.table({"url": counts.field("values"), "documents": counts.field("counts")})
    if part >= 1:
        return table
    return table.take(np.flatnonzero(draws(table.column("url").to_pylist(), 0, "url") < np.uint64(int(part * TOP))))


def add_up(tables: list[pa.Table]) -> pa.Table:
    """Sums by address, sorted by it."""
    import pyarrow as pa

    whole = pa.concat_tables(tables).group_by(["url"], use_threads=False).aggregate([("documents", "sum")])
    return whole.rename_columns({"documents_sum": "documents"}).select(["url", "documents"]).sort_by("url")
