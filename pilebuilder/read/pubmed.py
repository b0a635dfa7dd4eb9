"""PubMed citations: baseline and update files (``pubmed26n0001.xml.gz``), and efetch answers.

Format: https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/ (PubmedArticleSet), or the tagged MEDLINE format. An XML file is
cut at ``</PubmedArticle>``, each citation is parsed on its own, reference lists and history are not parsed at all.

Record unit: one PubmedArticle or PubmedBookArticle.
Id: ``pubmed:{PMID}``; a newer version is the same document.
Text, ``clean``::

    Title without the brackets of a translation

    BACKGROUND: text of a labelled part.

    Text of a part without a label.

``pile``: ``title + "\\n" + abstract``, all white space single spaces, labels and copyright left out.
Update semantics, within a file and across all files of the component (`pilebuilder.read.pubmed_order`): files are
applied in the order of their numbers; of several citations with one PMID that of the latest file, there that with the
highest version (then the last) is kept, the others are ``superseded``; a PMID under DeleteCitation is ``deleted`` in
this file and those before, and makes a row ``deletion`` with its key.
Metadata: pmid, version, doi, pmcid, journal, year, authors, language, publication_types, mesh, revised, labels.
Licence: NLM's terms cover all citations and stand on the card; a publisher's statement goes to ``copyright``.
Skip reasons: ``no_title``, ``no_abstract``, ``empty_abstract``, ``in_pmc`` (the full text is another component),
``superseded``, ``deleted``; ``deletion`` is an order to forget an earlier record, not a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.medline import Fields, citations, looks_medline
from pilebuilder.read.streams import StreamError, open_stream
from pilebuilder.read.whole import whole, wrong_format
from pilebuilder.read.xml import Split, XmlError, fragment, splits
from pilebuilder.registry import reader

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.read.survey import Surveys

_NAMES = (b"PubmedArticle", b"PubmedBookArticle", b"DeleteCitation")
_WANTED = (
    "Abstract", "PMID", "ArticleTitle", "AbstractText", "CopyrightInformation", "LastName", "ForeName",
    "CollectiveName", "Language", "PublicationType", "DescriptorName", "ArticleId", "ELocationID", "PubDate",
    "Title", "DateRevised", "OtherAbstract", "InvestigatorList", "PersonalNameSubjectList", "BookTitle",
    "ContributionDate", "VernacularTitle",
)  # fmt: skip
_PMID = re.compile(rb"<PMID(?:\s+Version=\"(\d{1,6})\")?\s*>\s*(\d{1,12})\s*</PMID>")
_CITATION = re.compile(rb"<(?:MedlineCitation|BookDocument)\b[^>]*>\s*" + _PMID.pattern)
_BETWEEN = re.compile(
    rb"<\?[^>]*\?>|<!DOCTYPE\b[^\[>]*>|</?(?:PubmedArticleSet|PubmedBookArticleSet)\s*>|<!--[^-]*-->|\s+"
)
_TRUNCATED = re.compile(r"\s*\(ABSTRACT TRUNCATED[^)]{0,40}\)\s*\.?\s*$")
_PMC = b'<ArticleId IdType="pmc"'


@reader("pubmed", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class PubMed:
    """Titles and abstracts from PubMed XML, with its rules of update and deletion."""

    style: Annotated[Literal["clean", "pile"], Field(description="labelled parts, or one line as the Pile had it")] = (
        "clean"
    )
    drop_pmc: Annotated[bool, Field(description="leave out citations whose full text is in PubMed Central")] = True

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        head = _head(raw)
        if looks_medline(head):
            yield from self._medline(raw)
            return
        invalid = self._invalid(raw)
        opened, closed, offset = False, False, 0
        with open_stream(raw.path, expect=raw.name) as stream:
            for piece in splits(stream.read, _NAMES):
                offset = piece.offset + len(piece.data)
                if piece.kind == "between":
                    opened, closed, lost = _between(piece, opened, closed)
                    yield from lost
                elif not opened:
                    break
                elif piece.kind != "record":
                    yield _lost(piece, "parse_error" if piece.kind == "broken" else "too_large")
                elif piece.name == b"DeleteCitation":
                    for _, pmid in _PMID.findall(piece.data):
                        yield Skipped(reason="deletion", offset=piece.offset, key=f"pubmed:{int(pmid)}")
                else:
                    yield self._citation(piece, invalid)
        if not opened:
            yield wrong_format("a PubmedArticleSet", head)
        elif not closed:
            raise StreamError("truncated", "the PubmedArticleSet has no end tag", offset=offset)

    def survey(self, raw: Raw) -> pa.Table:
        """PMID, version and offset of each citation and each deletion, cut out without parsing."""
        from pilebuilder.read.pubmed_order import survey

        return survey(_numbers(raw))

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """Offsets of citations that are superseded or deleted."""
        from pilebuilder.read.pubmed_order import settle

        return settle(surveys)

    def _invalid(self, raw: Raw) -> dict[int, str]:
        """Why the citation at an offset is not valid."""
        from pilebuilder.read.survey import Surveys

        found = raw.settled
        if found is None:
            [(_, found)] = self.settle(Surveys.single(raw.name, self.survey(raw)))
        if not found.num_rows:
            return {}
        return dict(zip(found.column("offset").to_pylist(), found.column("reason").to_pylist(), strict=True))

    def _citation(self, piece: Split, invalid: dict[int, str]) -> Item:
        data = piece.data
        found = _CITATION.search(data)
        if not found:
            return _lost(piece, "parse_error", "no PMID")
        key = f"pubmed:{int(found.group(2))}"
        if reason := invalid.get(piece.offset):
            return Skipped(reason=reason, offset=piece.offset, key=key)
        trimmed = _trimmed(data)
        if self.drop_pmc and _PMC in (data if self.style == "pile" else trimmed):
            return Skipped(reason="in_pmc", offset=piece.offset, key=key)
        try:
            citation = _parse(fragment(trimmed))
        except XmlError as error:
            return _lost(piece, error.reason, error.detail, key)
        return self._record(citation, piece.offset, key)

    def _medline(self, raw: Raw) -> Iterator[Item]:
        invalid = self._invalid(raw)
        with open_stream(raw.path, expect=raw.name) as stream:
            for offset, fields in citations(stream):
                pmid = fields.get("PMID", [""])[0].strip() if isinstance(fields, dict) else ""
                if not isinstance(fields, dict) or not re.fullmatch(r"[0-9]{1,12}", pmid):
                    detail = context(fields) if isinstance(fields, bytes) else "no PMID"
                    yield Quarantined(reason="parse_error", offset=offset, detail=detail)
                elif reason := invalid.get(offset):
                    yield Skipped(reason=reason, offset=offset, key=f"pubmed:{int(pmid)}")
                else:
                    yield self._record(_from_fields(fields, int(pmid)), offset, f"pubmed:{int(pmid)}")

    def _record(self, found: Citation, offset: int, key: str) -> Item:
        if self.drop_pmc and found.facts.get("pmcid"):
            return Skipped(reason="in_pmc", offset=offset, key=key)
        if not found.title:
            return Skipped(reason="no_title", offset=offset, key=key)
        if not found.parts:
            return Skipped(reason="empty_abstract" if found.has_abstract else "no_abstract", offset=offset, key=key)
        return Record(
            key=key,
            text=found.text(self.style),
            offset=offset,
            url=f"https://pubmed.ncbi.nlm.nih.gov/{key[7:]}/",
            date=found.date or None,
            meta={name: value for name, value in found.facts.items() if value},
        )


@dataclass(slots=True)
class Citation:
    """What is used of a citation."""

    title: str
    parts: list[tuple[str, str]]
    """Label and text of the abstract's parts."""
    facts: dict[str, Any]
    date: str
    has_abstract: bool

    def text(self, style: str) -> str:
        if style == "pile":
            return f"{self.title}\n{' '.join(text for _, text in self.parts)}"
        title = self.title
        if title.startswith("[") and title.rstrip(".").endswith("]"):
            title = title.rstrip(".")[1:-1].rstrip()
        parts = [f"{label}: {text}" if label else text for label, text in self.parts]
        if "(ABSTRACT TRUNCATED" in parts[-1]:
            parts[-1] = _TRUNCATED.sub("", parts[-1])
        return tidy("\n\n".join([title, *parts]))


