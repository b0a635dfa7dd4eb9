"""Folders of books that somebody is entitled to use: EPUB files, plain text, or archives of either.

Format: EPUB (see the reader `epub`), or text in any encoding, in files of their own or in tar and zip archives.
Record unit: one file (or archive member).
Id: ``book:`` and the first 16 hex digits of the SHA-256 of the text with all white space as single blanks, so the same
book under two names is one document; an EPUB keeps the id of its reader.
Text: EPUB as `pilebuilder.read.epub` writes it, plain text decoded and cleaned of control characters, never cut;
``b"Chapter 1\\r\\n\\r\\nIt rained.\\r\\n"`` gives ``Chapter 1``, an empty line, ``It rained.``
Metadata: title (the file's name without its suffix), path, encoding when it was not UTF-8.
Licence: ``unknown-local`` unless the raw file states one; such documents are for local use.
Skip reasons: ``too_short`` (fewer than `min_bytes`, such as a notice of protection), ``binary``, ``not_named``,
``link``, and those of the EPUB reader.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw, Record, Skipped
from pilebuilder.read.characters import decode, tidy
from pilebuilder.read.epub import Epub, epub_items
from pilebuilder.read.files import Content, binary, contents, is_binary
from pilebuilder.read.whole import looks_html, whole, wrong_format
from pilebuilder.registry import reader

UNKNOWN = "unknown-local"
_EPUB = b"mimetypeapplication/epub+zip"


@reader("books", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Books from a local folder: EPUB or plain text, one document each."""

    style: Annotated[Literal["clean", "pile"], Field(description="as for the epub reader; text stays as it is")] = (
        "clean"
    )
    min_bytes: Annotated[int, Field(ge=0, description="shorter texts are left out")] = 1024
    max_bytes: Annotated[int, Field(ge=1 << 20, description="largest text that becomes a document")] = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        if raw.name.lower().endswith(".epub") or _is_epub(raw):
            yield from self._epub(raw, raw.path, raw.sha256, raw.name, 0)
            return
        for item in contents(raw, limit=self.max_bytes * 4, only=(".txt", ".epub") if _is_archive(raw) else ()):
            if not isinstance(item, Content):
                yield item
            elif item.path.lower().endswith(".epub") or _EPUB in item.data[:128]:
                digest = hashlib.sha256(item.data).hexdigest()
                yield from self._epub(raw, io.BytesIO(item.data), digest, item.name, item.offset)
            else:
                yield self._text(raw, item)

    def _epub(self, raw: Raw, file: Path | io.BytesIO, digest: str, name: str, offset: int) -> Iterator[Item]:
        for item in epub_items(Epub(style=self.style), file, digest, name):
            if isinstance(item, Record):
                licence = raw.licence or item.licence or UNKNOWN
                item = dataclasses.replace(item, licence=licence, offset=offset, meta={**item.meta, "path": name})
            yield item

    def _text(self, raw: Raw, file: Content) -> Item:
        if is_binary(file.data):
            return binary(file)
        if looks_html(file.data[:1024]):
            return wrong_format("plain text", file.data, file.offset)
        if len(file.data) < self.min_bytes:
            return Skipped(reason="too_short", offset=file.offset, key=file.name)
        text, encoding = decode(file.data)
        digest = hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()
        stem = file.path.rpartition("/")[2].removesuffix(".txt").removesuffix(".epub")
        meta = {"title": stem, "path": file.name} | ({} if encoding in ("utf-8", "ascii") else {"encoding": encoding})
        licence = raw.licence or UNKNOWN
        return Record(key=f"book:{digest[:16]}", text=tidy(text), offset=file.offset, licence=licence, meta=meta)


def _is_epub(raw: Raw) -> bool:
    with raw.path.open("rb") as file:
        return _EPUB in file.read(128)


def _is_archive(raw: Raw) -> bool:
    return any(part in raw.name.lower() for part in (".tar", ".tgz", ".zip"))
