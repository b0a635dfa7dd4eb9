"""National identity and tax numbers whose check digits or letters can be recomputed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pilebuilder.kernels.jit import BYTES, kernel
from pilebuilder.kernels.pii_tables import (
    AADHAAR,
    ALNUM,
    BSN,
    CNP,
    DIGIT,
    EGN,
    NHS,
    PESEL,
    SIN,
    SSN,
    TFN,
    UPPER,
)

DIGITS = types.int64[::1]
INT = types.int64


@kernel(types.boolean(DIGITS, INT, INT))
def luhn(digits: Any, start: Any, count: Any) -> Any:
    """Luhn's check over digits[start:start + count] (ISO/IEC 7812-1)."""
    total = 0
    for k in range(count):
        d = digits[start + count - 1 - k]
        if k & 1:
            d = 2 * d - 9 if d > 4 else 2 * d
        total += d
    return total % 10 == 0


@kernel(types.boolean(INT, INT, INT))
def date(year: Any, month: Any, day: Any) -> Any:
    """Whether a day exists in some year that ends in these two digits; `year` may be of four digits."""
    if month < 1 or month > 12 or day < 1:
        return False
    last = 30 if month in (4, 6, 9, 11) else 31
    if month == 2:
        last = 29 if year % 4 == 0 else 28
    return day <= last


@kernel(types.boolean(BYTES, INT, INT, BYTES))
def closed(data: Any, stop: Any, end: Any, cls: Any) -> Any:
    """Whether a number may end here: no letter, digit or underscore follows, and no separator before a digit."""
    if stop >= end:
        return True
    c = data[stop]
    if cls[c] & ALNUM or c == 95:
        return False
    return not ((c == 45 or c == 46 or c == 47) and stop + 1 < end and cls[data[stop + 1]] & DIGIT)


@kernel(types.boolean(DIGITS))
def china(d: Any) -> Any:
    """ISO 7064 MOD 11-2 over 18 digits; a final X stands as 10."""
    total = 0
    weight = 1
    for k in range(17, -1, -1):
        total += d[k] * weight
        weight = weight * 2 % 11
    return total % 11 == 1


@kernel(types.boolean(DIGITS, INT))
def verhoeff(d: Any, n: Any) -> Any:
    """Verhoeff's check in the dihedral group of the pentagon."""
    check = 0
    for k in range(n):
        x = d[n - 1 - k]
        for _ in range(k % 8):  # the permutation (1 5 8 9 4 2 7 0)(3 6), applied k times
            if x == 1:
                x = 5
            elif x == 5:
                x = 8
            elif x == 8:
                x = 9
            elif x == 9:
                x = 4
            elif x == 4:
                x = 2
            elif x == 2:
                x = 7
            elif x == 7:
                x = 0
            elif x == 0:
                x = 1
            elif x == 3:
                x = 6
            else:
                x = 3
        low, turn = x % 5, check % 5
        if check < 5:
            check = (turn + low) % 5 if x < 5 else (turn + low) % 5 + 5
        else:
            check = (turn - low) % 5 + 5 if x < 5 else (turn - low) % 5
    return check == 0


