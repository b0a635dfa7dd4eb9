"""YouTube captions as yt-dlp and the caption interface leave them: json3, WebVTT, SubRip, timed XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

_LANGUAGE = re.compile(r"\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,2})\.[A-Za-z0-9]+$")
_VIDEO = re.compile(r"\[([A-Za-z0-9_-]{11})\]|(?:^|/)([A-Za-z0-9_-]{11})\.")
_AUTOMATIC = re.compile(r"<\d\d:\d\d:\d\d\.\d{3}><c>")
OPEN_LICENCE = "Creative Commons Attribution"


@reader("youtube", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class YouTube:
    """One caption track a document.

    Format: json3 and timed text as YouTube serves them, WebVTT (W3C), SubRip; file names as yt-dlp writes them, ``NAME
    [VIDEO].LANGUAGE.EXT``.
    Record unit: a track.
    Id: ``yt:VIDEO:LANGUAGE`` when the name tells both, else the file's name.
    Text, clean style: cues as one running text, rolling repetitions, sound tags and music signs removed. Pile style:
    one cue a line (Gao et al. 2020 also put several languages of one video into one document by minutes; here a track
    stays a document).
    Metadata: video_id, language, automatic, cues, seconds.
    Licence: what the fetch stage recorded.
    Skip reasons: ``automatic`` (speech recognition; the Pile took captions made by people), ``live_chat``,
    ``metadata`` (info.json), ``licence`` (a recorded licence that is not Creative Commons Attribution, clean style),
    ``no_text``.
    Quarantined: ``wrong_format``, ``truncated``, ``bad_json``, ``parse_error``.

    ``{"events":[{"tStartMs":0,"dDurationMs":900,"segs":[{"utf8":"Hello"},{"utf8":" there"}]}]}`` gives ``Hello there``
    """

    style: Literal["clean", "pile"] = "clean"
    automatic: Annotated[bool, Field(description="keep tracks made by speech recognition")] = False

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _tracks(self, raw))


def _tracks(options: YouTube, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Quarantined, Skipped
    from pilebuilder.read.cues import CueError
    from pilebuilder.read.files import Content, contents
    from pilebuilder.read.whole import looks_html, wrong_format
    from pilebuilder.read.xml import XmlError

    for found in contents(raw):
        if not isinstance(found, Content):
            yield found
        elif found.path.endswith(".info.json"):
            yield Skipped(reason="metadata", offset=found.offset, key=found.name)
        elif ".live_chat." in found.path:
            yield Skipped(reason="live_chat", offset=found.offset, key=found.name)
        elif looks_html(found.data[:1024]):
            yield wrong_format("a caption track", found.data, found.offset)
        else:
            try:
                yield _track(options, raw, found)
            except (XmlError, CueError) as error:
                yield Quarantined(reason=error.reason, offset=found.offset, detail=error.detail, key=found.name)


def _track(options: YouTube, raw: Raw, found: Any) -> Item:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.cues import cues, plain, spoken, unrolled

    language, video = _LANGUAGE.search(found.path), _VIDEO.search(found.path)
    code = language[1] if language else ""
    video_id = (video[1] or video[2]) if video else ""
    key = f"yt:{video_id}:{code}" if video_id and code else found.name
    licence = raw.licence
    if options.style == "clean" and licence and OPEN_LICENCE not in licence and not licence.startswith("CC-BY"):
        return Skipped(reason="licence", offset=found.offset, key=key)
    automatic = bool(_AUTOMATIC.search(found.data[:20_000].decode("utf-8", "replace"))) or code.endswith("-orig")
    if automatic and not options.automatic:
        return Skipped(reason="automatic", offset=found.offset, key=key)
    track = cues(found.data, found.name)
    if options.style == "pile":
        text = "\n".join(line for cue in track if (line := plain(cue.text)))
    else:
        text = " ".join(s for cue in unrolled(track) if (s := spoken(" ".join(plain(cue.text).split("\n")))))
    if not text:
        return Skipped(reason="no_text", offset=found.offset, key=key)
    meta = {"video_id": video_id, "language": code, "automatic": automatic, "cues": len(track)}
    meta |= {"seconds": round(max((cue.end for cue in track), default=0.0), 1)}
    url = f"https://www.youtube.com/watch?v={video_id}" if video_id else raw.url
    kept = {k: v for k, v in meta.items() if v not in ("", None)}
    return Record(key=key, text=tidy(text), offset=found.offset, url=url, licence=licence, meta=kept)
