"""Europarl: proceedings of the European Parliament, one sitting a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

_PLACE = re.compile(r"(?:^|/)([a-z]{2})/(ep-(\d\d)-(\d\d)-(\d\d)(?:-(\d{1,4}))?)\.txt$")
_TAG = re.compile(r"\s*<\s*(/?[A-Za-z]+)([^>]*)>\s*")
_ATTRIBUTE = re.compile(r"([A-Za-z]+)\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s\"'>]+))")


@reader("europarl", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Europarl:
    """Europarl v7 source release: ``txt/LANG/ep-YY-MM-DD[-NNN].txt``, loose or in the released tar.

    Format: https://www.statmt.org/europarl/ (release v7). Tag lines ``<CHAPTER ID=..>``, ``<SPEAKER ID=.. LANGUAGE=..
    NAME=".." AFFILIATION=..>``, ``<P>``, ``<BRK>``; every other line is a paragraph. Attributes are read tolerantly
    (quotes and ampersands are bare in them).
    Record unit: a file.
    Id: ``europarl:LANG/ep-YY-MM-DD[-NNN]``.
    Text, clean style: chapter titles as paragraphs of their own, a speech as ``Name: text``, its paragraphs separated
    by a blank line. ``style: pile``: tag lines removed, ``SPEAKER`` lines replaced by the name. Years 96 to 99 are
    19xx.
    Metadata: language, date, part, speakers, chapter titles.
    Licence: the raw file's.
    Skip reasons: ``too_short`` (under 200 characters, as in the original), ``not_named`` (another file),
    ``language`` (outside `languages`).
    Quarantined: ``bad_utf8`` (``style: pile`` only; clean style decodes by detection), ``wrong_format``.

    ``<CHAPTER ID=1>\\nAgenda\\n<SPEAKER ID=1 NAME="President">\\nI declare it open.`` gives
    ``Agenda\\n\\nPresident: I declare it open.``
    """

    style: Annotated[Literal["clean", "pile"], Field(description="clean, or as the Pile's code did it")] = "clean"
    languages: Annotated[tuple[str, ...], Field(description="two-letter codes that are kept; empty: all")] = ()
    min_chars: Annotated[int, Field(ge=0, description="shorter files are skipped as `too_short`")] = 200

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _sittings(self, raw))


def _sittings(options: Europarl, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Quarantined, Record, Skipped
    from pilebuilder.read.characters import decode, tidy
    from pilebuilder.read.files import Content, contents, is_binary
    from pilebuilder.read.whole import looks_html, wrong_format

    for found in contents(raw):
        if not isinstance(found, Content):
            yield found
            continue
        if looks_html(found.data[:1024]) or is_binary(found.data.rstrip(b"\0")):
            yield wrong_format("a Europarl sitting", found.data, found.offset)
            continue
        place = _PLACE.search(found.path if found.name != raw.name else raw.name.removesuffix(".gz"))
        if not place:
            yield Skipped(reason="not_named", offset=found.offset, key=found.name)
            continue
        language, name, year, month, day, part = place.groups()
        key = f"europarl:{language}/{name}"
        if options.languages and language not in options.languages:
            yield Skipped(reason="language", offset=found.offset, key=key)
            continue
        text, encoding = decode(found.data.rstrip(b"\0"))
        if options.style == "pile" and encoding not in ("utf-8", "ascii"):
            yield Quarantined(reason="bad_utf8", offset=found.offset, detail=f"decodes as {encoding}", key=key)
            continue
        if len(text) < options.min_chars:
            yield Skipped(reason="too_short", offset=found.offset, key=key)
            continue
        body, meta = rendered(tidy(text), pile=options.style == "pile")
        date = f"{'19' if int(year) > 60 else '20'}{year}-{month}-{day}"
        meta = {"language": language, "date": date} | ({"part": part} if part else {}) | meta
        meta |= {} if encoding in ("utf-8", "ascii") else {"encoding": encoding}
        yield Record(key=key, text=body, offset=found.offset, date=date, meta=meta)


def attributes(text: str) -> dict[str, str]:
    """Attributes of a tag line by upper-case name, however they are quoted.

    >>> attributes(' ID=1 NAME="Evans, Robert J" LANGUAGE=EN')
    {'ID': '1', 'NAME': 'Evans, Robert J', 'LANGUAGE': 'EN'}
    """
    return {
        m[1].upper(): next((g for g in m.groups()[1:] if g is not None), "").strip() for m in _ATTRIBUTE.finditer(text)
    }


def rendered(text: str, *, pile: bool = False) -> tuple[str, dict[str, Any]]:
    """A sitting as text, with the number of its speakers and the titles of its chapters."""
    out: list[str] = []
    chapters: list[str] = []
    speakers: set[str] = set()
    speaker, titled = "", False
    for line in text.split("\n"):
        tag = _TAG.fullmatch(line)
        if tag:
            kind = tag[1].upper()
            titled = kind == "CHAPTER"
            if kind == "SPEAKER":
                speaker = attributes(tag[2]).get("NAME", "")
                speakers |= {speaker} - {""}
                if pile:
                    out.append(speaker)
            elif kind == "CHAPTER":
                speaker = ""
            continue
        line = line.strip()
        if pile:
            out.append(line)
        elif line and titled:
            chapters.append(line)
            out.append(line)
        elif line:
            out.append(f"{speaker}: {line}" if speaker else line)
            speaker = ""
        if line and titled:
            titled = False
    meta = {"speakers": len(speakers)} | ({"chapters": chapters} if chapters else {})
    return ("\n" if pile else "\n\n").join(out).strip(), meta
