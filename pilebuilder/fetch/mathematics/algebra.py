"""Modules ``algebra__*``: linear equations in one and two unknowns, roots and factors, integer sequences."""

from __future__ import annotations

from fractions import Fraction

from pilebuilder.fetch.mathematics import poly
from pilebuilder.fetch.mathematics.compose import Context
from pilebuilder.fetch.mathematics.draw import LETTERS, Draw, show_rational


def _linear_sides(draw: Draw, entropy: float, name: str, value: int) -> str:
    """An equation in one unknown that `value` solves."""
    a_entropy, b_entropy = draw.split(entropy, 2)
    a, b = draw.integer(a_entropy, least=1), draw.integer(b_entropy)
    if a == b:
        b += 1
    rest = (a - b) * value
    left = [(a, poly.term(a, 1, name))]
    right = [(b, poly.term(b, 1, name))] if b else []
    if rest or not right:
        shift = draw.integer(b_entropy)
        if shift and draw.coin():
            left.append((shift, str(abs(shift))))
            rest += shift
        if rest or not right:
            right.append((rest, str(abs(rest))))
    sides = [poly.joined(draw.shuffled(side)) for side in (left, right)]
    return " = ".join(draw.shuffled(sides))


def linear_1d(draw: Draw) -> tuple[str, str]:
    entropy = draw.entropy()
    name = draw.pick(LETTERS)
    answer_entropy, rest = draw.split(entropy, 2)
    value = draw.integer(min(answer_entropy, 3))
    return f"Solve {_linear_sides(draw, rest, name, value)} for {name}.", str(value)


def linear_1d_composed(draw: Draw) -> tuple[str, str]:
    context = Context(draw)
    known = draw.between(-30, 30)
    held = context.define(known)
    name = context.name()
    value = draw.between(-20, 20)
    a = draw.integer(draw.entropy() / 3, least=2)
    rest = a * value - known
    right = poly.joined([(1, held), *([(rest, str(abs(rest)))] if rest else [])])
    left = poly.term(a, 1, name) if a > 0 else "-" + poly.term(a, 1, name)
    return context.ask(f"Solve {left} = {right} for {name}."), str(value)


def _linear_pair(draw: Draw, entropy: float, names: tuple[str, str], values: tuple[int, int]) -> tuple[str, str]:
    """Two independent equations that the values solve."""
    a, b, c, d = (draw.integer(e, least=1) for e in draw.split(entropy, 4))
    while d == 0 or a * d == b * c:
        d += 1
    equations = []
    for p, q in ((a, b), (c, d)):
        total = p * values[0] + q * values[1]
        terms = draw.shuffled([(p, poly.term(p, 1, names[0])), (q, poly.term(q, 1, names[1]))])
        sides = [poly.joined([t for t in terms if t[0]]), str(total)]
        if draw.coin() and total:
            sides = [poly.joined([*(t for t in terms if t[0]), (-total, str(abs(total)))]), "0"]
        equations.append(" = ".join(draw.shuffled(sides)))
    return equations[0], equations[1]


def linear_2d(draw: Draw) -> tuple[str, str]:
    x, y = draw.names(2)
    values = (draw.integer(1.7), draw.integer(1.7))
    first, second = _linear_pair(draw, draw.entropy() * 0.8, (x, y), values)
    return f"Solve {first}, {second} for {x}.", str(values[0])


def linear_2d_composed(draw: Draw) -> tuple[str, str]:
    context = Context(draw)
    known = draw.between(-20, 20)
    held = context.define(known)
    x, y = context.name(), context.name()
    values = (draw.between(-9, 9), draw.between(-9, 9))
    a, b = draw.between(1, 9), draw.between(1, 9)
    c = draw.between(1, 9)
    rest = a * values[0] + b * values[1] - known
    left = poly.joined([(a, poly.term(a, 1, x)), (b, poly.term(b, 1, y))])
    right = poly.joined([(1, held), *([(rest, str(abs(rest)))] if rest else [])])
    d = next(d for d in range(1, 20) if a * d != -b * c)
    second = poly.joined([(-c, poly.term(c, 1, x)), (d, poly.term(d, 1, y))])
    total = -c * values[0] + d * values[1]
    return context.ask(f"Solve {left} = {right}, {second} = {total} for {x}."), str(values[0])


