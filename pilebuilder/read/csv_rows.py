"""How the CSV reader works: lines with their offsets, Python's csv module on top, one row's error at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.streams import open_stream
from pilebuilder.read.whole import looks_html, wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.csv_files import Csv


_TOO_LARGE = "field larger"
"""How the csv module begins to say that a cell is longer than its limit."""


class Lines:
    """Decoded lines of a file; `offset` is where the next one begins."""

    def __init__(self, stream: Any, options: Csv) -> None:
        self._stream, self._options = stream, options
        self.offset = self.quotes = 0
        self.last = ""
        self.cut = False
        """Whether the last line was longer than a cell may be, and goes on."""

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        limit = self._options.max_cell_bytes
        line: bytes = self._stream.readline(limit)
        if not line:
            raise StopIteration
        self.cut = len(line) >= limit and not line.endswith(b"\n")
        if self.offset == 0:
            self.offset += 3 * line.startswith(b"\xef\xbb\xbf")
            line = line.removeprefix(b"\xef\xbb\xbf")
        self.offset += len(line)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode(self._options.charset or "cp1252", "replace")
        self.last = text
        escape = self._options.escape
        self.quotes += text.count('"') - (text.count(escape + '"') if escape else 0)
        return text

    def finish(self) -> None:
        """Pass over the rest of a row: up to the end of a line with all quotes closed, or of the file."""
        while (self.quotes % 2 or self.cut) and next(self, None) is not None:
            pass


def read(options: Csv, raw: Raw) -> Iterator[Item]:
    """Rows of a table in order."""
    csv.field_size_limit(options.max_cell_bytes + 1)
    with open_stream(raw.path, expect=raw.name) as stream:
        head = stream.peek(1024)[:1024]
        if looks_html(head) or b"\0" in head[:256]:
            yield wrong_format("a CSV table", head)
            return
        lines = Lines(stream, options)
        tab = raw.name.lower().removesuffix(".gz").removesuffix(".zst").endswith((".tsv", ".tab"))
        rows = csv.reader(
            lines, delimiter=options.delimiter or ("\t" if tab else ","), escapechar=options.escape, strict=True
        )
        header = next(rows, None) or []
        if not any(name in header for name in options.text):
            detail = f"no column {', '.join(options.text)}; the header is: {context(','.join(header).encode())}"
            yield Quarantined(reason="no_text", detail=detail)
            return
        number = 0
        while True:
            number += 1
            start, lines.quotes = lines.offset, 0
            try:
                cells = next(rows)
                if lines.cut:
                    raise csv.Error(_TOO_LARGE)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    detail = f"row {number} begins at byte {start} and has no closing quote"
                    yield Quarantined(reason="truncated", offset=start, detail=detail)
                    return
                if _TOO_LARGE in str(error):
                    lines.finish()
                    detail = f"row {number}: a cell of more than {options.max_cell_bytes} characters"
                    yield Quarantined(reason="too_large", offset=start, detail=detail, key=f"{raw.name}#{number}")
                    continue
                detail = f"row {number}: {error}: {context(lines.last[:80].encode())}"
                yield Quarantined(reason="bad_row", offset=start, detail=detail, key=f"{raw.name}#{number}")
                continue
            if cells:
                yield _document(options, raw, header, cells, number, start)
            else:
                number -= 1


def _document(options: Csv, raw: Raw, header: list[str], cells: list[str], number: int, offset: int) -> Item:
    key = f"{raw.name}#{number}"
    if len(cells) != len(header):
        detail = (
            f"row {number} has {len(cells)} cells, the header {len(header)}: {context(','.join(cells)[:80].encode())}"
        )
        return Quarantined(reason="bad_row", offset=offset, detail=detail, key=key)
    longest = max(map(len, cells))
    if longest > options.max_cell_bytes:
        detail = f"row {number}: a cell of {longest} characters, above {options.max_cell_bytes}"
        return Quarantined(reason="too_large", offset=offset, detail=detail, key=key)
    row = dict(zip(header, cells, strict=True))
    key = row.get(options.id or "") or key
    text = "\n\n".join(part for name in options.text if (part := row.pop(name, "")).strip())
    if not text:
        return Skipped(reason="empty_text", offset=offset, key=key)
    url, date, licence = (row.pop(name or "", "") or None for name in (options.url, options.date, options.licence))
    meta = {name: value for name, value in row.items() if value}
    return Record(key=key, text=text, offset=offset, url=url, date=date, licence=licence, meta=meta)
