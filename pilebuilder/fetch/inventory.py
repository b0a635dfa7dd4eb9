"""Tables of the fetch stage: the inventory of raw files that later stages read, and the listing it was drawn from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.fetch.base import Item
from pilebuilder.task import canonical

if TYPE_CHECKING:
    import pyarrow as pa


def schema() -> pa.Schema:
    """Arrow schema of an inventory: one row per raw file, in listing order.

    `path` is absolute for a file that lies where the user put it, else relative to the output folder. `extra` is one
    JSON object: what the listing and the fetch know beside the columns (terms, opt-out signals, final address).
    """
    import pyarrow as pa

    names = ("name", "path", "sha256", "bytes", "url", "licence", "date", "extra")
    return pa.schema([(name, pa.int64() if name == "bytes" else pa.string()) for name in names])


def write_inventory(rows: list[dict[str, Any]], path: Path) -> None:
    """Write an inventory."""
    import pyarrow as pa

    from pilebuilder.partition import write_table

    write_table(pa.Table.from_pylist(rows, schema=schema()), path, level=3)


def write_provenance(rows: list[dict[str, Any]], component: str, path: Path) -> None:
    """Write what of an inventory is published: everything but the places of files on this machine."""
    import pyarrow as pa

    from pilebuilder.partition import write_table

    table = pa.Table.from_pylist(rows, schema=schema()).drop_columns("path")
    write_table(table.add_column(0, "component", pa.array([component] * len(rows), pa.string())), path, level=3)


def write_listing(items: Iterable[Item], path: Path) -> int:
    """Write items as a listing and return how many there are."""
    import pyarrow as pa

    from pilebuilder.partition import write_table

    rows = [_row(item) for item in items]
    kinds = {"bytes": pa.int64(), "estimate": pa.int64()}
    layout = pa.schema([(f.name, kinds.get(f.name, pa.string())) for f in fields(Item)])
    write_table(pa.Table.from_pylist(rows, schema=layout), path, level=3)
    return len(rows)


def read_listing(path: Path) -> list[Item]:
    """Items of a listing, in order."""
    from pilebuilder.partition import read_table

    return [item_of(row) for row in read_table(path).to_pylist()]


def item_of(row: Mapping[str, Any]) -> Item:
    """An item from a listing's row, or from a task's parameters."""
    extra = row.get("extra")
    return Item(**{**row, "extra": json.loads(extra) if isinstance(extra, str) else dict(extra or {})})


def _row(item: Item) -> dict[str, Any]:
    row = {f.name: getattr(item, f.name) for f in fields(Item)}
    return row | {"extra": canonical(dict(item.extra)) if item.extra else None}


def as_params(item: Item) -> dict[str, Any]:
    """An item as task parameters: plain JSON, what is not set left out."""
    row = {f.name: getattr(item, f.name) for f in fields(Item)}
    return {k: (dict(v) if k == "extra" else v) for k, v in row.items() if v not in (None, {})}
