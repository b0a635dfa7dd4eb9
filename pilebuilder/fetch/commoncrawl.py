"""Common Crawl: whole archive files, the beginnings of seeded ones, or single pages through the index."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want, safe_name
from pilebuilder.fetch.http import Listing
from pilebuilder.fetch.select import rank
from pilebuilder.recipe import Size
from pilebuilder.registry import fetcher
from pilebuilder.task import digest_file

WARC_BYTES = 1 << 30
"""About the size of a WARC file of a main crawl."""

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web

DATA = "https://data.commoncrawl.org/"


@fetcher("common-crawl", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CommonCrawl:
    """Pages of one crawl: archive files (whole, or the first part of seeded ones), or pages that match addresses."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    crawl: Annotated[str, Field(description="crawl such as CC-MAIN-2026-39, or newest")] = "newest"
    files: Annotated[Literal["warc", "wet"], Field(description="archives with pages, or with plain text")] = "warc"
    piece: Annotated[
        Size, Field(ge=1 << 16, description="bytes from the beginning of each seeded archive, for samples")
    ] = 8 << 20
    match: Annotated[
        tuple[str, ...], Field(description="address patterns (*.gov/*): ask the index instead of archives")
    ] = ()
    languages: Annotated[
        tuple[str, ...], Field(description="with match: codes such as eng that a page must have")
    ] = ()
    captures: Annotated[int, Field(ge=1, le=10_000, description="with match: pages in one raw file")] = 100
    data: Annotated[str, Field(description="where the archives lie")] = DATA

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Seeded archives or index pages; without a budget, all archives in the order of their list."""
        crawl, api = self._crawl(web)
        if self.match:
            yield from self._index_pages(web, crawl, api, want)
            return
        listing = Listing(
            kind="lines", url=f"{self.data}crawl-data/{crawl}/{self.files}.paths.gz", link=self.data + "{path}"
        )
        paths = list(tools.entries(web, listing, tools.cdx.SLOWLY))
        whole = want.bytes is None and want.files is None
        if not whole:
            paths.sort(key=lambda e: rank(want.seed, crawl, e.name))
        for entry in paths:
            item = Item(
                name=safe_name(entry.name), address=entry.url, estimate=WARC_BYTES, version=crawl, date=_date(crawl)
            )
            if whole or self.piece >= WARC_BYTES:
                yield item
            else:
                extra = {"_start": 0, "_length": self.piece, "piece": self.piece}
                yield replace(item, name=f"{item.name}.part.gz", estimate=self.piece, extra=extra)

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        if "_pattern" in item.extra:
            variant = f"{web.policy.signals} {self.captures} {','.join(self.languages)}"
            return tools.compose(web, item, target, lambda: self._pages(web, item), variant)
        if "_length" not in item.extra:
            return tools.bring(web, item, target, manners=tools.cdx.SLOWLY)
        piece = target.with_name(target.name + ".piece")
        try:
            got = tools.bring(web, item, piece, manners=tools.cdx.SLOWLY)
            return _cut(item, piece, target, got)
        finally:
            piece.unlink(missing_ok=True)

    def _crawl(self, web: Web) -> tuple[str, str]:
        """The crawl's name and its index server."""
        known = tools.cdx.collections(web)
        for found in known:
            if self.crawl in ("newest", found["id"]):
                return str(found["id"]), str(found["cdx-api"])
        raise FetchError("no_such_crawl", f"there is no crawl {self.crawl}", remedy=f"the newest is {known[0]['id']}")

    def _index_pages(self, web: Web, crawl: str, api: str, want: Want) -> Iterator[Item]:
        places = [
            (pattern, page)
            for pattern in self.match
            for page in range(tools.cdx.pages(web, api, self._query(pattern)))
        ]
        places.sort(key=lambda p: rank(want.seed, crawl, f"{p[0]} {p[1]}"))
        for pattern, page in places:
            name = "".join(c if c.isalnum() or c in ".-" else "_" for c in pattern)
            yield Item(
                name=f"{crawl}/{name}-{page:06}.warc.gz",
                address=f"{api}?url={pattern}&page={page}",
                estimate=self.captures * 12_000,
                version=crawl,
                extra={"_pattern": pattern, "_page": page, "_api": api, "_seed": want.seed},
            )

    def _query(self, pattern: str) -> dict[str, str]:
        return {"url": pattern, "filter": "=status:200"}

    def _pages(self, web: Web, item: Item) -> tuple[bytes, dict[str, Any]]:
        """Seeded pages of one index page, in one archive; pages that opted out are left out and counted."""
        extra = item.extra
        query = {**self._query(extra["_pattern"]), "page": str(extra["_page"])}
        found = [c for c in tools.cdx.captures(web, extra["_api"], query) if c.is_page and self._speaks(c)]
        found.sort(key=lambda c: rank(extra["_seed"], item.name, f"{c.url} {c.timestamp}"))
        if not found:
            raise LeftOut("no_pages", f"{item.name}: no page fits")
        return pack(web, item, found[: self.captures], self.data)

    def _speaks(self, capture: tools.cdx.Capture) -> bool:
        return not self.languages or capture.languages.split(",")[0] in self.languages


