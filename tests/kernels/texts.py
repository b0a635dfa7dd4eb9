"""Texts for kernel tests: a Hypothesis strategy that meets the rules often, and cases that once mattered."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from pilebuilder.document import text_buffers
from pilebuilder.document import texts as column

_FRAGMENTS = [
    *"aB zZ09.,'\"-:;/@#_*+~&<>(){}[]!?$%^=|\\\n\t\r \x00\x0b\x1c\x85\xa0",
    *"°²é…—–’“”•、。！中文あカ한กकا́😀€km's\ufffd\ufeff\u2028\u200b",
    "...", "..", "--", "---", "——", "''", "''", "the ", "of ", "and ", "be ", "don't", "cannot", "Mr.", "e.g.", "U.S.",
    "http://a.bc/d", "x@y.org", "a.b-c.de:80/", "10km", "5pm", "US$", "C$5", "3+", "2-3", "I’m", ":)", "8)", "word ",
    "Word.", "\n\n", "\n\n\n", "- ", "• ", "the cat sat on the mat ", "lorem ipsum ", "\r\n",
    "ＡＢＣ", "ﬁ", "Ã©", "&amp;",
    "Privacy Policy ", "javascript", "[12]", "[edit]", "[citation needed]", "uses cookies", "“", "â€œ", "ä",
]  # fmt: skip
any_text = st.one_of(
    st.lists(st.sampled_from(_FRAGMENTS), max_size=60).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.tuples(st.lists(st.sampled_from(_FRAGMENTS), min_size=1, max_size=12).map("".join), st.integers(1, 8)).map(
        lambda pair: pair[0] * pair[1]
    ),
)
CASES = [
    "", " ", "\n", "\n\n", "a", "é", "\u0301" * 50, "\x00" * 9, "a\n" * 100, "中" * 200, "สวัสดีชาวโลก " * 5,
    "שלום עולם. " * 9,
    "(" * 300, "." * 70, "-" * 100 + "a", "a-" * 100, "http://" + "a." * 300 + "com", "x" * 70_000, ")" * 66_000,
    "é" * 40_000,
    "Mr. Smith's dog can't (won't) run 10km/h, e.g. at 5pm... see http://example.com/a-b?c=d.",
    "''a'' b.C d,e f:g 1:2 a=b",
    "line one\r\nline two\rline three\u2028line four\x85five\x0bsix",
    "  \n \n\n  para one\n\n\npara two\n\npara one\n  ",
]  # fmt: skip


def buffers(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets as kernels take them, from an Arrow column."""
    return text_buffers(column(texts))


def strings(data: np.ndarray, offsets: np.ndarray) -> list[str]:
    """The reverse of `buffers`."""
    raw = bytes(data)
    return [raw[a:b].decode() for a, b in itertools.pairwise(offsets)]
