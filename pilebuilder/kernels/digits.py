"""Numbers that may identify a person: telephone numbers, IPv4 addresses, payment cards; found in one pass over bytes.

Linear: each run of digits is looked at once, and no pattern reads further than `REACH` bytes.
"""

from __future__ import annotations

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, INT64S, device, kernel

PHONE, IPV4, CARD = 0, 1, 2
REACH = 40
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


@kernel(types.int64(BYTES, INT64S, ROWS))
def find_numbers(data, offsets, out):  # type: ignore[no-untyped-def]
    """Rows (kind, document, first byte, byte after the last) in order of place; returns how many there are.

    At most ``len(out)`` are written; a larger return value asks for a larger array.
    """
    found = 0
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        i = start
        while i < stop:
            if not 48 <= data[i] <= 57:
                i += 1
                continue
            for kind in range(3):
                end = np.int64(-1)
                if kind == PHONE:
                    end = _phone(data, i, start, stop)
                elif kind == IPV4:
                    end = _ipv4(data, i, start, stop)
                else:
                    end = _card(data, i, start, stop)
                if end > 0:
                    if found < len(out):
                        out[found, 0], out[found, 1], out[found, 2], out[found, 3] = kind, row, i, end
                    found += 1
            while i < stop and 48 <= data[i] <= 57:
                i += 1
    return found
