"""Share-alike data for English text: a part-of-speech tagger and a sentiment lexicon. See LICENSE and card.md here."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from pilebuilder import models

if TYPE_CHECKING:
    import numpy as np

FOLDER = Path(__file__).parent
SCALE = 10_000
"""Sentiment scores are kept as integers in this fraction, so that sums are exact."""
# Endings that WordNet's own morphology takes off (morphy), by part of speech: ending -> what stands in its place.
ENDINGS = {
    "n": (
        ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
        ("s", ""),
    ),
    "v": (("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("s", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e"), ("ier", "y"), ("iest", "y")),
    "r": (),
}  # fmt: skip


def _read(name: str) -> bytes:
    """A shipped model's file, its digest checked, decompressed."""
    import zstandard

    entry = models.model(name)
    models.check(entry)
    return zstandard.ZstdDecompressor().decompressobj().decompress(entry.path.read_bytes())


@functools.cache
def tagger() -> np.ndarray:
    """Weights of `pilebuilder.kernels.tagger` (int8 [rows, tags])."""
    import numpy as np

    from pilebuilder.kernels.tagger import BITS, TAGS

    return np.frombuffer(_read("english.tagger"), np.int8).reshape(1 << BITS, len(TAGS))


@functools.cache
def sentiment() -> dict[tuple[str, str], int]:
    """Score of each lemma and part of speech (n, v, a, r): positive minus negative, times `SCALE`, -1 to 1."""
    lines = _read("english.sentiment").decode().splitlines()[1:]
    fields = (line.split("\t") for line in lines)
    return {(lemma, pos): round(float(score) * SCALE) for lemma, pos, score in fields}


@functools.lru_cache(1 << 17)  # components share most of their words
def word_sentiment(word: str, pos: str) -> int | None:
    """Score of a word form in lower case: its own entry, else that of the first lemma it may be a form of.

    >>> word_sentiment("terrible", "a"), word_sentiment("happiest", "a"), word_sentiment("qwerty", "n")
    (-6250, 5625, None)
    """
    known = sentiment()
    if (word, pos) in known:
        return known[word, pos]
    for ending, instead in ENDINGS[pos]:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found = known.get((word[: -len(ending)] + instead, pos))
            if found is not None:
                return found
    return None


def known_words() -> frozenset[str]:
    """Every lemma of the lexicon: what counts as a word of English when markup must be told from language."""
    return _known()


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(lemma for lemma, _ in sentiment())
