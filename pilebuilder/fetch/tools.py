"""What fetchers work with, loaded when first used: registering a fetcher must cost next to nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pilebuilder.fetch import cdx, oai, reddit, signals
    from pilebuilder.fetch.bring import bring, compose
    from pilebuilder.fetch.crawl import Rules
    from pilebuilder.fetch.credentials import secret_of
    from pilebuilder.fetch.failures import Failed, of_status
    from pilebuilder.fetch.listings import checksums, entries, links, unpacked
    from pilebuilder.fetch.warcparts import payload_headers, whole_members
    from pilebuilder.fetch.web import Page

__all__ = [
    "Failed", "Page", "Rules", "bring", "cdx", "checksums", "compose", "entries", "links", "oai", "of_status",
    "payload_headers", "reddit", "secret_of", "signals", "unpacked", "whole_members",
]  # fmt: skip
_HOMES = {
    "bring": ("bring", "compose"),
    "crawl": ("Rules",),
    "credentials": ("secret_of",),
    "failures": ("Failed", "of_status"),
    "listings": ("checksums", "entries", "links", "unpacked"),
    "warcparts": ("payload_headers", "whole_members"),
    "web": ("Page",),
}
_MODULES = ("cdx", "oai", "reddit", "signals")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"pilebuilder.fetch.{name}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"pilebuilder.fetch.{home}"), name)
    raise AttributeError(name)
