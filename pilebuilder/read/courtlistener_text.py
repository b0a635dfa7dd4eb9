"""Text of opinions: HTML of several origins, scanned case law, and plain text with the layout of a page."""

from __future__ import annotations

import re

from pilebuilder.read.characters import squeeze
from pilebuilder.read.markup import Look, html_text, strip_tags

_LOOK = Look(
    marks=False,
    drop=re.compile(r"\b(?:star-pagination|page-number|pagenum|page-label|pagination)\b"),
    drop_tags=frozenset(("page-number", "pagenumber", "headnotes", "syllabus", "headnote")),
)
_BLOCK = re.compile(r"<(?:p|div|br|blockquote|center|h[1-6]|li|td|opinion|footnote)\b", re.I)
_PRE = re.compile(r"\s*(?:<(?:div|span|html|body)\b[^>]*>\s*)*<pre\b", re.I)
_PAGE_NUMBER = re.compile(r"[ \t]*(?:-[ \t]*)?(?:Page[ \t]+)?\d{1,4}(?:[ \t]+of[ \t]+\d{1,4})?(?:[ \t]*-)?[ \t]*")
_HYPHEN = re.compile(r"([a-z])-\n[ \t]*([a-z])")
_ENDS = (".", ":", ";", "?", "!", '"', "”", ")")
_WIDE = 45
"""Characters from which a line is taken for one of running text, not of a caption."""


def clean_text(raw: str, field: str) -> str:
    """A field as paragraphs separated by blank lines."""
    if field == "plain_text":
        return unwrapped(raw)
    if not _BLOCK.search(raw) or _PRE.match(raw[:2000]):  # plain text with links put in
        return unwrapped(strip_tags(raw))
    return html_text(raw, _LOOK)


def pile_text(raw: str, field: str) -> str:
    """A field with its tags removed, as the original parsers did it."""
    return raw if field == "plain_text" else strip_tags(raw)


def unwrapped(text: str) -> str:
    """Plain text of pages as paragraphs: page breaks and numbers gone, wrapped lines joined, captions kept.

    >>> unwrapped(" COURT OF APPEALS\\n\\n The appellant filed a notice of ap-\\npeal.\\n\\n -2-\\n\\fIt was denied.")
    'COURT OF APPEALS\\n\\nThe appellant filed a notice of appeal.\\n\\nIt was denied.'
    """
    pages = text.replace("\r\n", "\n").replace("\r", "\n").split("\f")
    text = "\n\n".join(map(_page, pages)) if len(pages) > 1 else text
    paragraphs: list[str] = []
    for block in re.split(r"\n[ \t]*\n", _HYPHEN.sub(r"\1\2", text)):
        lines = [" ".join(line.split()) for line in block.split("\n") if line.strip()]
        if not lines:
            continue
        joined = " ".join(lines) if _is_running(lines) else "\n".join(lines)
        if paragraphs and _goes_on(paragraphs[-1], joined):
            paragraphs[-1] += " " + joined
        else:
            paragraphs.append(joined)
    return squeeze("\n\n".join(paragraphs))


def _page(page: str) -> str:
    """A page without a number in its first or last line."""
    lines = page.strip("\n").split("\n")
    for at in (0, -1):
        if lines and _PAGE_NUMBER.fullmatch(lines[at]):
            lines.pop(at)
    return "\n".join(lines)


def _is_running(lines: list[str]) -> bool:
    """Whether the lines of a block are wrapped text: all but the last are wide."""
    wide = sum(len(line) >= _WIDE for line in lines[:-1])
    return 2 * wide >= len(lines) - 1


def _goes_on(before: str, after: str) -> bool:
    """Whether a block continues the sentence of the one before (double-spaced pages, page breaks)."""
    return len(before) >= _WIDE and "\n" not in before and not before.endswith(_ENDS) and after[:1].islower()
