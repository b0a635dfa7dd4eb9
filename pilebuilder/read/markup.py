"""HTML fragments to text in one pass without a parser: posts, court opinions, book chapters.

A page needs a tree to find its article; a fragment that is all content needs only its tags in order. The text is cut
at ``<`` (one C call), each piece's tag is looked up, and blocks are put together from what lies between. Nothing is
resolved or fetched, nesting costs no recursion, broken markup costs at most its own tag, and time is linear.

>>> html_text("<p>Use <code>ls</code>&nbsp;&amp; friends:</p>\\n<ul><li>one<li>two</ul><pre><code>a\\n b</code></pre>")
'Use `ls` & friends:\\n\\n- one\\n- two\\n\\n```\\na\\n b\\n```'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _names(
    "address article aside author body center dd details dialog div dl dt fieldset figcaption figure footer form"
    " header hgroup hr html legend main nav p section summary table tbody tfoot thead title"
    # court opinions (the XML of scanned case law)
    " attorneys casename court decisiondate disposition docketnumber footnote headnotes judges opinion otherdate"
    " parties syllabus"
)
_DROPPED = _names("script style template noscript head object svg iframe audio video canvas select button")
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_INLINE = _names("a abbr b cite em font i small span strong sub sup u")
_NAME = re.compile(r"(/?)\s*(?:(?:x?html|h):)?([A-Za-z][\w.:-]*)")
_BREAK = "\x0b"  # a <br>, until its block is finished; white space, so it is lost where a single line is asked for
_CLASS = re.compile(r"""\b(?:class|epub:type|type|role)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a fragment is written down."""

    marks: bool = True
    """Markdown's marks: ``#`` before headings, backticks around code, ``>`` before quotes. Lists keep theirs."""
    drop: re.Pattern[str] | None = None
    """Elements whose class, type or role matches are left out."""
    drop_tags: frozenset[str] = frozenset()
    """Elements that are left out besides scripts, styles and embedded media."""
    keep_tags: frozenset[str] = frozenset()
    """Embedded media that are read after all: ``svg`` where pages are drawings with text."""
    lines: bool = False
    """``div`` elements that follow each other are lines, not paragraphs (verse, fixed layouts)."""


MARKDOWN = Look()
PLAIN = Look(marks=False)


def strip_tags(html: str) -> str:
    """All text nodes joined as they are, what ``BeautifulSoup(html).get_text()`` gives for sane fragments."""
    first, *parts = html.split("<")
    out = [first]
    tail = iter(parts)
    for part in tail:
        head = part[:1]
        if part.startswith("!--"):
            while "-->" not in part and (more := next(tail, None)) is not None:
                part = more
            out.append(part.partition("-->")[2])
        elif head.isalpha() or head in ("/", "!", "?"):
            out.append(part.partition(">")[2])
        else:
            out.append("<" + part)
    text = "".join(out)
    return unescape(text) if "&" in text else text


def html_text(html: str, look: Look = MARKDOWN) -> str:
    """A fragment as text: blocks separated by a blank line, list items and table rows a line each, code as it is."""
    first, *parts = html.split("<")
    writer = _Writer(look, [first])
    simple, inline, tail = _SIMPLE[look.marks, look.lines], writer.inline, iter(parts)
    for part in tail:
        tag, found, text = part.partition(">")
        if (handle := simple.get(tag)) is not None and found:
            if writer.dropping:
                writer.any_tag(tag)
            elif handle is not _ignore:
                handle(writer)
        elif tag[:1].isalpha() or tag[:1] == "/":
            if not found or tag.count('"') & 1:
                tag, text = _long_tag(part, tail)
            writer.any_tag(tag)
        else:
            text = _no_element(part, tail)
        if text and not writer.dropping:
            inline.append(text)
    return writer.finish()


class Escaped:
    """Text of escaped fragments, as dumps keep them in attributes: compiled for usual posts, `html_text` for the rest.

    Holds scratch memory of eight times the longest fragment so far.
    """

    def __init__(self) -> None:
        self._scratch: tuple[Any, Any, Any] | None = None
        self.slow = 0
        """Fragments that took the slow way."""

    def text(self, value: bytes, unescaped: Callable[[bytes], str]) -> str:
        """``html_text(unescaped(value))``; raises `UnicodeDecodeError` when that does."""
        import numpy as np

        from pilebuilder.kernels.fragments import escaped_fragment

        if self._scratch is None or len(self._scratch[0]) < len(value):
            size = 2 * len(value) + 4096
            self._scratch = np.empty(size, np.uint8), np.empty(size, np.uint8), np.empty(4 * size + 65536, np.uint8)
        html, held, out = self._scratch
        length = escaped_fragment(np.frombuffer(value, np.uint8), html, held, out)
        if length >= 0:
            return out[:length].tobytes().decode()
        self.slow += 1
        return html_text(unescaped(value))


