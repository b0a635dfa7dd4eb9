"""NIH ExPorter: abstracts of research grants, one CSV table a fiscal year."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.read.files import Part
    from pilebuilder.read.lookup import Lookup
    from pilebuilder.read.survey import Surveys

PROJECT = (
    "APPLICATION_ID", "PROJECT_TITLE", "FY", "IC_NAME", "ORG_NAME", "CORE_PROJECT_NUM", "ACTIVITY", "PROJECT_START",
    "PROJECT_END",
)  # fmt: skip
"""Columns of the table of projects that become metadata of an abstract."""
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


@reader("nih-exporter", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class NihExporter:
    """One grant abstract a document, from the yearly zips of RePORTER ExPORTER or their CSV files.

    Format: ``RePORTER_PRJABS_C_FYyyyy.csv`` with the columns APPLICATION_ID and ABSTRACT_TEXT (RFC 4180 with line
    breaks inside quotes), https://reporter.nih.gov/exporter. Tables of any size are read as streams.
    Record unit: a row.
    Id: ``nih:APPLICATION_ID``.
    Text, ``clean``: white space collapsed, leading form phrases stripped until none is left; cells that are no UTF-8
    are read as cp1252; `title` puts the project's title before it. ``pile``: bad bytes dropped, each phrase of a fixed
    list stripped once::

        8997115,"DESCRIPTION (provided by applicant): We study cells."   ->   We study cells.

    A table of projects of the same year (``RePORTER_PRJ_C_FYyyyy.csv``, or ``projects/yyyy.zip``) is joined when it is
    a raw file of the component. The same APPLICATION_ID again, and in ``clean`` the same text again, is skipped over
    all files of the component: the first fiscal year stays.
    Metadata: application_id, fy, and of the project its title, institute, organisation, core number, activity, start
    and end (or the other columns that the table of abstracts has). URL: the project's page.
    Licence: public domain (works of the United States government and grant records).
    Skip reasons: ``no_abstract``, ``too_short`` (clean), ``repeated``, ``same_abstract`` (clean), ``project_table``,
    ``not_a_table``.
    Quarantined: ``parse_error``, ``truncated`` (it ends inside quotes), ``too_large`` (a row above `max_row_bytes`),
    ``no_columns``, ``wrong_format``.
    """

    style: Literal["clean", "pile"] = "clean"
    min_chars: Annotated[int, Field(ge=0, description="shorter abstracts are skipped (clean style)")] = 100
    title: Annotated[bool, Field(description="put the project's title before the abstract, when it is known")] = False
    max_row_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30, description="longest row, in bytes")] = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.copies import distinct
        from pilebuilder.read.whole import whole

        return whole(raw, distinct(raw, _tables(self, raw), self._same()))

    def wants(self, name: str, names: Sequence[str]) -> list[str]:
        """The table of projects of the same fiscal year as a table of abstracts."""
        year = _year(name)
        if not year or _is_projects(name):
            return []
        return [other for other in names if _is_projects(other) and _year(other) == year][:1]

    def survey(self, raw: Raw) -> pa.Table:
        """The abstracts of one file."""
        from pilebuilder.read.copies import survey
        from pilebuilder.read.whole import whole

        return survey(whole(raw, _tables(self, raw)), self._same())

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """Abstracts that a file of an earlier year, or one before it in the inventory, has too."""
        from pilebuilder.read.copies import settle

        names = sorted(surveys.names, key=lambda name: _year(name) or 9999)
        return settle(surveys, names, self._same())

    def _same(self) -> dict[str, str]:
        return {"key": "repeated"} | ({"text": "same_abstract"} if self.style == "clean" else {})


def _year(name: str) -> int | None:
    found = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)
    return int(found[-1]) if found else None


def _is_projects(name: str) -> bool:
    return bool(re.search(r"RePORTER_PRJ_C|(?:^|/)projects/", name, re.IGNORECASE))


def _tables(options: NihExporter, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Quarantined, Skipped
    from pilebuilder.read.files import Part, parts
    from pilebuilder.read.streams import StreamError

    if _is_projects(raw.name):
        yield Skipped(reason="project_table", key=raw.name)
        return
    projects = _projects(raw)
    for part in parts(raw):
        if not isinstance(part, Part):
            yield part
            continue
        if part.name != raw.name and not part.path.lower().endswith((".csv", ".txt")):
            yield Skipped(reason="not_a_table", offset=part.offset, key=part.name)
            continue
        try:
            yield from _rows(options, part, projects)
        except StreamError as error:
            if part.name == raw.name:
                raise
            yield Quarantined(reason=error.reason, offset=part.offset, detail=error.detail, key=part.name)


def _begins(line: bytes) -> bool:
    return bool(re.match(rb'"?\d{1,12}"?,', line))


def _rows(options: NihExporter, part: Part, projects: Lookup) -> Iterator[Item]:
    from pilebuilder.ledger import context
    from pilebuilder.read.base import Quarantined
    from pilebuilder.read.delimited import Broken, records
    from pilebuilder.read.whole import looks_html, wrong_format

    header: list[str] | None = None
    for row in records(part.stream, _begins, limit=options.max_row_bytes):
        offset = part.offset + (row.offset if isinstance(row, Broken) else row[0])
        if isinstance(row, Broken):
            yield Quarantined(reason=row.reason, offset=offset, detail=row.detail, key=f"{part.name}@{offset}")
            continue
        if header is None:
            header = [name.strip().lstrip("\ufeff").upper() for name in row[1]]
            shown = ",".join(row[1])[:1024].encode("utf-8", "surrogateescape")
            if looks_html(shown) or "\0" in row[1][0] or len(header) < 2:
                yield wrong_format("a table of abstracts", shown, part.offset)
                return
            if "APPLICATION_ID" not in header or "ABSTRACT_TEXT" not in header:
                detail = f"the header has no APPLICATION_ID and ABSTRACT_TEXT: {context(shown[:120])}"
                yield Quarantined(reason="no_columns", offset=part.offset, detail=detail, key=part.name)
                return
            continue
        cells = dict(zip(header, (_cell(value, options.style) for value in row[1]), strict=True))
        yield _document(options, cells, offset, _year(part.path.rpartition("/")[2]) or _year(part.name), projects)


def _cell(text: str, style: str) -> str:
    """A cell whose bytes are no UTF-8 (lone surrogates by now) is cp1252, as Windows wrote it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogateescape")
        return data.decode("utf-8", "ignore") if style == "pile" else data.decode("cp1252", "replace")
    return text


