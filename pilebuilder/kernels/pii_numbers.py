"""Numbers that name a person or an account: phones, IPv4 addresses, payment cards, national ids. Checksums decide.

`match_number` is called at the first byte of a number (digit, ``+``, ``(``) or of a word in capitals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.fasttext import finish_hash
from pilebuilder.kernels.jit import BYTES, UINT64S, kernel
from pilebuilder.kernels.pii_groups import area_code, card_groups, country_code, is_card, is_public, match_phone
from pilebuilder.kernels.pii_ids import closed, is_person, match_formatted, match_lettered
from pilebuilder.kernels.pii_tables import ALNUM, CARD_WORD, DIGIT, IP_WORD, PHONE_WORD, UPPER, VERSION_WORD

FLAGS = types.Array(types.uint32, 1, "C", readonly=True)
DIGITS = types.int64[::1]
INT = types.int64
U64 = np.uint64
REACH = 40
"""Bytes before a number in which a word may say what it is."""
PHONE, IP, CARD, NATIONAL = 1, 2, 4, 5


@kernel(types.boolean(BYTES, INT, BYTES))
def in_word(data: Any, at: Any, cls: Any) -> Any:
    """Whether a byte belongs to a word: ASCII letter or digit, or a character that is no Latin-1 or general sign."""
    c = data[at]
    if c < 128:
        return cls[c] & ALNUM != 0
    lead = at
    while lead > 0 and lead > at - 3 and data[lead] & 0xC0 == 0x80:
        lead -= 1
    return data[lead] != 0xC2 and data[lead] != 0xE2


@kernel(types.uint32(BYTES, INT, INT, BYTES, UINT64S, FLAGS))
def context(data: Any, begin: Any, at: Any, cls: Any, keys: Any, flags: Any) -> Any:
    """Flags of the listed words among the last four words before `at`, within `REACH` bytes."""
    found = np.uint32(0)
    stop = at
    low = max(begin, at - REACH)
    words = 0
    while stop > low and words < 4:
        while stop > low and not in_word(data, stop - 1, cls):
            stop -= 1
        start = stop
        while start > low and in_word(data, start - 1, cls):
            start -= 1
        if start == stop:
            break
        state = U64(0xCBF29CE484222325)
        for k in range(start, stop):
            c = data[k]
            if 65 <= c <= 90:
                c += 32
            state = (state ^ U64(c)) * U64(0x100000001B3)
        key = finish_hash(state, stop - start)
        place = np.int64(key) & (len(keys) - 1)
        while keys[place] != 0:
            if keys[place] == key:
                found |= flags[place]
                break
            place = (place + 1) & (len(keys) - 1)
        words += 1
        stop = start
    return found


@kernel(types.UniTuple(INT, 2)(BYTES, INT, INT, BYTES, DIGITS, types.int64[::1]))
def read_groups(data: Any, at: Any, end: Any, cls: Any, digits: Any, groups: Any) -> Any:
    """Digits and groups of a number with single separators (space, dash, dot); returns (digits, groups).

    `groups` [k, flattened]: 3k size, 3k + 1 byte before the group, 3k + 2 place after the group. At most 24 digits.
    """
    count = 0
    group = 0
    before = np.int64(0)
    while at < end and group < 10:
        start = at
        while at < end and count < 24 and cls[data[at]] & DIGIT:
            digits[count] = np.int64(data[at]) - 48
            count += 1
            at += 1
        if at == start:
            break
        groups[3 * group] = at - start
        groups[3 * group + 1] = before
        groups[3 * group + 2] = at
        group += 1
        if count >= 24 or at + 1 >= end or not cls[data[at + 1]] & DIGIT:
            break
        before = np.int64(data[at])
        if before != 32 and before != 45 and before != 46:
            break
        at += 1
    return count, group


@kernel(types.boolean(BYTES, INT, INT, BYTES))
def open_before(data: Any, at: Any, begin: Any, cls: Any) -> Any:
    """Whether a number may begin here: no letter, digit, ``_`` or ``+`` before, no digit and separator before."""
    if at == begin:
        return True
    c = data[at - 1]
    if cls[c] & ALNUM or c == 95 or c == 43:
        return False
    return not ((c == 45 or c == 46 or c == 47) and at - 2 >= begin and cls[data[at - 2]] & ALNUM)


@kernel(INT(BYTES, INT, INT, INT, BYTES, UINT64S, FLAGS, DIGITS, types.int64[::1], types.int64[::1]))
def match_ipv4(data, at, begin, end, cls, keys, flags, d, g, mark):  # type: ignore[no-untyped-def]
    """Public IPv4 address. Four small numbers are a version unless a word before speaks of addresses."""
    stop = g[11]
    if stop < end and (cls[data[stop]] & ALNUM or data[stop] == 95):
        return 0
    if stop + 1 < end and (data[stop] == 46 or data[stop] == 45) and cls[data[stop + 1]] & DIGIT:
        return 0
    place = 0
    largest = 0
    parts = np.zeros(4, np.int64)
    for k in range(4):
        size = g[3 * k]
        if size > 3 or (size > 1 and d[place] == 0):
            return 0
        for _ in range(size):
            parts[k] = parts[k] * 10 + d[place]
            place += 1
        if parts[k] > 255:
            return 0
        largest = max(largest, parts[k])
    if not is_public(parts[0], parts[1], parts[2]):
        return 0
    if parts[3] == 0 and stop < end and data[stop] == 47:
        return 0  # a network, not a host
    words = context(data, begin, at, cls, keys, flags)
    if words & IP_WORD == 0 and (largest < 32 or words & VERSION_WORD):
        return 0
    mark[0] = at
    mark[1] = stop
    return IP


@kernel(INT(BYTES, INT, INT, types.uint8, BYTES, DIGITS, types.int64[::1], types.int64[::1]))
def match_international(data, at, end, wanted, cls, d, g, mark):  # type: ignore[no-untyped-def]
    """``+`` and 8 to 15 digits with separators, one ``(0)`` or bracketed area code allowed (ITU-T E.164).

    Country code 1 follows the North American plan; 999 is not assigned, so surrogates use it.
    """
    if not wanted & 2:
        return 0
    count = 0
    last = at + 1
    k = at + 1
    gap = 0
    while k < end and count < 16 and gap < 3:
        c = data[k]
        if cls[c] & DIGIT:
            d[count] = np.int64(c) - 48
            count += 1
            k += 1
            last = k
            gap = 0
        elif c == 32 or c == 45 or c == 46 or c == 40 or c == 41 or c == 47:
            gap += 1
            k += 1
        else:
            break
    if count < 8 or count > 15 or d[0] == 0 or not closed(data, last, end, cls):
        return 0
    if d[0] == 1 and (count != 11 or not area_code(d, 1)):
        return 0
    if not country_code(d):
        return 0
    if last - at == count + 1 and count < 10:  # no separators: a signed number of some kind
        return 0
    mark[0] = at
    mark[1] = last
    return PHONE


@kernel(
    INT(BYTES, INT, INT, INT, INT, types.uint8, BYTES, UINT64S, FLAGS, DIGITS, types.int64[::1], types.int64[::1])
)  # fmt: skip
def match_bracketed(data, at, begin, end, close, wanted, cls, keys, flags, d, g, mark):  # type: ignore[no-untyped-def]
    """Phone number with its area code in brackets: (212) 555-2368, or any such after a phone word."""
    if not wanted & 2:
        return 0
    count = close - at - 1
    k = close + 1
    while k < end and k < close + 3 and (data[k] == 32 or data[k] == 45):
        k += 1
    last = k
    sizes = np.zeros(4, np.int64)
    group = 0
    while k < end and group < 4 and count < 15:
        start = k
        while k < end and count < 16 and cls[data[k]] & DIGIT:
            d[count] = np.int64(data[k]) - 48
            count += 1
            k += 1
        if k == start:
            break
        sizes[group] = k - start
        group += 1
        last = k
        if k + 1 < end and (data[k] == 32 or data[k] == 45 or data[k] == 46) and cls[data[k + 1]] & DIGIT:
            k += 1
        else:
            break
    if group == 0 or not closed(data, last, end, cls):
        return 0
    american = close - at - 1 == 3 and group == 2 and sizes[0] == 3 and sizes[1] == 4
    if american and area_code(d, 0):
        mark[0] = at
        mark[1] = last
        return PHONE
    if not american and 7 <= count <= 15 and context(data, begin, at, cls, keys, flags) & PHONE_WORD:
        mark[0] = at
        mark[1] = last
        return PHONE
    return 0


@kernel(INT(DIGITS, INT, types.int64[::1], INT, types.uint32, types.uint8))
def classify(d: Any, n: Any, g: Any, groups: Any, words: Any, wanted: Any) -> Any:
    """Kind of a number of plain groups, 0 for none."""
    if wanted & 32 and ((n == 18 and groups == 1) or words) and is_person(d, n, words):
        return NATIONAL
    grouped = groups > 1 or words & CARD_WORD
    if wanted & 16 and n >= 13 and grouped and is_card(d, n) and (groups == 1 or card_groups(d, n, g, groups)):
        return CARD
    if wanted & 2 and n <= 15 and match_phone(d, n, g, groups, words):
        return PHONE
    return 0


@kernel(
    INT(BYTES, INT, INT, INT, types.uint8, BYTES, UINT64S, FLAGS, types.int64[::1])
)  # fmt: skip
def match_number(data, at, begin, end, wanted, cls, keys, flags, mark):  # type: ignore[no-untyped-def]
    """Kind of the number at `at`, its start and stop in `mark` (0, 0: none). `wanted`: bit set of kinds."""
    mark[0] = 0
    mark[1] = 0
    if not open_before(data, at, begin, cls):
        return 0
    digits = np.zeros(25, np.int64)
    groups = np.zeros(36, np.int64)
    c = data[at]
    if cls[c] & UPPER:
        stop = match_lettered(data, at, end, cls, digits)
        if stop:
            mark[0] = at
            mark[1] = stop
        return NATIONAL
    first = at
    bracket = np.int64(0)
    if c == 43 or c == 40:
        first = at + 1
        if first >= end or not cls[data[first]] & DIGIT:
            return 0
        if c == 43:
            return match_international(data, at, end, wanted, cls, digits, groups, mark)
        close = first
        while close < end and close - first < 6 and cls[data[close]] & DIGIT:
            close += 1
        if close >= end or data[close] != 41:
            return 0
        bracket = close
    n, count = read_groups(data, first, end, cls, digits, groups)
    if bracket:
        return match_bracketed(data, at, begin, end, bracket, wanted, cls, keys, flags, digits, groups, mark)
    stop = groups[3 * count - 1]
    if wanted & 4 and count >= 4 and groups[4] == 46 and groups[7] == 46 and groups[10] == 46:
        kind = match_ipv4(data, at, begin, end, cls, keys, flags, digits, groups, mark)
        if kind:
            return kind
    if wanted & 32:
        good = match_formatted(data, at, end, cls, digits, n, groups, count)
        if good:
            mark[0] = at
            mark[1] = good
            return NATIONAL
    if n < 7:
        return 0
    words = np.uint32(1 << 31)  # not looked up yet
    for m in range(count, 0, -1):  # all groups, then fewer: a space may also end the number
        stop = groups[3 * m - 1]
        if m < count:
            n -= groups[3 * m]
            if groups[3 * m + 1] != 32:
                continue
        elif not closed(data, stop, end, cls):
            if wanted & 32 and n == 17 and count == 1 and (data[stop] | 32) == 120:  # China, check digit X
                digits[17] = 10
                if is_person(digits, 18, np.uint32(0)) and closed(data, stop + 1, end, cls):
                    mark[0] = at
                    mark[1] = stop + 1
                    return NATIONAL
            continue
        if n < 7:
            break
        if n > 19:
            continue
        if words == np.uint32(1 << 31):
            words = context(data, begin, at, cls, keys, flags)
        kind = classify(digits, n, groups, m, words, wanted)
        if kind:
            mark[0] = at
            mark[1] = stop
            return kind
    return 0
