"""Places of personal data in one pass over bytes: telephone numbers, IPv4 addresses and payment cards whole, and where
an e-mail address (its "@") or a key (its prefix) may stand.

Linear: each run of digits is looked at once, and no pattern reads further than `REACH` bytes. A first look, in vector
instructions, finds where eight bytes in a row can hold the sign of a match: few do, and only these are read closely.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, address, byte, device, i64, kernel, load8, set_i64

PHONE, IPV4, CARD, EMAIL, SECRET = 0, 1, 2, 3, 4
REACH = 40
PREFIXES = (
    b"AKIA", b"ghp_", b"github_pat_", b"glpat-", b"xox", b"sk_live_", b"AIza", b"hf_", b"sk-ant-", b"-----BEGIN ",
    b"eyJ",
)  # fmt: skip
"""What keys and tokens begin with: a row of kind `SECRET + i` says that prefix i stands there."""
_KEYS = (1, 3, 10, 5, 2, 7, 2, 2, 6, 7, 2)
"""Place in each prefix of the byte that is rarest in text, by which it is found."""
_KINDS = len(PREFIXES)
DIGIT, AT = 1, 2
_CHUNK, _WORD = 4096, 8
_BEFORE = 4
"""A number begins at most so many bytes before the last of its signs."""
ROWS = types.Array(types.int64, 2, "C")
SPACE, OPEN, CLOSE, HYPHEN, DOT = 32, 40, 41, 45, 46


@device
def _digits(data, i, stop):  # type: ignore[no-untyped-def]
    """How many digits stand from `i` on, at most 20."""
    n = 0
    while i + n < stop and n < 20 and 48 <= byte(data, i + n) <= 57:
        n += 1
    return n


@device
def _is_letter(value):  # type: ignore[no-untyped-def]
    return 97 <= value | 32 <= 122


@device
def _blank_before(data, i, start):  # type: ignore[no-untyped-def]
    return i == start or byte(data, i - 1) == SPACE or 9 <= byte(data, i - 1) <= 13


@device
def _phone(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of a number of the North American plan, ``(ddd) ddd-dddd`` with optional separators; -1 if there is none."""
    bracket = i > start and byte(data, i - 1) == OPEN
    if not _blank_before(data, i - 1 if bracket else i, start):
        return -1
    if byte(data, i) < 50:  # area and exchange codes begin with 2 to 9
        return -1
    run = _digits(data, i, stop)
    if run == 10:
        return i + 10 if byte(data, i + 3) >= 50 and not bracket else -1
    if run != 3:
        return -1
    j = i + 3
    if bracket:
        if j >= stop or byte(data, j) != CLOSE:
            return -1
        j += 1
    gap = 0
    while j < stop and gap < 3 and (byte(data, j) == SPACE or byte(data, j) == HYPHEN or byte(data, j) == DOT):
        j += 1
        gap += 1
    run = _digits(data, j, stop)
    if (run != 3 and run != 7) or byte(data, j) < 50:
        return -1
    j += 3
    if run == 3:
        if j >= stop or not (byte(data, j) == SPACE or byte(data, j) == HYPHEN or byte(data, j) == DOT):
            return -1
        j += 1
        if _digits(data, j, stop) != 4:
            return -1
    return j + 4


