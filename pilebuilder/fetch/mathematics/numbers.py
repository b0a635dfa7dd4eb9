"""Modules ``numbers__*``: bases, divisors, multiples, primes, digits and rounding. Each has a composed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from pilebuilder.fetch.mathematics.arithmetic import in_base
from pilebuilder.fetch.mathematics.compose import Context
from pilebuilder.fetch.mathematics.draw import Draw, show

Spoken = Callable[[int], str]
"""How a number stands in the question: written out, or by the name of an earlier definition."""
PLACES = ("units", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands", "millions", "ten millions",
          "hundred millions", "billions", "ten billions")  # fmt: skip
OF_TWO = ("Calculate the {} of {} and {}.", "What is the {} of {} and {}?")
TENS = ("ten", "one hundred", "one thousand", "ten thousand", "one hundred thousand", "one million")


def base_conversion(draw: Draw) -> tuple[str, str]:
    value = draw.integer(draw.entropy())
    a, b = draw.shuffled(range(2, 17))[:2]
    text = in_base(value, a)
    ask = draw.pick(("What is {} (base {}) in base {}?", "Convert {} (base {}) to base {}."))
    return ask.format(text, a, b), in_base(value, b)


def _plain(draw: Draw, body: Callable[[Draw, float, Spoken], tuple[str, str]]) -> tuple[str, str]:
    return body(draw, draw.entropy(), str)


def _composed(draw: Draw, body: Callable[[Draw, float, Spoken], tuple[str, str]]) -> tuple[str, str]:
    """The same question about a number that earlier sentences define."""
    context = Context(draw)
    used: list[str] = []

    def spoken(value: int) -> str:
        if used:
            return str(value)
        used.append(context.define(value))
        return used[0]

    question, answer = body(draw, draw.entropy() / 2, spoken)
    return context.ask(question), answer


def _remainder(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    a, b = draw.split(entropy, 2)
    divisor = draw.integer(b, signed=False, least=2)
    number = draw.integer(a, signed=False) * divisor + draw.below(divisor)
    asks = ("Calculate the remainder when {} is divided by {}.", "What is the remainder when {} is divided by {}?")
    return draw.pick(asks).format(spoken(number), divisor), str(number % divisor)


def _two_multiples(draw: Draw, entropy: float) -> tuple[int, int]:
    """Two numbers with a common factor that is usually not 1."""
    a, b, c = draw.split(entropy, 3)
    common = draw.integer(c, signed=False, least=1)
    return common * draw.integer(a, signed=False, least=1), common * draw.integer(b, signed=False, least=1)


def _gcd(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    a, b = _two_multiples(draw, entropy)
    word = draw.pick(("greatest common ", "highest common ")) + draw.pick(("factor", "divisor"))
    return draw.pick(OF_TWO).format(word, spoken(a), b), str(math.gcd(a, b))


def _lcm(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    a, b = _two_multiples(draw, entropy)
    if spoken is str and draw.uniform() < 0.2:
        p, q = Fraction(draw.between(1, 99), a + 1), Fraction(-draw.between(1, 99), b + 1)
        text = f"{p.numerator}/{p.denominator} and {q.numerator}/{q.denominator}"
        ask = draw.pick(("What is the common denominator of {}?", "Find the common denominator of {}."))
        return ask.format(text), str(math.lcm(p.denominator, q.denominator))
    word = draw.pick(("least common multiple", "lowest common multiple", "smallest common multiple"))
    return draw.pick(OF_TWO).format(word, spoken(a), b), str(math.lcm(a, b))


def _is_factor(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    a, b = draw.split(entropy, 2)
    factor = draw.integer(min(a, 4), signed=False, least=2)
    number = factor * draw.integer(b, signed=False, least=1)
    if draw.coin():
        number += draw.between(1, factor - 1)
    asks = ("Is {f} a factor of {n}?", "Does {f} divide {n}?", "Is {n} a multiple of {f}?", "Is {n} divisible by {f}?")
    return draw.pick(asks).format(f=factor, n=spoken(number)), str(number % factor == 0)


def is_prime_number(n: int) -> bool:
    """Deterministic Miller-Rabin for n below 3.3e24."""
    if n < 2:
        return False
    small = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    for p in small:
        if n % p == 0:
            return n == p
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in small:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def _is_prime(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    number = draw.integer(entropy, signed=False, least=2) | 1
    if draw.coin():
        while not is_prime_number(number):
            number += 2
    composite = draw.coin()
    ask = f"Is {spoken(number)} {'composite' if composite else draw.pick(('prime', 'a prime number'))}?"
    return ask, str(is_prime_number(number) != composite)


def _prime_factors(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    number = draw.integer(min(entropy, 8), signed=False, least=2)
    asks = ("What are the prime factors of {}?", "List the prime factors of {}.")
    return draw.pick(asks).format(spoken(number)), ", ".join(map(str, factors(number)))


def factors(n: int) -> list[int]:
    """Distinct prime factors, rising, by trial division (n is at most about 10**8 here)."""
    found, p = [], 2
    while p * p <= n:
        if n % p == 0:
            found.append(p)
            while n % p == 0:
                n //= p
        p += 1 if p == 2 else 2
    return found + ([n] if n > 1 else [])


def _place_value(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    number = draw.integer(entropy, signed=False, least=1)
    place = draw.below(min(len(PLACES), len(str(number))))
    return f"What is the {PLACES[place]} digit of {spoken(number)}?", str(number // 10**place % 10)


def _round(draw: Draw, entropy: float, spoken: Spoken) -> tuple[str, str]:
    if spoken is str and draw.uniform() < 0.6:
        return _round_decimal(draw, entropy)
    number = draw.integer(entropy)
    power = draw.between(1, max(1, min(len(TENS), len(str(abs(number))))))
    rounded = _half_away(Fraction(number), -power)
    asks = ("Round {} to the nearest {}.", "What is {} rounded to the nearest {}?")
    word = draw.pick((TENS[power - 1], str(10**power)))
    return draw.pick(asks).format(spoken(number), word), show(rounded)


def _round_decimal(draw: Draw, entropy: float) -> tuple[str, str]:
    places = draw.between(1, 6)
    number = Fraction(draw.integer(entropy, least=1), 10 ** (places + draw.between(0, 3)))
    keep = draw.below(places + 1)
    rounded = show(_half_away(number, keep))
    if keep == 0:
        ask = draw.pick(("Round {} to the nearest integer.", "What is {} rounded to the nearest integer?"))
        return ask.format(show(number)), rounded
    many = "one" if keep == 1 else str(keep)
    ends = f"{many} decimal place{'s' if keep > 1 else ''}"
    return draw.pick(("Round {} to {}.", "What is {} rounded to {}?")).format(show(number), ends), rounded


def _half_away(value: Fraction, places: int) -> Fraction:
    """Rounded to so many decimal places, halves away from zero."""
    unit = Fraction(10) ** -places
    size = (abs(value) / unit + Fraction(1, 2)).__floor__() * unit
    return -size if value < 0 else size


BODIES = {
    "div_remainder": _remainder,
    "gcd": _gcd,
    "is_factor": _is_factor,
    "is_prime": _is_prime,
    "lcm": _lcm,
    "list_prime_factors": _prime_factors,
    "place_value": _place_value,
    "round_number": _round,
}


def modules() -> dict[str, Callable[[Draw], tuple[str, str]]]:
    """All modules of this family by name."""
    found: dict[str, Callable[[Draw], tuple[str, str]]] = {"base_conversion": base_conversion}
    for name, body in BODIES.items():
        found[name] = lambda draw, body=body: _plain(draw, body)  # type: ignore[misc]
        found[f"{name}_composed"] = lambda draw, body=body: _composed(draw, body)  # type: ignore[misc]
    return found