@kernel(types.boolean(DIGITS, INT, types.uint32))
def is_person(d: Any, n: Any, words: Any) -> Any:
    """Checksums of national numbers of plain digits; a word before must say which, except for Chinese ids."""
    if n == 18:
        year = d[6] * 1000 + d[7] * 100 + d[8] * 10 + d[9]
        return 1900 <= year <= 2035 and d[0] > 0 and date(year, d[10] * 10 + d[11], d[12] * 10 + d[13]) and china(d)
    if n == 9 and words & SIN:  # Canada
        return d[0] != 0 and d[0] != 8 and luhn(d, 0, 9)
    if n == 9 and words & SSN:  # United States: no checksum, only ranges
        area, group = d[0] * 100 + d[1] * 10 + d[2], d[3] * 10 + d[4]
        return 0 < area < 900 and area != 666 and group > 0 and d[5] + d[6] + d[7] + d[8] > 0
    if n == 9 and words & BSN:  # Netherlands, eleven test
        total = -d[8]
        for k in range(8):
            total += d[k] * (9 - k)
        return total % 11 == 0 and total != 0
    if n == 9 and words & TFN:  # Australia
        total = 1 * d[0] + 4 * d[1] + 3 * d[2] + 7 * d[3] + 5 * d[4] + 8 * d[5] + 6 * d[6] + 9 * d[7] + 10 * d[8]
        return total % 11 == 0 and total != 0
    if n == 10 and words & NHS:  # England and Wales
        total = 0
        for k in range(9):
            total += d[k] * (10 - k)
        return (11 - total % 11) % 11 == d[9] and total != 0
    if n == 10 and words & EGN:  # Bulgaria
        total = 2 * d[0] + 4 * d[1] + 8 * d[2] + 5 * d[3] + 10 * d[4] + 9 * d[5] + 7 * d[6] + 3 * d[7] + 6 * d[8]
        return total % 11 % 10 == d[9] and total != 0
    if n == 11 and words & PESEL:  # Poland
        total = d[0] + 3 * d[1] + 7 * d[2] + 9 * d[3] + d[4] + 3 * d[5] + 7 * d[6] + 9 * d[7] + d[8] + 3 * d[9] + d[10]
        return total % 10 == 0 and total != 0
    if n == 12 and words & AADHAAR:  # India, Verhoeff
        return d[0] > 1 and verhoeff(d, 12)
    if n == 13 and words & CNP:  # Romania
        total = 2 * d[0] + 7 * d[1] + 9 * d[2] + d[3] + 4 * d[4] + 6 * d[5] + 3 * d[6] + 5 * d[7] + 8 * d[8] + 2 * d[9]
        total += 7 * d[10] + 9 * d[11]
        check = total % 11
        return d[0] > 0 and (1 if check == 10 else check) == d[12]
    return False


@kernel(INT(INT))
def dni(value: Any) -> Any:
    """Check letter (ASCII) of a Spanish identity number."""
    letters = (84, 82, 87, 65, 71, 77, 89, 70, 80, 68, 88, 66, 78, 74, 90, 83, 81, 86, 72, 76, 67, 75, 69)
    return letters[value % 23]


@kernel(INT(BYTES, INT, INT, BYTES, DIGITS))
def match_lettered(data: Any, at: Any, end: Any, cls: Any, d: Any) -> Any:
    """Ids with letters at a word in capitals: Italian codice fiscale, Mexican CURP, Spanish NIE; stop or 0."""
    stop = at
    while stop < end and stop - at < 20 and (cls[data[stop]] & UPPER or cls[data[stop]] & DIGIT):
        stop += 1
    size = stop - at
    if (size != 16 and size != 18 and size != 9) or (stop < end and (cls[data[stop]] & ALNUM or data[stop] == 95)):
        return 0
    for k in range(size):
        c = np.int64(data[at + k])
        d[k] = c - 48 if cls[c] & DIGIT else c - 55
    letters = 0
    for k in range(6):
        letters += d[k] > 9
    if size == 16 and letters == 6:
        odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
        if d[15] < 10 or d[8] < 10 or d[11] < 10:
            return 0
        total = 0
        for k in range(15):
            value = d[k] if d[k] < 10 else d[k] - 10
            total += value if k & 1 else odd[value]
        return stop if total % 26 == d[15] - 10 else 0
    if size == 18 and letters == 4 and d[4] < 10 and d[9] < 10 and d[10] > 9:
        if not date(d[4] * 10 + d[5], d[6] * 10 + d[7], d[8] * 10 + d[9]) or d[17] > 9:
            return 0
        total = 0
        for k in range(17):  # letters after N count one more: the Spanish alphabet has an N with tilde
            total += (d[k] + (d[k] > 23)) * (18 - k)
        return stop if (10 - total % 10) % 10 == d[17] else 0
    if size == 9 and 33 <= d[0] <= 35 and d[8] > 9:
        value = d[0] - 33
        for k in range(1, 8):
            if d[k] > 9:
                return 0
            value = value * 10 + d[k]
        return stop if dni(value) == d[8] + 55 else 0
    return 0


