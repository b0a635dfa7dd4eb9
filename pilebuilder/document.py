"""The document table: its columns, document ids, and `Docs`, the object that a step sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pilebuilder.ledger import Count, Journal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

COLUMNS = ("id", "text", "component", "url", "date", "licence", "meta", "origin_file", "origin_offset")
SIGNAL = "signal."


def schema() -> pa.Schema:
    """Arrow schema of a partition. `meta` is one JSON object; `signal.*` columns may follow.

    `origin_file` is the raw file's name within its component, `origin_offset` the byte (or record) offset at which
    the document began there; the raw file's digest stands under that name in the fetch inventory and in the lock.
    """
    import pyarrow as pa

    types = {"text": pa.large_string(), "origin_offset": pa.int64()}
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])


def document_id(component: str, key: str) -> str:
    """32 hex digits from component and the reader's record key: the same on every re-read, on every machine."""
    return hashlib.blake2b(f"{component}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One test of a filter step: documents where `failed` is true leave for `reason`."""

    reason: str
    failed: np.ndarray
    value: np.ndarray | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Docs:
    """A table of documents of one component on its way through the steps; operations return a new `Docs`.

    Whole columns, never a Python object per document. What a step measures once with `measure` or `stats` is kept,
    and follows the documents, until the text is edited; statistics follow the documents that were not.
    """

    table: pa.Table
    component: str
    journal: Journal
    count: Count
    stage: str = ""
    step: str = ""
    measured: tuple[tuple[str, Any], ...] = ()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def within(self, stage: str, step: str) -> Docs:
        """The same documents; what happens next is recorded under this stage and step."""
        return replace(self, stage=stage, step=step)

    def column(self, name: str) -> pa.Array:
        """One column as a single contiguous array."""
        chunks = self.table.column(name)
        return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()

    @property
    def text(self) -> pa.LargeStringArray:
        """The texts, one contiguous array."""
        return self.column("text")

    def buffers(self) -> tuple[np.ndarray, np.ndarray]:
        """UTF-8 bytes (uint8) and offsets (int64, documents + 1) of the texts, without a copy: what kernels read."""
        return text_buffers(self.text)

    def measure(self, name: str, compute: Callable[[Docs], Any]) -> Any:
        """`compute(self)`, at most once per text: an array with one entry per document, or an object with `take`."""
        for held, value in self.measured:
            if held == name:
                return value
        value = compute(self)
        object.__setattr__(self, "measured", (*self.measured, (name, value)))
        return value

    def stats(self) -> Any:
        """Text statistics of `pilebuilder.kernels`, measured once and shared by every rule."""
        from pilebuilder.kernels import text_stats

        return self.measure("stats", lambda docs: text_stats(*docs.buffers()))

    def signal(self, name: str, values: Any) -> Docs:
        """Add (or replace) the column ``signal.<name>``: a number or label measured on each document."""
        import pyarrow as pa

        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
        at = self.table.schema.get_field_index(SIGNAL + name)
        table = self.table.append_column if at < 0 else lambda n, a: self.table.set_column(at, n, a)
        return replace(self, table=table(SIGNAL + name, array))

    def drop(self, failed: Any, reason: str, value: Any = None, threshold: float | None = None) -> Docs:
        """Documents where `failed` is true leave, each with a ledger row; the rest go on."""
        return self.reject([Rule(reason=reason, failed=failed, value=value, threshold=threshold)])

    def reject(self, rules: Sequence[Rule]) -> Docs:
        """Apply rules in order; a document leaves at the first that it fails, which is the reason in the ledger."""
        import numpy as np

        first = np.full(len(self), -1, np.int32)
        for index, rule in enumerate(rules):
            failed = np.asarray(rule.failed, bool)
            assert failed.shape == (len(self),), (rule.reason, failed.shape, len(self))
            first[(first < 0) & failed] = index
        for index, rule in enumerate(rules):
            rows = np.flatnonzero(first == index)
            if len(rows):
                self.record(rows, "dropped", rule.reason, rule.value, rule.threshold)
                self.count.dropped[rule.reason] += len(rows)
        return self.take(np.flatnonzero(first < 0)) if (first >= 0).any() else self

    def take(self, rows: np.ndarray) -> Docs:
        """The documents at these row numbers, with everything measured on them."""
        kept = tuple((n, v.take(rows) if hasattr(v, "take") else v[rows]) for n, v in self.measured)
        return replace(self, table=self.table.take(rows).combine_chunks(), measured=kept)

    def edit(self, text: pa.LargeStringArray, reason: str | Mapping[str, np.ndarray]) -> Docs:
        """Replace the texts; each changed document gets a ledger row with the bytes removed (negative: added).

        Where an edit has several reasons, `reason` maps each to the bytes it removed from each document.
        """
        import numpy as np
        import pyarrow as pa

        text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        assert len(text) == len(self), (len(text), len(self))
        changed = np.flatnonzero(np.asarray(_differs(self.text, text)))
        if not len(changed):
            return self
        removed = np.diff(self.buffers()[1]) - np.diff(text_buffers(text)[1])
        if isinstance(reason, str):
            self._count_edit(changed, reason, removed)
        else:
            assert np.array_equal(sum(reason.values()), removed), (
                "the reasons of an edit must add up to what it removed"
            )
            for name, part in reason.items():
                self._count_edit(np.flatnonzero(part), name, part)
        table = self.table.set_column(self.table.schema.get_field_index("text"), "text", text)
        # what can be told to measure the changed texts alone goes on with them
        held = tuple((n, v.edited(*text_buffers(text), changed)) for n, v in self.measured if hasattr(v, "edited"))
        return replace(self, table=table, measured=held)

    def _count_edit(self, rows: np.ndarray, reason: str, removed: np.ndarray) -> None:
        if len(rows):
            self.record(rows, "edited", reason, removed)
            self.count.edited[reason] += int(removed[rows].sum())

    def record(
        self,
        rows: np.ndarray,
        action: str,
        reason: str,
        value: Any = None,
        threshold: float | None = None,
        *,
        rows_of_values: bool = False,
        **columns: Any,
    ) -> None:
        """Ledger rows for these documents. `value` is per document, or already per row if `rows_of_values`."""
        import numpy as np

        if value is not None:
            value = np.asarray(value, float)
            value = value if rows_of_values else value[rows]
        self.journal.extend(
            len(rows),
            id=self.column("id").take(rows),
            component=self.component,
            stage=self.stage,
            step=self.step,
            action=action,
            reason=reason,
            value=value,
            threshold=threshold,
            file=self.column("origin_file").take(rows),
            offset=self.column("origin_offset").take(rows),
            **columns,
        )


def _differs(old: pa.Array, new: pa.Array) -> Any:
    import pyarrow.compute as pc

    return pc.not_equal(old, new).to_numpy(zero_copy_only=False)


def text_buffers(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 bytes and int64 offsets of a large-string array without nulls, without a copy."""
    import numpy as np

    _, offsets, data = text.buffers()
    where = (
        np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
        if offsets
        else np.zeros(1, np.int64)
    )
    return (np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)), where


def from_buffers(data: np.ndarray, offsets: np.ndarray) -> pa.LargeStringArray:
    """The reverse of `text_buffers`: texts from bytes that are known to be UTF-8, without a copy."""
    import numpy as np
    import pyarrow as pa

    offsets = np.ascontiguousarray(offsets, np.int64)
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def texts(values: Iterable[str]) -> pa.LargeStringArray:
    """A large-string array from Python strings; for the few documents that no kernel could do."""
    import pyarrow as pa

    return pa.array(values, pa.large_string())
