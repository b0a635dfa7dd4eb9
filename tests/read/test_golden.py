"""What each reader makes of a small file made here, in each of its styles, byte for byte as it is checked in.

After a change that is meant: ``PILEBUILDER_GOLDEN=write python -m pytest tests/read/test_golden.py``, and read the diff.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pilebuilder import registry
from tests.read import (
    fixtures,
    test_arxiv,
    test_courtlistener,
    test_dialogue,
    test_epub,
    test_jats,
    test_mathematics,
    test_pubmed,
    test_source_code,
    test_stackexchange,
    test_subtitles,
    test_uspto,
)
from tests.read import test_philpapers as papers
from tests.read.drive import documents, items, lost, skipped
from tests.read.test_enron import mail
from tests.read.test_nih import ROWS

GOLDEN = Path(__file__).parent / "golden"
OPINION = test_courtlistener.row(
    id="7", cluster_id="9", html_with_citations=test_courtlistener.HTML, plain_text=test_courtlistener.PLAIN
)
TEXT = "caf\xe9 is open.\r\n\r\nIt rained.\r\n" + fixtures.prose(1, 200)
# Reader -> file name, content, parameters beside the style.
FILES: dict[str, tuple[str, bytes, dict[str, Any]]] = {
    "arxiv": ("1911.02782.gz", gzip.compress(fixtures.tar(test_arxiv.FILES)), {"converter": "builtin"}),
    "books": ("A book.txt", TEXT.encode("cp1252"), {"min_bytes": 0}),
    "courtlistener": ("opinions-2026-06-30.csv", test_courtlistener.table(OPINION), {}),
    "csv": ("a.csv", fixtures.csv_table()[:900].rpartition(b"\r\n")[0] + b'\r\n9,"a ""b""",\r\n', {}),
    "dm-mathematics": ("train-easy/add.txt", test_mathematics.PAIRS.encode(), {"characters": 600}),
    "enron": ("maildir/beck-s/dpr/1.", mail(), {}),
    "epub": ("a.epub", test_epub.book(), {}),
    "europarl": ("txt/en/ep-00-01-17.txt", test_dialogue.SITTING.encode(), {"min_chars": 0}),
    "gutenberg": ("4242-0.txt", fixtures.BOOK, {}),
    "hackernews": ("a.jsonl", fixtures.hackernews(), {}),
    "html": ("a.html", fixtures.page(1), {}),
    "huggingface": ("a.jsonl", fixtures.jsonl(fixtures.rows(2)), {}),
    "jats": ("PMC7.nxml", test_jats.article(), {}),
    "jsonl": ("a.jsonl", b'{"id": 7, "text": "One.\\nTwo \\u00e9.", "url": "u", "n": [1, {"a": 2}]}\n', {}),
    "markdown": ("a.md", b"---\ntitle: T\n---\n<!-- x -->\n# One *two*\n\n- a\n- b\n", {}),
    "mediawiki": ("a.xml", fixtures.wiki(3), {}),
    "nih-exporter": ("RePORTER_PRJABS_C_FY2014.csv", b"".join(ROWS), {}),
    "opensubtitles": ("1999/7/7.xml", test_subtitles.OPUS, {}),
    "parquet": ("a.parquet", fixtures.parquet_table(), {}),
    "pdf": ("a.pdf", fixtures.pdf(), {}),
    "philpapers": ("p.xml", papers.page(papers.RECORD, papers.DELETED), {}),
    "pubmed": ("pubmed26n0001.xml.gz", test_pubmed.file(test_pubmed.article(7), test_pubmed.article(8, "B")), {}),
    "reddit-submissions": ("RS_2017-07", fixtures.reddit(), {}),
    "source-code": ("repo.tar", fixtures.tar(test_source_code.FILES), {}),
    "stackexchange": (test_stackexchange.NAME, test_stackexchange.table(test_stackexchange.ROWS), {}),
    "text": ("a.txt", TEXT.encode("cp1252"), {}),
    "ubuntu-irc": ("2004/07/05/#test.txt", test_dialogue.DAY, {}),
    "uspto": ("p.txt", test_uspto.V4, {}),
    "warc": ("a.warc", fixtures.warc(2), {}),
    "youtube": ("A [abcdefghijk].en.vtt", test_subtitles.VTT.encode(), {}),
}


def cases() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name in registry.names("reader"):
        factory = registry.part("reader", name).factory
        if factory.__module__.startswith("tests."):
            continue
        styled = any(field.name == "style" for field in fields(factory))
        needs_pandoc = name in ("arxiv", "jats")  # in the original's style
        found += (
            [(name, {"style": s}) for s in ("clean", "pile") if s == "clean" or not needs_pandoc]
            if styled
            else [(name, {})]
        )
    return [*found, ("reddit-submissions", {"take": "links"})]


def shown(found: list[Any]) -> str:
    """Documents with their facts, then how many were skipped and quarantined, by reason."""
    parts = []
    for row in documents(found):
        facts = {name: row.get(name) for name in ("key", "url", "date", "licence", "offset") if row.get(name)}
        meta = json.loads(row["meta"]) if isinstance(row["meta"], str) else row["meta"]
        parts.append(f"{json.dumps(facts, ensure_ascii=False)}\n{json.dumps(meta, ensure_ascii=False)}\n{row['text']}")
    parts.append(json.dumps({"skipped": dict(skipped(found)), "quarantined": dict(lost(found))}, sort_keys=True))
    return "\n----------\n".join(parts) + "\n"


@pytest.mark.parametrize(
    ("reader", "style"), cases(), ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value
)
def test_rendering(reader: str, style: dict[str, Any], tmp_path: Path) -> None:
    name, data, params = FILES[reader]
    path = tmp_path / "file"
    path.write_bytes(data)
    text = shown(items(reader, path, name, **params, **style))
    golden = GOLDEN / f"{'-'.join([reader, *style.values()])}.txt"
    if os.environ.get("PILEBUILDER_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8", newline="")
    assert text == golden.read_bytes().decode()


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{'-'.join([reader, *style.values()])}.txt" for reader, style in cases()}
    assert {path.name for path in GOLDEN.iterdir()} == wanted
