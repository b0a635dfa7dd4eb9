"""XML: the one place where a parser is made, and the rules that keep hostile or broken XML harmless.

What every reader gets from here:

- The document type declaration never reaches the parser. `tree` cuts it out of the bytes first, so no DTD can be
  loaded and no address in it can be asked for. An internal subset that declares an entity other than an unparsed one
  (``NDATA``, how patents name their drawings) is refused: ``xml_entities``.
- With no declaration left, libxml2 can expand nothing but the five predefined entities and character references.
  Named entities that only a DTD would have defined (``&nbsp;``, ``&ldquo;``, ``&agr;``) become character references
  by the tables of `html.entities` and ISO 8879; an unknown one stays in the text as it was written.
- Parsers run with entity resolution, network, DTD loading and XInclude off. ``huge`` lifts libxml2's limits (depth
  256, 10 MB a text node) for formats whose real files pass them; entities cannot multiply, so size stays linear.
- Nothing is recovered: what is not well-formed raises `XmlError` and costs its own record, never a silent part of it.
- Encodings are the declared one out of a fixed list, or UTF-8; an encoding that could hide markup (UTF-7) is refused.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

MAX_SUBSET = 4 << 20
"""Bytes of an internal subset; a patent with 3,000 drawings declares 0.4 MB."""
MAX_RECORD = 64 << 20
"""Bytes of one record cut out of a stream; longer ones are quarantined as ``too_large``."""

_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]{0,400}?\?>")
_ENCODING = re.compile(rb"\s*<\?xml\b[^>]{0,400}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_ALLOWED = re.compile(
    r"utf-?8|us-ascii|ascii|utf-?16(le|be)?|iso-?8859-\d\d?|latin-?1|(windows-|cp)(125\d|874|932|949|950)"
    r"|shift_jis|euc-(jp|kr)|gbk|gb2312|gb18030|big5|koi8-[ru]|tis-620|macintosh"
)
_SPACE = re.compile(rb"\s*")
_SUBSET = re.compile(rb"[^\[\]<>\"']+|\"[^\"]*\"|'[^']*'|[\[\]>]|<!([A-Z]+)((?:[^\"'<>]++|\"[^\"]*\"|'[^']*')*+)>")
_QUOTED = re.compile(rb"\"[^\"]*\"|'[^']*'")
_NAMED = re.compile(rb"&(?!amp;|lt;|gt;|quot;|apos;|#)([A-Za-z][A-Za-z0-9.]{1,31});")
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)")

# ISO 8879 "ISOgrk1" letters, which the HTML tables lack and which patents use.
_GREEK = (
    "agr bgr ggr dgr egr zgr eegr thgr igr kgr lgr mgr ngr xgr ogr pgr rgr sfgr sgr tgr ugr phgr khgr psgr ohgr",
    "αβγδεζηθικλμνξοπρςστυφχψω",
)


class XmlError(ValueError):
    """XML that is refused or broken: `reason` is a quarantine reason, `detail` says what and where."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@functools.cache
def _entities() -> dict[bytes, bytes]:
    """Name -> character references, for names that only a DTD would define."""
    from html.entities import html5

    table = {k[:-1]: v for k, v in html5.items() if k.endswith(";")}
    table |= dict(zip(_GREEK[0].split(), _GREEK[1], strict=True))
    table |= {
        k[0].upper() + k[1:]: v.upper() for k, v in zip(_GREEK[0].split(), _GREEK[1], strict=True) if k != "sfgr"
    }
    return {k.encode(): "".join(f"&#{ord(c)};" for c in v).encode() for k, v in table.items()}


def parser(*, huge: bool = False, keep_pis: bool = False) -> Any:
    """A new lxml parser with everything off that reaches outside the bytes it is given."""
    from lxml import etree

    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        recover=False,
        huge_tree=huge,
        remove_comments=True,
        remove_pis=not keep_pis,
        strip_cdata=True,
    )


def tree(data: bytes, *, huge: bool = False, keep_pis: bool = False) -> Any:
    """Root element of one whole document; raises `XmlError` for what is broken, refused, cut off or not XML."""
    from lxml import etree

    data = plain(data)
    if not data.strip():
        raise XmlError("empty", "no markup")
    start = _past_comments(data, 0)
    if not _ROOT.match(data, start):
        raise XmlError("wrong_format", f"no root element but {_show(data[start : start + 60])}")
    try:
        return etree.fromstring(named(data), parser(huge=huge, keep_pis=keep_pis))
    except etree.XMLSyntaxError as error:
        raise XmlError(_reason(data, start, error), str(error)) from None


