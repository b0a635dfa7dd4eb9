"""English sentences of a sample as tokens with tags and terms: what profanity and bias measures read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder import models
from pilebuilder.document import text_buffers
from pilebuilder.kernels import lid, sentence_spans, span_words, tagger, terms, wordbreak
from pilebuilder.models import english

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 2 << 20
"""Bytes of text in hand at a time."""
SAMPLE = 4096
"""Bytes of letters of a sentence that the language model sees."""
MODEL = "lid.176"


@dataclass(frozen=True, slots=True)
class Sentences:
    """English sentences of some documents."""

    data: np.ndarray
    starts: np.ndarray
    """First byte of each sentence (int64)."""
    ends: np.ndarray
    document: np.ndarray
    """Row of each sentence's document in the sample (int64)."""
    seen: int
    """Sentences before the language was asked."""

    def __len__(self) -> int:
        return len(self.starts)

    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """Their bytes end to end, with offsets."""
        size = self.ends - self.starts
        offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        where = np.repeat(self.starts - offsets[:-1], size) + np.arange(offsets[-1])
        return self.data[where], offsets


def sentences(table: pa.Table) -> Iterator[Sentences]:
    """English sentences of a sample, some megabytes of documents at a time."""
    data, offsets = text_buffers(table.column("text").combine_chunks())
    offsets = np.ascontiguousarray(offsets, np.int64)
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + CHUNK, "right")) - 1)
        bounds, rows = sentence_spans.split(data, offsets[first : last + 1])
        kept = np.flatnonzero(is_english(data, bounds))
        yield Sentences(data, bounds[kept], bounds[kept + 1], rows[kept] + first, len(rows))
        first = last


def is_english(data: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Whether the language model's first label for each span is English (no threshold, as in the Pile paper)."""
    scorer = models.load(MODEL)
    letters, spans = lid.letters(data, bounds, SAMPLE)
    found = scorer.best(letters, spans)
    label = scorer.labels.index("en")
    return np.asarray((found.label == label) & (spans[1:] > spans[:-1]))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of sentences, in order."""

    hashes: np.ndarray
    """uint64: of the token in lower case (`wordbreak.word_hash`)."""
    spans: np.ndarray
    """int64 [n, 2]: first byte and the byte after."""
    sentence: np.ndarray
    """int64: number of the sentence."""
    bounds: np.ndarray
    """int64 [sentences + 1]: token numbers at which sentences begin."""
    tags: np.ndarray
    """int8: position in `tagger.TAGS`."""
    terms: np.ndarray
    """uint64: mask of the groups whose term this token is (part of)."""
    groups: np.ndarray
    """uint64 per sentence: mask of the groups it names."""


def tokens(found: Sentences, table: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> Tokens:
    """Segment, tag and search the sentences; `table` is made by `terms.table`."""
    room = int((found.ends - found.starts).sum()) + 1
    hashes, spans = np.empty(room, np.uint64), np.empty((room, 2), np.int64)
    bounds = np.zeros(len(found) + 1, np.int64)
    properties, lower = wordbreak.properties(), wordbreak.lower_table()
    at = span_words.words(found.data, found.starts, found.ends, properties, lower, spans, hashes, bounds)
    hashes, spans = hashes[:at].copy(), spans[:at].copy()
    forms, tags = np.empty((at, tagger.FORMS), np.uint64), np.zeros(at, np.int8)
    tagger.forms(found.data, spans, hashes, at, lower, forms)
    tagger.tag(forms, bounds, english.tagger(), tags)
    marked, groups = np.zeros(at, np.uint64), np.zeros(len(found), np.uint64)
    terms.mark(hashes, bounds, *table, marked, groups)
    owner = np.repeat(np.arange(len(found)), np.diff(bounds))
    return Tokens(hashes, spans, owner, bounds, tags, marked, groups)
