"""What is known of the sample files of each component, as checks of what a reader made of them."""

from __future__ import annotations

import bz2
import dataclasses
import html
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pilebuilder import registry
from pilebuilder.read.base import Item, Record
from tests.read.hostile import as_raw, reasons, records, skipped
from tests.samples import SAMPLES, manifest

MANIFEST = manifest()


@dataclass
class Run:
    """A sample file, what a reader made of it, and what is known about it."""

    path: str
    reader: str
    items: list[Item]
    facts: dict[str, Any]

    @property
    def documents(self) -> list[Record]:
        return records(self.items)

    @property
    def skipped(self) -> dict[str, int]:
        return skipped(self.items)

    @property
    def reasons(self) -> list[str]:
        return reasons(self.items)

    @property
    def total(self) -> int:
        return len(self.documents) + sum(self.skipped.values()) + len(self.reasons)

    @property
    def data(self) -> bytes:
        return (SAMPLES / self.path).read_bytes()


def run(path: str, reader: str, **params: Any) -> Run:
    file = SAMPLES / path
    raw = as_raw(file, path.partition("/")[2])
    made = registry.make("reader", reader, params)
    if hasattr(made, "wants"):
        names = [p.partition("/")[2] for p in MANIFEST if p.partition("/")[0] == path.partition("/")[0]]
        beside = {name: SAMPLES / path.partition("/")[0] / name for name in made.wants(raw.name, names)}
        raw = dataclasses.replace(raw, beside=beside)
    return Run(path, reader, list(made(raw)), MANIFEST[path]["facts"])


Check = Callable[[Run], None]


def counted(fact: str, **expected: int) -> Check:
    """All records of the file are accounted for, none in quarantine; some skip reasons have known counts."""

    def check(r: Run) -> None:
        assert not r.reasons
        assert r.total == r.facts[fact]
        assert {reason: r.skipped.get(reason, 0) for reason in expected} == expected

    return check


def one(r: Run) -> None:
    assert len(r.documents) == 1
    assert not r.reasons
    assert not r.skipped


def reason(*expected: str) -> Check:
    return lambda r: check_reasons(r, expected)


def check_reasons(r: Run, expected: tuple[str, ...]) -> None:
    assert not r.documents
    assert set(r.reasons) == set(expected)


def skips(**expected: int) -> Check:
    def check(r: Run) -> None:
        assert not r.documents
        assert (r.skipped, r.reasons) == (expected, [])

    return check


# What is known of each component ----------------------------------------------------------------------------------


def arxiv(r: Run) -> None:
    one(r)
    [paper] = r.documents
    assert paper.meta.get("title", "").startswith(r.facts["title"] if "S2ORC" in r.facts["title"] else "")
    assert (paper.meta["root_file"] in r.facts["tex_files"]) or r.facts["tex_count"] > len(r.facts["tex_files"])
    assert "@Ammar2018ConstructionOT" in paper.text or "Calgary" in paper.text


def arxiv_html(r: Run) -> None:
    one(r)
    assert r.documents[0].meta["converter"] == "html"
    assert r.documents[0].meta["root_file"] in r.facts["members"]


def epub(r: Run) -> None:
    one(r)
    meta = r.documents[0].meta
    assert (meta["title"], meta["language"], meta["version"]) == tuple(
        r.facts[name] for name in ("title", "language", "epub_version")
    )
    assert meta["spine_items"] == r.facts["spine_items"]
    with zipfile.ZipFile(SAMPLES / r.path) as archive:
        assert len(archive.infolist()) == r.facts["zip_entries"]


def enron(r: Run) -> None:
    original = run(r.path, "enron", style="pile")
    assert len(original.documents) == r.facts["messages"] == r.total
    folders = Counter(f"{d.meta['user']}.{d.meta['folder'].replace('/', '.')}" for d in original.documents)
    assert folders == r.facts["folders"]
    first = original.documents[0].meta
    assert (first["message_id"], first["subject"]) == (r.facts["first_message_id"], r.facts["first_subject"])


