"""Addresses that Reddit submissions link to, with their scores, from the monthly dumps that the user has."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pilebuilder.fetch.base import FetchError

if TYPE_CHECKING:
    import sqlite3

WINDOW = 1 << 31
"""Largest zstd window of the dumps; a decoder must allow it expressly."""
# Gao et al. 2020, replication code of OpenWebText2: hosts without text, and file types that are no pages.
HOSTS = frozenset(
    """
    bandcamp.com battleforthenet.com discord.gg facebook.com flickr.com gfycat.com giphy.com github.com google.com
    gunprime.com gyazo.com imgflip.com imgur.com instagram.com itunes.apple.com magaimg.net redd.it reddit.com
    redditmedia.com reddituploads.com roanoke.com rollingstone.com sli.mg soundcloud.com spotify.com spotrac.com
    strawpoll.me streamable.com timeanddate.com twimg.com twitch.tv twitter.com vimeo.com voyagefusion.com walmart.com
    wikipedia.org xkcd.com youtu.be youtube.com youtubedoubler.com
    """.split()  # noqa: SIM905
)
SUFFIXES = frozenset(
    """
    3gp 7z apk app avi bin bz2 csv dat doc docx exe gif gifv gz iso jar jpeg jpg log mov mp3 mp4 ogv pdf png pps ppt
    pptx rar svg tar tgz wav webm wma wmv xml xz zip
    """.split()  # noqa: SIM905
)
_NAME = re.compile(r"RS_(\d{4}-\d\d)(?:\.zst|\.xz|\.bz2|\.jsonl|\.json)?$")


def dumps(folder: Path) -> list[tuple[str, Path]]:
    """Month and file of each submission dump in a folder, oldest first."""
    if not folder.is_dir():
        remedy = "fetch RS_YYYY-MM.zst files with a torrent client and name their folder in `dumps`"
        raise FetchError("no_folder", f"{folder} does not exist", remedy=remedy)
    found = sorted((m[1], p) for p in folder.iterdir() if (m := _NAME.match(p.name)) and p.is_file())
    if not found:
        raise FetchError(
            "no_folder", f"{folder} holds no file RS_YYYY-MM.zst", remedy="name the dumps' folder in `dumps`"
        )
    return found


def is_wanted(url: str) -> bool:
    """Whether an address can lead to a page of text, by the rules of OpenWebText2."""
    if len(url) <= 8 or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    if parts.scheme.lower() not in ("http", "https") or not host:
        return False
    labels = host.split(".")
    if any(".".join(labels[i:]) in HOSTS for i in range(len(labels))):
        return False
    return url.partition("?")[0].lower().rpartition(".")[2] not in SUFFIXES


def submissions(path: Path) -> Iterator[dict[str, Any] | None]:
    """Submissions of one dump in order; None for a line that is no JSON object. Raises `FetchError` for a cut file."""
    try:
        with _open(path) as stream:
            for line in io.BufferedReader(stream, 1 << 20):  # type: ignore[type-var]
                try:
                    found = json.loads(line)
                except ValueError:
                    yield None
                    continue
                yield found if isinstance(found, dict) else None
    except _cut_errors() as error:
        remedy = "fetch it again and compare its SHA-256 with the publisher's list"
        raise FetchError("truncated", f"{path} cannot be read to its end: {error}", remedy=remedy) from None


def _cut_errors() -> tuple[type[Exception], ...]:
    import lzma

    import zstandard

    return (EOFError, OSError, lzma.LZMAError, zstandard.ZstdError)


def _open(path: Path) -> IO[bytes]:
    import bz2
    import lzma

    if path.suffix == ".zst":
        return _Frames(path)  # type: ignore[return-value]
    if path.suffix == ".xz":
        return lzma.open(path)
    return bz2.open(path) if path.suffix == ".bz2" else path.open("rb")


class _Frames(io.RawIOBase):
    """A zstd file, frame after frame, that is an error when it ends inside a frame."""

    def __init__(self, path: Path) -> None:
        import zstandard

        self._source = path.open("rb")
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW)
        self._frame: Any = self._decompressor.decompressobj()
        self._begun = False
        self._left = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            block = self._left or self._source.read(1 << 18)
            self._left = b""
            if not block:
                if self._begun:
                    raise EOFError("it ends inside a zstd frame")
                return 0
            self._begun = True
            self._ready = self._frame.decompress(block)
            if self._frame.eof:
                self._left = self._frame.unused_data
                self._frame, self._begun = self._decompressor.decompressobj(), False
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._source.close()
        super().close()


def collect(folder: Path, database: Path, first: str, until: str) -> dict[str, int]:
    """Write every wanted address of the dumps' months to a database with its summed score; returns counts."""
    import sqlite3

    counts = {"submissions": 0, "broken": 0, "links": 0}
    with sqlite3.connect(database) as held:
        held.execute("PRAGMA synchronous = OFF")
        held.execute("CREATE TABLE links (url TEXT PRIMARY KEY, score INTEGER, facts TEXT) WITHOUT ROWID")
        for month, path in dumps(folder):
            if first <= month <= until:
                for found in submissions(path):
                    counts["submissions"] += 1
                    counts["broken"] += found is None
                    if found is not None and _note(held, found):
                        counts["links"] += 1
    return counts


def _note(held: sqlite3.Connection, found: dict[str, Any]) -> bool:
    url = html.unescape(str(found.get("url") or ""))
    if found.get("is_self", True) or not is_wanted(url):
        return False
    score = found.get("score")
    facts = [found.get("id"), found.get("subreddit"), score, found.get("title"), str(found.get("created_utc") or "")]
    text = json.dumps(facts, ensure_ascii=False)
    held.execute(
        "INSERT INTO links VALUES (?, ?, ?) ON CONFLICT (url) DO UPDATE"
        " SET score = score + excluded.score, facts = facts || char(10) || excluded.facts",
        (url, score if isinstance(score, int) else 0, text),
    )
    return True


def links(database: Path, min_score: int) -> Iterator[tuple[str, int, list[list[Any]]]]:
    """Addresses with at least that score, by address: address, score, and facts of its submissions."""
    import sqlite3

    with sqlite3.connect(database) as held:
        rows = held.execute("SELECT url, score, facts FROM links WHERE score >= ? ORDER BY url", (min_score,))
        for url, score, facts in rows:
            yield url, score, [json.loads(line) for line in facts.split("\n")]
