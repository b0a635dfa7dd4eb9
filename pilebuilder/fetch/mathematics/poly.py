"""Polynomials in one unknown as lists of integer coefficients (constant term first), and their text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pilebuilder.fetch.mathematics.draw import Draw, show_rational


def term(coefficient: int | Fraction, power: int, name: str) -> str:
    """One term without its sign: ``3*x**2``, ``x``, ``2*x**3/7``, ``5``."""
    size = abs(Fraction(coefficient))
    if power == 0:
        return show_rational(size)
    unknown = name if power == 1 else f"{name}**{power}"
    top = unknown if size.numerator == 1 else f"{size.numerator}*{unknown}"
    return top if size.denominator == 1 else f"{top}/{size.denominator}"


def joined(terms: Sequence[tuple[int | Fraction, str]]) -> str:
    """Terms with their signs, the way a person writes a sum; zero terms must not be given unless alone.

    >>> joined([(-2, "2*x"), (3, "3")])
    '-2*x + 3'
    """
    out = []
    for i, (coefficient, text) in enumerate(terms):
        if i == 0:
            out.append(("-" if coefficient < 0 else "") + text)
        else:
            out.append((" - " if coefficient < 0 else " + ") + text)
    return "".join(out) or "0"


def show_poly(coefficients: Sequence[int | Fraction], name: str) -> str:
    """A polynomial with falling powers.

    >>> show_poly([-10, -2, 3], "k")
    '3*k**2 - 2*k - 10'
    """
    found = [(c, term(c, p, name)) for p, c in reversed(list(enumerate(coefficients))) if c]
    return joined(found)


def shuffled_poly(draw: Draw, coefficients: Sequence[int], name: str, extra: int = 0) -> str:
    """A polynomial with its terms in random order, `extra` of them split in two: what there is to collect."""
    terms = [(c, p) for p, c in enumerate(coefficients) if c] or [(0, 0)]
    for _ in range(extra):
        i = draw.below(len(terms))
        c, p = terms[i]
        part = draw.between(1, max(9, 2 * abs(c))) * (1 if draw.coin() else -1)
        if part != c:
            terms[i] = (c - part, p)
            terms.append((part, p))
    return joined([(c, term(c, p, name)) for c, p in draw.shuffled(terms)])


def random_poly(draw: Draw, entropy: float, degree: int) -> list[int]:
    """Integer coefficients of a polynomial of exactly that degree; lower ones may be zero."""
    parts = draw.split(entropy, degree + 1)
    found = [draw.integer(e) if draw.uniform() < 0.85 else 0 for e in parts]
    found[degree] = draw.integer(parts[degree], least=1)
    return found


def value_at(coefficients: Sequence[int], x: int) -> int:
    total = 0
    for c in reversed(coefficients):
        total = total * x + c
    return total


def add(a: Sequence[int], b: Sequence[int]) -> list[int]:
    size = max(len(a), len(b))
    return trimmed([(a[i] if i < len(a) else 0) + (b[i] if i < len(b) else 0) for i in range(size)])


def multiply(a: Sequence[int], b: Sequence[int]) -> list[int]:
    out = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return trimmed(out)


def compose(outer: Sequence[int], inner: Sequence[int]) -> list[int]:
    out = [0]
    for c in reversed(outer):
        out = add(multiply(out, inner), [c])
    return out


def differentiate(a: Sequence[int], times: int = 1) -> list[int]:
    found = list(a)
    for _ in range(times):
        found = [c * p for p, c in enumerate(found)][1:] or [0]
    return trimmed(found)


def trimmed(a: Sequence[int]) -> list[int]:
    """Without zero coefficients at the top; at least the constant stays."""
    out = list(a)
    while len(out) > 1 and out[-1] == 0:
        out.pop()
    return out
