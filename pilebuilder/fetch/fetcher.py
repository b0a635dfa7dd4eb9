"""What a fetcher is: it lists what an upstream offers, and brings one item of it. Fetchers never parse documents.

A fetcher is a frozen dataclass registered with ``@fetcher(name, version=n)``, built from the card's ``fetch:``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pilebuilder.fetch.base import Fetched, Item, Want

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


class Fetcher(Protocol):
    @property
    def volatile(self) -> bool:
        """True when the listing must be made anew in every run (a local folder); False: it is recorded and reused."""

    @property
    def network(self) -> bool:
        """True when listing or fetching opens connections."""

    @property
    def sampled(self) -> bool:
        """True when `discover` yields in seeded order and may be stopped early: a sample of a huge upstream."""

    @property
    def partial(self) -> bool:
        """True when the beginning of a file is useful alone, so that a budget may cut the last file taken."""

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """List items in a fixed order, cheaply; raises `FetchError` when the upstream's listing cannot be had."""

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        """Write one item to `target` (or point at it where it already lies); raises `FetchError`."""
