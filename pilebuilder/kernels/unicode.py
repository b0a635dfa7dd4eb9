"""Character classes as tables: one number of flags per code point, made from `unicodedata` and the `lexicon` sets.

A kernel that looks a code point up here agrees with ``str.isspace``, ``str.isalpha`` and so on by construction. The
table is kept on disk (it takes about a second to make) under the version of `unicodedata` and of these sources, and
mapped read-only, so that workers share it. Without a writable cache it is made in memory.
"""

from __future__ import annotations

import functools
import hashlib
import os
import string
import unicodedata
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from pilebuilder.kernels import lexicon
from pilebuilder.kernels.cache import cache_root

CODE_POINTS = 0x110000

SPACE = 1 << 0  # str.isspace
ALPHA = 1 << 1  # str.isalpha
UPPER = 1 << 2  # str.isupper
LOWER = 1 << 3  # str.isalpha and not str.isupper: lower case, or without case
DIGIT = 1 << 4  # str.isdigit
SYMBOL = 1 << 5  # lexicon.PUNCTUATION: a word of these alone is not counted as a word
TERMINAL = 1 << 6  # lexicon.TERMINAL: ends a sentence
PREFIX = 1 << 7
SUFFIX = 1 << 8
QUOTE = 1 << 9
BEFORE_DOT = 1 << 10
ICON = 1 << 11  # category So: a word of its own
CURRENCY = 1 << 12
CATEGORY_P = 1 << 13  # Unicode punctuation: continues a sentence that has ended
UNSPACED = 1 << 14  # a letter of a script written without spaces between words
ASCII_DIGIT = 1 << 15
LINE_BREAK = 1 << 16  # str.splitlines breaks here
LOWERCASE = 1 << 17  # str.islower
CONTROL = 1 << 18  # category Cc, white space aside
AFFIX = 1 << 19  # takes part in the rules that split a chunk, though it is neither prefix nor suffix by itself
HIGH = 1 << 20  # not ASCII
INFIX = 1 << 21  # may separate words within a chunk
WORD = 1 << 22  # \w of a regular expression: str.isalnum, or an underscore
SMALL = 1 << 23  # lower or title case: no part of a word in capitals
PUNCTUATION = 1 << 24  # string.punctuation

# Scripts written without spaces between words, by the first word of their characters' Unicode names.
_UNSPACED: tuple[str, ...] = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "BALINESE",
    "JAVANESE",
)
_UNSPACED += ("YI", "TAI", "BOPOMOFO", "HALFWIDTH")
_LINE_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


@functools.cache
def classes() -> np.ndarray:
    """uint32 [0x110000]: the flags of each code point."""
    return stored("classes", _classes, (lexicon.__file__, __file__))


@functools.cache
def lower_case() -> np.ndarray:
    """uint32 [0x110000]: ``str.lower`` of each code point, where that is one code point; else the code point."""

    def make() -> np.ndarray:
        table = np.arange(CODE_POINTS, dtype=np.uint32)
        for c in range(CODE_POINTS):
            lower = chr(c).lower()
            if len(lower) == 1:
                table[c] = ord(lower)
        return table

    return stored("lower", make, (__file__,))


def _classes() -> np.ndarray:
    chars = [chr(c) for c in range(CODE_POINTS)]
    category = np.array([unicodedata.category(c) for c in chars])
    alpha, upper = _flag(map(str.isalpha, chars)), _flag(map(str.isupper, chars))
    space = _flag(map(str.isspace, chars))
    icon = category == "So"
    lower = alpha & ~upper
    of_ascii = np.arange(CODE_POINTS) < 128
    flags: list[tuple[int, np.ndarray]] = [
        (SPACE, space),
        (ALPHA, alpha),
        (UPPER, upper),
        (LOWER, lower),
        (DIGIT, _flag(map(str.isdigit, chars))),
        (SYMBOL, _members(lexicon.PUNCTUATION)),
        (TERMINAL, _members(lexicon.TERMINAL)),
        (PREFIX, _members(lexicon.PREFIXES) | icon),
        (SUFFIX, _members(lexicon.SUFFIXES) | icon),
        (QUOTE, _members(lexicon.QUOTES)),
        (BEFORE_DOT, _members(lexicon.BEFORE_DOT) | lower),
        (ICON, icon),
        (CURRENCY, _members(lexicon.CURRENCY)),
        (CATEGORY_P, np.char.startswith(category, "P")),
        (UNSPACED, alpha & _unspaced(chars, category)),
        (ASCII_DIGIT, _flag(map(str.isdigit, chars)) & of_ascii),
        (LINE_BREAK, _members(_LINE_BREAKS)),
        (LOWERCASE, _flag(map(str.islower, chars))),
        (CONTROL, (category == "Cc") & ~space),
        (AFFIX, _members(".+-*^/=~:<>")),
        (HIGH, ~of_ascii),
        (INFIX, _members(lexicon.INFIXES) | icon),
        (WORD, _flag(map(str.isalnum, chars)) | _members("_")),
        (SMALL, _flag(map(str.islower, chars)) | (category == "Lt")),
        (PUNCTUATION, _members(string.punctuation)),
    ]
    table = np.zeros(CODE_POINTS, np.uint32)
    for flag, where in flags:
        table[where] |= np.uint32(flag)
    return table


def _flag(values: map[bool]) -> np.ndarray:
    return np.fromiter(values, bool, CODE_POINTS)


def _members(chars: Collection[str]) -> np.ndarray:
    found = np.zeros(CODE_POINTS, bool)
    found[[ord(c) for c in chars]] = True
    return found


def _unspaced(chars: list[str], category: np.ndarray) -> np.ndarray:
    """Letters of the scripts in `_UNSPACED`; Korean, though an East Asian script, puts spaces between words."""
    found = np.zeros(CODE_POINTS, bool)
    for c in np.flatnonzero((category == "Lo") | (category == "Lm")):
        words = unicodedata.name(chars[c], "").split()
        found[c] = bool(words) and words[0] in _UNSPACED and "HANGUL" not in words
    return found


def stored(name: str, make: Callable[[], np.ndarray], sources: tuple[str | None, ...], extra: str = "") -> np.ndarray:
    """`make()`, kept on disk under a name that changes with `sources`, `extra` and the version of `unicodedata`."""
    digest = hashlib.sha256(f"{unicodedata.unidata_version} {extra}".encode())
    for source in sources:
        digest.update(Path(str(source)).read_bytes())
    path = cache_root() / f"{name}-{digest.hexdigest()[:16]}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except (OSError, ValueError):
        pass
    table = make()
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            np.save(stream, table)
        os.replace(partial, path)
    except OSError:
        pass
    table.flags.writeable = False
    return table
