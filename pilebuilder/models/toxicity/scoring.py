"""Toxicity of documents: sentence by sentence, identity terms hidden, profane words counted."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilebuilder import models
from pilebuilder.kernels import sentences
from pilebuilder.models import wordlist
from pilebuilder.models.fasttext_file import ModelFileError
from pilebuilder.models.scorer import Scorer

TERMS = Path(__file__).with_name("identity_terms.txt")
TOXIC = "toxic"
SENTENCE = 0.96
"""Probability from which on a sentence counts as toxic; the card has the precision and recall that it buys."""
PROFANE = 0.9
"""Probability from which on a single word of the vocabulary counts as profane."""
CHUNK = 8 << 20
"""Bytes of text in one pass; bounds the memory for sentences and their vectors."""

Table = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxicity:
    """Measures of each document; arrays of one length."""

    mean: np.ndarray
    """float32: mean probability over sentences; 0 without any."""
    share: np.ndarray
    """float32: share of sentences with a probability of at least the sentence threshold."""
    highest: np.ndarray
    """float32: highest probability of a sentence."""
    profanity: np.ndarray
    """float32: profane words over words."""
    sentences: np.ndarray
    """int64: number of sentences."""


@functools.cache
def identity_terms() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words that become the placeholder, and words that join one that follows."""
    hide: list[str] = []
    join: list[str] = []
    for line in TERMS.read_text(encoding="utf-8").splitlines():
        if line.startswith(">"):
            join += line[1:].split()
        elif not line.startswith(("#", "[")):
            hide += line.split()
    return tuple(dict.fromkeys(hide)), tuple(join)


@functools.cache
def hiding() -> Table:
    """Word table that hides identity terms and counts nothing: for training and for single texts."""
    hide, join = identity_terms()
    return wordlist.table({sentences.HIDE: hide, sentences.SOFT: join})


def plain(texts: list[str]) -> list[str]:
    """Whole texts in plain form, as the model sees them in training."""
    encoded = [t.encode("utf-8", "replace") for t in texts]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    data = np.frombuffer(b"".join(encoded) or b"\0", np.uint8)
    out, bounds, owner, _ = sentences.sentences(data, offsets, hiding(), split=False)
    raw = out.tobytes()
    result = [""] * len(texts)
    for i, doc in enumerate(owner.tolist()):
        result[doc] = raw[bounds[i] : bounds[i + 1]].decode("utf-8").strip()
    return result


class ToxicityModel:
    """A two-label classifier over plain sentences. Safe to share between threads."""

    def __init__(self, scorer: Scorer) -> None:
        if TOXIC not in scorer.labels or len(scorer.labels) != 2:
            raise ModelFileError(
                f"a toxicity model has two labels, one of them {TOXIC!r}; this one has {', '.join(scorer.labels)}"
            )
        self.scorer = scorer
        self.column = scorer.labels.index(TOXIC)
        hide, join = identity_terms()
        self.table = wordlist.table({sentences.HIDE: hide, sentences.SOFT: join, sentences.COUNT: self._profane()})

    def _profane(self) -> list[str]:
        """Words of the model's own vocabulary that it calls toxic when they stand alone."""
        known = [w for w in self.scorer.file.words if w.isalpha() or not w.isascii()]
        offsets = np.cumsum([0, *map(len, known)]).astype(np.int64)
        scores = self.score(np.frombuffer(b"".join(known) or b"\0", np.uint8), offsets)
        return [known[i].decode("utf-8", "replace") for i in np.flatnonzero(scores >= PROFANE)]

    def score(self, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """float32 [n]: probability of each text that is already in plain form."""
        return np.ascontiguousarray(self.scorer.probabilities(data, offsets)[:, self.column])

    def measure(self, data: np.ndarray, offsets: np.ndarray, threshold: float = SENTENCE) -> Toxicity:
        """Measures of documents (UTF-8 bytes and offsets)."""
        documents = len(offsets) - 1
        mean, share, highest = (np.zeros(documents, np.float32) for _ in range(3))
        count, words = np.zeros(documents, np.int64), np.zeros((documents, 2), np.int64)
        start = 0
        while start < documents:
            stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + CHUNK, "right")) - 1)
            out, bounds, owner, found = sentences.sentences(data, offsets[start : stop + 1], self.table)
            scores = self.score(out, bounds)
            here = slice(start, stop)
            size = stop - start
            n = np.bincount(owner, minlength=size)
            count[here], words[here] = n, found
            divisor = np.maximum(1, n)
            mean[here] = np.bincount(owner, scores, minlength=size) / divisor
            share[here] = np.bincount(owner, scores >= threshold, minlength=size) / divisor
            np.maximum.at(highest[here], owner, scores)
            start = stop
        return Toxicity(
            mean=mean,
            share=share,
            highest=highest,
            profanity=(words[:, 1] / np.maximum(1, words[:, 0])).astype(np.float32),
            sentences=count,
        )


@functools.cache
def toxicity_model(name_or_path: str = "toxicity") -> ToxicityModel:
    """The shipped model, or one trained by the user, loaded once per process."""
    return ToxicityModel(models.load(name_or_path))
