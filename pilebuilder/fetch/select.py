"""Which items of a listing a recipe takes: a seeded choice that is the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pilebuilder.fetch.base import Item, Want

if TYPE_CHECKING:
    from pilebuilder.units import Take

MEAN_DOCUMENT_BYTES = 6053
"""Bytes of a document when neither the item nor the card knows: the mean over the whole Pile (table 1, 5.91 KiB)."""
LEAST_PART = 1 << 20
"""Bytes below which the beginning of a file is not worth cutting."""
ENOUGH = 0.95
"""Share of the amount at which no further item is drawn to fill the rest."""


class Manner(Protocol):
    """What of a fetcher decides how its listing is drawn from."""

    @property
    def sampled(self) -> bool: ...
    @property
    def partial(self) -> bool: ...


def want(take: Take | None, seed: int, document_bytes: int = MEAN_DOCUMENT_BYTES) -> Want:
    """What to ask a fetcher's listing for."""
    if take is None:
        return Want(seed=seed)
    if take.unit == "files":
        return Want(seed=seed, files=take.amount)
    return Want(seed=seed, bytes=take.amount * (document_bytes if take.unit == "documents" else 1))


def rank(seed: int, component: str, name: str) -> bytes:
    """Place of an item in the seeded order: depends on its own name only, so new items do not move old ones."""
    text = f"{seed}\0{component}\0{name}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def select(
    items: Iterable[Item], take: Take | None, seed: int, component: str, manner: Manner, document_bytes: int = 0
) -> list[Item]:
    """The items that `take` asks for, in the order of the listing.

    Items are drawn in seeded order (a sampled listing is in it already). An item that would pass the amount is cut to
    what is left if its beginning is useful alone, else passed over for smaller ones; when not even one fits, the
    smallest is taken. An item of unknown size counts as one document of the mean size. ``documents`` is an estimate:
    how many documents a raw file holds is known only when it is read.
    """
    if take is None:
        return list(items)
    if take.amount == 0:
        return []
    size = document_bytes or MEAN_DOCUMENT_BYTES
    if manner.sampled:
        return _draw(items, take, size, manner.partial, endless=True)
    listing = list(items)
    order = sorted(listing, key=lambda item: rank(seed, component, item.name))
    chosen = {item.name: item for item in _draw(order, take, size, manner.partial, endless=False)}
    return [chosen[item.name] for item in listing if item.name in chosen]


def _draw(items: Iterable[Item], take: Take, document_bytes: int, partial: bool, *, endless: bool) -> list[Item]:
    chosen: list[Item] = []
    smallest: Item | None = None
    total = 0
    for item in items:
        amount = _amount(item, take, document_bytes)
        left = take.amount - total
        if amount > left:
            if partial and take.unit != "files" and left * _unit(take, document_bytes) >= LEAST_PART:
                chosen.append(head(item, left * _unit(take, document_bytes)))
                break
            if smallest is None or amount < _amount(smallest, take, document_bytes):
                smallest = item
            if endless and total:
                break
            continue
        chosen.append(item)
        total += amount
        if total >= take.amount * (ENOUGH if take.unit == "bytes" else 1):
            break
    return chosen or ([smallest] if smallest else [])


def head(item: Item, size: int) -> Item:
    """The first `size` bytes of an item, as an item of its own."""
    extra = {**item.extra, "_start": 0, "_length": size, "partial": True, "whole": item.size}
    return replace(item, bytes=size, estimate=None, digest=None, extra=extra)


def _unit(take: Take, document_bytes: int) -> int:
    return 1 if take.unit == "bytes" else document_bytes


def _amount(item: Item, take: Take, document_bytes: int) -> int:
    if take.unit == "files":
        return 1
    if take.unit == "documents" and "documents" in item.extra:
        return int(item.extra["documents"])
    size = item.size if item.size is not None else document_bytes
    return max(1, size) if take.unit == "bytes" else max(1, size // document_bytes)
