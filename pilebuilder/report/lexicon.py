"""A list of words and phrases to look for, in categories: read from a user's file, checked line by line.

Two forms, UTF-8 both. Plain: an entry a line, ``# remarks``, and headings such as ``[offensive-minority-reference]``
for what follows. CSV: a header with ``word``, and with ``category`` or ``categorization`` if there are categories; the
list of "What's in my big data" (Elazar et al. 2024) is read as it was published. A category whose name begins with
``harmless`` or ``neutral`` is counted, but flags nothing.

An entry is one word or a phrase, compared token by token (UAX #29) in lower case. A word with one of ``? * [ \\`` is a
pattern for one token: a letter or ``[set]`` or ``\\w``, each with ``?`` (or not) or ``*`` (any number of) behind it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pilebuilder.errors import RecipeError

MOST_TOKENS = 12
"""Tokens of the longest phrase."""
MOST_CHARACTERS = 120
MOST_CATEGORIES = 8
LISTED = "listed"
"""Category of an entry that names none."""
_HARMLESS = ("harmless", "neutral")
_CATEGORY = ("category", "categorization")
_PATTERN = re.compile(r"(?:(?:\w|[-'&+]|\\[w+*]|\[(?:[\w-]|\\[w+*])+\])[?*]?)+")
_SIGNS = re.compile(r"[?*\[\\]")
_STARS = 2
"""Repetitions in one pattern: matching stays quick on any token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: its words, and whether each is a pattern for one token instead of the word itself."""

    words: tuple[str, ...]
    patterns: tuple[bool, ...]
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """A checked list. `categories` in the order of first appearance."""

    entries: tuple[Entry, ...]
    categories: tuple[str, ...]

    @property
    def flagging(self) -> tuple[bool, ...]:
        """Whether an entry of each category flags its sentence."""
        return tuple(flags(name) for name in self.categories)


def flags(category: str) -> bool:
    """Whether entries of this category flag their sentence.

    >>> flags("offensive-not-minority"), flags("harmless-minority")
    (True, False)
    """
    return not category.lower().startswith(_HARMLESS)


def load(path: Path, where: str = "report.lexicon") -> Lexicon:
    """The list in a file.

    Raises `RecipeError`, with the line's number, for a file that is missing, not UTF-8 or empty, for an entry that
    stands there twice, is too long or is no pattern, and for too many categories. The entry itself is not printed.
    """
    if not path.is_file():
        raise RecipeError(f"{where}: no such file: {path}")
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: not UTF-8 (byte {error.start}); save the list as UTF-8") from None
    entries: list[Entry] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, words, category in _lines(path, text):
        entry = _entry(path, line, words, category)
        first = seen.setdefault(entry.words, line)
        if first != line:
            raise RecipeError(f"{path}:{line}: the entry of line {first} again; take one of the two out")
        entries.append(entry)
    if not entries:
        raise RecipeError(f"{path}: the list has no entry")
    categories = tuple(dict.fromkeys(e.category for e in entries))
    if len(categories) > MOST_CATEGORIES:
        raise RecipeError(f"{path}: {len(categories)} categories, at most {MOST_CATEGORIES} can be shown")
    return Lexicon(entries=tuple(entries), categories=categories)


def _lines(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, entry and category."""
    lines = text.splitlines()
    header = [name.strip().lower() for name in next(csv.reader(lines[:1]), [])]
    if "word" not in header:
        yield from _plain(lines)
        return
    word = header.index("word")
    category = next((header.index(name) for name in _CATEGORY if name in header), None)
    rows = csv.reader(lines[1:])
    for row in rows:
        line = rows.line_num + 1
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(word, category or 0):
            raise RecipeError(f"{path}:{line}: {len(row)} columns, the header has {len(header)}")
        yield line, row[word], (row[category].strip() if category is not None else "") or LISTED


def _plain(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    category = LISTED
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        heading = re.fullmatch(r"\[([\w -]+)\]", line)
        if heading:
            category = heading[1].strip()
        else:
            yield number, line, category


def _entry(path: Path, line: int, text: str, category: str) -> Entry:
    text = text.strip().lower()
    if not text:
        raise RecipeError(f"{path}:{line}: an entry without a word")
    words: list[str] = []
    patterns: list[bool] = []
    for word in text.split():
        if _SIGNS.search(word):
            if not _PATTERN.fullmatch(word) or word.count("*") - word.count("\\*") > _STARS:
                raise RecipeError(
                    f"{path}:{line}: no pattern of this list: letters, [sets] or \\w, each with ? or * behind it, at"
                    f" most {_STARS} of *"
                )
            words, patterns = [*words, word], [*patterns, True]
            continue
        found = _tokens(word)
        words, patterns = [*words, *found], [*patterns, *[False] * len(found)]
    if len(text) > MOST_CHARACTERS or len(words) > MOST_TOKENS:
        raise RecipeError(
            f"{path}:{line}: {len(words)} tokens and {len(text)} characters, a phrase has at most {MOST_TOKENS} and"
            f" {MOST_CHARACTERS}"
        )
    return Entry(words=tuple(words), patterns=tuple(patterns), category=category)


def _tokens(word: str) -> list[str]:
    """The tokens of a word as the measure sees them: "s&m" is three."""
    import numpy as np

    from pilebuilder.kernels import wordbreak

    data = np.frombuffer(word.encode(), np.uint8)
    spans, hashes = np.empty((len(data), 2), np.int64), np.empty(len(data), np.uint64)
    tables = wordbreak.properties(), wordbreak.lower_table()
    n = wordbreak.segment(data, 0, len(data), *tables, True, spans, hashes)
    return [data[start:stop].tobytes().decode() for start, stop in spans[:n].tolist()]
