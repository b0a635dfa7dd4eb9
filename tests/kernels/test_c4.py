"""C4's line rules against their definition (c4_utils.py and datatrove's C4QualityFilter) in plain Python."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import c4, lexicon
from pilebuilder.kernels.unicode import classes
from tests.kernels import reference
from tests.kernels.texts import CASES, any_text, buffers, strings

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]", re.ASCII)
LINES = any_text.map(lambda t: f"One two three. {t}\nfour five six! {t}.")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def sentences(line: str) -> int:
    """A sentence ends at a terminal mark that something other than punctuation follows (spaCy's sentencizer)."""
    tokens: list[str] = []
    for part in re.findall(r"\s+|\S+", line) if line else []:
        if part.isspace():
            tokens += [part] if part != " " else []
        else:
            tokens += [w for chunk in reference.chunks(part) for w in reference.split_chunk(chunk)]
    count, ended = int(bool(tokens)), False
    for token in tokens:
        ends = token in lexicon.TERMINAL
        if ended and not ends and not all(unicodedata.category(c).startswith("P") for c in token):
            count, ended = count + 1, False
        ended |= ends
    return count


def filtered(
    text: str, min_sentences: int, min_words: int, max_word_length: int, switches: int
) -> tuple[str, list[int]]:
    kept, out = [], [0] * len(c4.COLUMNS)
    for line in text.splitlines():
        out[3] += 1
        line = line.strip()
        words = line.split()
        if max_word_length >= 0 and any(len(w) > max_word_length for w in words):
            continue
        clean = CITATION.sub("", line) if switches & c4.CITATIONS else line
        if switches & c4.TERMINAL_MARK and (not clean.endswith(tuple(".?!\"'")) or clean.endswith("...")):
            continue
        if len(words) < min_words:
            continue
        low = ascii_lower(clean)
        if switches & c4.LOREM_IPSUM and "lorem ipsum" in low:
            out[1] = 1
            if switches & c4.CONDEMN_LOREM:
                break
        if switches & c4.SCRIPT and "javascript" in low:
            continue
        if switches & c4.CURLY_BRACKET and "{" in clean:
            out[2] = 1
            if switches & c4.CONDEMN_CURLY:
                break
        if switches & c4.POLICIES and any(p in low for p in POLICY):
            continue
        out[0] += sentences(clean)
        out[4] += 1
        kept.append(clean)
    few = switches & c4.CONDEMN_FEW and out[0] < min_sentences
    condemned = (out[1] and switches & c4.CONDEMN_LOREM) or (out[2] and switches & c4.CONDEMN_CURLY) or few
    return "" if condemned else "\n".join(kept).strip(), out


def run(
    texts: list[str], *, min_sentences: int = 5, min_words: int = 3, max_word_length: int = 1000, switches: int = 511
) -> tuple[list[str], np.ndarray]:
    data, offsets = buffers(texts)
    left, ends, out = c4.c4(
        data, offsets, np.zeros(len(texts), bool), classes(), min_sentences=min_sentences, min_words=min_words,
        max_word_length=max_word_length, switches=switches,
    )  # fmt: skip
    return strings(left, ends), out


@settings(max_examples=400, deadline=None)
@example(["[]  [][]"], 0, 0, -1, 2)
@given(
    st.lists(st.one_of(any_text, LINES), min_size=1, max_size=3),
    st.integers(0, 4), st.integers(0, 4), st.sampled_from([-1, 3, 12, 1000]), st.integers(0, 511),
)  # fmt: skip
def test_equals_the_definition(
    texts: list[str], min_sentences: int, min_words: int, longest: int, switches: int
) -> None:
    left, out = run(
        texts, min_sentences=min_sentences, min_words=min_words, max_word_length=longest, switches=switches
    )
    for row, text in enumerate(texts):
        wanted, counts = filtered(text, min_sentences, min_words, longest, switches)
        assert left[row] == wanted
        assert out[row, 1:5].tolist() == counts[1:5]
        if switches & c4.CONDEMN_FEW:  # counted as far as the verdict needs
            assert (out[row, 0] >= min_sentences) == (counts[0] >= min_sentences)
        else:
            assert out[row, 0] == counts[0]


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_hard_cases(text: str) -> None:
    assert run([text], min_sentences=0)[0] == [filtered(text, 0, 3, 1000, 511)[0]]


def test_bytes_are_accounted_for() -> None:
    text = (
        "First line here. [1]\n\nno end here\nToo few.\nUse of cookies is here.\nThe javascript is off.\n" + "y" * 1001
    )
    (left,), out = run([text + ". a b.\nA last one, here.[2]"], min_sentences=1)
    columns = dict(zip(c4.COLUMNS, out[0].tolist(), strict=True))
    assert left == "A last one, here."
    assert columns["policy_bytes"] == len("Use of cookies is here.\n")
    assert columns["javascript_bytes"] == len("The javascript is off.\n")
    assert columns["long_word_bytes"] == 1001 + len(". a b.\n")
    assert columns["few_words_bytes"] == len("Too few.\n")
    assert columns["no_terminal_mark_bytes"] == len("First line here. [1]\n\nno end here\n")
    assert columns["citation_bytes"] == 3


def test_documents_to_leave_are_left() -> None:
    data, offsets = buffers(["no end", "no end"])
    left, ends, _ = c4.c4(
        data, offsets, np.array([True, False]), classes(), min_sentences=0, min_words=0, max_word_length=-1,
        switches=c4.TERMINAL_MARK,
    )  # fmt: skip
    assert strings(left, ends) == ["no end", ""]
