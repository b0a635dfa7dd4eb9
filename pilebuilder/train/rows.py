"""How the tokens of each component are cut into rows: one after another, or packed so that few documents are cut.

A row has T + 1 places in the sequence of all tokens (documents sorted by component); the first T are fed to the
network, the last T predicted. Place `FILL` is padding, read as the end of a document and never predicted.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pilebuilder.train.shards import Corpus

FILL = -1


class Rows(Protocol):
    """A way of cutting."""

    counts: np.ndarray
    """(components,) rows of one pass over each"""

    def places(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Places of some rows, (len(rows), T + 1) int64."""

    def sizes(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Tokens that each of them predicts, (len(rows),) int64."""


class Concatenated:
    """A component is one circular stream, its documents one after another; row j holds tokens j T up to j T + T + 1.

    Each token is predicted once per pass (at most T - 1 twice, where the stream closes), and none is lost however
    small the component or however short its documents.
    """

    def __init__(self, corpus: Corpus, length: int) -> None:
        self.length, self.base, self.tokens = length, corpus.base, corpus.component_tokens
        self.counts: np.ndarray = -(-self.tokens // length)

    def places(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        offsets = rows[:, None] * self.length + np.arange(self.length + 1)
        found: np.ndarray = self.base[components][:, None] + offsets % self.tokens[components][:, None]
        return found

    def sizes(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.full(len(rows), self.length)


class BestFit:
    """Documents longer than T are split; rests and shorter ones are packed best-fit (Ding et al. 2024).

    A row begins with the end of a document, from which its first token is predicted: every token is predicted once
    per pass and only documents longer than T are cut. Memory: 24 bytes per piece of a document.
    """

    def __init__(self, corpus: Corpus, length: int) -> None:
        from pilebuilder.kernels.packing import place

        self.length = length
        pieces = -(-corpus.length // length)
        document = np.repeat(np.arange(len(pieces)), pieces)
        within = (np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * length
        start = (corpus.ends - corpus.length)[document] + within
        size = np.minimum(length, corpus.length[document] - within)
        component = corpus.component[document]
        counts: list[int] = []
        row = np.empty(len(size), np.int64)
        for c in range(len(corpus.components)):
            mine = component == c
            row[mine], count = place(size[mine], length)
            row[mine] += sum(counts)
            counts.append(count)
        order = np.lexsort((start, row))
        self.counts = np.array(counts, np.int64)
        self.base = np.cumsum(self.counts) - self.counts
        self.start, self.size = start[order], size[order]
        self.first = np.searchsorted(row[order], np.arange(sum(counts) + 1))
        """First piece of each row, and one past the last."""
        self.before = np.concatenate(([0], np.cumsum(self.size)))
        """Tokens in all pieces before each."""

    def places(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        number = self.base[components] + rows
        per_row = self.first[number + 1] - self.first[number]
        piece = _ranges(self.first[number], per_row)
        found = np.full((len(rows), self.length + 1), FILL, np.int64)
        filled = np.arange(self.length) < self.sizes(components, rows)[:, None]
        found[:, 1:][filled] = _ranges(self.start[piece], self.size[piece])
        return found

    def sizes(self, components: np.ndarray, rows: np.ndarray) -> np.ndarray:
        number = self.base[components] + rows
        found: np.ndarray = self.before[self.first[number + 1]] - self.before[self.first[number]]
        return found


def _ranges(start: np.ndarray, size: np.ndarray) -> np.ndarray:
    """start[0], start[0] + 1, ... (size[0] of them), start[1], ..."""
    ends = np.cumsum(size)
    found: np.ndarray = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(start - (ends - size), size)
    return found


def cut(corpus: Corpus, packing: str, length: int) -> Rows:
    """The way of cutting by its name in the settings."""
    return BestFit(corpus, length) if packing == "best-fit" else Concatenated(corpus, length)
