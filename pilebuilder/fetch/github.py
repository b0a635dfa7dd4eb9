"""GitHub repositories: found by the search API, licensed, and fetched as tarballs of a pinned commit."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import quote, urlencode

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, Want, safe_name
from pilebuilder.fetch.policy import Date, Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

SEARCH_LIMIT = 1000
"""Results of one query that the API gives out."""
COMPRESSED = 0.25
"""Bytes of a tarball per byte of a repository; only for planning."""
SEARCH = Manners(delay=2.1, connections=1)
"""The search API allows 30 requests a minute."""
CORE = Manners(delay=0.72, connections=1)
"""The other parts allow 5,000 an hour."""

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("github", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """Repositories with enough stars and an allowed licence, as tarballs of the commit that the listing saw."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(description="base address of the API")] = "https://api.github.com"
    min_stars: Annotated[int, Field(ge=0, description="least number of stars")] = 100
    max_size_mib: Annotated[int, Field(ge=1, description="largest repository")] = 1024
    first: Annotated[Date, Field(description="repositories created from this date on")] = "2008-01-01"
    until: Annotated[Date, Field(description="and up to this one")]
    languages: Annotated[tuple[str, ...], Field(description="main languages; empty: all")] = ()
    licences: Annotated[tuple[str, ...], Field(description="allowed SPDX names")] = (
        "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "CC0-1.0", "0BSD", "Zlib",
    )  # fmt: skip

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Repositories by month of creation, in seeded order when only a sample is wanted."""
        spans = list(_months(self.first, self.until))
        sampling = want.bytes is not None or want.files is not None
        if sampling:
            spans.sort(key=lambda s: rank(want.seed, self.url, s[0].isoformat()))
        for span in spans:
            found = sorted(self._search(web, *span), key=lambda r: rank(want.seed, self.url, r["full_name"]))
            for repository in found if sampling else sorted(found, key=lambda r: str(r["full_name"])):
                yield self._item(web, repository)

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        """The tarball; the API redirects to another host, which never sees the credential."""
        return tools.bring(web, item, target, headers=HEADERS, secret=tools.secret_of("github"), manners=CORE)

    def _search(self, web: Web, first: datetime.date, last: datetime.date) -> Iterator[dict[str, Any]]:
        """Repositories created in a span; spans with more results than the API gives out are halved."""
        query = f"stars:>={self.min_stars} size:<={self.max_size_mib * 1024} fork:false created:{first}..{last}"
        page = self._page(web, query, 1)
        if int(page["total_count"]) > SEARCH_LIMIT and first < last:
            middle = first + (last - first) // 2
            yield from self._search(web, first, middle)
            yield from self._search(web, middle + datetime.timedelta(days=1), last)
            return
        seen = 0
        for number in range(1, SEARCH_LIMIT // 100 + 1):
            rows = (page if number == 1 else self._page(web, query, number))["items"]
            yield from (r for r in rows if self._fits(r))
            seen += len(rows)
            if not rows or seen >= int(page["total_count"]):
                return

    def _page(self, web: Web, query: str, number: int) -> dict[str, Any]:
        asked = urlencode({"q": query, "sort": "stars", "per_page": 100, "page": number})
        found = self._json(web, f"{self.url}/search/repositories?{asked}", SEARCH)
        if not isinstance(found, dict) or "items" not in found or "total_count" not in found:
            raise FetchError("bad_listing", f"{self.url} answered no search result")
        return found

    def _fits(self, repository: dict[str, Any]) -> bool:
        licence = (repository.get("license") or {}).get("spdx_id")
        language = repository.get("language")
        return licence in self.licences and (not self.languages or language in self.languages)

    def _item(self, web: Web, repository: dict[str, Any]) -> Item:
        name = str(repository["full_name"])
        if not re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", name):
            raise FetchError("bad_listing", f"{name[:80]!r} is no repository name")
        branch = quote(str(repository.get("default_branch") or "HEAD"), safe="")
        commit = str(self._json(web, f"{self.url}/repos/{name}/commits/{branch}", CORE).get("sha", ""))
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            raise FetchError("bad_listing", f"{name} has no commit {branch}")
        return Item(
            name=safe_name(f"{name}-{commit[:7]}.tar.gz"),
            address=f"{self.url}/repos/{name}/tarball/{commit}",
            estimate=int(int(repository.get("size") or 1) * 1024 * COMPRESSED) or 1,
            version=commit,
            licence=(repository.get("license") or {}).get("spdx_id"),
            date=str(repository.get("pushed_at") or "")[:10] or None,
            extra={
                "repo": name,
                "commit": commit,
                "stars": repository.get("stargazers_count"),
                "language": repository.get("language"),
            },
        )

    def _json(self, web: Web, url: str, manners: Manners) -> Any:
        """JSON of the API. A spent rate limit answers 403 with the time it begins anew: that is waited for."""
        secret = tools.secret_of("github")

        def attempt() -> Any:
            with web.send("GET", url, HEADERS, secret=secret, manners=manners) as (response, final):
                content = b"".join(web.blocks(response, final))
                left, reset = (
                    response.headers.get("x-ratelimit-remaining"),
                    response.headers.get("x-ratelimit-reset", ""),
                )
                if response.status in (403, 429) and left == "0" and reset.isdigit():
                    pause = max(0.0, float(reset) - web.clock.now()) + 1
                    raise tools.Failed(
                        "rate_limited", f"{final}: the hourly limit is used up", wait=min(pause, 3600.0)
                    )
                if response.status != 200:
                    raise tools.of_status(response, final, web.clock.now(), web.policy)
            return tools.Page(url=final, status=200, headers={}, body=content).json()

        patient = replace(web.policy, patience=max(web.policy.patience, 7200.0))
        return web.persist(url, attempt, policy=patient)


HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def _months(first: str, until: str) -> Iterator[tuple[datetime.date, datetime.date]]:
    """First and last day of each month from `first` to `until`."""
    start, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(until)
    while start <= end:
        following = (start.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
        yield start, min(end, following - datetime.timedelta(days=1))
        start = following
