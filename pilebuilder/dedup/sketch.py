"""The sketch: what dedup needs to know of each document, made while its text passes through clean and filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder import registry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from pilebuilder.document import Docs
    from pilebuilder.task import Task, Workspace

TEXT_VERSION = 1
"""Version of the normal form and hashes of `pilebuilder.kernels.shingles`: others do not compare with it."""


@registry.sketch("dedup", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class DedupSketch:
    """Digest, address key and MinHash band keys of each document: about 200 bytes instead of its text.

    Columns, one row per document of the partition, in row order: ``id``; ``digest`` (16 bytes, of the text with white
    space normalised); ``url_key`` (16 bytes, null without an address); ``shingles`` (with repeats); ``bytes`` of text;
    ``date``; ``bands`` (8 bytes for each band, null for a text that has no shingle); ``signature`` (4 bytes for each
    permutation) on request; ``sample`` and ``limit`` (see `pilebuilder.dedup.index`) on request; and the ``signal.*``
    columns that the survivor rule reads.
    """

    near: bool = True
    """Make band keys; without them only exact and address duplicates can be found."""
    ngram: Annotated[int, Field(ge=1, le=64, description="words in a shingle")] = 5
    bands: Annotated[int, Field(ge=1, le=1024)] = 16
    rows: Annotated[int, Field(ge=1, le=256)] = 7
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1
    scheme: Literal["affine32", "legacy"] = "affine32"
    short: Literal["whole", "skip"] = "whole"
    signature: bool = False
    sample: Annotated[int, Field(ge=0, le=1 << 16, description="smallest shingle hashes to keep; 0: none")] = 0
    signals: tuple[str, ...] = ()
    equal: tuple[str, ...] = ()
    """Signals of which a key is kept (``equal.NAME``, 16 bytes; null where the signal is)."""

    def __call__(self, docs: Docs) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        from pilebuilder.kernels import minhash

        data, offsets = docs.buffers()
        how: dict[str, Any] = {"ngram": self.ngram, "seed": self.seed, "scheme": self.scheme}
        signatures, keys, few = None, None, np.zeros(len(docs), bool)
        if self.near and not self.signature:
            how |= {"bands": self.bands, "rows": self.rows}
            digests, keys, shingles, few = minhash.text_keys(data, offsets, **how)
        else:
            digests, shingles = minhash.digests(data, offsets), np.zeros(len(docs), np.int64)
            if self.near:
                signatures, shingles, few = minhash.signatures(data, offsets, count=self.bands * self.rows, **how)
                keys = minhash.band_keys(signatures, bands=self.bands, rows=self.rows)
        absent = (shingles == 0) | (few & (self.short == "skip"))
        columns: dict[str, Any] = {
            "id": docs.column("id"),
            "digest": fixed(digests),
            "url_key": self._url_keys(docs),
            "bytes": pa.array(np.diff(offsets)),
            "date": docs.column("date"),
            "shingles": pa.array(shingles),
            "bands": pa.nulls(len(docs), pa.binary(8 * self.bands)) if keys is None else fixed(keys, absent),
        }
        if signatures is not None:
            columns["signature"] = fixed(signatures, absent)
        if self.sample:
            columns["sample"], columns["limit"] = self._samples(data, offsets, columns["shingles"].to_numpy())
        for name in self.signals:
            columns["signal." + name] = signal(docs.table, name)
        for name in self.equal:
            columns["equal." + name] = self._value_keys(docs, name)
        return pa.table(columns)

    def _samples(self, data: np.ndarray, offsets: np.ndarray, counts: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """Smallest shingle hashes of each text, some texts at a time, and up to which hash they are complete."""
        import numpy as np
        import pyarrow as pa

        from pilebuilder.dedup.runs import lists
        from pilebuilder.kernels import shinglesets

        parts, limits = [], [np.zeros(0, np.int64)]
        for start in range(0, len(counts), 4096):
            part = slice(start, start + 4096)
            rows = np.arange(len(counts))[part]
            hashes, ends = shinglesets.collect(data, offsets, rows, counts[part], self.ngram)
            some, stops, limit = shinglesets.smallest(
                hashes, ends, self.sample, shinglesets.sampling_limits(counts[part])
            )
            parts.append(lists(some, stops))
            limits.append(limit)
        whole = pa.concat_arrays(parts) if parts else pa.array([], pa.large_list(pa.uint32()))
        return whole, pa.array(np.concatenate(limits))

    @staticmethod
    def _value_keys(docs: Docs, name: str) -> pa.Array:
        """Digests of a signal's values as text."""
        import numpy as np
        import pyarrow as pa

        from pilebuilder.document import text_buffers
        from pilebuilder.kernels import minhash

        column = "signal." + name
        if column not in docs.table.column_names:
            return pa.nulls(len(docs), pa.binary(16))
        values = docs.column(column).cast(pa.large_string())
        absent = values.is_null().to_numpy(zero_copy_only=False)
        keys = minhash.digests(*text_buffers(values.fill_null("")))
        return fixed(keys, absent if np.any(absent) else None)

    @staticmethod
    def _url_keys(docs: Docs) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        from pilebuilder.document import text_buffers
        from pilebuilder.kernels import minhash

        urls = docs.column("url")
        if urls.null_count == len(urls):
            return pa.nulls(len(urls), pa.binary(16))
        absent = urls.is_null().to_numpy(zero_copy_only=False)
        keys = minhash.url_keys(*text_buffers(urls.fill_null("").cast(pa.large_string())))
        return fixed(keys, absent if np.any(absent) else None)


