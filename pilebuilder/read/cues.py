"""Timed text in its usual forms (SubRip, WebVTT, YouTube's XML and JSON) as cues, and what cleaning they all need."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SRT_TIME = re.compile(r"^\s*(-?\d+:\d+:\d+[,.]\d+)\s*-->\s*(-?\d+:\d+:\d+[,.]\d+)")
_VTT_TIME = re.compile(r"^\s*((?:\d+:)?\d+:\d+\.\d+)\s+-->\s+((?:\d+:)?\d+:\d+\.\d+)")
_TAG = re.compile(r"</?[A-Za-z0-9.:][^<>\n]{0,200}>")
_OVERRIDE = re.compile(r"\{\\[^{}\n]{1,200}\}")
_SOUND = re.compile(r"\[[^\[\]\n]{0,80}\]|\([^()\n]{0,80}\)|[♪♫#*]{1,3}(?=\s|$)|(?<!\S)[♪♫]+")
_CREDIT = re.compile(
    r"(?:\b(?:sub(?:title)?s?|captions?|sync(?:ed|hroni[sz]ed)?|corrections?|ripped|transcript|translat(?:ed|ion))\b"
    r"[^\n]{0,20}\bby\b)|https?://|\bwww\.|\bopensubtitles\b|\baddic7ed\b",
    re.IGNORECASE,
)
_DASH = re.compile(r"^\s*[-\u2010-\u2015/]+\s*")


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: seconds from the start, seconds of duration, its lines joined by newlines."""

    start: float
    duration: float
    text: str

    @property
    def end(self) -> float:
        return self.start + self.duration


class CueError(ValueError):
    """Text that is not of the form it claims to be; `reason` is a quarantine reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def cues(data: bytes, name: str) -> list[Cue]:
    """Cues of a file by its first bytes, whatever it is called; raises `CueError` for what is none of the forms."""
    from pilebuilder.read.characters import decode, tidy
    from pilebuilder.read.xml import tree

    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:200]
    if head.startswith(b"{"):
        return list(_json3(data))
    if head.startswith(b"<"):
        root = tree(data)
        return list(_timed_xml(root))
    text = tidy(decode(data)[0])
    if text.startswith("WEBVTT"):
        return list(_blocks(text, _VTT_TIME))
    found = list(_blocks(text, _SRT_TIME))
    if not found:
        raise CueError("wrong_format", f"{name}: no time line of SubRip, no WEBVTT, no timed XML or JSON")
    return found


def _blocks(text: str, time_line: re.Pattern[str]) -> Iterator[Cue]:
    """SubRip and WebVTT: a time line and the lines up to the next blank one (or the next cue's number and time)."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        match = time_line.match(lines[at])
        at += 1
        if not match:
            continue
        body = []
        while at < len(lines) and lines[at].strip() and not time_line.match(lines[at]):
            body.append(lines[at])
            at += 1
        if at < len(lines) and time_line.match(lines[at]) and body and body[-1].strip().isdigit():
            body.pop()  # the next cue's number, where the blank line between them is missing
        start, end = (_seconds(t) for t in match.groups())
        yield Cue(start, max(0.0, end - start), "\n".join(body))


def _seconds(stamp: str) -> float:
    sign = -1.0 if stamp.startswith("-") else 1.0
    total = 0.0
    for part in stamp.lstrip("-").replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return sign * total


def _timed_xml(root: Any) -> Iterator[Cue]:
    """YouTube's ``transcript/text`` (seconds, markup escaped twice) and ``timedtext/body/p`` (milliseconds)."""
    from pilebuilder.read.xml import local

    if local(root) not in ("transcript", "timedtext", "tt"):
        raise CueError("wrong_format", f"the root element is {local(root)!r}, not transcript or timedtext")
    for element in root.iter():
        kind = local(element)
        if kind == "text":
            text = html.unescape("".join(element.itertext()))
            yield Cue(_number(element.get("start")), _number(element.get("dur")), text)
        elif kind == "p":
            text = "".join(element.itertext()).replace("\u200b", "")
            yield Cue(_number(element.get("t")) / 1000, _number(element.get("d")) / 1000, text)


def _number(value: str | None) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return 0.0


def _json3(data: bytes) -> Iterator[Cue]:
    """YouTube's json3: events with segments; an event that only appends to the last line is a part of rolling text."""
    import orjson

    try:
        events = orjson.loads(data)["events"]
    except (ValueError, KeyError, TypeError) as error:
        whole = data.rstrip().endswith(b"}")
        raise CueError("bad_json" if whole else "truncated", f"not json3: {error}") from None
    for event in events:
        segments = event.get("segs") if isinstance(event, dict) else None
        if segments:
            text = "".join(str(s.get("utf8", "")) for s in segments if isinstance(s, dict))
            yield Cue(_number(event.get("tStartMs")) / 1000, _number(event.get("dDurationMs")) / 1000, text)


def plain(text: str) -> str:
    """Caption text without styling: tags, override codes, entities and zero-width marks go; lines stay."""
    text = html.unescape(_OVERRIDE.sub("", _TAG.sub("", text)))
    return "\n".join(" ".join(line.split()) for line in text.replace("\u200b", "").split("\n")).strip()


def spoken(line: str) -> str:
    """A line of speech: speaker's dash, sound tags and music signs removed; empty for credits.

    >>> spoken("- [door opens] Who is there?"), spoken("Subtitles by someone"), spoken("♪")
    ('Who is there?', '', '')
    """
    if _CREDIT.search(line):
        return ""
    return " ".join(_DASH.sub("", _SOUND.sub(" ", line)).split())


def unrolled(found: list[Cue]) -> list[Cue]:
    """Rolling captions once each: a line that repeats what was just on screen is left out.

    Automatic captions show each line two or three times, first growing, then scrolled up by one.
    """
    out: list[Cue] = []
    shown: list[str] = []
    for cue in found:
        lines = [line for line in plain(cue.text).split("\n") if line]
        fresh = [line for line in lines if line not in shown]
        if fresh and out and shown and fresh[0].startswith(shown[-1] + " "):
            last = out[-1]
            out[-1] = Cue(last.start, max(last.duration, cue.end - last.start), _grown(last.text, shown[-1], fresh[0]))
            fresh_rest = fresh[1:]
        else:
            fresh_rest = fresh
        if fresh_rest:
            out.append(Cue(cue.start, cue.duration, "\n".join(fresh_rest)))
        if lines:
            shown = lines
    return out


def _grown(text: str, line: str, longer: str) -> str:
    return text[: len(text) - len(line)] + longer if text.endswith(line) else text + "\n" + longer