def fragment(data: bytes, *, huge: bool = False) -> Any:
    """Root of one element cut out of a stream that `splits` has checked: UTF-8, no declarations before it."""
    from lxml import etree

    try:
        return etree.fromstring(named(data) if b"&" in data else data, parser(huge=huge))
    except etree.XMLSyntaxError as error:
        raise XmlError(_reason(data, 0, error), str(error)) from None


def _reason(data: bytes, start: int, error: Exception) -> str:
    message = str(error)
    if "huge" in message.lower() or "depth" in message.lower():
        return "xml_limit"
    root = _ROOT.match(data, start)
    whole = bool(root) and data.rstrip().endswith(b"</" + root.group(1) + b">")  # type: ignore[union-attr]
    if not whole:
        return "truncated"
    return "bad_utf8" if "encod" in message or "UTF-8" in message else "parse_error"


def plain(data: bytes) -> bytes:
    """The document as UTF-8 without byte order mark, XML declaration and document type declaration."""
    data = _utf8(data)
    found = _DECLARATION.match(data)
    data = data[found.end() :] if found else data
    start = _past_comments(data, 0)
    if data[start : start + 9].upper() == b"<!DOCTYPE":
        return data[:start] + data[_doctype_end(data, start) :]
    return data


def _past_comments(data: bytes, at: int) -> int:
    """Offset of the first thing at or after `at` that is no white space, comment or processing instruction."""
    while True:
        at = _SPACE.match(data, at).end()  # type: ignore[union-attr]
        after = _past_one(data, at)
        if after < 0:
            return at
        at = after


def _past_one(data: bytes, at: int) -> int:
    """Offset after the comment or processing instruction at `at`; -1 when there is none or it does not end."""
    for opening, closing in ((b"<!--", b"-->"), (b"<?", b"?>")):
        if data.startswith(opening, at):
            end = data.find(closing, at + len(opening))
            return end + len(closing) if end >= 0 else -1
    return -1


