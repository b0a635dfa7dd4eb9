"""How the warc reader makes documents of records."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastwarc.warc import WarcRecord

from pilebuilder.read import html
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.sandbox import Failure, Job, Limits, ordered
from pilebuilder.read.warc_records import Frame, frames

if TYPE_CHECKING:
    from pilebuilder.read.warc import Warc

_CRAWL = re.compile(r"CC-(?:MAIN|NEWS)-[0-9-]*[0-9]")
_HTML = ("text/html", "application/xhtml+xml")


def read(options: Warc, raw: Raw) -> Iterator[Item]:
    """Documents of an archive in order."""
    return ordered(html.FUNCTION, _entries(options, raw), Limits(seconds=options.seconds))


def _entries(options: Warc, raw: Raw) -> Iterator[Item | Job[Item]]:
    """Items that need no parser, and jobs for the pages that do."""
    crawl = _CRAWL.search(raw.name) or _CRAWL.search(raw.url or "")
    pages = _Pages(options, crawl[0] if crawl else "")
    with raw.path.open("rb") as file:
        for frame in frames(raw, file, options.max_record_bytes):
            if isinstance(frame, Quarantined):
                yield frame
            elif frame.kind in (b"response", b"conversion"):
                yield pages.entry(frame)


class _Pages:
    """Documents from frames."""

    def __init__(self, options: Warc, crawl: str) -> None:
        self.options, self.crawl = options, crawl

    def entry(self, frame: Frame) -> Item | Job[Item]:
        try:
            record = WarcRecord.from_bytes(frame.data)
        except (OSError, ValueError) as error:
            return Quarantined(reason="bad_record", offset=frame.offset, detail=str(error)[:160])
        url = (record.headers.get("WARC-Target-URI") or "").strip().strip("<>")
        return self._conversion(frame, record, url) if frame.kind == b"conversion" else self._page(frame, record, url)

    def _conversion(self, frame: Frame, record: Any, url: str) -> Item:
        data = record.reader.read()
        key = self._key(record, data, url)
        text = data.decode("utf-8", "replace")
        if not text.strip():
            return Skipped(reason="empty_text", offset=frame.offset, key=key)
        meta = self._meta(record) | {"charset": "utf-8"}
        if language := record.headers.get("WARC-Identified-Content-Language"):
            meta["languages"] = language
        return Record(key=key, text=tidy(text), offset=frame.offset, url=url, date=_date(record), meta=meta)

    def _page(self, frame: Frame, record: Any, url: str) -> Item | Job[Item]:
        offset, options = frame.offset, self.options
        if not (record.headers.get("Content-Type") or "").lower().startswith("application/http"):
            return Skipped(reason="not_http", offset=offset, key=url)
        record, body, problem = _payload(frame)
        if problem:
            return Quarantined(reason="bad_http", offset=offset, detail=problem, key=url)
        headers = record.http_headers
        key = self._key(record, body, url)
        if (headers.status_code or 0) != 200:
            return Skipped(reason="status", offset=offset, key=key)
        kind = (record.http_content_type or _sniffed(body)).lower()
        if kind not in _HTML:
            return Skipped(reason="content_type", offset=offset, key=key)
        tags = headers.get("X-Robots-Tag") or ""
        if options.respect_noai and html.refuses_training(body.decode("utf-8", "replace"), tags):
            return Skipped(reason="noai", offset=offset, key=key)
        known = {"status": 200, "content_type": kind} | self._meta(record)
        date = _date(record)

        def finish(answer: Any) -> Item:
            return _finished(answer, key, offset, url, date, known)

        params = {"extractor": options.extractor, "charset": record.http_charset, "stoplist": options.stoplist}
        return Job(data=body, params=params, then=finish)

    def _key(self, record: Any, body: bytes, url: str) -> str:
        digest = record.headers.get("WARC-Payload-Digest") or ""
        if not digest:
            digest = "sha1:" + base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
        return f"{'cc' if self.crawl else 'warc'}:{self.crawl}:{digest} {url}"

    def _meta(self, record: Any) -> dict[str, Any]:
        named = {"digest": "WARC-Payload-Digest", "truncated": "WARC-Truncated", "ip": "WARC-IP-Address"}
        found = {key: value for key, name in named.items() if (value := record.headers.get(name))}
        return found | ({"crawl": self.crawl} if self.crawl else {})


def _finished(answer: Any, key: str, offset: int, url: str, date: str | None, known: dict[str, Any]) -> Item:
    """The document of a page that was parsed."""
    if isinstance(answer, Failure):
        return Quarantined(reason=answer.reason, offset=offset, detail=answer.detail, key=key)
    page = html.Page(**answer)
    text = tidy(page.text)
    if not text or text.isspace():
        return Skipped(reason="empty_text", offset=offset, key=key)
    meta = {"title": page.title, **known} if page.title else known
    return Record(
        key=key, text=text, offset=offset, url=url, date=date, licence=page.licence,
        meta={**meta, "charset": page.charset}, signals=page.signals,
    )  # fmt: skip


def _payload(frame: Frame) -> tuple[Any, bytes, str]:
    """Record and HTTP body without its transfer and content encodings, and what went wrong if it could not be had.

    Crawlers store bodies already decoded under headers that still say "chunked" or "gzip": when the encoding does not
    hold, the body is taken as it is. Headers whose lines end in a bare LF (ClueWeb's) are read too.
    """
    block = frame.data.find(b"\r\n\r\n") + 4
    quirks = frame.data[max(frame.data.find(b"\n", block) - 1, 0)] != 13
    problem = ""
    for encodings in ("all", "none"):
        record = WarcRecord.from_bytes(frame.data)
        try:
            record.parse_http(auto_decode=encodings, quirks_mode=quirks)
            body = record.reader.read()
        except (OSError, ValueError) as error:
            problem = str(error)[:160]
            continue
        if record.http_headers is not None:
            return record, body, ""
        problem = "no HTTP header"
    return None, b"", problem


def _sniffed(body: bytes) -> str:
    """The type of a body whose server named none."""
    head = body[:512].lstrip().lower()
    return "text/html" if head.startswith((b"<!doctype html", b"<html", b"<head")) else ""


def _date(record: Any) -> str | None:
    return record.headers.get("WARC-Date") or None
