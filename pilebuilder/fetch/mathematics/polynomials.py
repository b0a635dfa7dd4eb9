"""Modules ``polynomials__*`` and ``calculus__*``: expand, collect, compose, evaluate, simplify, differentiate."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from pilebuilder.fetch.mathematics import poly
from pilebuilder.fetch.mathematics.compose import Context
from pilebuilder.fetch.mathematics.draw import LETTERS, ORDINALS, Draw, show_rational


def add(draw: Draw) -> tuple[str, str]:
    f, g, x, y, z = draw.names(5)
    a, b = (poly.random_poly(draw, e, draw.between(1, 3)) for e in draw.split(draw.entropy() * 0.7, 2))
    m, n = draw.between(-9, 9) or 2, draw.between(-9, 9) or 3
    total = poly.add([c * m for c in a], [c * n for c in b])
    text = poly.joined([(m, _times(m, f, z)), (n, _times(n, g, z))])
    verb = draw.pick(("Calculate", "Give", "Determine"))
    lets = f"Let {f}({x}) = {poly.show_poly(a, x)}. Let {g}({y}) = {poly.show_poly(b, y)}."
    return f"{lets} {verb} {text}.", poly.show_poly(total, z)


def _times(m: int, f: str, z: str) -> str:
    return f"{f}({z})" if abs(m) == 1 else f"{abs(m)}*{f}({z})"


def coefficient_named(draw: Draw) -> tuple[str, str]:
    x, *names = draw.names(5)
    body = poly.random_poly(draw, draw.entropy() * 0.8, draw.between(1, 3))
    names = names[: len(body)]
    form = " + ".join(_form(n, p, x) for n, p in reversed(list(zip(names, range(len(body)), strict=True))))
    place = draw.below(len(body))
    text = poly.shuffled_poly(draw, body, x, extra=draw.below(3))
    verb = draw.pick(("give", "state", "determine"))
    return f"Express {text} in the form {form} and {verb} {names[place]}.", str(body[place])


def _form(name: str, power: int, x: str) -> str:
    return name if power == 0 else f"{name}*{x}" if power == 1 else f"{name}*{x}**{power}"


def collect(draw: Draw) -> tuple[str, str]:
    x = draw.pick(LETTERS)
    body = poly.random_poly(draw, draw.entropy() * 0.6, draw.between(1, 3))
    text = poly.shuffled_poly(draw, body, x, extra=draw.between(2, 4))
    return f"Collect the terms in {text}.", poly.show_poly(body, x)


def compose(draw: Draw) -> tuple[str, str]:
    f, g, x, y, z = draw.names(5)
    a, b = (poly.random_poly(draw, e, draw.between(1, 2)) for e in draw.split(draw.entropy() * 0.7, 2))
    verb = draw.pick(("Give", "Calculate", "Determine", "What is"))
    end = "?" if verb == "What is" else "."
    lets = f"Let {f}({x}) = {poly.show_poly(a, x)}. Let {g}({y}) = {poly.show_poly(b, y)}."
    return f"{lets} {verb} {f}({g}({z})){end}", poly.show_poly(poly.compose(a, b), z)


def evaluate(draw: Draw) -> tuple[str, str]:
    f, x = draw.names(2)
    body = poly.random_poly(draw, draw.entropy() * 0.7, draw.between(1, 3))
    at = draw.between(-9, 9)
    verb = draw.pick(("Calculate", "Give", "Determine", "What is"))
    lets = f"Let {f}({x}) = {poly.shuffled_poly(draw, body, x)}."
    return f"{lets} {verb} {f}({at}){'?' if verb == 'What is' else '.'}", str(poly.value_at(body, at))


def evaluate_composed(draw: Draw) -> tuple[str, str]:
    context = Context(draw)
    at = draw.between(-9, 9)
    held = context.define(at)
    f, x = context.name(), context.name()
    body = poly.random_poly(draw, draw.entropy() * 0.5, draw.between(1, 2))
    verb = draw.pick(("Calculate", "Give", "Determine"))
    return context.ask(f"Let {f}({x}) = {poly.show_poly(body, x)}. {verb} {f}({held})."), str(poly.value_at(body, at))


def expand(draw: Draw) -> tuple[str, str]:
    x = draw.pick(LETTERS)
    count = draw.between(2, 3)
    parts = [poly.random_poly(draw, e, draw.between(1, 2)) for e in draw.split(draw.entropy() * 0.7, count)]
    product = [1]
    for part in parts:
        product = poly.multiply(product, part)
    return f"Expand {'*'.join(f'({poly.show_poly(p, x)})' for p in parts)}.", poly.show_poly(product, x)


def simplify_power(draw: Draw) -> tuple[str, str]:
    x = draw.pick(LETTERS)
    text, power = _power(draw, x, draw.between(2, 4 + int(draw.entropy() / 3)))
    return f"Simplify {text} assuming {x} is positive.", _shown_power(x, power)


def _power(draw: Draw, x: str, size: int) -> tuple[str, Fraction]:
    """Products, quotients and powers of powers of one unknown, with the exponent they come to."""
    if size <= 1:
        bottom = draw.pick((1, 1, 1, 2, 3, 4, 5))
        power = Fraction(draw.between(-9, 20) or 2, bottom)
        return _written(x, power), power
    if draw.uniform() < 0.3:
        text, power = _power(draw, x, size - 1)
        outer = Fraction(draw.pick(("-1", "2", "3", "-2", "1/2", "2/3", "5")))
        shown = show_rational(outer)
        return f"({text})**{shown if outer.denominator == 1 and outer > 0 else f'({shown})'}", power * outer
    left, a = _power(draw, x, size // 2)
    right, b = _power(draw, x, size - size // 2)
    if draw.coin():
        return f"{_grouped(left)}*{_grouped(right)}", a + b
    return f"{_grouped(left)}/({right})", a - b


def _grouped(text: str) -> str:
    return f"({text})" if "/" in text and not text.endswith(")") else text


def _written(x: str, power: Fraction) -> str:
    if power == 1:
        return x
    shown = show_rational(power)
    return f"{x}**{shown}" if power.denominator == 1 and power > 0 else f"{x}**({shown})"


def _shown_power(x: str, power: Fraction) -> str:
    return "1" if power == 0 else _written(x, power)


def differentiate(draw: Draw) -> tuple[str, str]:
    x = draw.pick(LETTERS)
    times = draw.between(1, 3)
    body = poly.random_poly(draw, draw.entropy() * 0.8, draw.between(max(1, times - 1), times + 2))
    text = poly.shuffled_poly(draw, body, x, extra=draw.below(2))
    found = poly.show_poly(poly.differentiate(body, times), x)
    if times == 1 and draw.uniform() < 0.4:
        return draw.pick((f"Differentiate {text} wrt {x}.", f"Differentiate {text} with respect to {x}.")), found
    asks = (
        "What is the {} derivative of {}?",
        "Find the {} derivative of {}.",
        f"What is the {{}} derivative of {{}} wrt {x}?",
    )
    return draw.pick(asks).format(ORDINALS[times], text), found


def differentiate_composed(draw: Draw) -> tuple[str, str]:
    f, x, y = draw.names(3)
    times = draw.between(1, 2)
    body = poly.random_poly(draw, draw.entropy() * 0.7, draw.between(times, times + 2))
    text = poly.shuffled_poly(draw, body, x, extra=draw.below(2))
    found = poly.show_poly(poly.differentiate(body, times), y)
    verb = draw.pick(("Find", "Give", "Calculate", "What is"))
    end = "?" if verb == "What is" else "."
    return f"Let {f}({x}) = {text}. {verb} the {ORDINALS[times]} derivative of {f}({y}) wrt {y}{end}", found


POLYNOMIALS: dict[str, Callable[[Draw], tuple[str, str]]] = {
    "add": add,
    "coefficient_named": coefficient_named,
    "collect": collect,
    "compose": compose,
    "evaluate": evaluate,
    "evaluate_composed": evaluate_composed,
    "expand": expand,
    "simplify_power": simplify_power,
}
CALCULUS = {"differentiate": differentiate, "differentiate_composed": differentiate_composed}