def fixed(values: np.ndarray, absent: np.ndarray | None = None) -> pa.Array:
    """Rows of a two-dimensional array as fixed-size binary; null where `absent`."""
    import numpy as np
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    valid = None
    if absent is not None and np.any(absent):
        valid = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    width = values.itemsize * values.shape[1]
    return pa.Array.from_buffers(pa.binary(width), len(values), [valid, pa.py_buffer(values)])


def unfixed(array: pa.Array, kind: Any) -> np.ndarray:
    """The reverse of `fixed`, without a copy; null rows hold whatever they hold."""
    import numpy as np

    width = array.type.byte_width // np.dtype(kind).itemsize
    if not len(array):
        return np.zeros((0, width), kind)
    flat = np.frombuffer(array.buffers()[1], kind)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def signal(table: pa.Table, name: str) -> pa.Array:
    """A signal of the documents as float64; null where it was not measured."""
    import pyarrow as pa

    column = "signal." + name
    if column not in table.column_names:
        return pa.nulls(table.num_rows, pa.float64())
    return table.column(column).combine_chunks().cast(pa.float64())


def make(task: Task, work: Workspace) -> None:
    """Sketch a partition that comes without one (documents given directly to the dedup command)."""
    from pilebuilder.document import Docs
    from pilebuilder.ledger import Count
    from pilebuilder.partition import read_table, write_table

    (partition,) = task.inputs
    table = read_table(work.open(partition))
    docs = Docs(table=table, component=task.component, journal=work.journal, count=Count())
    path = work.output(
        "sketch.parquet", "sketch", component=task.component, documents=len(docs), partition=partition.sha256
    )
    sketch = registry.make("sketch", "dedup", task.params)
    write_table(sketch(docs), path)


def read_sketch(path: Path, columns: list[str]) -> pa.Table:
    """Columns of a sketch, or of an index file in the place of one.

    A document of an index stands for its survivor; a signal that an index does not have is null.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:  # most of it is not compressed: read where it lies
        held = file.schema_arrow.names
        is_index = "survivor" in held
        wanted = [c for c in columns if c in held] + (["survivor"] if is_index else [])
        table = file.read(columns=wanted, use_threads=False).combine_chunks()
    if is_index and "id" in columns:
        names = pc.coalesce(table.column("survivor"), table.column("id"))
        table = table.set_column(table.schema.get_field_index("id"), "id", names)
    for name in columns:
        if name not in held:
            assert name.startswith(("signal.", "equal.")), name
            kind = pa.float64() if name.startswith("signal.") else pa.binary(16)
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return table.select(columns)
