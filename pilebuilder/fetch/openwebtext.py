"""OpenWebText2: pages that Reddit recommended, looked up in Common Crawl instead of scraped from live sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want
from pilebuilder.fetch.commoncrawl import DATA, pack
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

PAGE_BYTES = 20_000
"""Compressed size of a page's record; only for planning."""
Month = Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("openwebtext", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWebText:
    """Links of Reddit submissions by score, from dumps that you have, as records of Common Crawl."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    dumps: Annotated[str, Field(description="folder with submission dumps RS_YYYY-MM.zst (or .xz, .bz2)")] = ""
    first: Annotated[Month, Field(description="first month of the dumps to use")] = "2005-06"
    until: Annotated[Month, Field(description="last month; move it on to fetch what is new")] = "2020-04"
    min_score: Annotated[int, Field(description="least score of an address, summed over its submissions")] = 3
    crawls: Annotated[tuple[str, ...], Field(min_length=1, description="crawls to look in, in order; or newest")] = (
        "newest",
    )
    links: Annotated[int, Field(ge=1, le=10_000, description="addresses in one raw file")] = 50
    data: Annotated[str, Field(description="where the archives lie")] = DATA

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Groups of addresses in seeded order."""
        if not self.dumps:
            remedy = "fetch the dumps with a torrent client and set `dumps: FOLDER`"
            raise FetchError("no_folder", "the Reddit submission dumps are not on the web", remedy=remedy)
        import tempfile

        apis = self._apis(web)
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "links.sqlite"
            tools.reddit.collect(Path(self.dumps).expanduser(), database, self.first, self.until)
            ranked = sorted(
                (rank(want.seed, "links", url), url) for url, _, _ in tools.reddit.links(database, self.min_score)
            )
            place = {url: i // self.links for i, (_, url) in enumerate(ranked)}
            groups: dict[int, list[dict[str, Any]]] = {}
            for url, score, facts in tools.reddit.links(database, self.min_score):
                groups.setdefault(place[url], []).append({"url": url, "score": score, "submissions": facts})
        for number in sorted(groups):
            yield Item(
                name=f"{number:07}.warc.gz",
                address=f"{self.data}#links-{number}",
                estimate=len(groups[number]) * PAGE_BYTES,
                version=f"{self.first}..{self.until} {want.seed}",
                extra={"_apis": apis, "links": groups[number]},
            )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        urls = [link["url"] for link in item.extra["links"]]
        variant = f"{web.policy.signals} {' '.join(item.extra['_apis'])} {' '.join(urls)}"
        return tools.compose(web, item, target, lambda: self._pages(web, item, urls), variant)

    def _pages(self, web: Web, item: Item, urls: list[str]) -> tuple[bytes, dict[str, Any]]:
        found = []
        for url in urls:
            capture = self._capture(web, item.extra["_apis"], url)
            if capture is not None:
                found.append(capture)
        if not found:
            raise LeftOut("not_crawled", f"{item.name}: none of {len(urls)} addresses is in {', '.join(self.crawls)}")
        content, facts = pack(web, item, found, self.data)
        return content, {**facts, "not_crawled": len(urls) - len(found)}

    def _capture(self, web: Web, apis: list[str], url: str) -> tools.cdx.Capture | None:
        """The first page that one of the crawls holds for an address."""
        for api in apis:
            for capture in tools.cdx.captures(web, api, {"url": url, "filter": "=status:200", "limit": "5"}):
                if capture.is_page:
                    return capture
        return None

    def _apis(self, web: Web) -> list[str]:
        known = tools.cdx.collections(web)
        by_name = {"newest": known[0], **{c["id"]: c for c in known}}
        missing = [c for c in self.crawls if c not in by_name]
        if missing:
            raise FetchError(
                "no_such_crawl", f"there is no crawl {missing[0]}", remedy=f"the newest is {known[0]['id']}"
            )
        return [str(by_name[c]["cdx-api"]) for c in self.crawls]