@kernel(INT(BYTES, INT, INT, BYTES, DIGITS, INT, types.int64[::1], INT))
def match_formatted(data: Any, at: Any, end: Any, cls: Any, d: Any, n: Any, g: Any, groups: Any) -> Any:
    """Ids whose punctuation and checksum say what they are: CPF, RUT, personnummer, HETU, DNI, NIR; stop or 0."""
    stop = g[3 * groups - 1]
    if groups == 4 and n == 11 and g[0] == 3 and g[4] == 46 and g[7] == 46 and g[10] == 45 and g[9] == 2:  # Brazil
        for last in (9, 10):
            total = 0
            for k in range(last):
                total += d[k] * (last + 1 - k)
            if total * 10 % 11 % 10 != d[last]:
                return 0
        return stop if closed(data, stop, end, cls) else 0
    if groups >= 3 and g[0] <= 2 and g[3] == 3 and g[6] == 3 and g[4] == 46 and g[7] == 46:  # Chile 12.345.678-K
        stop = g[8]
        if stop + 1 >= end or data[stop] != 45:
            return 0
        total = 0
        size = g[0] + 6
        for k in range(size):
            total += d[size - 1 - k] * (2 + k % 6)
        check = 11 - total % 11
        c = np.int64(data[stop + 1])
        want = 48 if check == 11 else 75 if check == 10 else 48 + check
        good = c == want or (check == 10 and c == 107)
        return stop + 2 if good and closed(data, stop + 2, end, cls) else 0
    if groups == 2 and g[0] == 6 and g[3] == 4 and g[4] == 45:  # Sweden YYMMDD-NNNN
        day = d[4] * 10 + d[5]
        good = date(d[0] * 10 + d[1], d[2] * 10 + d[3], day - 60 if day > 60 else day) and luhn(d, 0, 10)
        if good and closed(data, stop, end, cls):
            return stop
    if g[0] == 6 and stop <= end and g[2] + 5 <= end:  # Finland DDMMYY-NNNC
        mark = data[g[2]]
        if (
            (mark == 45 or mark == 43 or mark == 65)
            and groups <= 2
            and date(d[4] * 10 + d[5], d[2] * 10 + d[3], d[0] * 10 + d[1])
        ):
            value = np.int64(0)
            for k in range(6):
                value = value * 10 + d[k]
            for k in range(1, 4):
                if not cls[data[g[2] + k]] & DIGIT:
                    return 0
                value = value * 10 + np.int64(data[g[2] + k]) - 48
            sign = value % 31  # 0-9, then letters without G, I, O, Q and Z
            sign = 48 + sign if sign < 10 else 65 + sign - 10
            for skipped in (71, 73, 79, 81):
                sign += sign >= skipped
            stop = g[2] + 5
            if data[stop - 1] == sign and closed(data, stop, end, cls):
                return stop
        return 0
    if groups == 1 and n == 8 and stop < end and cls[data[stop]] & UPPER:  # Spain
        value = np.int64(0)
        for k in range(8):
            value = value * 10 + d[k]
        return stop + 1 if dni(value) == data[stop] and closed(data, stop + 1, end, cls) else 0
    if n == 15 and (d[0] == 1 or d[0] == 2) and (groups == 1 or (groups >= 6 and g[0] == 1)):  # France
        value = np.int64(0)
        for k in range(13):
            value = value * 10 + d[k]
        month = d[3] * 10 + d[4]
        good = (1 <= month <= 12 or 20 <= month <= 42) and 97 - value % 97 == d[13] * 10 + d[14]
        return stop if good and closed(data, stop, end, cls) else 0
    return 0
