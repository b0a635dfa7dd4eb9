"""White space, control characters and normal forms against their definitions in plain Python."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import edits
from pilebuilder.kernels.normal import not_normal
from tests.kernels.texts import CASES, any_text, buffers, strings

ALL = edits.LINE_BREAKS | edits.TRAILING | edits.BLANK_LINES | edits.ENDS


def spaced(text: str, switches: int, blank_lines: int) -> str:
    if switches & edits.LINE_BREAKS:
        text = re.sub("\r\n|[\r\x0b\x0c\x85\u2028\u2029]", "\n", text)
    kept: list[str] = []
    blank = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        empty = not line.strip()
        blank = blank + 1 if empty else 0
        if switches & edits.TRAILING:
            line = line.rstrip()
        if empty and not last and switches & edits.ENDS and not kept:
            continue
        if empty and not last and switches & edits.BLANK_LINES and blank > blank_lines:
            continue
        indent = len(line) - len(line.lstrip())
        if switches & edits.RUNS:
            head, body = line[:indent], line[indent:]
            line = head + re.sub(r"(\s)\s+", r"\1", body)
        if switches & edits.PLAIN:
            line = re.sub(r"[^\S\t]", " ", line)
        kept.append(line)
    text = "\n".join(kept)
    return text.rstrip() if switches & edits.ENDS else text


@settings(max_examples=600, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=3), st.integers(0, 31), st.integers(0, 3))
def test_white_space_equals_its_definition(texts: list[str], switches: int, blank_lines: int) -> None:
    data, offsets, removed = edits.space(*buffers(texts), switches, blank_lines)
    assert strings(data, offsets) == [spaced(text, switches, blank_lines) for text in texts]
    for text, left, row in zip(texts, strings(data, offsets), removed, strict=True):
        assert len(text.encode()) - len(left.encode()) == row.sum()


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_plain_spaces(text: str) -> None:
    switches = ALL | edits.PLAIN
    data, offsets, removed = edits.space(*buffers([text]), switches, 1)
    assert strings(data, offsets) == [spaced(text, switches, 1)]
    assert removed.sum() == len(text.encode()) - int(offsets[-1])


@settings(max_examples=300, deadline=None)
@given(any_text)
def test_white_space_in_order_stays_as_it_is(text: str) -> None:
    once = strings(*edits.space(*buffers([text]), ALL, 2)[:2])
    assert strings(*edits.space(*buffers(once), ALL, 2)[:2]) == once


@settings(max_examples=300, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=3), st.sets(st.sampled_from(edits.KINDS)))
def test_control_characters_equal_their_definition(texts: list[str], kinds: set[str]) -> None:
    chosen = tuple(sorted(kinds))
    table = edits.control_table(chosen)
    data, offsets, removed = edits.without_controls(*buffers(texts), chosen)
    assert strings(data, offsets) == ["".join(c for c in text if not table[ord(c)]) for text in texts]
    assert removed.sum() == sum(len(t.encode()) for t in texts) - int(offsets[-1])


def test_what_is_a_control_character() -> None:
    table = edits.control_table(("control",))
    wanted = {c for c in range(0x110000) if unicodedata.category(chr(c)) == "Cc"} - {9, 10, 12, 13, 0x85}
    assert {int(c) for c in table.nonzero()[0]} == wanted


@settings(max_examples=400, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=5), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_normal_forms_are_recognized(texts: list[str], form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> None:
    wanted = [row for row, text in enumerate(texts) if not unicodedata.is_normalized(form, text)]
    assert not_normal(*buffers(texts), form).tolist() == wanted


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hard_cases(text: str) -> None:
    assert strings(*edits.space(*buffers([text]), ALL, 2)[:2]) == [spaced(text, ALL, 2)]
    assert len(not_normal(*buffers([text]), "NFC")) == (not unicodedata.is_normalized("NFC", text))
