"""The task of the read stage: drive a reader over a group of raw files and write what it yields as partitions."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa

from pilebuilder import registry
from pilebuilder.document import document_id, from_buffers, schema
from pilebuilder.ledger import context
from pilebuilder.partition import PartitionWriter, read_table
from pilebuilder.read.base import Batch, Quarantined, Raw, Reader, Record, Skipped
from pilebuilder.read.ids import Ids
from pilebuilder.read.survey import of_file
from pilebuilder.task import Task, Workspace

CHUNK_BYTES = 8 << 20
CHUNK_RECORDS = 4096
"""Records are gathered into tables of at most so much text and so many rows."""
ENVIRONMENT = (errno.EIO, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENOSPC, errno.EMFILE)
"""Failures of the machine, not of the input: they fail the task, so that nothing false is committed."""


def read_files(task: Task, work: Workspace) -> None:
    """Task: read a group of raw files with one reader."""
    params = task.params
    reader: Reader = registry.make("reader", params["reader"], params["params"])
    with PartitionWriter(work, task.component, params["partition_bytes"]) as writer:
        sink = Sink(task.component, params["reader"], work, writer, getattr(reader, "SIGNALS", {}))
        paths = {str(a.facts["name"]): work.open(a) for a in task.inputs if a.kind == "beside"}
        raws = [artifact for artifact in task.inputs if artifact.kind == "raw"]
        settled = [read_table(work.open(a)) for a in task.inputs if a.kind == "settled"]
        for artifact, facts in zip(raws, params["files"], strict=True):
            beside = {name: paths[name] for name in params.get("beside", {}).get(facts["name"], ())}
            rows = _settled(settled, facts["name"]) if params.get("settled") else None
            raw = Raw(path=work.open(artifact), component=task.component, beside=beside, settled=rows, **facts)
            read_file(reader, raw, sink)
        sink.flush()


def _settled(tables: list[pa.Table], name: str) -> pa.Table:
    """Rows that were settled for a file; a table without any row has no columns either."""
    return of_file(tables[0], name) if tables else pa.table({})


def read_file(reader: Reader, raw: Raw, sink: Sink) -> None:
    """One raw file; whatever the reader raises for bad input costs the rest of this file only."""
    sink.begin(raw)
    if raw.path.stat().st_size == 0:
        if getattr(reader, "empty_is_normal", False):
            sink.add(Skipped(reason="no_text"))
        else:
            sink.add(Quarantined(reason="empty_file", detail="the file holds no byte"))
        return
    try:
        for item in reader(raw):
            sink.add(item)
    except (MemoryError, ImportError):  # of this machine or installation: says nothing about the input
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in ENVIRONMENT:
            raise
        detail = context(f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace"))
        sink.add(Quarantined(reason="reader_error", detail=detail))


class Sink:
    """Takes what a reader yields: documents to the partition writer, the rest to the ledger, everything counted."""

    def __init__(
        self, component: str, reader: str, work: Workspace, writer: PartitionWriter, signals: Mapping[str, str]
    ) -> None:
        self.component, self.reader, self.work, self.writer = component, reader, work, writer
        self.signals = dict(signals)
        self.ids = Ids(component)
        self.count = work.tally.of(component)
        self.raw: Raw
        self._records: list[tuple[Raw, Record, bytes, bytes]] = []
        self._bytes = 0
        self._rows: list[tuple[str, str, str, float | None, str, int, str]] = []

    def begin(self, raw: Raw) -> None:
        self.raw = raw
        self.count.bytes_in += raw.bytes

    def add(self, item: Record | Batch | Skipped | Quarantined) -> None:
        if isinstance(item, Record):
            self._record(item)
        elif isinstance(item, Batch):
            self._flush_records()
            self._table(item.table)
        elif isinstance(item, Skipped):
            self.count.seen += item.count
            self.count.dropped[item.reason] += item.count
            value = float(item.count) if item.count != 1 else None
            self._note("dropped", item.reason, item.key, item.offset, value=value)
        else:
            self.count.seen += 1
            self.count.quarantined[item.reason] += 1
            self._note("quarantined", item.reason, item.key, item.offset, item.detail)

    def flush(self) -> None:
        self._flush_records()
        self._flush_rows()

    def _record(self, item: Record) -> None:
        if not item.text or item.text.isspace():
            self.add(Skipped(reason="empty_text", offset=item.offset, key=item.key))
            return
        try:
            text = item.text.encode()
            meta = to_json(item.meta)
            for short in (item.key, item.url, item.date, item.licence):
                (short or "").encode()
        except UnicodeEncodeError as error:
            detail = f"lone surrogate U+{ord(str(error.object)[error.start]):04X} at character {error.start}"
            self.add(Quarantined(reason="bad_text", offset=item.offset, detail=detail, key=item.key))
            return
        self._records.append((self.raw, item, text, meta))
        self._bytes += len(text)
        if self._bytes >= CHUNK_BYTES or len(self._records) >= CHUNK_RECORDS:
            self._flush_records()

    def _flush_records(self) -> None:
        if not self._records:
            return
        import numpy as np

        held, self._records, self._bytes = self._records, [], 0
        ends = np.zeros(len(held) + 1, np.int64)
        np.cumsum([len(text) for _, _, text, _ in held], out=ends[1:])
        text = np.frombuffer(b"".join(text for _, _, text, _ in held), np.uint8)
        items = [item for _, item, _, _ in held]
        columns = {
            "id": pa.array([item.key for item in items], pa.string()),
            "text": from_buffers(text, ends),
            "url": pa.array([item.url for item in items], pa.string()),
            "date": pa.array([item.date or raw.date for raw, item, _, _ in held], pa.string()),
            "licence": pa.array([item.licence or raw.licence for raw, item, _, _ in held], pa.string()),
            "meta": pa.array([meta for _, _, _, meta in held], pa.string()),
            "origin_file": pa.array([raw.name for raw, _, _, _ in held], pa.string()),
            "origin_offset": pa.array([item.offset for item in items], pa.int64()),
        }
        for name, kind in self.signals.items():
            columns[f"signal.{name}"] = pa.array([item.signals.get(name) for item in items], kind)
        self._write(columns)

    def _table(self, table: pa.Table) -> None:
        """A reader's own columns; what it does not give is filled in from the raw file."""
        import pyarrow.compute as pc

        n = table.num_rows
        if not n:
            return
        columns: dict[str, Any] = {}
        for name in ("id", "text", "url", "date", "licence", "meta", "origin_offset"):
            found = table.column(name).combine_chunks() if name in table.column_names else None
            columns[name] = found if found is not None else pa.nulls(n, schema().field(name).type)
        for name, fallback in (("date", self.raw.date), ("licence", self.raw.licence)):
            if fallback is not None:
                columns[name] = pc.fill_null(columns[name], fallback)
        columns["origin_file"] = pa.repeat(pa.scalar(self.raw.name, pa.string()), n)
        for name, kind in self.signals.items():
            column = f"signal.{name}"
            columns[column] = table.column(column) if column in table.column_names else pa.nulls(n, kind)
        self._write(columns)

    def _write(self, columns: dict[str, Any]) -> None:
        keys = columns["id"]
        columns["id"], repeated = self.ids.of(keys)
        for row in repeated:
            file, offset = columns["origin_file"][row].as_py(), columns["origin_offset"][row].as_py()
            detail = f"the key {context(keys[row].as_py().encode())} comes again here"
            self._rows.append((columns["id"][row].as_py(), "noted", "repeated_key", None, file, offset, detail))
        n = len(keys)
        columns["component"] = pa.repeat(pa.scalar(self.component, pa.string()), n)
        names = [*schema().names, *(f"signal.{name}" for name in self.signals)]
        table = pa.table({name: columns[name] for name in names})
        self.count.seen += n
        self.count.kept += n
        text = columns["text"]
        ends = text.buffers()[1]
        if ends is not None:
            import numpy as np

            where = np.frombuffer(ends, np.int64)
            self.count.bytes_out += int(where[text.offset + n] - where[text.offset])
        self.writer.write(table)

    def _note(
        self, action: str, reason: str, key: str, offset: int, detail: str = "", value: float | None = None
    ) -> None:
        ident = document_id(self.component, key) if key else ""
        self._rows.append((ident, action, reason, value, self.raw.name, offset, detail))
        if len(self._rows) >= CHUNK_RECORDS:
            self._flush_rows()

    def _flush_rows(self) -> None:
        if not self._rows:
            return
        ident, action, reason, value, file, offset, detail = map(list, zip(*self._rows, strict=True))
        self.work.journal.extend(
            len(self._rows),
            id=[i or None for i in ident],
            component=self.component,
            step=self.reader,
            action=action,
            reason=reason,
            value=pa.array(value, pa.float64()),
            file=file,
            offset=pa.array(offset, pa.int64()),
            detail=[d or None for d in detail],
        )
        self._rows = []


def to_json(meta: Mapping[str, Any]) -> bytes:
    """`meta` as one JSON object, with integers of any size and without what JSON lacks (NaN becomes null)."""
    if not meta:
        return b"{}"
    try:
        return orjson.dumps(meta, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # an integer beyond 64 bits, or a mapping that is no dict
        import json

        return json.dumps(dict(meta), ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | Iterator):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
