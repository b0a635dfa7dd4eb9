"""Plain text, Project Gutenberg and Markdown: one file one document, and only what belongs to it."""

from __future__ import annotations

import gzip
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.read.gutenberg import split, unwrapped, without_front
from pilebuilder.read.markdown import front_matter, without_comments
from tests.read.drive import documents, items, lost, skipped
from tests.read.fixtures import BOOK, prose, tar, zipped
from tests.samples import SAMPLES, needs_samples


def read(folder: Path, reader: str, data: bytes, name: str, **params: Any) -> list[Any]:
    path = folder / "raw"
    path.write_bytes(data)
    return items(reader, path, name, **params)


def test_archives_give_a_document_a_file(tmp_path: Path) -> None:
    files = {"a/1.txt": b"one", "../../etc/2.txt": b"two", "a/b.bin": b"\0\1", "a/x.md": b"three"}
    for data, name in ((tar(files), "x.tar"), (zipped(files), "x.zip"), (gzip.compress(tar(files)), "x.tgz")):
        found = read(tmp_path, "text", data, name)
        assert [(d["key"], d["text"]) for d in documents(found)] == [
            (f"{name}/a/1.txt", "one"), (f"{name}/etc/2.txt", "two"), (f"{name}/a/x.md", "three"),
        ]  # fmt: skip
        assert skipped(found) == {"binary": 1}
    found = read(tmp_path, "text", tar(files), "x.tar", suffixes=[".txt"])
    assert skipped(found) == {"not_named": 2}


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("naïve".encode(), "naïve", None),
        ("naïve".encode("cp1252"), "naïve", "cp1252"),
        (b"\xef\xbb\xbfx\r\ny\rz", "x\ny\nz", None),
        ("x ä".encode("utf-16"), "x ä", "utf-16"),
        ("e\u0301".encode(), "é", None),
        (b"a\x00b\x0cc\td", "abc\td", None),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, text: str, encoding: str | None) -> None:
    if b"\x00b" in data:
        data = b"x" * 9000 + data
        text = "x" * 9000 + text
    (document,) = documents(read(tmp_path, "text", data, "a.txt"))
    assert document["text"] == text
    assert document["meta"].get("encoding") == encoding


def test_a_page_is_no_text_and_a_file_may_be_too_large(tmp_path: Path) -> None:
    assert lost(read(tmp_path, "text", b"<!doctype html><html>x", "a.txt")) == {"wrong_format": 1}
    assert lost(read(tmp_path, "text", b"x" * 5000, "a.txt", max_bytes=1024)) == {"too_large": 1}
    found = read(tmp_path, "text", tar({"1": b"x" * 5000, "2": b"small"}), "a.tar", max_bytes=1024)
    assert (len(documents(found)), lost(found)) == (1, {"too_large": 1})


# Project Gutenberg ---------------------------------------------------------------------------------------------------


def test_a_book(tmp_path: Path) -> None:
    (document,) = documents(read(tmp_path, "gutenberg", BOOK, "cache/4242-0.txt"))
    assert document["text"] == "\n\n".join(prose(k, 90) for k in range(12))
    assert document["key"] == "pg:4242"
    assert document["url"] == "https://www.gutenberg.org/ebooks/4242"
    assert document["meta"] == {
        "title": "A Test", "author": "A. Writer", "release_date": "January 1, 2001", "language": "English",
        "gutenberg_id": 4242,
    }  # fmt: skip


def test_markers_of_all_times() -> None:
    body = "\n".join(f"Line {k} of the book." for k in range(300))
    old = "Etext\n" * 50 + "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n" + body
    assert split(old)[1] == body
    assert split(body)[1] == body
    twice = "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n*** START OF THIS PROJECT GUTENBERG EBOOK B ***\n" + body
    assert split(twice)[1] == body
    assert split(body + "\nEnd of The Project Gutenberg Etext of X\nmore")[1] == body
    long = "***START OF THE PROJECT GUTENBERG EBOOK A TITLE\nTHAT RUNS ON***\n" + body
    assert split(long)[1] == body