def polynomial_roots(draw: Draw) -> tuple[str, str]:
    name, product, roots = _factored(draw, draw.entropy())
    text = poly.show_poly(product, name)
    if draw.coin():
        asks = (f"Let {text} = 0. What is {name}?", f"Solve {text} = 0.", f"Suppose {text} = 0. Calculate {name}.")
        return draw.pick(asks), ", ".join(show_rational(r) for r in sorted(set(roots)))
    return f"Factor {text}.", _factor_text(product, roots, name)


def polynomial_roots_composed(draw: Draw) -> tuple[str, str]:
    context = Context(draw)
    known = draw.between(-12, 12)
    held = context.define(known)
    name = context.name()
    other = draw.between(-12, 12)
    product = poly.multiply([-known, 1], [-other, 1])
    if product[0] == 0 or known == 0:
        return context.ask(f"Solve {name}**2 - {held}*{name} = 0 for {name}."), ", ".join(map(str, sorted({0, known})))
    linear = -(known + other)
    middle = [(linear, poly.term(linear, 1, name))] if linear else []
    product_term = held if abs(other) == 1 else f"{abs(other)}*{held}"
    text = poly.joined([(1, f"{name}**2"), *middle, (other, product_term)])
    return context.ask(f"Suppose {text} = 0. What is {name}?"), ", ".join(map(str, sorted({known, other})))


def _factored(draw: Draw, entropy: float) -> tuple[str, list[int], list[Fraction]]:
    """A product of linear factors with a constant, its coefficients and its roots with multiplicity."""
    name = draw.pick(LETTERS)
    degree = draw.between(2, 2 + int(entropy // 4))
    parts = draw.split(entropy * 0.8, degree + 1)
    product, roots = [draw.integer(min(parts[0], 2), least=1)], []
    for part in parts[1:]:
        root = Fraction(draw.integer(min(part, 3)), draw.between(1, 3) if draw.uniform() < 0.3 else 1)
        roots.append(root)
        product = poly.multiply(product, [-root.numerator, root.denominator])
    return name, product, roots


def _factor_text(product: list[int], roots: list[Fraction], name: str) -> str:
    """The factors, the constant first, repeated ones as powers."""
    leading = product[-1]
    for root in roots:
        leading //= root.denominator
    factors = [] if leading in (1, -1) else [str(abs(leading))]
    for root in sorted(set(roots), key=lambda r: (r != 0, -r)):
        body = poly.show_poly([-root.numerator, root.denominator], name)
        count = roots.count(root)
        wrapped = body if root == 0 else f"({body})"
        factors.append(wrapped if count == 1 else f"{wrapped}**{count}")
    if len(factors) == 1 and factors[0].startswith("(") and factors[0].endswith(")"):
        factors[0] = factors[0][1:-1]
    return ("-" if leading < 0 else "") + "*".join(factors)


def _sequence(draw: Draw, entropy: float, shown: int) -> tuple[list[int], list[int]]:
    """A polynomial in the place, and its first values."""
    degree = draw.between(1, 2 if entropy < 6 else 3)
    body = poly.random_poly(draw, entropy * 0.7, degree)
    return body, [poly.value_at(body, k) for k in range(1, shown + degree + 1)]


def sequence_next_term(draw: Draw) -> tuple[str, str]:
    body, values = _sequence(draw, draw.entropy(), draw.between(2, 4))
    text = ", ".join(map(str, values))
    ask = draw.pick((f"What is next in {text}?", f"What comes next: {text}?", f"What is the next term in {text}?"))
    return ask, str(poly.value_at(body, len(values) + 1))


def sequence_nth_term(draw: Draw) -> tuple[str, str]:
    body, values = _sequence(draw, draw.entropy(), draw.between(2, 4))
    name = draw.pick(LETTERS)
    text = ", ".join(map(str, values))
    ask = draw.pick((f"What is the {name}'th term of {text}?", f"What is the {name}'th term of the sequence {text}?"))
    return ask, poly.show_poly(body, name)
