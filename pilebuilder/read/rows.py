"""Tables as XML files of empty ``<row a="..." b="..." />`` elements, read by cutting at quotes instead of parsing.

A row's attribute values cannot hold ``<`` or ``"`` unescaped (XML 1.0, 2.3), so `bytes.split` on the quote gives names
and values in one C call. What does not look like that (several rows on a line, a row over several lines, broken
quotes) takes a slower, stricter way; a row that fails there too is a quarantine row and costs no other. References
are resolved by tables in here, so no declaration in the file can define any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pilebuilder.ledger import context
from pilebuilder.read.base import Quarantined
from pilebuilder.read.streams import StreamError
from pilebuilder.read.whole import wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.archives import Readable

MAX_ROW = 64 << 20
"""Bytes of one row; a post's body is limited to 30,000 characters upstream."""
_READ = 1 << 20

Attributes = dict[bytes, bytes]
Row = tuple[int, bytes]
"""Byte offset of the line, and the element."""

_ROOT = re.compile(rb"<([A-Za-z]\w*)\s*/?>")
_LOOSE = re.compile(rb"<row\b(?:[^\"<>/]++|/(?!>)|\"[^\"<]*\")*+/>")
_PAIR = re.compile(rb"\s([A-Za-z_][\w.:-]*)\s*=\s*\"([^\"<]*)\"")
_ROW = re.compile(rb"<row(?:\s+[A-Za-z_][\w.:-]*\s*=\s*\"[^\"<]*\")*+\s*/>")
_SEEN: set[bytes] = set()
"""Names that have stood in a well-formed row; a cache that decides no result."""
_NUMBER = re.compile(r"&#(x?)([0-9A-Fa-f]{1,7});")
_NAMED = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&#xA;", b"\n"), (b"&#xD;", b"\r"), (b"&#x9;", b"\t"))


def attributes(row: bytes) -> Attributes | None:
    """Attributes of a row, values still escaped; None when it is not a well-formed row.

    Names are as they stand between the quotes, ``b" Score="``, so that none is built anew for each row.

    >>> attributes(b'<row Id="7" Score="-1" />')
    {b' Id=': b'7', b' Score=': b'-1'}
    """
    parts = row.split(b'"')
    if len(parts) % 2 and parts[0][:4] == b"<row" and parts[-1] in (b" />", b"/>"):
        parts[0] = parts[0][4:]
        found = dict(zip(parts[::2], parts[1::2], strict=False))
        if found.keys() <= _SEEN:
            return found
    if not _ROW.fullmatch(row):
        return None
    found = {b" %b=" % name: value for name, value in _PAIR.findall(row)}
    if len(_SEEN) < 256:
        _SEEN.update(found)
    return found


def text(value: bytes) -> str:
    """An attribute's text: references resolved, those to characters that XML does not know left out."""
    if b"&" not in value:
        return value.decode()
    for name, character in _NAMED:
        value = value.replace(name, character)
    plain = value.decode()
    if "&#" in plain:
        plain = _NUMBER.sub(_character, plain)
    return plain.replace("&apos;", "'").replace("&amp;", "&")


def _character(found: re.Match[str]) -> str:
    code = int(found.group(2), 16 if found.group(1) else 10) if found.group(1) or found.group(2).isdigit() else 0
    if code in (9, 10, 13, 39) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000:
        return "&amp;" if code == 38 else chr(code)
    return ""


def table_rows(stream: Readable) -> Iterator[str | Row | Quarantined]:
    """First the root element's name, then the rows and what of them is broken.

    Raises `StreamError` when the end tag is missing or something follows it. Memory is one row plus one block.
    """
    head, name, end, pending = b"", "", b"", b""
    start = 0
    for offset, line in _lines(stream):
        if line is None:
            yield Quarantined(reason="too_large", offset=offset, detail=f"a row of more than {MAX_ROW} bytes")
            continue
        line = line.strip()
        if name and line[:5] == b"<row " and line[-2:] == b"/>" and line.count(b"<") == 1:
            if pending:
                yield _broken(start, pending)
                pending = b""
            yield offset, line
            continue
        if not line:
            continue
        if not name:
            head += line + b"\n"
            if not (found := _ROOT.search(head)):
                if len(head) > 1 << 16:
                    break
                continue
            name, line = found.group(1).decode().lower(), head[found.end() :].strip()
            end = b"</" + found.group(1) + b">"
            yield name
            if found.group().endswith(b"/>"):
                end = b""
        if not end:
            if line:
                raise StreamError("trailing_garbage", f"after the table: {context(line)}", offset=offset)
            continue
        start = start if pending else offset
        pending = pending + b" " + line if pending else line
        rows, pending, ended = _slow(start, pending, end)
        yield from rows
        if ended:
            end = b""
        if len(pending) > MAX_ROW:
            yield Quarantined(reason="too_large", offset=start, detail=f"a row of more than {MAX_ROW} bytes")
            pending = b""
    if not name:
        yield wrong_format("a table of rows", head) if head else Quarantined(reason="empty_file")
    elif end:
        raise StreamError(
            "truncated", f"the table has no {end.decode()}; it ends in {context(pending)!r}", offset=start
        )


def _lines(stream: Readable) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their offsets; None for one of more than `MAX_ROW` bytes, which is passed over."""
    offset, held = 0, b""
    pieces: list[bytes] = []
    size = 0
    while block := stream.read(_READ):
        if b"\n" not in block and size < MAX_ROW:
            pieces.append(block)
            size += len(block)
            continue
        if size >= MAX_ROW:
            yield offset, None
            while block and b"\n" not in block:
                offset, pieces = offset + size, []
                size, block = len(block), stream.read(_READ)
            offset += size + block.find(b"\n") + 1
            pieces, size, block = [], 0, block.partition(b"\n")[2]
        lines = (b"".join(pieces) + block).split(b"\n")
        held = lines.pop()
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        pieces, size = [held], len(held)
    if size:
        yield offset, b"".join(pieces)


def _slow(start: int, data: bytes, end: bytes) -> tuple[list[Row | Quarantined], bytes, bool]:
    """Rows in text that is not one row a line; what remains unfinished; whether the table ended."""
    out: list[Row | Quarantined] = []
    body, ended, after = data.partition(end)
    if ended and after.strip():
        raise StreamError("trailing_garbage", f"after the table: {context(after.strip())}", offset=start)
    at = 0
    for found in _LOOSE.finditer(body):
        if body[at : found.start()].strip():
            out.append(_broken(start + at, body[at : found.start()]))
        out.append((start + found.start(), found.group()))
        at = found.end()
    rest = body[at:].strip()
    if rest and (ended or not rest.startswith(b"<row") or rest.count(b"<") > 1 or rest.endswith(b">")):
        out.append(_broken(start + at, rest))
        rest = b""
    return out, rest, bool(ended)


def _broken(offset: int, data: bytes) -> Quarantined:
    return Quarantined(reason="parse_error", offset=offset, detail=f"not a row: {context(data)}")
