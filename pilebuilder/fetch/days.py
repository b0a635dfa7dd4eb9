"""Archives that keep one folder of files per day, listed by an HTML index and by nothing else."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want, safe_name
from pilebuilder.fetch.policy import Date, Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("daily-index", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DailyIndex:
    """Files of a site with one index page per day; crawled, so the site's robots.txt and rights file are obeyed."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(min_length=1, description="address of a day's index, with {yyyy}, {mm} and {dd}")]
    first: Annotated[Date, Field(description="first day")]
    until: Annotated[Date, Field(description="last day; move it on to fetch what is new")]
    include: Annotated[str, Field(description="expression that a file's name must fit")] = r"\.txt$"
    delay: Annotated[float, Field(ge=0, le=3600, description="seconds between requests")] = 1.0
    mean_bytes: Annotated[int, Field(ge=1, description="expected size of a file, to plan with")] = 20_000

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Files by day, days in seeded order when only a sample is wanted; a day without a page is no error."""
        first, last = datetime.date.fromisoformat(self.first), datetime.date.fromisoformat(self.until)
        days = [first + datetime.timedelta(days=n) for n in range((last - first).days + 1)]
        if want.bytes is not None or want.files is not None:
            days.sort(key=lambda d: rank(want.seed, self.url, d.isoformat()))
        rules = tools.Rules(web, Manners(delay=self.delay))
        wanted = re.compile(self.include)
        for day in days:
            url = self.url.format(yyyy=f"{day:%Y}", mm=f"{day:%m}", dd=f"{day:%d}")
            self._may_list(rules, url)
            page = web.page(url, manners=rules.polite(url), accept=(200, 404))
            if page.status == 404:
                continue
            for link in tools.links(page):
                name = _name(link, page.url)
                if name and wanted.search(name):
                    yield Item(
                        name=safe_name(f"{day:%Y/%m/%d}/{name}"),
                        address=link,
                        estimate=self.mean_bytes,
                        version=day.isoformat(),
                        date=day.isoformat(),
                    )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        rules = tools.Rules(web, Manners(delay=self.delay))
        evidence = rules.check(item.address)
        manners = rules.polite(item.address)
        return tools.bring(web, item, target, manners=manners, facts={"signals": evidence} if evidence else None)

    @staticmethod
    def _may_list(rules: tools.Rules, url: str) -> None:
        """A site that opted out is not listed either: then the component has nothing, and says why."""
        try:
            rules.check(url)
        except LeftOut as error:
            remedy = "leave the component out, or keep its items with `signals: record` in `fetch:`"
            raise FetchError(error.reason, error.detail, remedy=remedy, lasting=True) from None


def _name(link: str, folder: str) -> str | None:
    """File name of a link in its folder, decoded; None for links elsewhere."""
    from urllib.parse import unquote

    base = folder if folder.endswith("/") else folder.rpartition("/")[0] + "/"
    name = unquote(link[len(base) :]) if link.startswith(base) else ""
    return name if name and "/" not in name else None
