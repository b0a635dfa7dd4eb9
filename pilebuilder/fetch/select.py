"""Which items of a listing a recipe takes: a seeded choice that is the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pilebuilder.fetch.base import Item, Want

if TYPE_CHECKING:
    from pilebuilder.units import Take

MEAN_DOCUMENT_BYTES = 6053
"""Bytes of a document when neither the item nor the card knows: the mean over the whole Pile (table 1, 5.91 KiB)."""


def want(take: Take | None, seed: int, document_bytes: int = MEAN_DOCUMENT_BYTES) -> Want:
    """What to ask a fetcher's listing for."""
    if take is None:
        return Want(seed=seed)
    if take.unit == "files":
        return Want(seed=seed, files=take.amount)
    return Want(seed=seed, bytes=take.amount * (document_bytes if take.unit == "documents" else 1))


def rank(seed: int, component: str, name: str) -> bytes:
    """Place of an item in the seeded order: depends on its own name only, so new items do not move old ones."""
    return hashlib.blake2b(f"{seed}\0{component}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def select(
    items: Iterable[Item],
    take: Take | None,
    seed: int,
    component: str,
    *,
    ordered: bool = False,
    document_bytes: int = 0,
) -> list[Item]:
    """The items that `take` asks for, in the order of the listing (`ordered`: the listing is already in seeded order).

    Items are drawn in seeded order until the amount is reached; the last one drawn may go past it. An item of unknown
    size counts as one document of the mean size. ``documents`` is an estimate: how many documents a raw file holds is
    known only when it is read.
    """
    document_bytes = document_bytes or MEAN_DOCUMENT_BYTES
    if take is None:
        return list(items)
    if take.amount == 0:
        return []
    chosen: list[Item] = []
    total = 0
    if ordered:
        for item in items:
            chosen.append(item)
            total += _amount(item, take, document_bytes)
            if total >= take.amount:
                break
        return chosen
    listing = list(items)
    drawn = set()
    for place in sorted(range(len(listing)), key=lambda i: rank(seed, component, listing[i].name)):
        drawn.add(place)
        total += _amount(listing[place], take, document_bytes)
        if total >= take.amount:
            break
    return [item for place, item in enumerate(listing) if place in drawn]


def _amount(item: Item, take: Take, document_bytes: int) -> int:
    if take.unit == "files":
        return 1
    if take.unit == "documents" and "documents" in item.extra:
        return int(item.extra["documents"])
    size = item.size if item.size is not None else document_bytes
    return size if take.unit == "bytes" else max(1, size // document_bytes)
