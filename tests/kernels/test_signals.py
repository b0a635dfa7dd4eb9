"""Counts for signals against the regular expressions that define them."""

from __future__ import annotations

import re
import string

from hypothesis import example, given, settings

from pilebuilder.kernels.signals import counts
from tests.kernels.texts import CASES, any_text, buffers


@settings(max_examples=500, deadline=None)
@given(any_text)
@example("a.b c! ... d\n" + "A+/9=" * 13 + " " + "x" * 64 + "\n" + "é" + "y" * 70)
@example("." * 3 + " a? !b")
def test_equals_the_expressions(text: str) -> None:
    found = {name: int(column[0]) for name, column in counts(*buffers([text])).items()}
    runs = [len(m) for m in re.findall(r"[a-zA-Z0-9+/\n=]{64,}", text)]
    assert found["sentences"] == len(re.findall(r"\b[^.!?]+[.!?]*", text))
    assert found["braces"] == text.count("{") + text.count("}")
    assert found["punctuation"] == sum(c in string.punctuation for c in text)
    assert found["encoded"] == sum(runs)
    assert found["longest_encoded"] == max(runs, default=0)


def test_hard_cases() -> None:
    for text in CASES:
        assert counts(*buffers([text]))["sentences"][0] == len(re.findall(r"\b[^.!?]+[.!?]*", text))
