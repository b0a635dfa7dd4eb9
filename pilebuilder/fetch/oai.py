"""OAI-PMH 2.0: harvesting metadata records by date windows, with resumption tokens."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.failures import Failed
from pilebuilder.fetch.policy import Manners
from pilebuilder.fetch.web import Page, Web

if TYPE_CHECKING:
    from lxml import etree

PAGES_MAX = 20_000
RESTARTS = 3
"""Times that one window is begun again when its resumption token is refused."""


class StaleToken(Exception):
    """The upstream no longer knows the resumption token."""


def windows(first: str, until: str, days: int) -> list[tuple[str, str]]:
    """Consecutive windows of so many days, both ends included.

    >>> windows("2020-01-01", "2020-01-05", 3)
    [('2020-01-01', '2020-01-03'), ('2020-01-04', '2020-01-05')]
    """
    start, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(until)
    found = []
    while start <= end:
        last = min(end, start + datetime.timedelta(days=days - 1))
        found.append((start.isoformat(), last.isoformat()))
        start = last + datetime.timedelta(days=1)
    return found


def harvest(web: Web, url: str, prefix: str, window: tuple[str, str], manners: Manners) -> Iterator[etree._Element]:
    """Record elements of a window, complete or not at all: a token that goes stale begins the window again."""
    for restart in range(RESTARTS + 1):
        try:
            yield from _collect(web, url, prefix, window, manners)
            return
        except StaleToken:
            if restart == RESTARTS:
                detail = f"{url}: the token for {window[0]}..{window[1]} goes stale again and again"
                raise FetchError("expired_token", detail, remedy="run again later") from None


def _collect(web: Web, url: str, prefix: str, window: tuple[str, str], manners: Manners) -> list[etree._Element]:
    query = {"verb": "ListRecords", "metadataPrefix": prefix, "from": window[0], "until": window[1]}
    found: list[Any] = []
    seen: set[str] = set()
    for _ in range(PAGES_MAX):
        page = web.page(f"{url}?{urlencode(query)}", manners=manners, check=_check)
        root = parse(page)
        error = root.find("{*}error")
        if error is not None:
            code = error.get("code", "")
            if code == "noRecordsMatch":
                return found
            if code == "badResumptionToken":
                raise StaleToken
            detail = f"{url} answered {code}: {(error.text or '').strip()[:200]}"
            raise FetchError(
                "bad_listing", detail, remedy="compare the card's parameters with the upstream's Identify"
            )
        found += root.iterfind("{*}ListRecords/{*}record")
        token = (root.findtext("{*}ListRecords/{*}resumptionToken") or "").strip()
        if not token:
            return found
        if token in seen:
            raise FetchError("bad_listing", f"{url} repeats the resumption token {token[:60]!r}")
        seen.add(token)
        query = {"verb": "ListRecords", "resumptionToken": token}
    raise FetchError("bad_listing", f"{url}: more than {PAGES_MAX} pages in one window")


def parse(page: Page) -> etree._Element:
    """The OAI-PMH document of a page; raises `Failed` when it is none, since error pages come with status 200."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(page.body, parser)
    except etree.XMLSyntaxError as error:
        start = page.body[:60].decode("ascii", "backslashreplace")
        raise Failed("bad_listing", f"{page.url.partition('?')[0]} answered no XML ({start!r}): {error}") from None
    if etree.QName(root).localname != "OAI-PMH":
        raise Failed("bad_listing", f"{page.url.partition('?')[0]} answered a {root.tag} and no OAI-PMH document")
    return root


def _check(page: Page) -> None:
    parse(page)


def is_deleted(record: etree._Element) -> bool:
    header = record.find("{*}header")
    return header is not None and header.get("status") == "deleted"
