"""Cheap measures ride in the fused pass of clean and filter: a row for each document that stays, beside its partition.

Kept are the text statistics that the pass measured for its rules anyway, and counts of personal data. They are whole
numbers of one document each, so what dedup removes later is left out exactly, and nothing is measured twice. What the
rules of a component did not measure, the report measures in its own pass, with the same kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilebuilder.document import Docs
from pilebuilder.registry import report

if TYPE_CHECKING:
    import pyarrow as pa


@report("measures", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Text statistics that the pass has measured, and personal data by type, of each document."""

    def __call__(self, docs: Docs) -> pa.Table:
        """One row for each document: columns of `pilebuilder.kernels.textstats`, and ``personal.*``; int64."""
        import pyarrow as pa

        from pilebuilder.report.measures.personal import counted
        from pilebuilder.report.measures.texts import PERSONAL, Texts

        stats = dict(docs.measured).get("stats")
        columns = {} if stats is None else stats.known()
        columns |= {PERSONAL + name: values for name, values in counted(Texts(docs.table)).items()}
        return pa.table({name: pa.array(values) for name, values in columns.items()})
