"""Summaries as tables of integer counters: (measure, label, key) -> count. They merge by addition, in any order.

Every full-pass measure is held this way, so a report is the same whatever the partitions, the workers or the order.
Sums of squares, which outgrow 64 bits, are kept as two counters (`add_square_sum`). A summary file is Parquet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.partition import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

EXACT = 1 << 16
"""Values below this have a bin of their own; above it a bin is 1/1024 of a power of two wide."""
_SUB = 10
_LOW, _LEVEL = 32, 6
HIGHEST = "highest"
"""Label of a measure whose keys are register * 64 + level: a merge keeps the highest level of each register."""


def bins(values: np.ndarray) -> np.ndarray:
    """Histogram bin of each non-negative value (int64): exact below 65,536, within 0.1 % above.

    >>> bins(np.array([0, 65535, 65536, 65599, 65600]))
    array([    0, 65535, 65536, 65536, 65537])
    """
    values = np.asarray(values, np.int64)
    octave = np.frexp(np.maximum(values, 1).astype(np.float64))[1].astype(np.int64) - 1
    coarse = EXACT + ((octave - 16) << _SUB) + (values >> np.maximum(octave - _SUB, 0)) - (1 << _SUB)
    return np.where(values < EXACT, values, coarse)


def bin_value(index: np.ndarray) -> np.ndarray:
    """The middle of each bin: the inverse of `bins`."""
    index = np.asarray(index, np.int64)
    above = np.maximum(index - EXACT, 0)
    octave = 16 + (above >> _SUB)
    low = ((above & ((1 << _SUB) - 1)) + (1 << _SUB)) << (octave - _SUB)
    return np.where(index < EXACT, index, low + (np.int64(1) << (octave - _SUB - 1)))


class Counters:
    """Counters in the making, or summed from files."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)

    def add(self, measure: str, label: str = "", key: int = 0, count: int = 1) -> None:
        """Add to one counter."""
        held = self._held[measure, label]
        held[int(key)] = held.get(int(key), 0) + int(count)

    def add_many(self, measure: str, label: str, keys: np.ndarray, counts: np.ndarray | None = None) -> None:
        """Add 1 (or `counts`) for each key; both are integer arrays of equal length."""
        if not len(keys):
            return
        distinct, where = np.unique(np.asarray(keys, np.int64), return_inverse=True)
        sums = np.zeros(len(distinct), np.int64)
        np.add.at(sums, where, 1 if counts is None else np.asarray(counts, np.int64))
        held = self._held[measure, label]
        for key, count in zip(distinct.tolist(), sums.tolist(), strict=True):
            held[key] = held.get(key, 0) + count

    def add_lengths(self, measure: str, values: np.ndarray) -> None:
        """A distribution: its histogram under `measure`, its exact sum and sum of squares beside it."""
        values = np.asarray(values, np.int64)
        self.add_many(measure, "bin", bins(values))
        self.add(measure, "sum", 0, int(values.sum()))
        self.add_square_sum(measure, values)
        if len(values):  # exact extremes: one counter per partition's extreme, the merge keeps them all
            self.add(measure, "least", int(values.min()))
            self.add(measure, "most", int(values.max()))

    def add_square_sum(self, measure: str, values: np.ndarray) -> None:
        """The sum of squares, split so that no counter overflows: high * 2**32 + low."""
        values = np.asarray(values, np.int64)
        high, low = values >> 16, values & 0xFFFF
        parts = (int((high * high).sum()) << 32) + (int((high * low).sum()) << 17) + int((low * low).sum())
        self.add(measure, "squares", 1, parts >> _LOW)
        self.add(measure, "squares", 0, parts & ((1 << _LOW) - 1))

    def get(self, measure: str, label: str = "", key: int = 0) -> int:
        """One counter; 0 when nothing was counted."""
        return self._held.get((measure, label), {}).get(key, 0)

    def labels(self, measure: str) -> dict[str, dict[int, int]]:
        """All counters of a measure by label, labels and keys sorted."""
        found = sorted((label, keys) for (name, label), keys in self._held.items() if name == measure)
        return {label: dict(sorted(keys.items())) for label, keys in found}

    def distribution(self, measure: str) -> Distribution:
        """A distribution that `add_lengths` recorded."""
        held = self._held
        pairs = sorted(held.get((measure, "bin"), {}).items())
        keys = np.array([k for k, _ in pairs], np.int64)
        squares = held.get((measure, "squares"), {})
        return Distribution(
            keys,
            np.array([n for _, n in pairs], np.int64),
            self.get(measure, "sum"),
            (squares.get(1, 0) << _LOW) + squares.get(0, 0),
            min(held.get((measure, "least"), {}), default=0),
            max(held.get((measure, "most"), {}), default=0),
        )

    def levels(self, measure: str, registers: int) -> np.ndarray:
        """The registers of a HyperLogLog (uint8), as `HIGHEST` describes them."""
        found = np.zeros(registers, np.uint8)
        for key in sorted(self._held.get((measure, HIGHEST), {})):
            found[key >> _LEVEL] = key & ((1 << _LEVEL) - 1)
        return found

    def merge(self, other: Counters) -> Counters:
        """Add all counters of another summary."""
        for name, keys in other._held.items():
            held = self._held[name]
            for key, count in keys.items():
                held[key] = held.get(key, 0) + count
        return self

    def moved(self, prefix: str) -> Counters:
        """The measures of this prefix, taken out of these."""
        taken = Counters()
        for name in [name for name in self._held if name[0].startswith(prefix)]:
            taken._held[name] = self._held.pop(name)
        return taken

    def rows(self) -> Iterator[tuple[str, str, int, int]]:
        """All counters, sorted."""
        for measure, label in sorted(self._held):
            for key, count in sorted(self._held[measure, label].items()):
                yield measure, label, key, count

    def write(self, path: Path) -> None:
        """As Parquet, rows sorted: equal sums give equal bytes, however they were added up."""
        self.settle()
        write_table(self.table(), path, level=3)

    def settle(self) -> None:
        """Carry squares into their upper half; keep the extreme of extremes, the highest level of each register."""
        for (_, label), keys in self._held.items():
            if label == "squares" and keys:
                whole = (keys.get(1, 0) << _LOW) + keys.get(0, 0)
                keys.update({1: whole >> _LOW, 0: whole & ((1 << _LOW) - 1)})
            elif label in ("least", "most") and keys:
                extreme = min(keys) if label == "least" else max(keys)
                keys.clear()
                keys[extreme] = 1
            elif label == HIGHEST:
                kept = {key >> _LEVEL: key for key in sorted(keys)}
                keys.clear()
                keys.update(dict.fromkeys(kept.values(), 1))

    def prune(self, prefix: str, keep: int, missed: str) -> None:
        """Keep the `keep` largest labels of each measure of this prefix; what one may have lost goes to `missed`."""
        for measure in sorted({name for name, _ in self._held if name.startswith(prefix)}):
            sums = sorted(
                (-sum(keys.values()), label) for (name, label), keys in self._held.items() if name == measure
            )
            if len(sums) <= keep:
                continue
            edge = sums[keep][0]
            for negative, label in sums:
                if negative >= edge:  # ties at the edge all go, so that the choice does not depend on their order
                    del self._held[measure, label]
            self.add(missed, measure.removeprefix(prefix), 0, -edge)

    def table(self) -> pa.Table:
        """Columns measure, label (dictionary), key, count (int64)."""
        import pyarrow as pa

        rows = list(self.rows())
        label = pa.dictionary(pa.int32(), pa.string())
        columns = [
            pa.array([r[0] for r in rows], pa.string()).dictionary_encode().cast(label),
            pa.array([r[1] for r in rows], pa.string()).dictionary_encode().cast(label),
            pa.array([r[2] for r in rows], pa.int64()),
            pa.array([r[3] for r in rows], pa.int64()),
        ]
        return pa.table(columns, names=["measure", "label", "key", "count"])

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Counters:
        """The sum of summary files."""
        total = cls()
        for path in paths:
            for name, keys, counts in _runs(read_table(path)):
                held = total._held[name]
                if held:
                    for key, count in zip(keys, counts, strict=True):
                        held[key] = held.get(key, 0) + count
                else:
                    held.update(zip(keys, counts, strict=True))
        return total


