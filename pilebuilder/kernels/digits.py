"""Places of personal data in one pass over bytes: telephone numbers, IPv4 addresses and payment cards whole, and where
an e-mail address (its "@") or a key (its prefix) may stand.

Linear: each run of digits is looked at once, and no pattern reads further than `REACH` bytes.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, address, byte, device, kernel

PHONE, IPV4, CARD, EMAIL, SECRET = 0, 1, 2, 3, 4
REACH = 40
PREFIXES = (
    b"AKIA", b"ghp_", b"github_pat_", b"glpat-", b"xox", b"sk_live_", b"AIza", b"hf_", b"sk-ant-", b"-----BEGIN ",
    b"eyJ",
)  # fmt: skip
"""What keys and tokens begin with: a row of kind `SECRET + i` says that prefix i stands there."""
_KEYS = (1, 3, 10, 5, 2, 7, 2, 2, 6, 7, 2)
"""Place in each prefix of the byte that is rarest in text, by which it is found."""
DIGIT, AT = 1, 2
ROWS = types.Array(types.int64, 2, "C")
SPACE, OPEN, CLOSE, HYPHEN, DOT = 32, 40, 41, 45, 46


@device
def _digits(data, i, stop):  # type: ignore[no-untyped-def]
    """How many digits stand from `i` on, at most 20."""
    n = 0
    while i + n < stop and n < 20 and 48 <= data[i + n] <= 57:
        n += 1
    return n


@device
def _is_letter(byte):  # type: ignore[no-untyped-def]
    return 97 <= byte | 32 <= 122


@device
def _blank_before(data, i, start):  # type: ignore[no-untyped-def]
    return i == start or data[i - 1] == SPACE or 9 <= data[i - 1] <= 13


@device
def _phone(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of a number of the North American plan, ``(ddd) ddd-dddd`` with optional separators; -1 if there is none."""
    bracket = i > start and data[i - 1] == OPEN
    if not _blank_before(data, i - 1 if bracket else i, start):
        return -1
    if data[i] < 50:  # area and exchange codes begin with 2 to 9
        return -1
    run = _digits(data, i, stop)
    if run == 10:
        return i + 10 if data[i + 3] >= 50 and not bracket else -1
    if run != 3:
        return -1
    j = i + 3
    if bracket:
        if j >= stop or data[j] != CLOSE:
            return -1
        j += 1
    gap = 0
    while j < stop and gap < 3 and (data[j] == SPACE or data[j] == HYPHEN or data[j] == DOT):
        j += 1
        gap += 1
    run = _digits(data, j, stop)
    if (run != 3 and run != 7) or data[j] < 50:
        return -1
    j += 3
    if run == 3:
        if j >= stop or not (data[j] == SPACE or data[j] == HYPHEN or data[j] == DOT):
            return -1
        j += 1
        if _digits(data, j, stop) != 4:
            return -1
    return j + 4


@device
def _ipv4(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of four octets 0 to 255 joined by dots, with no digit or dot on either side; -1 if there are none."""
    if i > start and (data[i - 1] == DOT or _is_letter(data[i - 1])):
        return -1
    j = i
    for octet in range(4):
        run = _digits(data, j, stop)
        if run == 0 or run > 3:
            return -1
        value = 0
        for k in range(run):
            value = value * 10 + data[j + k] - 48
        if value > 255 or (run > 1 and data[j] == 48):
            return -1
        j += run
        if octet < 3:
            if j >= stop or data[j] != DOT:
                return -1
            j += 1
    if j + 1 < stop and data[j] == DOT and 48 <= data[j + 1] <= 57:
        return -1
    return -1 if j < stop and 48 <= data[j] <= 57 else j


@device
def _card(data, i, start, stop):  # type: ignore[no-untyped-def]
    """End of 13 to 19 digits, spaces or hyphens between groups, that pass the Luhn test; -1 if there is none."""
    if data[i] < 51 or data[i] > 54:  # first digits of payment networks: 3 to 6
        return -1
    if i > start and (data[i - 1] == HYPHEN or data[i - 1] == DOT or _is_letter(data[i - 1])):
        return -1
    total, other, n, j = 0, 0, 0, i
    while j < stop and n < 20:
        if 48 <= data[j] <= 57:
            digit = np.int64(data[j]) - 48
            double = 2 * digit - 9 if digit > 4 else 2 * digit
            total, other = other + digit, total + double  # the rightmost digit is never doubled
            n += 1
            j += 1
        elif (data[j] == SPACE or data[j] == HYPHEN) and j + 1 < stop and 48 <= data[j + 1] <= 57 and n % 4 == 0:
            j += 1
        else:
            break
    if n < 13 or n > 19 or total % 10:
        return -1
    if j < stop and _is_letter(data[j]):
        return -1
    return -1 if j + 1 < stop and data[j] == DOT and 48 <= data[j + 1] <= 57 else j


@device
def _mailable(byte):  # type: ignore[no-untyped-def]
    """Whether the byte may stand before the "@" of an address: a letter, a digit or one of ``._%+'-``."""
    return _is_letter(byte) or 48 <= byte <= 57 or byte in (HYPHEN, DOT, 95, 37, 43, 39)


@device
def _prefixed(data, i, start, stop, prefixes, bounds, places, wanted):  # type: ignore[no-untyped-def]
    """First byte of prefix `wanted` if byte `i` is its key; -1 if other bytes stand around it."""
    first = i - places[wanted]
    size = bounds[wanted + 1] - bounds[wanted]
    if first < start or first + size > stop:
        return -1
    for k in range(size):
        if data[first + k] != prefixes[bounds[wanted] + k]:
            return -1
    return first


@kernel(types.int64(BYTES, INT64S, BYTES, BYTES, BYTES, INT64S, INT64S, ROWS))
def _find(data, offsets, table, pairs, prefixes, bounds, places, out):  # type: ignore[no-untyped-def]
    found = 0
    base, table_at, pairs_at = address(data), address(table), address(pairs)
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        i = start
        while i < stop:
            kind = byte(table_at, byte(base, i))
            if kind == 0:
                i += 1
                continue
            if kind == DIGIT:
                for number in range(3):
                    if number == PHONE:
                        end = np.int64(_phone(data, i, start, stop))
                    elif number == IPV4:
                        end = np.int64(_ipv4(data, i, start, stop))
                    else:
                        end = np.int64(_card(data, i, start, stop))
                    if end > 0:
                        if found < len(out):
                            out[found, 0], out[found, 1], out[found, 2], out[found, 3] = number, row, i, end
                        found += 1
                while i < stop and 48 <= data[i] <= 57:
                    i += 1
                continue
            if kind == AT:
                after = i + 1 < stop and (_is_letter(data[i + 1]) or 48 <= data[i + 1] <= 57)
                if after and i > start and _mailable(data[i - 1]):
                    if found < len(out):
                        out[found, 0], out[found, 1], out[found, 2], out[found, 3] = EMAIL, row, i, i + 1
                    found += 1
            elif i > start and byte(pairs_at, byte(base, i - 1) << 8 | byte(base, i)):
                for wanted in range(len(places)):
                    if prefixes[bounds[wanted] + places[wanted]] != data[i]:
                        continue
                    first = _prefixed(data, i, start, stop, prefixes, bounds, places, wanted)
                    if first >= 0:
                        if found < len(out):
                            out[found, 0], out[found, 1], out[found, 2], out[found, 3] = SECRET + wanted, row, first, i
                        found += 1
            i += 1
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
