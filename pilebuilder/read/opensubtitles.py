"""Film subtitles: the OPUS OpenSubtitles XML, and loose SubRip and WebVTT files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

UNKNOWN_FILM = "4294967295"
"""The folder OPUS uses where the film is not known: 2^32 - 1."""
MEMBERS = 2_000_000
"""Files in one archive of OPUS; the English part of 2018 has 446,612."""
_PLACE = re.compile(r"(?:^|/)(\d+|unknown)/([\d_]+)/(\d+)\.xml")
_SPACED = re.compile(r" (?=[.,!?;:%)\]}'’])|(?<=[(\[{]) | (?=n't\b)|(?<=\.\.) (?=\.)")


@reader("opensubtitles", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSubtitles:
    """One subtitle file a document, from OPUS zips, single XML files, or loose srt and vtt files.

    Format: OPUS OpenSubtitles (Lison and Tiedemann 2016), ``{year}/{imdb}/{subtitle}.xml`` with
    ``document/s/(time|w|text)`` and ``meta``; SubRip; WebVTT (W3C).
    Record unit: a subtitle file.
    Id: ``opensub:IMDB/SUBTITLE``, else the file's name.
    Text, clean style: one sentence a line; speaker dashes, sound tags and music signs, styling codes and credits
    removed; tokens joined without the tokeniser's blanks. Pile style: each sentence without leading ``-`` and ``/``,
    in double quotes, joined by one space (Gao et al. 2020).
    Metadata: subtitle, imdb, year, language, genre, country, duration, confidence, sentences.
    Licence: the card's.
    Skip reasons: ``service_file`` (OPUS's README and licence, alignments), ``machine_translated``, ``confidence``,
    ``no_text``.
    Quarantined: ``truncated``, ``parse_error`` and their like for a file that does not parse; ``wrong_format``.

    ``<s id="1"><time .../><w>Who</w> <w>is</w> <w>it</w><w>?</w></s>`` gives ``Who is it?``
    """

    style: Literal["clean", "pile"] = "clean"
    min_confidence: Annotated[float, Field(ge=0, le=1, description="OPUS's own score; files without one are kept")] = (
        0.9
    )
    machine_translated: Annotated[bool, Field(description="keep files that OPUS marks as machine translated")] = False

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _files(self, raw))


def _files(options: OpenSubtitles, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.archives import Caps
    from pilebuilder.read.base import Quarantined, Skipped
    from pilebuilder.read.cues import CueError
    from pilebuilder.read.files import Content, contents
    from pilebuilder.read.whole import looks_html, wrong_format
    from pilebuilder.read.xml import XmlError

    for found in contents(raw, caps=Caps(members=MEMBERS)):
        if not isinstance(found, Content):
            yield found
            continue
        if looks_html(found.data[:1024]):
            yield wrong_format("a subtitle file", found.data, found.offset)
            continue
        try:
            is_xml = found.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
            if not is_xml and found.path.upper().endswith(("README", "LICENSE", "INFO")):
                yield Skipped(reason="service_file", offset=found.offset, key=found.name)
                continue
            yield _xml(options, raw, found) if is_xml else _loose(options, raw, found)
        except (XmlError, CueError) as error:
            yield Quarantined(reason=error.reason, offset=found.offset, detail=error.detail, key=found.name)


def _xml(options: OpenSubtitles, raw: Raw, found: Any) -> Item:
    from pilebuilder.read.base import Skipped
    from pilebuilder.read.xml import local, tree

    root = tree(found.data)
    if local(root) != "document":
        return Skipped(reason="service_file", offset=found.offset, key=found.name)
    meta: dict[str, Any] = {}
    place = _PLACE.search(found.path)
    if place:
        year, film, subtitle = place.groups()
        meta = {"subtitle": subtitle} | ({"year": int(year)} if year.isdigit() and int(year) > 1800 else {})
        meta |= {"imdb": film} if film != UNKNOWN_FILM else {}
    sentences = []
    for element in root:
        kind = local(element)
        if kind == "s":
            sentences.append(_sentence(element))
        elif kind == "meta":
            meta |= _facts(element)
    key = f"opensub:{place[2]}/{place[3]}" if place else found.name
    if meta.pop("machine_translated", "0") == "1" and not options.machine_translated:
        return Skipped(reason="machine_translated", offset=found.offset, key=key)
    if float(meta.get("confidence", 1)) < options.min_confidence:
        return Skipped(reason="confidence", offset=found.offset, key=key)
    return _document(options, raw, found.offset, key, sentences, meta)


def _sentence(element: Any) -> str:
    """All text of a sentence: raw text with the tails of time marks, or tokens joined as people write."""
    from pilebuilder.read.xml import local, words

    tokens = [w for w in element.iter() if local(w) == "w"]
    if not tokens:
        return words(element)
    return _SPACED.sub("", " ".join("".join(w.itertext()).strip() for w in tokens))


def _facts(meta: Any) -> dict[str, Any]:
    from pilebuilder.read.xml import local, words

    wanted = ("language", "machine_translated", "confidence", "genre", "country", "duration", "original", "year")
    found: dict[str, Any] = {}
    for element in meta.iter():
        name, text = local(element), words(element) if not len(element) else ""
        if name in wanted and text and name not in found:
            found[name] = text
    if "year" in found:
        found["year"] = int(found["year"]) if found["year"].isdigit() else found["year"]
    if "confidence" in found:
        try:
            found["confidence"] = float(found["confidence"])
        except ValueError:
            del found["confidence"]
    return found


def _loose(options: OpenSubtitles, raw: Raw, found: Any) -> Item:
    from pilebuilder.read.cues import cues, plain

    lines = [line for cue in cues(found.data, found.name) for line in plain(cue.text).split("\n")]
    return _document(options, raw, found.offset, found.name, lines, {})


def _document(
    options: OpenSubtitles, raw: Raw, offset: int, key: str, sentences: list[str], meta: dict[str, Any]
) -> Item:
    from pilebuilder.read.base import Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.cues import plain, spoken

    if options.style == "pile":
        lines = [s.replace("\n", "").replace("\t", "").strip().strip("-/").strip() for s in sentences]
        text = " ".join(f'"{line}"' for line in lines)
    else:
        lines = [spoken(plain(s)) for s in sentences]
        text = "\n".join(line for line in lines if line)
    if not text:
        return Skipped(reason="no_text", offset=offset, key=key)
    meta = {**meta, "sentences": len(sentences)}
    return Record(key=key, text=tidy(text), offset=offset, url=raw.url, licence=raw.licence, meta=meta)