def message(r: Run) -> None:
    one(r)
    assert r.documents[0].meta["subject"] == r.facts["subject"]


def opinions(r: Run) -> None:
    assert (len(r.documents), r.total) == (r.facts.get("records", r.facts.get("members")),) * 2
    assert r.documents[0].meta["opinion_id"] == r.facts["first_id"]
    if r.path.endswith(".csv.bz2"):
        assert bz2.decompress(r.data).count(b"\n") == r.facts["physical_lines"]
        clusters = MANIFEST["freelaw/opinion-clusters-2024-01-01.csv.bz2"]["facts"]
        assert r.documents[0].meta["case_name"] == clusters["first_case_name"]
        assert sum("case_name" in d.meta for d in r.documents) == clusters["records"]
    else:
        assert sum(d.meta["field"] == "html_with_citations" for d in r.documents) == r.facts["with_html"]


def grants(r: Run) -> None:
    counted("records")(r)
    if "first_application_id" in r.facts:
        assert r.documents[0].key == f"nih:{r.facts['first_application_id']}"
    assert not any(re.match(r"(?i)description\s*\(", d.text) for d in r.documents)


def subtitles(r: Run) -> None:
    one(r)
    assert r.documents[0].meta["sentences"] == r.facts["sentences"]
    assert r.documents[0].meta["language"] == {"en": "English", "et": "Estonian"}[r.facts["language"]]


def cues(r: Run) -> None:
    one(r)
    captions = run(r.path, "youtube") if not r.path.startswith("youtube") else r
    count = r.facts.get("cues", r.facts.get("p_elements", r.facts.get("texts")))
    assert captions.documents[0].meta["cues"] == count


def oai(r: Run) -> None:
    assert not r.reasons
    assert r.skipped.get("deleted", 0) == r.facts.get("deleted", 0)
    assert r.total - r.skipped.get("response", 0) == r.facts["records"]
    if r.facts.get("title"):
        assert r.documents[0].text.startswith(r.facts["title"])
        assert (r.documents[0].meta["language"], r.documents[0].meta["date"]) == (r.facts["language"], r.facts["date"])


def pubmed(r: Run) -> None:
    everything = run(r.path, "pubmed", drop_pmc=False)
    assert r.total == everything.total == r.facts.get("articles", r.facts.get("records"))
    if "with_abstract" in r.facts:
        found, missing = everything.documents, everything.skipped
        assert len(found) + missing.get("empty_abstract", 0) == r.facts["with_abstract"]
        assert sum("labels" in d.meta for d in found) == r.facts["structured_abstract"]
        assert found[0].text.startswith(r.facts["first_title"])
    if "first_pmid" in r.facts:
        assert everything.documents[0].key == f"pubmed:{r.facts['first_pmid']}"


def article(r: Run) -> None:
    one(r)
    [found] = r.documents
    assert found.meta["title"] == html.unescape(r.facts["title"])
    assert found.meta.get("pmcid") == r.facts["pmcid"]
    assert found.meta["sections"] == r.facts["sections"]
    assert found.meta.get("sub_articles", 0) == r.facts.get("sub_articles", 0)
    stated = r.facts["licence_url_in_file"]
    assert found.licence == (f"CC-BY-{stated.rpartition('/')[2]}" if stated else "CC-BY")


def articles(r: Run) -> None:
    counted("members", licence=2)(r)
    whole = run(r.path, "jats", licences=[])
    titles = [html.unescape(title) for title in r.facts["titles"]]
    assert len(whole.documents) == len(titles)
    for found, title in zip(whole.documents, titles, strict=True):
        assert found.meta["title"].startswith(title.rstrip("&#x0123456789abcdef")[:40])


