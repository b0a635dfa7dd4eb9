"""Default word boundaries of Unicode (UAX #29) over UTF-8 buffers, and plain white-space words, each with a hash.

The properties Word_Break and Extended_Pictographic come from the `regex` package, which carries the Unicode data; the
table is kept on disk as `pilebuilder.kernels.unicode` keeps its own. A token is a segment that does not begin with
white space, so punctuation marks are tokens, as in the published n-gram counts of large corpora.
"""

from __future__ import annotations

import functools
from importlib.metadata import version

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, kernel
from pilebuilder.kernels.unicode import CODE_POINTS, stored

PROPERTIES = (
    "CR", "LF", "Newline", "Extend", "ZWJ", "Format", "Regional_Indicator", "Katakana", "Hebrew_Letter", "ALetter",
    "MidLetter", "MidNum", "MidNumLet", "Single_Quote", "Double_Quote", "Numeric", "ExtendNumLet", "WSegSpace",
)  # fmt: skip
OTHER = 0
(
    CR, LF, NEWLINE, EXTEND, ZWJ, FORMAT, REGIONAL, KATAKANA, HEBREW, LETTER,
    MID_LETTER, MID_NUM, MID_NUM_LET, SINGLE, DOUBLE, NUMERIC, EXTEND_NUM_LET, BLANK,
) = range(1, 19)  # fmt: skip
PICTURE, SPACE = 32, 64
KIND = 31

SPANS = types.Array(types.int64, 2, "C")
HASHES = types.Array(types.uint64, 1, "C")
TABLE = types.Array(types.uint8, 1, "C", readonly=True)
LOWER = types.Array(types.int32, 1, "C", readonly=True)

_START, _FACTOR = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)


@functools.cache
def properties() -> np.ndarray:
    """uint8 [0x110000]: number of the Word_Break property, with the flags `PICTURE` and `SPACE`."""
    return stored("wordbreak", _properties, (__file__,), extra=f"regex {version('regex')}")


def _properties() -> np.ndarray:
    import regex

    # Surrogates are no text; any stand-in without a property does.
    text = "".join(chr(c) if not 0xD800 <= c < 0xE000 else "\ufffd" for c in range(CODE_POINTS))
    table = np.zeros(CODE_POINTS, np.uint8)
    for number, name in enumerate(PROPERTIES, 1):
        for found in regex.finditer(rf"\p{{Word_Break={name}}}+", text):
            table[found.start() : found.end()] = number
    for pattern, flag in ((r"\p{Extended_Pictographic}+", PICTURE), (r"\s+", SPACE)):
        for found in regex.finditer(pattern, text):
            table[found.start() : found.end()] |= flag
    return table


@functools.cache
def lower_case() -> np.ndarray:
    """int32 [0x110000]: the simple lower-case form of each code point (itself where that is not one character)."""
    lower = ((chr(c).lower() if not 0xD800 <= c < 0xE000 else chr(c)) for c in range(CODE_POINTS))
    return np.fromiter((ord(s) if len(s) == 1 else c for c, s in enumerate(lower)), np.int32, CODE_POINTS)


@functools.cache
def lower_table() -> np.ndarray:
    """`lower_case`, kept on disk."""
    return stored("lowercase", lower_case, (__file__,))


@kernel(types.UniTuple(types.int64, 2)(BYTES, types.int64))
def _decode(data, i):  # type: ignore[no-untyped-def]
    """Code point that starts at byte `i`, and where the next one starts."""
    b = np.int64(data[i])
    if b < 0x80:
        return b, i + 1
    if b < 0xE0:
        return (b & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F), i + 2
    if b < 0xF0:
        return (b & 0xF) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (np.int64(data[i + 2]) & 0x3F), i + 3
    high = (b & 7) << 18 | (np.int64(data[i + 1]) & 0x3F) << 12
    return high | (np.int64(data[i + 2]) & 0x3F) << 6 | (np.int64(data[i + 3]) & 0x3F), i + 4


@kernel(types.int64(BYTES, types.int64, types.int64, TABLE))
def _next_kind(data, i, stop, table):  # type: ignore[no-untyped-def]
    """Property of the next character that is not Extend, Format or ZWJ (rule WB4); 0 at the end."""
    while i < stop:
        point, i = _decode(data, i)
        kind = np.int64(table[point]) & KIND
        if kind < EXTEND or kind > FORMAT:
            return kind
    return 0


@kernel(types.boolean(types.int64))
def _is_letter(kind):  # type: ignore[no-untyped-def]
    return kind in (LETTER, HEBREW)


