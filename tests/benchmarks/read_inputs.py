"""What the contests of readers read: pages and articles of the samples, posts and citations made here."""

from __future__ import annotations

import bz2
import gzip
import random
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

from tests.samples import SAMPLES

MADE = 40_000_000
"""Bytes of posts and of citations."""


def lines(folder: Path) -> Path:
    import zstandard

    raw = b"".join(
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        for path in sorted((SAMPLES / "bulk").glob("*.jsonl.zst"))
    )
    path = folder / "lines.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(raw * 3))
    return path


def crawl(folder: Path, name: str, small: bool) -> Path:
    """Pages of the samples' crawl archives as one archive of gzip members."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    from tests.read.fixtures import response

    bodies = []
    for path in sorted((SAMPLES / "pile-cc").glob("*.warc.gz")):
        for record in ArchiveIterator(str(path), record_types=WarcRecordType.response, auto_decode="none"):
            data = record.reader.read()
            if record.http_content_type == "text/html" and b"</" in data and (20 < len(data) < 20_000) == small:
                bodies.append((data, record.http_charset))
    path = folder / f"{name}.warc.gz"
    with path.open("wb") as out:
        for k, (data, charset) in enumerate(bodies):
            head = f"Content-Type: text/html; charset={charset}" if charset else "Content-Type: text/html"
            out.write(gzip.compress(response(k, data, head), 6))
    return path


def repeated(folder: Path, name: str, data: bytes, record: bytes, times: int) -> Path:
    """An XML file with its records (everything from the first to the last end tag of `record`) several times."""
    found = re.search(b"<" + record + rb"[\s>]", data)
    assert found, record
    start = found.start()
    closing = b"/>" if record == b"row" else b"</" + record + b">"
    end = data.rindex(closing) + len(closing)
    path = folder / name
    path.write_bytes(data[:start] + (data[start:end] + b"\n") * times + data[end:])
    return path


WORDS = "the of and to in a is that for it as was with be by on not he".split()  # noqa: SIM905


def prose(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def posts(path: Path, size: int) -> None:
    """A Posts.xml: questions with three answers, bodies of paragraphs, code, lists and links."""
    draw, number, written = random.Random(1), 0, 0
    with path.open("w", encoding="utf-8-sig") as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
        while written < size:
            question = number + 1
            for kind in (1, 2, 2, 2):
                number += 1
                body = "".join(
                    f'<p>{prose(draw, 40)} <code>x{k}</code> &amp; <a href="https://x.org/{k}">{prose(draw, 3)}</a></p>\n\n'
                    for k in range(draw.randint(1, 5))
                )
                body += f"<pre><code>{prose(draw, 20)}\n</code></pre>\n" if draw.random() < 0.4 else ""
                body += "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n" if draw.random() < 0.2 else ""
                facts = (
                    f'Title="T{number}" Tags="&lt;a&gt;" AcceptedAnswerId="{question + 1}"'
                    if kind == 1
                    else f'ParentId="{question}"'
                )
                row = (
                    f'  <row Id="{number}" PostTypeId="{kind}" {facts} CreationDate="2015-01-27T20:09:32.720"'
                    f' Score="{draw.randint(-1, 9)}" Body="{escape(body)}" OwnerUserId="{number}" CommentCount="0" />\n'
                ).replace("\n\n", "&#xA;&#xA;")
                row = row[:-1].replace("\n", "&#xA;") + "\n"
                written += out.write(row)
        out.write("</posts>\n")


def citations(path: Path, size: int) -> None:
    """A PubMed file: structured abstracts, ten authors with affiliations, MeSH terms, thirty references."""
    draw, number, written = random.Random(2), 0, 0
    with path.open("w") as out:
        out.write("<PubmedArticleSet>\n")
        while written < size:
            number += 1
            abstract = "".join(
                f'<AbstractText Label="L{k}">{prose(draw, 50)} <i>in vivo</i></AbstractText>\n' for k in range(3)
            )
            authors = "".join(
                f"<Author><LastName>Roe{k}</LastName><ForeName>Ann</ForeName><AffiliationInfo><Affiliation>{prose(draw, 20)}"
                "</Affiliation></AffiliationInfo></Author>\n" for k in range(10)
            )  # fmt: skip
            mesh = "".join(
                f"<MeshHeading><DescriptorName UI='D{k}'>Term {k}</DescriptorName></MeshHeading>" for k in range(8)
            )
            references = "".join(
                f"<Reference><Citation>{prose(draw, 18)}</Citation><ArticleIdList><ArticleId IdType=\"pubmed\">{k}</ArticleId>"
                "</ArticleIdList></Reference>\n" for k in range(30)
            )  # fmt: skip
            pmc = '<ArticleId IdType="pmc">PMC1</ArticleId>' if number % 3 == 0 else ""
            written += out.write(
                f'<PubmedArticle><MedlineCitation><PMID Version="1">{number}</PMID><Article><Journal><JournalIssue><PubDate>'
                f"<Year>2019</Year></PubDate></JournalIssue><Title>J</Title></Journal><ArticleTitle>{prose(draw, 12)}</ArticleTitle>"
                f"<Abstract>{abstract}</Abstract><AuthorList>{authors}</AuthorList><Language>eng</Language></Article>"
                f"<MeshHeadingList>{mesh}</MeshHeadingList></MedlineCitation><PubmedData><ArticleIdList>{pmc}</ArticleIdList>"
                f"<ReferenceList>{references}</ReferenceList></PubmedData></PubmedArticle>\n"
            )
        out.write("</PubmedArticleSet>\n")


def _made(name: str, write: Callable[[Path, int], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / name, MADE)
        return folder / name

    return make


def wiki(folder: Path) -> Path:
    dump = bz2.decompress(next((SAMPLES / "wikipedia").glob("enwiki*.bz2")).read_bytes())
    return repeated(folder, "wiki.xml", dump, b"page", 4)


INPUTS: dict[str, Callable[[Path], Path]] = {
    "lines": lines,
    "pages": lambda folder: crawl(folder, "pages", small=False),
    "small": lambda folder: crawl(folder, "small", small=True),
    "wiki": wiki,
    "posts": _made("Posts.xml", posts),
    "citations": _made("pubmed26n0001.xml", citations),
}
