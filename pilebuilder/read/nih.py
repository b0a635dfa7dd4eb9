"""NIH ExPorter: abstracts of research grants, one CSV table a fiscal year."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

MAX_TABLE = 1 << 30
"""Bytes of one year's table; the largest is about 250 MB."""
# The leading phrases that the Pile's code strips, in its order and once each.
PILE_PREFIXES = (
    "? ",
    "[unreadable] ",
    "description (provided by applicant): ",
    "description (provided by applicant) ",
    "description (provided by the applicant): ",
    "description (adapted from applicant's abstract): ",
    "description (adapted from the applicant's abstract): ",
    "description (adapted from investigator's abstract): ",
    "description (adapted from the investigator's abstract): ",
    "description (provided by candidate): ",
    "description (applicant's abstract): ",
    "adapted from applicant's abstract: ",
    "adapted from the applicant's abstract): ",
    "project summary / abstract ",
    "project summary/abstract ",
    "project summary (see instructions): ",
    "project summary: ",
    "abstract ",
)
_WHO = r"(?:applicant|investigator|candidate|principal investigator)(?:['’]?s)?['’]?"
_PREFIX = re.compile(
    r"(?:\?+\s*|\[unreadable\]\s*"
    r"|(?:description|summary|abstract)?\s*\(?\s*(?:as )?(?:provided|adapted|taken)\s+(?:by|from)(?:\s+the)?\s+"
    rf"{_WHO}(?:\s+(?:abstract|description))?\s*\)?\s*[:.]?\s*"
    r"|description\s*\((?:the )?applicant['’]s (?:abstract|description)\)\s*[:.]?\s*"
    r"|project\s+(?:summary|narrative|description)(?:\s*(?:/|or|and)\s*abstract)?"
    r"(?:\s*\(see instructions\))?\s*[:.]?\s*"
    r"|(?:description|abstract|summary|overall)\s*[:.]\s*|/\s*abstract\s*[:.]?\s*)",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"(?:no abstract(?: is)? (?:available|provided)|not available|n/?a|none)\W*", re.IGNORECASE)


@reader("nih-exporter", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class NihExporter:
    """One grant abstract a document, from the yearly zips of RePORTER ExPORTER or their CSV files.

    Specification: ``RePORTER_PRJABS_C_FYyyyy.csv`` with the columns APPLICATION_ID and ABSTRACT_TEXT (RFC 4180 with
    line breaks inside quotes). Record unit: a row. Key: ``nih:APPLICATION_ID``. Text, clean style: white space
    collapsed, leading form phrases ("DESCRIPTION (provided by applicant):") stripped until none is left; cells that
    are no UTF-8 are read as cp1252. Pile style: bad bytes dropped, each phrase of a fixed list stripped once. Meta:
    application_id, fy from the file's name, and the other columns of a project table. URL: the project's page.
    Licence: public domain. Skipped: ``no_abstract``, ``too_short`` (clean style), ``repeated`` (the same
    APPLICATION_ID again in one file). Equal abstracts of later years are left to the dedup stage. Quarantined:
    ``bad_row``, ``truncated`` (it ends inside quotes), ``no_columns``, ``wrong_format``.

    ``8997115,"DESCRIPTION (provided by applicant): We study cells."`` gives ``We study cells.``
    """

    style: Literal["clean", "pile"] = "clean"
    min_chars: Annotated[int, Field(ge=0, description="shorter abstracts are skipped (clean style)")] = 100

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _tables(self, raw))


