"""Modules ``arithmetic__*``: the four operations on integers, decimals and fractions, other bases, roots and surds."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

from pilebuilder.fetch.mathematics.draw import Draw, show, show_rational

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def in_base(value: int, base: int) -> str:
    """An integer in another base, letters for digits above nine.

    >>> in_base(-255, 16)
    '-ff'
    """
    digits, rest = "", abs(value)
    while rest or not digits:
        rest, digit = divmod(rest, base)
        digits = DIGITS[digit] + digits
    return ("-" if value < 0 else "") + digits


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") or "/" in text else text


def _operand(draw: Draw, entropy: float) -> Fraction:
    return Fraction(draw.integer(entropy)) if draw.uniform() < 0.5 else draw.decimal(entropy)


def add_or_sub(draw: Draw) -> tuple[str, str]:
    a, b = (_operand(draw, e) for e in draw.split(draw.entropy(), 2))
    if draw.coin():
        return draw.pick(_ADD).format(p=show(a), q=show(b)), show(a + b)
    if draw.uniform() < 0.15:
        return f"What is the distance between {show(a)} and {show(b)}?", show(abs(a - b))
    return draw.pick(_SUBTRACT).format(p=show(a), q=show(b)), show(a - b)


_ADD = (
    "What is {p} + {q}?",
    "Add {p} and {q}.",
    "Total of {p} and {q}.",
    "Put together {p} and {q}.",
    "Calculate {p} + {q}.",
    "Work out {p} + {q}.",
    "Sum {p} and {q}.",
    "Add together {p} and {q}.",
)
_SUBTRACT = (
    "What is {p} - {q}?",
    "What is {p} minus {q}?",
    "Subtract {q} from {p}.",
    "Work out {p} - {q}.",
    "What is {q} less than {p}?",
    "Calculate {p} - {q}.",
    "Take away {q} from {p}.",
)


def add_or_sub_in_base(draw: Draw) -> tuple[str, str]:
    base = draw.between(2, 16)
    a, b = (draw.integer(e) for e in draw.split(draw.entropy(), 2))
    sign = draw.pick("+-")
    total = a + b if sign == "+" else a - b
    return f"In base {base}, what is {in_base(a, base)} {sign} {in_base(b, base)}?", in_base(total, base)


_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def _tree(draw: Draw, entropy: float, leaves: int, operators: str) -> tuple[Fraction, str]:
    """A bracketed expression with so many numbers; never divides by zero."""
    if leaves == 1:
        value = draw.integer(max(entropy, 0.6), least=0 if operators == "+-" else 1)
        return Fraction(value), str(value)
    left_leaves = draw.between(1, leaves - 1)
    share = left_leaves / leaves
    left, left_text = _tree(draw, entropy * share, left_leaves, operators)
    right, right_text = _tree(draw, entropy * (1 - share), leaves - left_leaves, operators)
    sign = draw.pick(operators)
    if sign == "/" and right == 0:
        sign = "*"
    value = _OPERATORS[sign](left, right)
    wrap_left = sign in "*/" and (left_leaves > 1 or left < 0)
    wrap_right = leaves - left_leaves > 1 or right_text.startswith("-")
    a = f"({left_text})" if wrap_left else left_text
    b = f"({right_text})" if wrap_right else right_text
    return value, f"{a} {sign} {b}" if sign in "+-" else f"{a}{sign}{b}"


def _evaluate(draw: Draw, text: str) -> str:
    return draw.pick((f"What is {text}?", f"Evaluate {text}.", f"Calculate {text}.", f"What is the value of {text}?"))


def add_sub_multiple(draw: Draw) -> tuple[str, str]:
    value, text = _tree(draw, draw.entropy() * 0.8, draw.between(3, 6), "+-")
    return _evaluate(draw, text), show_rational(value)


def mul_div_multiple(draw: Draw) -> tuple[str, str]:
    value, text = _tree(draw, draw.entropy() * 0.8, draw.between(3, 6), "*/")
    return _evaluate(draw, text), show_rational(value)


def mixed(draw: Draw) -> tuple[str, str]:
    value, text = _tree(draw, draw.entropy() * 0.8, draw.between(3, 6), "+-*/")
    return _evaluate(draw, text), show_rational(value)


def div(draw: Draw) -> tuple[str, str]:
    a, b = draw.split(draw.entropy(), 2)
    divisor = draw.integer(b, least=1)
    number = draw.integer(a) * divisor if draw.uniform() < 0.7 else draw.integer(a + b, least=1)
    asks = ("What is {} divided by {}?", "Divide {} by {}.", "Calculate {} divided by {}.")
    return draw.pick(asks).format(number, divisor), show_rational(Fraction(number, divisor))


def mul(draw: Draw) -> tuple[str, str]:
    a, b = (_operand(draw, e) for e in draw.split(draw.entropy(), 2))
    p, q = show(a), show(b)
    asks = (f"Multiply {p} and {q}.", f"What is {p} times {q}?", f"Product of {p} and {q}.", f"{p} times {q}")
    more = (f"Calculate {p}*{q}.", f"Work out {p} * {q}.", f"What is the product of {p} and {q}?", f"{p} * {q}")
    return draw.pick(asks + more), show(a * b)


def nearest_integer_root(draw: Draw) -> tuple[str, str]:
    number = draw.integer(draw.entropy(), signed=False, least=1)
    power = draw.pick((2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10))
    root = _nearest_root(number, power)
    names = {2: "square root", 3: "cube root", 4: "fourth root", 5: "fifth root", 6: "sixth root", 7: "seventh root"}
    names |= {8: "eighth root", 9: "ninth root", 10: "tenth root"}
    asks = (
        f"What is the {names[power]} of {number} to the nearest integer?",
        f"What is {number} to the power of 1/{power}, to the nearest integer?",
    )
    return draw.pick(asks), str(root)


def _nearest_root(number: int, power: int) -> int:
    """Integer nearest to the root, exactly: compares (2r + 1)**p with 2**p * n."""
    low: int = math.floor(float(number) ** (1 / power))
    while low**power > number:
        low -= 1
    while (low + 1) ** power <= number:
        low += 1
    return low + 1 if (2 * low + 1) ** power <= 2**power * number else low


def simplify_surd(draw: Draw) -> tuple[str, str]:
    """Sums, products and powers of a rational and one square root, held as a + b*sqrt(r)."""
    radicand = draw.pick((2, 3, 5, 6, 7, 10, 11, 13, 17, 19))
    scale = max(1, int(draw.entropy() / 2.5))
    square = draw.between(1, 3 + scale * 3)
    style = draw.below(4)
    if style == 0:
        outer = draw.integer(draw.entropy() / 4, least=1)
        inside = square * square * radicand
        more = draw.integer(0.9, least=1)
        text = f"{outer}*sqrt({inside}) + {_bracketed(str(more))}*sqrt({radicand})"
        return f"Simplify {text}.", _surd(0, outer * square + more, radicand)
    if style == 1:
        a, b = draw.integer(draw.entropy() / 4), draw.integer(draw.entropy() / 4, least=1)
        text = f"({b}*sqrt({radicand}) + {a})**2".replace("+ -", "- ")
        return f"Simplify {text}.", _surd(a * a + b * b * radicand, 2 * a * b, radicand)
    if style == 2:
        bottom = square * square
        outer = draw.integer(draw.entropy() / 4, least=1)
        text = f"{outer}*sqrt({radicand * bottom})/sqrt({bottom})"
        return f"Simplify {text}.", _surd(0, outer, radicand)
    a, b, c = (draw.integer(draw.entropy() / 4, least=1) for _ in range(3))
    text = f"{a}*sqrt({radicand})*({b} + {c}*sqrt({radicand * square * square}))".replace("+ -", "- ")
    return f"Simplify {text}.", _surd(a * c * square * radicand, a * b, radicand)


def _surd(rational: int, factor: int, radicand: int) -> str:
    root = f"{'' if abs(factor) == 1 else str(abs(factor)) + '*'}sqrt({radicand})"
    if factor == 0:
        return str(rational)
    if rational == 0:
        return ("-" if factor < 0 else "") + root
    return f"{rational} {'-' if factor < 0 else '+'} {root}"
