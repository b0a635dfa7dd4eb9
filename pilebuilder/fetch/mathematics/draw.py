"""Seeded drawing of numbers, names and phrases, by a budget of entropy in decimal digits as in the paper."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")
LETTERS = "abcdfghjklmnopqrstuvwxyz"
"""Names of unknowns: no ``e``, which reads as a constant, and no ``i``, which reads as the imaginary unit."""

LEVELS = {"train-easy": (3.0, 16 / 3), "train-medium": (16 / 3, 23 / 3), "train-hard": (23 / 3, 10.0)}
"""Entropy of a question per level: thirds of the paper's training range of 3 to 10 decimal digits."""


class Draw:
    """A stream of choices for one module at one level. Uses only primitives whose stream Python guarantees."""

    def __init__(self, seed: str, level: str) -> None:
        digest = hashlib.sha256(seed.encode()).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))
        self.low, self.high = LEVELS[level]

    def entropy(self) -> float:
        """Decimal digits of entropy for the next question."""
        return self.low + (self.high - self.low) * self._random.random()

    def uniform(self) -> float:
        return self._random.random()

    def below(self, n: int) -> int:
        """Uniform in 0 .. n - 1, any size of n."""
        bits = n.bit_length()
        while (value := self._random.getrandbits(bits)) >= n:
            pass
        return value

    def between(self, low: int, high: int) -> int:
        """Uniform in low .. high, both included."""
        return low + self.below(high - low + 1)

    def coin(self) -> bool:
        return self._random.random() < 0.5

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        out = list(values)
        for i in range(len(out) - 1, 0, -1):
            j = self.below(i + 1)
            out[i], out[j] = out[j], out[i]
        return out

    def split(self, entropy: float, parts: int) -> list[float]:
        """Divide entropy at random over `parts` numbers."""
        cuts = sorted(self._random.random() for _ in range(parts - 1))
        edges = [0.0, *cuts, 1.0]
        return [entropy * (b - a) for a, b in itertools.pairwise(edges)]

    def integer(self, entropy: float, *, signed: bool = True, least: int = 0) -> int:
        """An integer with about that entropy; `least` bounds its absolute value from below."""
        size = max(1, math.floor(10**entropy))
        if not signed:
            return least + self.below(size + 1)
        size = max(1, size // 2)
        value = least + self.below(size + 1)
        return -value if self.coin() else value

    def decimal(self, entropy: float) -> Fraction:
        """A number with a finite decimal expansion, often with digits after the point."""
        places = self.below(min(6, math.ceil(entropy) + 1))
        return Fraction(self.integer(entropy), 10**places)

    def rational(self, entropy: float) -> Fraction:
        """A fraction in lowest terms whose denominator is not 1."""
        top, bottom = self.split(entropy, 2)
        denominator = self.between(2, max(3, math.floor(10**bottom)))
        while True:
            numerator = self.integer(max(top, 0.5), least=1)
            if numerator % denominator:
                return Fraction(numerator, denominator)

    def number(self, entropy: float) -> tuple[Fraction, str]:
        """An integer, decimal or fraction, with its text."""
        kind = self._random.random()
        if kind < 0.55:
            value = Fraction(self.integer(entropy))
        elif kind < 0.85:
            value = self.decimal(entropy)
        else:
            value = self.rational(entropy)
            return value, f"{value.numerator}/{value.denominator}"
        return value, show(value)

    def names(self, count: int) -> list[str]:
        """Distinct one-letter names."""
        return self.shuffled(LETTERS)[:count]


def show(value: Fraction | int) -> str:
    """A number as the dataset writes it: integer, finite decimal, or fraction.

    >>> show(Fraction(-3, 8)), show(Fraction(2, 3)), show(7)
    ('-0.375', '2/3', '7')
    """
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    bottom, twos, fives = value.denominator, 0, 0
    while bottom % 2 == 0:
        bottom, twos = bottom // 2, twos + 1
    while bottom % 5 == 0:
        bottom, fives = bottom // 5, fives + 1
    if bottom != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return ("-" if value < 0 else "") + digits[:-places] + "." + digits[-places:]


def show_rational(value: Fraction | int) -> str:
    """A number as integer or fraction, never as a decimal."""
    value = Fraction(value)
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def listed(values: Sequence[str]) -> str:
    """Comma between all, ``and`` before the last.

    >>> listed(["3", "5", "9"])
    '3, 5 and 9'
    """
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]


ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