def _utf8(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    for mark, name in (
        (codecs.BOM_UTF32_LE, ""),
        (codecs.BOM_UTF32_BE, ""),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _decoded(data, name)
    if data[:4] in (b"<\0?\0", b"\0<\0?"):
        return _decoded(data, "utf-16-le" if data[:1] == b"<" else "utf-16-be")
    found = _ENCODING.match(data)
    name = found.group(1).decode().lower() if found else "utf-8"
    return data if name in ("utf-8", "utf8", "us-ascii", "ascii") else _decoded(data, name)


def _decoded(data: bytes, name: str) -> bytes:
    if not _ALLOWED.fullmatch(name.removesuffix("-le").removesuffix("-be")):
        raise XmlError("bad_encoding", f"the encoding {name or 'UTF-32'!r} is not read")
    try:
        return data.decode(name).removeprefix("\ufeff").encode()
    except (UnicodeDecodeError, LookupError) as error:
        raise XmlError("bad_encoding", str(error)[:200]) from None


def _doctype_end(data: bytes, start: int) -> int:
    """Offset after the declaration that begins at `start`; raises when it declares entities or does not end."""
    at, depth = start + 9, 0
    while True:
        if (after := _past_one(data, at)) >= 0:
            at = after
            continue
        if not (found := _SUBSET.match(data, at)):
            break
        token, at = found.group(), found.end()
        if found.group(1) == b"ENTITY":
            body = _QUOTED.sub(b"", found.group(2))
            if b"%" in body or b"NDATA" not in body:
                raise XmlError("xml_entities", f"the document declares an entity: {_show(token[:80])}")
        depth += (token == b"[") - (token == b"]")
        if token == b">" and depth == 0:
            return at
        if at - start > MAX_SUBSET:
            raise XmlError("xml_limit", f"a document type declaration of more than {MAX_SUBSET} bytes")
    reason = "parse_error" if b">" in data[at:] else "truncated"
    raise XmlError(reason, "the document type declaration does not end")


def named(data: bytes) -> bytes:
    """Named entities as character references, outside CDATA; unknown names as the text they were written as."""
    if not _NAMED.search(data):
        return data
    table = _entities()

    def replace(found: re.Match[bytes]) -> bytes:
        return table.get(found.group(1)) or b"&amp;" + found.group(1) + b";"

    outside, *sections = data.split(b"<![CDATA[")
    pieces = [_NAMED.sub(replace, outside)]
    for section in sections:
        inside, end, after = section.partition(b"]]>")
        pieces += [b"<![CDATA[", inside, end, _NAMED.sub(replace, after)]
    return b"".join(pieces)


def _show(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace").encode("unicode_escape").decode("ascii")


def local(element: Any) -> str:
    """Tag without its namespace; an empty string for what is no element."""
    tag = element.tag
    return tag[tag.rfind("}") + 1 :] if isinstance(tag, str) else ""


def words(element: Any) -> str:
    """All text under an element with runs of white space as one space."""
    return " ".join("".join(element.itertext()).split())


# Cutting records out of a stream ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of a stream: a whole record, what stands between records, or a record that cannot be had."""

    kind: Literal["record", "between", "broken", "too_large"]
    name: bytes
    offset: int
    data: bytes


def splits(read: Callable[[int], bytes], names: tuple[bytes, ...], *, limit: int = MAX_RECORD) -> Iterator[Split]:
    """Cut elements called one of `names` out of a stream of XML without parsing it; every byte is in some piece.

    Memory is the longest record plus one block. A start tag without its end tag before the next start of a record is
    ``broken``, and cutting goes on at that next start. An element of the same name nested in itself is not expected.
    """
    opening = re.compile(rb"<(" + rb"|".join(names) + rb")[\s/>]")
    buffer, base, at, ended = b"", 0, 0, False
    while True:
        found = opening.search(buffer, at)
        if found is None and not ended:
            keep = buffer.rfind(b"<")
            cut = keep if keep >= at and len(buffer) - keep < 256 else len(buffer)
            if cut > at:
                yield Split("between", b"", base + at, buffer[at:cut])
            block = read(1 << 20)
            buffer, base, at, ended = buffer[cut:] + block, base + cut, 0, not block
            continue
        if found is None:
            if at < len(buffer):
                yield Split("between", b"", base + at, buffer[at:])
            return
        if found.start() > at:
            yield Split("between", b"", base + at, buffer[at : found.start()])
        start, name = found.start(), found.group(1)
        buffer, base, piece, ended = _one(read, buffer, base, start, name, opening, limit, ended)
        yield piece
        at = piece.offset + len(piece.data) - base if piece.kind != "too_large" else 0


def _one(
    read: Callable[[int], bytes],
    buffer: bytes,
    base: int,
    start: int,
    name: bytes,
    opening: re.Pattern[bytes],
    limit: int,
    ended: bool,
) -> tuple[bytes, int, Split, bool]:
    """The record that starts at `start` of the buffer, reading on until it ends; returns the new buffer state."""
    closing, looked = b"</" + name + b">", start + 1
    offset, grow = base + start, 1 << 20
    while (end := buffer.find(closing, looked)) < 0 and not ended:
        if len(buffer) - start > limit:
            buffer, base, ended = _skip(read, buffer, base, closing, opening)
            return buffer, base, Split("too_large", name, offset, b""), ended
        if start:
            buffer, base, looked, start = buffer[start:], base + start, looked - start, 0
        looked = max(1, looked, len(buffer) - len(closing))
        block = read(grow)
        grow = min(grow * 2, 16 << 20)
        buffer, ended = buffer + block, not block
    stop = end + len(closing) if end >= 0 else len(buffer)
    other = opening.search(buffer, start + 1, stop) if buffer.find(b"<" + name, start + 1, stop) >= 0 else None
    if other or end < 0:
        stop = other.start() if other else stop
        return buffer, base, Split("broken", name, offset, buffer[start:stop]), ended
    return buffer, base, Split("record", name, offset, buffer[start:stop]), ended


def _skip(
    read: Callable[[int], bytes], buffer: bytes, base: int, closing: bytes, opening: re.Pattern[bytes]
) -> tuple[bytes, int, bool]:
    """Throw bytes away up to the end of the record or the start of another."""
    while True:
        tail = buffer[-256:]
        block = read(1 << 20)
        base += len(buffer) - len(tail)
        buffer = tail + block
        end, other = buffer.find(closing), opening.search(buffer, 1)
        stops = [n for n in (end + len(closing) if end >= 0 else -1, other.start() if other else -1) if n >= 0]
        if stops or not block:
            cut = min(stops) if stops else len(buffer)
            return buffer[cut:], base + cut, not block