def _no_element(part: str, tail: Iterator[str]) -> str:
    """The text of what begins with ``<`` and is no tag: after a comment or instruction, in CDATA, or a plain ``<``."""
    if part[:3] == "!--":
        while "-->" not in part and (more := next(tail, None)) is not None:
            part = more
        return part.partition("-->")[2]
    if part[:8] == "![CDATA[":
        return part[8:].replace("]]>", "")
    return part.partition(">")[2] if part[:1] in ("!", "?") else "<" + part


def _long_tag(part: str, tail: Iterator[str]) -> tuple[str, str]:
    """A tag whose quoted attribute holds ``<`` or ``>``, within 64 pieces; without its ``>`` it is text."""
    pieces, quotes = [part], part.count('"')
    while quotes & 1 and len(pieces) < 64 and (more := next(tail, None)) is not None:
        pieces.append(more)
        quotes += more.count('"')
    whole = "<".join(pieces)
    outside = "".join(s if n % 2 == 0 else "_" * (len(s) + 2) for n, s in enumerate(whole.split('"')))
    at = outside.find(">")
    at = whole.find(">") if at < 0 else at
    return (whole[:at], whole[at + 1 :]) if at >= 0 else ("", "<" + whole)


@dataclass(slots=True)
class _Writer:
    """Where the text goes: inline pieces until a block ends, then blocks with what separates them."""

    look: Look
    inline: list[str]
    out: list[str] = field(default_factory=list)
    lists: list[int] = field(default_factory=list)
    """Open lists: 0 for bullets, else the number of the next item."""
    quotes: int = 0
    pre: int = 0
    cells: list[str] | None = None
    item: str = ""
    """Mark of the list item that has begun and has no text yet."""
    heading: str = ""
    was: str = ""
    """What the block before was: ``list``, ``row``, ``line`` or nothing special."""
    dropping: str = ""
    depth: int = 0

    def any_tag(self, tag: str) -> None:
        """A tag with attributes, an odd spelling, or inside an element that is left out."""
        found = _NAME.match(tag)
        if not found:
            return
        closing, name = found.group(1), found.group(2).lower()
        whole = tag[-1:] == "/" and name not in _VOID
        if self.dropping:
            self._drop(closing, name, whole)
            return
        if not closing and not whole and self._unwanted(name, tag[found.end() :]):
            self.dropping, self.depth = name, 1
            return
        simple = _SIMPLE[self.look.marks, self.look.lines]
        simple.get(closing + name, _ignore)(self)
        if whole and not closing:
            simple.get("/" + name, _ignore)(self)

    def _unwanted(self, name: str, attributes: str) -> bool:
        if name in _VOID:
            return False
        if name in self.look.drop_tags or (name in _DROPPED and name not in self.look.keep_tags):
            return True
        drop = self.look.drop
        return bool(drop and attributes and any(drop.search("".join(m)) for m in _CLASS.findall(attributes)))

    def _drop(self, closing: str, name: str, whole: bool) -> None:
        """Inside a left-out element: find its end. An inline one also ends where a block begins or ends."""
        if name == self.dropping and not whole:
            self.depth += -1 if closing else 1
        if self.depth <= 0 or (self.dropping in _INLINE and name in _BLOCKS):
            ended, self.dropping = self.dropping, ""
            if ended != name:
                self.flush()

    def flush(self, kind: str = "") -> None:
        """End the block that is open, if it holds anything; a ``line`` after a ``line`` is no new paragraph."""
        text = "".join(self.inline)
        self.inline.clear()
        if "&" in text:
            text = unescape(text)
        if self.pre:
            text = text.replace(_BREAK, "\n").strip("\n")
            if text.strip():
                self._block(_fenced(text) if self.look.marks else text)
            return
        if _BREAK in text:
            text = "\n".join(" ".join(line.split()) for line in text.split(_BREAK)).strip("\n")
        else:
            text = " ".join(text.split())
        if text and self.cells is not None:
            text = text.replace("\n", " ")
            self.cells[-1:] = [f"{self.cells[-1]} {text}".strip() if self.cells else text]
        elif text:
            self._block(self.heading + text, kind)

    def _block(self, text: str, kind: str = "") -> None:
        gap = "\n\n"
        if self.lists:
            inner = "".join("   " if n else "  " for n in self.lists)
            first = inner
            if self.item:
                first = "".join("   " if n else "  " for n in self.lists[:-1]) + self.item
                gap = "\n" if self.was == "list" else gap
            text, self.item, kind = first + text.replace("\n", "\n" + inner), "", "list"
        if self.quotes and self.look.marks:
            lead = "> " * self.quotes
            text, gap = lead + text.replace("\n", "\n" + lead), gap
        if self.out:
            self.out.append("\n" if kind == self.was and kind in ("row", "line") else gap)
        self.out.append(text)
        self.was = kind

    def row(self) -> None:
        """End the table row that is open."""
        self.flush()
        cells, self.cells = self.cells, None
        if cells and any(cells):
            self._block(" | ".join(cells), "row")

    def finish(self) -> str:
        self.flush()
        self.row()
        return "".join(self.out)


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _ignore(_: _Writer) -> None:
    pass


