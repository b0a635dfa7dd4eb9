"""Every reader against damaged and wrong files: all cuts are noticed, damage costs little, nothing raises."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from pilebuilder import registry
from pilebuilder.read import sandbox
from tests.read import hostile
from tests.read.drive import run_task
from tests.read.fixtures import Fixture, fixtures, jsonl, rows, zstd
from tests.read.hostile import ERROR_PAGE, reasons, records

FIXTURES = fixtures()
EACH = pytest.mark.parametrize("fixture", FIXTURES, ids=str)
READERS = registry.names("reader")
PLAUSIBLE = {"ubuntu-irc": "2004/07/05/#test.txt", "europarl": "txt/en/ep-00-01-17.txt"}


def read(fixture: Fixture, data: bytes, folder: Path, **facts: object) -> list[object]:
    reader = registry.make("reader", fixture.reader, fixture.params)
    return hostile.read(reader, data, fixture.name, folder, **facts)  # type: ignore[return-value]


@EACH
def test_the_whole_file_is_read_to_its_end(fixture: Fixture, tmp_path: Path) -> None:
    items = read(fixture, fixture.data, tmp_path)
    assert len(records(items)) == fixture.documents, items
    assert not reasons(items), items


@EACH
def test_every_cut_is_noticed(fixture: Fixture, tmp_path: Path) -> None:
    """At 20 fractions, one byte before the end, and at every member edge; the fetched length is known, as it is."""
    edges = {k for k in range(1, len(fixture.data)) if fixture.data[k : k + 3] in (b"\x1f\x8b\x08", b"\x28\xb5\x2f")}
    if fixture.name.endswith((".tar", ".warc", ".arc")):
        edges |= set(range(512, len(fixture.data), 512)) if fixture.name.endswith(".tar") else set()
        edges |= {k for k in range(1, len(fixture.data)) if fixture.data[k : k + 5] == b"WARC/"}
    many = sorted(edges)
    edges = set(many[:: max(1, len(many) // 12)])
    for cut in hostile.cuts(fixture.data, edges):
        items = read(fixture, cut, tmp_path, bytes=len(fixture.data))
        assert reasons(items), f"cut at {len(cut)} of {len(fixture.data)}: {len(records(items))} documents"
        assert len(records(items)) <= fixture.documents


@EACH
def test_flipped_bits_cost_little_and_raise_nothing(fixture: Fixture, tmp_path: Path) -> None:
    draw, whole = random.Random(5), Counter(r.text for r in records(read(fixture, fixture.data, tmp_path)))
    for _ in range(12):
        damaged = bytearray(fixture.data)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        items = read(fixture, bytes(damaged), tmp_path)
        texts = Counter(r.text for r in records(items))
        assert texts.total() <= fixture.documents + 1
        if fixture.checked:
            assert not texts - whole or reasons(items), items
    sandbox.close_all()


@EACH
def test_bytes_lost_or_added_in_the_middle_raise_nothing(fixture: Fixture, tmp_path: Path) -> None:
    draw = random.Random(11)
    for _ in range(5):
        at = draw.randrange(len(fixture.data))
        read(fixture, fixture.data[:at] + draw.randbytes(64) + fixture.data[at:], tmp_path)
        read(fixture, fixture.data[:at] + fixture.data[at + 64 :], tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_files_that_are_something_else_give_a_reason_and_no_document(reader: str, tmp_path: Path) -> None:
    """Through the stage's task, so that conservation is checked too."""
    name = PLAUSIBLE.get(reader, "file.bin")
    noise = random.Random(3).randbytes(3000)
    wrong = {
        "empty": b"", "noise": noise, "nul": b"\0" * 2048, "packed noise": gzip.compress(noise),
        "cut gzip": gzip.compress(noise)[:-9], "zip": b"PK\3\4" + noise,
    }  # fmt: skip
    takes_pages = ("html", "markdown", "source-code")
    if reader not in takes_pages:
        wrong["error page"] = ERROR_PAGE
    for what, data in wrong.items():
        path = tmp_path / "raw"
        path.write_bytes(data)
        ran = run_task(tmp_path / "out", reader, [(name, path)])
        assert not ran.tables, (what, ran.tables)
        assert ran.ledger, what
        assert ran.count.quarantined.total() or ran.count.dropped.total(), what


def test_an_error_page_under_an_archive_name_is_named(tmp_path: Path) -> None:
    for reader, name in (
        ("jsonl", "a.jsonl.zst"),
        ("warc", "a.warc.gz"),
        ("mediawiki", "a.xml.bz2"),
        ("csv", "a.csv.gz"),
    ):
        found = hostile.read(registry.make("reader", reader), ERROR_PAGE, name, tmp_path)
        assert reasons(found) == ["wrong_format"], found


def test_one_bad_file_costs_none_of_the_others(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(zstd(jsonl(rows())))
    bad.write_bytes(zstd(jsonl(rows()))[:-40])
    files = [("1.jsonl.zst", good), ("2.jsonl.zst", bad), ("3.jsonl.zst", good)]
    ran = run_task(tmp_path / "out", "jsonl", files, id=None)
    assert ran.count.quarantined == {"truncated": 1}
    assert ran.count.kept >= 80
    (row,) = [r for r in ran.ledger if r["action"] == "quarantined"]
    assert (row["file"], row["step"]) == ("2.jsonl.zst", "jsonl")


def test_every_reader_is_put_through_this() -> None:
    """Readers of one source have their cuts and flips in a test file of their own, which names them."""
    here = {fixture.reader for fixture in FIXTURES}
    others = [p for p in Path(__file__).parent.glob("test_*.py") if p.name != Path(__file__).name]
    tests = [text for p in others if "cut" in (text := p.read_text(encoding="utf-8"))]
    for reader in READERS:
        names = (f'"{reader}"', registry.part("reader", reader).factory.__name__ + "(")
        assert reader in here or any(n in text for n in names for text in tests), f"no test cuts a file of {reader}"
