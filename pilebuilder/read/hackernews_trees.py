"""How the Hacker News reader brings stories and comments together and writes them down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import orjson

from pilebuilder.read.base import Item, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.hackernews_items import Node, nodes
from pilebuilder.read.hackernews_threads import Threads, pairs, settled
from pilebuilder.read.markup import html_text
from pilebuilder.read.spill import Sorter
from pilebuilder.read.streams import StreamError

if TYPE_CHECKING:
    from pilebuilder.read.hackernews import HackerNews

_LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.S)


def read(options: HackerNews, raw: Raw) -> Iterator[Item]:
    """Stories of a file, by id, with their comments in other files."""
    elsewhere, away = settled(raw)
    threads = Threads(np.concatenate([pairs(raw), *(other.pairs for other in away)]))
    sorter, error = Sorter(options.memory), None
    try:
        for number, node in enumerate(nodes(raw)):
            if isinstance(node, Item):
                yield node
            else:
                sorter.add(threads.root(node["id"]), node["id"], number, orjson.dumps(node))
    except StreamError as problem:
        error = problem
    for other in away:
        for node in other.nodes():
            sorter.add(threads.root(node["id"]), node["id"], -1, orjson.dumps(node))
    for root, rows in groupby(sorter, key=lambda row: row[0]):
        group = [orjson.loads(payload) for *_, payload in rows]
        if root in elsewhere:
            yield Skipped(reason="elsewhere", offset=group[0]["offset"], key=f"hn:{root}")
        else:
            yield from _story(options, root, group)
    if error:
        raise error


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
