"""Hugging Face datasets that lie on this machine, one document a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.parquet import Column
from pilebuilder.registry import reader


@reader("huggingface", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFace:
    """A data file of a Hugging Face dataset through ``datasets.load_dataset``, streamed, without network.

    Format: https://huggingface.co/docs/datasets/loading. The builder is chosen by the file's name (``.arrow``,
    ``.parquet``, ``.json``, ``.jsonl``, ``.csv``, ``.tsv``, ``.txt``, ``.xml``, WebDataset ``.tar``, compressed or
    not) or given by `builder`; `params` go to ``load_dataset`` as they are (``field`` of a JSON file, ``sep`` of a
    CSV). Loading scripts are never run.
    Record unit: a row.
    Id: the column `id` (string or number), else ``FILE#ROW`` from 1.
    Text: the column `text`, as it is; ``{"text": "One.", "lang": "en"}`` gives ``One.``
    Metadata: every column but binary ones and those that became the document's own, as JSON.
    Licence: the row's, else the raw file's.
    Skip reasons: ``empty_text`` (null or blank).
    Quarantined: ``no_text`` (no such column of strings), ``truncated``, ``wrong_format`` (no builder for the name),
    and ``corrupt``: a failure inside ``datasets`` costs the rest of the file.
    """

    text: Annotated[str, Field(min_length=1, max_length=200, description="column of the text")] = "text"
    id: Column = "id"
    url: Column = "url"
    date: Column = "date"
    licence: Column = "license"
    builder: Annotated[str | None, Field(max_length=40, description="arrow, parquet, json, csv, text, ...")] = None
    params: Annotated[dict[str, str | int | bool], Field(description="parameters of the builder")] = field(
        default_factory=dict
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.tables import hugging_face
        from pilebuilder.read.whole import whole

        return whole(raw, hugging_face(self, raw))
