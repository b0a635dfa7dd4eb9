"""Hacker News: stories with their comment trees, from item dumps or whole trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.read.survey import Surveys


@reader("hackernews", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class HackerNews:
    """Hacker News items as JSON lines (Firebase or BigQuery fields) or Algolia trees: one document a story.

    Format: https://github.com/HackerNews/API (items), https://hn.algolia.com/api (trees); a file may be one item, one
    tree, a JSON array, or lines of either, in any order, compressed or not.
    Record unit: a story with the comments under it, in this file or in others of the component.
    Id: ``hn:ID``.
    Text, ``clean``: title; the story's text; then every comment depth first, ``author:`` and its text, each line under
    ``> `` marks for its depth; `hide_users` leaves authors out. Children are in the order of ``kids`` (else by id);
    the HTML subset becomes text, links are their full address::

        Show HN: A thing

        amy:
        How fast is it?

        > bob:
        > Fast enough.

    ``pile``: as the original's code did (``======``, ``~~~``, ``------``; a chain follows the reply with most
    children).
    Metadata: story_id, title, by, score, time, url, comments; URL: the item's page.
    Licence: the posts belong to their authors; the card says so.
    Skip reasons: ``no_score`` (under `min_score`), ``no_comments`` (fewer than `min_comments`, by the item's own count
    where it has one), ``deleted`` (deleted or dead stories), ``not_a_story`` (jobs, polls, options; with `kinds`
    otherwise), ``missing`` (a literal null), ``empty_text``; for comments, counted by thread: ``elsewhere`` (they are
    in the document of a story in another file), ``no_story`` (the story is in no file).
    Quarantined: ``bad_json``, ``bad_utf8``, ``no_id``, ``too_large``, ``wrong_format``.

    Two passes: parents first (16 bytes an item in memory), then an external sort brings each tree together.
    """

    style: Annotated[Literal["clean", "pile"], Field(description="clean, or as the Pile's code did it")] = "clean"
    kinds: Annotated[tuple[str, ...], Field(description="types of items that make documents")] = ("story",)
    min_score: Annotated[int, Field(description="stories with a lower score are skipped")] = 1
    min_comments: Annotated[int, Field(ge=0, description="stories with fewer comments are skipped")] = 1
    hide_users: Annotated[bool, Field(description="leave user names out")] = False
    memory: Annotated[int, Field(ge=1 << 20, description="bytes of rows held before they go to a temporary file")] = (
        128 << 20
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.hackernews_trees import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))

    def survey(self, raw: Raw) -> pa.Table:
        """The items of a file and their threads."""
        from pilebuilder.read.hackernews_threads import survey

        return survey(raw)

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """Threads whose story is in another file."""
        from pilebuilder.read.hackernews_threads import settle

        return settle(surveys)
