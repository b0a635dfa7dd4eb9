"""Groups of digits judged by themselves: a card, a telephone number, a public address? No text is looked at."""

from __future__ import annotations

from typing import Any

from numba import types

from pilebuilder.kernels.jit import kernel
from pilebuilder.kernels.pii_ids import luhn
from pilebuilder.kernels.pii_tables import PHONE_WORD

DIGITS = types.int64[::1]
INT = types.int64


@kernel(types.boolean(DIGITS, INT))
def is_card(d: Any, n: Any) -> Any:
    """Issuer range and length of a payment card: Visa, Mastercard, Amex, Discover, JCB, Diners, UnionPay."""
    two = d[0] * 10 + d[1]
    four = two * 100 + d[2] * 10 + d[3]
    issuer = (
        (d[0] == 4 and n in (13, 16, 19))
        or (n == 16 and (51 <= two <= 55 or 2221 <= four <= 2720 or four == 6011 or two == 65 or 3528 <= four <= 3589))
        or (n == 16 and 6440 <= four <= 6499)
        or (n == 15 and two in (34, 37))
        or (n == 14 and (two in (36, 38) or 3000 <= four <= 3059))
        or (two == 62 and 16 <= n <= 19)
    )
    return issuer and luhn(d, 0, n)


@kernel(types.boolean(INT, INT, INT))
def is_public(a: Any, b: Any, c: Any) -> Any:
    """Whether an IPv4 address can belong to a host on the internet (not private, reserved or for documentation)."""
    if a == 0 or a == 10 or a == 127 or a >= 224:
        return False
    if (a == 100 and 64 <= b <= 127) or (a == 169 and b == 254) or (a == 172 and 16 <= b <= 31):
        return False
    if (a == 192 and (b == 168 or (b == 0 and (c == 0 or c == 2)))) or (
        a == 198 and (b in (18, 19) or (b == 51 and c == 100))
    ):
        return False
    return not (a == 203 and b == 0 and c == 113)


@kernel(types.boolean(DIGITS, INT))
def area_code(d: Any, at: Any) -> Any:
    """North American number plan: area code and exchange NXX, not N11, and not the fictional 555-01XX."""
    if d[at] < 2 or d[at + 3] < 2 or (d[at + 1] == 1 and d[at + 2] == 1) or (d[at + 4] == 1 and d[at + 5] == 1):
        return False
    fictional = d[at + 3] == 5 and d[at + 4] == 5 and d[at + 5] == 5 and d[at + 6] == 0 and d[at + 7] == 1
    return not fictional and not (d[at + 1] == 9 and d[at] != 9)


@kernel(types.boolean(DIGITS))
def country_code(d: Any) -> Any:
    """Whether digits begin with an assigned country code (ITU-T E.164, list of 2016)."""
    two = d[0] * 10 + d[1]
    three = two * 10 + d[2]
    if d[0] == 1 or d[0] == 7:
        return True
    if d[0] == 2:
        return two in (20, 27) or 211 <= three <= 213 or three in (216, 218) or 220 <= three <= 269 or three >= 290
    if d[0] == 3:
        return (two != 35 and two < 37) or two == 39 or 350 <= three <= 359 or 370 <= three <= 389
    if d[0] == 4:
        return two != 42 or three in (420, 421, 423)
    if d[0] == 5:
        return 51 <= two <= 58 or 500 <= three <= 509 or 590 <= three <= 599
    if d[0] == 6:
        return two < 67 or 670 <= three <= 692
    if d[0] == 8:
        return two in (81, 82, 84, 86) or three in (800, 808, 850, 852, 853, 855, 856, 880, 886)
    return 90 <= two <= 95 or two == 98 or 960 <= three <= 977 or 992 <= three <= 998


@kernel(types.boolean(DIGITS, INT, types.int64[::1], INT))
def card_groups(d: Any, n: Any, g: Any, groups: Any) -> Any:
    """Whether groups are those printed on cards: 4-4-4-4(-3), 4-6-5, 4-6-4, one separator throughout."""
    for k in range(2, groups):
        if g[3 * k + 1] != g[4]:
            return False
    if g[0] != 4 or g[4] == 46:
        return False
    if groups == 3:
        return g[3] == 6 and (g[6] == 5 or g[6] == 4)
    return (groups == 4 or groups == 5) and g[3] == 4 and g[6] == 4 and g[9] == 4 and (groups == 4 or g[12] == 3)


@kernel(types.boolean(DIGITS, INT, types.int64[::1], INT, types.uint32))
def match_phone(d: Any, n: Any, g: Any, groups: Any, words: Any) -> Any:
    """Phone number of plain groups: North American with dashes or dots, or 7 to 15 digits after a phone word."""
    dotted = groups > 1 and (g[4] == 45 or g[4] == 46)
    if n == 10 and groups == 3 and g[0] == 3 and g[3] == 3 and dotted and g[7] == g[4]:
        return area_code(d, 0)
    if n == 11 and groups == 4 and g[0] == 1 and g[3] == 3 and g[6] == 3 and d[0] == 1 and dotted and g[7] == g[4]:
        return area_code(d, 1)
    if words & PHONE_WORD == 0:
        return False
    if groups == 3 and ((g[0] == 4 and g[3] == 2 and g[6] == 2) or (g[0] == 2 and g[3] == 2 and g[6] == 4)):
        return False  # a date
    if groups == 2 and g[4] == 46 and g[0] < 3:
        return False  # a decimal fraction
    if n == 7 and d[0] == 5 and d[1] == 5 and d[2] == 5 and d[3] == 0 and d[4] == 1:
        return False  # fictional
    if n == 10 and (groups == 1 or groups == 3) and d[0] > 1:
        return area_code(d, 0) or groups != 1
    return n >= 7
