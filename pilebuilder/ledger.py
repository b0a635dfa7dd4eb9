"""The ledger: what happened to every document, as columns from the start, and the `Tally` of sums that it proves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import ConservationError

if TYPE_CHECKING:
    import pyarrow as pa

# What a row may say. Conservation counts "kept", "dropped", "duplicate" and "quarantined"; the others explain.
ACTIONS = ("kept", "dropped", "duplicate", "quarantined", "edited", "held_out", "noted")
CONTEXT_BYTES = 200


def schema() -> pa.Schema:
    """Arrow schema of a ledger file. `file` and `offset` say where in which raw file the document began."""
    import pyarrow as pa

    label = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("id", pa.string()),
            ("component", label),
            ("stage", label),
            ("step", label),
            ("action", label),
            ("reason", label),
            ("value", pa.float64()),
            ("threshold", pa.float64()),
            ("duplicate_of", pa.string()),
            ("file", pa.string()),
            ("offset", pa.int64()),
            ("detail", pa.string()),
        ]
    )


class Journal:
    """Ledger rows of one task, gathered column by column."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._tables: list[pa.Table] = []
        self._loose: list[dict[str, Any]] = []

    def add(self, **row: Any) -> None:
        """Add one row; for rare events (a broken record, an unreadable file). Names are the schema's columns."""
        self._loose.append({"stage": self.stage, **row})

    def extend(self, length: int, **columns: Any) -> None:
        """Add `length` rows at once; each column is an array of that length, or one value for all rows, or absent."""
        import numpy as np
        import pyarrow as pa

        if not length:
            return
        arrays = []
        for column in schema():
            value = columns.pop(column.name, self.stage if column.name == "stage" else None)
            if isinstance(value, pa.ChunkedArray):
                value = value.combine_chunks()
            if not isinstance(value, pa.Array):
                is_rows = isinstance(value, np.ndarray | list)
                value = pa.array(value) if is_rows else pa.repeat(pa.scalar(value, _plain(column.type)), length)
            if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(value.type):
                value = value.cast(pa.string()).dictionary_encode()
            arrays.append(value.cast(column.type))
        assert not columns, f"not ledger columns: {sorted(columns)}"
        self._tables.append(pa.table(arrays, schema=schema()))

    def table(self) -> pa.Table:
        """All rows so far, in the order in which they were added (loose rows last)."""
        import pyarrow as pa

        tables = list(self._tables)
        if self._loose:
            tables.append(pa.Table.from_pylist(self._loose, schema=schema()))
        return pa.concat_tables(tables).unify_dictionaries() if tables else schema().empty_table()


def _plain(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.string() if pa.types.is_dictionary(kind) else kind


def context(raw: bytes) -> str:
    """At most 200 bytes around a failure, escaped so that no control character reaches a terminal or a page."""
    return raw[:CONTEXT_BYTES].decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")


@dataclass(slots=True)
class Count:
    """Documents of one component in one task: in = kept + dropped + merged + quarantined, exactly."""

    seen: int = 0
    kept: int = 0
    merged: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    edited: Counter[str] = field(default_factory=Counter)
    """Bytes removed (or, negative, added) per reason by steps that edit text."""

    def add(self, other: Count) -> None:
        for name in ("seen", "kept", "merged", "bytes_in", "bytes_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("dropped", "quarantined", "edited"):
            held = getattr(self, name)
            for reason, n in getattr(other, name).items():
                held[reason] += n

    @property
    def balance(self) -> int:
        return self.seen - self.kept - self.merged - self.dropped.total() - self.quarantined.total()


class Tally(dict[str, Count]):
    """Counts by component; mergeable, and checked by the law of conservation at each commit."""

    def of(self, component: str) -> Count:
        return self.setdefault(component, Count())

    def merge(self, other: Mapping[str, Count]) -> Tally:
        for component, count in other.items():
            self.of(component).add(count)
        return self

    def check(self, where: str) -> None:
        """Raise `ConservationError` unless every document that came in is accounted for."""
        for component, count in self.items():
            if count.balance:
                raise ConservationError(
                    f"{where}: component {component}: {count.seen} documents in, but {count.kept} kept +"
                    f" {count.dropped.total()} dropped + {count.merged} merged + {count.quarantined.total()}"
                    f" quarantined; {count.balance} unaccounted for. This is a defect of the stage: report it"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain values with sorted keys, zeros left out of the reason tables."""
        return {
            component: {
                name: dict(sorted(value.items())) if isinstance(value, Counter) else value
                for name in Count.__slots__
                for value in [getattr(count, name)]
            }
            for component, count in sorted(self.items())
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Tally:
        tally = cls()
        for component, values in data.items():
            count = tally.of(component)
            for name, value in values.items():
                setattr(count, name, Counter(value) if isinstance(value, Mapping) else value)
        return tally

    @classmethod
    def total(cls, tallies: Sequence[Mapping[str, Count]]) -> Tally:
        whole = cls()
        for tally in tallies:
            whole.merge(tally)
        return whole
