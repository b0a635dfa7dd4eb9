"""Shards as Parquet, for readers that want columns: ``text`` and ``meta``, the same rows in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_BYTES = 32 << 20
"""Text in one row group (the last may hold less); one longer document makes a group of its own with what led to it."""


class ParquetShard:
    """Writes rows as they come; row groups depend on the documents alone, not on how they arrive."""

    def __init__(self, path: Path, meta: Sequence[str], kinds: dict[str, pa.DataType]) -> None:
        self.path, self.meta, self.kinds = path, meta, kinds
        self.writer: Any = None
        self.held: list[pa.Table] = []
        self.bytes = 0

    def write(self, table: pa.Table) -> None:
        """Add rows (columns of a run)."""
        import pyarrow.compute as pc

        rows = self._rows(table)
        ends = np.cumsum(np.asarray(pc.binary_length(rows.column("text"))).astype(np.int64))
        start, base = 0, 0
        while start < len(ends):
            stop = min(len(ends), int(np.searchsorted(ends, base + GROUP_BYTES - self.bytes, "left")) + 1)
            self.held.append(rows.slice(start, stop - start))
            self.bytes += int(ends[stop - 1]) - base
            start, base = stop, int(ends[stop - 1])
            if self.bytes >= GROUP_BYTES:
                self._flush()

    def _rows(self, table: pa.Table) -> pa.Table:
        """``text`` and the struct ``meta`` with pile_set_name, id and the chosen fields."""
        import pyarrow as pa

        fields = {"pile_set_name": table.column("component"), "id": table.column("id")}
        for name in self.meta:
            at = table.schema.get_field_index(name)
            kind = self.kinds.get(name)
            column = table.column(at) if at >= 0 else pa.nulls(table.num_rows, kind or pa.string())
            fields[name.removeprefix("signal.")] = column.cast(kind) if kind is not None else column
        arrays = [_one(column) for column in fields.values()]
        return pa.table({"text": table.column("text"), "meta": pa.StructArray.from_arrays(arrays, list(fields))})

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.concat_tables(self.held).combine_chunks()
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.path, table.schema, compression="zstd", use_dictionary=["meta.pile_set_name", "meta.licence"]
            )
        self.writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.held, self.bytes = [], 0

    def __enter__(self) -> ParquetShard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.held:
            self._flush()
        if self.writer is not None:
            self.writer.close()


def _one(column: Any) -> Any:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
