"""Line tables and phrase search against plain Python."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.kernels.linetable import Lines
from pilebuilder.kernels.phrases import LONGEST, Phrases
from tests.kernels.texts import CASES, any_text, buffers, strings


def columns(line: str) -> int:
    return 1 + len(re.findall(r"[|\t]|(?<!\s)(?:\s\s|[^\S\t](?=\s)[^\S\t])", line)) if line else 1


@settings(max_examples=300, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=4))
def test_lines_and_their_features(texts: list[str]) -> None:
    table = Lines.of(*buffers(texts))
    lines = [(row, line) for row, text in enumerate(texts) for line in text.split("\n")]
    data = bytes(table.data)
    assert [data[a:b].decode() for a, b in zip(table.starts, table.ends, strict=True)] == [line for _, line in lines]
    assert table.rows.tolist() == [row for row, _ in lines]
    found = table.features()
    for n, (_, line) in enumerate(lines):
        text = line.strip()
        assert found["chars"][n] == len(text)
        assert found["words"][n] == len(text.split())
        assert found["letters"][n] == sum(map(str.isalpha, text))
        assert found["upper"][n] == sum(map(str.isupper, text))
        assert found["digits"][n] == sum(map(str.isdigit, text))
        assert found["spaces"][n] == sum(map(str.isspace, text))
        assert found["marks"][n] == sum(not (c.isalpha() or c.isdigit() or c.isspace()) for c in text)
        assert found["first"][n] == (ord(text[0]) if text else 0)
        assert found["last"][n] == (ord(text[-1]) if text else 0)
        assert (table.keys[n] == 0) == (not text)


def test_columns_of_a_table() -> None:
    lines = ["a", "a b c", "a | b | c", "a\tb", "12  34   5", "", "| x |"]
    assert Lines.of(*buffers(lines)).features()["columns"].tolist() == [1, 1, 3, 2, 3, 1, 3]


@settings(max_examples=300, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=4))
def test_repeats(texts: list[str]) -> None:
    wanted = []
    for text in texts:
        seen: set[str] = set()
        for line in text.split("\n"):
            wanted.append(bool(line.strip()) and line.strip() in seen)
            seen.add(line.strip())
    assert Lines.of(*buffers(texts)).repeats().tolist() == wanted


@settings(max_examples=400, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_texts_without_lines(texts: list[str], rng: object) -> None:
    table = Lines.of(*buffers(texts))
    marks = np.array([rng.random() < 0.5 for _ in table.starts])  # type: ignore[attr-defined]
    data, offsets, taken = table.without(marks)
    wanted, n = [], 0
    for text in texts:
        lines = text.split("\n")
        wanted.append("\n".join(line for k, line in enumerate(lines) if not marks[n + k]))
        removed = taken[n : n + len(lines)].sum()
        assert len(text.encode()) - len(wanted[-1].encode()) == removed
        n += len(lines)
    assert strings(data, offsets) == wanted


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_paragraphs_hold_the_whole_text(text: str) -> None:
    table = Lines.of(*buffers([text]), paragraphs=True)
    data = bytes(table.data)
    parts = [data[a:b].decode() for a, b in zip(table.starts, table.ends, strict=True)]
    assert "\n".join(parts) == text
    for part in parts[1:]:
        assert part.split("\n")[0].strip() or not part.strip()
    blocks = [b.strip() for b in re.split(r"\n(?:[^\S\n]*\n)+", text) if b.strip()]
    assert [p.strip() for p in parts if p.strip()] == blocks


PHRASES = [
    ("he", 0, False),
    ("she", 1, True),
    ("hers", 2, False),
    ("his", 0, True),
    ("é", 3, False),
    ("用 户", 4, False),
    ("he", 5, True),
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(any_text, st.text("sheri HE-é用户 _", max_size=30)), min_size=1, max_size=4))
def test_phrases(texts: list[str]) -> None:
    data, offsets = buffers(texts)
    bits, counts, first = Phrases.build(PHRASES).search(data, offsets[:-1], offsets[1:])
    for row, text in enumerate(texts):
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        hits = []
        seen = set()
        for number, (phrase, _, whole) in enumerate(PHRASES):
            if phrase in seen:  # the same phrase again: the first one stands
                continue
            seen.add(phrase)
            pattern = rf"(?<!\w)(?={re.escape(phrase)}(?!\w))" if whole else f"(?={re.escape(phrase)})"
            hits += [(m.start() + len(phrase), -len(phrase), number) for m in re.finditer(pattern, low)]
        assert counts[row] == len(hits)
        assert bits[row] == sum({1 << PHRASES[number][1] for _, _, number in hits})
        assert first[row] == (min(hits)[2] if hits else -1)


def test_phrases_that_cannot_be_looked_for() -> None:
    with pytest.raises(ValueError, match="1 to 60 characters"):
        Phrases.build([("x" * (LONGEST + 1), 0, False)])
    with pytest.raises(ValueError, match="1 to 60 characters"):
        Phrases.build([("", 0, False)])


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hard_cases(text: str) -> None:
    table = Lines.of(*buffers([text]))
    assert strings(*table.without(np.zeros(len(table.starts), bool))[:2]) == [text]
    assert strings(*table.without(np.ones(len(table.starts), bool))[:2]) == [""]
    Phrases.build(PHRASES).search(*(x for x in (buffers([text])[0], *map(np.array, ([0], [len(text.encode())])))))
