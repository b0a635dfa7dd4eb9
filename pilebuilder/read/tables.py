"""Columnar files to documents: a whole batch of rows at a time, text never leaves Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pilebuilder.read.base import Batch, Item, Quarantined, Raw, Skipped
from pilebuilder.read.streams import StreamError, blocks
from pilebuilder.read.whole import wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.huggingface import HuggingFace
    from pilebuilder.read.parquet import Parquet

BATCH_BYTES = 2 << 20


class Rows:
    """Turns tables of rows into items; counts rows."""

    def __init__(self, options: Parquet | HuggingFace, raw: Raw) -> None:
        self.options, self.raw = options, raw
        self.row = 0

    def items(self, table: pa.Table) -> Iterator[Item]:
        first, self.row = self.row, self.row + table.num_rows
        while any(pa.types.is_struct(f.type) and _inside(f.name, self.options) for f in table.schema):
            table = table.flatten()
        text = _strings(table, self.options.text, pa.large_string())
        if text is None:
            detail = (
                f"no column {self.options.text!r} of strings; the columns are: {', '.join(table.column_names)[:200]}"
            )
            yield from (Quarantined(reason="no_text", offset=first + k, detail=detail) for k in range(table.num_rows))
            return
        keys = self._keys(table, first)
        keep, lost = _usable(text)
        for row, reason in lost:
            if reason == "empty_text":
                yield Skipped(reason=reason, offset=first + row, key=_key(keys, row))
            else:
                yield Quarantined(
                    reason=reason, offset=first + row, detail="the text is no UTF-8", key=_key(keys, row)
                )
        if len(keep):
            yield Batch(table=self._documents(table, text, keys, first).take(keep))

    def _keys(self, table: pa.Table, first: int) -> pa.StringArray:
        """Record keys: the id where there is one, else file and row."""
        ids = _strings(table, self.options.id, pa.string(), numbers=True)
        rows = pa.array([f"{self.raw.name}#{first + k + 1}" for k in range(table.num_rows)], pa.string())
        return rows if ids is None else pc.coalesce(ids, rows)

    def _documents(self, table: pa.Table, text: pa.Array, keys: pa.Array, first: int) -> pa.Table:
        options = self.options
        columns: dict[str, Any] = {"id": keys, "text": text}
        used = {options.text}
        for name, column in (("url", options.url), ("date", options.date), ("licence", options.licence)):
            found = _strings(table, column, pa.string())
            if found is not None:
                columns[name] = found
                used.add(column or "")
        rest = [f.name for f in table.schema if f.name not in used and not _is_binary(f.type)]
        metas = table.select(rest).to_pylist() if rest else [{}] * table.num_rows
        columns["meta"] = pa.array([_json(meta) for meta in metas], pa.string())
        columns["origin_offset"] = pa.array(range(first, first + table.num_rows), pa.int64())
        return pa.table(columns)


def _key(keys: pa.Array, row: int) -> str:
    return str(keys[row].as_py() or "")


def _inside(name: str, options: Parquet | HuggingFace) -> bool:
    """Whether one of the wanted columns lies in a struct of this name."""
    wanted = (options.text, options.id, options.url, options.date, options.licence)
    return any(w and w.startswith(name + ".") for w in wanted)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _json(meta: dict[str, Any]) -> str:
    clean = {k: v for k, v in meta.items() if v is not None}
    try:
        return orjson.dumps(clean, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        import json

        return json.dumps(clean, default=str, ensure_ascii=True, allow_nan=False)


def _strings(table: pa.Table, name: str | None, kind: pa.DataType, *, numbers: bool = False) -> pa.Array | None:
    """A column as one array of strings; None if there is none of that type."""
    if name is None or name not in table.column_names:
        return None
    column = table.column(name)
    found = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found)
    if not (text or pa.types.is_null(found) or (numbers and pa.types.is_integer(found))):
        return None
    array = column.combine_chunks().cast(kind)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _usable(text: pa.Array) -> tuple[pa.Array, list[tuple[int, str]]]:
    """Numbers of the rows that are documents, and the others with the reason."""
    lost: list[tuple[int, str]] = []
    bad: set[int] = set()
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        for row in range(len(text)):
            try:
                text[row].as_py()
            except UnicodeDecodeError:
                bad.add(row)
    sizes = pc.binary_length(text)
    for row in pc.indices_nonzero(
        pc.or_kleene(pc.is_null(sizes), pc.less_equal(pc.fill_null(sizes, 0), 64))
    ).to_pylist():
        if row not in bad and not (text[row].as_py() or "").strip():
            lost.append((row, "empty_text"))
    lost += [(row, "bad_utf8") for row in bad]
    gone = {row for row, _ in lost}
    return pa.array([row for row in range(len(text)) if row not in gone], pa.int64()), sorted(lost)


# Parquet -------------------------------------------------------------------------------------------------------------


def parquet(options: Parquet, raw: Raw) -> Iterator[Item]:
    """Rows of a Parquet file; a row group that cannot be read costs itself."""
    import pyarrow.parquet as pq

    _parquet_ends(raw)
    try:
        file = pq.ParquetFile(raw.path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Quarantined(reason="corrupt", detail=f"the footer cannot be read: {error}"[:200])
        return
    rows, start = Rows(options, raw), 0
    with file:
        for group in range(file.metadata.num_row_groups):
            facts = file.metadata.row_group(group)
            rows.row, expected = start, facts.num_rows
            size = max(1, min(expected, BATCH_BYTES * expected // max(facts.total_byte_size, 1)))
            try:
                for batch in file.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
                    yield from rows.items(pa.Table.from_batches([batch]))
            except (pa.ArrowException, OSError, ValueError) as error:
                detail = f"row group {group}, from row {rows.row} of {start + expected}: {error}"
                yield Quarantined(reason="corrupt", offset=rows.row, detail=detail[:200])
            else:
                if rows.row - start != expected:
                    detail = f"row group {group} has {rows.row - start} rows, not {expected}"
                    yield Quarantined(reason="corrupt", offset=rows.row, detail=detail)
            start += expected


def _parquet_ends(raw: Raw) -> None:
    """Check the magic at both ends; raises `StreamError`."""
    with raw.path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, raw.path.stat().st_size - 4))
        tail = file.read(4)
    if head[:4] == b"PARE" or tail == b"PARE":
        raise StreamError("encrypted", "an encrypted Parquet file")
    if head[:4] != b"PAR1":
        problem = wrong_format("a Parquet file", head)
        raise StreamError(problem.reason, problem.detail)
    if tail != b"PAR1":
        raise StreamError("truncated", "the Parquet file has no footer, so none of it can be read")


# Hugging Face --------------------------------------------------------------------------------------------------------

_BUILDERS = {
    "arrow": "arrow", "parquet": "parquet", "json": "json", "jsonl": "json", "ndjson": "json", "csv": "csv",
    "tsv": "csv", "txt": "text", "xml": "xml", "tar": "webdataset", "md": "text",
}  # fmt: skip


def hugging_face(options: HuggingFace, raw: Raw) -> Iterator[Item]:
    """Rows of a data file through ``datasets``."""
    from pathlib import PurePosixPath

    suffixes = [s.lstrip(".") for s in PurePosixPath(raw.name).suffixes]
    while suffixes and suffixes[-1] in ("gz", "zst", "bz2", "xz"):
        suffixes.pop()
    builder = options.builder or _BUILDERS.get(suffixes[-1] if suffixes else "")
    if builder is None:
        yield Quarantined(reason="wrong_format", detail=f"no builder for {raw.name!r}; give the parameter `builder`")
        return
    for _ in blocks(raw.path, expect=raw.name):  # datasets takes a cut stream for a whole one
        pass
    params: dict[str, Any] = dict(options.params)
    if suffixes and suffixes[-1] == "tsv":
        params.setdefault("sep", "\t")
    rows = Rows(options, raw)
    try:
        for table in _streamed(builder, str(raw.path), params):
            yield from rows.items(table)
    except Exception as error:  # whatever the builder's own parser raises
        yield Quarantined(reason="corrupt", offset=rows.row, detail=f"{type(error).__name__}: {error}"[:200])


def _streamed(builder: str, path: str, params: dict[str, Any]) -> Iterator[pa.Table]:
    import datasets

    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # readers never ask the network; this is all `datasets` would
    datasets.disable_progress_bars()
    found = datasets.load_dataset(builder, data_files=[path], split="train", streaming=True, **params)
    for table in found.with_format("arrow").iter(batch_size=256):
        yield table.replace_schema_metadata(None)