def pack(web: Web, item: Item, found: list[tools.cdx.Capture], data: str) -> tuple[bytes, dict[str, Any]]:
    """Records of captures in one archive. What could not be had is counted; when nothing could, that is an error."""
    members: list[bytes] = []
    facts: dict[str, Any] = {}
    last: FetchError | None = None
    for capture in sorted(found, key=lambda c: (c.filename, c.offset)):
        try:
            member = tools.cdx.record(web, capture, data)
            evidence = opted_out(web, capture.url, member)
        except LeftOut:
            facts["opted_out"] = facts.get("opted_out", 0) + 1
            continue
        except FetchError as error:
            last = error
            missing = facts.setdefault("missing", {})
            missing[error.reason] = missing.get(error.reason, 0) + 1
            continue
        if evidence:
            facts["signals"] = sorted({*facts.get("signals", []), *evidence})[:50]
        members.append(member)
    if not members:
        raise last or LeftOut("opted_out", f"{item.name}: every page opted out")
    return b"".join(members), {"records": len(members), **facts}


def opted_out(web: Web, url: str, member: bytes) -> list[str]:
    """Signals in a stored response; raises `LeftOut` when one is to be respected. The live site is not asked."""
    if web.policy.signals == "ignore":
        return []
    headers, body = tools.payload_headers(member)
    found = tools.signals.decide([*tools.signals.from_headers(headers), *tools.signals.from_html(body)])
    reserved = [s for s in found if s.reserves]
    if reserved and web.policy.signals == "respect":
        raise LeftOut("opted_out", f"{url}: {'; '.join(tools.signals.evidence(reserved))}")
    return tools.signals.evidence(reserved)


def _cut(item: Item, piece: Path, target: Path, got: Fetched) -> Fetched:
    """The complete records of a piece of an archive."""
    with piece.open("rb") as stream:
        try:
            size, records = tools.whole_members(stream)
        except ValueError as error:
            raise FetchError("wrong_format", f"{item.address} is no compressed crawl archive: {error}") from None
    if not records:
        raise FetchError("wrong_format", f"the first {got.bytes} bytes of {item.address} hold no whole record")
    with piece.open("rb") as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
        sink.truncate(size)
    sha256, size = digest_file(target)
    return Fetched(item=item, path=target, sha256=sha256, bytes=size, facts={**got.facts, "records": records})


def _date(crawl: str) -> str | None:
    """The week of a crawl as a date of its Monday.

    >>> _date("CC-MAIN-2026-39")
    '2026-09-21'
    """
    import datetime
    import re

    match = re.fullmatch(r"CC-MAIN-(\d{4})-(\d\d)", crawl)
    return datetime.date.fromisocalendar(int(match[1]), int(match[2]), 1).isoformat() if match else None