@device
def _ipv4(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of four octets 0 to 255 joined by dots, with no digit or dot on either side; -1 if there are none."""
    if i > start and (byte(data, i - 1) == DOT or _is_letter(byte(data, i - 1))):
        return -1
    j = i
    for octet in range(4):
        run = _digits(data, j, stop)
        if run == 0 or run > 3:
            return -1
        value = 0
        for k in range(run):
            value = value * 10 + byte(data, j + k) - 48
        if value > 255 or (run > 1 and byte(data, j) == 48):
            return -1
        j += run
        if octet < 3:
            if j >= stop or byte(data, j) != DOT:
                return -1
            j += 1
    if j + 1 < stop and byte(data, j) == DOT and 48 <= byte(data, j + 1) <= 57:
        return -1
    return -1 if j < stop and 48 <= byte(data, j) <= 57 else j


@device
def _card(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of 13 to 19 digits, spaces or hyphens between groups, that pass the Luhn test; -1 if there is none."""
    if byte(data, i) < 51 or byte(data, i) > 54:  # first digits of payment networks: 3 to 6
        return -1
    if i > start and (byte(data, i - 1) == HYPHEN or byte(data, i - 1) == DOT or _is_letter(byte(data, i - 1))):
        return -1
    total, other, n, j = 0, 0, 0, i
    while j < stop and n < 20:
        if 48 <= byte(data, j) <= 57:
            digit = np.int64(byte(data, j)) - 48
            double = 2 * digit - 9 if digit > 4 else 2 * digit
            total, other = other + digit, total + double  # the rightmost digit is never doubled
            n += 1
            j += 1
        elif (
            (byte(data, j) == SPACE or byte(data, j) == HYPHEN)
            and j + 1 < stop
            and 48 <= byte(data, j + 1) <= 57
            and n % 4 == 0
        ):
            j += 1
        else:
            break
    if n < 13 or n > 19 or total % 10:
        return -1
    if j < stop and _is_letter(byte(data, j)):
        return -1
    return -1 if j + 1 < stop and byte(data, j) == DOT and 48 <= byte(data, j + 1) <= 57 else j


@device
def _mailable(value):  # type: ignore[no-untyped-def]
    """Whether the byte may stand before the "@" of an address: a letter, a digit or one of ``._%+'-``."""
    return _is_letter(value) or 48 <= value <= 57 or value in (HYPHEN, DOT, 95, 37, 43, 39)


@device
def _prefixed(data, i, start, stop, prefixes, bounds, places, wanted):  # type: ignore[no-untyped-def]
    """First byte of prefix `wanted` if byte `i` is its key; -1 if other bytes stand around it."""
    first = i - i64(places, wanted)
    size = i64(bounds, wanted + 1) - i64(bounds, wanted)
    if first < start or first + size > stop:
        return -1
    for k in range(size):
        if byte(data, first + k) != byte(prefixes, i64(bounds, wanted) + k):
            return -1
    return first


@device
def _is(value, wanted):  # type: ignore[no-untyped-def]
    return np.uint8(value == wanted)


@device
def _is_digit(value):  # type: ignore[no-untyped-def]
    return np.uint8(np.uint8(value - np.uint8(48)) < np.uint8(10))


@device
def _sign(a, b, c):  # type: ignore[no-untyped-def]
    """1 for three bytes in a row of which every match holds some, else 0; without branches and in 8 bits throughout.

    Three digits, or two with a dot between them (telephone numbers and cards hold the first, IPv4 addresses either);
    an "@"; of each of `PREFIXES` the key and its neighbours: hp_ at_ at- xox ve_ AIz hf_ nt- AKI BEG eyJ.
    """
    found = _is_digit(a) & _is_digit(c) & (_is_digit(b) | _is(b, DOT)) | _is(c, 64)
    found |= _is(c, 95) & (_is(a, 104) & (_is(b, 112) | _is(b, 102)) | _is(a, 97) & _is(b, 116))
    found |= _is(c, 95) & _is(a, 118) & _is(b, 101) | _is(c, 45) & _is(b, 116) & (_is(a, 97) | _is(a, 110))
    found |= _is(a, 65) & (_is(b, 75) & _is(c, 73) | _is(b, 73) & _is(c, 122)) | _is(a, 66) & _is(b, 69) & _is(c, 71)
    return found | _is(a, 101) & _is(b, 121) & _is(c, 74) | _is(a, 120) & _is(b, 111) & _is(c, 120)


@device
def _signs(data, at, size, out):  # type: ignore[no-untyped-def]
    """`_sign` of the three bytes that end at each of `size` bytes from `at` on."""
    first, second, third = data[at - 2 : at + size - 2], data[at - 1 : at + size - 1], data[at : at + size]
    for i in range(size):
        out[i] = _sign(first[i], second[i], third[i])


@device
def _put(rows, room, found, kind, row, start, stop):  # type: ignore[no-untyped-def]
    """Write one row of the result if there is room for it; how many were found then."""
    if found < room:
        set_i64(rows, 4 * found, kind)
        set_i64(rows, 4 * found + 1, row)
        set_i64(rows, 4 * found + 2, start)
        set_i64(rows, 4 * found + 3, stop)
    return found + 1


@device
def _scan(data, row, start, stop, i, last, tables, rows, room, found):  # type: ignore[no-untyped-def]
    """Matches of one document that begin from byte `i` and before `last`: how many there are now, the next byte."""
    table, pairs, prefixes, bounds, places = tables
    while start < i < stop and 48 <= byte(data, i - 1) <= 57 and 48 <= byte(data, i) <= 57:
        i += 1  # inside a run of digits that was looked at, or that has no sign
    while i < last:
        kind = byte(table, byte(data, i))
        if kind == DIGIT:
            for number in range(3):
                if number == PHONE:
                    end = np.int64(_phone(data, i, start, stop))
                elif number == IPV4:
                    end = np.int64(_ipv4(data, i, start, stop))
                else:
                    end = np.int64(_card(data, i, start, stop))
                if end > 0:
                    found = _put(rows, room, found, number, row, i, end)
            while i < stop and 48 <= byte(data, i) <= 57:
                i += 1
            continue
        if kind == AT:
            after = i + 1 < stop and (_is_letter(byte(data, i + 1)) or 48 <= byte(data, i + 1) <= 57)
            if after and i > start and _mailable(byte(data, i - 1)):
                found = _put(rows, room, found, EMAIL, row, i, i + 1)
        elif kind and i > start and byte(pairs, byte(data, i - 1) << 8 | byte(data, i)):
            for wanted in range(_KINDS):
                if byte(prefixes, i64(bounds, wanted) + i64(places, wanted)) == byte(data, i):
                    begin = _prefixed(data, i, start, stop, prefixes, bounds, places, wanted)
                    if begin >= 0:
                        found = _put(rows, room, found, SECRET + wanted, row, begin, i)
        i += 1
    return found, i


@device
def _scan_all(data, offsets, n, row, first, last, done, tables, rows, room, found):  # type: ignore[no-untyped-def]
    """`_scan` of the bytes `first` to `last` in whatever documents they lie; those before `done` were looked at."""
    while row < n and i64(offsets, row) < last:
        start, stop = i64(offsets, row), i64(offsets, row + 1)
        i = max(start, first - _BEFORE, done)
        if i < min(last, stop):
            found, done = _scan(data, row, start, stop, i, min(last, stop), tables, rows, room, found)
        if stop > last:
            break
        row += 1
    return found, row, done


@kernel(types.int64(BYTES, INT64S, BYTES, BYTES, BYTES, INT64S, INT64S, ROWS))
def _find(data, offsets, table, pairs, prefixes, bounds, places, out):  # type: ignore[no-untyped-def]
    found, row, done, n = 0, 0, np.int64(0), len(offsets) - 1
    text, where, rows, room = address(data), address(offsets), address(out), len(out)
    tables = address(table), address(pairs), address(prefixes), address(bounds), address(places)
    at, end = offsets[0], offsets[n]
    if at < 2:  # too early in the buffer for a look at three bytes
        found, row, done = _scan_all(text, where, n, row, at, min(2, end), done, tables, rows, room, found)
        at = min(2, end)
    signs = np.zeros(_CHUNK, np.uint8)
    words = address(signs)
    while at < end:
        size = min(_CHUNK, end - at)
        signs[size:] = 0
        _signs(data, at, size, signs)
        for first in range(0, size, _WORD):
            if load8(words, first):
                last = min(at + first + _WORD, end)
                found, row, done = _scan_all(text, where, n, row, at + first, last, done, tables, rows, room, found)
        at += size
    return found


@functools.cache
def _tables() -> tuple[np.ndarray, ...]:
    """What a byte may begin or belong to; which key may follow which byte; prefixes end to end, their bounds, and the
    place of each one's key."""
    table, pairs = np.zeros(256, np.uint8), np.zeros(1 << 16, np.uint8)
    for prefix, place in zip(PREFIXES, _KEYS, strict=True):
        table[prefix[place]] = AT + 1
        pairs[prefix[place - 1] << 8 | prefix[place]] = 1
    table[ord("@")], table[48:58] = AT, DIGIT
    bounds = np.concatenate([[0], np.cumsum([len(p) for p in PREFIXES])]).astype(np.int64)
    return table, pairs, np.frombuffer(b"".join(PREFIXES), np.uint8), bounds, np.array(_KEYS, np.int64)


def find(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Rows (kind, document, first byte, byte after the last) in order of place: int64 [n, 4].

    `EMAIL` is the "@" alone, from `SECRET` on the prefix alone: what stands around them is for the caller to judge.
    """
    room = 1 << 12
    while True:
        rows = np.empty((room, 4), np.int64)
        count = _find(data, offsets, *_tables(), rows)
        if count <= room:
            return rows[:count]
        room = count
