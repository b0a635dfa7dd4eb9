"""How the Reddit reader chooses submissions and groups links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.line_blocks import Oversize, lines
from pilebuilder.read.spill import Sorter
from pilebuilder.read.streams import Limits, blocks
from pilebuilder.read.whole import looks_html, wrong_format

if TYPE_CHECKING:
    from pilebuilder.read.reddit import RedditSubmissions

MAX_LINE = 64 << 20
# Hosts and file suffixes that OpenWebText2 left out.
_HOSTS = (
    "imgur.com redd.it instagram.com discord.gg gfycat.com giphy.com reddituploads.com redditmedia.com twimg.com"
    " sli.mg magaimg.net flickr.com imgflip.com youtube.com youtu.be youtubedoubler.com vimeo.com twitch.tv"
    " streamable.com  bandcamp.com soundcloud.com reddit.com gyazo.com github.com xkcd.com twitter.com spotify.com"
    " itunes.apple.com  facebook.com gunprime.com strawpoll.me voyagefusion.com rollingstone.com google.com"
    " timeanddate.com walmart.com  roanoke.com spotrac.com wikipedia.org battleforthenet.com"
)
_SUFFIXES = (
    "png jpg jpeg gif gifv pdf mp4 mp3 ogv webm doc docx log csv dat iso bin exe apk jar app ppt pps pptx xml gz xz"
    " bz2 tgz tar zip wma mov wmv 3gp svg rar wav avi 7z"
)
HOSTS = frozenset(_HOSTS.split())
SUFFIXES = tuple("." + s for s in _SUFFIXES.split())
_GONE = ("[removed]", "[deleted]", "[deleted by user]")


def read(options: RedditSubmissions, raw: Raw) -> Iterator[Item]:
    """Submissions of a dump in order, or its links by address."""
    sorter = Sorter(options.memory)
    for value, offset in _submissions(options, raw):
        if isinstance(value, Quarantined):
            yield value
        elif options.take == "self":
            yield _post(options, value, offset)
        else:
            found = _link(options, value, offset)
            if isinstance(found, Skipped):
                yield found
            else:
                group = int.from_bytes(hashlib.sha1(found["url"].encode(), usedforsecurity=False).digest()[:7])
                sorter.add(group, int(str(found["id"]), 36) % (1 << 60), offset, orjson.dumps(found))
    yield from _grouped(options, sorter)


def _submissions(options: RedditSubmissions, raw: Raw) -> Iterator[tuple[Any, int]]:
    limits = Limits(window_log=options.window_log)
    for number, line in enumerate(lines(blocks(raw.path, limits=limits, expect=raw.name), MAX_LINE)):
        if isinstance(line, Oversize):
            detail = f"a line above {MAX_LINE} bytes"
            yield Quarantined(reason="too_large", offset=line.offset, detail=detail), line.offset
            continue
        data, offset = line
        if number == 0 and looks_html(data[:1024]):
            yield wrong_format("a submissions dump", data[:1024]), 0
            return
        yield _parsed(data, offset), offset


def _parsed(line: bytes, offset: int) -> dict[str, Any] | Quarantined:
    try:
        value = orjson.loads(line)
    except ValueError as error:
        reason = "bad_utf8" if "utf-8" in str(error).lower() else "bad_json"
        return Quarantined(reason=reason, offset=offset, detail=f"{error}: {context(line[:80])}"[:300])
    if not isinstance(value, dict) or not re.fullmatch(r"[0-9a-z]{1,13}", str(value.get("id", ""))):
        return Quarantined(reason="no_id", offset=offset, detail=f"no submission: {context(line[:80])}")
    return value


def _whole_number(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return 0


def _date(value: Any) -> str | None:
    seconds = _whole_number(value)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if 0 < seconds < 1 << 33 else None


def _post(options: RedditSubmissions, value: dict[str, Any], offset: int) -> Item:
    """A self post as a document, or why it is none."""
    key = f"reddit:{value['id']}"
    text = unescape(str(value.get("selftext") or "")).strip()
    for reason, true in (
        ("link", not value.get("is_self")),
        ("over_18", options.skip_over_18 and bool(value.get("over_18"))),
        ("deleted", text in _GONE),
        ("score", _whole_number(value.get("score")) < options.min_score),
        ("empty_text", not text),
    ):
        if true:
            return Skipped(reason=reason, offset=offset, key=key)
    names = ("title", "subreddit", "score", "num_comments", "domain", "over_18", "permalink")
    meta = {name: value[name] for name in names if value.get(name) is not None}
    if not options.hide_users and value.get("author"):
        meta["author"] = value["author"]
    title = unescape(str(value.get("title") or "")).strip()
    link = value.get("permalink")
    return Record(
        key=key, text=tidy(f"{title}\n\n{text}" if title else text), offset=offset, meta=meta,
        url=f"https://www.reddit.com{link}" if isinstance(link, str) and link.startswith("/") else None,
        date=_date(value.get("created_utc")),
    )  # fmt: skip


def refused_address(url: str) -> str:
    """Why OpenWebText2 did not fetch an address (``url``, ``host``, ``suffix``), or an empty string.

    >>> [refused_address(a) for a in ("http://i.imgur.com/x.png", "https://a.example/x.PDF?v=1", "x")]
    ['host', 'suffix', 'url']
    """
    if len(url) <= 8 or " " in url or not url.lower().startswith(("http://", "https://")):
        return "url"
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "url"
    names = host.split(".")
    if not host or any(".".join(names[k:]) in HOSTS for k in range(len(names))):
        return "host" if host else "url"
    return "suffix" if parts.path.lower().endswith(SUFFIXES) else ""


def _link(options: RedditSubmissions, value: dict[str, Any], offset: int) -> dict[str, Any] | Skipped:
    """What is kept of a submission that links elsewhere, or why it is skipped."""
    key = f"reddit:{value['id']}"
    url = unescape(str(value.get("url") or ""))
    if value.get("is_self", True) or not url:
        return Skipped(reason="self", offset=offset, key=key)
    if options.skip_over_18 and value.get("over_18"):
        return Skipped(reason="over_18", offset=offset, key=key)
    if reason := refused_address(url):
        return Skipped(reason=reason, offset=offset, key=key)
    return {
        "url": url,
        "id": value["id"],
        "subreddit": str(value.get("subreddit") or ""),
        "score": _whole_number(value.get("score")),
        "title": unescape(str(value.get("title") or "")),
        "created": _whole_number(value.get("created_utc")),
    }


def _grouped(options: RedditSubmissions, sorter: Sorter) -> Iterator[Item]:
    """One document an address. Addresses whose hashes agree are told apart."""
    group: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    held = None
    for hashed, _, offset, payload in sorter:
        if hashed != held:
            yield from (_address(options, url, rows) for url, rows in sorted(group.items()))
            group, held = {}, hashed
        row = orjson.loads(payload)
        group.setdefault(row["url"], []).append((offset, row))
    yield from (_address(options, url, rows) for url, rows in sorted(group.items()))


def _address(options: RedditSubmissions, url: str, rows: list[tuple[int, dict[str, Any]]]) -> Item:
    key = "owt2:" + hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    offset, first = rows[0]
    if sum(row["score"] for _, row in rows) < options.min_score:
        return Skipped(reason="score", offset=offset, key=key, count=len(rows))
    columns = {"id": "reddit_id", "score": "reddit_score", "title": "reddit_title", "created": "reddit_created_utc"}
    meta: dict[str, Any] = {name: [row[column] for _, row in rows] for column, name in columns.items()}
    meta["subreddit"] = [row["subreddit"] for _, row in rows]
    titles = "\n".join(dict.fromkeys(row["title"].strip() for _, row in rows if row["title"].strip()))
    return Record(key=key, text=tidy(titles), offset=offset, url=url, date=_date(first["created"]), meta=meta)
