"""Definitions that precede a composed question: each gives a name to a number that the question then uses."""

from __future__ import annotations

from pilebuilder.fetch.mathematics import poly
from pilebuilder.fetch.mathematics.draw import LETTERS, Draw


class Context:
    """Names in use within one question, and the sentences that define them."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.sentences: list[str] = []
        self.known: list[tuple[str, int]] = []
        self._names = draw.shuffled(LETTERS)

    def name(self) -> str:
        """A name not used before in this question."""
        return self._names.pop()

    def define(self, value: int) -> str:
        """A name that earlier sentences determine to be `value`."""
        style = self.draw.below(4)
        if style == 0:
            return self._solve(value)
        if style == 1:
            return self._by_function(value)
        if style == 2:
            return self._by_remainder(value) if 0 <= value <= 10**6 else self._by_sum(value)
        return self._by_sum(value)

    def ask(self, question: str) -> str:
        """The definitions followed by the question."""
        return " ".join([*self.sentences, question])

    def _use(self, value: int) -> tuple[str, int]:
        """An earlier name with its value, or the plain number."""
        if self.known and self.draw.uniform() < 0.5:
            name, held = self.known[-1]
            return name, held
        return (f"({value})" if value < 0 else str(value)), value

    def _solve(self, value: int) -> str:
        name = self.name()
        a = self.draw.between(2, 9) * (1 if self.draw.coin() else -1)
        b = self.draw.between(1, 9)
        constant = a * value
        left = poly.joined([(a + b, poly.term(a + b, 1, name))]) if a + b else f"{-b}*{name} + {b}*{name}"
        right = poly.joined([(b, poly.term(b, 1, name)), *([(constant, str(abs(constant)))] if constant else [])])
        word = self.draw.pick(("Suppose", "Let"))
        sides = (left, right) if self.draw.coin() else (right, left)
        return self._note(name, value, f"{word} {sides[0]} = {sides[1]}.")

    def _by_function(self, value: int) -> str:
        f, x, name = self.name(), self.name(), self.name()
        at = self.draw.between(-9, 9)
        body = poly.random_poly(self.draw, 1.5, self.draw.between(1, 2))
        body[0] += value - poly.value_at(body, at)
        return self._note(name, value, f"Let {f}({x}) = {poly.show_poly(body, x)}. Let {name} be {f}({at}).")

    def _by_remainder(self, value: int) -> str:
        name = self.name()
        divisor = value + self.draw.between(1, 9)
        number = divisor * self.draw.between(1, 9) + value
        return self._note(name, value, f"Let {name} be the remainder when {number} is divided by {divisor}.")

    def _by_sum(self, value: int) -> str:
        name = self.name()
        text, part = self._use(self.draw.between(-20, 20))
        rest = value - part
        if text.startswith("("):
            text = str(part)
        body = f"{rest} + {text}" if not text.startswith("-") else f"{rest} - {-part}"
        return self._note(name, value, f"Let {name} = {body}.")

    def _note(self, name: str, value: int, sentence: str) -> str:
        self.sentences.append(sentence)
        self.known.append((name, value))
        return name
