"""What passes between fetchers and the fetch stage: items, what was fetched, and why something was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that an upstream offers: a file, a range of an archive, a page, a seed of a generator."""

    name: str
    """Name of the raw file within the component, ``/`` between folders, unique; never an absolute path."""
    address: str
    """Where it comes from: a URL, a local path, or ``generator:...``."""
    bytes: int | None = None
    """Exact size when the upstream says it; a fetch that yields another size fails."""
    estimate: int | None = None
    """Size to plan with when the exact one is not known before fetching."""
    digest: str | None = None
    """``sha256:...``, ``sha1:...`` or ``md5:...`` when the upstream publishes one."""
    version: str | None = None
    """What tells that the item changed upstream: ETag, snapshot date, or size and time of a local file."""
    licence: str | None = None
    date: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """Bytes to plan with."""
        return self.bytes if self.bytes is not None else self.estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A raw file that is complete and verified."""

    item: Item
    path: Path
    sha256: str
    bytes: int
    owned: bool = True
    """True: we created the file and it belongs to the corpus. False: it lies where the user put it and stays there."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Evidence that does not change between two fetches of the same content: final address, ETag, opt-out signals."""


class FetchError(Exception):
    """An item that could not be had: becomes a quarantine row with this reason; other items go on.

    `remedy` tells a person what to do about it. `lasting` is False when the same command may succeed later: such items
    are tried again by the next run.
    """

    def __init__(self, reason: str, detail: str, *, remedy: str = "", lasting: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" + (f"; {remedy}" if remedy else ""))
        self.reason, self.detail, self.remedy, self.lasting = reason, detail, remedy, lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What a listing is made for: how much will be taken of it, and by which seed."""

    seed: int = 0
    bytes: int | None = None
    """About so many bytes will be fetched; None: everything."""
    files: int | None = None


class LeftOut(FetchError):
    """An item that is left out by a rule of the card or the policy: counted as dropped, not as a failure."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail, lasting=True)


def safe_name(name: str) -> str:
    """`name` if it can stand as a relative path below any folder; raises `FetchError` otherwise.

    >>> safe_name("2004/07/05/#ubuntu.txt")
    '2004/07/05/#ubuntu.txt'
    """
    parts = name.split("/")
    if not name or len(name) > 1000 or any(p in ("", ".", "..") or len(p.encode()) > 240 for p in parts):
        raise FetchError("bad_name", f"{name[:120]!r} is not a relative file name", lasting=True)
    if "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise FetchError("bad_name", f"{name[:120]!r} holds a character that file names must not", lasting=True)
    return name
