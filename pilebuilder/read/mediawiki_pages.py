"""How the MediaWiki reader cuts a dump into pages. The wikitext is rendered by `pilebuilder.read.wikitext`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.streams import StreamError, open_stream
from pilebuilder.read.whole import wrong_format
from pilebuilder.read.wikitext import Rules, renderer
from pilebuilder.read.xml import XmlError, fragment, local, splits

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilebuilder.read.mediawiki import MediaWiki

_TAG = re.compile(rb"<(/?)([A-Za-z][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>([^<]*)")
_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^>]*>([^<]*)</namespace>')
_NAMED = re.compile(rb"<(dbname|base|sitename)>([^<]*)</\1>")
_WIKIMEDIA = re.compile(r"//[\w.-]*\.(?:wik\w+|mediawiki)\.org/")
_REDIRECT = re.compile(r"\s*#[^\W\d_]+\s*:?\s*\[\[")
_DISAMBIGUATION = re.compile(r"\{\{\s*(?:[\w ]*disambig\w*|disambiguation page|dab|hndis|geodis)[^{}]*\}\}", re.I)
_REFERENCE = re.compile(r"&(?:(lt|gt|quot|apos|amp)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));")
_NAMES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}


@dataclass(slots=True)
class Site:
    """What a dump says about its wiki."""

    database: str = ""
    base: str = ""
    namespaces: dict[int, str] = field(default_factory=dict)
    is_wikimedia: bool = False

    def learn(self, head: bytes) -> None:
        """Read the ``siteinfo`` element."""
        found = {name.decode(): unescape(value.decode("utf-8", "replace")) for name, value in _NAMED.findall(head)}
        self.database = found.get("dbname") or found.get("sitename") or ""
        self.base = found.get("base", "")
        self.is_wikimedia = bool(_WIKIMEDIA.search(self.base))
        self.namespaces = {
            int(key): unescape(name.decode("utf-8", "replace")) for key, name in _NAMESPACE.findall(head)
        }

    def address(self, page: str) -> str | None:
        """The page's stable address by its number."""
        host = re.match(r"(https?)://([^/]+)/", self.base)
        return f"{host[1]}://{host[2]}/?curid={page}" if host else None


def read(options: MediaWiki, raw: Raw) -> Iterator[Item]:
    """Pages of a dump in order."""
    site, head, tail, render = Site(), b"", b"", None
    with open_stream(raw.path, expect=raw.name) as stream:
        for piece in splits(stream.read, (b"page",), limit=options.max_page_bytes):
            if piece.kind == "between":
                if render is None and len(head) < 4 << 20:
                    head += piece.data
                tail = (tail + piece.data)[-64:]
                continue
            if render is None:
                if b"<mediawiki" not in head:
                    break
                site.learn(head)
                render = _renderer(options, site)
            tail = b""
            if piece.kind == "record":
                yield _document(options, raw, site, render, piece.data, piece.offset)
            elif piece.kind == "too_large":
                detail = f"a page of more than {options.max_page_bytes} bytes"
                yield Quarantined(reason="too_large", offset=piece.offset, detail=detail)
            else:
                yield Quarantined(reason="parse_error", offset=piece.offset, detail="a page without its end tag")
    if b"<mediawiki" not in head:
        yield wrong_format("a MediaWiki export", head[:1024])
    elif b"</mediawiki>" not in tail:
        raise StreamError("truncated", "the export has no closing </mediawiki>")


def _renderer(options: MediaWiki, site: Site) -> Callable[[str], str]:
    rules = Rules(namespaces=tuple(name for key, name in site.namespaces.items() if key in (6, 14, -2) and name))
    return renderer("pile" if options.style == "pile" else options.renderer, rules)


def _document(
    options: MediaWiki, raw: Raw, site: Site, render: Callable[[str], str], data: bytes, offset: int
) -> Item:
    try:
        page = fields(data) or _parsed(data)
    except UnicodeDecodeError as error:
        return Quarantined(reason="bad_utf8", offset=offset, detail=f"{error}"[:160])
    if page is None or "page/id" not in page or "page/title" not in page:
        return Quarantined(reason="parse_error", offset=offset, detail=f"not well-formed: {context(data[:120])}")
    number, title = page["page/id"], page["page/title"]
    key = f"wiki:{site.database}:{number}"
    text = page.get("page/revision/text", "")
    if reason := _skip(options, page, text):
        return Skipped(reason=reason, offset=offset, key=key)
    body = tidy(render(text))
    if not body.strip():
        return Skipped(reason="empty_text", offset=offset, key=key)
    if len(body) < options.min_chars:
        return Skipped(reason="short", offset=offset, key=key)
    meta = {"title": title, "page_id": int(number), "wiki": site.database}
    if revision := page.get("page/revision/id"):
        meta["revision_id"] = int(revision)
    if raw.date:
        meta["dump"] = raw.date
    return Record(
        key=key, text=f"{title}\n\n{body}", offset=offset, url=site.address(number),
        date=page.get("page/revision/timestamp"), meta=meta,
        licence=raw.licence or ("CC-BY-SA-4.0" if site.is_wikimedia else None),
    )  # fmt: skip


def _skip(options: MediaWiki, page: dict[str, str], text: str) -> str:
    """Why a page is no document, or an empty string."""
    if int(page.get("page/ns") or 0) not in options.namespaces:
        return "namespace"
    if "page/redirect" in page or _REDIRECT.match(text):
        return "redirect"
    if page.get("page/revision/model", "wikitext") != "wikitext":
        return "model"
    if page.get("page/revision/text@", "").find("deleted") >= 0:
        return "deleted"
    if options.skip_disambiguation and _DISAMBIGUATION.search(text):
        return "disambiguation"
    return ""


def fields(data: bytes) -> dict[str, str] | None:
    """Text by path of a ``page`` element, of the last one where a path comes again; None if it is not well-formed.

    A page holds no attribute or mixed content worth more than this, and ``<`` stands in its texts only as ``&lt;``, so
    one pass over its tags both checks that they nest and finds what is in them.
    """
    found: dict[str, str] = {}
    path: list[str] = []
    at = 0
    for tag in _TAG.finditer(data):
        if tag.start() != at:
            return None
        at = tag.end()
        closes, name, attributes, empty, text = tag.groups()
        if closes:
            if not path or path.pop() != name.decode():
                return None
        else:
            path.append(name.decode())
            here = "/".join(path)
            found[here] = _plain(text)
            if attributes:
                found[here + "@"] = attributes.decode()
            if empty:
                path.pop()
    return found if at == len(data) and not path else None


def _parsed(data: bytes) -> dict[str, str] | None:
    """As `fields`, by the XML parser: for what another writer than MediaWiki made (comments, CDATA)."""
    try:
        root = fragment(data)
    except XmlError:
        return None
    found: dict[str, str] = {}
    for element in root.iter("*"):
        parts = [local(e) for e in element.iterancestors()][::-1]
        found["/".join([*parts, local(element)])] = element.text or ""
    return found


def _plain(text: bytes) -> str:
    """As `unescape`, for the long run of bytes that a page is: MediaWiki writes no character references."""
    if b"&" not in text:
        return text.decode()
    if b"&#" in text:
        return unescape(text.decode())
    text = text.replace(b"&lt;", b"<").replace(b"&gt;", b">").replace(b"&quot;", b'"').replace(b"&apos;", b"'")
    return text.replace(b"&amp;", b"&").decode()


def unescape(text: str) -> str:
    """XML's five entities and character references."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    name, decimal, hexadecimal = found.groups()
    if name:
        return _NAMES[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
