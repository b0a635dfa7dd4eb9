"""Frequent n-grams, the number of distinct ones, and the words that other measures count by."""

from __future__ import annotations

import numpy as np

from pilebuilder.kernels.frequent import Finder, Frequent
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.texts import Texts

SIZES = (1, 2, 3, 10)
"""Over Unicode words (UAX #29), as written."""
CENSUS = 13
"""Over white-space words in lower case: the unit of overlap tests since GPT-3 and the Pile."""
KEPT = 1_000
"""N-grams of each size that one partition reports."""
LONGEST = 300
"""Characters of an n-gram that are kept; tokens can be of any length."""


def ngrams(texts: Texts, counters: Counters) -> None:
    """Most frequent n-grams of this partition, and registers for the number of distinct ones."""
    finder = Finder(texts.data, texts.offsets, SIZES)
    texts.words = finder.tokens
    for found in finder.frequent(KEPT):
        _add(counters, str(found.size), found)
    del finder
    plain = Finder(texts.data, texts.offsets, (CENSUS,), plain=True)
    texts.plain_words = plain.tokens
    for found in plain.frequent(KEPT):
        _add(counters, f"{found.size} plain", found)


def _add(counters: Counters, name: str, found: Frequent) -> None:
    """Counts under ``ngram NAME`` by text; total, bound and HyperLogLog ranks beside them."""
    for text, n in zip(found.texts, found.counts, strict=True):
        counters.add(f"ngram {name}", text if len(text) <= LONGEST else text[:LONGEST] + "…", 0, n)
    counters.add("ngram.total", name, 0, found.total)
    counters.add("ngram.missed", name, 0, found.missed)
    used = np.flatnonzero(found.levels)
    counters.add_many(f"ngram.levels {name}", "highest", used * 64 + found.levels[used])
