"""CourtListener's court opinions: bulk CSV (``opinions-2026-06-30.csv.bz2``), API answers, archives of JSON files.

Format: https://www.courtlistener.com/help/api/bulk-data/ (PostgreSQL COPY: header, every value quoted, backslash
escapes, NULL unquoted and empty; columns are found by name), https://www.courtlistener.com/help/api/rest/.

Record unit: one opinion.
Id: ``cl:opinion:{id}``.
Text, ``clean``: the first field that has any of html_with_citations, html_columbia, html_lawbox, xml_harvard,
html_anon_2020, html, plain_text; HTML as plain paragraphs without page numbers, plain text without page breaks, with
its wrapped lines joined. ``pile``: the last field that has any of plain_text, html, html_lawbox, html_columbia,
html_anon_2020, html_with_citations, xml_harvard; tags removed and nothing else::

    UNITED STATES COURT OF APPEALS

    Appellants Alberto J. Torres and Norberto Agredano appeal their convictions.

Beside the opinions, ``opinion-clusters-*`` and ``dockets-*`` of the same date are joined when they are raw files of
the component: case name, dates, court, and which clusters are blocked. A combined opinion repeats the lead opinion,
concurrences and dissents of its cluster: in ``clean`` the parts are left out where there is one; they are held back
(on disk when many) until the whole file was seen.
Metadata: opinion_id, cluster_id, case_name, court_id, docket_number, date_filed, author, type, precedential_status,
field, ocr.
Licence: opinions are public domain (government edicts doctrine); editorial headnotes are never read.
Skip reasons: ``other_table``, ``not_an_opinion``, ``no_text``, ``too_short``, ``blocked``, ``in_combined``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.delimited import Broken, cell, records
from pilebuilder.read.files import Content, contents
from pilebuilder.read.spill import Sorter
from pilebuilder.read.streams import open_stream
from pilebuilder.read.whole import whole, wrong_format
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.courtlistener_tables import Joined

CLEAN_FIELDS = (
    "html_with_citations", "html_columbia", "html_lawbox", "xml_harvard", "html_anon_2020", "html", "plain_text",
)  # fmt: skip
PILE_FIELDS = (
    "plain_text", "html", "html_lawbox", "html_columbia", "html_anon_2020", "html_with_citations", "xml_harvard",
)  # fmt: skip
PARTS = ("020", "025", "030", "035", "040")
"""Types of opinions that a combined one (``010combined``) repeats: lead, plurality, concurrences, dissent."""
_TABLES = ("opinion-clusters", "dockets")
NOTICE = "Unable to extract the content from this file"
BEGINS = re.compile(rb'"\d+","\d{4}-\d\d-\d\d[T ]').match

Opinion = Mapping[str, Any]


@reader("courtlistener", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CourtListener:
    """Court opinions from CourtListener's bulk CSV or API JSON."""

    style: Annotated[Literal["clean", "pile"], Field(description="best text form, or as the Pile took it")] = "clean"
    min_characters: Annotated[int, Field(ge=0, description="shorter texts are pointers, left out in clean")] = 100
    memory: Annotated[int, Field(ge=1 << 20, description="bytes of held-back opinions before a temporary file")] = (
        128 << 20
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def wants(self, name: str, names: Sequence[str]) -> list[str]:
        """The tables of the same snapshot that are joined to an opinions table."""
        folder, slash, file = name.rpartition("/")
        found = re.match(r"opinions-(\d{4}-\d\d-\d\d)", file)
        wanted = tuple(f"{folder}{slash}{table}-{found.group(1)}." for table in _TABLES) if found else ()
        return [other for other in names if wanted and other.startswith(wanted)]

    def _read(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.courtlistener_tables import Joined

        joined, combined, parts = Joined(raw), set[int](), Sorter(self.memory)
        for item in _opinions(raw):
            if not isinstance(item, tuple):
                yield item
                continue
            offset, opinion = item
            cluster, kind = _number(opinion.get("cluster_id")), str(opinion.get("type") or "")[:3]
            if self.style == "clean" and kind in PARTS and cluster:
                parts.add(cluster, _number(opinion.get("id")), offset, _packed(opinion))
                continue
            if kind == "010":
                combined.add(cluster)
            yield self._opinion(opinion, offset, joined)
        for cluster, _, offset, packed in parts:
            opinion = _unpacked(packed)
            if cluster in combined:
                yield Skipped(reason="in_combined", offset=offset, key=f"cl:opinion:{opinion['id']}")
            else:
                yield self._opinion(opinion, offset, joined)

    def _opinion(self, opinion: Opinion, offset: int, joined: Joined) -> Item:
        key = f"cl:opinion:{opinion['id']}"
        case = joined.case(_number(opinion.get("cluster_id")))
        if case.get("blocked"):
            return Skipped(reason="blocked", offset=offset, key=key)
        field, text = self._text(opinion)
        if not text.strip():
            return Skipped(reason="no_text", offset=offset, key=key)
        if self.style == "clean" and len(text) < self.min_characters:
            return Skipped(reason="too_short", offset=offset, key=key)
        cluster = _number(opinion.get("cluster_id"))
        slug = str(case.get("slug") or opinion.get("slug") or "").strip("/")
        meta = {
            "opinion_id": _number(opinion["id"]),
            "cluster_id": cluster,
            **{
                k: case.get(k) for k in ("case_name", "court_id", "docket_number", "date_filed", "precedential_status")
            },
            "author": opinion.get("author_str"),
            "type": opinion.get("type"),
            "field": field,
            "ocr": str(opinion.get("extracted_by_ocr")).lower() in ("t", "true"),
        }
        return Record(
            key=key,
            text=text,
            offset=offset,
            url=f"https://www.courtlistener.com/opinion/{cluster}/{slug}/" if cluster and slug else None,
            date=str(case.get("date_filed") or "") or None,
            meta={name: value for name, value in meta.items() if value},
        )

    def _text(self, opinion: Opinion) -> tuple[str, str]:
        from pilebuilder.read.courtlistener_text import clean_text, pile_text

        found = ("", "")
        for field in CLEAN_FIELDS if self.style == "clean" else PILE_FIELDS:
            raw = cell(str(opinion.get(field) or ""))
            if not raw.strip() or NOTICE in raw[:500]:
                continue
            if self.style == "pile":
                found = (field, pile_text(raw, field))
            elif (text := tidy(clean_text(raw, field))).strip():
                return field, text
        return found


def _number(value: Any) -> int:
    text = str(value or "")
    return int(text) if text.isdigit() and len(text) < 19 else 0


def _packed(opinion: Opinion) -> bytes:
    import json

    return json.dumps(dict(opinion), default=str).encode("utf-8", "surrogatepass")


def _unpacked(data: bytes) -> dict[str, Any]:
    import json

    return dict(json.loads(data.decode("utf-8", "surrogatepass")))


# Sources of opinions ------------------------------------------------------------------------------------------------


def _opinions(raw: Raw) -> Iterator[tuple[int, Opinion] | Item]:
    """Opinions with their offsets, from whatever form the file has."""
    if re.search(r"\.csv(\.\w+)?$", raw.name.lower()):
        yield from _from_csv(raw)
        return
    for item in contents(raw, only=(".json",)):
        if isinstance(item, Content):
            yield from _from_json(item)
        else:
            yield item


def _from_csv(raw: Raw) -> Iterator[tuple[int, Opinion] | Item]:
    names: list[str] = []
    with open_stream(raw.path, expect=raw.name) as stream:
        for row in records(stream, BEGINS, escape="\\"):
            if isinstance(row, Broken):
                yield Quarantined(reason=row.reason, offset=row.offset, detail=row.detail)
            elif not names:
                names = row[1]
                if not {"id", "cluster_id", "plain_text"} <= set(names):
                    known = "id" in names and "date_created" in names
                    yield Skipped(reason="other_table") if known else wrong_format("an opinions table", _head(raw))
                    return
            else:
                yield row[0], dict(zip(names, row[1], strict=True))
    if not names:
        yield wrong_format("an opinions table", _head(raw))


def _head(raw: Raw) -> bytes:
    with open_stream(raw.path, expect=raw.name) as stream:
        return stream.read(512)


def _from_json(file: Content) -> Iterator[tuple[int, Opinion] | Item]:
    import orjson

    try:
        value = orjson.loads(file.data)
    except orjson.JSONDecodeError as error:
        cut = error.pos >= len(file.data.rstrip()) - 1
        detail = f"{file.name}: {error}"
        yield Quarantined(reason="truncated" if cut else "bad_json", offset=file.offset, detail=detail, key=file.name)
        return
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    for opinion in value if isinstance(value, list) else [value]:
        found = _from_api(opinion) if isinstance(opinion, dict) else None
        yield (file.offset, found) if found else Skipped(reason="not_an_opinion", offset=file.offset, key=file.name)


def _from_api(opinion: dict[str, Any]) -> Opinion | None:
    """An opinion of the API under the names of the table; None for another object."""
    ident = opinion.get("id") or _last_number(opinion.get("resource_uri"))
    if not ident or not any(field in opinion for field in PILE_FIELDS):
        return None
    cluster = opinion.get("cluster_id") or _last_number(opinion.get("cluster"))
    slug = re.search(r"/opinion/\d+/([^/]+)/", str(opinion.get("absolute_url") or ""))
    return opinion | {"id": ident, "cluster_id": cluster, "slug": slug.group(1) if slug else ""}


def _last_number(address: Any) -> str:
    found = re.search(r"/(\d+)/?$", str(address or ""))
    return found.group(1) if found else ""
