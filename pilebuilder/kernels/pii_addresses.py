"""E-mail addresses, IPv6 addresses and IBANs at the byte that gives them away."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.fasttext import finish_hash
from pilebuilder.kernels.jit import BYTES, UINT64S, kernel
from pilebuilder.kernels.pii_tables import ALNUM, DIGIT, DOMAIN, HEX, LOCAL, UPPER

INT = types.int64
PAIR = types.UniTuple(types.int64, 2)
LENGTHS = types.Array(types.uint8, 1, "C", readonly=True)
MAX_LOCAL, MAX_DOMAIN = 64, 253
U64 = np.uint64


@kernel(types.uint64(BYTES, INT, INT))
def lower_hash(data: Any, start: Any, stop: Any) -> Any:
    """Hash of an ASCII word in lower case; bytes above 127 as they are."""
    state = U64(0xCBF29CE484222325)
    for k in range(start, stop):
        c = data[k]
        if 65 <= c <= 90:
            c += 32
        state = (state ^ U64(c)) * U64(0x100000001B3)
    return finish_hash(state, stop - start)


@kernel(types.boolean(types.uint64, UINT64S))
def member(key: Any, keys: Any) -> Any:
    """Whether a hash is in an open-addressing set."""
    place = np.int64(key) & (len(keys) - 1)
    while keys[place] != 0:
        if keys[place] == key:
            return True
        place = (place + 1) & (len(keys) - 1)
    return False


@kernel(PAIR(BYTES, INT, INT, INT, BYTES, UINT64S, UINT64S))
def match_email(data: Any, at: Any, begin: Any, end: Any, cls: Any, tlds: Any, reserved: Any) -> Any:
    """E-mail address around the ``@`` at `at`: (start, stop), or (0, 0).

    Local part: up to 64 of ``A-Za-z0-9._%+-'``, first and last alphanumeric (last also ``_ + -``). Domain: labels of
    letters, digits and inner dashes, the last one a known top-level domain. Not: reserved domains (RFC 2606), names
    of services (``git@host:path``), a call after it (``a@b.me()``).
    """
    start = at
    while start > begin and at - start < MAX_LOCAL and cls[data[start - 1]] & LOCAL:
        start -= 1
    while start < at and not cls[data[start]] & ALNUM:
        start += 1
    if start == at or data[at - 1] == 46 or data[at - 1] == 37 or data[at - 1] == 39:
        return 0, 0
    stop = at + 1
    label = stop
    dots = 0
    limit = min(end, at + 1 + MAX_DOMAIN)
    good_stop = np.int64(0)
    good_label = np.int64(0)
    second_label = np.int64(0)
    while stop <= limit:
        if stop < limit and cls[data[stop]] & DOMAIN and not (data[stop] == 45 and stop == label):
            stop += 1
            continue
        if stop == label or data[stop - 1] == 45:
            break
        if dots:
            good_stop = stop
            second_label = good_label if dots > 1 else at + 1
            good_label = label
        if stop < limit - 1 and data[stop] == 46 and cls[data[stop + 1]] & ALNUM:
            dots += 1
            stop += 1
            label = stop
            continue
        break
    if good_stop == 0 or good_stop - good_label < 2:
        return 0, 0
    if good_stop < end and (data[good_stop] == 40 or (data[good_stop] == 58 and start + 3 == at)):
        return 0, 0
    if not member(lower_hash(data, good_label, good_stop), tlds):
        return 0, 0
    if member(lower_hash(data, good_label, good_stop), reserved):
        return 0, 0
    if member(lower_hash(data, second_label, good_stop), reserved):
        return 0, 0
    return start, good_stop


@kernel(PAIR(BYTES, INT, INT, INT, BYTES))
def match_ipv6(data: Any, at: Any, begin: Any, end: Any, cls: Any) -> Any:
    """Global unicast IPv6 address (2000::/3) whose first group, of four hex digits, begins at `at`.

    Eight groups, or fewer with one ``::``. Not: 2001:db8::/32, which is for documentation.
    """
    if at > begin and (cls[data[at - 1]] & ALNUM or data[at - 1] == 58):
        return 0, 0
    groups = 0
    double = False
    stop = at
    while True:
        start = stop
        while stop < end and stop - start < 5 and cls[data[stop]] & HEX:
            stop += 1
        if stop - start > 4:
            return 0, 0
        if stop > start:
            groups += 1
        if groups == 8 or stop >= end or data[stop] != 58:
            break
        if stop + 1 < end and data[stop + 1] == 58:
            if double:
                return 0, 0
            double = True
            stop += 2
            if stop >= end or not cls[data[stop]] & HEX:
                break
        elif stop + 1 < end and cls[data[stop + 1]] & HEX and stop > start:
            stop += 1
        else:
            break
    if stop < end and (
        cls[data[stop]] & ALNUM or (data[stop] == 58 and stop + 1 < end and cls[data[stop + 1]] & ALNUM)
    ):
        return 0, 0
    if not (groups == 8 and not double) and not (double and 1 < groups < 8):
        return 0, 0
    documentation = data[at] == 50 and data[at + 1] == 48 and data[at + 2] == 48 and data[at + 3] == 49
    if documentation and at + 8 < end and (data[at + 5] | 32) == 100 and (data[at + 6] | 32) == 98:
        return 0, 0
    return at, stop


@kernel(PAIR(BYTES, INT, INT, BYTES, LENGTHS))
def match_iban(data: Any, at: Any, end: Any, cls: Any, lengths: Any) -> Any:
    """IBAN at a word start: country of the registry, its length, mod 97 = 1; single spaces between fours allowed.

    `lengths` [676]: IBAN length of each pair of capitals, 0 for none.
    """
    if at + 14 > end or not cls[data[at + 1]] & UPPER:
        return 0, 0
    wanted = lengths[(np.int64(data[at]) - 65) * 26 + np.int64(data[at + 1]) - 65]
    if wanted == 0 or not (cls[data[at + 2]] & DIGIT and cls[data[at + 3]] & DIGIT):
        return 0, 0
    value = np.int64(0)
    count = 0
    stop = at
    while stop < end and count < wanted:
        c = np.int64(data[stop])
        if c == 32 and count % 4 == 0 and count and data[stop - 1] != 32:
            stop += 1
            continue
        if not (cls[c] & DIGIT or cls[c] & UPPER):
            return 0, 0
        if count >= 4:
            value = (value * 10 + c - 48) % 97 if cls[c] & DIGIT else (value * 100 + c - 55) % 97
        count += 1
        stop += 1
    if count < wanted or (stop < end and cls[data[stop]] & ALNUM):
        return 0, 0
    for k in range(4):
        c = np.int64(data[at + k])
        value = (value * 10 + c - 48) % 97 if cls[c] & DIGIT else (value * 100 + c - 55) % 97
    return (at, stop) if value == 1 else (0, 0)
