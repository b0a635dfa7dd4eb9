"""A file of any size for each reader that streams, and one with a single enormous record between small ones."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.read import fixtures, test_arxiv, test_courtlistener, test_jats, test_philpapers, test_source_code
from tests.read import test_mathematics as mathematics
from tests.read.test_enron import mail
from tests.read.test_pubmed import HEAD, article
from tests.read.test_stackexchange import row
from tests.read.test_subtitles import OPUS
from tests.read.test_uspto import V4


@functools.cache
def _prose(k: int, words: int) -> str:
    return fixtures.prose(k, words)


def prose(k: int, words: int = 60) -> str:
    """Sentences, another text for each number, made faster than those of the small fixtures."""
    return f"{_prose(k % 199, words)} Record {k}."


@dataclass(frozen=True, slots=True)
class Made:
    """How a format's file is put together: a head, units, a tail; or members of a tar or zip."""

    reader: str
    name: str
    unit: Callable[[int, str], bytes]
    """The record of a number, with more words in its text."""
    member: str = ""
    """Name of the archive member of a number, with ``{}``; empty for a stream of records."""
    head: bytes = b""
    tail: bytes = b""
    params: dict[str, Any] = field(default_factory=dict)
    per_unit: int = 1
    """Documents in a unit."""
    huge: bool = True
    """Whether a record of half a gigabyte makes sense in it."""
    scale: int = 1
    """How many times larger files must be to tell whether memory depends on them."""

    def __str__(self) -> str:
        return self.reader + "".join(f"-{value}" for value in self.params.values() if isinstance(value, str))

    def write(self, path: Path, size: int, huge: int = 0) -> int:
        """At least `size` bytes of ordinary records, the second followed by one of `huge` bytes; how many ordinary."""
        if self.reader == "parquet":
            return _parquet(path, size)
        with path.open("wb") as file:
            if not self.member:
                return _stream(self, file, size, huge)
            if self.name.endswith(".zip"):
                return _zip(self, file, size, huge)
            return _tar(self, file, size, huge)