def _tables(options: NihExporter, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Skipped
    from pilebuilder.read.files import Content, contents
    from pilebuilder.read.whole import looks_html, wrong_format

    for found in contents(raw, limit=MAX_TABLE):
        if not isinstance(found, Content):
            yield found
        elif looks_html(found.data[:1024]) or b"\0" in found.data[:256]:
            yield wrong_format("a table of abstracts", found.data, found.offset)
        elif not found.path.lower().endswith((".csv", ".txt")) and b"," not in found.data[:200]:
            in_archive = found.name != raw.name
            yield (
                Skipped(reason="not_a_table", offset=found.offset, key=found.name)
                if in_archive
                else wrong_format("a table of abstracts", found.data, found.offset)
            )
        else:
            yield from _rows(options, raw, found)


def _rows(options: NihExporter, raw: Raw, found: Any) -> Iterator[Item]:
    import csv

    from pilebuilder.ledger import context
    from pilebuilder.read.base import Quarantined, Skipped

    csv.field_size_limit(1 << 30)
    lines = _Lines(found.data, options.style)
    rows = csv.reader(lines, strict=True)
    header = [name.strip().lstrip("\ufeff").upper() for name in next(rows, [])]
    if "APPLICATION_ID" not in header or "ABSTRACT_TEXT" not in header:
        detail = f"the header has no APPLICATION_ID and ABSTRACT_TEXT: {context(found.data[:120])}"
        yield Quarantined(reason="no_columns", offset=found.offset, detail=detail, key=found.name)
        return
    year = re.search(r"(19|20)\d\d", found.path.rsplit("/", 1)[-1])
    seen: set[str] = set()
    while True:
        start = found.offset + lines.offset
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            reason = "truncated" if "unexpected end" in str(error) else "bad_row"
            yield Quarantined(reason=reason, offset=start, detail=f"{error}", key=f"{found.name}@{start}")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            detail = f"{len(cells)} cells, the header has {len(header)}: {context(','.join(cells)[:80].encode())}"
            yield Quarantined(reason="bad_row", offset=start, detail=detail, key=f"{found.name}@{start}")
            continue
        row = dict(zip(header, cells, strict=True))
        number = row.pop("APPLICATION_ID").strip()
        if number in seen:
            yield Skipped(reason="repeated", offset=start, key=f"nih:{number}@{start}")
            continue
        seen.add(number)
        yield _document(options, number, row, start, int(year[0]) if year else None)


class _Lines:
    """Decoded lines of a table in memory; `offset` is where the next one begins."""

    def __init__(self, data: bytes, style: str) -> None:
        self._data, self.offset, self._pile = data, 0, style == "pile"

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.offset >= len(self._data):
            raise StopIteration
        end = self._data.find(b"\n", self.offset) + 1 or len(self._data)
        line, self.offset = self._data[self.offset : end], end
        try:
            return line.decode()
        except UnicodeDecodeError:
            return line.decode("utf-8", "ignore") if self._pile else line.decode("cp1252", "replace")


def _document(options: NihExporter, number: str, row: dict[str, str], offset: int, year: int | None) -> Item:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy

    key = f"nih:{number}"
    text = " ".join(row.pop("ABSTRACT_TEXT").split())
    text = pile_text(text) if options.style == "pile" else clean_text(tidy(text))
    if not text or (options.style == "clean" and _NOTHING.fullmatch(text)):
        return Skipped(reason="no_abstract", offset=offset, key=key)
    if options.style == "clean" and len(text) < options.min_chars:
        return Skipped(reason="too_short", offset=offset, key=key)
    meta: dict[str, Any] = {"application_id": number} | ({"fy": year} if year else {})
    meta |= {name.lower(): value for name, value in row.items() if value}
    url = f"https://reporter.nih.gov/project-details/{number}"
    return Record(key=key, text=text, offset=offset, url=url, licence="Public domain", meta=meta)


def pile_text(text: str) -> str:
    """Each phrase of the Pile's list stripped once, in its order.

    >>> pile_text("DESCRIPTION (provided by applicant): Cells divide.")
    'Cells divide.'
    """
    for prefix in PILE_PREFIXES:
        if text.lower().startswith(prefix):
            text = text[len(prefix) :]
    return text.strip()


def clean_text(text: str) -> str:
    """Leading form phrases stripped until none is left.

    >>> clean_text("PROJECT SUMMARY/ABSTRACT: Description (adapted from the applicant's abstract): Cells divide.")
    'Cells divide.'
    """
    while (found := _PREFIX.match(text)) and found.end():
        text = text[found.end() :].lstrip(" -\u2013:")
    return text
