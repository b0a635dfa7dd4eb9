"""PhilPapers: records and papers, deletions respected, errors of the protocol and of files counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilebuilder.read.base import Item, Quarantined, Record, Skipped
from tests.read.drive import items
from tests.samples import SAMPLES, manifest, needs_samples

RECORD = """<record><header><identifier>oai:philpapers.org/rec/DOEOX</identifier><datestamp>2020-01-02</datestamp>
</header><metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>On X</dc:title><dc:creator>Doe, Jane</dc:creator>
<dc:creator>Roe, Max</dc:creator><dc:description>X is Y.</dc:description><dc:date>2019</dc:date>
<dc:rights>https://creativecommons.org/licenses/by/4.0/</dc:rights>
<dc:identifier>https://philpapers.org/rec/DOEOX</dc:identifier></oai_dc:dc></metadata></record>"""
DELETED = '<record><header status="deleted"><identifier>oai:philpapers.org/rec/GONE</identifier></header></record>'


def page(*inside: str) -> bytes:
    start = '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
    return (start + "".join(inside) + "</ListRecords></OAI-PMH>").encode()


def read(folder: Path, data: bytes, name: str = "2020-01.xml", **params: object) -> list[Item]:
    path = folder / "file"
    path.write_bytes(data)
    return items("philpapers", path, name, **params)


def test_a_record_becomes_title_and_abstract(tmp_path: Path) -> None:
    record, gone = read(tmp_path, page(RECORD, DELETED))
    assert isinstance(record, Record)
    assert record.text == "On X\n\nX is Y."
    assert record.key == "philpapers:DOEOX"
    assert record.licence == "https://creativecommons.org/licenses/by/4.0"
    assert record.url == "https://philpapers.org/rec/DOEOX"
    assert record.meta["creators"] == ["Doe, Jane", "Roe, Max"]
    assert record.date == "2019"
    assert isinstance(gone, Skipped)
    assert (gone.reason, gone.key) == ("deleted", "philpapers:GONE")


@pytest.mark.parametrize("part", range(1, 20))
def test_a_cut_page_is_noticed(tmp_path: Path, part: int) -> None:
    whole = page(RECORD, DELETED)
    found = read(tmp_path, whole[: len(whole) * part // 20])
    assert isinstance(found[-1], Quarantined)
    assert {i.reason for i in found if isinstance(i, Quarantined)} == {"truncated"}


def test_a_bad_record_costs_itself(tmp_path: Path) -> None:
    broken = RECORD.replace("</dc:title>", "")
    found = read(tmp_path, page(RECORD, broken, RECORD.replace("DOEOX", "DOE2")))
    assert [getattr(i, "reason", i.key) for i in found] == ["philpapers:DOEOX", "parse_error", "philpapers:DOE2"]


def test_prefixes_may_be_declared_at_the_top(tmp_path: Path) -> None:
    dc = ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    assert dc in RECORD
    whole = page(RECORD.replace(dc, "").replace(' xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"\n', ""))
    spaces = ' xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"' + dc
    (found,) = read(tmp_path, whole.replace(b"<OAI-PMH", b"<OAI-PMH" + spaces.encode()))
    assert isinstance(found, Record)
    assert found.text == "On X\n\nX is Y."


def test_errors_of_the_protocol_are_told(tmp_path: Path) -> None:
    (item,) = read(tmp_path, page('<error code="badResumptionToken">expired</error>'))
    assert isinstance(item, Quarantined)
    assert item.reason == "oai_error"
    assert "badResumptionToken: expired" in item.detail


def test_a_text_paper_and_what_is_none(tmp_path: Path) -> None:
    (paper,) = read(tmp_path, b"An argument.\n" * 100, "DOEOX.txt")
    assert isinstance(paper, Record)
    assert paper.key == "philpapers:DOEOX"
    (short,) = read(tmp_path, b"A slip.", "SLIP.txt")
    assert isinstance(short, Skipped)
    (cut,) = read(tmp_path, b"%PDF-1.5\n1 0 obj", "CUT.pdf")
    assert isinstance(cut, Quarantined)
    assert cut.reason == "truncated"
    (broken,) = read(tmp_path, b"%PDF-1.5\nnonsense\n%%EOF", "BAD.pdf")
    assert isinstance(broken, Quarantined)
    (error_page,) = read(tmp_path, b"<!DOCTYPE html><html><body>Just a moment</body></html>", "X.pdf")
    assert isinstance(error_page, Quarantined)
    assert error_page.reason == "wrong_format"


@needs_samples
def test_samples_hold_the_stated_records() -> None:
    for path, entry in manifest().items():
        if entry["component"] != "philpapers" or "records" not in entry["facts"]:
            continue
        found = items("philpapers", SAMPLES / path)
        records = [i for i in found if getattr(i, "reason", "") not in ("response", "oai_error")]
        assert len(records) == entry["facts"]["records"], path
        deleted = sum(getattr(i, "reason", "") == "deleted" for i in found)
        assert deleted == entry["facts"].get("deleted", 0), path
    (paper,) = items("philpapers", SAMPLES / "philpapers/for_all_x-calgary.pdf")
    assert isinstance(paper, Record)
    assert paper.meta["title"].startswith("forall x: Calgary")
