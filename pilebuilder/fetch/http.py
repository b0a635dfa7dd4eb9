"""Files over http(s): at fixed addresses, or named by a listing, with the checksums that the upstream publishes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from urllib.parse import quote, unquote, urljoin, urlsplit

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, Want, safe_name
from pilebuilder.fetch.policy import Credential, Manners, Secret
from pilebuilder.recipe import Size
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilebuilder.fetch.web import Web

SIZES_ASKED = 64
"""Files whose sizes are asked for one by one; for more, the card says what to expect."""
Digest = Annotated[str, Field(pattern=r"^(|sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40}|md5:[0-9a-f]{32})$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Where the files of an upstream are listed, and how to read that list."""

    kind: Annotated[Literal["index", "json", "s3", "lines"], Field(description="directory index, JSON, S3 XML, paths")]
    url: Annotated[str, Field(min_length=1, description="address of the listing")]
    follow: Annotated[
        tuple[str, ...],
        Field(description="index: expressions of the subfolders to go down, one per level; the newest"),
    ] = ()
    needs: Annotated[str, Field(description="index: a file whose presence proves the folder complete")] = ""
    items: Annotated[str, Field(description="json: path of the list of files, dots between keys")] = ""
    link: Annotated[str, Field(description="json, s3, lines: address of a file; {braces} for its fields")] = ""
    name: Annotated[str, Field(description="json: field with the file's name")] = "name"
    size: Annotated[str, Field(description="json: field with the file's size")] = "size"
    digest: Annotated[str, Field(description="json: field with its digest, as kind=field")] = ""
    more: Annotated[
        str, Field(description="json: key of the next page's token and its parameter, as key=parameter")
    ] = ""


