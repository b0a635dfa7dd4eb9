"""Web pages to text: encoding, main content by one of five extractors, and what a page says about itself.

Extractors: ``resiliparse`` (fast, high recall), ``trafilatura`` (slow, precise), ``justext`` (the Pile's), ``all``
(all visible text), and ``union``, which joins trafilatura's and resiliparse's by the rule that `union` states.
"""

from __future__ import annotations

import codecs
import itertools
import re
from dataclasses import dataclass
from typing import Any, Literal

Extractor = Literal["resiliparse", "trafilatura", "justext", "union", "all"]

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.I)
_LICENCE_LINK = re.compile(r"<(?:a|link)\b[^>]{0,400}?rel\s*=\s*[\"']?[^\"'>]{0,80}?\blicense\b[^>]{0,400}?>")
_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(licenses|publicdomain)/([a-z+-]{2,20})/(\d\.\d)(?:/([a-z]{2}))?", re.I
)
_LANG = re.compile(r"<html\b[^>]{0,600}?\blang\s*=\s*[\"']?([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)", re.I)
_ROBOTS = re.compile(r"<meta\b[^>]{0,200}?name\s*=\s*[\"']robots[\"'][^>]{0,200}?>", re.I)
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SNIFFED = 4096
"""Bytes in which a declared encoding is looked for (the HTML standard says 1024; pages with long comments exist)."""


class HtmlLimit(Exception):
    """A parser gave up on a page because of its size or depth; the text it returned is not the page's."""

    reason = "html_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was made of a page."""

    text: str
    charset: str
    title: str
    licence: str | None
    lang: str | None
    """Language that the page declares."""
    share: float
    """Characters of text per character of markup."""

    @property
    def signals(self) -> dict[str, Any]:
        return {"html.lang": self.lang, "html.text_share": self.share}


SIGNALS = {"html.lang": "string", "html.text_share": "double"}
FUNCTION = f"{__name__}:page"
"""What a sandbox runs to make a `Page` of a page's bytes."""


def page(data: bytes, extractor: Extractor, charset: str | None = None, stoplist: str = "English") -> dict[str, Any]:
    """Decode a page and extract its text: the fields of a `Page`; raises `HtmlLimit`. Runs in a sandbox."""
    html, used = decode(data, charset)
    text = extract(html, extractor, stoplist).encode("utf-8", "replace").decode()
    lang = _LANG.search(html, 0, 1 << 14)
    return {
        "text": text,
        "charset": used,
        "title": _title(html).encode("utf-8", "replace").decode(),
        "licence": licence_of(html),
        "lang": lang[1].lower() if lang else None,
        "share": round(len(text) / max(len(html), 1), 6),
    }


def _title(html: str) -> str:
    from html import unescape

    start = html.find("<title")
    if start < 0:
        return ""
    begin = html.find(">", start) + 1
    end = html.find("</title", begin)
    return " ".join(unescape(html[begin : min(end, begin + 1000)]).split()) if begin and end > 0 else ""


# Encoding ------------------------------------------------------------------------------------------------------------


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """A page's text and the encoding used: byte order mark, HTTP header, meta tag, UTF-8, detection, in this order.

    Two corrections for what servers really send: bytes that are valid UTF-8 beyond ASCII are UTF-8 even if a Western
    single-byte encoding is declared, and a declared multi-byte encoding holds in spite of a few broken sequences.

    >>> decode("<p>é".encode(), "iso-8859-1")
    ('<p>é', 'utf-8')
    """
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    for mark, name in _BOMS:
        if data.startswith(mark):
            return data.decode(name, "replace").removeprefix("\ufeff"), name
    try:
        return data.decode("ascii"), "ascii"
    except UnicodeDecodeError:
        pass
    names = [str(map_encoding_to_html5(name)) for name in (declared, _declared(data)) if name]
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    for name in names:
        found = _mostly(data, name)
        if found is not None:
            return found, codecs.lookup(name).name
    guess = str(detect_encoding(data[: 64 << 10]))
    text = _mostly(data, guess)
    if text is None:
        return bytes_to_str(data, "windows-1252"), "cp1252"
    return text, codecs.lookup(guess).name


def _declared(data: bytes) -> str | None:
    match = _META_CHARSET.search(data, 0, SNIFFED) or _XML_ENCODING.match(data)
    return match[1].decode("ascii") if match else None


def _mostly(data: bytes, name: str) -> str | None:
    """`data` in this encoding if at most a tenth of what is not ASCII is broken (U+FFFD stands for it)."""
    try:
        return data.decode(name)
    except LookupError:
        return None
    except UnicodeDecodeError:
        text = data.decode(name, "replace")
    broken = text.count("\ufffd")
    beyond = sum(map(len, re.findall(r"[^\x00-\x7f]+", text)))
    return text if broken * 10 <= beyond else None


# What a page says ----------------------------------------------------------------------------------------------------


def licence_of(html: str) -> str | None:
    """The Creative Commons licence that a page's ``rel="license"`` link names, in SPDX form.

    >>> licence_of('<a rel="license" href="http://creativecommons.org/licenses/by-sa/3.0/">x</a>')
    'CC-BY-SA-3.0'
    """
    if "creativecommons.org/" not in html:
        return None
    for link in _LICENCE_LINK.finditer(html):
        found = _CREATIVE_COMMONS.search(link[0])
        if found:
            kind, name, version = found[1].lower(), found[2].upper(), found[3]
            return (
                {"ZERO": f"CC0-{version}", "MARK": "PDM-1.0"}.get(name, name)
                if kind == "publicdomain"
                else f"CC-{name}-{version}"
            )
    return None


