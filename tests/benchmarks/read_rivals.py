"""What readers are measured against: datatrove, plain ElementTree versions, bare parsers and decompressors."""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


def datatrove_jsonl(paths: list[Path]) -> int:
    from datatrove.pipeline.readers import JsonlReader

    return sum(1 for path in paths for _ in JsonlReader(str(path.parent), glob_pattern=path.name)())


def datatrove_warc(paths: list[Path]) -> int:
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader

    return sum(1 for path in paths for _ in Trafilatura()(WarcReader(str(path.parent), glob_pattern=path.name)()))


def elementtree_wiki(paths: list[Path]) -> int:
    """The plain version: iterparse, and mwparserfromhell's strip_code."""
    import mwparserfromhell

    documents = 0
    for path in paths:
        for _, element in ElementTree.iterparse(path):
            if not element.tag.endswith("}page"):
                continue
            space = element.tag.partition("}")[0] + "}"
            text = element.findtext(f"{space}revision/{space}text") or ""
            if element.findtext(f"{space}ns") == "0" and element.find(f"{space}redirect") is None:
                documents += bool(mwparserfromhell.parse(text).strip_code())
            element.clear()
            if documents >= 106:  # one pass over the sample's articles: this one is slow
                return documents
    return documents


class Rendering(HTMLParser):
    """Posts as Markdown in plain Python, for the comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self.inline: list[str] = []
        self.pre, self.mark = False, ""

    def flush(self) -> None:
        text = "".join(self.inline)
        self.inline = []
        text = text.strip("\n") if self.pre else " ".join(text.split())
        if text:
            self.out.append(self.mark + (f"```\n{text}\n```" if self.pre else text))
            self.mark = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("p", "pre", "ul", "ol", "li"):
            self.flush()
            self.pre = self.pre or tag == "pre"
            self.mark = "- " if tag == "li" else self.mark
        elif tag == "code" and not self.pre:
            self.inline.append("`")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "pre", "ul", "ol", "li"):
            self.flush()
            self.pre = self.pre and tag != "pre"
        elif tag == "code" and not self.pre:
            self.inline.append("`")

    def handle_data(self, data: str) -> None:
        self.inline.append(data)


def rendered(html: str) -> str:
    parser = Rendering()
    parser.feed(html)
    parser.close()
    parser.flush()
    return "\n\n".join(parser.out)


def elementtree_posts(paths: list[Path]) -> int:
    """Questions with their answers by the same rules."""
    questions: dict[str, dict[str, str]] = {}
    answers: dict[str, list[dict[str, str]]] = defaultdict(list)
    for _, row in ElementTree.iterparse(paths[0]):
        if row.get("PostTypeId") == "1":
            questions[row.attrib["Id"]] = dict(row.attrib)
        elif row.get("PostTypeId") == "2":
            answers[row.attrib["ParentId"]].append(dict(row.attrib))
        row.clear()
    count = 0
    for ident, question in questions.items():
        kept = [a for a in answers[ident] if int(a["Score"]) >= 3 or a["Id"] == question.get("AcceptedAnswerId")]
        kept = sorted(kept, key=lambda a: -int(a["Score"]))[:3]
        parts = ["Q:", question["Title"], rendered(question["Body"])]
        count += bool(kept and "\n\n".join(parts + [p for a in kept for p in ("A:", rendered(a["Body"]))]))
    return count


def elementtree_citations(paths: list[Path]) -> int:
    """Titles and abstracts by the same rules."""

    def flat(element: Any) -> str:
        return " ".join("".join(element.itertext()).split())

    count = 0
    for _, article in ElementTree.iterparse(paths[0]):
        if article.tag != "PubmedArticle":
            continue
        body: Any = article.find("MedlineCitation/Article")
        parts = [(p.get("Label", ""), flat(p)) for p in body.findall("Abstract/AbstractText")]
        ids = {i.get("IdType"): i.text for i in article.findall("PubmedData/ArticleIdList/ArticleId")}
        meta = {
            "authors": [
                f"{a.findtext('LastName')}, {a.findtext('ForeName')}" for a in body.findall("AuthorList/Author")
            ],
            "mesh": [flat(m) for m in article.findall("MedlineCitation/MeshHeadingList/MeshHeading/DescriptorName")],
        }
        text = "\n\n".join([flat(body.find("ArticleTitle")), *(f"{label}: {part}" for label, part in parts)])
        count += bool("pmc" not in ids and text and meta)
        article.clear()
    return count


def elementtree_only(paths: list[Path]) -> int:
    return sum(_cleared(element) for path in paths for _, element in ElementTree.iterparse(path))


def lxml_only(paths: list[Path]) -> int:
    from lxml import etree

    return sum(_cleared(element) for path in paths for _, element in etree.iterparse(path, huge_tree=True))


def _cleared(element: Any) -> bool:
    name = str(element.tag).rpartition("}")[2]
    if name in ("page", "row", "PubmedArticle"):
        element.clear()
        return True
    return False


def zstd_only(paths: list[Path]) -> int:
    import zstandard

    for path in paths:
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            while reader.read(1 << 20):
                pass
    return 0


def gzip_only(paths: list[Path]) -> int:
    for path in paths:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    return 0


RIVALS: dict[str, Callable[[list[Path]], int]] = {
    rival.__name__.replace("_", "-"): rival
    for rival in (
        datatrove_jsonl, datatrove_warc, elementtree_wiki, elementtree_posts, elementtree_citations, elementtree_only,
        lxml_only, zstd_only, gzip_only,
    )
}  # fmt: skip
