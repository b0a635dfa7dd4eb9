"""C4's line and document rules in one pass (Raffel et al. 2020, section 2.2; c4_utils.py of TensorFlow Datasets)."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.affixes import special_tables
from pilebuilder.kernels.jit import (
    BYTES,
    INT64,
    INT64S,
    UINT32S,
    UINT64,
    UINT64S,
    address,
    byte,
    device,
    i64,
    kernel,
    set_byte,
    u32,
)
from pilebuilder.kernels.lines import breaks_besides_newline, line_end, skip_space, trim_space
from pilebuilder.kernels.unicode import CATEGORY_P, LINE_BREAK, SPACE, TERMINAL
from pilebuilder.kernels.utf8 import decode
from pilebuilder.kernels.words import MAX_CHUNK, split_chunk

MARKS = ".?!\"'"
"""What a line must end in."""
LINE_REASONS = ("long_word", "no_terminal_mark", "few_words", "javascript", "policy")
"""Why a line goes, in the order in which C4 asks."""
COLUMNS = ("sentences", "lorem_ipsum", "curly_bracket", "lines", "kept_lines", "citation_bytes", *(
    f"{reason}_bytes" for reason in LINE_REASONS
))  # fmt: skip

# What to look for, and the byte of each phrase that is rarest in prose: `phrases` stops only there.
_PHRASES = (
    ("lorem ipsum", "p", 1), ("javascript", "j", 2), ("{", "{", 4), ("terms of use", "f", 8),
    ("privacy policy", "v", 8), ("cookie policy", "k", 8), ("uses cookies", "k", 8), ("use of cookies", "k", 8),
    ("use cookies", "k", 8),
)  # fmt: skip
LOREM, JAVASCRIPT, CURLY, POLICY = 1, 2, 4, 8
TERMINAL_MARK, CITATIONS, SCRIPT, POLICIES, LOREM_IPSUM, CURLY_BRACKET = 1, 2, 4, 8, 16, 32
CONDEMN_LOREM, CONDEMN_CURLY, CONDEMN_FEW, ELLIPSIS = 64, 128, 256, 512
_LIMIT = 16


@functools.cache
def phrase_table() -> np.ndarray:
    """uint8 [256 + 9 * 16]: 1 for each anchor byte (either case); then per phrase its bit, length, anchor, bytes."""
    table = np.zeros(256 + len(_PHRASES) * _LIMIT, np.uint8)
    for number, (phrase, anchor, bit) in enumerate(_PHRASES):
        table[[ord(anchor), ord(anchor.upper())]] = 1
        row = table[256 + number * _LIMIT :]
        row[:3] = bit, len(phrase), phrase.rindex(anchor)
        # at most 13 bytes are compared: "privacy policy" and "use of cookies" are told apart long before
        row[3 : 3 + min(len(phrase), _LIMIT - 3)] = bytearray(phrase.encode())[: _LIMIT - 3]
    return table


@device
def phrases(d: Any, s: Any, e: Any, table: Any) -> Any:
    """Bits of the phrases that occur in [s, e), letters of either case."""
    found = 0
    for i in range(s, e):
        b = byte(d, i)
        if byte(table, b):
            for number in range(9):
                row = 256 + number * 16
                start = i - byte(table, row + 2)
                n = byte(table, row + 1)
                if start >= s and start + n <= e:
                    k = 0
                    while k < n and k < 13:
                        x = byte(d, start + k)
                        if x - 65 >= 0 and x - 65 < 26:
                            x |= 32
                        if x != byte(table, row + 3 + k):
                            break
                        k += 1
                    if k == n or k == 13:
                        found |= byte(table, row)
    return found


@device
def has_long_word(d: Any, s: Any, e: Any, cls: Any, limit: Any) -> Any:
    """Whether [s, e) holds a run of more than `limit` characters without white space."""
    run = 0
    while s < e:
        c, n = decode(d, s)
        run = 0 if u32(cls, c) & SPACE else run + 1
        if run > limit:
            return True
        s += n
    return False


@device
def words_up_to(d: Any, s: Any, e: Any, cls: Any, limit: Any) -> Any:
    """Runs without white space in [s, e), counted up to `limit`."""
    found = 0
    inside = False
    while s < e and found < limit:
        c = byte(d, s)
        n = 1
        if c >= 0x80:
            c, n = decode(d, s)
        space = u32(cls, c) & SPACE != 0
        if not space and not inside:
            found += 1
        inside = not space
        s += n
    return found


EDIT = tuple(b"[edit]")
CITATION_NEEDED = tuple(b"[citation needed]")


@device
def starts_with(d: Any, s: Any, e: Any, text: Any) -> Any:
    if e - s < len(text):
        return False
    for k in range(len(text)):  # noqa: SIM110
        if byte(d, s + k) != text[k]:
            return False
    return True


@device
def without_citations(d: Any, s: Any, e: Any, o: Any, at: Any) -> Any:
    """Copy [s, e) to `o` from `at` without ``[12]``, ``[]``, ``[edit]``, ``[citation needed]``; returns the end."""
    while s < e:
        b = byte(d, s)
        if b == 91:
            k = s + 1
            while k < e and byte(d, k) >= 48 and byte(d, k) <= 57:
                k += 1
            if k < e and byte(d, k) == 93:
                s = k + 1
                continue
            if starts_with(d, s, e, EDIT):
                s += len(EDIT)
                continue
            if starts_with(d, s, e, CITATION_NEEDED):
                s += len(CITATION_NEEDED)
                continue
        set_byte(o, at, b)
        at += 1
        s += 1
    return at


@device
def all_punctuation(d: Any, s: Any, e: Any, cls: Any) -> Any:
    while s < e:
        c, n = decode(d, s)
        if not u32(cls, c) & CATEGORY_P:
            return False
        s += n
    return True


@device
def sentences(d: Any, s: Any, e: Any, size: Any, cls: Any, keys: Any, parts: Any, spans: Any, limit: Any) -> Any:
    """Sentences in the line [s, e), counted up to `limit`: one ends at a terminal mark that a word follows."""
    found = 0
    ended = False
    while s < e:
        k = s
        while k < e and u32(cls, decode(d, k)[0]) & SPACE:
            k += decode(d, k)[1]
        if (k > s + 1 or (k > s and byte(d, s) != 32)) and (ended or found == 0):
            # white space other than one blank counts as a word, as it does for spaCy's sentencizer
            found += 1
            ended = False
        s = k
        flags = 0
        while k < e and k - s < MAX_CHUNK:
            c, n = decode(d, k)
            f = u32(cls, c)
            if f & SPACE:
                break
            flags |= f
            k += n
        if k == s:
            break
        for q in range(split_chunk(d, s, k, size, cls, keys, parts, spans, flags)):
            a, b = i64(spans, 2 * q), i64(spans, 2 * q + 1)
            c, n = decode(d, a)
            f = u32(cls, c)
            ends = n == b - a and f & TERMINAL != 0
            if found == 0:
                found = 1
            elif ended and not ends and not all_punctuation(d, a, b, cls):
                found += 1
                ended = False
                if found >= limit:
                    return found
            if ends:
                ended = True
        s = k
    return found


@device
def ends_sentence(o: Any, s: Any, e: Any, low: Any, high: Any, ellipsis: Any) -> Any:
    """Whether a line ends in one of the marks (ASCII, as bits of two numbers), and not in dots unless they may be."""
    if e <= s:
        return False
    b = byte(o, e - 1)
    marks = low if b < 64 else high
    if b >= 0x80 or not marks >> np.uint64(b & 63) & np.uint64(1):
        return False
    return ellipsis or not (b == 46 and e - s > 2 and byte(o, e - 2) == 46 and byte(o, e - 3) == 46)


@kernel(
    types.void(
        BYTES, INT64S, BYTES, UINT32S, UINT64S, INT64S, BYTES, types.int64[::1], INT64, INT64, INT64, INT64,
        UINT64, UINT64, types.uint8[::1], types.int64[::1], types.int64[:, ::1],
    )
)  # fmt: skip
def c4_lines(  # type: ignore[no-untyped-def]
    data, offsets, leave, classes, special_keys, special_parts, phrase_bytes, spans_, min_sentences, min_words,
    max_word_length, switches, marks_low, marks_high, texts, ends, out,
):  # fmt: skip
    """Texts without the lines that C4 removes into `texts` (8 bytes longer than `data`), their ends into `ends`.

    `leave[k]`: copy document k as it is. `switches`: see the function of that name. A document that is condemned
    leaves no text, and is not read to its end; sentences are counted as far as the verdict needs them.
    """
    d, o, size, cls = address(data), address(texts), len(texts), address(classes)
    keys, parts, table, spans = address(special_keys), address(special_parts), address(phrase_bytes), address(spans_)
    at = 0
    enough = min_sentences if switches & CONDEMN_FEW else np.int64(1) << 62
    for row in range(len(ends)):
        s, e = offsets[row], offsets[row + 1]
        begin = at
        if leave[row]:
            for i in range(s, e):
                set_byte(o, at, byte(d, i))
                at += 1
            ends[row] = at
            continue
        odd = breaks_besides_newline(d, s, e)
        found = 0
        while s < e:
            if odd:
                b = s
                n = 0
                while b < e:
                    c, n = decode(d, b)
                    if u32(cls, c) & LINE_BREAK:
                        break
                    b += n
                after = b + n if b < e else e
                if b + 1 < e and byte(d, b) == 13 and byte(d, b + 1) == 10:
                    after = b + 2
            else:
                b = line_end(d, s, e, len(data))[0]
                after = min(b + 1, e)
            first = skip_space(d, s, b, cls)
            last = trim_space(d, first, b, cls)
            out[row, 3] += 1
            reason = -1
            start = at + (at > begin)
            stop = start
            if (
                max_word_length >= 0
                and last - first > max_word_length
                and has_long_word(d, first, last, cls, max_word_length)
            ):
                reason = 0
            else:
                if switches & CITATIONS:
                    stop = without_citations(d, first, last, o, start)
                else:
                    for i in range(first, last):
                        set_byte(o, stop, byte(d, i))
                        stop += 1
                if switches & TERMINAL_MARK and not ends_sentence(
                    o, start, stop, marks_low, marks_high, switches & ELLIPSIS != 0
                ):
                    reason = 1
                elif words_up_to(d, first, last, cls, min_words) < min_words:
                    reason = 2
                else:
                    bits = phrases(o, start, stop, table)
                    if bits & LOREM and switches & LOREM_IPSUM:
                        out[row, 1] = 1
                        if switches & CONDEMN_LOREM:
                            break
                    if bits & JAVASCRIPT and switches & SCRIPT:
                        reason = 3
                    elif bits & CURLY and switches & CURLY_BRACKET:
                        out[row, 2] = 1
                        if switches & CONDEMN_CURLY:
                            break
                    if reason < 0 and bits & POLICY and switches & POLICIES:
                        reason = 4
            if reason >= 0:
                out[row, 6 + reason] += after - s
            else:
                if found < enough:
                    found += sentences(o, start, stop, size, cls, keys, parts, spans, enough)
                out[row, 5] += (last - first) - (stop - start)
                out[row, 4] += 1
                if at > begin:
                    set_byte(o, at, 10)
                    at = stop
                else:  # the text as a whole is stripped, and a citation may have stood before its first word
                    first = skip_space(o, start, stop, cls)
                    for i in range(first, stop):
                        set_byte(o, at + i - first, byte(o, i))
                    at += stop - first
            s = after
        out[row, 0] = found
        condemned = (out[row, 1] and switches & CONDEMN_LOREM) or (out[row, 2] and switches & CONDEMN_CURLY)
        if condemned or (switches & CONDEMN_FEW and found < min_sentences):
            at = begin
        at = trim_space(o, begin, at, cls)
        ends[row] = at


def c4(
    data: np.ndarray, offsets: np.ndarray, leave: np.ndarray, classes: np.ndarray, *, min_sentences: int,
    min_words: int, max_word_length: int, switches: int, marks: str = MARKS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Bytes and offsets of the texts that are left, and int64 [documents, `COLUMNS`]; see `c4_lines`."""
    n = len(offsets) - 1
    texts, ends = np.empty(int(offsets[-1] - offsets[0]) + 8, np.uint8), np.zeros(n, np.int64)
    out = np.zeros((n, len(COLUMNS)), np.int64)
    keys, parts, _ = special_tables()
    bits = sum(1 << ord(mark) for mark in set(marks))
    if bits >> 128:
        raise ValueError(f"marks at the end of a line are looked for in ASCII, got {marks!r}")
    spans = np.empty(2 * (MAX_CHUNK + 8), np.int64)
    c4_lines(
        data, offsets, leave.astype(np.uint8), classes, keys, parts, phrase_table(), spans, min_sentences,
        min_words, max_word_length, switches, bits & 0xFFFFFFFFFFFFFFFF, bits >> 64, texts, ends, out,
    )  # fmt: skip
    return texts, np.concatenate(([0], ends)), out


def switches(
    *, terminal_mark: bool, citations: bool, javascript: bool, policy: bool, lorem_ipsum: bool, curly_bracket: bool,
    ellipsis: bool = False, condemn: Collection[str] = ("lorem_ipsum", "curly_bracket", "min_sentences"),
) -> int:  # fmt: skip
    """What `c4` looks for, and which findings condemn a document, as one number."""
    lines = (terminal_mark, citations, javascript, policy, lorem_ipsum, curly_bracket)
    rules = (rule in condemn for rule in ("lorem_ipsum", "curly_bracket", "min_sentences"))
    return sum(int(on) << bit for bit, on in enumerate((*lines, *rules, ellipsis)))
