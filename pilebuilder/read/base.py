"""What a reader is given and what it yields. Readers never touch the network and never write files.

A reader is a frozen dataclass registered with ``@reader(name, version=n)``. Called with a `Raw`, it yields in file
order `Record`, `Batch`, `Skipped` and `Quarantined`. Each of the first three counts documents in, so nothing can
vanish: what is not yielded as a document is yielded with a reason. It must prove that it reached the true end of
its input (frame end, member trailer, archive end block, record count) and yield ``Quarantined(reason="truncated")``
when it cannot; it raises nothing for bad input. Whatever it does raise is caught by the stage and costs the rest of
that one file: a quarantine row ``reader_error`` that names the exception.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One raw file as the fetch stage left it."""

    path: Path
    name: str
    """Its name within the component: stable across machines, with ``/`` between folders."""
    sha256: str
    bytes: int
    component: str
    url: str | None = None
    licence: str | None = None
    date: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Path] = field(default_factory=dict)
    """Other raw files of the component that the reader wants along (`Reader.wants`), by name."""
    settled: pa.Table | None = None
    """What was settled with the other files of the component (`pilebuilder.read.survey`); None for a file alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One document. `key` is the record's own stable identity (a page id, a record id, else name and ordinal)."""

    key: str
    text: str
    offset: int = 0
    url: str | None = None
    date: str | None = None
    licence: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    signals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Many documents as columns (`pilebuilder.document.schema`, without component and origin_file): the fast path.

    `id` holds the reader's keys; the stage turns them into document ids.
    """

    table: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A record of the format that is no document, by rule: a redirect page, an empty text, another licence."""

    reason: str
    offset: int = 0
    key: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A record (or the rest of a file) that should have been a document and could not be read."""

    reason: str
    """Short and stable: truncated, bad_json, bad_utf8, bad_gzip, too_large, parse_error, timeout, ..."""
    offset: int = 0
    detail: str = ""
    """Cause, and the bytes around it through `pilebuilder.ledger.context`; never an unescaped excerpt."""
    key: str = ""


Item = Record | Batch | Skipped | Quarantined


class Reader(Protocol):
    """A reader of a format in which an empty file is normal (source code) says so: ``empty_is_normal = True``."""

    def __call__(self, raw: Raw) -> Iterator[Item]: ...