def posts(r: Run) -> None:
    assert not r.reasons
    rows = sum(1 + len(d.meta["answer_ids"]) for d in r.documents) + sum(r.skipped.values())
    assert rows == (r.facts["rows"] if isinstance(r.facts["rows"], int) else r.facts["rows"]["Posts"])
    kinds = r.facts.get("posts_by_type") or {"1": r.facts["questions"], "2": r.facts["answers"]}
    assert len(r.documents) + r.skipped["no_kept_answer"] == kinds["1"]
    assert r.skipped["other_post_type"] == rows - kinds["1"] - kinds["2"]
    if "first_title" in r.facts:
        assert r.documents[0].meta["title"] == r.facts["first_title"]


def patents(r: Run) -> None:
    counted(next(name for name in ("documents", "patents") if name in r.facts))(r)
    assert r.skipped.get("sequence_listing", 0) == r.facts.get("sequence_listing_documents", 0)
    if "us_patent_grants" in r.facts:
        assert r.total - r.skipped.get("sequence_listing", 0) == r.facts["us_patent_grants"]


def wiki(r: Run) -> None:
    assert not r.reasons
    assert r.total == r.facts["pages"]
    assert r.total - r.skipped.get("namespace", 0) == r.facts["ns0"]
    assert all(d.meta["wiki"] == r.facts["dbname"] for d in r.documents)


def warc(r: Run) -> None:
    assert not r.reasons
    kinds = r.facts["records_by_type"]
    assert r.total == kinds.get("response", 0) + kinds.get("conversion", 0)
    assert len(r.documents) <= max(r.facts["html_responses"], kinds.get("conversion", 0))


def some(r: Run) -> None:
    """A file with damage in it: whatever could not be read is named."""
    assert r.documents or r.reasons


def lines(r: Run) -> None:
    counted("documents")(r)
    assert sum(len(d.text.encode()) for d in r.documents) == r.facts["text_bytes"]
    assert r.documents[0].meta["id"] == r.facts["first_id"]
    languages = Counter(d.meta.get("lang") for d in r.documents)
    assert all(languages[name] == n for name, n in r.facts.get("languages", {}).items())


def irc(r: Run) -> None:
    one(r)
    assert r.documents[0].meta["lines"] == r.facts["lines"]


def europarl(r: Run) -> None:
    one(r)
    assert len(r.documents[0].meta["chapters"]) == r.facts["chapters"]
    assert r.facts["first_text"] in r.documents[0].text[:400]


def members(r: Run) -> None:
    assert (
        len(r.documents) + r.skipped.get("generated", 0) == len(r.facts["members"])
        if isinstance(r.facts["members"], list)
        else r.total == r.facts["members"]
    )


def book(r: Run) -> None:
    one(r)
    if "PROJECT GUTENBERG EBOOK" in str(r.facts.get("start_marker")):
        assert "START OF TH" not in r.documents[0].text
        assert str(r.documents[0].meta["title"]).startswith(r.facts["title"].rstrip(","))


def submissions(r: Run) -> None:
    assert not r.reasons
    assert r.total == r.facts["records"]
    if r.path.endswith(".zst"):
        assert r.total - r.skipped["link"] == r.facts["self_posts"]


def comments(r: Run) -> None:
    """Comments without their stories: those under one missing item are one skipped record."""
    rows = [json.loads(line) for line in r.data.splitlines()]
    assert len(rows) == r.facts["records"]
    ids = {str(row["id"]) for row in rows}
    assert r.skipped == {"no_story": len({str(row["parent"]) for row in rows} - ids)}


def story(r: Run) -> None:
    assert r.total == 1
    assert len(r.documents) == (r.facts["type"] == "story")


def mathematics(r: Run) -> None:
    assert not r.reasons
    assert r.total == r.facts["files"]
    modules = {d.meta["module"] for d in r.documents}
    assert len(modules) == r.facts["train_modules"]
    assert any(d.text.startswith(r.facts["first_question"]) for d in r.documents)


def pdf(r: Run) -> None:
    one(r)
    assert r.data[:8].decode() == r.facts["pdf_version"]
    assert r.documents[0].meta["title"].startswith(r.facts["title"])


def rdf(r: Run) -> None:
    assert (r.documents, r.reasons, r.skipped) == ([], [], {"metadata": len(r.facts["members"])})
