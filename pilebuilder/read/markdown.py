"""Markdown files, one document each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.text import Charset, MaxBytes
from pilebuilder.registry import reader

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
MAX_FRONT = 64 << 10


@reader("markdown", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Markdown:
    """Markdown (CommonMark 0.31), loose, compressed, or in a tar or zip: one document a file.

    Format: https://spec.commonmark.org/0.31.2/, with front matter in YAML between lines ``---``.
    Record unit: a file.
    Id: its name (``ARCHIVE/MEMBER`` in an archive).
    Text: as it is written; with ``render: plain`` without its marks (by markdown-it, tables included). YAML front
    matter goes to the meta, its title is the document's; HTML comments are removed.
    Metadata: front matter, title (else the first heading), ``encoding`` if not UTF-8. Date: of the front matter, else
    the raw file's.
    Licence: of the front matter, else the raw file's.
    Skip reasons: as the reader `text`, ``not_named`` for members of archives that do not end in .md or .markdown.
    Quarantined: ``bad_front_matter``, ``too_large``, ...

    ``---\\ntitle: T\\n---\\n# One\\n`` gives the text ``# One`` and the meta ``{"title": "T"}``.
    """

    render: Annotated[Literal["verbatim", "plain"], Field(description="keep the marks, or plain text")] = "verbatim"
    charset: Charset = None
    suffixes: Annotated[tuple[str, ...], Field(description="only members of archives that end so")] = (
        ".md",
        ".markdown",
        ".mdx",
    )
    max_bytes: MaxBytes = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _files(self, raw))


def _files(options: Markdown, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Quarantined, Record
    from pilebuilder.read.characters import decode, squeeze, tidy
    from pilebuilder.read.files import Content, binary, contents, is_binary
    from pilebuilder.read.markup import PLAIN, html_text

    for found in contents(raw, limit=options.max_bytes, only=options.suffixes):
        if not isinstance(found, Content):
            yield found
            continue
        if is_binary(found.data):
            yield binary(found)
            continue
        text, encoding = decode(found.data, options.charset)
        text = tidy(text)
        front = _FRONT.match(text, 0, MAX_FRONT)
        fields = front_matter(front[1]) if front else {}
        if fields is None:
            detail = "the front matter is no YAML mapping"
            yield Quarantined(reason="bad_front_matter", offset=found.offset, detail=detail, key=found.name)
            continue
        body = without_comments(text[front.end() :] if front else text)
        title = str(fields.get("title") or "") or _heading(body)
        if options.render == "plain":
            body = html_text(_html(body), PLAIN)
        meta = {**fields, **({"title": title} if title else {})}
        meta |= {} if encoding in ("utf-8", "ascii") else {"encoding": encoding}
        licence = fields.get("license") or fields.get("licence")
        yield Record(
            key=found.name, text=squeeze(body), offset=found.offset, meta=meta,
            date=str(fields["date"]) if fields.get("date") else None,
            licence=licence if isinstance(licence, str) else None,
            url=raw.url if found.name == raw.name else None,
        )  # fmt: skip


def front_matter(text: str) -> dict[str, Any] | None:
    """YAML front matter as plain JSON values; None if it is no mapping."""
    import json

    import yaml

    try:
        fields = yaml.safe_load(text)
        if isinstance(fields, dict):
            return dict(json.loads(json.dumps(fields, default=str)))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return {} if fields is None else None


def without_comments(text: str) -> str:
    """The text without ``<!-- -->``; one that never ends stays."""
    out, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        out.append(text[at:start])
        at = end + 3
    return "".join([*out, text[at:]])


def _heading(text: str) -> str:
    """The first heading of level one, if a document begins with one."""
    first = text.lstrip("\n").partition("\n")[0]
    return first[2:].strip(" #") if first.startswith("# ") else ""


def _html(text: str) -> str:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
    return str(parser.render(text))