@kernel(types.boolean(types.int64, types.int64, types.int64, types.int64))
def _joins(before, last, kind, following):  # type: ignore[no-untyped-def]
    """Whether rules WB5 to WB13b keep `kind` with what precedes it; `following` is the property after it."""
    letter, number = _is_letter(last), last == NUMERIC
    if _is_letter(kind):
        if letter or number or last == EXTEND_NUM_LET:
            return True
        if _is_letter(before) and (last in (MID_LETTER, MID_NUM_LET, SINGLE)):
            return True
        return before == HEBREW and last == DOUBLE and kind == HEBREW
    if kind == NUMERIC:
        if letter or number or last == EXTEND_NUM_LET:
            return True
        return before == NUMERIC and (last in (MID_NUM, MID_NUM_LET, SINGLE))
    if kind in (MID_LETTER, MID_NUM_LET, SINGLE):
        if letter and _is_letter(following):
            return True
        if kind == SINGLE and last == HEBREW:
            return True
        return number and kind != MID_LETTER and following == NUMERIC
    if kind == MID_NUM:
        return number and following == NUMERIC
    if kind == DOUBLE:
        return last == HEBREW and following == HEBREW
    if kind == KATAKANA:
        return last in (KATAKANA, EXTEND_NUM_LET)
    if kind == EXTEND_NUM_LET:
        return letter or number or last in (KATAKANA, EXTEND_NUM_LET)
    return False


@kernel(types.int64(BYTES, types.int64, types.int64, TABLE, LOWER, types.boolean, SPANS, HASHES))
def segment(data, start, stop, table, lower, fold, spans, hashes):  # type: ignore[no-untyped-def]
    """Tokens of ``data[start:stop]``: first byte and the byte after in `spans` [n, 2], hash of each in `hashes`.

    With `fold` the hash is of the characters in lower case (`lower_table`). Returns n; both arrays need a row for each
    byte of text at most. Rule numbers are those of UAX #29.
    """
    count = 0
    i, begin = start, start
    before, last, raw = 0, 0, 0  # the two properties before (WB4 skipped), and the one really before
    regional = 0
    token = False
    h = _START
    while i < stop:
        point, after = _decode(data, i)
        value = np.int64(table[point])
        kind = value & KIND
        breaks = True
        if i == start or (raw == CR and kind == LF):
            breaks = i == start
        elif (CR <= raw <= NEWLINE) or (CR <= kind <= NEWLINE):  # WB3a, WB3b
            breaks = True
        elif (
            EXTEND <= kind <= FORMAT  # WB4
            or (raw == ZWJ and value & PICTURE)  # WB3c
            or (raw == BLANK and kind == BLANK)  # WB3d
            or (kind == REGIONAL and last == REGIONAL and regional % 2 == 1)  # WB15, WB16
        ):
            breaks = False
        elif kind >= KATAKANA and last >= KATAKANA:
            following = 0
            if MID_LETTER <= kind <= DOUBLE:
                following = _next_kind(data, after, stop, table)
            breaks = not _joins(before, last, kind, following)
        if breaks:
            if token:
                spans[count, 0], spans[count, 1], hashes[count] = begin, i, (h ^ (h >> _SHIFT)) * _MIX
                count += 1
            begin, h = i, _START
            token = value & SPACE == 0
        h = (h ^ np.uint64(lower[point] if fold else point)) * _FACTOR
        if not (EXTEND <= kind <= FORMAT) or CR <= raw <= NEWLINE or i == start:
            before, last = last, kind
            regional = regional + 1 if kind == REGIONAL else 0
        raw = kind
        i = after
    if token:
        spans[count, 0], spans[count, 1], hashes[count] = begin, i, (h ^ (h >> _SHIFT)) * _MIX
        count += 1
    return count


def word_hash(word: str) -> int:
    """The hash that `segment` with `fold` gives a token, in plain Python."""
    full, h = (1 << 64) - 1, int(_START)
    lower = lower_table()
    for char in word:
        h = (h ^ int(lower[ord(char)])) * int(_FACTOR) & full
    return (h ^ (h >> 32)) * int(_MIX) & full


@kernel(types.int64(BYTES, types.int64, types.int64, TABLE, LOWER, SPANS, HASHES))
def split_lower(data, start, stop, table, lower, spans, hashes):  # type: ignore[no-untyped-def]
    """Words between white space, hashed in lower case (character by character); arguments as `segment`."""
    count = 0
    i, begin = start, -1
    h = _START
    while i < stop:
        point, after = _decode(data, i)
        if table[point] & SPACE:
            if begin >= 0:
                spans[count, 0], spans[count, 1], hashes[count] = begin, i, (h ^ (h >> _SHIFT)) * _MIX
                count += 1
            begin = -1
        else:
            if begin < 0:
                begin, h = i, _START
            h = (h ^ np.uint64(lower[point])) * _FACTOR
        i = after
    if begin >= 0:
        spans[count, 0], spans[count, 1], hashes[count] = begin, i, (h ^ (h >> _SHIFT)) * _MIX
        count += 1
    return count
