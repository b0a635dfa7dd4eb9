"""Items of Hacker News as they lie in a file: lines, one array, trees of children; flat, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Skipped
from pilebuilder.read.line_blocks import Oversize, line_blocks
from pilebuilder.read.streams import blocks
from pilebuilder.read.whole import looks_html, wrong_format

MAX_LINE = 64 << 20
_TYPES = {"1": "story", "2": "comment", "3": "poll", "4": "pollopt", "5": "job"}
Node = dict[str, Any]


def nodes(raw: Raw) -> Iterator[Node | Item]:
    """Items of a file, flat: ``id``, ``parent`` (0 for none), and what else is used."""
    for block in line_blocks(blocks(raw.path, expect=raw.name), MAX_LINE):
        if isinstance(block, Oversize):
            yield Quarantined(reason="too_large", offset=block.offset, detail=f"a line of more than {MAX_LINE} bytes")
            continue
        data, at = block.data(), block.offset
        if at == 0:
            data = data.removeprefix(b"\xef\xbb\xbf")
            if looks_html(data[:1024]):
                yield wrong_format("Hacker News items", data[:1024])
                return
            if _is_one_value(data):
                yield from _parsed(data, at)
                continue
        for line in data.split(b"\n"):
            if line.strip():
                yield from _parsed(line, at)
            at += len(line) + 1


def _is_one_value(data: bytes) -> bool:
    """Whether a file is one JSON value over several lines."""
    start, _, rest = data.lstrip().partition(b"\n")
    if not rest.strip():
        return False
    try:
        orjson.loads(start)
    except ValueError:
        return start[:1] in (b"{", b"[") and data.rstrip()[-1:] in (b"}", b"]")
    return False


def _parsed(data: bytes, offset: int) -> Iterator[Node | Item]:
    try:
        value = orjson.loads(data)
    except ValueError as error:
        reason = "bad_utf8" if "UTF-8" in str(error) or "utf-8" in str(error) else "bad_json"
        yield Quarantined(reason=reason, offset=offset, detail=f"{error}: {context(data[:80])}"[:300])
        return
    for found in value if isinstance(value, list) else [value]:
        yield from _flat(found, offset)


def _flat(value: Any, offset: int) -> Iterator[Node | Item]:
    """An item, or a tree of them without recursion."""
    if value is None:
        yield Skipped(reason="missing", offset=offset)
        return
    waiting = [(value, 0)]
    while waiting:
        item, parent = waiting.pop()
        number = number_of(item.get("id")) if isinstance(item, dict) else None
        if number is None:
            yield Quarantined(reason="no_id", offset=offset, detail="an item without a number")
            continue
        children = [c for c in item.get("children") or [] if isinstance(c, dict)]
        waiting += [(child, number) for child in children]
        kind = item.get("type")
        if kind is None:
            kind = "story" if item.get("title") else "comment"
        yield {
            "id": number,
            "parent": number_of(item.get("parent")) or number_of(item.get("parent_id")) or parent,
            "type": _TYPES.get(str(kind), str(kind)),
            "by": item.get("by") or item.get("author") or "",
            "text": item.get("text") or "",
            "title": item.get("title") or "",
            "url": item.get("url") or "",
            "score": number_of(item.get("score", item.get("points"))),
            "time": number_of(item.get("time", item.get("created_at_i"))),
            "gone": bool(item.get("deleted") or item.get("dead")),
            "comments": number_of(item.get("descendants")),
            "kids": [n for n in map(number_of, item.get("kids") or [c.get("id") for c in children]) if n],
            "offset": offset,
        }


def number_of(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
