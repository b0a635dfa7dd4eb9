"""Similarity of sets of shingle hashes: pairs that are proven, and survivors that resemble what they replace."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.clusters import ALLOWED, COMPONENTS, INDEX, INT64S, find, unite
from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.lanes import LANES, equal64, trailing_zeros
from pilebuilder.kernels.shinglesets import slots_for, table_size

U = np.uint64
SET = types.Array(types.uint32, 1, "C", readonly=True)
OUT = types.Array(types.uint32, 1, "C")
SLOTS = types.Array(types.uint64, 1, "C")
FLOATS = types.Array(types.float64, 1, "C")

WHOLE_GROUP = 64
"""Documents that share a band key are compared all with all up to this many; beyond, with `LEADERS` of the group."""
LEADERS = 32
RIVALS = 1024
"""Survivors of one cluster that a text is compared with when each removal must be similar to its survivor."""


@kernel(types.void(SET, INT64S, INT64S, OUT, types.int64))
def gather(values: Any, starts: Any, stops: Any, out: Any, at: Any) -> None:
    """Copy the pieces ``values[starts[k]:stops[k]]`` one after the other into `out` from `at` on."""
    for k in range(len(starts)):
        for i in range(starts[k], stops[k]):
            out[at] = values[i]
            at += 1


SCANNED = 512
"""Sets of at most so many hashes are searched without a table: `LANES` of them are compared at once."""


@kernel(types.uint64(SET, types.int64, types.int64, SLOTS, types.uint64))
def _load(hashes: Any, start: Any, stop: Any, slots: Any, stamp: Any) -> Any:
    """Put a set into the table, each hash below the stamp; returns the mask of the part of the table that it uses.

    A small set needs none: 0.
    """
    if stop - start <= SCANNED:
        return U(0)
    mask = U(table_size(stop - start) - 1)
    for k in range(start, stop):
        entry = U(hashes[k]) | (stamp << U(32))
        slot = entry & mask
        while slots[slot] >> U(32) == stamp:
            slot = (slot + U(1)) & mask
        slots[slot] = entry
    return mask


@kernel(types.int64(SET, types.int64, types.int64, SLOTS, types.uint64, types.uint64, types.int64))
def _shared(hashes: Any, start: Any, stop: Any, slots: Any, stamp: Any, mask: Any, needed: Any) -> Any:
    """How many of the hashes are in the table; -1 as soon as `needed` cannot be reached any more."""
    found, spare = 0, (stop - start) - needed
    for k in range(start, stop):
        entry = U(hashes[k]) | (stamp << U(32))
        slot = entry & mask
        while slots[slot] != entry and slots[slot] >> U(32) == stamp:
            slot = (slot + U(1)) & mask
        found += slots[slot] == entry
        if k + 1 - start - found > spare:
            return -1
    return found


@kernel(types.int64(SET, types.int64, types.int64, types.uint32), inline="always")
def _position(hashes: Any, start: Any, stop: Any, wanted: Any) -> Any:
    """Where the hash stands in ``hashes[start:stop]``; -1 if nowhere."""
    while start < stop and start + LANES <= len(hashes):
        equal = equal64(hashes, start, wanted)
        if equal:
            start += trailing_zeros(equal)
            return start if start < stop else -1
        start += LANES
    for k in range(start, stop):
        if hashes[k] == wanted:
            return k
    return -1


@kernel(types.int64(SET, types.int64, types.int64, types.int64, types.int64, types.int64))
def _common(hashes: Any, first: Any, last: Any, start: Any, stop: Any, needed: Any) -> Any:
    """How many of ``hashes[start:stop]`` are in ``hashes[first:last]``; -1 as soon as `needed` cannot be reached.

    Similar texts have their shingles in about the same order: most often the next of one is the next of the other.
    """
    found, spare, at = 0, (stop - start) - needed, first
    for k in range(start, stop):
        if at < last and hashes[at] == hashes[k]:
            found += 1
            at += 1
            continue
        place = _position(hashes, at, last, hashes[k])
        if place < 0:
            place = _position(hashes, first, at, hashes[k])
        if place >= 0:
            found += 1
            at = place + 1
        elif k + 1 - start - found > spare:
            return -1
    return found


@kernel(types.int64(SET, types.int64, types.int64, types.int64))
def _sampled(hashes: Any, start: Any, stop: Any, limit: Any) -> Any:
    """How many of the hashes belong to the sample of hashes up to `limit`."""
    count = 0
    for k in range(start, stop):
        count += np.int64(hashes[k]) <= limit
    return count


@kernel(
    types.float64(
        SET, INT64S, INT64S, types.int64, types.int64, types.float64, types.float64,
        SLOTS, types.uint64, types.uint64,
    )
)  # fmt: skip
def _similarity(
    hashes: Any, bounds: Any, limits: Any, i: Any, j: Any, jaccard: Any, containment: Any,
    slots: Any, stamp: Any, mask: Any,
) -> Any:  # fmt: skip
    """Jaccard similarity of set j with set i, which is in the table unless `mask` is 0; -1 below both bounds.

    `containment` above 1 is never reached. A set may be a sample, of its hashes up to a limit: two sets are compared
    below the lower of their limits.
    """
    limit = min(limits[i], limits[j])
    a, b = bounds[i + 1] - bounds[i], bounds[j + 1] - bounds[j]
    if limits[i] != limits[j]:
        a = _sampled(hashes, bounds[i], bounds[i + 1], limit)
        b = _sampled(hashes, bounds[j], bounds[j + 1], limit)
    needed = np.int64(np.ceil(jaccard * (a + b) / (1.0 + jaccard) - 1e-9))
    if containment <= 1.0:
        needed = min(needed, np.int64(np.ceil(containment * min(a, b) - 1e-9)))
    if needed > min(a, b):
        return -1.0
    least = needed if limits[i] == limits[j] else 0
    if mask:
        found = _shared(hashes, bounds[j], bounds[j + 1], slots, stamp, mask, least)
    else:
        found = _common(hashes, bounds[i], bounds[i + 1], bounds[j], bounds[j + 1], least)
    if found < needed or a + b == found:
        return -1.0
    return found / (a + b - found)


@kernel(types.int64(INT64S, INT64S, SET, INT64S, INT64S, types.float64, types.float64, INDEX, SLOTS, INDEX))
def _verify(
    members: Any, ends: Any, hashes: Any, bounds: Any, limits: Any, jaccard: Any, containment: Any,
    parent: Any, slots: Any, leaders: Any,
) -> Any:  # fmt: skip
    """Join the members of candidate groups whose similarity is proven; returns the number of comparisons.

    A pair that is connected already is not compared again: components do not change by it. In a group of more than
    `WHOLE_GROUP`, a member is compared with its predecessor and with the latest `LEADERS` members that opened a
    component of their own, so that a million copies cost a million comparisons.
    """
    compared = 0
    stamp = U(0)
    start = 0
    for group in range(len(ends)):
        stop = ends[group]
        whole = stop - start <= WHOLE_GROUP
        count = 0
        for k in range(start, stop):
            i = members[k]
            loaded, joined = False, False
            mask = U(0)
            limit = k - start if whole else min(count, LEADERS) + 1
            for n in range(limit):
                if whole:
                    j = members[start + n]
                elif n == 0:
                    if k == start:
                        continue
                    j = members[k - 1]
                else:
                    j = leaders[(count - n) % LEADERS]
                if find(parent, i) == find(parent, j):
                    joined = True
                    continue
                if not loaded:
                    loaded = True
                    stamp += U(1)
                    mask = _load(hashes, bounds[i], bounds[i + 1], slots, stamp)
                compared += 1
                if _similarity(hashes, bounds, limits, i, j, jaccard, containment, slots, stamp, mask) >= 0:
                    unite(parent, i, j)
                    joined = True
                    if not whole:
                        break
            if not joined and not whole:
                leaders[count % LEADERS] = i
                count += 1
        start = stop
    return compared


@kernel(types.void(INT64S, INT64S, SET, INT64S, INT64S, SLOTS, FLOATS))
def _similarities(first: Any, second: Any, hashes: Any, bounds: Any, limits: Any, slots: Any, out: Any) -> None:
    stamp = U(0)
    loaded = np.int64(-1)
    mask = U(0)
    for k in range(len(out)):
        i, j = first[k], second[k]
        if i != loaded:
            loaded = i
            stamp += U(1)
            mask = _load(hashes, bounds[i], bounds[i + 1], slots, stamp)
        out[k] = max(0.0, _similarity(hashes, bounds, limits, i, j, 0.0, 2.0, slots, stamp, mask))


def _slots(bounds: np.ndarray, largest: int | None) -> np.ndarray:
    """Hash table for the largest of these sets."""
    return slots_for(int(np.diff(bounds).max(initial=0)) if largest is None else largest)


def verify(
    members: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    bounds: np.ndarray,
    limits: np.ndarray,
    parent: np.ndarray,
    *,
    jaccard: float,
    containment: float | None = None,
    largest: int | None = None,
) -> int:
    """Join sets in `parent` over verified pairs of the candidate groups; returns the number of comparisons made.

    `members[ends[g-1]:ends[g]]` are candidate group g; set i is ``hashes[bounds[i]:bounds[i+1]]``, distinct, all of
    those up to `limits[i]`. `parent` is a union-find forest, at first ``np.arange``; `flatten` it at the end.
    `largest` is the size of the largest set, where it is known.
    """
    slots = _slots(bounds, largest)
    bar = 2.0 if containment is None else containment
    leaders = np.zeros(LEADERS, np.int64)
    return int(
        _verify(members, ends, hashes, bounds, limits, jaccard, bar, parent, slots, leaders)
    )  # fmt: skip


def similarities(
    first: np.ndarray,
    second: np.ndarray,
    hashes: np.ndarray,
    bounds: np.ndarray,
    limits: np.ndarray,
    largest: int | None = None,
) -> np.ndarray:
    """Jaccard similarity of set pairs (float64); fastest when equal values of `first` stand together."""
    out = np.zeros(len(first), np.float64)
    slots = _slots(bounds, largest)
    _similarities(first, second, hashes, bounds, limits, slots, out)
    return out


@kernel(
    types.void(
        INT64S, INT64S, COMPONENTS, ALLOWED, SET, INT64S, INT64S, types.float64, types.float64,
        SLOTS, INDEX, types.boolean, INDEX,
    )
)  # fmt: skip
def _choose_similar(
    order: Any, ends: Any, component: Any, allowed: Any, hashes: Any, bounds: Any, limits: Any, jaccard: Any,
    containment: Any, slots: Any, kept: Any, carry: Any, replaced: Any,
) -> None:  # fmt: skip
    """As `_choose`, but a document leaves only for a survivor that it is similar to itself.

    `kept` holds how many survivors a cluster has so far and, as a ring, the latest of them; ``replaced[i]`` becomes
    the number of the survivor plus one.
    """
    stamp, start, ring = U(0), 0, len(kept) - 1
    for group in range(len(ends)):
        count = kept[0]
        for k in range(start, ends[group]):
            i = order[k]
            stamp += U(1)
            mask = _load(hashes, bounds[i], bounds[i + 1], slots, stamp)
            for n in range(min(count, RIVALS)):
                j = kept[1 + ((count - 1 - n) % ring if count > RIVALS else n)]
                if allowed[component[i], component[j]] and (
                    _similarity(hashes, bounds, limits, i, j, jaccard, containment, slots, stamp, mask) >= 0
                ):
                    replaced[i] = j + 1
                    break
            if replaced[i] == 0:
                kept[1 + count % ring] = i
                count += 1
        kept[0] = count if carry else 0
        start = ends[group]


def survivors() -> np.ndarray:
    """No survivors yet of a cluster that `choose_similar` gets in portions."""
    return np.zeros(1 + RIVALS, np.int64)


def choose_similar(
    order: np.ndarray,
    ends: np.ndarray,
    component: np.ndarray,
    allowed: np.ndarray,
    hashes: np.ndarray,
    bounds: np.ndarray,
    limits: np.ndarray,
    replaced: np.ndarray,
    *,
    jaccard: float,
    containment: float | None = None,
    largest: int | None = None,
    kept: np.ndarray | None = None,
) -> None:
    """As `choose`, where the survivor must be similar to the document that it replaces (see `verify`).

    `order` may list some of the documents only; the others stay. ``replaced[i]``, 0 at first, becomes one more than
    the number of the survivor of document i. A cluster may come in several calls, if each gets the same `kept`, which
    `survivors` makes.
    """
    carry, kept = kept is not None, survivors() if kept is None else kept
    _choose_similar(
        order, ends, component, allowed, hashes, bounds, limits, jaccard, 2.0 if containment is None else containment,
        _slots(bounds, largest), kept, carry, replaced,
    )  # fmt: skip
