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


class Texts:
    """Documents of one component. Arrays have one entry per document."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
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
        from pilebuilder.kernels.textstats import text_stats

        return text_stats(self.data, self.offsets)

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
