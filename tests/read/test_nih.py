"""NIH ExPorter: every row of a table is an abstract, a skip or a quarantine row."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pilebuilder.read.base import Item, Quarantined, Record, Skipped
from pilebuilder.read.nih import clean_text, pile_text
from tests.read.drive import items
from tests.samples import SAMPLES, manifest, needs_samples

LONG = "We study how cells divide, and what keeps them from it. " * 3
NAME = "RePORTER_PRJABS_C_FY2014.csv"
ROWS = [
    b"APPLICATION_ID,ABSTRACT_TEXT\r\n",
    b'1,"DESCRIPTION (provided by applicant): ' + LONG.encode() + b'\r\nsecond  line"\r\n',
    b"2,Short.\r\n",
    b'3,"No abstract available"\r\n',
    b'1,"' + LONG.encode() + b'"\r\n',
    b'4,"na\xefve ' + LONG.encode() + b'"\r\n',
    b"5,too,many,cells\r\n",
    b'6,"' + LONG.encode() + b'"\r\n',
]


def read(folder: Path, data: bytes, name: str = NAME, **params: object) -> list[Item]:
    path = folder / "file"
    path.write_bytes(data)
    return items("nih-exporter", path, name, **params)


def reasons(found: list[Item]) -> list[str]:
    return [getattr(i, "reason", "document") for i in found]


def test_each_row_has_one_fate(tmp_path: Path) -> None:
    found = read(tmp_path, b"".join(ROWS))
    assert reasons(found) == [
        "document",
        "too_short",
        "no_abstract",
        "repeated",
        "document",
        "parse_error",
        "same_abstract",
    ]
    first, naive = found[0], found[4]
    assert isinstance(first, Record)
    assert isinstance(naive, Record)
    assert first.text == " ".join(LONG.split()) + " second line"
    assert (first.key, first.meta) == ("nih:1", {"application_id": "1", "fy": 2014})
    assert naive.text.startswith("naïve We study")
    assert first.offset == len(ROWS[0])


def test_pile_style_drops_bad_bytes_and_keeps_short_texts(tmp_path: Path) -> None:
    found = read(tmp_path, b"".join(ROWS), style="pile")
    texts = {i.key: i.text for i in found if isinstance(i, Record)}
    assert texts["nih:2"] == "Short."
    assert texts["nih:4"].startswith("nave We study")


def test_a_zip_of_tables_is_read_and_a_cut_one_noticed(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, b"".join(ROWS))
    whole = out.getvalue()
    assert len(read(tmp_path, whole, "2014.zip")) == 7
    for cut in range(1, len(whole) - 1, max(1, len(whole) // 20)):
        found = read(tmp_path, whole[:cut], "2014.zip")
        assert any(isinstance(i, Quarantined) for i in found), cut


@pytest.mark.parametrize("cut", [3, 20, 60])
def test_a_cut_inside_quotes_is_noticed(tmp_path: Path, cut: int) -> None:
    found = read(tmp_path, b"".join(ROWS)[:-cut])
    assert isinstance(found[-1], Quarantined)
    assert found[-1].reason == "truncated"


@pytest.mark.parametrize(
    ("data", "reason"), [(b"a,b\n1,2\n", "no_columns"), (b"<html><body>Not found</body></html>", "wrong_format")]
)
def test_what_is_no_table_is_counted(tmp_path: Path, data: bytes, reason: str) -> None:
    assert reasons(read(tmp_path, data)) == [reason]


@pytest.mark.parametrize(
    "text",
    [
        "DESCRIPTION (provided by applicant): Cells.",
        "DESCRIPTION (Adapted from the Applicant's Abstract): Cells.",
        "? DESCRIPTION (provided by the investigator) Cells.",
        "PROJECT SUMMARY (See instructions): Cells.",
        "Project Summary/Abstract Cells.",
        "[unreadable] DESCRIPTION: Abstract: Cells.",
    ],
)
def test_form_phrases_go(text: str) -> None:
    assert clean_text(text) == "Cells."


def test_words_that_only_begin_like_a_form_stay() -> None:
    for text in ("Descriptions of cells matter.", "Abstract thought is hard.", "Summary statistics of cells."):
        assert clean_text(text) == text
    assert (
        pile_text("Cells. DESCRIPTION (provided by applicant): x") == "Cells. DESCRIPTION (provided by applicant): x"
    )


@needs_samples
def test_samples_hold_the_stated_records() -> None:
    for path, entry in manifest().items():
        if entry["component"] == "nih-exporter":
            found = items("nih-exporter", SAMPLES / path)
            assert len(found) == entry["facts"]["records"], path
            assert not any(isinstance(i, Quarantined) for i in found)
            first = entry["facts"].get("first_application_id")
            assert first is None or found[0].key == f"nih:{first}"  # type: ignore[union-attr]
            assert not any(isinstance(i, Record) and i.text.startswith("DESCRIPTION") for i in found)
            assert sum(isinstance(i, Record | Skipped) for i in found) == len(found)
