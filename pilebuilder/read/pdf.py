"""PDF files, one document each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.sandbox import Job


@reader("pdf", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Pdf:
    """PDF files with a text layer, loose or in a tar or zip: one document a file.

    Format: ISO 32000, read by PDFium.
    Record unit: a file.
    Id: its name (``ARCHIVE/MEMBER`` in an archive).
    Text: PDFium's, page by page, in a child process with limits; running heads (lines repeated on many pages) and page
    numbers removed, words joined that a hyphen at a line's end had cut, lines of a paragraph joined, ligatures written
    out; the lines ``The cat sat on the``, ``win-``, ``dow sill.`` give ``The cat sat on the window sill.``
    Metadata: title, author, pages. Pages beyond `max_pages` are left out and the metadata say so.
    Licence: the raw file's.
    Skip reasons: ``no_text_layer`` (under `min_chars_per_page` on average: scans).
    Quarantined, one file each: ``encrypted``, ``truncated`` (no ``%%EOF`` at the end), ``wrong_format``,
    ``parse_error``, ``crash``, ``timeout``, ``memory``, ``too_large``.
    """

    max_pages: Annotated[int, Field(ge=1, le=100_000, description="pages read of one file")] = 2000
    min_chars_per_page: Annotated[int, Field(ge=0, description="fewer on average: skipped as no_text_layer")] = 50
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30, description="largest file")] = 256 << 20
    seconds: Annotated[float, Field(gt=0, le=600, description="CPU seconds that one file may take")] = 60.0

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.sandbox import Limits, ordered
        from pilebuilder.read.whole import whole

        return whole(
            raw, ordered("pilebuilder.read.pdf_text:document", _entries(self, raw), Limits(seconds=self.seconds))
        )


def _entries(options: Pdf, raw: Raw) -> Iterator[Item | Job[Item]]:
    from pilebuilder.read.base import Quarantined
    from pilebuilder.read.files import Content, contents
    from pilebuilder.read.sandbox import Job
    from pilebuilder.read.whole import wrong_format

    for found in contents(raw, limit=options.max_bytes):
        if not isinstance(found, Content):
            yield found
        elif b"%PDF-" not in found.data[:1024]:
            yield wrong_format("a PDF file", found.data, found.offset)
        elif b"%%EOF" not in found.data[-4096:]:
            detail = f"no end mark in the last bytes of {found.name}"
            yield Quarantined(reason="truncated", offset=found.offset, detail=detail, key=found.name)
        else:
            url = raw.url if found.name == raw.name else None
            finish = partial(_finished, options.min_chars_per_page, found.name, found.offset, url)
            yield Job(data=found.data, params={"max_pages": options.max_pages}, then=finish)


def _finished(least: int, key: str, offset: int, url: str | None, answer: Any) -> Item:
    from pilebuilder.read.base import Quarantined, Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.sandbox import Failure

    if isinstance(answer, Failure):
        return Quarantined(reason=answer.reason, offset=offset, detail=answer.detail, key=key)
    text, meta = tidy(answer["text"]), answer["meta"]
    if len(text) < least * max(1, meta["pages"]) or not text.strip():
        return Skipped(reason="no_text_layer", offset=offset, key=key)
    return Record(key=key, text=text, offset=offset, url=url, meta=meta)
