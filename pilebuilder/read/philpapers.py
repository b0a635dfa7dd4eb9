"""PhilPapers: Dublin Core records over OAI-PMH, and papers as PDF or text from a folder of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.sandbox import Job

_OPEN = re.compile(r"creativecommons\.org/(licenses/[a-z-]+/[0-9.]+|publicdomain/[a-z]+/[0-9.]+)")
_SPACES = re.compile(rb"\sxmlns:[\w.-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*')")
MAX_FILE, MAX_FRAME = 256 << 20, 16 << 20
"""Bytes of a paper, and of what an answer may hold besides its records."""
_LISTED = {"creator": "creators", "subject": "subjects", "identifier": "identifiers", "type": "types"}
_SINGLE = ("date", "language", "publisher", "rights", "source")


@reader("philpapers", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class PhilPapers:
    """OAI-PMH records with their abstracts, or PDF and text files of papers, one document each.

    Format: OAI-PMH 2.0 with Dublin Core (``oai_dc``); PDF by PDFium in a child process with limits, as the reader
    `pdf`.
    Record unit: a ``record`` element, or a file.
    Id: ``philpapers:KEY``, KEY being the last part of the OAI identifier or the file's name without suffix.
    Text of a record: title, blank line, description.
    Text of a paper: running heads and page numbers removed, paragraphs joined; papers under `min_chars` are scans or
    slips.
    Metadata: title, creators, subjects, types, identifiers, date, language, datestamp; lists keep every value.
    Licence: a Creative Commons address in the record's rights, else the card's.
    Skip reasons: ``deleted`` (the repository withdrew it), ``no_text``, ``too_short``, ``no_text_layer``, ``response``
    (an OAI answer without records).
    Quarantined: ``truncated``, ``parse_error``, ``oai_error`` and those of the reader `pdf`.

    ``<dc:title>On X</dc:title><dc:description>X is Y.</dc:description>`` gives ``On X``, blank line, ``X is Y.``
    """

    abstracts: Annotated[bool, Field(description="read records as documents; off: only papers")] = True
    min_chars: Annotated[int, Field(ge=0, description="shorter papers are skipped")] = 1000
    max_pages: Annotated[int, Field(ge=1, le=100_000, description="pages read of one PDF")] = 2000
    seconds: Annotated[float, Field(gt=0, le=600, description="CPU seconds that one PDF may take")] = 60.0

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.sandbox import Limits, ordered
        from pilebuilder.read.whole import whole

        limits = Limits(seconds=self.seconds)
        return whole(raw, ordered("pilebuilder.read.pdf_text:document", _entries(self, raw), limits))


def _entries(options: PhilPapers, raw: Raw) -> Iterator[Item | Job[Item]]:
    from pilebuilder.read.base import Quarantined
    from pilebuilder.read.files import Content, binary, contents, is_binary
    from pilebuilder.read.sandbox import Job
    from pilebuilder.read.whole import looks_html, wrong_format

    if _is_xml(raw):
        yield from _harvest(options, raw)
        return
    for found in contents(raw, limit=MAX_FILE):
        if not isinstance(found, Content):
            yield found
        elif b"%PDF-" in found.data[:1024]:
            key = _key(found.path)
            if b"%%EOF" not in found.data[-4096:]:
                detail = f"no end mark in the last bytes of {found.name}"
                yield Quarantined(reason="truncated", offset=found.offset, detail=detail, key=key)
                continue
            finish = partial(_paper, options, key, found.offset, raw)
            yield Job(data=found.data, params={"max_pages": options.max_pages}, then=finish)
        elif looks_html(found.data[:1024]):
            yield wrong_format("a record or a paper", found.data, found.offset)
        elif found.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            yield from _answer(options, raw, found.name, found.offset, found.data)
        elif is_binary(found.data):
            yield binary(found)
        else:
            yield _text(options, raw, found)


def _key(path: str) -> str:
    name = path.rstrip("/").rsplit("/", 1)[-1]
    return "philpapers:" + re.sub(r"\.(pdf|txt|xml)(\.\w+)?$", "", name)


def _is_xml(raw: Raw) -> bool:
    """Whether a file is XML (compressed or not): the answers of a repository, one or many in one."""
    from pilebuilder.read.streams import open_stream
    from pilebuilder.read.whole import looks_html

    with open_stream(raw.path, expect=raw.name) as stream:
        head = stream.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and not looks_html(head)


def _harvest(options: PhilPapers, raw: Raw) -> Iterator[Item]:
    """Records cut out of a stream of any length, then what stands around them."""
    from pilebuilder.ledger import context
    from pilebuilder.read.base import Quarantined
    from pilebuilder.read.streams import open_stream
    from pilebuilder.read.xml import XmlError, fragment, splits

    frame, spaces, count = b"", b"", 0
    with open_stream(raw.path, expect=raw.name) as stream:
        for piece in splits(stream.read, (b"record",)):
            if piece.kind == "between":
                frame += b"" if piece.data.isspace() else piece.data
                if len(frame) > MAX_FRAME:
                    detail = f"more than {MAX_FRAME} bytes outside of records"
                    yield Quarantined(reason="too_large", offset=piece.offset, detail=detail)
                    return
                continue
            spaces = spaces if count else b"".join(set(_SPACES.findall(frame)))
            count += 1
            try:
                if piece.kind != "record":
                    reason = "too_large" if piece.kind == "too_large" else "truncated"
                    raise XmlError(reason, f"a record without its end: {context(piece.data[:120])}")
                data = piece.data
                if spaces and b"xmlns:" not in data:
                    data = b"<record" + spaces + data[7:]
                yield _record(options, raw, fragment(data), piece.offset)
            except XmlError as error:
                yield Quarantined(reason=error.reason, offset=piece.offset, detail=error.detail, key=raw.name)
    yield from _answer(options, raw, raw.name, 0, frame, count)


def _answer(options: PhilPapers, raw: Raw, name: str, offset: int, data: bytes, known: int = 0) -> Iterator[Item]:
    """A whole answer, or the frame of one whose `known` records were cut out."""
    from pilebuilder.read.base import Quarantined, Skipped
    from pilebuilder.read.xml import XmlError, local, tree, words

    try:
        root = tree(data)
    except XmlError as error:
        yield Quarantined(reason=error.reason, offset=offset, detail=error.detail, key=name)
        return
    records = [e for e in root.iter() if local(e) == "record"]
    for answer in (e for e in root.iter() if local(e) == "error"):
        if answer.get("code") == "noRecordsMatch":
            continue
        detail = f"{answer.get('code')}: {words(answer)[:160]}"
        yield Quarantined(reason="oai_error", offset=offset, detail=detail, key=name)
        return
    if not records and not known:
        yield Skipped(reason="response", offset=offset, key=name)
    for ordinal, record in enumerate(records):
        yield _record(options, raw, record, offset + ordinal)


def _record(options: PhilPapers, raw: Raw, record: Any, offset: int) -> Item:
    """`offset` is the record's byte, or counts records within an archive's member."""
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.xml import local, words

    header: dict[str, str] = {}
    meta: dict[str, Any] = {}
    titles, descriptions, deleted = [], [], False
    for element in record.iter():
        name = local(element)
        if name == "header":
            deleted = element.get("status") == "deleted"
        elif name in ("identifier", "datestamp") and local(element.getparent()) == "header":
            header[name] = words(element)
        elif name == "title":
            titles.append(words(element))
        elif name == "description":
            descriptions.append(words(element))
        elif name in _LISTED and words(element):
            meta.setdefault(_LISTED[name], []).append(words(element))
        elif name in _SINGLE and words(element):
            meta.setdefault(name, words(element))
    key = _key(header.get("identifier", f"record-{offset}"))
    if deleted:
        return Skipped(reason="deleted", offset=offset, key=key)
    text = "\n\n".join(part for part in (*titles[:1], *descriptions) if part)
    if not options.abstracts or not descriptions or not text:
        return Skipped(reason="no_text", offset=offset, key=key)
    meta |= {"title": titles[0]} if titles else {}
    meta |= {"datestamp": header["datestamp"]} if "datestamp" in header else {}
    url = next((i for i in meta.get("identifiers", ()) if i.startswith("http")), raw.url)
    open_licence = _OPEN.search(" ".join(words(e) for e in record.iter() if local(e).startswith("rights")))
    licence = f"https://creativecommons.org/{open_licence[1]}" if open_licence else raw.licence
    return Record(key=key, text=tidy(text), offset=offset, url=url, date=meta.get("date"), licence=licence, meta=meta)


def _text(options: PhilPapers, raw: Raw, found: Any) -> Item:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import decode, squeeze, tidy

    text, _ = decode(found.data)
    text = squeeze(tidy(text))
    key = _key(found.path)
    if len(text) < options.min_chars:
        return Skipped(reason="too_short", offset=found.offset, key=key)
    return Record(key=key, text=text, offset=found.offset, url=raw.url, licence=raw.licence)


def _paper(options: PhilPapers, key: str, offset: int, raw: Raw, answer: Any) -> Item:
    from pilebuilder.read.base import Quarantined, Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.sandbox import Failure

    if isinstance(answer, Failure):
        return Quarantined(reason=answer.reason, offset=offset, detail=answer.detail, key=key)
    text, meta = tidy(answer["text"]), answer["meta"]
    if len(text) < options.min_chars or len(text) < 100 * max(1, meta["pages"]):
        return Skipped(reason="no_text_layer", offset=offset, key=key)
    return Record(key=key, text=text, offset=offset, url=raw.url, licence=raw.licence, meta=meta)
