"""JATS articles: PubMed Central's ``.nxml`` and ``.xml``, alone or in tar.gz archives, and ``pmc-articleset`` answers.

Format: ANSI/NISO Z39.96 (Journal Article Tag Suite, https://jats.nlm.nih.gov) and its older NLM forms.

Record unit: one ``article`` element.
Id: ``pmc:PMC{n}`` (the version is metadata, so a newer one replaces an older), else ``doi:{doi}``, else the file's
name.
Text, ``clean``::

    # Title

    ## Abstract

    What was found.

    ## Methods

    Cells were weighed, $m = 2$.

    Figure 1. Caption of a figure or table, where it stands.

References, notes, acknowledgements, table cells, graphics and bare addresses are left out; formulas are TeX.
``pile``: pandoc's Markdown of the body (``-f jats``, no wrapping), without front matter, lines with ``:::`` removed.
Metadata: pmcid, pmid, doi, journal, title, authors, date, article_type, licence_url, sections, sub_articles.
Licence: the fetched metadata's ``license_code``, else the address or sentence in ``permissions``; an article outside
`licences` is skipped. Sub-articles (decision letters, translations) are counted in the metadata, not rendered.
Skip reasons: ``licence``, ``no_body``, ``retracted``, ``historical_ocr``, ``article_type`` (corrections, retractions,
expressions of concern), ``not_named`` and ``link`` (archive members that are no article).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.files import Content, contents
from pilebuilder.read.licences import OPEN, cc_licence, family
from pilebuilder.read.whole import whole
from pilebuilder.read.xml import XmlError, local, tree, words
from pilebuilder.registry import reader

NOT_ARTICLES = ("correction", "retraction", "expression-of-concern", "partial-retraction")
_HREF = "{http://www.w3.org/1999/xlink}href"


@reader("jats", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Jats:
    """Full text of JATS articles (PubMed Central), with formulas as TeX."""

    style: Annotated[Literal["clean", "pile"], Field(description="own Markdown, or pandoc's as the Pile had it")] = (
        "clean"
    )
    licences: Annotated[tuple[str, ...], Field(description="licence families kept; empty: all")] = OPEN
    article_types: Annotated[tuple[str, ...], Field(description="article types left out")] = NOT_ARTICLES

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        for item in contents(raw, only=(".nxml", ".xml")):
            if isinstance(item, Content):
                yield from self._file(raw, item)
            else:
                yield item

    def _file(self, raw: Raw, file: Content) -> Iterator[Item]:
        try:
            root = _tree(file.data)
        except XmlError as error:
            yield Quarantined(reason=error.reason, offset=file.offset, detail=error.detail, key=file.name)
            return
        articles = [root] if local(root) == "article" else list(_articles(root))
        if not articles:
            detail = f"no article but {local(root)}"
            yield Quarantined(reason="wrong_format", offset=file.offset, detail=detail, key=file.name)
        for article in articles:
            try:
                yield self._article(raw, file, article)
            except RecursionError:
                yield Quarantined(reason="too_deep", offset=file.offset, detail="nested too deep", key=file.name)

    def _article(self, raw: Raw, file: Content, article: Any) -> Item:
        meta = metadata(article)
        key = _key(meta, file.name)
        stated = str(raw.extra.get("license_code") or meta.pop("licence_text"))
        licence = raw.licence or cc_licence(str(meta.get("licence_url") or "")) or cc_licence(stated)
        body = next((child for child in article if local(child) == "body"), None)
        reason = self._unwanted(raw, meta, licence)
        if not reason and (body is None or not words(body)):
            reason = "no_body"
        if reason:
            return Skipped(reason=reason, offset=file.offset, key=key)
        from pilebuilder.read.jats_text import article_text

        meta["sections"] = sum(1 for _ in article.iter("{*}sec", "sec"))
        if self.style == "pile":
            return self._pile(file, article, meta, key, licence)
        return _record(file, meta, key, licence, tidy(article_text(article, meta["title"])))

    def _unwanted(self, raw: Raw, meta: dict[str, Any], licence: str | None) -> str:
        if raw.extra.get("is_retracted"):
            return "retracted"
        if raw.extra.get("is_historical_ocr"):
            return "historical_ocr"
        if meta["article_type"] in self.article_types:
            return "article_type"
        allowed = {family(name) for name in self.licences}
        return "licence" if allowed and (not licence or family(licence) not in allowed) else ""

    def _pile(self, file: Content, article: Any, meta: dict[str, Any], key: str, licence: str | None) -> Item:
        from lxml import etree

        from pilebuilder.read.pandoc import PandocError, markdown

        try:
            text = markdown(etree.tostring(article, encoding="utf-8", with_tail=False), "jats")
        except PandocError as error:
            return Quarantined(reason=error.reason, offset=file.offset, detail=error.detail, key=key)
        return _record(file, meta, key, licence, text)


def _record(file: Content, meta: dict[str, Any], key: str, licence: str | None, text: str) -> Record:
    pmcid = str(meta.get("pmcid", ""))
    doi = f"https://doi.org/{meta['doi']}" if meta.get("doi") else None
    return Record(
        key=key,
        text=text,
        offset=file.offset,
        url=f"https://pmc.ncbi.nlm.nih.gov/articles/{pmcid}/" if pmcid else doi,
        date=meta.get("date") or None,
        licence=licence,
        meta={name: value for name, value in meta.items() if value},
    )


def _tree(data: bytes) -> Any:
    try:
        return tree(data)
    except XmlError as error:
        if error.reason != "xml_limit":
            raise
    return tree(data, huge=True)


def _articles(root: Any) -> Iterator[Any]:
    """Articles in a collection (``pmc-articleset``, OAI), outermost ones only."""
    for child in root:
        if local(child) == "article":
            yield child
        elif local(child) in ("pmc-articleset", "GetRecord", "ListRecords", "record", "metadata"):
            yield from _articles(child)


def _key(meta: dict[str, Any], name: str) -> str:
    if meta.get("pmcid"):
        return f"pmc:{meta['pmcid']}"
    return f"doi:{meta['doi'].lower()}" if meta.get("doi") else f"jats:{name}"


def metadata(article: Any) -> dict[str, Any]:
    """What the front matter says."""
    front = next((child for child in article if local(child) in ("front", "front-stub")), None)
    found: dict[str, Any] = {"article_type": article.get("article-type", ""), "title": "", "authors": []}
    found["licence_text"] = ""
    found["sub_articles"] = sum(1 for child in article if local(child) in ("sub-article", "response"))
    if front is None:
        return found
    for part in front:
        if local(part) == "journal-meta":
            title = next((e for e in part.iter() if local(e) == "journal-title"), None)
            found["journal"] = words(title) if title is not None else ""
        elif local(part) == "article-meta":
            _article_meta(part, found)
    return found


def _article_meta(part: Any, found: dict[str, Any]) -> None:
    for child in part:
        name = local(child)
        if name == "article-id":
            _identifier(found, child.get("pub-id-type", ""), (child.text or "").strip())
        elif name == "title-group":
            title = next((e for e in child if local(e) == "article-title"), None)
            found["title"] = _title(title) if title is not None else ""
        elif name == "contrib-group":
            found["authors"] += [person for person in map(_author, child) if person]
        elif name == "pub-date":
            date = "-".join(filter(None, (_part(child, "year", 4), _part(child, "month", 2), _part(child, "day", 2))))
            found["date"] = min(found.get("date") or date, date) if date else found.get("date", "")
        elif name in ("permissions", "copyright-statement", "license"):
            found["licence_text"] += " " + words(child)
            links = (e.get(_HREF) or (e.text if local(e) == "license_ref" else "") or "" for e in child.iter())
            url = next((link for link in links if cc_licence(link)), "")
            found["licence_url"] = found.get("licence_url") or url


def _title(element: Any) -> str:
    """The title without footnote marks."""
    from pilebuilder.read.jats_text import inline

    return " ".join(inline(element).split())


def _author(contributor: Any) -> str:
    if local(contributor) != "contrib" or contributor.get("contrib-type", "author") != "author":
        return ""
    parts = {local(e): words(e) for e in contributor.iter() if local(e) in ("surname", "given-names", "collab")}
    name = ", ".join(filter(None, (parts.get("surname"), parts.get("given-names"))))
    return name or parts.get("collab", "")


def _part(date: Any, name: str, width: int) -> str:
    value = next((words(child) for child in date if local(child) == name), "")
    return value.zfill(width) if value.isdigit() else ""


def _identifier(found: dict[str, Any], kind: str, value: str) -> None:
    if kind in ("pmc", "pmcid") and re.fullmatch(r"(?:PMC)?\d+", value):
        found.setdefault("pmcid", "PMC" + value.removeprefix("PMC"))
    elif kind in ("pmid", "doi"):
        found.setdefault(kind, value)
    elif kind == "pmcid-ver":
        found.setdefault("version", value.partition(".")[2])