def _parse(root: Any) -> Citation:
    """One walk over the elements that matter; libxml2 skips the others."""
    found: dict[str, Any] = {"authors": [], "language": [], "publication_types": [], "mesh": []}
    title = vernacular = date = ""
    parts: list[tuple[str, str]] = []
    other = people = abstract = False
    authors, mesh = found["authors"], found["mesh"]
    for element in root.iter(*_WANTED):
        tag, text = element.tag, element.text
        if tag == "LastName":
            if text and not people:
                authors.append(text.strip())
        elif tag == "ForeName":
            if text and authors and not people:
                authors[-1] += f", {text.strip()}"
        elif tag == "DescriptorName":
            mesh.append(text or "")
        elif tag == "AbstractText":
            if not other and (part := _flat(element)):
                parts.append((element.get("Label", "").strip(), part))
        elif tag == "ArticleId" or tag == "ELocationID":
            _identifier(found, element.get("IdType") or element.get("EIdType"), (text or "").strip())
        elif tag == "PublicationType":
            found["publication_types"].append(text or "")
        elif tag == "PMID":
            if "pmid" not in found:
                found["pmid"], found["version"] = int(text or 0), int(element.get("Version") or 1)
        elif tag == "Language":
            found["language"].append((text or "").strip())
        elif tag == "ArticleTitle" or tag == "BookTitle":
            title = title if tag == "BookTitle" and title else _flat(element)
        elif tag == "DateRevised":
            found["revised"] = _date(element)
        elif tag == "PubDate" or tag == "ContributionDate":
            date = _date(element) or date
        elif tag == "Title":
            found.setdefault("journal", " ".join((text or "").split()))
        elif tag == "Abstract":
            abstract = True
        elif tag == "CopyrightInformation":
            found.setdefault("copyright", _flat(element))
        elif tag == "VernacularTitle":
            vernacular = _flat(element)
        elif tag == "CollectiveName":
            if text and not people:
                authors.append(text.strip())
        elif tag == "OtherAbstract":
            other = True
        else:
            people = True  # an investigator or a person written about is no author
    found["year"] = int(date[:4]) if date[:4].isdigit() else None
    found["labels"] = [label for label, _ in parts if label]
    return Citation(title or vernacular, parts, found, date, abstract)


