"""Partitions: bounded Parquet tables of documents between stages, and the writer that keeps them bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.document import schema
from pilebuilder.task import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION_BYTES = 64 << 20
"""Bytes of text in a partition unless the recipe's memory budget says less; one longer document stands alone."""

HASHES = frozenset({"digest", "url_key", "bands", "signature"})
"""Columns of random bits, which nothing compresses."""


def write_table(
    table: pa.Table, path: Path, row_group_size: int | None = None, *, level: int = 1, reread: bool = False
) -> None:
    """Parquet with zstd, the same bytes for the same table: text plain, hashes raw, short columns dictionary-coded.

    `reread` says that many tasks will read the text: LZ4 packs it two fifths larger and is read twice as fast.
    """
    import pyarrow.parquet as pq

    plain = {"text", "id", "url", "meta", "duplicate_of", "detail", *HASHES}
    codecs = {n: "none" if n in HASHES else "lz4" if reread and n == "text" else "zstd" for n in table.column_names}
    pq.write_table(
        table,
        path,
        row_group_size=row_group_size or max(1, table.num_rows),
        compression=codecs,
        compression_level={name: level for name, codec in codecs.items() if codec == "zstd"},
        use_dictionary=[n for n in table.column_names if n not in plain],
        write_statistics=False,
        store_schema=True,
    )


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A whole partition (or some of its columns), single-threaded and contiguous."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:  # pq.read_table would import the dataset layer, and with it pandas
        return file.read(columns=columns, use_threads=False).combine_chunks()


class PartitionWriter:
    """Collects documents of one component and writes a partition whenever the text reaches the limit.

    The cut depends on the documents alone, so partitions are the same whatever worker writes them.
    """

    def __init__(self, work: Workspace, component: str, limit: int = PARTITION_BYTES) -> None:
        self.work, self.component, self.limit = work, component, limit
        self.ordinal = 0
        self._tables: list[pa.Table] = []
        self._bytes = 0

    def write(self, table: pa.Table) -> None:
        """Add documents (columns of `pilebuilder.document.schema`, signals allowed)."""
        for piece, size in pieces(table, self.limit, held=self._bytes):
            if self._tables and self._bytes + size > self.limit:
                self.flush()
            if piece.num_rows:
                self._tables.append(piece)
                self._bytes += size

    def flush(self) -> None:
        """Write what is held, if anything, as the next partition."""
        import pyarrow as pa

        if not self._tables:
            return
        table = pa.concat_tables(self._tables)  # not made one: that would copy every text
        path = self.work.output(
            f"{self.ordinal:05}.parquet",
            "partition",
            component=self.component,
            documents=table.num_rows,
            text_bytes=self._bytes,
        )
        write_table(table, path)
        self.ordinal += 1
        self._tables, self._bytes = [], 0

    def __enter__(self) -> PartitionWriter:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.flush()


def pieces(table: pa.Table, limit: int, held: int = 0) -> Iterator[tuple[pa.Table, int]]:
    """Slices of at most `limit` bytes of text (or one document), with sizes; the first one fills up what is held.

    When not even one document fits beside what is held, the first slice is empty and tells so by its size.
    """
    import numpy as np
    import pyarrow.compute as pc

    sizes = np.asarray(pc.binary_length(table.column("text"))).astype(np.int64)
    ends = np.cumsum(sizes)
    start = 0
    room = limit - held
    while start < len(sizes):
        base = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, base + room, "right"))
        if stop <= start:
            if room < limit:
                yield table.slice(0, 0), limit + 1
                room = limit
                continue
            stop = start + 1
        yield table.slice(start, stop - start), int(ends[stop - 1] - base)
        start, room = stop, limit


def empty() -> pa.Table:
    """A partition of no documents."""
    return schema().empty_table()
