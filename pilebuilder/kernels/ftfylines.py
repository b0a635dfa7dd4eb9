"""``ftfy.fix_text`` of single lines that do look damaged, several times as fast as ftfy itself goes about it.

The order of tests and repairs is ftfy 6.3's (`fix_and_explain`, `_fix_encoding_one_step_and_explain`,
`decode_inconsistent_utf8`), and so is every expression and table; what is left out is the making of explanations and
configurations, and what stands in a line over and over (two letters that may be one) is repaired once and remembered.
With another version of ftfy each line goes to ftfy.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

import ftfy
from ftfy import chardata, fixes
from ftfy.badness import is_bad

KNOWN = ("6.3",)
"""Versions of ftfy whose order of repairs this module has."""
REMEMBERED = 1 << 14
FIXERS = (
    "fix_c1_controls", "fix_latin_ligatures", "fix_character_width", "uncurl_quotes", "fix_line_breaks",
    "fix_surrogates", "remove_terminal_escapes", "remove_control_chars",
)  # fmt: skip


def fix_line(line: str, config: Any) -> str:
    """``ftfy.fix_text(line, config)`` of one line, for a `config` whose ``unescape_html`` is true or false."""
    if not ftfy.__version__.startswith(KNOWN) or len(line) > config.max_decode_length:
        return ftfy.fix_text(line, config)
    fixers = [ftfy.FIXERS[name] for name in FIXERS if getattr(config, name)]
    while True:
        before = line
        if config.unescape_html:
            line = fixes.unescape_html(line)
        if config.fix_encoding:
            line = _encoding(line)
        for fixer in fixers:
            line = fixer(line)
        if config.normalization is not None:
            line = unicodedata.normalize(config.normalization, line)
        if line == before:
            return line


def _encoding(text: str) -> str:
    """``ftfy.fix_encoding(text)``."""
    while True:
        before = text
        text = _step(text)
        if text == before:
            return text


@functools.lru_cache(maxsize=REMEMBERED)
def _embedded(text: str) -> str:
    """A few letters within a line that may stand for one: repaired if they look bad by themselves."""
    return _encoding(text) if is_bad(text) else text


def _step(text: str) -> str:
    """One step of the repair of encodings: the first of ftfy's plans that applies."""
    if text.isascii() or not is_bad(text):
        return text
    possible = []
    for encoding in chardata.CHARMAP_ENCODINGS:
        if chardata.possible_encoding(text, encoding):
            possible.append(encoding)
            found = _decoded(text.encode(encoding), encoding)
            if found is not None:
                return found
    if chardata.UTF8_DETECTOR_RE.search(text):
        found = _in_parts(text)
        if found != text:
            return found
    if "latin-1" in possible:
        if "windows-1252" in possible:
            return text
        try:
            found = text.encode("latin-1").decode("windows-1252")
        except UnicodeDecodeError:
            found = text
        if found != text:
            return found
    return fixes.fix_c1_controls(text) if chardata.C1_CONTROL_RE.search(text) else text


def _decoded(raw: bytes, encoding: str) -> str | None:
    """Bytes as UTF-8, or as close to it as ftfy looks for; None when they are not."""
    if encoding != "macroman" and chardata.ALTERED_UTF8_RE.search(raw):
        raw = fixes.restore_byte_a0(raw)
    if encoding.startswith("sloppy"):
        raw = fixes.replace_lossy_sequences(raw)
    try:
        return raw.decode("utf-8-variants" if 0xED in raw or 0xC0 in raw else "utf-8")
    except UnicodeDecodeError:
        return None


def _in_parts(text: str) -> str:
    """Each part of a line that would be UTF-8 in some encoding, repaired by itself."""

    def part(match: re.Match[str]) -> str:
        found = match.group(0)
        return _embedded(found) if len(found) < len(text) else found

    return chardata.UTF8_DETECTOR_RE.sub(part, text)
