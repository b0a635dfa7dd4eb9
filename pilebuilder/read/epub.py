"""EPUB books, versions 2 and 3.

Format: EPUB Open Container Format (https://www.w3.org/TR/epub-33/#sec-ocf): a zip with ``META-INF/container.xml``,
which names the package document, whose spine names the content documents in reading order.

Record unit: one book.
Id: ``epub:`` and the first 16 hex digits of the file's SHA-256.
Text, ``clean``: the spine's documents in order, each heading, paragraph, list item and table row in lines of its own,
blocks separated by a blank line; the table of contents, parts marked ``linear="no"`` and page numbers are left out,
shop notices at the beginning and the matter after the book are cut (`trim`)::

    CHAPTER I

    Alice was beginning to get very tired.

``pile`` after the original's html2text: Markdown marks, every document, those outside the spine at the end, mojibake
repaired by ftfy, the ellipsis as three dots. It writes no emphasis marks.
Metadata: title, creators, language, identifier, date, rights, version, spine_items, missing (spine documents that the
zip lacks), trimmed (characters).
Licence: a Creative Commons licence in ``dc:rights``, else the raw file's.
Skip reasons: ``drm`` (encrypted by anything but font obfuscation), ``no_text``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal
from urllib.parse import unquote

from pydantic import Field

from pilebuilder.read.archives import Refused, label, zip_members
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import decode, tidy
from pilebuilder.read.licences import cc_licence
from pilebuilder.read.markup import MARKDOWN, Look, html_text
from pilebuilder.read.streams import StreamError
from pilebuilder.read.whole import whole
from pilebuilder.read.xml import XmlError, local, tree, words
from pilebuilder.registry import reader

MAX_BOOK = 256 << 20
"""Bytes of all content documents of a book; a large dictionary has 60 MB."""
OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Encryption that only hides fonts."""

_TEXTUAL = (".xhtml", ".html", ".htm", ".xml", ".opf", ".ncx")
_HTML = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")
_DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"']([\w.-]+)|<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.-]+)", re.I
)
_CLEAN = Look(
    marks=False,
    lines=True,
    drop=re.compile(r"\b(?:page-?break|page-?num(?:ber)?|doc-pagebreak|lnum)\b|(?:^|\s)toc(?:\s|$)"),
    drop_tags=frozenset(("nav", "rt", "rp")),
    keep_tags=frozenset(("svg",)),
)
_NOTICE = re.compile(
    r"smashwords|licen[sc]e notes?$|thank you for (?:downloading|purchasing|buying)|this e-?book (?:is|may not)"
    r"|all rights reserved|no part of this (?:book|publication|e-?book)|^(?:copyright|\(c\)|©)|\bISBN\b"
    r"|^(?:first )?published (?:by|in)\b"
    r"|any resemblance to (?:actual|real)|purchased? (?:for your use only|your own copy)|discover other titles",
    re.I,
)
_AFTER = re.compile(
    r"(?:about|connect with|a note (?:about|from)|contact|also by|other (?:books|titles|works) by|more (?:by|from))\b"
    r"[^.]{0,50}(?:author|me|us|\b[A-Z][a-z]+)[^.]{0,20}:?|about the (?:author|writer)s?:?",
    re.I,
)


