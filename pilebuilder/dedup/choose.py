"""Which document of a cluster stays: the survivor rule, and the policy of components, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pilebuilder.dedup.runs import INDEXED


def carried(rules: Sequence[str]) -> list[str]:
    """Columns of the sketch that these rules need: what travels with a key until its cluster is known."""
    columns = ["id"]
    if {"longest", "shortest"} & set(rules):
        columns.append("bytes")
    if {"earliest", "latest"} & set(rules):
        columns.append("date")
    return columns + [rule[1:] for rule in rules if rule[0] in "+-"]


def rank_keys(
    table: pa.Table, component: np.ndarray, names: Sequence[str], rules: Sequence[str], priority: Sequence[str]
) -> list[np.ndarray]:
    """Sort keys by which the best document comes first, most important first; the id decides at last.

    `component` is the index in `names` of each row's component.
    """
    foreign = np.array([name.startswith(INDEXED) for name in names], bool)
    keys: list[np.ndarray] = [~foreign[component]]  # what another corpus holds already comes first
    for rule in rules:
        if rule == "priority":
            place = {name: i for i, name in enumerate(priority)}
            keys.append(np.array([place.get(n, len(place)) for n in names], np.int64)[component])
        elif rule in ("longest", "shortest"):
            size = table.column("bytes").to_numpy()
            keys.append(-size if rule == "longest" else size)
        elif rule in ("earliest", "latest"):
            keys += _dates(table.column("date"), latest=rule == "latest")
        else:
            value = table.column(rule[1:]).to_numpy(zero_copy_only=False).astype(float)
            keys.append(np.nan_to_num(-value if rule[0] == "+" else value, nan=np.inf))
    return keys + id_keys(table.column("id"))


def _dates(dates: pa.ChunkedArray, *, latest: bool) -> list[np.ndarray]:
    """ISO dates sort as text; a document without a date comes last under either rule."""
    absent = pc.is_null(dates).to_numpy(zero_copy_only=False)
    _, place = np.unique(np.asarray(dates.fill_null("").to_pylist(), dtype=object), return_inverse=True)
    return [absent.astype(np.int8), -place if latest else place]


def id_keys(ids: pa.ChunkedArray) -> list[np.ndarray]:
    """Keys that sort ids as text: the 32 digits of a document id as four big-endian numbers."""
    array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    array = array.cast(pa.large_string())
    if not len(array):
        return [np.zeros(0, np.int64)]
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    if np.all(np.diff(offsets) == 32):
        raw = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        return list(np.ascontiguousarray(raw).view(">u8").reshape(-1, 4).T.astype(np.uint64))
    _, place = np.unique(np.asarray(array.to_pylist(), dtype=object), return_inverse=True)
    return [place]


def allowed(
    names: Sequence[str], policies: Mapping[str, Mapping[str, Any]], method: str, within: bool = True
) -> np.ndarray:
    """Square matrix: may a document of the column's component replace one of the row's, by this method?

    Documents of an index are never replaced; without `within` only they replace others.
    """
    foreign = np.array([name.startswith(INDEXED) for name in names], bool)
    bare = [name.removeprefix(INDEXED) for name in names]
    matrix = np.tile(foreign | within, (len(names), 1))
    for row, name in enumerate(names):
        policy = policies.get(name)
        if foreign[row]:
            matrix[row] = False
        if policy is None:
            continue
        against = policy["against"]
        if method.partition(".")[0] not in policy["methods"]:
            matrix[row] = False
        elif against == "self":
            matrix[row] &= [other == name for other in bare]
        elif against != "all":
            matrix[row] &= [other in against for other in bare]
    return matrix


def in_clusters(label: np.ndarray, keys: Sequence[np.ndarray], tie: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in order of cluster, best first, and the ends of the clusters. `tie` tells equal ids apart."""
    order = np.argsort(label, kind="stable")
    group = label[order]
    ends = np.append(np.flatnonzero(group[1:] != group[:-1]) + 1, len(order)) if len(order) else order
    at = np.arange(len(order))
    for key in (*keys, tie):  # each one orders only what the ones before left equal
        value = key[order[at]]
        if not len(at) or np.all(value == value[0]):
            continue
        by = np.lexsort((value, group))
        order[at] = order[at[by]]
        same = (group[by][1:] == group[by][:-1]) & (value[by][1:] == value[by][:-1])
        group = np.append(0, np.cumsum(~same))
        equal = np.append(False, same) | np.append(same, False)
        at, group = at[equal], group[equal]
    return order, ends
