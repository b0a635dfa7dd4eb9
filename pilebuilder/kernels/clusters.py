"""Clusters of documents: union-find over candidate groups, and who of a cluster stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import kernel

INT64S = types.Array(types.int64, 1, "C", readonly=True)
INDEX = types.Array(types.int64, 1, "C")


@kernel(types.int64(INDEX, types.int64))
def find(parent: Any, x: Any) -> Any:
    """Root of x, halving the path on the way."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@kernel(types.boolean(INDEX, types.int64, types.int64))
def unite(parent: Any, x: Any, y: Any) -> Any:
    """Join two trees under the smaller root; false when they were one already."""
    x, y = find(parent, x), find(parent, y)
    if x == y:
        return False
    if x < y:
        parent[y] = x
    else:
        parent[x] = y
    return True


@kernel(types.void(INDEX, INT64S, INT64S))
def unite_groups(parent: Any, members: Any, ends: Any) -> None:
    """Join all members of each group ``members[ends[g-1]:ends[g]]``."""
    start = 0
    for group in range(len(ends)):
        for k in range(start + 1, ends[group]):
            unite(parent, members[start], members[k])
        start = ends[group]


@kernel(types.void(INDEX))
def flatten(parent: Any) -> None:
    """Point every entry at its root, which is the smallest member."""
    for x in range(len(parent)):
        parent[x] = parent[parent[x]]  # roots are smaller: already flat


@kernel(types.void(INDEX))
def number(out: Any) -> None:
    """0, 1, 2 ...: every element a component of its own."""
    for i in range(len(out)):
        out[i] = i


@kernel(types.int64(INT64S, INDEX, INDEX, INDEX))
def by_cluster(root: Any, sizes: Any, ends: Any, order: Any) -> Any:
    """Members of clusters of two or more into `order`, by first member, then as they come; returns how many.

    `root` is the smallest member of each one's cluster. At the roots, `sizes` (zeros at first) gets the number of
    members, and `ends` the end of the cluster in `order`.
    """
    for i in range(len(root)):
        sizes[root[i]] += 1
    total = 0
    for i in range(len(root)):
        if root[i] == i:
            ends[i] = total
            total += sizes[i] if sizes[i] > 1 else 0
    for i in range(len(root)):
        r = root[i]
        if sizes[r] > 1:
            order[ends[r]] = i
            ends[r] += 1
    return total


@kernel(types.int64(INT64S, INDEX, types.int64, types.Array(types.int32, 1, "C")))
def assign_batches(root: Any, load: Any, limit: Any, batch: Any) -> Any:
    """Batch of each element: whole components, in order of their first element, up to `limit` of load together.

    `root` is the smallest element of each one's component; `load` is overwritten. Returns the number of batches.
    """
    for i in range(len(root)):
        if root[i] != i:
            load[root[i]] += load[i]
    before, last, number = 0, -1, -1
    for i in range(len(root)):
        if root[i] == i:
            slot = before // limit
            number += slot != last
            last = slot
            before += load[i]
            batch[i] = number
        else:
            batch[i] = batch[root[i]]
    return number + 1


COMPONENTS = types.Array(types.int32, 1, "C", readonly=True)
ALLOWED = types.Array(types.boolean, 2, "C", readonly=True)


@kernel(types.void(INT64S, INT64S, COMPONENTS, ALLOWED, INDEX, INDEX))
def _choose(order: Any, ends: Any, component: Any, allowed: Any, kept: Any, replaced: Any) -> None:
    """In each cluster, best first: a document leaves for the first survivor whose component may replace its own."""
    start = 0
    for group in range(len(ends)):
        count = 0
        for k in range(start, ends[group]):
            i = order[k]
            for n in range(count):
                if allowed[component[i], component[kept[n]]]:
                    replaced[i] = kept[n]
                    break
            if replaced[i] < 0:
                new = True  # one survivor of each component is enough to decide
                for n in range(count):
                    new &= component[kept[n]] != component[i]
                if new:
                    kept[count] = i
                    count += 1
        start = ends[group]


def choose(order: np.ndarray, ends: np.ndarray, component: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """For each document, the survivor that replaces it, or -1 for a survivor (int64).

    `order` lists the documents (0 .. n-1) cluster by cluster, best first; `ends` are the ends of the clusters in it;
    ``allowed[a, b]`` says whether a document of component b may replace one of component a.
    """
    replaced = np.full(len(order), -1)
    longest = int(np.diff(ends, prepend=0).max(initial=0))
    _choose(order, ends, component, allowed, np.zeros(longest + 1, np.int64), replaced)
    return replaced
