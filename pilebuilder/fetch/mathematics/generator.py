"""All modules by the names of the released dataset, and the text of one file of questions and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pilebuilder.fetch.mathematics import algebra, arithmetic, comparison, numbers, polynomials
from pilebuilder.fetch.mathematics.draw import Draw

QUESTION_CHARACTERS, ANSWER_CHARACTERS = 160, 30
"""Limits of the released dataset; a longer draw is thrown away and drawn again."""
TRIES = 200
Module = Callable[[Draw], tuple[str, str]]


def _family(prefix: str, members: Mapping[str, Module]) -> dict[str, Module]:
    return {f"{prefix}__{name}": call for name, call in members.items()}


def _functions(module: object, names: str) -> dict[str, Module]:
    return {name: getattr(module, name) for name in names.split()}


ALGEBRA = """linear_1d linear_1d_composed linear_2d linear_2d_composed polynomial_roots polynomial_roots_composed
    sequence_next_term sequence_nth_term"""
ARITHMETIC = """add_or_sub add_or_sub_in_base add_sub_multiple div mixed mul mul_div_multiple nearest_integer_root
    simplify_surd"""
MODULES = {
    **_family("algebra", _functions(algebra, ALGEBRA)),
    **_family("arithmetic", _functions(arithmetic, ARITHMETIC)),
    **_family("calculus", polynomials.CALCULUS),
    **_family("comparison", comparison.COMPARISON),
    **_family("measurement", comparison.MEASUREMENT),
    **_family("numbers", numbers.modules()),
    **_family("polynomials", polynomials.POLYNOMIALS),
    **_family("probability", comparison.PROBABILITY),
}


def questions(module: str, level: str, seed: str, count: int) -> str:
    """Text of `count` questions, each followed by its answer on the next line, the layout of the released files.

    Questions do not repeat within a file as long as the level has enough different ones.
    """
    draw, ask = Draw(f"{seed}/{level}/{module}", level), MODULES[module]
    lines: list[str] = []
    seen: set[str] = set()
    for _ in range(count):
        for attempt in range(TRIES):
            question, answer = ask(draw)
            fits = len(question) <= QUESTION_CHARACTERS and len(answer) <= ANSWER_CHARACTERS
            if fits and (question not in seen or attempt > TRIES // 2):
                break
        else:
            continue  # the module has no short enough question at this level; the file holds fewer
        seen.add(question)
        lines += (question, answer)
    return "\n".join(lines) + "\n"
