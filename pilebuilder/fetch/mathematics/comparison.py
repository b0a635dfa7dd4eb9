"""Modules ``comparison__*``, ``measurement__*`` and ``probability__*``."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction

from pilebuilder.fetch.mathematics.compose import Context
from pilebuilder.fetch.mathematics.draw import COUNTS, ORDINALS, Draw, show

Question = tuple[str, str]
UNITS = {
    "length": {
        "nanometers": -9,
        "micrometers": -6,
        "millimeters": -3,
        "centimeters": -2,
        "meters": 0,
        "kilometers": 3,
    },
    "mass": {"nanograms": -9, "micrograms": -6, "milligrams": -3, "grams": 0, "kilograms": 3, "tonnes": 6},
    "volume": {"nanolitres": -9, "microlitres": -6, "millilitres": -3, "litres": 0},
}
TIMES = {
    "nanoseconds": Fraction(1, 10**9),
    "microseconds": Fraction(1, 10**6),
    "milliseconds": Fraction(1, 1000),
    "seconds": Fraction(1),
    "minutes": Fraction(60),
    "hours": Fraction(3600),
    "days": Fraction(86400),
    "weeks": Fraction(604800),
}


def _values(draw: Draw, count: int, context: Context | None = None) -> list[tuple[Fraction, str]]:
    """Distinct numbers with their texts; with a context, one of them stands under a name."""
    found: list[tuple[Fraction, str]] = []
    for e in draw.split(draw.entropy() * (1 + count / 8), count):
        value, text = draw.number(min(e, 6))
        while value in {v for v, _ in found}:
            value, text = draw.number(min(e, 6) + 1)
        found.append((value, text))
    if context is not None:
        place = draw.below(count)
        value = Fraction(draw.between(-40, 40))
        if value not in {v for v, _ in found}:
            found[place] = (value, context.define(int(value)))
    return found


def _choices(values: list[tuple[Fraction, str]]) -> str:
    return "  ".join(f"({LETTER}) {text}" for LETTER, (_, text) in zip("abcdefghijkl", values, strict=False))


def _both(
    body: Callable[[Draw, Context | None], Question],
) -> tuple[Callable[[Draw], Question], Callable[[Draw], Question]]:
    """A module and its composed form."""

    def composed(draw: Draw) -> Question:
        context = Context(draw)
        question, answer = body(draw, context)
        return context.ask(question), answer

    return (lambda draw: body(draw, None)), composed


def _closest(draw: Draw, context: Context | None) -> Question:
    values = _values(draw, draw.between(3, 5), context)
    target, text = draw.number(2)
    distances = [abs(v - target) for v, _ in values]
    best = min(range(len(values)), key=distances.__getitem__)
    while distances.count(distances[best]) > 1:
        target += Fraction(1, 7)
        text = f"{target.numerator}/{target.denominator}"
        distances = [abs(v - target) for v, _ in values]
        best = min(range(len(values)), key=distances.__getitem__)
    word = draw.pick(("closest", "nearest"))
    if draw.coin():
        return f"Which is the {word} to {text}?  {_choices(values)}", "abcdefghijkl"[best]
    return f"What is the {word} to {text} in {', '.join(t for _, t in values)}?", values[best][1]


def _kth_biggest(draw: Draw, context: Context | None) -> Question:
    values = _values(draw, draw.between(3, 6), context)
    big = draw.coin()
    order = sorted(range(len(values)), key=lambda i: values[i][0], reverse=big)
    k = draw.below(len(values))
    word = ("" if k == 0 else ORDINALS[k + 1] + " ") + (draw.pick(("biggest", "largest")) if big else "smallest")
    if draw.coin():
        return f"Which is the {word} value?  {_choices(values)}", "abcdefghijkl"[order[k]]
    return f"What is the {word} value in {', '.join(t for _, t in values)}?", values[order[k]][1]


def _pair(draw: Draw, context: Context | None) -> Question:
    (a, p), (b, q) = _values(draw, 2, context)
    style = draw.below(4)
    if style == 0:
        word = draw.pick(("bigger", "greater", "larger"))
        return f"Which is {word}: {p} or {q}?", p if a > b else q
    if style == 1:
        return f"Which is smaller: {p} or {q}?", p if a < b else q
    if draw.uniform() < 0.15:
        b, q = a, p
    asks = _EQUAL if style == 2 else _ORDERED
    ask, holds = draw.pick(asks)
    return ask.format(p, q), str(holds(a, b))


_EQUAL: tuple[tuple[str, Callable[[Fraction, Fraction], bool]], ...] = (
    ("Are {} and {} equal?", operator.eq),
    ("Are {} and {} nonequal?", operator.ne),
    ("Do {} and {} have the same value?", operator.eq),
)
_ORDERED: tuple[tuple[str, Callable[[Fraction, Fraction], bool]], ...] = (
    ("Is {} greater than {}?", operator.gt),
    ("Is {} less than {}?", operator.lt),
    ("Is {} at least {}?", operator.ge),
    ("Is {} at most {}?", operator.le),
    ("Is {} greater than or equal to {}?", operator.ge),
    ("Is {} smaller than {}?", operator.lt),
    ("Is {} bigger than {}?", operator.gt),
)


def _sort(draw: Draw, context: Context | None) -> Question:
    values = _values(draw, draw.between(3, 7 if context is None else 4), context)
    falling = draw.coin()
    word = draw.pick(("decreasing", "descending") if falling else ("increasing", "ascending"))
    text = ", ".join(t for _, t in values)
    ask = draw.pick((f"Sort {text} in {word} order.", f"Put {text} in {word} order.", f"Sort {text}."))
    ordered = sorted(values, key=lambda v: v[0], reverse=falling and not ask.endswith(f"{text}."))
    return ask, ", ".join(t for _, t in ordered)


def conversion(draw: Draw) -> Question:
    family = draw.pick((*UNITS, "time"))
    table = TIMES if family == "time" else {n: Fraction(10) ** p for n, p in UNITS[family].items()}
    a, b = draw.shuffled(sorted(table))[:2]
    if draw.uniform() < 0.2:
        part = Fraction(draw.between(1, 9), draw.pick((2, 4, 5, 8, 10, 20)))
        big, small = (a, b) if table[a] > table[b] else (b, a)
        whole = ("an " if big == "hours" else "a ") + big.removesuffix("s")
        return f"What is {part.numerator}/{part.denominator} of {whole} in {small}?", show(
            part * table[big] / table[small]
        )
    value = draw.decimal(draw.entropy() * 0.7) or Fraction(1)
    value, text = abs(value), show(abs(value))
    result = value * table[a] / table[b]
    asks = (f"What is {text} {a} in {b}?", f"Convert {text} {a} to {b}.", f"How many {b} are there in {text} {a}?")
    return draw.pick(asks), show(result)


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02} {'AM' if hour < 12 else 'PM'}"


def time(draw: Draw) -> Question:
    start, gap = draw.below(1440), draw.between(1, 719)
    style = draw.below(3)
    if style == 0:
        return f"How many minutes are there between {_clock(start)} and {_clock(start + gap)}?", str(gap)
    if style == 1:
        return f"What is {gap} minutes after {_clock(start)}?", _clock(start + gap)
    return f"What is {gap} minutes before {_clock(start)}?", _clock(start - gap)


def _letters(draw: Draw) -> tuple[dict[str, int], str]:
    """A bag of letters and how the question shows it: counted, or written out."""
    kinds = draw.between(2, 5)
    names = draw.names(kinds)
    limit = 2 + int(draw.entropy())
    bag = {n: draw.between(1, limit) for n in names}
    if draw.coin():
        return bag, "{" + ", ".join(f"{n}: {c}" for n, c in bag.items()) + "}"
    return bag, "".join(draw.shuffled([n for n, c in bag.items() for _ in range(c)]))


def _picks(draw: Draw, bag: dict[str, int]) -> int:
    return draw.between(1, min(5, sum(bag.values())))


def swr_p_level_set(draw: Draw) -> Question:
    bag, text = _letters(draw)
    count = _picks(draw, bag)
    pool = draw.shuffled([n for n, c in bag.items() for _ in range(c)])[:count]
    wanted = {n: pool.count(n) for n in sorted(set(pool))}
    ways = math.prod(math.comb(bag[n], c) for n, c in wanted.items())
    chance = Fraction(ways, math.comb(sum(bag.values()), count))
    goal = " and ".join(f"{c} {n}" for n, c in wanted.items())
    return _draw_text(draw, count, text, f"picking {goal}"), _chance(chance)


def swr_p_sequence(draw: Draw) -> Question:
    bag, text = _letters(draw)
    count = _picks(draw, bag)
    sequence = draw.shuffled([n for n, c in bag.items() for _ in range(c)])[:count]
    left, chance = dict(bag), Fraction(1)
    for name in sequence:
        chance *= Fraction(left[name], sum(left.values()))
        left[name] -= 1
    return _draw_text(draw, count, text, f"sequence {''.join(sequence)}"), _chance(chance)


def _draw_text(draw: Draw, count: int, bag: str, goal: str) -> str:
    letters = "letters" if count > 1 else "letter"
    number = COUNTS[count].capitalize()
    verb = draw.pick(("What is prob of {}?", "Give prob of {}.", "Calculate prob of {}."))
    return f"{number} {letters} picked without replacement from {bag}. {verb.format(goal)}"


def _chance(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


closest, closest_composed = _both(_closest)
kth_biggest, kth_biggest_composed = _both(_kth_biggest)
pair, pair_composed = _both(_pair)
sort, sort_composed = _both(_sort)

COMPARISON = {
    "closest": closest,
    "closest_composed": closest_composed,
    "kth_biggest": kth_biggest,
    "kth_biggest_composed": kth_biggest_composed,
    "pair": pair,
    "pair_composed": pair_composed,
    "sort": sort,
    "sort_composed": sort_composed,
}
MEASUREMENT = {"conversion": conversion, "time": time}
PROBABILITY = {"swr_p_level_set": swr_p_level_set, "swr_p_sequence": swr_p_sequence}
