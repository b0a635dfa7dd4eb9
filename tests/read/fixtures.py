"""One small whole file per format, made here: what the tests of bad input damage."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import zstandard

_WORDS = "the quick brown fox jumps over the lazy dog while seven wizards quietly judge boxing matches in the park"
WORDS = _WORDS.split()


def prose(seed: int, words: int = 60) -> str:
    """Some sentences; the same for the same seed."""
    picked = [WORDS[(seed * 7 + k * k + k // 3) % len(WORDS)] for k in range(words)]
    return " ".join(w.capitalize() + "." if k % 11 == 10 else w for k, w in enumerate(picked)) + f" Number {seed}."


def jsonl(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def rows(count: int = 40) -> list[dict[str, Any]]:
    return [{"id": f"doc-{k}", "text": prose(k), "lang": "en"} for k in range(count)]


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def page(k: int) -> bytes:
    paragraphs = "".join(f"<p>{prose(10 * k + j)}</p>" for j in range(4))
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>Page {k}</title></head><body><nav><a href="/">Home</a></nav>'
        f"<main><article><h1>Page {k}</h1>{paragraphs}</article></main><footer>Imprint</footer></body></html>"
    ).encode()


def warc_record(kind: str, block: bytes, uri: str = "", **headers: str) -> bytes:
    content = "application/http; msgtype=response" if kind == "response" else "text/plain"
    lines = [f"WARC-Type: {kind}", "WARC-Date: 2024-05-18T01:58:10Z", f"Content-Type: {content}"]
    lines += [f"WARC-Target-URI: {uri}"] if uri else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(block)}")
    return ("WARC/1.0\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + block + b"\r\n\r\n"


def response(k: int, body: bytes | None = None, head: str = "Content-Type: text/html; charset=utf-8") -> bytes:
    body = page(k) if body is None else body
    block = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body
    return warc_record("response", block, f"https://site.example/{k}")


def warc(count: int = 6, *, compress: Callable[[bytes], bytes] = lambda data: data) -> bytes:
    """A crawl of `count` pages: an info record, then request and response of each."""
    records = [warc_record("warcinfo", b"software: test\r\n")]
    for k in range(count):
        records.append(warc_record("request", b"GET / HTTP/1.1\r\n\r\n", f"https://site.example/{k}"))
        records.append(response(k))
    return b"".join(map(compress, records))


def arc() -> bytes:
    version = b"1 0 test\nURL IP-address Archive-date Content-type Archive-length\n\n"
    out = b"filedesc://test.arc 0.0.0.0 20080430204825 text/plain %d\n" % len(version) + version + b"\n"
    for k in range(4):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page(k)
        out += b"http://site.example/%d 192.0.2.1 20080430204825 text/html %d\n" % (k, len(block)) + block + b"\n"
    return out


def wiki(count: int = 12) -> bytes:
    """A MediaWiki export: articles, one redirect, one talk page."""
    pages = []
    for k in range(count):
        text = f"'''Title {k}''' is [[thing|a thing]].{{{{cn}}}}&lt;ref&gt;x&lt;/ref&gt;\n\n{prose(k)}\n\n"
        text += "== See also ==\n* [[x]]"
        extra, space = "", 0
        if k == 3:
            extra, text = '    <redirect title="Title 1" />\n', "#REDIRECT [[Title 1]]"
        if k == 4:
            space = 1
        pages.append(
            f"  <page>\n    <title>Title {k}</title>\n    <ns>{space}</ns>\n    <id>{k + 1}</id>\n{extra}"
            f"    <revision>\n      <id>{100 + k}</id>\n      <timestamp>2024-01-01T00:00:00Z</timestamp>\n"
            "      <contributor><username>A</username><id>1</id></contributor>\n      <model>wikitext</model>\n"
            f'      <format>text/x-wiki</format>\n      <text bytes="{len(text)}" xml:space="preserve">{text}</text>\n'
            "    </revision>\n  </page>\n"
        )
    head = (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n  <siteinfo>\n'
        "    <sitename>Test</sitename>\n    <dbname>testwiki</dbname>\n    <base>https://en.wikipedia.org/wiki/Main</base>\n"
        '    <namespaces>\n      <namespace key="0" case="first-letter" />\n'
        '      <namespace key="6" case="first-letter">Datei</namespace>\n    </namespaces>\n  </siteinfo>\n'
    )
    return (head + "".join(pages) + "</mediawiki>\n").encode()


BOOK = (
    "The Project Gutenberg eBook of A Test, by A. Writer\r\n\r\nTitle: A Test\r\n\r\nAuthor: A. Writer\r\n\r\n"
    "Release Date: January 1, 2001 [eBook #4242]\r\n\r\nLanguage: English\r\n\r\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK A TEST ***\r\n\r\n\r\nProduced by Somebody Else\r\n\r\n\r\n\r\n"
    + "\r\n\r\n".join(prose(k, 90) for k in range(12))
    + "\r\n\r\n\r\nEnd of Project Gutenberg's A Test\r\n\r\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK A TEST ***\r\nLicence\r\n"
).encode()

SITTING = (
    "<CHAPTER ID=1>\nAgenda & more\n"
    + "".join(f'<SPEAKER ID={k} NAME="Speaker {k}" LANGUAGE=EN>\n{prose(k)}\n<P>\n{prose(k + 50)}\n' for k in range(6))
).encode()

CHANNEL = b"".join(
    line.encode() + b"\n"
    for k in range(30)
    for line in (
        f"[12:{k:02}] <nick{k % 5}> {prose(k, 9)}",
        "=== someone [x@y] has joined #test",
        "[12:59]  * nick1 waves",
    )
)


def hackernews() -> bytes:
    items: list[dict[str, Any] | None] = []
    for k in range(1, 5):
        items.append(
            {
                "id": k,
                "type": "story",
                "by": "op",
                "title": f"Story {k}",
                "score": 5,
                "time": 1e9,
                "kids": [k * 10, k * 10 + 1],
            }
        )
        items.append(
            {"id": k * 10 + 1, "type": "comment", "by": "bob", "parent": k, "text": f"second {k}", "time": 1e9}
        )
        items.append(
            {"id": k * 10, "type": "comment", "by": "amy", "parent": k, "text": f"first <i>{k}</i>", "time": 1e9}
        )
        items.append({"id": k * 100, "type": "comment", "by": "cat", "parent": k * 10, "text": "a reply", "time": 1e9})
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def reddit() -> bytes:
    return jsonl(
        {
            "id": f"a{k}", "title": f"Post {k}", "selftext": prose(k) if k % 3 else "", "is_self": bool(k % 3),
            "url": f"https://news.example/{k % 4}", "score": k, "subreddit": "test", "created_utc": 1_500_000_000 + k,
            "permalink": f"/r/test/comments/a{k}/",
        }
        for k in range(40)
    )  # fmt: skip


def csv_table() -> bytes:
    lines = ["id,text,note"] + [f'{k},"{prose(k)}\nsecond line, ""quoted""",n{k}' for k in range(30)]
    return ("\r\n".join(lines) + "\r\n").encode()


