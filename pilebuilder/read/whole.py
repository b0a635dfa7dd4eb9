"""The frame that readers share: what a stream or parser raises becomes a quarantine row, and the length is proven."""

from __future__ import annotations

from collections.abc import Iterator

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw
from pilebuilder.read.streams import StreamError
from pilebuilder.read.xml import XmlError


def whole(raw: Raw, items: Iterator[Item]) -> Iterator[Item]:
    """The items, then what ended them early. Formats without an end mark are proven by the length that was fetched.

    Subtitles, mail and plain text may stop anywhere and still look right, so a file whose size on disk is not the
    size that the fetch stage recorded is ``truncated`` unless the format itself has already said so.
    """
    quarantined = False
    try:
        for item in items:
            quarantined = quarantined or isinstance(item, Quarantined)
            yield item
    except StreamError as error:
        yield Quarantined(reason=error.reason, offset=error.offset, detail=error.detail)
        return
    except XmlError as error:
        yield Quarantined(reason=error.reason, detail=error.detail)
        return
    size = raw.path.stat().st_size
    if size != raw.bytes and not quarantined:
        reason = "truncated" if size < raw.bytes else "trailing_garbage"
        yield Quarantined(reason=reason, offset=size, detail=f"{size} bytes on disk, {raw.bytes} were fetched")


def wrong_format(expected: str, head: bytes, offset: int = 0) -> Quarantined:
    """A file (or member) that is something else than its name says; an HTML page is the usual case."""
    kind = "an HTML page" if looks_html(head) else "something else"
    return Quarantined(reason="wrong_format", offset=offset, detail=f"not {expected} but {kind}: {context(head[:80])}")


def looks_html(head: bytes) -> bool:
    """Whether bytes begin like an HTML page (an error page saved under a data file's name)."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    return start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<") and b"<html" in start)
