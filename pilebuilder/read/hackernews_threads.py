"""Which story an item belongs to, within a file and over several: dumps by month cut threads at their edges.

An item whose parents lead out of the file belongs to the thread of the first id that is missing. Between files, each
such thread is given to the file that holds its story, which reads it from the other one; there it is passed over.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.hackernews_items import Node, nodes
from pilebuilder.read.streams import StreamError
from pilebuilder.read.survey import Surveys

ROUNDS = 64
"""Files that one chain of replies may lead through."""


def pairs(raw: Raw) -> np.ndarray:
    """(id, parent) of a file's items as far as it can be read, int64 [n, 2]; 16 bytes an item."""
    found = array("q")
    try:
        for node in nodes(raw):
            if not isinstance(node, Item):
                found.extend((node["id"], node["parent"]))
    except StreamError:
        pass  # the pass that makes documents says so
    return np.frombuffer(found, np.int64).reshape(-1, 2) if found else np.zeros((0, 2), np.int64)


class Threads:
    """The outermost item of each item's thread, by pointer jumping over (id, parent) pairs: no recursion."""

    def __init__(self, pairs: np.ndarray) -> None:
        order = np.argsort(pairs[:, 0], kind="stable")
        self._ids, up = pairs[order, 0], pairs[order, 1]
        top = np.where(up > 0, up, self._ids)
        for _ in range(64 if len(top) else 0):
            at = np.minimum(np.searchsorted(self._ids, top), len(top) - 1)
            higher = np.where((self._ids[at] == top) & (up[at] > 0), top[at], top)
            if (higher == top).all():
                break
            top = higher
        self._top = top

    def root(self, number: int) -> int:
        """Id of the story above an item, or of the first item above it that is not here."""
        return int(self._top[np.searchsorted(self._ids, number)])

    def roots(self, numbers: np.ndarray) -> np.ndarray:
        """`root` of many items."""
        return np.asarray(self._top[np.searchsorted(self._ids, numbers)])


class Away:
    """Threads of this file's stories in another file."""

    def __init__(self, name: str, path: Path, tops: list[int]) -> None:
        self._raw = Raw(path=path, name=name, sha256="", bytes=path.stat().st_size, component="")
        self._tops = np.array(tops, np.int64)
        found = pairs(self._raw)
        self._threads = Threads(found)
        self.pairs = found[np.isin(self._threads.roots(found[:, 0]), self._tops)]

    def nodes(self) -> Iterator[Node]:
        """Their items; what else is in the file is counted where that file is read."""
        wanted = set(self._tops.tolist())
        try:
            for node in nodes(self._raw):
                if not isinstance(node, Item) and self._threads.root(node["id"]) in wanted:
                    yield node
        except StreamError:
            return


def settled(raw: Raw) -> tuple[set[int], list[Away]]:
    """Threads of a file whose story is in another one, and threads of its stories in others."""
    rows = raw.settled.to_pylist() if raw.settled is not None else []
    tops: dict[str, list[int]] = {}
    for row in rows:
        if row["beside"] is not None:
            tops.setdefault(row["beside"], []).append(row["top"])
    away = [Away(name, raw.beside[name], found) for name, found in sorted(tops.items())]
    return {row["top"] for row in rows if row["beside"] is None}, away


def survey(raw: Raw) -> pa.Table:
    """Each item of a file, the root of its thread, and whether the root is in the file."""
    found = pairs(raw)
    ids = np.unique(found[:, 0])
    roots = Threads(found).roots(found[:, 0]) if len(found) else found[:, 0]
    return pa.table({"id": found[:, 0], "root": roots, "here": np.isin(roots, ids)})


def settle(surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
    """Threads by file: those to pass over (`beside` null), those to read from the file `beside`."""
    number = {name: k for k, name in enumerate(surveys.names)}
    lost = [np.zeros((0, 2), np.int64)]
    for table in surveys.groups():
        files, roots = _numbers(table, number), table.column("root").to_numpy()
        lost.append(np.unique(np.stack((files, roots), 1)[~table.column("here").to_numpy()], axis=0))
    threads = np.concatenate(lost)
    home = _homes(surveys, number, threads[:, 1])
    rows: dict[int, list[tuple[int, str | None]]] = {}
    for (file, top), story in zip(threads.tolist(), home.tolist(), strict=True):
        if story >= 0 and story != file:
            rows.setdefault(file, []).append((top, None))
            rows.setdefault(story, []).append((top, surveys.names[file]))
    for name, k in number.items():
        mine = rows.get(k, [])
        tops = pa.array([top for top, _ in mine], pa.int64())
        yield name, pa.table({"top": tops, "beside": pa.array([beside for _, beside in mine], pa.string())})


def _homes(surveys: Surveys, number: dict[str, int], missing: np.ndarray) -> np.ndarray:
    """The file in which the story above each missing item lies; -1 for none. A missing item may lead to another."""
    home, target = np.full(len(missing), -1, np.int64), missing.copy()
    open_ = np.ones(len(missing), bool)
    for _ in range(ROUNDS):
        looking = np.flatnonzero(open_)
        open_ = np.zeros(len(missing), bool)
        for table in surveys.groups():
            ids = table.column("id").to_numpy()
            if not len(ids) or not len(looking):
                continue
            order = np.argsort(ids, kind="stable")
            at = np.minimum(np.searchsorted(ids, target[looking], sorter=order), len(ids) - 1)
            row = order[at]
            hit = ids[row] == target[looking]
            found, row = looking[hit], row[hit]
            here = table.column("here").to_numpy()[row]
            home[found[here]] = _numbers(table, number)[row[here]]
            target[found[~here]] = table.column("root").to_numpy()[row[~here]]
            open_[found[~here]] = True
            looking = looking[~hit]
        if not open_.any():
            break
    return home


def _numbers(table: pa.Table, number: dict[str, int]) -> np.ndarray:
    """The number of the file of each row."""
    coded = table.column("file").combine_chunks().dictionary_encode()
    of = np.array([number[name] for name in coded.dictionary.to_pylist()], np.int64)
    return np.asarray(of[coded.indices.to_numpy()])