def _from_fields(fields: Fields, pmid: int) -> Citation:
    """A citation in MEDLINE format; its abstract is one part, with the labels in the running text."""

    def one(tag: str) -> str:
        return " ".join(" ".join(fields.get(tag, [])).split())

    identifiers = {
        kind: value for value, _, kind in (v.partition(" [") for v in fields.get("AID", []) + fields.get("LID", []))
    }
    year, _, rest = one("DP").partition(" ")
    month = _MONTHS.get(rest[:3].lower(), 0)
    facts = {
        "pmid": pmid,
        "version": 1,
        "doi": identifiers.get("doi]", ""),
        "pmcid": one("PMC"),
        "journal": one("JT"),
        "year": int(year) if year.isdigit() else None,
        "authors": fields.get("FAU") or fields.get("AU") or [],
        "language": fields.get("LA", []),
        "publication_types": fields.get("PT", []),
        "mesh": [term.replace("*", "") for term in fields.get("MH", [])],
        "copyright": one("CI"),
    }
    parts = [("", one("AB"))] if one("AB") else []
    return Citation(
        one("TI") or one("BTI") or one("TT"), parts, facts, f"{year}-{month:02}" if month else year, bool(parts)
    )


def _identifier(found: dict[str, Any], kind: str | None, value: str) -> None:
    if kind == "doi":
        found.setdefault("doi", value)
    elif kind == "pmc":
        found.setdefault("pmcid", value)