def refuses_training(html: str, headers: str = "") -> bool:
    """Whether a robots meta tag or X-Robots-Tag header says ``noai`` or ``noimageai``."""
    if "noai" in headers.lower():
        return True
    return "noai" in html and any("noai" in m[0].lower() for m in _ROBOTS.finditer(html))


# Extraction ----------------------------------------------------------------------------------------------------------


def extract(html: str, extractor: Extractor, stoplist: str = "English") -> str:
    """The page's text by one extractor; raises `HtmlLimit` when the page defeats its parser."""
    if extractor == "resiliparse":
        return _resiliparse(html, main=True)
    if extractor == "all":
        return _resiliparse(html, main=False)
    if extractor == "trafilatura":
        return _trafilatura(html)
    if extractor == "justext":
        return _justext(html, stoplist)
    return union(_trafilatura(html), _resiliparse(html, main=True))


def _resiliparse(html: str, *, main: bool) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(html, main_content=main, alt_texts=False, preserve_formatting=True)
    return text


def _tree(html: str) -> Any:
    """The page's tree by lxml with its limits lifted; a page that still exceeds one is `HtmlLimit`."""
    from lxml import etree
    from lxml import html as lxml_html

    parser = lxml_html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, no_network=True, default_doctype=False
    )
    try:
        tree = etree.fromstring(html.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    for entry in parser.error_log:
        if entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT or entry.type_name == "ERR_RESOURCE_LIMIT":
            raise HtmlLimit(f"line {entry.line}: {entry.message}"[:160])
    return tree


def _trafilatura(html: str) -> str:
    import trafilatura

    tree = _tree(html)
    if tree is None:
        return ""
    try:
        return trafilatura.extract(tree, include_comments=False, include_tables=True) or ""
    except RecursionError:
        raise HtmlLimit("nested too deep for trafilatura") from None


def _justext(html: str, stoplist: str) -> str:
    """As ``justext.justext`` with its defaults, on a tree whose limits were watched."""
    from justext import core, get_stoplist

    tree = _tree(html)
    if tree is None:
        return ""
    try:
        paragraphs = core.ParagraphMaker.make_paragraphs(core.preprocessor(tree))
    except RecursionError:
        raise HtmlLimit("nested too deep for jusText") from None
    core.classify_paragraphs(
        paragraphs, get_stoplist(stoplist), core.LENGTH_LOW_DEFAULT, core.LENGTH_HIGH_DEFAULT,
        core.STOPWORDS_LOW_DEFAULT, core.STOPWORDS_HIGH_DEFAULT, core.MAX_LINK_DENSITY_DEFAULT,
        core.NO_HEADINGS_DEFAULT,
    )  # fmt: skip
    core.revise_paragraph_classification(paragraphs, core.MAX_HEADING_DISTANCE_DEFAULT)
    return "\n\n".join(p.text for p in paragraphs if not p.is_boilerplate)


INSIDE, OUTSIDE = 12, 50
"""Words from which a line that only the broad extraction has stays: between confirmed lines, and around them. Chosen
on the 181 pages of the article extraction benchmark, where neighbouring values differ little
(``python -m tests.benchmarks.extraction``)."""


def union(precise: str, broad: str) -> str:
    """Join a precise and a broad extraction, so that little of either is lost and less boilerplate stays.

    A line of `broad` is confirmed when at least half of its word pairs are in `precise`. Confirmed lines stay; others
    stay when they are long enough for boilerplate to be unlikely (`INSIDE`, `OUTSIDE`). Lines of `precise` that are
    not in the result come at its end. When `precise` found under a fifth of what `broad` did, it missed the page, and
    `broad` stays as it is.
    """
    if not precise.strip() or len(precise) * 5 < len(broad):
        return broad
    lines, known = broad.split("\n"), _shingles(precise)
    confirmed = [_share(line, known) >= 0.5 for line in lines]
    if not any(confirmed):
        return precise
    first, last = confirmed.index(True), len(lines) - 1 - confirmed[::-1].index(True)
    kept = [
        line
        for k, line in enumerate(lines)
        if confirmed[k]
        or (not line.strip() and first < k < last)
        or _words(line) >= (INSIDE if first < k < last else OUTSIDE)
    ]
    have = _shingles("\n".join(kept))
    missing = [line for line in precise.split("\n") if line.strip() and _share(line, have) < 0.5]
    return _BLANK_LINES.sub("\n\n", "\n".join(kept + missing))


_BLANK_LINES = re.compile(r"\n\n\n+")


def _words(line: str) -> int:
    return len(line.split())


def _shingles(text: str) -> set[str]:
    words = text.split()
    return set(words) | {f"{a} {b}" for a, b in itertools.pairwise(words)}


def _share(line: str, known: set[str]) -> float:
    """Share of a line's word pairs (its words, for a line of one) that are known; 0 for a blank line."""
    words = line.split()
    pairs = [f"{a} {b}" for a, b in itertools.pairwise(words)] or words
    return sum(p in known for p in pairs) / len(pairs) if pairs else 0.0