def test_front_matter_of_books() -> None:
    book = "CHAPTER I\n\nIt was the best of times."
    assert (
        without_front("Produced by A B and the\nOnline Team\n\n\n\n[Transcriber's Note: [sic] kept.]\n\n" + book)
        == book
    )
    assert without_front("Transcriber's Note\n\nErrors mended.\n\n\n" + book) == book
    assert without_front("Transcriber's Note\n\nErrors mended.\n\n\n" + book, notes=True).startswith("Transcriber's")
    assert without_front(book) == book


def test_unwrapping_leaves_verse_alone() -> None:
    long = "a line of prose that is long enough to have been wrapped"
    assert unwrapped(f"{long}\n{long}\nend.\n\nShort\nverse\nlines") == f"{long} {long} end.\n\nShort\nverse\nlines"


def test_books_that_are_left_out(tmp_path: Path) -> None:
    mine = BOOK.replace(b"Language: English", b"This is a COPYRIGHTED Project Gutenberg eBook")
    assert skipped(read(tmp_path, "gutenberg", mine, "1.txt")) == {"licence": 1}
    digits = BOOK.replace(b"#4242", b"#10802")
    assert skipped(read(tmp_path, "gutenberg", digits, "1.txt")) == {"not_prose": 1}
    assert skipped(read(tmp_path, "gutenberg", b"1,A,1900,u\n", "metadata.csv")) == {"metadata": 1}


@needs_samples
@pytest.mark.parametrize("name", ["10026", "10028", "10089", "1013.gz", "2701.gz", "33956", "35190", "36261.gz"])
def test_books_equal_the_gold_texts(name: str) -> None:
    gold = (SAMPLES / "gutenberg" / "clean-texts" / name).read_bytes()
    gold = gzip.decompress(gold) if name.endswith(".gz") else gold
    (document,) = documents(
        items("gutenberg", SAMPLES / "gutenberg" / "raw-texts" / name, f"raw-texts/{name}", notes=True)
    )
    clean = unicodedata.normalize("NFC", gold.decode("utf-8-sig").replace("\r\n", "\n")).strip()
    assert document["text"].strip() == clean
    assert document["meta"]["gutenberg_id"] == int(name.removesuffix(".gz"))


@needs_samples
def test_two_editions_of_one_book_have_one_key() -> None:
    for name in ("972.txt.gz", "972-old-dvldc10.txt.gz"):
        (document,) = documents(items("gutenberg", SAMPLES / "gutenberg" / name, name))
        assert document["key"] == "pg:972"
        assert not re.search("(?i)small print|gutenberg", document["text"][:3000] + document["text"][-3000:])


# Markdown ------------------------------------------------------------------------------------------------------------


def test_markdown(tmp_path: Path) -> None:
    note = b"---\ntitle: T\ndate: 2024-02-03\nlicense: CC0-1.0\ntags: [a, b]\n---\n# Head\n\nSome *text*<!-- no -->.\n\n- x\n"
    (document,) = documents(read(tmp_path, "markdown", note, "n.md"))
    assert document["text"] == "# Head\n\nSome *text*.\n\n- x"
    assert (document["date"], document["licence"]) == ("2024-02-03", "CC0-1.0")
    assert document["meta"] == {"title": "T", "date": "2024-02-03", "license": "CC0-1.0", "tags": ["a", "b"]}
    (plain,) = documents(read(tmp_path, "markdown", note, "n.md", render="plain"))
    assert plain["text"] == "Head\n\nSome text.\n\n- x"
    (bare,) = documents(read(tmp_path, "markdown", b"# Only a head\n\ntext", "n.md"))
    assert bare["meta"] == {"title": "Only a head"}


def test_front_matter_that_is_none(tmp_path: Path) -> None:
    assert front_matter("just text") is None
    assert front_matter("a: &x [*x]") is None or front_matter("a: 1") == {"a": 1}
    assert front_matter("!!python/object/apply:os.system ['true']") is None
    assert lost(read(tmp_path, "markdown", b"---\n{bad: [\n---\ntext", "n.md")) == {"bad_front_matter": 1}
    assert without_comments("a<!-- b -->c<!-- open") == "ac<!-- open"
