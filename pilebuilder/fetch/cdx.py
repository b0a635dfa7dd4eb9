"""The Common Crawl index: captures by address, and single records by range requests."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.failures import Failed, of_status
from pilebuilder.fetch.policy import Manners
from pilebuilder.fetch.web import Page, Web

DATA = "https://data.commoncrawl.org/"
COLLECTIONS = "https://index.commoncrawl.org/collinfo.json"
SLOWLY = Manners(delay=1.0, connections=1)
"""Both hosts limit hard and answer 403 or 503 with "Slow Down"; one connection is what they ask for."""
HTML = ("text/html", "application/xhtml+xml")
RECORD_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One record of a crawl, as the index describes it."""

    url: str
    timestamp: str
    filename: str
    offset: int
    length: int
    status: str = ""
    mime: str = ""
    digest: str = ""
    languages: str = ""

    @property
    def is_page(self) -> bool:
        return self.status == "200" and self.mime in HTML


def collections(web: Web, url: str = COLLECTIONS) -> list[dict[str, Any]]:
    """Crawls, newest first: ``id``, ``name``, ``cdx-api``."""
    page = web.page(url, manners=SLOWLY)
    found = _json(page)
    if not isinstance(found, list) or not all(isinstance(c, dict) and c.get("id") and c.get("cdx-api") for c in found):
        raise FetchError(
            "bad_listing", f"{url} is no list of crawls", remedy="the upstream may have changed its layout"
        )
    return found


def captures(web: Web, api: str, query: Mapping[str, str]) -> list[Capture]:
    """Captures that the index server knows for a query; none is no error."""
    address = f"{api}?{urlencode({**query, 'output': 'json'})}"
    page = web.page(address, manners=SLOWLY, accept=(200, 404))
    if page.status == 404:
        return []  # the server says "No Captures found" this way
    return [c for line in page.text().splitlines() if line.strip() for c in [_capture(line, page)] if c]


def pages(web: Web, api: str, query: Mapping[str, str]) -> int:
    """How many pages of captures a query has."""
    page = web.page(f"{api}?{urlencode({**query, 'showNumPages': 'true', 'output': 'json'})}", manners=SLOWLY)
    found = _json(page)
    count = found.get("pages") if isinstance(found, dict) else found
    if not isinstance(count, int):
        raise FetchError("bad_listing", f"{api} does not say how many pages it has")
    return count


def record(web: Web, capture: Capture, data: str = DATA) -> bytes:
    """The gzip member of one capture, exactly; raises `FetchError`."""
    if not 0 < capture.length <= RECORD_LIMIT:
        raise FetchError("too_large", f"a record of {capture.length} bytes in {capture.filename}", lasting=True)
    url = data + capture.filename
    last = capture.offset + capture.length - 1

    def attempt() -> bytes:
        headers = {"Range": f"bytes={capture.offset}-{last}"}
        with web.send("GET", url, headers, manners=SLOWLY) as (response, final):
            if response.status != 206:
                if response.status == 200:
                    raise Failed("no_range", f"{final} sends the whole file instead of a record", again=False)
                raise of_status(response, final, web.clock.now(), web.policy)
            stated = response.headers.get("content-range", "")
            content = b"".join(web.blocks(response, final))
        if not re.match(rf"bytes\s+{capture.offset}-{last}/", stated) or len(content) != capture.length:
            raise Failed("bad_range", f"{url} was asked for {capture.offset}-{last} and sent {stated[:60]!r}")
        unpack = zlib.decompressobj(31)
        try:
            unpack.decompress(content, RECORD_LIMIT)
        except zlib.error as error:
            raise Failed(
                "wrong_format", f"{url} holds no gzip member at {capture.offset}: {error}", again=False
            ) from None
        return content

    return web.persist(url, attempt)


def _capture(line: str, page: Page) -> Capture | None:
    start = line.find("{")
    try:
        row = json.loads(line[start:])
        return Capture(
            url=str(row["url"]),
            timestamp=str(row.get("timestamp", "")),
            filename=str(row["filename"]),
            offset=int(row["offset"]),
            length=int(row["length"]),
            status=str(row.get("status", "")),
            mime=str(row.get("mime-detected") or row.get("mime", "")),
            digest=str(row.get("digest", "")),
            languages=str(row.get("languages", "")),
        )
    except (ValueError, KeyError, TypeError):
        shown = line[:80].encode("ascii", "backslashreplace").decode()
        raise FetchError(
            "bad_listing", f"{page.url.partition('?')[0]} sent a line that is no capture: {shown!r}"
        ) from None


def _json(page: Page) -> Any:
    try:
        return page.json()
    except Failed as failed:
        raise failed.final(1) from failed
