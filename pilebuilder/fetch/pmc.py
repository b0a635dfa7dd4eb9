"""PubMed Central's open-access articles in their public bucket: one article at a time, licence first."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want
from pilebuilder.fetch.http import Listing
from pilebuilder.fetch.policy import Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

ARTICLE_BYTES = 110_000
"""Mean size of an article's JATS file; only for planning."""
KEPT = ("pmcid", "version", "pmid", "doi", "title", "citation", "license_code", "is_manuscript")
_KEY = re.compile(r"metadata/(PMC\d+)\.(\d+)\.json")

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("pmc", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PubMedCentral:
    """Articles with an allowed licence as JATS XML; retracted ones and scans are left out by their metadata."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(description="address of the bucket")] = "https://pmc-oa-opendata.s3.amazonaws.com/"
    inventory: Annotated[str, Field(description="date of the daily inventory (YYYY-MM-DD), or newest")] = "newest"
    licences: Annotated[tuple[str, ...], Field(description="allowed licence codes")] = ("CC0", "CC BY", "CC BY-SA")
    connections: Annotated[int, Field(ge=1, le=16, description="requests at once")] = 8

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Newest version of each article; articles of one seeded part of the inventory first when sampling."""
        manifest = self._manifest(web)
        files = manifest["files"]
        sampling = want.bytes is not None or want.files is not None
        if sampling:
            files = sorted(files, key=lambda f: rank(want.seed, self.url, f["key"]))
        newest: dict[str, int] = {}
        for file in files:
            found = self._shard(web, file)
            if sampling:  # versions of an article stand together, so a shard is enough to know the newest
                yield from self._items(found, want)
            else:
                for article, version in found.items():
                    newest[article] = max(version, newest.get(article, 0))
        if not sampling:
            yield from self._items(newest, want)

    def _items(self, found: dict[str, int], want: Want) -> Iterator[Item]:
        for article in sorted(found, key=lambda a: rank(want.seed, self.url, a)):
            stem = f"{article}.{found[article]}"
            yield Item(
                name=f"{stem}.xml",
                address=f"{self.url}{stem}/{stem}.xml",
                estimate=ARTICLE_BYTES,
                version=str(found[article]),
                extra={"_metadata": f"{self.url}metadata/{stem}.json"},
            )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        """The article, after its metadata said that it may be used."""
        page = web.page(item.extra["_metadata"], manners=self._manners())
        facts = _json(page)
        if not isinstance(facts, dict) or not facts.get("pmcid"):
            raise FetchError("bad_listing", f"{page.url} is no metadata of an article")
        if facts.get("license_code") not in self.licences:
            raise LeftOut("licence", f"{item.name}: {facts.get('license_code') or 'no licence'}")
        for rule in ("is_retracted", "is_historical_ocr"):
            if facts.get(rule) in (True, "true", "yes", 1):
                raise LeftOut(rule, item.name)
        stated = str(facts.get("xml_url") or "")
        if not stated:
            raise LeftOut("no_text", f"{item.name}: only a PDF")
        match = re.search(r"[?&]md5=([0-9a-fA-F]{32})", stated)
        kept = {k: facts[k] for k in KEPT if facts.get(k)}
        wanted = replace(item, digest=f"md5:{match[1].lower()}" if match else None)
        got = tools.bring(web, wanted, target, manners=self._manners())
        return replace(got, facts={**got.facts, **kept, "licence": facts["license_code"]})

    def _manners(self) -> Manners:
        return Manners(delay=0.0, connections=self.connections)

    def _manifest(self, web: Web) -> dict[str, Any]:
        """The manifest of a complete daily inventory."""
        folder = "inventory-reports/pmc-oa-opendata/metadata/"
        if self.inventory != "newest":
            page = web.page(f"{self.url}{folder}{self.inventory}T01-00Z/manifest.json", manners=self._manners())
            return _checked(page)
        listing = Listing(kind="s3", url=f"{self.url}?list-type=2&prefix={folder}")
        keys = [e.name for e in tools.entries(web, listing, self._manners()) if e.name.endswith("/manifest.json")]
        if not keys:
            raise FetchError("bad_listing", f"{self.url} has no inventory", remedy="the upstream may have moved it")
        return _checked(web.page(self.url + max(keys), manners=self._manners()))

    def _shard(self, web: Web, file: dict[str, Any]) -> dict[str, int]:
        """Newest version by article in one part of the inventory."""
        import hashlib

        page = web.page(self.url + str(file["key"]), manners=self._manners())
        stated = str(file.get("MD5checksum") or "")
        if stated and hashlib.md5(page.body, usedforsecurity=False).hexdigest() != stated.lower():
            raise FetchError("checksum_mismatch", f"{page.url} does not have the digest of its manifest")
        newest: dict[str, int] = {}
        text = tools.unpacked(page, 1 << 31).decode("utf-8", "replace")
        for row in csv.reader(io.StringIO(text)):
            match = _KEY.fullmatch(row[1]) if len(row) > 1 else None
            if match:
                newest[match[1]] = max(int(match[2]), newest.get(match[1], 0))
        if not newest:
            raise FetchError("bad_listing", f"{page.url} names no article", remedy="the upstream may have changed it")
        return newest


def _checked(page: tools.Page) -> dict[str, Any]:
    found = _json(page)
    files = found.get("files") if isinstance(found, dict) else None
    if not files or not all(isinstance(f, dict) and f.get("key") for f in files):
        raise FetchError("bad_listing", f"{page.url} is no inventory manifest")
    return dict(found)


def _json(page: tools.Page) -> Any:
    try:
        return json.loads(page.body)
    except ValueError as error:
        raise tools.Failed("bad_listing", f"{page.url} is not JSON: {error}", again=False).final(1) from None
