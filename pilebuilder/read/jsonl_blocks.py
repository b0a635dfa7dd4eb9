"""How the jsonl reader works: blocks of whole lines, a compiled scan, a general parser for what the scan leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from pilebuilder.document import from_buffers
from pilebuilder.kernels import json_lines
from pilebuilder.ledger import context
from pilebuilder.read.base import Batch, Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.line_blocks import Block, Oversize, line_blocks
from pilebuilder.read.streams import Limits, blocks
from pilebuilder.read.whole import looks_html, whole, wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.jsonl import Jsonl


def read(options: Jsonl, raw: Raw) -> Iterator[Item]:
    """Every line of a file, in order."""
    return whole(raw, _read(options, raw))


def _read(options: Jsonl, raw: Raw) -> Iterator[Item]:
    scanner = _Scanner(options, raw)
    limits = Limits(window_log=options.window_log)
    for block in line_blocks(blocks(raw.path, limits=limits, expect=raw.name), options.max_record_bytes):
        if isinstance(block, Oversize):
            detail = f"a line of more than {options.max_record_bytes} bytes ({block.size} or more)"
            yield Quarantined(reason="too_large", offset=block.offset, detail=detail, key=scanner.key(0))
            scanner.line += 1
            continue
        if block.offset == 0:
            head = block.buffer[: min(block.size, 1 << 16)]
            if head[:3].tobytes() == b"\xef\xbb\xbf":
                head[:3] = 32
            if problem := _format_problem(head.tobytes()):
                yield problem
                return
        yield from scanner.scan(block)


def _format_problem(head: bytes) -> Quarantined | None:
    """A file that is no JSON lines at all costs one row, not one per line."""
    if looks_html(head):
        return wrong_format("JSON lines", head)
    starts = [line.lstrip()[:1] for line in head.split(b"\n")[:100]]
    if b"{" in starts or not any(starts) or len(head) < 200:
        return None
    return wrong_format("JSON lines (no line begins with an opening brace)", head)


class _Scanner:
    """Turns blocks of lines into items; counts lines."""

    def __init__(self, options: Jsonl, raw: Raw) -> None:
        self.options, self.raw = options, raw
        self.line = 0
        """Lines of the file before the block."""
        slots = [options.text, options.id, options.url, options.date, options.licence]
        self.nested = {i: s for i, s in enumerate(slots) if s and "." in s}
        """Slots whose key goes into nested objects: looked up in `meta`, by the general parser."""
        plain = [s.encode() if s and i not in self.nested else b"\0" for i, s in enumerate(slots)]
        plain.append(options.meta.encode() if options.meta and not self.nested else b"\0")
        self._keys = np.frombuffer(b"".join(plain) + bytes(json_lines.PAD), np.uint8)
        self._ends = np.cumsum([len(k) for k in plain]).astype(np.int64)
        self._prefix = np.frombuffer(f"{raw.name}#".encode("utf-8", "backslashreplace"), np.uint8)
        self._found = _Columns()

    def key(self, number: int) -> str:
        return f"{self.raw.name}#{self.line + number + 1}"

    def scan(self, block: Block) -> Iterator[Item]:
        bad = _blanked(block)
        data, size = block.buffer, block.size
        found = self._found.fit(data, size, json_lines.newlines(data[:size]))
        rows, left, total = json_lines.scan(
            data, size, self._keys, self._ends, found.text, found.text_ends, found.meta, found.meta_ends,
            found.spans, found.kinds, found.lines, found.left,
        )  # fmt: skip
        at, table = 0, self._table(found, rows, block.offset)
        for number, start, end, before in _merged(found, rows, left, bad):
            if before > at:
                yield from self._batch(table.slice(at, before - at))
                at = before
            line = data[start:end].tobytes() if number not in bad else bad[number][2]
            yield self._hard(number, line, block.offset + start)
        if rows > at:
            yield from self._batch(table.slice(at, rows - at))
        self.line += total

    def _table(self, found: _Columns, rows: int, offset: int) -> pa.Table:
        ids, id_ends, there = found.gather(1, rows)
        keys = np.empty(len(ids) + rows * (len(self._prefix) + 20), np.uint8)
        key_ends = np.empty(rows + 1, np.int64)
        json_lines.keys_of(self._prefix, found.lines, rows, ids, id_ends, there, self.line, keys, key_ends)
        size = int(found.text_ends[rows])
        text = found.text[:size]
        columns = {
            "id": _strings(keys, key_ends),
            "text": from_buffers(text.copy() if 2 * size < len(found.text) else text, found.text_ends[: rows + 1]),
            "meta": _strings(found.meta, found.meta_ends[: rows + 1]),
            "origin_offset": pa.array(found.lines[:rows, 1] + offset),
        }
        for slot, name in ((2, "url"), (3, "date"), (4, "licence")):
            if found.kinds[:rows, slot].any():
                columns[name] = _strings(*found.gather(slot, rows))
        return pa.table(columns)

    def _batch(self, table: pa.Table) -> Iterator[Item]:
        if not self.nested:
            yield Batch(table=table)
            return
        for row in table.to_pylist():
            value = orjson.loads(row["meta"])
            yield self._record(value, row["id"], row["origin_offset"], row)

    def _hard(self, number: int, line: bytes, offset: int) -> Item:
        """A line that the scan left: rare, so a general parser and Python objects."""
        key = self.key(number)
        try:
            value = orjson.loads(line)
            if not isinstance(value, dict):
                detail = f"a JSON {type(value).__name__}, not an object: {context(line[:80])}"
                return Quarantined(reason="not_an_object", offset=offset, detail=detail, key=key)
            value = json.loads(line)  # keeps integers that no machine word holds
            json.dumps(value, allow_nan=False)
        except ValueError as error:
            return self._broken(line, error, offset, key)
        except RecursionError:
            return Quarantined(reason="bad_json", offset=offset, detail="nested too deep", key=key)
        return self._record(value, key, offset, {})

    def _broken(self, line: bytes, error: ValueError, offset: int, key: str) -> Quarantined:
        reason, where = "bad_json", getattr(error, "pos", 0)
        try:
            line.decode()
        except UnicodeDecodeError as problem:
            error, reason, where = problem, "bad_utf8", problem.start
        detail = f"{_why(error)}: {context(line[max(0, where - 40) : where + 80])}"
        return Quarantined(reason=reason, offset=offset, detail=detail, key=key)

    def _record(self, value: dict[str, Any], key: str, offset: int, known: dict[str, Any]) -> Item:
        """A document from a parsed object; `known` holds what the scan had already found."""
        options = self.options
        text = known.get("text")
        if text is None:
            spot = _spot(value, options.text)
            text = spot[0].pop(spot[1]) if spot else 0
        spot = _spot(value, options.id)
        ident = spot[0][spot[1]] if spot else None
        if isinstance(ident, str | int) and not isinstance(ident, bool):
            key = str(ident)
        if text is None or (isinstance(text, str) and (not text or text.isspace())):
            return Skipped(reason="empty_text", offset=offset, key=key)
        if not isinstance(text, str):
            names = ", ".join(sorted(map(str, value))[:12])
            detail = f"no string under {options.text!r}; the other keys are: {context(names.encode())}"
            return Quarantined(reason="no_text", offset=offset, detail=detail, key=key)
        url, date, licence = (known.get(name) or _taken(value, getattr(options, name)) for name in COLUMNS)
        meta = _flat(value, options)
        return Record(key=key, text=text, offset=offset, url=url, date=date, licence=licence, meta=meta)


COLUMNS = ("url", "date", "licence")


def _spot(value: dict[str, Any], path: str | None) -> tuple[dict[str, Any], str] | None:
    """The object that holds what a dotted path leads to, and its key there; None when there is nothing."""
    if path is None or path in value:
        return (value, path) if path else None
    *folders, name = path.split(".")
    inner: Any = value
    for folder in folders:
        inner = inner.get(folder) if isinstance(inner, dict) else None
    return (inner, name) if isinstance(inner, dict) and name in inner else None


def _taken(value: dict[str, Any], path: str | None) -> str | None:
    """The string at a dotted path, removed from where it stood; a null is removed too."""
    spot = _spot(value, path)
    if spot is None or not isinstance(spot[0][spot[1]], str | None):
        return None
    found: str | None = spot[0].pop(spot[1])
    return found


def _flat(value: dict[str, Any], options: Jsonl) -> dict[str, Any]:
    """The rest of the object as metadata: an object under the `meta` key that stands alone is the metadata."""
    inner = value.get(options.meta)
    rest = [k for k in value if k not in (options.meta, options.id)]
    if not isinstance(inner, dict) or rest or options.id in inner:
        return value
    return {k: v for k, v in value.items() if k == options.id and v is not None} | inner


def _why(error: Exception) -> str:
    return str(error).split(": line 1")[0][:160]


def _blanked(block: Block) -> dict[int, tuple[int, int, bytes]]:
    """Overwrite lines that are no UTF-8 with blanks; gives those lines by number: (start, end, bytes)."""
    data = block.buffer[: block.size]
    offsets = np.array([0, len(data)], np.int64)
    as_one = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        as_one.validate(full=True)
        return {}
    except pa.ArrowInvalid:
        pass
    bad: dict[int, tuple[int, int, bytes]] = {}
    at = 0
    for number, line in enumerate(data.tobytes().split(b"\n")):
        try:
            line.decode()
        except UnicodeDecodeError:
            bad[number] = (at, at + len(line), line)
            data[at : at + len(line)] = 32
        at += len(line) + 1
    return bad


def _merged(found: _Columns, rows: int, left: int, bad: dict[int, Any]) -> Iterator[tuple[int, int, int, int]]:
    """Lines for the general parser in file order: number, start, end, and how many documents come before."""
    listed = [tuple(row) for row in found.left[:left].tolist()]
    for number, (start, end, _) in bad.items():
        before = int(np.searchsorted(found.lines[:rows, 0], number))
        listed.append((number, start, end, before))
    yield from sorted(listed) if bad else listed  # type: ignore[misc]


def _strings(data: np.ndarray, ends: np.ndarray, there: np.ndarray | None = None) -> pa.StringArray:
    """A string column from bytes known to be UTF-8."""
    n, size = len(ends) - 1, int(ends[-1])
    valid = None if there is None or there[:n].all() else pa.py_buffer(np.packbits(there[:n], bitorder="little"))
    offsets = pa.py_buffer(ends.astype(np.int32))
    return pa.StringArray.from_buffers(n, offsets, pa.py_buffer(data[:size].copy()), valid)


class _Columns:
    """Where scans write. Outputs can be no longer than the block; all but the text are used again for the next one."""

    def __init__(self) -> None:
        self._rows = -1
        self.meta = np.empty(0, np.uint8)

    def fit(self, data: np.ndarray, size: int, count: int) -> _Columns:
        """Room for `count` lines of `size` bytes together."""
        self.data = data
        self.text = np.frombuffer(pa.allocate_buffer(size + json_lines.PAD), np.uint8)
        if len(self.meta) < size + 2 * count + json_lines.PAD:
            self.meta = np.empty(size + 2 * count + json_lines.PAD, np.uint8)
        if count > self._rows:
            self._rows = count
            self.meta_ends = np.empty(count + 1, np.int64)
            self.spans = np.empty((count, 2 * json_lines.SLOTS), np.int64)
            self.kinds = np.empty((count, json_lines.SLOTS), np.uint8)
            self.lines = np.empty((count, 2), np.int64)
            self.left = np.empty((count, 4), np.int64)
        self.text_ends = np.empty(count + 1, np.int64)
        return self

    def gather(self, slot: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bytes, ends and presence of a slot's values; numbers count as values of the id only."""
        kinds = self.kinds[:rows, slot]
        spans = self.spans[:rows, 2 * slot : 2 * slot + 2]
        size = int((spans[:, 1] - spans[:, 0])[kinds != json_lines.MISSING].sum()) if rows else 0
        out = np.empty(size + json_lines.PAD, np.uint8)
        ends = np.empty(rows + 1, np.int64)
        there = np.empty(rows, bool)
        json_lines.gather(self.data, self.spans, self.kinds, rows, slot, slot == 1, out, ends, there)
        return out, ends, there
