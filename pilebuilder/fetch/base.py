"""What a fetcher is: it lists what an upstream offers, and brings one item of it. Fetchers never parse documents.

A fetcher is a frozen dataclass registered with ``@fetcher(name, version=n)``, built from the card's ``fetch:``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that an upstream offers: a file, a range of an archive, a page, a seed of a generator."""

    name: str
    """Name of the raw file within the component, ``/`` between folders, unique; never an absolute path."""
    address: str
    """Where it comes from: a URL, a local path, or ``generator:...``."""
    bytes: int | None = None
    digest: str | None = None
    """``sha256:...``, ``sha1:...`` or ``md5:...`` when the upstream publishes one."""
    version: str | None = None
    """What tells that the item changed upstream: ETag, snapshot date, or size and modification time of a local file."""
    licence: str | None = None
    date: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A raw file that is complete and verified."""

    item: Item
    path: Path
    sha256: str
    bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Evidence: final address, status, headers that matter, terms, opt-out signals, time of fetching."""


class FetchError(Exception):
    """An item that could not be had: becomes a quarantine row with this reason; other items go on."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Fetcher(Protocol):
    volatile: ClassVar[bool]
    """True when the listing must be made anew in every run (a local folder); False: it is recorded and reused."""

    def discover(self, seed: int) -> Iterator[Item]:
        """List items in a fixed order, cheaply."""

    def fetch(self, item: Item, folder: Path) -> Fetched:
        """Bring one item into `folder` (or point at it where it already lies); raises `FetchError`."""
