"""Books of Project Gutenberg: the licence text around a book goes, the book stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.text import Charset, MaxBytes
from pilebuilder.registry import reader

_START = re.compile(r"\s*\*{2,3}\s*START OF (?:THE|THIS) PROJECT GUTENBERG", re.I)
_END = re.compile(
    r"\s*(?:\*{2,3}\s*END OF (?:THE|THIS)\s+PROJECT GUTENBERG|(?:\*+\s*)?End of (?:the |this )?Project Gutenberg)",
    re.I,
)
_SMALL_PRINT = re.compile(r"\s*\*END\*?\s*THE SMALL PRINT!?|\s*\*END THE SMALL PRINT!", re.I)
_HEADER_LINES = 600
"""Old headers ("the small print") end within so many lines."""
_MADE = r"produced|prepared|scanned|transcribed|converted|typed"
_CREDIT = re.compile(
    rf"\s*\[?(?:(?:This |The )?(?:project gutenberg )?(?:e-?text|e-?book|text file|html version|book|file)(?: was)?"
    rf"(?: first)? (?:was )?(?:{_MADE})|(?:{_MADE}|digitized|proofed) (?:and [a-z]+ )?by "
    r"|credits?(?: for [^:\n]{1,30})?:|editorial note:|note: project gutenberg (?:also )?has)",
    re.I,
)
_NOTE = re.compile(r"\s*(\[?)\s*(?:original )?transcriber.{0,12}s?.{0,3} ?notes?\b", re.I)
_FIELD = re.compile(r"(Title|Author|Language|Release Date|Editor|Translator|Illustrator): *(\S.*)")
_NUMBER = re.compile(r"\[e-?(?:book|text) ?#(\d+)\]", re.I)
_IN_NAME = re.compile(r"(?:^|/)(?:pg)?(\d{1,7})(?![\d/])[^/]*$")
_COPYRIGHTED = re.compile(r"This is a COPYRIGHTED Project Gutenberg", re.I)

_CATALOGUES = ("metadata.csv", "pg_catalog.csv", ".rdf")
NOT_PROSE = frozenset((5627, 5634, 5635, 4949, 4950, 4951, 4749, 4750, 4751, 10802, 11220))
"""Digits, tables and index files that the catalogue calls texts."""


@reader("gutenberg", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class Gutenberg:
    """Project Gutenberg texts (and PG-19, which has no header): one book a file, header and footer removed.

    Format: https://www.gutenberg.org/help/file_formats.html; PG-19: https://github.com/google-deepmind/pg19.
    Record unit: a file, loose, compressed or in a tar or zip.
    Id: ``pg:NUMBER`` from the header or the file's name.
    Text: from after the last ``*** START OF ... PROJECT GUTENBERG EBOOK`` line of the first third (or the end of the
    "small print" within the first 600 lines) up to the first ``*** END OF`` or ``End of Project Gutenberg`` line;
    producer's credits and the transcriber's note at the head are removed (`notes` keeps the note). A file without
    markers is taken whole. `unwrap` joins the lines of prose paragraphs.
    Metadata: title, author, language and release date from the header, ``gutenberg_id``, ``encoding`` if not UTF-8.
    URL: the book's page.
    Licence: "Public domain in the USA" unless the fetch stage knows better.
    Skip reasons: ``licence`` (the header says the book is copyrighted), ``not_prose`` (volumes of digits),
    ``metadata`` (PG-19's metadata.csv, the catalogue as CSV or RDF), and those of the reader `text`.

    ``"Title: X\\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\\nProduced by Y\\n\\nCall me Ishmael.\\n*** END OF"``
    gives ``Call me Ishmael.``
    """

    charset: Charset = None
    notes: Annotated[bool, Field(description="keep the transcriber's note at the head of a book")] = False
    unwrap: Annotated[bool, Field(description="join the hard-wrapped lines of prose paragraphs")] = False
    max_bytes: MaxBytes = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _books(self, raw))


def _books(options: Gutenberg, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import decode, tidy
    from pilebuilder.read.files import Content, binary, contents, is_binary
    from pilebuilder.read.whole import looks_html, wrong_format

    for found in contents(raw, limit=options.max_bytes):
        if not isinstance(found, Content):
            yield found
            continue
        if is_binary(found.data):
            yield binary(found)
            continue
        if found.path.endswith(_CATALOGUES) or b"<rdf:RDF" in found.data[:2048]:
            yield Skipped(reason="metadata", offset=found.offset, key=found.name)
            continue
        if looks_html(found.data[:1024]):
            yield wrong_format("a plain text book", found.data, found.offset)
            continue
        text, encoding = decode(found.data, options.charset)
        header, body = split(tidy(text))
        meta = header_fields(header)
        number = meta.pop("number", None) or _number_in(found.path)
        key = f"pg:{number}" if number else found.name
        if _COPYRIGHTED.search(header) or raw.licence == "Copyrighted":
            yield Skipped(reason="licence", offset=found.offset, key=key)
            continue
        if number in NOT_PROSE:
            yield Skipped(reason="not_prose", offset=found.offset, key=key)
            continue
        meta |= {"gutenberg_id": number} if number else {}
        meta |= {} if encoding in ("utf-8", "ascii") else {"encoding": encoding}
        body = without_front(body, notes=options.notes)
        yield Record(
            key=key,
            text=unwrapped(body) if options.unwrap else body,
            offset=found.offset,
            url=f"https://www.gutenberg.org/ebooks/{number}" if number else raw.url,
            licence=raw.licence or "Public domain in the USA",
            meta=meta,
        )


def _number_in(name: str) -> int | None:
    match = _IN_NAME.search(name)
    return int(match[1]) if match else None


def split(text: str) -> tuple[str, str]:
    """Header and book. Without a marker the header is empty and the book is everything.

    >>> split("Title: X\\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\\nOne.\\nEnd of Project Gutenberg's X\\n")
    ('Title: X', 'One.')
    """
    lines = text.split("\n")
    first = 0
    for i, line in enumerate(lines[: max(len(lines) // 3, min(len(lines), 120))]):
        if "GUTENBERG" in line.upper() and _START.match(line):
            first = _marker_end(lines, i)
    for i, line in enumerate(lines[:_HEADER_LINES]):
        if i >= first and "SMALL PRINT" in line and _SMALL_PRINT.match(line):
            first = i + 1
    last = len(lines)
    for i in range(first, len(lines)):
        if "GUTENBERG" in lines[i].upper() and _END.match(lines[i]):
            last = i
            break
    header = "\n".join(lines[: max(first - 1, 0)]) if first else ""
    return header, "\n".join(lines[first:last]).strip("\n")


def _marker_end(lines: list[str], i: int) -> int:
    """The line after a start marker, which may run on over a few lines to its closing asterisks."""
    if lines[i].rstrip().endswith("***"):
        return i + 1
    for j in range(i + 1, min(i + 4, len(lines))):
        if lines[j].rstrip().endswith("***"):
            return j + 1
        if not lines[j].strip():
            break
    return i + 1


def header_fields(header: str) -> dict[str, Any]:
    """Title, author and the like from a header, and the book's number."""
    found: dict[str, Any] = {}
    lines = header.split("\n")
    for i, line in enumerate(lines):
        match = _FIELD.match(line)
        if match:
            name, value = match[1].lower().replace(" ", "_"), match[2]
            for more in lines[i + 1 : i + 4]:
                if not more.strip() or ":" in more:
                    break
                value += " " + more.strip()
            found.setdefault(name, _NUMBER.sub("", value).strip())
    match = _NUMBER.search(header)
    return found | ({"number": int(match[1])} if match else {})


def without_front(body: str, *, notes: bool = False) -> str:
    """A book without the credits of its producers, and without the transcriber's note unless `notes`."""
    for _ in range(8):
        body = body.lstrip("\n")
        if _CREDIT.match(body):
            body = body.partition("\n\n")[2]
            continue
        note = _NOTE.match(body)
        if notes or not note:
            break
        end = _closing(body, note.start(1)) if note[1] else body.find("\n\n\n") + 2
        if not 1 < end < 6000:
            break
        body = body[end:]
    return body.lstrip("\n")


def _closing(text: str, start: int) -> int:
    """The position after the bracket that closes the one at `start`; 0 if none does nearby."""
    depth = 0
    for i in range(start, min(len(text), start + 6000)):
        depth += (text[i] == "[") - (text[i] == "]")
        if not depth:
            return i + 1
    return 0


def unwrapped(text: str) -> str:
    """Paragraphs of prose on one line: those whose lines are all flush left and, but for the last, long."""
    out = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        prose = (
            len(lines) > 1 and all(len(line) > 45 for line in lines[:-1]) and not any(x[:1].isspace() for x in lines)
        )
        out.append(" ".join(line.strip() for line in lines) if prose else paragraph)
    return "\n\n".join(out)