def _put(mark: str, writer: _Writer) -> None:
    if not writer.pre:
        writer.inline.append(mark)


def _break(writer: _Writer) -> None:
    writer.inline.append(_BREAK)


def _pre(change: int, writer: _Writer) -> None:
    writer.flush()
    writer.pre = max(0, writer.pre + change)


def _quote(change: int, writer: _Writer) -> None:
    writer.flush()
    writer.quotes = min(max(0, writer.quotes + change), 8)


def _heading(mark: str, writer: _Writer) -> None:
    writer.flush()
    writer.heading = mark


def _open_list(start: int, writer: _Writer) -> None:
    writer.flush()
    if len(writer.lists) < 16:
        writer.lists.append(start)


def _close_list(writer: _Writer) -> None:
    writer.flush()
    writer.item = ""
    if writer.lists:
        writer.lists.pop()


def _item(writer: _Writer) -> None:
    writer.flush()
    if not writer.lists:
        writer.lists.append(0)
    number = writer.lists[-1]
    writer.item = f"{number}. " if number else "- "
    writer.lists[-1] += bool(number)


def _row(writer: _Writer) -> None:
    writer.row()
    writer.cells = []


def _cell(writer: _Writer) -> None:
    writer.flush()
    if writer.cells is not None:
        writer.cells.append("")


_Handler = Callable[[_Writer], None]


def _line(writer: _Writer) -> None:
    writer.flush("line")


def _handlers(marks: bool, lines: bool) -> dict[str, _Handler]:
    """What each tag does, by its exact text: ``p``, ``/p``, ``br /``."""
    table: dict[str, _Handler] = {}
    for name in _INLINE:
        table[name] = table["/" + name] = _ignore
    for name in _BLOCKS:
        table[name] = table["/" + name] = _Writer.flush
    for name in ("div", "text", "tspan") if lines else ():
        table[name] = table["/" + name] = _line
    for name in ("br", "br/", "br /"):
        table[name] = _break
    for n in range(1, 7):
        table[f"h{n}"] = partial(_heading, "#" * n + " " if marks else "")
        table[f"/h{n}"] = partial(_heading, "")
    for name in ("code", "kbd", "samp", "tt") if marks else ():
        table[name] = table["/" + name] = partial(_put, "`")
    for name, change in (("pre", _pre), ("blockquote", _quote)):
        table[name], table["/" + name] = partial(change, 1), partial(change, -1)
    table |= {"ul": partial(_open_list, 0), "ol": partial(_open_list, 1), "li": _item, "/li": _Writer.flush}
    table |= dict.fromkeys(("/ul", "/ol"), _close_list) | dict.fromkeys(("td", "th"), _cell)
    table |= {"tr": _row, "/tr": _Writer.row, "/td": _Writer.flush, "/th": _Writer.flush, "q": partial(_put, '"')}
    table |= {"/q": partial(_put, '"'), "/table": _Writer.row, "hr": _Writer.flush}
    return table


_SIMPLE = {(marks, lines): _handlers(marks, lines) for marks in (False, True) for lines in (False, True)}
