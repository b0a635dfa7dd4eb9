"""JSON lines, plain or compressed: ``*.jsonl``, ``.jsonl.zst``, ``.jsonl.gz``, ``.bz2``, ``.xz``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

Key = Annotated[str | None, Field(max_length=200, description="key of this value; dots go into nested objects")]


@reader("jsonl", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Jsonl:
    """JSON lines (jsonlines.org): one object a line, UTF-8, plain or zstd, gzip, bzip2, xz by its first bytes.

    Format: https://jsonlines.org, JSON by RFC 8259; zstd by RFC 8878.
    Record unit: a line that is not blank.
    Id: the value under `id` (string or number), else ``FILE#LINE``, which holds while the file is not cut differently.
    Offset: byte of the decompressed file.
    Text: the string under `text`. The strings under `url`, `date` and `licence` become columns.
    Metadata: every other member of the object, as it was written (an object under `meta` that stands alone is it).
    Licence: the record's, else the raw file's.
    Skip reasons: ``empty_text`` (a null or empty text). Quarantined, one line each: ``bad_json``, ``bad_utf8``,
    ``not_an_object``, ``no_text`` (no string under `text`), ``too_large``; the rest of the file: ``truncated``,
    ``corrupt``, ``trailing_garbage``, ``bomb``, ``window_too_large``; the file: ``wrong_format``.

    ``{"text": "One.\\nTwo.", "id": 7, "lang": "en"}`` gives the text ``One.\\nTwo.`` and the meta
    ``{"id": 7,"lang": "en"}``.
    """

    text: Annotated[str, Field(min_length=1, max_length=200, description="key of the text; dots go into objects")] = (
        "text"
    )
    id: Key = "id"
    url: Key = "url"
    date: Key = "date"
    licence: Key = "license"
    meta: Annotated[str, Field(max_length=200, description="key of a nested object of metadata")] = "meta"
    max_record_bytes: Annotated[int, Field(ge=1024, le=1 << 30, description="longest line, in bytes")] = 64 << 20
    window_log: Annotated[int, Field(ge=10, le=31, description="largest zstd window, as a power of two")] = 27

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.jsonl_blocks import read

        return read(self, raw)
