"""Captions of videos that the user names, through yt-dlp. Human-made tracks only; the first block ends the run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, LeftOut, Want
from pilebuilder.fetch.policy import Manners
from pilebuilder.registry import fetcher

FORMATS = ("json3", "vtt", "ttml")
KEPT = ("id", "title", "channel", "channel_id", "upload_date", "license", "language", "duration", "webpage_url")
BLOCKED = ("429", "too many requests", "not a bot", "captcha", "sign in to confirm")
Video = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{6,20}$")]

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("youtube-captions", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class YoutubeCaptions:
    """Caption tracks of named videos with an allowed licence: one tar file per video, tracks and facts in it."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False

    ids: Annotated[tuple[Video, ...], Field(description="ids of the videos")] = ()
    ids_file: Annotated[str, Field(description="file with one id a line")] = ""
    languages: Annotated[tuple[str, ...], Field(description="language codes; empty: all tracks")] = ()
    licences: Annotated[tuple[str, ...], Field(description="beginnings of allowed licences; empty: all")] = (
        "Creative Commons Attribution",
    )
    delay: Annotated[float, Field(ge=1, le=3600, description="seconds between requests")] = 8.0

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """The named videos, in the order of their names."""
        for ident in self._ids():
            url = f"https://www.youtube.com/watch?v={ident}"
            yield Item(name=f"{ident}.tar", address=url, estimate=40_000, version="captions", extra={"_id": ident})

    def _ids(self) -> list[str]:
        listed: list[str] = []
        if self.ids_file:
            try:
                listed = Path(self.ids_file).expanduser().read_text("utf-8").split()
            except OSError as error:
                raise FetchError("no_folder", f"{self.ids_file} cannot be read: {error.strerror}") from None
        found = list(dict.fromkeys([*self.ids, *listed]))
        if not found:
            remedy = "set `ids` or `ids_file`; or read captions that you have: `fetch: {local: {path: FOLDER}}`"
            raise FetchError("no_items", "this component fetches only videos that you name", remedy=remedy)
        return sorted(found)

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        variant = f"{','.join(self.languages)} {','.join(self.licences)}"
        return tools.compose(web, item, target, lambda: self._captions(web, item), variant)

    def _captions(self, web: Web, item: Item) -> tuple[bytes, dict[str, Any]]:
        info = self._info(item)
        licence = str(info.get("license") or "")
        if self.licences and not licence.startswith(self.licences):
            raise LeftOut("licence", f"{item.name}: {licence or 'the standard licence'}")
        tracks = {
            language: forms
            for language, forms in sorted((info.get("subtitles") or {}).items())
            if language != "live_chat" and (not self.languages or language in self.languages)
        }
        files: dict[str, bytes] = {}
        for language, forms in tracks.items():
            chosen = next((f for kind in FORMATS for f in forms if f.get("ext") == kind and f.get("url")), None)
            if chosen is not None:
                page = web.page(str(chosen["url"]), manners=Manners(delay=self.delay))
                files[f"{item.extra['_id']}.{language}.{chosen['ext']}"] = page.body
        if not files:
            raise LeftOut("no_captions", f"{item.name}: no track made by people")
        facts = {k: info[k] for k in KEPT if info.get(k) is not None}
        files[f"{item.extra['_id']}.info.json"] = json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()
        return _tar(files), {"licence": licence, "tracks": len(files) - 1}

    def _info(self, item: Item) -> dict[str, Any]:
        try:
            import yt_dlp
        except ImportError:
            remedy = "install it: pip install 'pilebuilder[youtube]'"
            raise FetchError("not_installed", "captions need yt-dlp", remedy=remedy) from None
        options = {
            "skip_download": True,
            "writesubtitles": True,
            "writeautomaticsub": False,
            "quiet": True,
            "no_warnings": True,
            "sleep_interval_requests": self.delay,
        }
        try:
            with yt_dlp.YoutubeDL(options) as client:
                return dict(client.extract_info(item.address, download=False) or {})
        except Exception as error:
            said = str(error)
            if any(words in said.lower() for words in BLOCKED):
                remedy = "stop for today: this network is being refused"
                raise FetchError("rate_limited", f"{item.address}: {said[:200]}", remedy=remedy) from None
            raise FetchError("refused", f"{item.address}: {said[:200]}", lasting=True) from None


def _tar(files: dict[str, bytes]) -> bytes:
    """A tar file with these members, the same bytes for the same content."""
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
