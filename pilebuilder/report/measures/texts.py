"""What a measure sees of a partition: texts as buffers, columns, and what was measured on them before."""

from __future__ import annotations

import builtins
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.kernels.textstats import TextStats

PERSONAL = "personal."
"""Prefix of the columns that count personal data."""


class Texts:
    """Documents of one component. Arrays have one entry per document.

    `measured` is what the fused pass kept of each (`pilebuilder.report.measures.ride`), row by row.
    """

    def __init__(self, table: pa.Table, measured: Any = None) -> None:
        self.table, self.measured = table, measured
        self.data, offsets = text_buffers(table.column("text").combine_chunks())
        self.offsets = np.ascontiguousarray(offsets, np.int64)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def bytes(self) -> np.ndarray:
        return np.diff(self.offsets)

    @cached_property
    def characters(self) -> np.ndarray:
        """Code points."""
        return np.asarray(self.stats.chars)

    @cached_property
    def stats(self) -> TextStats:
        """What the pass over the texts measured is at hand; the rest is measured when asked for."""
        from pilebuilder.kernels.textstats import COLUMNS, text_stats

        held = self.measured
        kept = [] if held is None else [name for name in COLUMNS if name in held.column_names]
        return text_stats(self.data, self.offsets, {name: np.asarray(held.column(name), np.int64) for name in kept})

    @cached_property
    def structure(self) -> dict[str, np.ndarray]:
        """Columns of `pilebuilder.kernels.structure`, and ``mojibake``: unlikely sequences that ftfy finds."""
        from pilebuilder.kernels.structure import structure

        found = structure(self.data, self.offsets)
        found["mojibake"] = np.zeros(len(self), np.int64)
        suspects = np.flatnonzero(found["suspects"]).tolist()
        if suspects:
            from ftfy.badness import badness

            for row in suspects:
                text = self.data[self.offsets[row] : self.offsets[row + 1]].tobytes().decode()
                found["mojibake"][row] = badness(text)
        return found

    @cached_property
    def personal(self) -> dict[str, np.ndarray]:
        """Matches of personal data in each document, by type."""
        from pilebuilder.report.measures.personal import COUNTED, counted

        if self.measured is None:
            return counted(self)
        return {name: np.asarray(self.measured.column(PERSONAL + name), np.int64) for name in COUNTED}

    @cached_property
    def words(self) -> np.ndarray:
        """Tokens by Unicode word segmentation (UAX #29), white space left out; set by the n-gram measure."""
        raise AssertionError("the n-gram measure runs first")

    @cached_property
    def plain_words(self) -> np.ndarray:
        """Runs of characters other than white space; set by the n-gram measure."""
        raise AssertionError("the n-gram measure runs first")

    def column(self, name: str) -> Any:
        """A column as one array, or None when the partition has no such column."""
        if name not in self.table.column_names:
            return None
        return self.table.column(name).combine_chunks()

    def around(self, row: int, start: int, stop: int, reach: int) -> tuple[builtins.bytes, int]:
        """Bytes of a match and `reach` bytes on each side, inside its document; where the match begins in them."""
        first = max(int(self.offsets[row]), start - reach)
        last = min(int(self.offsets[row + 1]), stop + reach)
        return self.data[first:last].tobytes(), start - first
