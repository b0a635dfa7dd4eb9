"""Plain text, one document a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

MaxBytes = Annotated[int, Field(ge=1024, le=1 << 30, description="largest file that becomes a document, in bytes")]
Charset = Annotated[str | None, Field(max_length=40, description="encoding of the files; default: found out per file")]


@reader("text", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Plain text files, one document each: loose, compressed, or packed in a tar or zip.

    Format: text in any encoding; tar (POSIX.1-2017) and zip (APPNOTE 6.3).
    Record unit: a file.
    Id: the file's name (``ARCHIVE/MEMBER`` in an archive).
    Text: the whole file, decoded by byte order mark, the given `charset`, UTF-8, detection, cp1252, in this order;
    newlines unified, control characters other than tab and newline removed, Unicode in NFC; ``b"caf\\xe9\\r\\n"``
    gives ``café`` and a newline.
    Metadata: ``encoding`` when it was not UTF-8.
    Licence: the raw file's. Offset: of the member in the archive.
    Skip reasons: ``binary`` (a NUL byte and no UTF-16 mark), ``empty_text``, ``link``, ``special_file``, ``not_named``
    (another suffix than `suffixes` asks for).
    Quarantined: ``too_large``, ``wrong_format`` (an HTML page under a text's name), and what ends a stream or archive:
    ``truncated``, ``corrupt``.
    """

    charset: Charset = None
    suffixes: Annotated[tuple[str, ...], Field(description="only members of archives that end so, such as .txt")] = ()
    max_bytes: MaxBytes = 64 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _texts(self, raw))


def _texts(options: Text, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Record
    from pilebuilder.read.characters import decode, tidy
    from pilebuilder.read.files import Content, binary, contents, is_binary
    from pilebuilder.read.whole import looks_html, wrong_format

    for found in contents(raw, limit=options.max_bytes, only=tuple(s.lower() for s in options.suffixes)):
        if not isinstance(found, Content):
            yield found
        elif is_binary(found.data):
            yield binary(found)
        elif looks_html(found.data[:1024]) and not found.path.lower().endswith((".html", ".htm", ".xhtml")):
            yield wrong_format("plain text", found.data, found.offset)
        else:
            text, encoding = decode(found.data, options.charset)
            meta = {} if encoding in ("utf-8", "ascii") else {"encoding": encoding}
            yield Record(
                key=found.name, text=tidy(text), offset=found.offset, meta=meta,
                url=raw.url if found.name == raw.name else None,
            )  # fmt: skip
