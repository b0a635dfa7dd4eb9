"""Crawl archives: damage costs one record, lying lengths are found out, and every page is counted."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.read.drive import documents, items, lost, skipped
from tests.read.fixtures import arc, page, response, warc, warc_record
from tests.samples import SAMPLES, manifest, needs_samples


def read(folder: Path, data: bytes, name: str = "a.warc.gz", **params: Any) -> list[Any]:
    path = folder / "raw"
    path.write_bytes(data)
    return items("warc", path, name, **params)


def urls(found: list[Any]) -> list[int]:
    return [int(d["url"].rsplit("/", 1)[1]) for d in documents(found)]


@pytest.mark.parametrize("packed", [True, False])
def test_pages_and_what_is_kept_of_them(tmp_path: Path, packed: bool) -> None:
    data = warc(3, compress=gzip.compress if packed else lambda d: d)
    found = read(tmp_path, data, "CC-MAIN-2024-22/a.warc.gz" if packed else "CC-MAIN-2024-22/a.warc")
    first, *_ = documents(found)
    assert urls(found) == [0, 1, 2]
    assert first["text"].startswith("Page 0\n\n")
    assert "Imprint" not in first["text"]
    assert first["key"].startswith("cc:CC-MAIN-2024-22:sha1:")
    assert first["key"].endswith(" https://site.example/0")
    assert first["date"] == "2024-05-18T01:58:10Z"
    assert first["meta"] == {
        "title": "Page 0", "status": 200, "content_type": "text/html", "crawl": "CC-MAIN-2024-22", "charset": "ascii",
    }  # fmt: skip
    assert first["signals"]["html.lang"] == "en"
    assert 0.5 < first["signals"]["html.text_share"] < 1


def test_ids_do_not_depend_on_where_the_file_is_cut(tmp_path: Path) -> None:
    whole = {d["url"]: d["key"] for d in documents(read(tmp_path, warc(4)))}
    part = {d["url"]: d["key"] for d in documents(read(tmp_path, response(2) + response(3)))}
    assert part.items() <= whole.items()


def test_one_damaged_member_costs_one_record(tmp_path: Path) -> None:
    members = [gzip.compress(response(k)) for k in range(6)]
    for hurt in range(1, 6):
        for at in (5, len(members[hurt]) // 2, len(members[hurt]) - 6):
            broken = bytearray(members[hurt])
            broken[at] ^= 0x55
            found = read(tmp_path, b"".join([*members[:hurt], bytes(broken), *members[hurt + 1 :]]))
            if lost(found):
                assert set(urls(found)) >= set(range(6)) - {hurt}
                assert lost(found).total() == 1
            else:
                assert urls(found) == list(range(6))


def test_garbage_between_members(tmp_path: Path) -> None:
    data = gzip.compress(response(0)) + b"\x1f\x8b\x08 rubbish " * 9 + gzip.compress(response(1))
    found = read(tmp_path, data)
    assert urls(found) == [0, 1]
    assert lost(found)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("length", [b"999999", b"-5", b"many", b"1", b"", b"5000"])
def test_a_wrong_content_length_costs_its_record(tmp_path: Path, packed: bool, length: bytes) -> None:
    records = [response(k) for k in range(5)]
    head, _, rest = records[2].partition(b"Content-Length: ")
    records[2] = head + b"Content-Length: " + length + rest[rest.find(b"\r\n") :]
    data = b"".join(gzip.compress(r) if packed else r for r in records)
    found = read(tmp_path, data, "a.warc.gz" if packed else "a.warc")
    assert urls(found) == [0, 1, 3, 4]
    assert lost(found) == {"bad_length": 1}


def test_records_and_fields_that_are_odd(tmp_path: Path) -> None:
    missing = response(1).replace(b"Content-Length", b"X-Length")
    found = read(tmp_path, response(0) + missing + response(2), "a.warc")
    assert (urls(found), lost(found)) == ([0, 2], {"bad_length": 1})
    untrailed = response(1)[:-4]
    assert urls(read(tmp_path, response(0) + untrailed + response(2), "a.warc")) == [0, 1, 2]
    lf = response(1, head="X: y").replace(
        b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n"
    )
    block = b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n" + page(1)
    lf = warc_record("response", block, "https://site.example/1")
    assert urls(read(tmp_path, response(0) + lf, "a.warc")) == [0, 1]
    huge = warc_record(
        "response", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\nx", "https://site.example/1"
    )
    found = read(tmp_path, response(0) + huge + response(2), "a.warc")
    assert set(urls(found)) == {0, 2}


def test_encodings_that_the_crawler_removed_or_kept(tmp_path: Path) -> None:
    body = page(7)
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    cases = [
        response(0, gzip.compress(body), "Content-Type: text/html\r\nContent-Encoding: gzip"),
        response(1, body, "Content-Type: text/html\r\nContent-Encoding: gzip"),
        response(2, chunked, "Content-Type: text/html\r\nTransfer-Encoding: chunked"),
        response(3, body, "Content-Type: text/html\r\nTransfer-Encoding: chunked"),
        response(4, zlib.compress(body), "Content-Type: text/html\r\nContent-Encoding: deflate"),
    ]
    found = read(tmp_path, b"".join(cases), "a.warc")
    texts = {d["text"] for d in documents(found)}
    assert urls(found) == [0, 1, 2, 3, 4]
    assert len(texts) == 1


def test_what_is_no_document(tmp_path: Path) -> None:
    other = [
        response(1, b"body").replace(b"200 OK", b"404 No"),
        response(2, b"%PDF-1.4", "Content-Type: application/pdf"),
        response(3, b"<html><body></body></html>"),
        warc_record("response", b"dns answer", "dns:x").replace(b"application/http; msgtype=response", b"text/dns"),
        warc_record("revisit", b"HTTP/1.1 200 OK\r\n\r\n", "https://site.example/9"),
        warc_record("metadata", b"x: y"),
    ]
    found = read(tmp_path, response(0) + b"".join(other), "a.warc")
    assert skipped(found) == {"status": 1, "content_type": 1, "empty_text": 1, "not_http": 1}
    assert urls(found) == [0]


def test_noai_is_respected_when_asked_for(tmp_path: Path) -> None:
    tagged = page(1).replace(b"<head>", b'<head><meta name="robots" content="noai, noimageai">')
    data = response(0) + response(1, tagged) + response(2, head="Content-Type: text/html\r\nX-Robots-Tag: noai")
    assert urls(read(tmp_path, data, "a.warc")) == [0, 1, 2]
    found = read(tmp_path, data, "a.warc", respect_noai=True)
    assert (urls(found), skipped(found)) == ([0], {"noai": 2})


def test_wet_and_arc(tmp_path: Path) -> None:
    wet = warc_record(
        "conversion", "Titel\nText ä".encode(), "https://a.example/", WARC_Identified_Content_Language="deu"
    )
    (document,) = documents(read(tmp_path, gzip.compress(wet), "a.warc.wet.gz"))
    assert (document["text"], document["meta"]["languages"]) == ("Titel\nText ä", "deu")
    found = read(tmp_path, arc(), "a.arc")
    assert urls(found) == [0, 1, 2, 3]
    assert documents(found)[0]["date"] == "2008-04-30T20:48:25Z"


def test_a_huge_record_is_passed_over(tmp_path: Path) -> None:
    big = response(1, b"<html>" + b"x" * 3_000_000)
    for packed in (gzip.compress, bytes):
        data = b"".join(packed(r) for r in (response(0), big, response(2)))
        found = read(tmp_path, data, "a.warc.gz" if packed is gzip.compress else "a.warc", max_record_bytes=1 << 20)
        assert (urls(found), lost(found)) == ([0, 2], {"too_large": 1})


def test_a_page_that_hangs_its_parser_costs_itself(tmp_path: Path) -> None:
    deep = b"<html><body>" + b"<div>" * 60_000 + b"deep" + b"</div>" * 60_000 + b"</body></html>"
    data = b"".join(gzip.compress(r) for r in (response(0), response(1, deep), response(2)))
    found = read(tmp_path, data, seconds=0.5)
    assert urls(found) == [0, 2]
    assert lost(found) == {"timeout": 1}


FACTS = {
    path: entry
    for path, entry in manifest().items()
    if path.startswith("pile-cc/") and re.search(r"\.w?arc(\.|$)", path) and "paths" not in path
}
# Files that are damaged on purpose, by what is found in them: documents, quarantined.
DAMAGED = {
    "pile-cc/edge/example-trunc.warc": (0, 1),
    "pile-cc/edge/example-wrong-chunks.warc.gz": (0, 2),
    "pile-cc/edge/example-bad-non-chunked.warc.gz": (1, 0),
    "pile-cc/edge/example-bad.warc.gz.bad": (2, 0),
    "pile-cc/test-100.warc": (0, 1),
}


@needs_samples
@pytest.mark.parametrize("path", sorted(FACTS))
def test_samples_hold_as_many_responses_as_the_manifest_says(path: str) -> None:
    found = items("warc", SAMPLES / path, path)
    total = len(documents(found)) + skipped(found).total()
    if path in DAMAGED:
        assert (total, lost(found).total()) == DAMAGED[path]
        return
    kinds = FACTS[path]["facts"].get("records_by_type", {})
    assert total == kinds.get("response", 0) + kinds.get("conversion", 0)
    assert not lost(found)
