"""PDF to text by PDFium, and the mending of what a page layout does to text. Runs in a sandbox, being native code."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from typing import Any

_HYPHENS = "\x02\ufffe\u00ad"
"""How PDFium marks a hyphen that only a line's end put there."""
_CUT_WORD = re.compile(r"([^\W\d_]{2,})-\n([a-zß-ÿ]{2,})")
_PAGE_NUMBER = re.compile(r"\W{0,4}(?:page )?(?:\d{1,4}|[ivxlc]{1,7})(?: of \d{1,4})?\W{0,4}", re.I)
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_TABLE = str.maketrans(_LIGATURES)
_SENTENCE_END = (".", "!", "?", ":", '"', "”", "’", ")", ";")


class Refused(Exception):
    """A file that PDFium does not open."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def document(data: bytes, max_pages: int) -> dict[str, Any]:
    """Text and facts of a PDF file: ``{"text": ..., "meta": {"pages": ..., "title": ...}}``."""
    import pypdfium2

    try:
        file = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        reason = "encrypted" if "password" in str(error).lower() else "parse_error"
        raise Refused(reason, str(error)) from None
    pages, count = [], len(file)
    for number in range(min(count, max_pages)):
        page = file[number]
        content = page.get_textpage()
        pages.append(content.get_text_bounded())
        content.close()
        page.close()
    known = file.get_metadata_dict(skip_empty=True)
    meta: dict[str, Any] = {"pages": count}
    if count > max_pages:
        meta["pages_read"] = max_pages
    for name, key in (("Title", "title"), ("Author", "author")):
        if known.get(name, "").strip():
            meta[key] = known[name].strip()[:500].encode("utf-8", "replace").decode()
    return {"text": mend(pages).encode("utf-8", "replace").decode(), "meta": meta}


def mend(pages: list[str]) -> str:
    """Pages joined to running text.

    >>> mend(["A HEAD\\nThe re-\\nsult is good.\\n1", "A HEAD\\nIt is ﬁne.\\n2", "A HEAD\\nYes.\\n3"])
    'The result is good. It is fine. Yes.'
    """
    split = [[line.strip() for line in page.replace("\r\n", "\n").replace("\r", "\n").split("\n")] for page in pages]
    split = [[line for line in lines if line] for lines in split]
    heads = running_heads(split)
    text = "\n".join("\n".join(_inner(lines, heads)) for lines in split)
    for mark in _HYPHENS:
        if mark in text:
            text = re.sub(f"{mark}\n?", "", text)
    text = _CUT_WORD.sub(r"\1\2", text.translate(_TABLE))
    return paragraphs(text.split("\n"))


def running_heads(pages: list[list[str]]) -> set[str]:
    """Lines that stand at the top or bottom of at least three pages and a third of them, digits aside."""
    seen: Counter[str] = Counter()
    for lines in pages:
        seen.update({_shape(line) for line in (*lines[:2], *lines[-2:])})
    least = max(3, len(pages) // 3)
    return {shape for shape, times in seen.items() if times >= least}


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line.lower())


def _inner(lines: list[str], heads: set[str]) -> list[str]:
    """A page without its running heads and page number."""
    first, last = 0, len(lines)
    while first < min(3, last) and (_shape(lines[first]) in heads or _PAGE_NUMBER.fullmatch(lines[first])):
        first += 1
    while last > max(first, len(lines) - 3) and (
        _shape(lines[last - 1]) in heads or _PAGE_NUMBER.fullmatch(lines[last - 1])
    ):
        last -= 1
    return lines[first:last]


def paragraphs(lines: list[str]) -> str:
    """Lines joined to paragraphs: one ends with a line that ends a sentence and is clearly shorter than most."""
    lines = [line for line in lines if line]
    if not lines:
        return ""
    usual = statistics.median(map(len, lines))
    out: list[str] = []
    held: list[str] = []
    for line in lines:
        held.append(line)
        if (len(line) < 0.85 * usual and line.endswith(_SENTENCE_END)) or len(line) < 0.5 * usual:
            out.append(" ".join(held))
            held = []
    return "\n\n".join([*out, " ".join(held)]) if held else "\n\n".join(out)
