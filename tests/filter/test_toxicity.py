"""The toxicity step: signals for all, a drop for what is toxic throughout, English only."""

from __future__ import annotations

import pytest

from pilebuilder.filter.lang import Lang
from pilebuilder.filter.toxicity import ToxicityFilter
from tests.models.docs import docs, reasons

CLEAN = "The committee met on Tuesday and agreed that the report should be printed before the end of the year."
TOXIC = "You are a stupid idiot and a pathetic loser."
GERMAN = "Der Ausschuss und die Leute, die die Berichte lesen, sagen, dass die Zahlen dick und die Tassen gut sind."


def test_drops_what_is_toxic_throughout_and_keeps_the_rest_with_signals() -> None:
    d = docs([CLEAN, TOXIC, " ".join([CLEAN] * 9 + [TOXIC]), ""])
    kept = ToxicityFilter()(d)
    assert reasons(d) == [(1, "toxicity.toxicity")]
    row = d.journal.table().to_pylist()[0]
    assert row["value"] > row["threshold"] == 0.5
    assert kept.column("signal.toxic_sentences").to_pylist() == pytest.approx([0.0, 0.1, None])
    assert kept.column("signal.toxicity").to_pylist()[2] is None
    assert len(ToxicityFilter(action="signal")(docs([CLEAN, TOXIC]))) == 2


def test_shares_of_sentences_and_words_can_drop_too() -> None:
    mixed = " ".join([CLEAN] * 9 + [TOXIC])
    d = docs([CLEAN, mixed])
    assert len(ToxicityFilter(max_toxic_sentences=0.05)(d)) == 1
    assert reasons(d) == [(1, "toxicity.toxic_sentences")]
    d = docs([CLEAN, mixed])
    ToxicityFilter(max_profanity=0.01)(d)
    assert reasons(d) == [(1, "toxicity.profanity")]


def test_other_languages_are_not_measured_once_the_language_is_known() -> None:
    d = ToxicityFilter(max_profanity=0.01)(Lang(action="signal")(docs([CLEAN, GERMAN])))
    assert d.column("signal.profanity").to_pylist() == [0.0, None]
    assert len(d) == 2
    every = ToxicityFilter(action="signal", language=None)(Lang(action="signal")(docs([CLEAN, GERMAN])))
    assert None not in every.column("signal.toxicity").to_pylist()


def test_ten_megabytes_on_one_line_and_line_ends_inside() -> None:
    d = ToxicityFilter()(docs([CLEAN.replace(" ", "\n"), (CLEAN + " ") * 100_000]))
    assert len(d) == 2
