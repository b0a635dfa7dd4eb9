"""Hacker News over its Firebase API: blocks of item ids, each story of a block with its whole tree of comments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want
from pilebuilder.fetch.policy import Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher

STORY_BYTES = 5000
"""Bytes of a story with its comments as JSON, from the Pile's mean of 4.92 KiB of text; only for planning."""
STORIES = 0.02
"""Share of ids that are stories with comments; only for planning."""
TREE_LIMIT = 20_000

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("hacker-news", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HackerNews:
    """Stories with their comments, as JSON lines: each story, then its comments depth first."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(description="base address of the API")] = "https://hacker-news.firebaseio.com/v0"
    first: Annotated[int, Field(ge=1, description="first item id")] = 1
    last: Annotated[int, Field(ge=0, description="last item id; 0: the newest when the listing is made")] = 0
    block: Annotated[int, Field(ge=1, le=100_000, description="ids in one raw file")] = 500
    min_score: Annotated[int, Field(ge=0, description="least score of a story")] = 1
    min_comments: Annotated[int, Field(ge=0, description="least number of comments")] = 1
    delay: Annotated[float, Field(ge=0, le=60, description="seconds between requests")] = 0.05
    connections: Annotated[int, Field(ge=1, le=16, description="requests at once")] = 4

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Blocks of ids, in seeded order when only a sample is wanted."""
        last = self.last or self._newest(web)
        starts = list(range(self.first, last + 1, self.block))
        if want.bytes is not None or want.files is not None:
            starts.sort(key=lambda s: rank(want.seed, self.url, str(s)))
        for start in starts:
            end = min(last, start + self.block - 1)
            yield Item(
                name=f"{start:09}-{end:09}.jsonl",
                address=f"{self.url}/item/{start}.json",
                estimate=int((end - start + 1) * STORIES * STORY_BYTES) or 1,
                version=f"{start}-{end}",
                extra={"_first": start, "_last": end},
            )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        return tools.compose(
            web, item, target, lambda: self._stories(web, item), f"{self.min_score},{self.min_comments}"
        )

    def _stories(self, web: Web, item: Item) -> tuple[bytes, dict[str, Any]]:
        """The block's stories and comments as JSON lines."""
        lines: list[bytes] = []
        stories = 0
        for ident in range(item.extra["_first"], item.extra["_last"] + 1):
            story = self._item(web, ident)
            if story is None or not self._fits(story):
                continue
            stories += 1
            lines += [json.dumps(node, ensure_ascii=False, sort_keys=True).encode() for node in self._tree(web, story)]
        if not lines:
            raise LeftOut("no_stories", f"no story among the ids {item.extra['_first']}..{item.extra['_last']} fits")
        return b"\n".join(lines) + b"\n", {"documents": stories}

    def _fits(self, item: dict[str, Any]) -> bool:
        if item.get("type") != "story" or item.get("dead") or item.get("deleted"):
            return False
        return int(item.get("score") or 0) >= self.min_score and int(item.get("descendants") or 0) >= self.min_comments

    def _tree(self, web: Web, story: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The story and its comments, depth first, in the order of `kids`. A comment that is gone is left out."""
        pending, seen = [story], {story["id"]}
        while pending:
            node = pending.pop()
            yield node
            for kid in reversed(node.get("kids") or []):
                if isinstance(kid, int) and kid not in seen and len(seen) < TREE_LIMIT:
                    seen.add(kid)
                    child = self._item(web, kid)
                    if child is not None:
                        pending.append(child)

    def _item(self, web: Web, ident: int) -> dict[str, Any] | None:
        url = f"{self.url}/item/{ident}.json"
        found = self._json(web, url)
        if found is not None and (not isinstance(found, dict) or found.get("id") != ident):
            raise FetchError("bad_listing", f"{url} answered something that is not item {ident}")
        return found

    def _newest(self, web: Web) -> int:
        found = self._json(web, f"{self.url}/maxitem.json")
        if not isinstance(found, int):
            raise FetchError("bad_listing", f"{self.url}/maxitem.json is no number")
        return found

    def _json(self, web: Web, url: str) -> Any:
        try:
            return web.page(url, manners=Manners(delay=self.delay, connections=self.connections)).json()
        except tools.Failed as failed:
            raise failed.final(1) from failed
