"""JSON lines in the Pile's layout from columns: ``{"text":"...","meta":{"pile_set_name":"...","id":"...",...}}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.shard import escape

if TYPE_CHECKING:
    import pyarrow as pa


def json_lines(table: pa.Table, meta: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """All rows as JSON lines: bytes (uint8) and offsets (int64, rows + 1).

    Text and strings are escaped by compiled loops; the fields of `meta` follow component and id, in the order given.
    A missing string is the empty string and a missing number is null: every line has the same keys and types, which
    is what lets `datasets.load_dataset` infer one schema from the first block and read all shards with it.
    """
    text, text_at = text_buffers(_one(table.column("text")))
    tail, tail_at = text_buffers(_tails(table, meta))
    offsets = np.empty(len(text_at), np.int64)
    escape.line_offsets(text, text_at, tail, tail_at, escape.HEAD, offsets)
    out = np.empty(offsets[-1] + escape.PAD, np.uint8)
    escape.write_lines(text, text_at, tail, tail_at, escape.HEAD, out)
    return out, offsets


def _tails(table: pa.Table, meta: Sequence[str]) -> Any:
    """Per row everything after the text, from its closing quote to the newline."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts: list[Any] = ['","meta":{"pile_set_name":', quoted(table.column("component"))]
    for name in ("id", *meta):
        parts += [f',"{_key(name)}":', _value(table, name)]
    large = pa.large_string()
    scalars = [pa.scalar(p, large) if isinstance(p, str) else p.cast(large) for p in [*parts, "}}\n"]]
    return _one(pc.binary_join_element_wise(*scalars, pa.scalar("", large)))


def _key(name: str) -> str:
    return name.removeprefix("signal.")


def _value(table: pa.Table, name: str) -> Any:
    """One field of meta as JSON text per row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at = table.schema.get_field_index(name)
    if at < 0:  # a signal that this component's steps did not measure
        return pa.array(["null"] * table.num_rows, pa.large_string())
    column = table.column(at)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return quoted(column)
    if pa.types.is_floating(kind):
        # JSON has no infinity; pyarrow prints the shortest digits that read back to the same number.
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
    elif not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"shard.meta: {name!r} is {kind}; strings, numbers and booleans can stand in meta")
    return pc.fill_null(column.cast(pa.large_string()), "null")


def quoted(column: Any) -> Any:
    """Strings as JSON strings with their quotes; null becomes the empty string."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from pilebuilder.document import from_buffers

    array = _one(pc.fill_null(column.cast(pa.large_string()), ""))
    data, at = text_buffers(array)
    offsets = np.empty(len(at), np.int64)
    escape.escaped_offsets(data, at, offsets)
    out = np.empty(offsets[-1] + escape.PAD, np.uint8)
    escape.escape_column(data, at, out)
    large = pa.large_string()
    quote = pa.scalar('"', large)
    return pc.binary_join_element_wise(quote, from_buffers(out, offsets), quote, pa.scalar("", large))


def _one(column: Any) -> Any:
    """A single contiguous large-string array."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column if pa.types.is_large_string(column.type) else column.cast(pa.large_string())
