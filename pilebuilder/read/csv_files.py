"""CSV and TSV tables, one document a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.parquet import Column
from pilebuilder.registry import reader


@reader("csv", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class Csv:
    """CSV (RFC 4180) and its relatives, plain or compressed, with a header line: one document a row.

    Format: RFC 4180 and its relatives: other delimiters, quotes and encodings by parameter.
    Record unit: a row (which may span lines inside quotes).
    Id: the column `id`, else ``FILE#ROW`` from 1. Offset: byte of the decompressed file.
    Text: the columns of `text`, those that are not blank, joined by a blank line; the columns `url`, `date` and
    `licence` become the document's own. Lines that are no UTF-8 are read as `charset` if given, else cp1252.
    Metadata: every other column that is not empty, as a string.
    Licence: the column `licence`, else the raw file's.
    Skip reasons: ``empty_text``.
    Quarantined: ``bad_row`` (another number of cells than the header, broken quotes), ``too_large`` (a cell above
    `max_cell_bytes`), ``truncated`` (the file ends inside quotes), ``no_text`` (the header has no such column; the
    whole file), ``wrong_format``.

    ``id,text\\n1,"One, two."`` gives the text ``One, two.`` and the meta ``{"id": "1"}``.
    """

    text: Annotated[tuple[str, ...], Field(min_length=1, description="columns of the text, in order")] = ("text",)
    id: Column = "id"
    url: Column = "url"
    date: Column = "date"
    licence: Column = "license"
    delimiter: Annotated[
        str | None, Field(min_length=1, max_length=1, description="default: by name, tab or comma")
    ] = None
    escape: Annotated[str | None, Field(min_length=1, max_length=1, description="escape character inside cells")] = (
        None
    )
    charset: Annotated[str | None, Field(max_length=40, description="encoding of lines that are no UTF-8")] = None
    max_cell_bytes: Annotated[int, Field(ge=1024, le=1 << 30, description="longest cell")] = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.csv_rows import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))
