"""How the Hacker News reader brings stories and comments together and writes them down."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.line_blocks import Oversize, line_blocks
from pilebuilder.read.markup import html_text
from pilebuilder.read.spill import Sorter
from pilebuilder.read.streams import blocks
from pilebuilder.read.whole import looks_html, wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.hackernews import HackerNews

MAX_LINE = 64 << 20
_LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.S)
_TYPES = {"1": "story", "2": "comment", "3": "poll", "4": "pollopt", "5": "job"}
Node = dict[str, Any]


def read(options: HackerNews, raw: Raw) -> Iterator[Item]:
    """Stories of a file, by id."""
    pairs = array("q")
    for node in _nodes(raw):
        if isinstance(node, Quarantined) and node.reason == "wrong_format":
            yield node
            return
        if not isinstance(node, Item):
            pairs.extend((node["id"], node["parent"]))
    threads = Threads(np.frombuffer(pairs, np.int64).reshape(-1, 2) if pairs else np.zeros((0, 2), np.int64))
    sorter = Sorter()
    for number, node in enumerate(_nodes(raw)):
        if isinstance(node, Item):
            yield node
        else:
            sorter.add(threads.root(node["id"]), node["id"], number, orjson.dumps(node))
    group: list[Node] = []
    held = None
    for root, _, _, payload in sorter:
        if root != held and group:
            yield from _story(options, held or 0, group)
            group = []
        held = root
        group.append(orjson.loads(payload))
    if group:
        yield from _story(options, held or 0, group)


# Items ---------------------------------------------------------------------------------------------------------------


def _nodes(raw: Raw) -> Iterator[Node | Item]:
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
        number = _number(item.get("id")) if isinstance(item, dict) else None
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
            "parent": _number(item.get("parent")) or _number(item.get("parent_id")) or parent,
            "type": _TYPES.get(str(kind), str(kind)),
            "by": item.get("by") or item.get("author") or "",
            "text": item.get("text") or "",
            "title": item.get("title") or "",
            "url": item.get("url") or "",
            "score": _number(item.get("score", item.get("points"))),
            "time": _number(item.get("time", item.get("created_at_i"))),
            "gone": bool(item.get("deleted") or item.get("dead")),
            "comments": _number(item.get("descendants")),
            "kids": [n for n in map(_number, item.get("kids") or [c.get("id") for c in children]) if n],
            "offset": offset,
        }


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


class Threads:
    """The outermost item of each item's thread, by pointer jumping over (id, parent) pairs: no recursion."""

    def __init__(self, pairs: np.ndarray) -> None:
        order = np.argsort(pairs[:, 0], kind="stable")
        self._ids, up = pairs[order, 0], pairs[order, 1]
        top = np.where(up > 0, up, self._ids)
        for _ in range(64 if len(top) else 0):
            at = np.minimum(np.searchsorted(self._ids, top), len(top) - 1)
            higher = np.where((self._ids[at] == top) & (up[at] > 0), top[at], top)
            if (higher == top).all():
                break
            top = higher
        self._top = top

    def root(self, number: int) -> int:
        """Id of the story (or whatever has no parent here) above an item."""
        return int(self._top[np.searchsorted(self._ids, number)])


# Stories -------------------------------------------------------------------------------------------------------------


def _story(options: HackerNews, root: int, group: list[Node]) -> Iterator[Item]:
    """The document of one thread, or why there is none."""
    nodes = {node["id"]: node for node in group}
    story = nodes.pop(root, None)
    key = f"hn:{root}"
    if story is None or story["parent"]:
        yield Skipped(reason="no_story", offset=group[0]["offset"], key=key)
        return
    offset = story["offset"]
    total = story["comments"] if story["comments"] is not None else len(nodes)
    for reason, true in (
        ("not_a_story", story["type"] not in options.kinds),
        ("deleted", story["gone"]),
        ("no_score", (story["score"] or 0) < options.min_score),
        ("no_comments", total < options.min_comments),
    ):
        if true:
            yield Skipped(reason=reason, offset=offset, key=key)
            return
    children: dict[int, list[Node]] = {}
    for node in nodes.values():
        children.setdefault(node["parent"], []).append(node)
    for parent, found in children.items():
        ranks = {kid: rank for rank, kid in enumerate((nodes.get(parent) or story).get("kids", []))}
        found.sort(key=lambda n: (ranks.get(n["id"], len(ranks)), n["id"]))
    text = _as_the_pile(story, children) if options.style == "pile" else _clean(story, children, options.hide_users)
    names = ("title", "by", "score", "time", "url")
    meta = {"story_id": root, **{n: story[n] for n in names if story[n]}, "comments": len(nodes)}
    if options.hide_users:
        meta.pop("by", None)
    date = datetime.fromtimestamp(story["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if story["time"] else None
    yield Record(
        key=key, text=tidy(text), offset=offset, date=date, meta=meta,
        url=f"https://news.ycombinator.com/item?id={root}",
    )  # fmt: skip


def text_of(html: str) -> str:
    """The site's HTML subset as text; a link, whose label the site cuts short, becomes its address.

    >>> text_of('See <a href="https:&#x2F;&#x2F;a.example&#x2F;long">https:...</a><p>It&#x27;s <i>new</i>.')
    "See https://a.example/long\\n\\nIt's new."
    """
    return html_text(_LINK.sub(lambda m: m[1] if m[2].endswith("...") or m[2].startswith("http") else m[0], html))


def _clean(story: Node, children: dict[int, list[Node]], hide: bool) -> str:
    """Title, text, and every comment depth first. Deleted comments are passed over, their replies are not."""
    parts = [unescape(story["title"])]
    if story["text"]:
        parts.append(text_of(story["text"]))
    waiting = [(node, 0) for node in reversed(children.get(story["id"], []))]
    while waiting:
        node, depth = waiting.pop()
        waiting += [(child, depth + 1) for child in reversed(children.get(node["id"], []))]
        body = "" if node["gone"] else text_of(node["text"])
        if body:
            said = body if hide or not node["by"] else f"{node['by']}:\n{body}"
            mark = "> " * min(depth, 20)
            parts.append("\n".join((mark + line).rstrip() for line in said.split("\n")) if depth else said)
    return "\n\n".join(parts)


def _as_the_pile(story: Node, children: dict[int, list[Node]]) -> str:
    """The original's rendering: each top comment begins a chain that follows the reply with most direct children."""
    head = f"{unescape(story['title'])} - {story['by']}\n"
    if story["url"]:
        head = f"\n{head}{story['url']}\n"
    if story["text"]:
        head = f"\n{head}{story['text']}\n"
    chains = []
    for top in children.get(story["id"], []):
        if top["gone"]:
            continue
        chain, node = f"{top['by']}\n{text_of(top['text'])}\n", top
        while live := [n for n in children.get(node["id"], []) if not n["gone"]]:
            node = max(live, key=lambda n: (len(children.get(n["id"], [])), -n["id"]))
            chain += f"\n~~~\n{node['by']}\n{text_of(node['text'])}\n"
        chains.append(chain)
    return head + "\n======\n" + "\n------\n".join(chains)
