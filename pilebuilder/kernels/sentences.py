"""Sentences of a document in the plain form that a toxicity model sees; identity terms hidden, listed words counted.

Plain form: Unicode compatibility decomposition without marks, lower case, words of letters only. Apostrophes vanish
inside a word, ``*`` stays there, and digits and signs that stand for letters become those letters when they touch one
(``4``, ``@`` for a; ``3`` e; ``1`` i; ``0`` o; ``5``, ``$`` s; ``7`` t). Three or more equal letters in a row become
two. ``!`` and ``?`` are tokens of their own (a run is one doubled token); all other signs, addresses and ``@names``
disappear. A word of the `HIDE` list becomes `PLACEHOLDER`; neighbours of the same kind become one.

A sentence ends at ``. ! ? ...`` before white space, at an empty line, at a line end after a short line, or after
`MAX_WORDS` words; one of fewer than `MIN_WORDS` words goes on into the next.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.fasttext import finish_hash
from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, kernel
from pilebuilder.kernels.unicode import stored

PLACEHOLDER = "#"
MIN_WORDS, MAX_WORDS = 3, 64
SHORT_LINE = 60
"""Bytes: a line shorter than this was not broken to fit a page, so its end ends a sentence."""
LAST = 0x33400
MARK = -1
HIDE, SOFT, COUNT = 1, 2, 4
"""What a listed word asks for: become the placeholder; become part of a placeholder that follows; be counted."""

CODES = types.Array(types.int32, 1, "C", readonly=True)
U64 = np.uint64


@functools.cache
def fold_codes() -> np.ndarray:
    """int32 [LAST]: what a code point becomes in a word, 0 for no letter, MARK for a mark, which vanishes."""
    return stored("plain-letters", _fold_codes, (__file__,))


def _fold_codes() -> np.ndarray:
    table = np.zeros(LAST, np.int32)
    for code in range(LAST):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] == "M" or category == "Cf":
            table[code] = MARK
        elif category[0] == "L":
            bases = [c for c in unicodedata.normalize("NFKD", char).lower() if not unicodedata.combining(c)]
            letters = [c for c in bases if unicodedata.category(c)[0] == "L"]
            table[code] = ord(letters[0]) if letters else code
    return table


@functools.cache
def leet_codes() -> np.ndarray:
    """int32 [128]: the letter that a digit or sign stands for inside a word, else 0."""
    table = np.zeros(128, np.int32)
    for sign, letter in zip("013457@$", "oieastas", strict=True):
        table[ord(sign)] = ord(letter)
    return table


@kernel(types.int64(types.int64, types.int64, types.uint8[::1]))
def put(code: Any, place: Any, out: Any) -> Any:
    """Write a code point as UTF-8 at `place`; returns the place after it."""
    if code < 0x80:
        out[place] = code
        return place + 1
    if code < 0x800:
        out[place] = 0xC0 | code >> 6
        out[place + 1] = 0x80 | code & 0x3F
        return place + 2
    if code < 0x10000:
        out[place] = 0xE0 | code >> 12
        out[place + 1] = 0x80 | code >> 6 & 0x3F
        out[place + 2] = 0x80 | code & 0x3F
        return place + 3
    out[place] = 0xF0 | code >> 18
    out[place + 1] = 0x80 | code >> 12 & 0x3F
    out[place + 2] = 0x80 | code >> 6 & 0x3F
    out[place + 3] = 0x80 | code & 0x3F
    return place + 4


@kernel(types.UniTuple(types.int64, 2)(BYTES, types.int64, types.int64))
def code_at(data: Any, at: Any, end: Any) -> Any:
    """Code point at a byte, and its length in bytes; a sequence that is cut reads as one byte 0."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        if at + 1 >= end:
            return 0, 1
        return (lead & 0x1F) << 6 | (np.int64(data[at + 1]) & 0x3F), 2
    if lead < 0xF0:
        if at + 2 >= end:
            return 0, 1
        return (lead & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | (np.int64(data[at + 2]) & 0x3F), 3
    if at + 3 >= end:
        return 0, 1
    return (
        (lead & 0x07) << 18
        | (np.int64(data[at + 1]) & 0x3F) << 12
        | (np.int64(data[at + 2]) & 0x3F) << 6
        | (np.int64(data[at + 3]) & 0x3F),
        4,
    )


@kernel(types.int64(types.uint64, UINT64S, types.Array(types.uint8, 1, "C", readonly=True)))
def listed(key: Any, keys: Any, kinds: Any) -> Any:
    """Flags of a word in an open-addressing table, 0 if it is not there."""
    mask = len(keys) - 1
    place = np.int64(key) & mask
    while keys[place] != 0:
        if keys[place] == key:
            return np.int64(kinds[place])
        place = (place + 1) & mask
    return np.int64(0)


@kernel(types.boolean(types.uint8[::1], types.int64, types.int64, BYTES, types.int64, types.int64))
def _is_address(out: Any, start: Any, stop: Any, data: Any, at: Any, end: Any) -> Any:
    """True when the word just read is http or https before ``://``, or www before a dot."""
    size = stop - start
    if size == 2 and at < end and data[at] == 46:  # three equal letters have become two
        return out[start] == 119 and out[start + 1] == 119
    if (size == 4 or size == 5) and at + 2 < end and data[at] == 58 and data[at + 1] == 47 and data[at + 2] == 47:
        return out[start] == 104 and out[start + 1] == 116 and out[start + 2] == 116 and out[start + 3] == 112
    return False


@kernel(
    types.int64(
        BYTES, INT64S, types.boolean, CODES, CODES, UINT64S, BYTES,
        types.uint8[::1], types.int64[::1], types.int32[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def split_sentences(data, offsets, split, fold, leet, keys, kinds, out, bounds, owner, words):  # type: ignore[no-untyped-def]
    """Sentences of all documents in plain form, one after the other in `out`; returns their number.

    `bounds` [m + 1] are their places in `out`, `owner` [m] their document, `words` [n, 2] the words of each document
    and those that the list counts. Without `split` a document is one sentence. Room needed: `sentences` below.
    """
    place = np.int64(0)
    count = np.int64(0)
    bounds[0] = 0
    for doc in range(len(offsets) - 1):
        at = offsets[doc]
        end = offsets[doc + 1]
        total = np.int64(0)
        flagged = np.int64(0)
        in_sentence = np.int64(0)
        word = np.int64(-1)  # start of the open word in `out`
        previous = np.int64(0)  # kind of the token before
        previous_at = np.int64(0)
        last = np.int64(0)  # the letter before, and how many of it in a row
        run = np.int64(0)
        line = at
        while at <= end:
            if at < end:
                code, size = code_at(data, at, end)
            else:
                code, size = np.int64(10), np.int64(1)
            letter = np.int64(fold[code]) if code < len(fold) else np.int64(0)
            if letter == 0 and code < 128 and at + 1 < end:
                ahead = np.int64(data[at + 1])
                next_letter = ahead >= 0x80 or fold[ahead] > 0
                if leet[code]:
                    digit = 48 <= code <= 57
                    near_digit = digit and (48 <= ahead <= 57 or (at > offsets[doc] and 48 <= data[at - 1] <= 57))
                    if not near_digit and (word >= 0 or (next_letter and code != 64)):
                        letter = np.int64(leet[code])
                    elif code == 64 and word < 0 and next_letter:  # @name
                        at += 1
                        while at < end and (
                            data[at] >= 0x80 or data[at] == 95 or fold[data[at]] > 0 or 48 <= data[at] <= 57
                        ):
                            at += 1
                        continue
                elif code == 42 and word >= 0 and next_letter:
                    letter = code
            if letter > 0:
                if word < 0:
                    word = place
                    last = np.int64(0)
                run = run + 1 if letter == last else np.int64(1)
                last = letter
                if run <= 2:
                    place = put(letter, place, out)
                at += size
                continue
            inside = code == 39 or code == 0x2019 or letter == MARK
            if inside and (word >= 0 or letter == MARK):
                at += size
                continue
            if word >= 0:
                if _is_address(out, word, place, data, at, end):
                    place = word
                    while at < end and data[at] > 32:
                        at += 1
                    word = np.int64(-1)
                    continue
                state = U64(0xCBF29CE484222325)
                for k in range(word, place):
                    state = (state ^ U64(out[k])) * U64(0x100000001B3)
                kind = listed(finish_hash(state, place - word), keys, kinds)
                total += 1
                flagged += (kind & COUNT) != 0
                if kind & HIDE:
                    if previous & HIDE:
                        place = word
                    else:
                        place = previous_at if previous & SOFT else word
                        previous_at = place
                        out[place] = 35
                        out[place + 1] = 32
                        place += 2
                        in_sentence += 1
                else:
                    previous_at = word
                    out[place] = 32
                    place += 1
                    in_sentence += 1
                previous = kind
                word = np.int64(-1)
            stop = False
            if code == 33 or code == 63:
                out[place] = code
                place += 1
                if at + 1 < end and (data[at + 1] == 33 or data[at + 1] == 63):
                    out[place] = code
                    place += 1
                    while at + 1 < end and (data[at + 1] == 33 or data[at + 1] == 63):
                        at += 1
                out[place] = 32
                place += 1
                previous = np.int64(0)
                stop = True
            elif code == 46 or code == 0x2026 or code == 0x3002:
                stop = at + size >= end or data[at + size] <= 32 or data[at + size] == 34 or data[at + size] == 41
            elif code == 10:
                stop = at - line < SHORT_LINE or (at + 1 < end and data[at + 1] == 10)
                line = at + 1
            full = in_sentence >= MAX_WORDS
            if split and ((stop and in_sentence >= MIN_WORDS) or full):
                count += 1
                bounds[count] = place
                owner[count - 1] = doc
                in_sentence = np.int64(0)
                previous = np.int64(0)
            at += size
        if place > bounds[count]:
            count += 1
            bounds[count] = place
            owner[count - 1] = doc
        words[doc, 0] = total
        words[doc, 1] = flagged
    return count


@functools.cache
def _no_words() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(1, np.uint64), np.zeros(1, np.uint8)


def sentences(
    data: np.ndarray, offsets: np.ndarray, table: tuple[np.ndarray, np.ndarray] | None = None, *, split: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Plain sentences of each document.

    Returns their UTF-8 bytes, their bounds (int64 [m + 1]), the document of each (int32 [m]), and per document its
    words and its counted words (int64 [n, 2]). `table` is made by `pilebuilder.models.wordlist.table`.
    """
    offsets = np.ascontiguousarray(offsets, np.int64)
    size, documents = int(offsets[-1] - offsets[0]), len(offsets) - 1
    # a byte becomes at most two (a letter whose lower case is longer, a sign and the space after it);
    # a sentence has MIN_WORDS words of a letter and a gap each, or is the last of its document
    out = np.empty(2 * size + 4 * documents + 16, np.uint8)
    most = (size // (2 * MIN_WORDS) if split else 0) + documents + 1
    bounds, owner = np.zeros(most + 1, np.int64), np.zeros(most, np.int32)
    words = np.zeros((documents, 2), np.int64)
    count = split_sentences(
        data, offsets, split, fold_codes(), leet_codes(), *(table or _no_words()), out, bounds, owner, words
    )
    return out[: bounds[count]], bounds[: count + 1], owner[:count], words
