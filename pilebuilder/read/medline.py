"""MEDLINE display format: PubMed citations as tagged lines (``PMID- 1``, ``TI  - ...``).

Format: https://pubmed.ncbi.nlm.nih.gov/help/#pubmed-format. Six blanks begin a
continuation line, a blank line ends a record. There is no end mark: the fetched length is the proof of completeness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilebuilder.read.archives import Readable

_FIELD = re.compile(rb"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)")
MAX_RECORD = 16 << 20

Fields = dict[str, list[str]]


def looks_medline(head: bytes) -> bool:
    """Whether a file begins like this format."""
    return head.lstrip(b"\xef\xbb\xbf\r\n \t").startswith(b"PMID-")


def citations(stream: Readable) -> Iterator[tuple[int, Fields | bytes]]:
    """Offset and fields of each record; bytes instead of fields for what is none. Continuation lines are joined."""
    fields: dict[str, list[bytes]] = {}
    start = offset = size = 0
    stray = b""
    for line in _lines(stream):
        text = line.rstrip(b"\r\n")
        found = _FIELD.match(text)
        if (fields and (not text.strip() or (found and found.group(1) == b"PMID"))) or size > MAX_RECORD:
            yield start, _decoded(fields)
            fields, size = {}, 0
        if found:
            if found.group(1) == b"PMID":
                start = offset
            fields.setdefault(found.group(1).decode(), []).append(found.group(2))
        elif text.startswith(b"      ") and fields:
            last = next(reversed(fields.values()))
            last[-1] += b" " + text.strip()
        elif text.strip() and not stray:
            stray = text
            yield offset, text
        offset += len(line)
        size += len(line)
    if fields:
        yield start, _decoded(fields)


def _lines(stream: Readable) -> Iterator[bytes]:
    held = b""
    while block := stream.read(1 << 18):
        *lines, held = (held + block).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(held) > MAX_RECORD:
            yield held
            held = b""
    if held:
        yield held


def _decoded(fields: dict[str, list[bytes]]) -> Fields:
    return {tag: [value.decode("utf-8", "replace") for value in values] for tag, values in fields.items()}