def parquet_table(group: int = 10) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(rows()), out, row_group_size=group, compression="zstd", write_page_checksum=True
    )
    return out.getvalue()


def pdf(pages: int = 3) -> bytes:
    """A PDF of text lines, by hand: objects, cross-reference table, trailer."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for k in range(pages):
        lines = ["A RUNNING HEAD"] + [prose(20 * k + j, 10) for j in range(20)] + [str(k + 1)]
        stream = ("BT /F1 10 Tf 50 780 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET").encode()
        objects.append(b"<< /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [" + b" ".join(kids) + b"] /Count %d >>" % pages
    out, at = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        at.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % a for a in at)
    return (
        out + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    )


def zstd(data: bytes, *, checksum: bool = True, frames: int = 1) -> bytes:
    packer, step = zstandard.ZstdCompressor(level=3, write_checksum=checksum), -(-len(data) // frames)
    return b"".join(packer.compress(data[k : k + step]) for k in range(0, len(data), step))


def members(data: bytes, count: int = 4) -> bytes:
    """gzip in several members."""
    step = -(-len(data) // count)
    return b"".join(gzip.compress(data[k : k + step]) for k in range(0, len(data), step))


@dataclass(frozen=True, slots=True)
class Fixture:
    """A whole file for a reader."""

    reader: str
    name: str
    data: bytes
    documents: int
    params: dict[str, Any] = field(default_factory=dict)
    checked: bool = True
    """Whether the format has checksums, so that damage is always noticed."""

    def __str__(self) -> str:
        return f"{self.reader}:{self.name}"


_TEXTS = {f"folder/{k}.txt": prose(k, 200).encode() for k in range(6)}
_CODE = {f"repo-abc/src/m{k}.py": f"def f{k}():\n    return '{prose(k)}'\n".encode() for k in range(6)}
_CODE["repo-abc/LICENSE"] = (
    b"Permission is hereby granted, free of charge, to any person obtaining a copy ... without restriction. The above copyright notice and this permission notice shall be included"
)
_PAGES = {f"site/{k}.html": page(k) for k in range(5)}
_NOTES = {f"notes/{k}.md": f"---\ntitle: Note {k}\n---\n# Note {k}\n\n{prose(k)}\n".encode() for k in range(5)}


def fixtures() -> list[Fixture]:
    """Files of every format and compression that the general readers take."""
    lines, posts = jsonl(rows()), reddit()
    return [
        Fixture("jsonl", "a.jsonl", lines, 40, checked=False),
        Fixture("jsonl", "a.jsonl.zst", zstd(lines), 40),
        Fixture("jsonl", "unchecked.jsonl.zst", zstd(lines, checksum=False), 40, checked=False),
        Fixture("jsonl", "frames.jsonl.zst", zstd(lines, frames=5), 40),
        Fixture("jsonl", "a.jsonl.gz", gzip.compress(lines), 40),
        Fixture("jsonl", "members.jsonl.gz", members(lines), 40),
        Fixture("jsonl", "a.jsonl.bz2", bz2.compress(lines), 40),
        Fixture("jsonl", "a.jsonl.xz", lzma.compress(lines), 40),
        Fixture("text", "a.txt", prose(1, 900).encode(), 1, checked=False),
        Fixture("text", "a.tar", tar(_TEXTS), 6, checked=False),
        Fixture("text", "a.tar.gz", gzip.compress(tar(_TEXTS)), 6),
        Fixture("text", "a.tar.bz2", bz2.compress(tar(_TEXTS)), 6),
        Fixture("text", "a.zip", zipped(_TEXTS), 6),
        Fixture("gutenberg", "4242-0.txt", BOOK, 1, checked=False),
        Fixture("gutenberg", "4242-0.txt.gz", gzip.compress(BOOK), 1),
        Fixture("warc", "a.warc", warc(), 6, checked=False),
        Fixture("warc", "a.warc.gz", warc(compress=gzip.compress), 6),
        Fixture("warc", "whole.warc.gz", gzip.compress(warc()), 6),
        Fixture("warc", "a.warc.zst", zstd(warc()), 6),
        Fixture("warc", "a.arc", arc(), 4, checked=False),
        Fixture("warc", "a.arc.gz", gzip.compress(arc()), 4),
        Fixture("mediawiki", "a.xml", wiki(), 10, checked=False),
        Fixture("mediawiki", "a.xml.bz2", bz2.compress(wiki()), 10),
        Fixture("source-code", "a.py", b"import os\n\n\ndef main():\n    return os.getcwd()\n" * 9, 1, checked=False),
        Fixture("source-code", "a.tar.gz", gzip.compress(tar(_CODE)), 7),
        Fixture("csv", "a.csv", csv_table(), 30, checked=False),
        Fixture("csv", "a.csv.gz", gzip.compress(csv_table()), 30),
        Fixture("parquet", "a.parquet", parquet_table(), 40),
        Fixture("html", "a.html", page(1), 1, checked=False),
        Fixture("html", "a.zip", zipped(_PAGES), 5),
        Fixture("markdown", "a.md", _NOTES["notes/1.md"], 1, checked=False),
        Fixture("markdown", "a.tar.gz", gzip.compress(tar(_NOTES)), 5),
        Fixture("pdf", "a.pdf", pdf(), 1, checked=False),
        Fixture("pdf", "a.zip", zipped({"x/1.pdf": pdf(1), "x/2.pdf": pdf(2)}), 2),
        Fixture("huggingface", "a.jsonl.gz", gzip.compress(lines), 40),
        Fixture("reddit-submissions", "RS_2017-07.zst", zstd(posts), 24),
        Fixture("reddit-submissions", "RS_2017-07.bz2", bz2.compress(posts), 4, {"take": "links"}),
        Fixture("ubuntu-irc", "2004/07/05/#test.txt", CHANNEL, 1, checked=False),
        Fixture("europarl", "txt/en/ep-00-01-17.txt", SITTING, 1, checked=False),
        Fixture("europarl", "europarl.tgz", gzip.compress(tar({"txt/en/ep-00-01-17.txt": SITTING})), 1),
        Fixture("hackernews", "items.jsonl", hackernews(), 4, checked=False),
        Fixture("hackernews", "items.jsonl.gz", gzip.compress(hackernews()), 4),
    ]
