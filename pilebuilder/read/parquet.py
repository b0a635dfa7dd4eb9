"""Parquet tables, one document a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

Column = Annotated[str | None, Field(max_length=200, description="column of this value; dots go into structs")]


@reader("parquet", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Parquet:
    """Apache Parquet, one document a row.

    Format: https://parquet.apache.org/docs/file-format/.
    Record unit: a row.
    Id: the column `id` (string or number), else ``FILE#ROW`` from 1. Offset: the row's number from 0.
    Text: the column `text`, as it is; the columns `url`, `date` and `licence` become the document's own.
    A row ``{"text": "One.", "lang": "en"}`` gives ``One.``
    Metadata: every other column but binary ones, as JSON.
    Licence: the row's, else the raw file's.
    Skip reasons: ``empty_text`` (null or blank).
    Quarantined: ``no_text`` (no such column of strings), ``truncated`` (no footer), ``wrong_format``, and ``corrupt``
    for a row group that cannot be read; the others go on. Page checksums are verified where the file has them.
    """

    text: Annotated[str, Field(min_length=1, max_length=200, description="column of the text")] = "text"
    id: Column = "id"
    url: Column = "url"
    date: Column = "date"
    licence: Column = "license"

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.tables import parquet
        from pilebuilder.read.whole import whole

        return whole(raw, parquet(self, raw))