def _projects(raw: Raw) -> Lookup:
    """The wanted columns of the tables of projects beside a file."""
    from pilebuilder.read.lookup import Lookup

    return Lookup(PROJECT, (row for name, path in sorted(raw.beside.items()) for row in _project_rows(name, path)))


def _project_rows(name: str, path: Path) -> Iterator[tuple[Any, ...]]:
    """Damaged rows are passed over: a table of projects makes no document."""
    from pilebuilder.read.delimited import Broken, records
    from pilebuilder.read.files import Part, parts
    from pilebuilder.read.streams import StreamError

    places: list[int] = []
    try:
        for part in parts(Raw(path=path, name=name, sha256="", bytes=0, component="")):
            if not isinstance(part, Part):
                continue
            for row in records(part.stream, _begins):
                if isinstance(row, Broken):
                    continue
                if not places:
                    header = [cell.strip().lstrip("\ufeff").upper() for cell in row[1]]
                    places = [header.index(name) if name in header else -1 for name in PROJECT]
                elif places[0] >= 0 and re.fullmatch(r"[0-9]{1,12}", row[1][places[0]].strip()):
                    yield tuple(_cell(row[1][at], "clean") if at >= 0 else "" for at in places)
            places = []
    except StreamError:
        return


def _document(options: NihExporter, row: dict[str, str], offset: int, year: int | None, projects: Lookup) -> Item:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy

    number = row.pop("APPLICATION_ID").strip()
    key = f"nih:{number}"
    text = " ".join(row.pop("ABSTRACT_TEXT").split())
    text = pile_text(text) if options.style == "pile" else clean_text(tidy(text))
    if not text or (options.style == "clean" and _NOTHING.fullmatch(text)):
        return Skipped(reason="no_abstract", offset=offset, key=key)
    if options.style == "clean" and len(text) < options.min_chars:
        return Skipped(reason="too_short", offset=offset, key=key)
    row |= projects.row(int(number)) if re.fullmatch(r"[0-9]{1,12}", number) else {}
    title = tidy(" ".join(row.get("PROJECT_TITLE", "").split()))
    meta: dict[str, Any] = {"application_id": number} | ({"fy": year} if year else {})
    names = {"IC_NAME": "institute", "ORG_NAME": "organisation", "PROJECT_TITLE": "title"}
    meta |= {
        names.get(name, name.lower()): tidy(value)
        for name, value in row.items()
        if value and name not in ("FY", "APPLICATION_ID")
    }
    return Record(
        key=key,
        text=f"{title}\n\n{text}" if options.title and title else text,
        offset=offset,
        url=f"https://reporter.nih.gov/project-details/{number}",
        licence="Public domain",
        meta=meta,
    )


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
