"""``ftfy.fix_text`` of single lines that do look damaged, several times as fast as ftfy itself goes about it.

The order of tests and repairs is ftfy 6.3's (`fix_and_explain`, `_fix_encoding_one_step_and_explain`,
`decode_inconsistent_utf8`), and so is every expression and table; what is left out is the making of explanations and
configurations, and what stands in a line over and over (two letters that may be one) is repaired once and remembered.
With another version of ftfy each line goes to ftfy.
"""

from __future__ import annotations

import functools
import operator
import re
import unicodedata
from collections.abc import Callable
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
    fixers = _fixers(config)
    settled = None  # the text that the repair of encodings gave back last, and would give back again
    while True:
        before = line
        if config.unescape_html and "&" in line:
            line = fixes.unescape_html(line)
        if config.fix_encoding and line != settled:
            line = settled = _encoding(line)
        for fixer in fixers:
            line = fixer(line)
        if config.normalization is not None:
            line = unicodedata.normalize(config.normalization, line)
        if line == before:
            return line


@functools.lru_cache(maxsize=8)
def _fixers(config: Any) -> list[Any]:
    return [{"remove_control_chars": _without_control}.get(n, ftfy.FIXERS[n]) for n in FIXERS if getattr(config, n)]


_CONTROL_RE = re.compile("[" + re.escape("".join(map(chr, chardata.CONTROL_CHARS))) + "]")


def _without_control(text: str) -> str:
    """``ftfy.fixes.remove_control_chars(text)``, which looks every character up."""
    return fixes.remove_control_chars(text) if _CONTROL_RE.search(text) else text


def _encoding(text: str) -> str:
    """``ftfy.fix_encoding(text)``."""
    while True:
        before = text
        text = _step(text)
        if text == before:
            return text


class _Memo(dict[str, Any]):
    """What was made of a text before; empties itself when it is full."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.make = make

    def __missing__(self, text: str) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = made = self.make(text)
        return made


_embedded = _Memo(lambda text: _encoding(text) if is_bad(text) else text)
"""A few letters within a line that may stand for one: repaired if they look bad by themselves."""
_encodings = _Memo(
    lambda letter: sum(chardata.possible_encoding(letter, n) << i for i, n in enumerate(chardata.CHARMAP_ENCODINGS))
)
"""Which of ftfy's single-byte encodings have a character, as bits."""


def _step(text: str) -> str:
    """One step of the repair of encodings: the first of ftfy's plans that applies."""
    if text.isascii() or not is_bad(text):
        return text
    having = functools.reduce(operator.and_, map(_encodings.__getitem__, set(text)))
    possible = [name for i, name in enumerate(chardata.CHARMAP_ENCODINGS) if having >> i & 1]
    for encoding in possible:
        found = _decoded(text.encode(encoding), encoding)
        if found is not None:
            return found
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
    try:
        found = raw.decode("utf-8")
        if b"\x1a" not in raw:
            return found
    except UnicodeDecodeError as error:
        if _is_hopeless(raw, error):
            return None
    if encoding != "macroman" and chardata.ALTERED_UTF8_RE.search(raw):
        raw = fixes.restore_byte_a0(raw)
    if encoding.startswith("sloppy"):
        raw = fixes.replace_lossy_sequences(raw)
    try:
        return raw.decode("utf-8-variants" if 0xED in raw or 0xC0 in raw else "utf-8")
    except UnicodeDecodeError:
        return None


def _is_hopeless(raw: bytes, error: UnicodeDecodeError) -> bool:
    """Whether no repair of bytes helps: each begins at a lead byte, and replaces a space, a ``?`` or a substitute (1A)
    that stands where a continuation byte is due. Neither a continuation byte out of place is that, nor the next lead
    byte too soon. C0 and ED begin what the variants of UTF-8 have."""
    first = raw[error.start]
    if error.reason == "invalid start byte":
        return first != 0xC0
    return error.reason == "invalid continuation byte" and first != 0xED and raw[error.end] >= 0xC0


@functools.cache
def _detector() -> re.Pattern[str]:
    """ftfy's expression for letters that would be UTF-8 in some encoding, whole repetitions of it as one group."""
    pattern = chardata.UTF8_DETECTOR_RE
    assert pattern.groups == 1, pattern
    start = pattern.pattern.index("    (\n")
    return re.compile(f"{pattern.pattern[:start]}((?:{pattern.pattern[start + 5 :]})", pattern.flags)


def _in_parts(text: str) -> str:
    """Each part of a line that would be UTF-8 in some encoding, repaired by itself."""
    pieces = _detector().split(text)
    if len(pieces) == 1 or pieces[1] == text:
        return text
    pieces[1::2] = map(_embedded.__getitem__, pieces[1::2])
    return "".join(pieces)
