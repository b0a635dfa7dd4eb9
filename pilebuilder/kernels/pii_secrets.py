"""Access tokens, key blocks and assigned passwords in text and code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, UINT64S, kernel
from pilebuilder.kernels.pii_addresses import lower_hash, member
from pilebuilder.kernels.pii_tables import ALNUM, DIGIT, SECRET_CLASSES, TOKEN

INT = types.int64
PAIR = types.UniTuple(types.int64, 2)
RULES = types.Array(types.int64, 2, "C", readonly=True)
MAX_KEY_BLOCK = 1 << 15
U64 = np.uint64


@kernel(types.int64(BYTES, INT, INT, BYTES))
def find_text(data: Any, start: Any, stop: Any, text: Any) -> Any:
    """First place of `text` in data[start:stop], or -1."""
    size = len(text)
    for k in range(start, stop - size + 1):
        if data[k] == text[0]:
            same = True
            for j in range(1, size):
                if data[k + j] != text[j]:
                    same = False
                    break
            if same:
                return k
    return -1


@kernel(types.boolean(BYTES, INT, INT))
def _same_letters(data: Any, start: Any, stop: Any) -> Any:
    """True for a stretch of very few different bytes, or one that says EXAMPLE: a placeholder, not a secret."""
    first = U64(0)
    second = U64(0)
    for k in range(start, stop):
        c = data[k]
        if c < 64:
            first |= U64(1) << U64(c)
        elif c < 128:
            second |= U64(1) << U64(c - 64)
        if c == 69 and k + 7 <= stop and data[k + 1] == 88 and data[k + 2] == 65 and data[k + 6] == 69:
            return True
    count = 0
    while first:
        first &= first - U64(1)
        count += 1
    while second:
        second &= second - U64(1)
        count += 1
    return count < 6 or (4 * count < stop - start and count < 10)


@kernel(PAIR(BYTES, INT, INT, BYTES, RULES, BYTES, INT64S))
def match_prefix(data: Any, at: Any, end: Any, cls: Any, rules: Any, prefixes: Any, first: Any) -> Any:
    """Token with a published prefix at a word start: (at, stop), or (0, 0).

    `rules` [r, 5]: prefix begin and end in `prefixes`, character class, least and most characters behind the prefix;
    `first` [257] delimits the rules of each first byte.
    """
    for rule in range(first[data[at]], first[data[at] + 1]):
        size = rules[rule, 1] - rules[rule, 0]
        if at + size >= end:
            continue
        same = True
        for k in range(size):
            if data[at + k] != prefixes[rules[rule, 0] + k]:
                same = False
                break
        if not same:
            continue
        kind = rules[rule, 2]
        stop = at + size
        while stop < end and stop - at - size <= rules[rule, 4] and cls[data[stop]] & kind:
            stop += 1
        while stop > at + size and data[stop - 1] == 46:
            stop -= 1
        found = stop - at - size
        if found < rules[rule, 3] or found > rules[rule, 4]:
            continue
        if _same_letters(data, at + size, stop):
            continue
        return at, stop
    return 0, 0


@kernel(PAIR(BYTES, INT, INT, BYTES))
def match_jwt(data: Any, at: Any, end: Any, cls: Any) -> Any:
    """JSON Web Token: three base64url parts, the first two begin with ``eyJ``."""
    stop = at
    for part in range(3):
        start = stop
        if part < 2 and not (stop + 3 < end and data[stop] == 101 and data[stop + 1] == 121 and data[stop + 2] == 74):
            return 0, 0
        while stop < end and cls[data[stop]] & TOKEN:
            stop += 1
        if stop - start < 8:
            return 0, 0
        if part < 2:
            if stop >= end or data[stop] != 46:
                return 0, 0
            stop += 1
    return at, stop


@kernel(PAIR(BYTES, INT, INT, BYTES, BYTES, BYTES))
def match_key_block(data: Any, at: Any, end: Any, begin_mark: Any, key_mark: Any, end_mark: Any) -> Any:
    """``-----BEGIN ... PRIVATE KEY-----`` to its end line, or to the end of the text if that is missing.

    A line end (or a written ``\\n``) and 40 bytes must follow the head: code that only speaks of keys has neither.
    """
    if at + 11 > end or find_text(data, at, at + 11, begin_mark) != at:
        return 0, 0
    head = find_text(data, at + 11, min(end, at + 64), key_mark)
    if head < 0:
        return 0, 0
    after = head + len(key_mark)
    if after + 40 > end or not (data[after] == 10 or data[after] == 13 or data[after] == 92):
        return 0, 0
    tail = find_text(data, head, min(end, head + MAX_KEY_BLOCK), end_mark)
    if 0 <= tail < after + 40:
        return 0, 0
    if tail < 0:
        return at, min(end, head + MAX_KEY_BLOCK)
    close = find_text(data, tail, min(end, tail + 64), key_mark)
    return at, (close + len(key_mark) if close >= 0 else min(end, tail + len(end_mark)))


@kernel(PAIR(BYTES, INT, INT, INT, BYTES, UINT64S))
def match_assigned(data: Any, at: Any, begin: Any, end: Any, cls: Any, names: Any) -> Any:
    """Quoted value of 16 to 128 token characters that is assigned to a name such as password or api_key.

    Before the quote at `at`: ``=`` or ``:`` (spaces allowed), then the name, which ends in a known word. The value
    needs letters and digits and at least ten different characters.
    """
    back = at - 1
    while back > begin and data[back] == 32 and at - back < 4:
        back -= 1
    if back <= begin or (data[back] != 61 and data[back] != 58):
        return 0, 0
    back -= 1
    while back > begin and (data[back] == 32 or data[back] == 34 or data[back] == 39) and at - back < 8:
        back -= 1
    stop = back + 1
    start = stop
    while start > begin and stop - start < 32 and (cls[data[start - 1]] & ALNUM or data[start - 1] in (95, 45)):
        start -= 1
    named = False
    for k in range(start, stop):  # a known word ends the name: db_password, AWS_SECRET_KEY
        if (k == start or not cls[data[k - 1]] & ALNUM) and member(lower_hash(data, k, stop), names):
            named = True
            break
    if not named:
        return 0, 0
    value = at + 1
    last = value
    seen = np.int64(0)
    while last < end and last - value <= 128 and cls[data[last]] & SECRET_CLASSES:
        seen |= np.int64(1) if cls[data[last]] & DIGIT else np.int64(2) if cls[data[last]] & ALNUM else np.int64(0)
        last += 1
    if last >= end or data[last] != data[at] or last - value < 16 or seen != 3 or _same_letters(data, value, last):
        return 0, 0
    return value, last