def _flat(element: Any) -> str:
    """Text of an element and all in it, runs of white space as one space."""
    if not len(element):
        return " ".join((element.text or "").split())
    return " ".join("".join(element.itertext()).split())


_MONTHS = dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13), strict=True))  # noqa: SIM905


def _date(element: Any) -> str:
    """``2019-05-04``, ``2019-05`` or ``2019`` from Year, Month and Day, or the year of a MedlineDate."""
    year = month = day = ""
    for child in element:
        tag, text = child.tag, (child.text or "").strip()
        if tag == "Year":
            year = text
        elif tag == "Month":
            month = text.zfill(2) if text.isdigit() else f"{_MONTHS.get(text[:3].lower(), 0):02}"
        elif tag == "Day":
            day = text.zfill(2)
        elif tag == "MedlineDate" and not year:
            year = next((word for word in re.findall(r"\d{4}", text)), "")
    if not year or not month or month == "00":
        return year
    return f"{year}-{month}-{day}" if day else f"{year}-{month}"


def _trimmed(data: bytes) -> bytes:
    """The citation without its history and reference lists: most of its bytes, and ids of other articles."""
    for opening, closing in ((b"<ReferenceList>", b"</ReferenceList>"), (b"<History>", b"</History>")):
        start, end = data.find(opening), data.rfind(closing)
        if 0 <= start < end:
            data = data[:start] + data[end + len(closing) :]
    return data


def _between(piece: Split, opened: bool, closed: bool) -> tuple[bool, bool, list[Quarantined]]:
    """What stands between records: the frame of the file, white space, or something that should not be there."""
    data = piece.data
    if data.isspace():
        return opened, closed, []
    if b"<!ENTITY" in data:
        raise XmlError("xml_entities", "the document type declaration declares entities")
    begins = b"<PubmedArticleSet" in data or b"<PubmedBookArticleSet" in data
    ends = b"</PubmedArticleSet>" in data or b"</PubmedBookArticleSet>" in data
    rest = _BETWEEN.sub(b"", data)
    lost = [Quarantined(reason="parse_error", offset=piece.offset, detail=f"between records: {context(rest)}")]
    closed = ends or (closed and not begins)
    return opened or begins, closed, lost if rest and (opened or begins) else []


def _lost(piece: Split, reason: str, detail: str = "", key: str = "") -> Quarantined:
    return Quarantined(reason=reason, offset=piece.offset, detail=detail or context(piece.data), key=key)


def _head(raw: Raw) -> bytes:
    with open_stream(raw.path, expect=raw.name) as stream:
        return stream.read(4096)


def _numbers(raw: Raw) -> Iterator[tuple[int, int, int]]:
    """PMID, version and offset (`DELETION` for a deletion) of what a file says, as far as it can be read."""
    from pilebuilder.read.pubmed_order import DELETION

    try:
        if looks_medline(_head(raw)):
            with open_stream(raw.path, expect=raw.name) as stream:
                for offset, fields in citations(stream):
                    pmid = fields.get("PMID", [""])[0].strip() if isinstance(fields, dict) else ""
                    if re.fullmatch(r"[0-9]{1,12}", pmid):
                        yield int(pmid), 1, offset
            return
        with open_stream(raw.path, expect=raw.name) as stream:
            for piece in splits(stream.read, _NAMES):
                if piece.name == b"DeleteCitation":
                    yield from ((int(pmid), 0, DELETION) for _, pmid in _PMID.findall(piece.data))
                elif piece.kind == "record" and (found := _CITATION.search(piece.data)):
                    yield int(found.group(2)), int(found.group(1) or 1), piece.offset
    except (StreamError, XmlError, UnicodeDecodeError):
        return  # reading says what is wrong, and with which file
