"""Listings: the forms in which upstreams say which files they have. Each yields entries in the upstream's order."""

from __future__ import annotations

import base64
import binascii
import html
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.failures import Failed
from pilebuilder.fetch.policy import Manners, Secret
from pilebuilder.fetch.web import Page, Web

if TYPE_CHECKING:
    from pilebuilder.fetch.http import Listing

LISTINGS_MAX = 100_000
"""Pages of one listing; more means that the upstream's paging goes round in circles."""
_HREF = re.compile(r"""<a\b[^>]{0,2000}?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SUM = re.compile(
    r"^\\?([0-9a-fA-F]{32,64})\s+[ *]?(.+?)\s*$|^(?:MD5|SHA1|SHA256)\s*\((.+?)\)\s*=\s*([0-9a-fA-F]+)\s*$"
)
_KINDS = {32: "md5", 40: "sha1", 64: "sha256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a listing."""

    url: str
    name: str
    bytes: int | None = None
    digest: str | None = None
    version: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def entries(web: Web, listing: Listing, manners: Manners, secret: Secret | None = None) -> Iterator[Entry]:
    """Files that the listing names; raises `FetchError` when it cannot be had or read."""
    reader = {"index": _index, "json": _json, "s3": _s3, "lines": _lines}[listing.kind]
    try:
        yield from reader(web, listing, manners, secret)
    except Failed as failed:
        raise failed.final(1) from failed


def links(page: Page) -> list[str]:
    """Addresses that a page links to, absolute, in order, without repetition."""
    found: dict[str, None] = {}
    for match in _HREF.finditer(page.text()):
        href = html.unescape(match[1] or match[2] or "").strip()
        if href and not href.startswith(("#", "?", "javascript:", "mailto:")):
            found[urljoin(page.url, href).partition("#")[0]] = None
    return list(found)


def _below(url: str, folder: str) -> str | None:
    """Name of a link within its folder, percent-decoded; None when it leads elsewhere."""
    base = folder if folder.endswith("/") else folder.rpartition("/")[0] + "/"
    if not url.startswith(base) or url == base:
        return None
    return unquote(url[len(base) :])


def _index(web: Web, listing: Listing, manners: Manners, secret: Secret | None) -> Iterator[Entry]:
    """A directory index, after going down to the newest folder of each level."""
    folder = listing.url
    for level, expression in enumerate(listing.follow):
        page = web.page(folder, manners=manners, secret=secret)
        names = [n for n in (_below(u, page.url) for u in links(page)) if n and re.fullmatch(expression, n)]
        if not names:
            raise _changed(page, f"no folder like {expression!r}")
        complete = [n for n in sorted(names, reverse=True) if _complete(web, listing, level, page.url, n, manners)]
        if not complete:
            raise FetchError("incomplete_upstream", f"no folder below {page.url} holds {listing.needs} yet")
        folder = urljoin(page.url, quote(complete[0]))
    page = web.page(folder, manners=manners, secret=secret)
    found = False
    for url in links(page):
        name = _below(url, page.url)
        if name and not name.endswith("/"):
            found = True
            yield Entry(url=url, name=name)
    if not found:
        raise _changed(page, "no files")


def _complete(web: Web, listing: Listing, level: int, folder: str, name: str, manners: Manners) -> bool:
    """Whether a dated folder is one to use: unless `needs` is set, any; else one that holds that file in the end."""
    if not listing.needs or level > 0:
        return True
    at = urljoin(folder, quote(name))
    for expression in listing.follow[1:]:
        page = web.page(at, manners=manners, accept=(200, 404))
        inner = [n for n in (_below(u, page.url) for u in links(page)) if n and re.fullmatch(expression, n)]
        if page.status == 404 or not inner:
            return False
        at = urljoin(page.url, quote(max(inner)))
    page = web.page(at, manners=manners, accept=(200, 404))
    return page.status == 200 and any(_below(u, page.url) == listing.needs for u in links(page))


def _json(web: Web, listing: Listing, manners: Manners, secret: Secret | None) -> Iterator[Entry]:
    """A JSON document with a list of files, page after page."""
    token_key, _, parameter = listing.more.partition("=")
    token, seen = "", set()
    for _ in range(LISTINGS_MAX):
        url = listing.url
        if token:
            url += ("&" if "?" in url else "?") + urlencode({parameter: token})
        page = web.page(url, {"Accept": "application/json"}, manners=manners, secret=secret)
        content = page.json()
        rows = _at(content, listing.items)
        if rows is None and not token:
            raise _changed(page, f"no list at {listing.items!r}")
        for row in rows or ():
            if isinstance(row, dict):
                yield _json_entry(listing, page, row)
        token = str(content.get(token_key) or "") if token_key and isinstance(content, dict) else ""
        if not token:
            return
        if token in seen:
            raise _changed(page, "its paging repeats itself")
        seen.add(token)


def _json_entry(listing: Listing, page: Page, row: Mapping[str, Any]) -> Entry:
    name = row.get(listing.name)
    if not isinstance(name, str) or not name:
        raise _changed(page, f"an entry without {listing.name!r}")
    kind, _, key = listing.digest.partition("=")
    size = str(row.get(listing.size) or "")
    link = _filled(listing.link, row, page) if listing.link else urljoin(page.url, quote(name))
    digest = _digest(kind, str(row[key])) if key and row.get(key) else None
    return Entry(
        url=link, name=name, bytes=int(size) if str(size or "").isdigit() else None, digest=digest, fields=row
    )


def _digest(kind: str, value: str) -> str:
    """Hexadecimal as it stands; base64 (Google's form) is turned into it."""
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    if len(value) != lengths.get(kind, 0):
        try:
            value = base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            raise FetchError("bad_listing", f"{value[:60]!r} is no {kind} digest") from None
    return f"{kind}:{value.lower()}"


def _at(content: Any, path: str) -> list[Any] | None:
    for key in filter(None, path.split(".")):
        if isinstance(content, list) and key.isdigit() and int(key) < len(content):
            content = content[int(key)]
        elif isinstance(content, dict):
            content = content.get(key)
        else:
            return None
    return content if isinstance(content, list) else None


def _filled(template: str, row: Mapping[str, Any], page: Page) -> str:
    """A link template with its fields; ``{name}`` is quoted for a path, ``{!name}`` stands as it is."""

    def fill(match: re.Match[str]) -> str:
        value = row.get(match[2])
        if value is None:
            raise _changed(page, f"an entry without {match[2]!r}")
        return str(value) if match[1] else quote(str(value))

    return urljoin(page.url, re.sub(r"\{(!?)([A-Za-z_]\w*)\}", fill, template))


def _s3(web: Web, listing: Listing, manners: Manners, secret: Secret | None) -> Iterator[Entry]:
    """The XML listing of a public bucket (ListObjectsV2), page after page."""
    from lxml import etree

    token = ""
    for _ in range(LISTINGS_MAX):
        url = listing.url + (f"&{urlencode({'continuation-token': token})}" if token else "")
        page = web.page(url, manners=manners, secret=secret)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(page.body, parser)
        except etree.XMLSyntaxError as error:
            raise _changed(page, f"not XML: {error}") from None
        if etree.QName(root).localname != "ListBucketResult":
            raise _changed(page, f"a {etree.QName(root).localname} and no ListBucketResult")
        for node in root.iter("{*}Contents"):
            row = {etree.QName(c).localname: (c.text or "") for c in node}
            link = _filled(listing.link, row, page) if listing.link else urljoin(page.url, "/" + quote(row["Key"]))
            tag = row.get("ETag", "").strip('"')
            digest = f"md5:{tag}" if re.fullmatch(r"[0-9a-f]{32}", tag) else None  # not of a multipart upload
            size = int(row["Size"]) if row.get("Size", "").isdigit() else None
            yield Entry(url=link, name=row["Key"], bytes=size, digest=digest, version=tag or None, fields=row)
        token = root.findtext("{*}NextContinuationToken") or ""
        if not token or root.findtext("{*}IsTruncated") != "true":
            return


def _lines(web: Web, listing: Listing, manners: Manners, secret: Secret | None) -> Iterator[Entry]:
    """A text file with one path a line, perhaps gzipped (``warc.paths.gz``)."""
    page = web.page(listing.url, manners=manners, secret=secret)
    for line in unpacked(page, web.policy.max_page).decode("utf-8", "replace").splitlines():
        path = line.strip()
        if path:
            link = _filled(listing.link, {"path": path}, page) if listing.link else urljoin(page.url, quote(path))
            yield Entry(url=link, name=path)


def unpacked(page: Page, limit: int) -> bytes:
    """The body of a page, ungzipped if it is a gzip file; a bomb or a cut file is an error."""
    if not page.body.startswith(b"\x1f\x8b"):
        return page.body
    out, source = io.BytesIO(), page.body
    while source:
        pack = zlib.decompressobj(31)
        try:
            out.write(pack.decompress(source, limit - out.tell() + 1))
        except zlib.error as error:
            raise _changed(page, f"broken gzip: {error}") from None
        if out.tell() > limit:
            raise _changed(page, f"more than {limit} bytes when unpacked")
        if not pack.eof:
            raise _changed(page, "cut in the middle of its gzip stream")
        source = pack.unused_data.lstrip(b"\0")
    return out.getvalue()


def checksums(text: str) -> dict[str, str]:
    """Digests by file name from a checksum file in the forms of coreutils and BSD.

    >>> checksums("d41d8cd98f00b204e9800998ecf8427e  a.xml.gz")
    {'a.xml.gz': 'md5:d41d8cd98f00b204e9800998ecf8427e'}
    """
    found = {}
    for line in text.splitlines():
        match = _SUM.match(line)
        if match:
            value, name = (match[1], match[2]) if match[1] else (match[4], match[3])
            if len(value) in _KINDS:
                found[name.removeprefix("./")] = f"{_KINDS[len(value)]}:{value.lower()}"
    return found


def _changed(page: Page, what: str) -> FetchError:
    start = page.body[:60].decode("ascii", "backslashreplace")
    detail = f"the listing {urlsplit(page.url)._replace(query='').geturl()} holds {what} (it begins {start!r})"
    return FetchError(
        "bad_listing", detail, remedy="the upstream may have changed its layout: compare it with the card"
    )
