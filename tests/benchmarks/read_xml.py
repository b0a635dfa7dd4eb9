"""Readers of XML dumps side by side with plain parsers: ``python -m tests.benchmarks.read_xml [--megabytes 80]``.

Inputs are made here. `naive` is ElementTree's iterparse with the same rendering and the same rules in plain Python;
`lxml` is a bare lxml iterparse that does nothing with what it reads. CPU seconds on one core, best of three; peak
memory of a reader in a process of its own, at one and at four times the size. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pilebuilder import registry
from pilebuilder.read.base import Raw, Record

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
]


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


def ours(reader: str, path: Path) -> int:
    raw = Raw(path=path, name=f"x.org/{path.name}", sha256="0" * 64, bytes=path.stat().st_size, component="b")
    return sum(isinstance(item, Record) for item in registry.make("reader", reader)(raw))


def bare_lxml(path: Path, tag: str) -> int:
    from lxml import etree

    count = 0
    for _, element in etree.iterparse(str(path), tag=tag, huge_tree=True):
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


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


def naive_posts(path: Path) -> int:
    questions: dict[str, dict[str, str]] = {}
    answers: dict[str, list[dict[str, str]]] = defaultdict(list)
    for _, row in ET.iterparse(path):
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


def naive_citations(path: Path) -> int:
    def flat(element: Any) -> str:
        return " ".join("".join(element.itertext()).split())

    count = 0
    for _, article in ET.iterparse(path):
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


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Best of three in CPU seconds, after one run that loads and compiles."""
    work()
    best, count = float("inf"), 0
    for _ in range(3):
        start = time.process_time()
        count = work()
        best = min(best, time.process_time() - start)
    return best, count


def high_water() -> int:
    """Largest resident set of this program in KiB. ``ru_maxrss`` would do, but it begins with that of the parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def peak(reader: str, path: Path) -> int:
    """Peak resident set in MiB of a process that reads one file."""
    command = [sys.executable, "-m", "tests.benchmarks.read_xml", "--peak", reader, str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compare(
    name: str, tag: str, make: Callable[[Path, int], None], naive: Callable[[Path], int], size: int
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / f"{name}.xml", Path(folder) / f"{name}-large.xml"
        make(small, size)
        make(large, 4 * size)
        (own, documents), (plain, same) = seconds(lambda: ours(name, small)), seconds(lambda: naive(small))
        assert documents == same, (documents, same)
        bare, _ = seconds(lambda: bare_lxml(small, tag))
        megabytes = small.stat().st_size / 1e6
        return {
            "megabytes": round(megabytes, 1), "documents": documents, "mb_per_s": round(megabytes / own, 1),
            "documents_per_s": round(documents / own), "times_naive": round(plain / own, 2), "of_bare_lxml": round(own / bare, 2),
            "peak_mib": peak(name, small), "peak_mib_at_four_times": peak(name, large),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=80)
    parser.add_argument("--peak", nargs=2)
    options = parser.parse_args()
    if options.peak:
        ours(options.peak[0], Path(options.peak[1]))
        print(high_water() // 1024)
        return
    size = options.megabytes * 1_000_000
    result = {
        "stackexchange": compare("stackexchange", "row", posts, naive_posts, size),
        "pubmed": compare("pubmed", "PubmedArticle", citations, naive_citations, size),
    }
    for name, figures in result.items():
        print(name, figures)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
