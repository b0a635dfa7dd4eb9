"""PDF: text without the page's furniture; poisonous files cost themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilebuilder.read.pdf_text import mend, paragraphs, running_heads
from tests.read.drive import documents, items, lost, skipped
from tests.read.fixtures import pdf, prose, zipped
from tests.samples import SAMPLES, needs_samples


def read(folder: Path, data: bytes, name: str = "a.pdf", **params: Any) -> list[Any]:
    path = folder / "raw"
    path.write_bytes(data)
    return items("pdf", path, name, **params)


def test_a_file(tmp_path: Path) -> None:
    (document,) = documents(read(tmp_path, pdf(4)))
    assert "RUNNING HEAD" not in document["text"]
    assert " ".join(document["text"].split()) == " ".join(prose(20 * k + j, 10) for k in range(4) for j in range(20))
    assert document["meta"] == {"pages": 4}
    assert documents(read(tmp_path, pdf(4), max_pages=2))[0]["meta"] == {"pages": 4, "pages_read": 2}


def test_mending() -> None:
    assert (
        mend(["A com-\npound and well-\nKnown ex\ufffe\nample\x02\ns of ﬁve"])
        == "A compound and well- Known examples of five"
    )
    assert running_heads([["Title", "x", "1"], ["Title", "y", "2"], ["Title", "z", "3"]]) == {"title", "0"}
    assert running_heads([["Title"], ["Other"]]) == set()
    assert paragraphs(
        ["A long enough line of the text here", "and its end.", "The next paragraph is long enough too"]
    ) == ("A long enough line of the text here and its end.\n\nThe next paragraph is long enough too")


def test_files_that_are_left_out(tmp_path: Path) -> None:
    assert lost(read(tmp_path, b"PK\3\4 word file")) == {"truncated": 1}
    assert lost(read(tmp_path, b"<html>no</html>")) == {"wrong_format": 1}
    assert lost(read(tmp_path, pdf()[:-30])) == {"truncated": 1}
    assert skipped(read(tmp_path, pdf(), min_chars_per_page=99_999)) == {"no_text_layer": 1}
    poison = pdf().replace(b"/Kids [5 0 R", b"/Kids [2 0 R")
    read(tmp_path, poison)
    garbage = b"%PDF-1.7\n" + b"<<" * 50_000 + b"\n%%EOF"
    assert lost(read(tmp_path, garbage)) == {"parse_error": 1}


def test_one_poisonous_file_among_others(tmp_path: Path) -> None:
    files = {"1.pdf": pdf(1), "2.pdf": b"%PDF-1.4\nrubbish\n%%EOF", "3.pdf": pdf(2)}
    found = read(tmp_path, zipped(files), "x.zip")
    assert [d["key"] for d in documents(found)] == ["x.zip/1.pdf", "x.zip/3.pdf"]
    assert lost(found) == {"parse_error": 1}


@needs_samples
def test_sample() -> None:
    (document,) = documents(items("pdf", SAMPLES / "philpapers/for_all_x-calgary.pdf"))
    assert document["meta"]["pages"] == 415
    assert "An argument is valid if and only if" in document["text"]