@fetcher("http", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Files at web addresses, or named by a listing; resumed, and verified against published checksums."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = False

    url: Annotated[tuple[str, ...] | str, Field(description="address of a file, or several; {braces} for `each`")] = ()
    each: Annotated[dict[str, str], Field(description="values for {braces}: first..last, or a list with commas")] = (
        field(default_factory=dict)
    )
    name: Annotated[str, Field(description="file name for `url`, {braces} for `each`; default: from the address")] = ""
    bytes: Annotated[int | None, Field(ge=0, description="exact size of the one file at `url`")] = None
    digest: Annotated[Digest, Field(description="kind:hexadecimal, of the one file at `url`")] = ""
    listing: Annotated[Listing | None, Field(description="where the files are listed")] = None
    include: Annotated[
        str, Field(description="expression that a listed name must fit; (?P<date>...) gives the date")
    ] = ""
    exclude: Annotated[str, Field(description="expression of listed names to leave out")] = ""
    checksums: Annotated[str, Field(description="checksum file beside the files: a name, or {name}.md5")] = ""
    snapshot: Annotated[
        str, Field(description="date or version: only listed names that hold it; newest: the last")
    ] = ""
    partial: Annotated[bool, Field(description="the beginning of a file is useful alone; a budget may cut it")] = False
    mean_bytes: Annotated[Size | None, Field(description="expected size of a file whose size no listing gives")] = None
    account: Annotated[Credential | None, Field(description="whose key is wanted, from the environment")] = None
    delay: Annotated[float | None, Field(ge=0, le=3600, description="seconds between requests to the host")] = None
    connections: Annotated[int, Field(ge=1, le=16, description="requests to the host at once")] = 1

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Files at fixed addresses first, then those of the listing, with their digests."""
        if not self.url and self.listing is None:
            raise FetchError("no_address", "neither `url` nor `listing` says where the files are")
        items = self._fixed()
        if self.listing is not None:
            items = itertools.chain(items, self._listed(web))
        bounded = want.bytes is not None or want.files is not None
        asked = 0
        for item in items:
            if item.size is None and self.mean_bytes:
                item = replace(item, estimate=self.mean_bytes)
            elif item.size is None and bounded and want.bytes is not None:
                asked += 1
                if asked > SIZES_ASKED:
                    remedy = "set `mean_bytes` on the card, or take so many files"
                    raise FetchError("no_sizes", "the upstream does not say how large its files are", remedy=remedy)
                item = replace(item, estimate=self._ask_size(web, item))
            yield item

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        if "{name}" in self.checksums and not item.extra.get("partial"):
            item = replace(item, digest=self._own_checksum(web, item))
        return tools.bring(web, item, target, secret=self._secret(), manners=self._manners())

    def _ask_size(self, web: Web, item: Item) -> int | None:
        """The size of a file, as its own server tells it."""

        def attempt() -> int | None:
            with web.send("HEAD", item.address, secret=self._secret(), manners=self._manners()) as (response, final):
                if response.status not in (200, 405, 501):
                    raise tools.of_status(response, final, web.clock.now(), web.policy)
                length = response.headers.get("content-length", "")
                return int(length) if length.isdigit() and response.status == 200 else None

        return web.persist(item.address, attempt)

    def _manners(self) -> Manners:
        return Manners(delay=self.delay, connections=self.connections)

    def _secret(self) -> Secret | None:
        return tools.secret_of(self.account) if self.account else None

    def _fixed(self) -> Iterator[Item]:
        urls = (self.url,) if isinstance(self.url, str) else self.url
        values = [[(key, v) for v in spread(text)] for key, text in self.each.items()]
        for template in urls:
            for chosen in itertools.product(*values):
                url, name = template, self.name
                for key, value in chosen:
                    url, name = url.replace(f"{{{key}}}", value), name.replace(f"{{{key}}}", value)
                parts = [unquote(p) for p in urlsplit(url).path.split("/") if p]
                yield Item(
                    name=safe_name(name or (parts[-1] if parts else "index")),
                    address=url,
                    bytes=self.bytes,
                    digest=self.digest or None,
                    version=self.snapshot or None,
                )

    def _listed(self, web: Web) -> Iterator[Item]:
        assert self.listing is not None
        wanted = re.compile(self.include) if self.include else None
        unwanted = re.compile(self.exclude) if self.exclude else None
        found = []
        for entry in tools.entries(web, self.listing, self._manners(), self._secret()):
            match = wanted.search(entry.name) if wanted else None
            if (wanted and not match) or (unwanted and unwanted.search(entry.name)):
                continue
            found.append((entry, (match.groupdict().get("date") if match else None)))
        if self.snapshot:
            dates = sorted({d for _, d in found if d}) or [self.snapshot]
            chosen = dates[-1] if self.snapshot == "newest" else self.snapshot
            found = [(e, d) for e, d in found if (d == chosen if d else chosen in e.name)]
        sums = self._checksums(web, [e.url for e, _ in found])
        for entry, date in found:
            yield Item(
                name=safe_name(entry.name.lstrip("/")),
                address=entry.url,
                bytes=entry.bytes,
                digest=entry.digest or sums.get(entry.url),
                version=entry.version or date,
                date=date,
            )

    def _checksums(self, web: Web, urls: Sequence[str]) -> dict[str, str]:
        """Digests by address from checksum files, one per folder; an item's own is read when it is due."""
        if not self.checksums or "{name}" in self.checksums:
            return {}
        found: dict[str, str] = {}
        for folder in sorted({urljoin(u, ".") for u in urls}):
            page = web.page(urljoin(folder, self.checksums), manners=self._manners(), secret=self._secret())
            sums = tools.checksums(page.text())
            if not sums:
                raise FetchError("bad_listing", f"{page.url} holds no checksums", remedy="compare it with the card")
            found |= {u: sums[name] for u in urls for name in [unquote(u.rpartition("/")[2])] if name in sums}
        missing = [u for u in urls if u not in found]
        if missing:
            detail = f"{self.checksums} does not name {missing[0]} ({len(missing)} files in all)"
            raise FetchError("bad_listing", detail, remedy="the upstream may be renewing them: run later")
        return found

    def _own_checksum(self, web: Web, item: Item) -> str:
        """The digest in the item's own checksum file (``a.xml.gz.md5``)."""
        file = unquote(urlsplit(item.address).path.rpartition("/")[2])
        url = urljoin(item.address, quote(self.checksums.replace("{name}", file)))
        sums = tools.checksums(web.page(url, manners=self._manners(), secret=self._secret()).text())
        if file not in sums:
            raise FetchError("bad_listing", f"{url} does not name {file}", remedy="compare it with the card")
        return sums[file]


def spread(text: str) -> list[str]:
    """Values of one ``each``: a range of numbers, or a list.

    >>> spread("1998..2001"), spread("train, test"), spread("08..10")
    (['1998', '1999', '2000', '2001'], ['train', 'test'], ['08', '09', '10'])
    """
    first, dots, last = text.partition("..")
    if dots and first.strip().isdigit() and last.strip().isdigit():
        width = len(first.strip()) if first.strip().startswith("0") else 0
        return [str(n).zfill(width) for n in range(int(first), int(last) + 1)]
    return [part.strip() for part in text.split(",") if part.strip()]
