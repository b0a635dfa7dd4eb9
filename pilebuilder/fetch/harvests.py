"""Fetchers over OAI-PMH: the records themselves, or the papers that they describe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want
from pilebuilder.fetch.policy import Date, Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from lxml import etree

    from pilebuilder.fetch.web import Web


@fetcher("oai-records", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OaiRecords:
    """Metadata records over OAI-PMH: one XML file of records per window of dates."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(min_length=1, description="base address of the repository")]
    prefix: Annotated[str, Field(description="metadata format")] = "oai_dc"
    first: Annotated[Date, Field(description="first date of change to ask for")]
    until: Annotated[Date, Field(description="last date of change to ask for; move it on to fetch what is new")]
    days: Annotated[int, Field(ge=1, le=3660, description="days in one file")] = 31
    delay: Annotated[float, Field(ge=0, le=3600, description="seconds between requests")] = 3.0
    record_bytes: Annotated[int, Field(ge=1, description="expected bytes of records per day, to plan with")] = 50_000

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """One item per window; nothing is asked yet."""
        for first, last in tools.oai.windows(self.first, self.until, self.days):
            yield Item(
                name=f"{first}_{last}.xml",
                address=f"{self.url}?verb=ListRecords&metadataPrefix={self.prefix}&from={first}&until={last}",
                estimate=self.days * self.record_bytes,
                version=f"{first}..{last}",
                extra={"_window": [first, last]},
            )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        return tools.compose(web, item, target, lambda: (self._records(web, *item.extra["_window"]), {}))

    def _records(self, web: Web, first: str, last: str) -> bytes:
        """The window's records in one OAI-PMH document."""
        from lxml import etree

        root = etree.Element("{http://www.openarchives.org/OAI/2.0/}OAI-PMH", nsmap={None: NAMESPACE})
        records = etree.SubElement(root, f"{{{NAMESPACE}}}ListRecords")
        try:
            found = list(tools.oai.harvest(web, self.url, self.prefix, (first, last), Manners(delay=self.delay)))
        except tools.Failed as failed:
            raise failed.final(1) from failed
        if not found:
            raise LeftOut("no_records", f"nothing changed between {first} and {last}")
        for record in found:
            record.tail = "\n"
            records.append(record)
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


NAMESPACE = "http://www.openarchives.org/OAI/2.0/"


@fetcher("oai-papers", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OaiPapers:
    """Papers whose OAI-PMH record carries an allowed licence: one source file each."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(min_length=1, description="base address of the repository")]
    prefix: Annotated[str, Field(description="metadata format with id and license elements")] = "arXiv"
    file: Annotated[str, Field(min_length=1, description="address of a paper's source, with {id}")]
    suffix: Annotated[str, Field(description="suffix of the raw files")] = ".gz"
    first: Annotated[Date, Field(description="first date of change to ask for")]
    until: Annotated[Date, Field(description="last date of change to ask for; move it on to fetch what is new")]
    days: Annotated[int, Field(ge=1, le=366, description="days in one window")] = 1
    licences: Annotated[
        tuple[str, ...], Field(description="expressions of allowed licence addresses; empty: all")
    ] = ()
    delay: Annotated[float, Field(ge=0, le=3600, description="seconds between requests")] = 3.0
    mean_bytes: Annotated[int, Field(ge=1, description="expected size of a source file, to plan with")] = 1_000_000

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Papers of all windows; of seeded windows when only a sample is wanted."""
        allowed = [re.compile(p) for p in self.licences]
        spans = tools.oai.windows(self.first, self.until, self.days)
        if want.bytes is not None or want.files is not None:
            spans.sort(key=lambda w: rank(want.seed, self.url, w[0]))
        seen: set[str] = set()
        for span in spans:
            items = []
            try:
                for record in tools.oai.harvest(web, self.url, self.prefix, span, Manners(delay=self.delay)):
                    item = self._item(record)
                    fits = item and (not allowed or any(p.search(item.licence or "") for p in allowed))
                    if item and fits and item.name not in seen:
                        seen.add(item.name)
                        items.append(item)
            except tools.Failed as failed:
                raise failed.final(1) from failed
            yield from sorted(items, key=lambda i: rank(want.seed, self.url, i.name))

    def _item(self, record: etree._Element) -> Item | None:
        if tools.oai.is_deleted(record):
            return None
        found = {etree_name(node): (node.text or "").strip() for node in record.iterfind("{*}metadata/*/*")}
        ident = found.get("id", "")
        if not ident:
            identifier = (record.findtext("{*}header/{*}identifier") or "").strip()
            raise FetchError("bad_listing", f"the record {identifier[:80]!r} has no id", remedy="check `prefix`")
        extra: dict[str, Any] = {
            k: found[k] for k in ("title", "categories", "doi", "created", "updated") if found.get(k)
        }
        authors = [
            " ".join(filter(None, (a.findtext("{*}forenames"), a.findtext("{*}keyname"))))
            for a in record.iterfind("{*}metadata/*/{*}authors/{*}author")
        ]
        return Item(
            name=f"{ident}{self.suffix}",
            address=self.file.replace("{id}", ident),
            estimate=self.mean_bytes,
            version=found.get("updated") or found.get("created") or None,
            licence=found.get("license") or None,
            date=found.get("created") or None,
            extra={"id": ident, **extra, **({"authors": authors} if authors else {})},
        )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        return tools.bring(web, item, target, manners=Manners(delay=self.delay))


def etree_name(node: etree._Element) -> str:
    """Local name of an element."""
    return str(node.tag).rpartition("}")[2]