def _runs(table: pa.Table) -> Iterator[tuple[tuple[str, str], list[int], list[int]]]:
    """Measure and label with their keys and counts; rows of a file are sorted by them."""
    codes, names = [], []
    for column in ("measure", "label"):
        coded = table.column(column).combine_chunks()
        codes.append(coded.indices.to_numpy())
        names.append(coded.dictionary.to_pylist())
    keys, counts = table.column("key").to_pylist(), table.column("count").to_pylist()
    changes = (np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0)
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()] if len(keys) else []
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        yield (names[0][codes[0][start]], names[1][codes[1][start]]), keys[start:stop], counts[start:stop]


class Distribution:
    """Counts over bins, with the exact number, sum, sum of squares and extremes."""

    def __init__(self, keys: np.ndarray, counts: np.ndarray, total: int, squares: int, least: int, most: int) -> None:
        self.keys, self.counts, self.total, self.squares = keys, counts, total, squares
        self.least, self.most = least, most
        self.n = int(counts.sum())

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of the population, from exact integers."""
        if not self.n:
            return 0.0
        return float(((self.n * self.squares - self.total * self.total) / (self.n * self.n)) ** 0.5)

    def quantile(self, share: float) -> int:
        """The smallest value with at least this share of all values at or below it."""
        if not self.n:
            return 0
        rank = max(1, int(np.ceil(share * self.n - 1e-9)))
        at = int(np.searchsorted(np.cumsum(self.counts), rank))
        return int(min(max(bin_value(self.keys[at : at + 1])[0], self.least), self.most))

    def over(self, edges: np.ndarray) -> np.ndarray:
        """Counts between consecutive edges (the last is open)."""
        where = np.searchsorted(edges, bin_value(self.keys), "right") - 1
        counts = np.zeros(len(edges), np.int64)
        np.add.at(counts, np.maximum(where, 0), self.counts)
        return counts


def sum_of(parts: Iterable[Distribution]) -> Distribution:
    """All values of some distributions as one."""
    held = [p for p in parts if p.n]
    keys, where = np.unique(np.concatenate([p.keys for p in held] or [np.zeros(0, np.int64)]), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, where, np.concatenate([p.counts for p in held] or [np.zeros(0, np.int64)]))
    return Distribution(
        keys,
        counts,
        sum(p.total for p in held),
        sum(p.squares for p in held),
        min((p.least for p in held), default=0),
        max((p.most for p in held), default=0),
    )
