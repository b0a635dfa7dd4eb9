"""Reddit submission dumps: self posts as documents, or the table of outbound links that OpenWebText2 is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader


@reader("reddit-submissions", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RedditSubmissions:
    """Monthly submission dumps (``RS_YYYY-MM.zst`` with a 2 GiB window; older ``.bz2``, ``.xz``; JSON lines).

    Format: JSON lines with the fields of Reddit's submissions (https://www.reddit.com/dev/api), as archived by month.
    Record unit: a submission; with ``take: links`` an outbound address with all its submissions, which are grouped
    (external sort, memory bounded) and their scores added, within one dump; the fetcher `openwebtext` does it over all
    months before it fetches the pages, as OpenWebText2 did.
    Id: ``reddit:ID``; of links ``owt2:SHA1`` of the address.
    Text, of a self post: title, blank line, its Markdown; ``{"title": "T", "selftext": "Body."}`` gives ``T``, an
    empty line, ``Body.`` Of links: the titles under which the address was submitted; the URL is the address.
    Metadata: title, subreddit, score, comments, domain, over_18, author unless `hide_users`; for links ``reddit_id``,
    ``subreddit``, ``reddit_score``, ``reddit_title``, ``reddit_created_utc`` as lists. Date: created_utc.
    Licence: the raw file's; posts belong to their authors.
    Skip reasons: ``link`` or ``self`` (what `take` does not ask for), ``score`` (under `min_score`, for links the
    sum), ``deleted`` (removed text or author), ``over_18`` (with `skip_over_18`), ``empty_text``, and for links
    ``url`` (short, spaces, not http), ``host`` and ``suffix`` (the lists of the original: media, file hosts,
    binaries).
    Quarantined: ``bad_json``, ``bad_utf8``, ``no_id``, ``too_large``, one line each; ``truncated``, ``corrupt``, ...
    """

    take: Annotated[Literal["self", "links"], Field(description="self posts, or outbound links")] = "self"
    min_score: Annotated[int, Field(description="lower scores are skipped")] = 3
    skip_over_18: Annotated[bool, Field(description="skip submissions marked as for adults")] = False
    hide_users: Annotated[bool, Field(description="leave author names out of the meta")] = True
    window_log: Annotated[int, Field(ge=10, le=31, description="largest zstd window, as a power of two")] = 31
    memory: Annotated[int, Field(ge=1 << 20, description="bytes of rows held before they go to a temporary file")] = (
        128 << 20
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.reddit_rows import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))
