"""The language of documents that no step of the build asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.report.measures.basic import LANGUAGE, SCORE

if TYPE_CHECKING:
    import pyarrow as pa

LETTERS = 4096
"""Bytes of a document's letters that the model reads."""


def best(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label (object) and probability (float32) of each document by lid.176; one without letters is undetermined."""
    from pilebuilder import models
    from pilebuilder.kernels import lid
    from pilebuilder.models import languages

    scorer = models.load("lid.176")
    letters, spans = lid.letters(data, offsets, LETTERS)
    found = scorer.best(letters, spans)
    codes = np.array([languages.normal(name) for name in scorer.labels] + [languages.UNDETERMINED], dtype=object)
    known = spans[1:] > spans[:-1]
    labels = codes[np.where(known, found.label, len(codes) - 1)]
    return labels, np.where(known, found.probability, 0).astype(np.float32)


def identified(table: pa.Table) -> pa.Table:
    """The table with the language columns that a step of the build would have left, if it has none."""
    import pyarrow as pa

    if LANGUAGE in table.column_names:
        return table
    data, offsets = text_buffers(table.column("text").combine_chunks())
    labels, probability = best(data, np.ascontiguousarray(offsets, np.int64))
    table = table.append_column(LANGUAGE, pa.array(labels.tolist(), pa.string()))
    return table.append_column(SCORE, pa.array(probability))