@reader("epub", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Epub:
    """EPUB books as plain text, in reading order."""

    style: Annotated[
        Literal["clean", "pile"], Field(description="plain paragraphs, or Markdown as the Pile had it")
    ] = "clean"
    trim: Annotated[bool, Field(description="cut shop notices before and advertising after the book (clean)")] = True

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        yield from epub_items(self, raw.path, raw.sha256, raw.name)


def epub_items(reader: Epub, source: Path | BinaryIO, sha256: str, name: str) -> Iterator[Item]:
    """The document of one EPUB file, or why there is none. `name` is what the file is called in messages."""
    book, key = _Book(), f"epub:{sha256[:16]}"
    try:
        for member in zip_members(source):
            if isinstance(member, Refused):
                if member.reason == "encrypted":
                    yield Skipped(reason="drm", key=key)
                    return
            elif member.name.lower().endswith(_TEXTUAL):
                book.files[member.name] = data = member.content(MAX_BOOK)
                book.size += len(data)
                if book.size > MAX_BOOK:
                    raise StreamError("too_large", f"more than {MAX_BOOK} bytes of text in one book")
        yield _record(reader, book, key)
    except (StreamError, XmlError) as error:
        yield Quarantined(reason=error.reason, detail=f"{name}: {error.detail}", key=key)


def _record(reader: Epub, book: _Book, key: str) -> Item:
    if book.encrypted():
        return Skipped(reason="drm", key=key)
    book.open()
    text = _pile(book) if reader.style == "pile" else _clean(book)
    length = len(text)
    if reader.style == "clean" and reader.trim:
        text = trimmed(text)
    if not text.strip():
        return Skipped(reason="no_text", key=key)
    facts = book.facts | {"trimmed": length - len(text)}
    return Record(
        key=key,
        text=text,
        date=str(facts.get("date") or "") or None,
        licence=cc_licence(str(facts.get("rights") or "")),
        meta={name: value for name, value in facts.items() if value},
    )


@dataclass(slots=True)
class _Book:
    """The textual files of a zip, and what its package document says about them."""

    files: dict[str, bytes] = field(default_factory=dict)
    size: int = 0
    spine: list[tuple[str, bool]] = field(default_factory=list)
    """Names of the content documents in order, and whether each belongs to the linear text."""
    rest: list[str] = field(default_factory=list)
    """HTML documents of the manifest that the spine does not name."""
    facts: dict[str, Any] = field(default_factory=dict)

    def encrypted(self) -> bool:
        """Whether something but fonts is encrypted."""
        data = self.files.get("META-INF/encryption.xml")
        if data is None:
            return False
        methods = [e.get("Algorithm", "") for e in tree(data).iter() if local(e) == "EncryptionMethod"]
        return any(method not in OBFUSCATION for method in methods)

    def open(self) -> None:
        """Read the package document; raises `XmlError` when there is none or it is broken."""
        path = self._package()
        package = tree(self.files[path])
        folder = posixpath.dirname(path)
        parts = {local(child): child for child in package if local(child)}
        if "manifest" not in parts or "spine" not in parts:
            raise XmlError("wrong_format", f"{path} has no manifest and spine")
        items = {e.get("id", ""): e for e in parts["manifest"] if local(e) == "item"}
        contents_pages = self._guide(parts.get("guide"), folder)
        references = [e for e in parts["spine"] if local(e) == "itemref"]
        used: set[str] = set()
        missing: list[str] = []
        for reference in references:
            item = items.get(reference.get("idref", ""))
            if item is None or item.get("media-type", _HTML[0]) not in _HTML:
                continue
            name = self._find(folder, item.get("href", ""))
            if not name:
                missing.append(item.get("href", ""))
                continue
            used.add(name)
            is_nav = "nav" in item.get("properties", "").split() or name in contents_pages
            self.spine.append((name, not is_nav and reference.get("linear", "yes") != "no"))
        found = (self._find(folder, e.get("href", "")) for e in items.values() if e.get("media-type") in _HTML)
        self.rest = [name for name in found if name and name not in used]
        self.facts = _facts(parts.get("metadata"))
        self.facts |= {"version": package.get("version", ""), "spine_items": len(references), "missing": missing}

    def _package(self) -> str:
        container = self.files.get("META-INF/container.xml")
        if container is not None:
            paths = [e.get("full-path", "") for e in tree(container).iter() if local(e) == "rootfile"]
            found = next((name for path in paths if (name := self._find("", path))), "")
            if found:
                return found
        packages = sorted(name for name in self.files if name.lower().endswith(".opf"))
        if not packages:
            raise XmlError("wrong_format", "a zip without a package document is no EPUB")
        return packages[0]

    def _guide(self, guide: Any, folder: str) -> set[str]:
        """Documents that EPUB 2 calls the table of contents."""
        pages = [] if guide is None else [e for e in guide if e.get("type", "").lower() == "toc"]
        return {self._find(folder, e.get("href", "").partition("#")[0]) for e in pages}

    def _find(self, folder: str, reference: str) -> str:
        """Name in the zip of a reference in a document in `folder`; percent codes and case are forgiven."""
        name = label(posixpath.normpath(posixpath.join(folder, unquote(reference))))
        if name in self.files:
            return name
        return next((held for held in self.files if held.lower() == name.lower()), "")


def _facts(metadata: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"creators": []}
    for element in metadata if metadata is not None else ():
        name, text = local(element), words(element)
        if name == "creator":
            found["creators"].append(text)
        elif name in ("title", "language", "identifier", "date", "rights") and text:
            found.setdefault(name, text)
    return found


def _html(data: bytes) -> str:
    declared = _DECLARED.search(data[:1024])
    name = (declared.group(1) or declared.group(2)).decode() if declared else None
    return decode(data, name)[0]


def _clean(book: _Book) -> str:
    parts = [html_text(_html(book.files[name]), _CLEAN) for name, linear in book.spine if linear]
    return tidy("\n\n".join(part for part in parts if part))


def _pile(book: _Book) -> str:
    import ftfy

    names = [name for name, _ in book.spine] + book.rest
    text = "\n\n".join(html_text(_html(book.files[name]), MARKDOWN) for name in names)
    text = ftfy.fix_text(text).replace("…", "...")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def trimmed(text: str) -> str:
    """A book without shop notices in its first tenth and without what follows "About the author" in its last fifth.

    A notice is one paragraph of at most 600 characters; the matter after the book begins at a line of at most 60.
    """
    blocks = text.split("\n\n")
    first, last = max(3, len(blocks) // 10), len(blocks) - max(2, len(blocks) // 5)
    end = next(
        (k for k in range(max(last, 1), len(blocks)) if len(blocks[k]) <= 60 and _AFTER.fullmatch(blocks[k])),
        len(blocks),
    )
    kept = [
        block
        for k, block in enumerate(blocks[:end])
        if not (k < first and len(block) <= 600 and _NOTICE.search(block))
    ]
    return "\n\n".join(kept)
