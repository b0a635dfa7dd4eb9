"""Where GPT-2's pattern cuts text, against the pattern itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pilebuilder.kernels import pretokens
from pilebuilder.models import gpt2
from pilebuilder.models.merger import _classes

PIECES = [
    "a", "Z", "é", "я", "你", "ſ", "1", "²", "٣", "𝟙", " ", "  ", "\n", "\t", "\xa0", "\u2003", "\u3000", "\x85", "'", "''",
    "'s", "'t", "'re", "'ve", "'ll", "'d", "'m", "'l", "'r", "'S", ".", "—", "🎉", "\u0301", "\x00", "\x1c", "\u200b",
    "word", "x" * 61, " " * 63, "é" * 31, "😀" * 16,
]  # fmt: skip


def cuts(texts: list[str]) -> list[list[bytes]]:
    """Pretokens of each text by the kernel."""
    raw = [t.encode() for t in texts]
    data, offsets = np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])
    first, starts = np.zeros((2, (len(data) >> 6) + 1), np.uint64)
    pretokens.cut(data, offsets, _classes("ranks"), first, starts)
    bits = np.flatnonzero(np.unpackbits(starts.view(np.uint8), bitorder="little")[: len(data)])
    found = []
    for text, (a, b) in zip(raw, itertools.pairwise(offsets.tolist()), strict=True):
        inside = [int(p) - a for p in bits if a <= p < b]
        found.append([text[s:e] for s, e in itertools.pairwise([*inside, len(text)])])
    return found


def expected(text: str) -> list[bytes]:
    return [m.group().encode() for m in regex.finditer(gpt2.PATTERN, text)]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), min_size=1, max_size=6))
def test_runs_endings_and_white_space_are_cut_as_the_pattern_does(texts: list[str]) -> None:
    assert cuts(texts) == [expected(t) for t in texts]


@pytest.mark.parametrize("at", range(56, 72))
@pytest.mark.parametrize(
    "piece", ["don't", "'ll go", "\xa0\xa0x", "\u3000\u3000y", " 'tis", "ab\n\n c", "é1", "'", "x'"]
)
def test_cuts_do_not_depend_on_where_blocks_end(piece: str, at: int) -> None:
    for filler in ("x", ".", " ", "'"):
        texts = [filler * at + piece, piece + filler * at, piece, "", filler * at + piece + "s"]
        assert cuts(texts) == [expected(t) for t in texts]


def test_an_ending_does_not_reach_into_the_next_document() -> None:
    assert cuts(["it'", "s", "we'l", "l", "'", "re", "we'r", "e"]) == [
        [b"it", b"'"], [b"s"], [b"we", b"'", b"l"], [b"l"], [b"'"], [b"re"], [b"we", b"'", b"r"], [b"e"],
    ]  # fmt: skip


@given(st.binary(max_size=300))
def test_bytes_that_are_no_text_are_cut_somewhere(raw: bytes) -> None:
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    first, starts = np.zeros((2, (len(data) >> 6) + 1), np.uint64)
    pretokens.cut(data, offsets, _classes("ranks"), first, starts)
    assert int(starts[0]) & 1