def _units(made: Made, size: int, huge: int) -> Iterator[tuple[int, bytes]]:
    written = number = 0
    while written < size or number < 3:
        number += 1
        data = made.unit(number, "")
        written += len(data)
        yield number, data
        if number == 2 and huge:
            yield 0, made.unit(999_999, "many words " * (huge // 11))


def _stream(made: Made, file: Any, size: int, huge: int) -> int:
    file.write(made.head)
    last = 0
    for number, data in _units(made, size, huge):
        file.write(data)
        last = max(last, number)
    file.write(made.tail)
    return last


def _tar(made: Made, file: Any, size: int, huge: int) -> int:
    last = 0
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number, data in _units(made, size, huge):
            info = tarfile.TarInfo(made.member.format(number or 999_999, number // 1000, number % 1000))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
            archive.members = []  # or it keeps a list of all
            last = max(last, number)
    return last


def _zip(made: Made, file: Any, size: int, huge: int) -> int:
    last = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, data in _units(made, size, huge):
            archive.writestr(made.member.format(number or 999_999), data)
            last = max(last, number)
    return last


def _parquet(path: Path, size: int) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    rows = max(3, size // 2000)
    with pq.ParquetWriter(path, schema, compression="none") as out:  # one row group, as many writers leave it
        texts = [prose(k, 360)[:1990].ljust(1990, ".") for k in range(rows)]
        out.write_table(pa.table({"id": range(rows), "text": texts}, schema=schema), row_group_size=rows)
    return rows


def _page(k: int, more: str) -> bytes:
    data = fixtures.wiki(1)
    page = data[data.index(b"  <page>") : data.index(b"</mediawiki>")]
    page = page.replace(b"<id>1</id>", b"<id>%d</id>" % k, 1)
    return page.replace(b"\n\n== See", f"\n\n{prose(k)}{more}\n\n== See".encode())


_WIKI = fixtures.wiki(1)
_SUBTITLES = OPUS[OPUS.index(b'  <s id="1">') : OPUS.index(b"  <meta>")]


def _post(k: int, more: str) -> bytes:
    question = row(2 * k, 1, f"<p>{prose(k)}{more}</p>", Title=f"Question {k}", CreationDate="2020-01-01", Score=5)
    return (question + row(2 * k + 1, 2, f"<p>{prose(k)}</p>", ParentId=2 * k, Score=5)).encode()


def _story(k: int, more: str) -> bytes:
    story = {"id": 3 * k, "type": "story", "title": f"Story {k}", "by": "op", "score": 5, "time": 1e9, "text": more}
    comment = {"id": 3 * k + 1, "type": "comment", "by": "amy", "parent": 3 * k, "text": prose(k), "time": 1e9}
    return fixtures.jsonl([story, comment])


def _submission(k: int, more: str) -> bytes:
    return fixtures.jsonl([{
        "id": f"a{k}", "title": f"Post {k}", "selftext": prose(k) + more, "is_self": True, "score": 9, "author": "x",
        "created_utc": 1_500_000_000,
    }])  # fmt: skip


def _link(k: int, more: str) -> bytes:
    return fixtures.jsonl([{
        "id": f"a{k}", "title": prose(k) + more, "is_self": False, "url": f"https://news.example/{k}", "score": 9,
        "created_utc": 1_500_000_000,
    }])  # fmt: skip


def _opinion(k: int, more: str) -> bytes:
    text = f"{prose(k)} {prose(k + 1)} {more}"
    kind = "020lead" if k % 2 else "010combined"
    return test_courtlistener.row(id=str(k), cluster_id=str(k), type=kind, plain_text=text).encode()


_FIGURE = random.Random(1).randbytes(1 << 18)


def _paper(k: int, more: str) -> bytes:
    return gzip.compress(fixtures.tar({**test_arxiv.FILES, "b.png": _FIGURE, "c.tex": more.encode()}), 1)


SORT = {"memory": 4 << 20}
MADE = [
    Made("jsonl", "a.jsonl", lambda k, more: fixtures.jsonl([{"id": k, "text": prose(k) + more}])),
    Made("jsonl", "a.jsonl.gz", lambda k, more: gzip.compress(fixtures.jsonl([{"id": k, "text": prose(k) + more}]), 1)),
    Made("csv", "a.csv", lambda k, more: f'{k},"{prose(k)}{more}"\r\n'.encode(), head=b"id,text\r\n"),
    Made("parquet", "a.parquet", lambda k, more: b"", huge=False),
    Made("huggingface", "a.jsonl", lambda k, more: fixtures.jsonl([{"id": k, "text": prose(k) + more}]), huge=False, scale=2),
    Made("reddit-submissions", "RS_2020-01", _submission),
    Made("reddit-submissions", "RS_2020-01", _link, params={"take": "links", **SORT}),
    Made("hackernews", "a.jsonl", _story, params=SORT),
    Made("stackexchange", "x.org/Posts.xml", _post, head=b"<posts>\n", tail=b"</posts>\n", params=SORT),
    Made(
        "nih-exporter", "2014.csv", lambda k, more: f'{k},"{prose(k)}{more}"\r\n'.encode(),
        head=b"APPLICATION_ID,ABSTRACT_TEXT\r\n",
    ),
    Made(
        "courtlistener", "opinions-2026-06-30.csv", _opinion, head=test_courtlistener.table(), params=SORT,
    ),
    Made(
        "pubmed", "pubmed26n0001.xml", lambda k, more: article(k, f"T {k}", f"<AbstractText>{prose(k)}{more}"
        "</AbstractText>").encode(), head=HEAD.encode(), tail=b"</PubmedArticleSet>",
    ),
    Made("mediawiki", "a.xml", _page, head=_WIKI[: _WIKI.index(b"  <page>")], tail=b"</mediawiki>\n"),
    Made("mediawiki", "a.xml.bz2", lambda k, more: bz2.compress(_page(k, more), 1), head=bz2.compress(_WIKI[: _WIKI.index(b"  <page>")]), tail=bz2.compress(b"</mediawiki>\n")),
    Made("uspto", "p.xml", lambda k, more: V4.replace(b"08930553", b"%08d" % k).replace(b"napkins", b"napkins" + more.encode()[:-1])),
    Made(
        "philpapers", "p.xml", lambda k, more: test_philpapers.RECORD.replace("DOEOX", f"DOE{k}").replace(
            "X is Y.", f"{prose(k)}{more}").encode(),
        head=test_philpapers.page().partition(b"</ListRecords>")[0], tail=b"</ListRecords></OAI-PMH>",
    ),
    Made("warc", "a.warc.gz", lambda k, more: gzip.compress(fixtures.response(k, fixtures.page(k).replace(b"Imprint", b"Imprint" + more.encode())), 1)),
    Made("enron", "enron.tar", lambda k, more: mail(prose(k) + more, subject=str(k)), member="maildir/a/b/{}."),
    Made("enron", "all.mbox", lambda k, more: b"From a@b Mon\n" + mail(prose(k) + more, subject=str(k)) + b"\n\n"),
    Made("text", "a.tar", lambda k, more: (prose(k, 900) + more).encode(), member="folder/{}.txt"),
    Made("gutenberg", "a.tar", lambda k, more: fixtures.BOOK.replace(b"4242", b"%d" % (90_000 + k)) + more.encode(), member="{}-0.txt"),
    Made("books", "a.tar", lambda k, more: (prose(k, 900) + more).encode(), member="{}.txt"),
    Made("markdown", "a.tar", lambda k, more: (f"# Note {k}\n\n{prose(k, 300)}" + more).encode(), member="{}.md"),
    Made("html", "a.tar", lambda k, more: fixtures.page(k) + more.encode(), member="{}.html"),
    Made("source-code", "a.tar", lambda k, more: test_source_code.CODE + f"# {prose(k)}\n{more}".encode(), member="repo-abc/src/{}.py", huge=False),
    Made("europarl", "a.tar", lambda k, more: fixtures.SITTING + more.encode(), member="{1}/en/ep-00-01-17-{2}.txt"),
    Made("dm-mathematics", "a.tar", lambda k, more: (mathematics.PAIRS * 8 + more).encode(), member="mathematics_dataset-v1.0/train-easy/module_{}.txt", per_unit=2),
    Made("jats", "a.tar", lambda k, more: test_jats.article(test_jats.BODY.replace("Numbers.", prose(k) + more), ids=f'<article-id pub-id-type="pmcid">PMC{k}</article-id>'), member="a/PMC{}.nxml"),
    Made("arxiv", "a.tar", _paper, member="1911/1911.{:05}.gz", params={"converter": "builtin"}),
    Made("opensubtitles", "en.zip", lambda k, more: OPUS.replace(_SUBTITLES, _SUBTITLES * 40 + f"<s>{more}</s>".encode()), member="OpenSubtitles/raw/en/1999/{}/{}.xml".replace("{}", "{0}")),
]  # fmt: skip
