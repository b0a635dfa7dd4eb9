"""Every reader over the real sample files of its component, against the facts measured on them.

Counts must be equal, not near: documents, skipped and quarantined records together are what the file holds. Each file
of the manifest is named here, so none is passed over.
"""

from __future__ import annotations

import fnmatch
import gzip
from typing import Any

import pytest

from pilebuilder import registry
from tests.read.hostile import as_raw
from tests.read.sample_checks import (
    MANIFEST,
    Check,
    article,
    articles,
    arxiv,
    arxiv_html,
    book,
    comments,
    counted,
    cues,
    enron,
    epub,
    europarl,
    grants,
    irc,
    lines,
    mathematics,
    members,
    message,
    oai,
    one,
    opinions,
    patents,
    pdf,
    posts,
    pubmed,
    rdf,
    reason,
    run,
    skips,
    some,
    story,
    submissions,
    subtitles,
    warc,
    wiki,
)
from tests.samples import SAMPLES, needs_samples

pytestmark = needs_samples

TABLE: list[tuple[str, str, Check]] = [
    ("arxiv/*1911.02782.gz", "arxiv", arxiv),
    ("arxiv/forallx-yyc.tar.gz", "arxiv", one),
    ("arxiv/990*.tar.gz", "arxiv", arxiv_html),
    ("arxiv/abs_sample.tar.gz", "arxiv", counted("members", metadata=8)),
    ("arxiv/ErrorResponseBadResumptionToken.xml", "arxiv", reason("oai_error")),
    ("arxiv/ErrorResponseNoRecordsMatch.xml", "arxiv", counted("records")),
    ("arxiv/*Response.xml", "arxiv", counted("records")),
    ("books/*.epub", "epub", epub),
    ("bulk/near_duplicates.pairs.jsonl", "jsonl", reason("no_text")),
    ("bulk/*.jsonl.zst", "jsonl", lines),
    ("dm-mathematics/*", "dm-mathematics", mathematics),
    ("enron-emails/enron_mail_sample.tar.gz", "enron", enron),
    ("enron-emails/maildir/*", "enron", message),
    ("europarl/europarl.tgz", "europarl", members),
    ("europarl/txt/*", "europarl", europarl),
    ("freelaw/opinions*", "courtlistener", opinions),
    ("freelaw/opinion-clusters*", "courtlistener", skips(other_table=1)),
    ("freelaw/court_data.json", "courtlistener", counted("courts", not_an_opinion=458)),
    ("freelaw/opinion.txt", "text", one),
    ("github/*", "source-code", members),
    ("gutenberg/*.rdf", "gutenberg", skips(metadata=1)),
    ("gutenberg/*rdf-files.tar.bz2", "gutenberg", rdf),
    ("gutenberg/*", "gutenberg", book),
    ("hackernews/*.jsonl", "hackernews", comments),
    ("hackernews/v0/*", "hackernews", story),
    ("nih-exporter/*", "nih-exporter", grants),
    ("opensubtitles/*/en-et.xml", "opensubtitles", reason("parse_error")),
    ("opensubtitles/*.xml.gz", "opensubtitles", subtitles),
    ("opensubtitles/*", "opensubtitles", cues),
    ("openwebtext2/science.csv", "csv", some),
    ("openwebtext2/*", "reddit-submissions", submissions),
    ("philpapers/*badResumptionToken.xml", "philpapers", reason("oai_error")),
    ("philpapers/*.xml", "philpapers", oai),
    ("philpapers/*.pdf", "philpapers", pdf),
    ("pile-cc/article-extraction-benchmark.tar", "html", some),
    ("pile-cc/edge/*bad*", "warc", some),
    ("pile-cc/edge/example-trunc.warc", "warc", reason("bad_length")),
    ("pile-cc/edge/example-wrong-chunks.warc.gz", "warc", some),
    ("pile-cc/*paths.gz", "warc", reason("wrong_format")),
    ("pile-cc/test-100.*", "warc", reason("wrong_format")),
    ("pile-cc/eval-pages.gold.json", "warc", reason("wrong_format")),
    ("pile-cc/*", "warc", warc),
    ("pubmed-abstracts/*", "pubmed", pubmed),
    ("pubmed-central/*.tar.gz", "jats", articles),
    ("pubmed-central/*", "jats", article),
    ("stackexchange/*", "stackexchange", posts),
    ("ubuntu-irc/*annotation.txt", "ubuntu-irc", skips(not_named=1)),
    ("ubuntu-irc/*", "ubuntu-irc", irc),
    ("uspto/USD*", "uspto", skips(no_background=1)),
    ("uspto/*.zip", "uspto", patents),
    ("uspto/*", "uspto", one),
    ("wikipedia/*", "mediawiki", wiki),
    ("youtube-subtitles/*", "youtube", cues),
]


@pytest.mark.parametrize("path", sorted(MANIFEST))
def test_sample(path: str) -> None:
    reader, check = next((r, c) for pattern, r, c in TABLE if fnmatch.fnmatch(path, pattern))
    found = run(path, reader)
    again = (
        [(d.key, d.text) for d in run(path, reader).documents] if (SAMPLES / path).stat().st_size < 200_000 else None
    )
    assert again is None or again == [(d.key, d.text) for d in found.documents], "two readings differ"
    check(found)
    assert all(d.text.encode() for d in found.documents), "a document without text"


def test_ids_are_unique_within_a_component() -> None:
    for path, reader in (("stackexchange/french.meta.stackexchange.com.7z", "stackexchange"),
                         ("enron-emails/enron_mail_sample.tar.gz", "enron"), ("uspto/ipg130416.small.zip", "uspto")):  # fmt: skip
        keys = [d.key for d in run(path, reader).documents]
        assert len(keys) == len(set(keys))


def test_the_compressed_opinions_equal_the_archive() -> None:
    csv_rows = {d.key: d.text for d in run("freelaw/opinions-2024-01-01.csv.bz2", "courtlistener").documents}
    json_rows = {d.key: d.text for d in run("freelaw/opinions.tar.gz", "courtlistener").documents}
    assert csv_rows == json_rows


def test_zipped_and_plain_grants_are_equal() -> None:
    folder = "nih-exporter/RePORTER_PRJABS_C_FY2014"
    zipped, plain = run(f"{folder}.zip", "nih-exporter"), run(f"{folder}_first40.csv", "nih-exporter")
    assert [(d.key, d.text) for d in zipped.documents] == [(d.key, d.text) for d in plain.documents]


def test_pubmed_within_gzip_is_the_same(tmp_path: Any) -> None:
    path = SAMPLES / "pubmed-abstracts/pubmed24n_sample.xml.gz"
    plain = tmp_path / "plain.xml"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    made = registry.make("reader", "pubmed", {})
    assert list(made(as_raw(plain))) == list(made(as_raw(path)))
