"""Scoring whole columns with a fastText classifier: the file's arrays, arranged for the kernels."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.kernels import fasttext as kernels
from pilebuilder.models.fasttext_file import END_OF_LINE, FastTextFile, ModelFileError, load

CACHE_WORDS = 1 << 17
"""Slots of the word cache: 8 MiB of vectors at 16 dimensions. A word that is not there costs a hundred of those that
are, so a third-level cache serves better than slots that fit the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The best label of each text and its probability; label -1 and 0.0 for a text of which no row is known."""

    label: np.ndarray
    """int32 [n]: index into `Scorer.labels`."""
    probability: np.ndarray
    """float32 [n]."""


@dataclass(slots=True)
class _Scratch:
    """What one thread writes to while it scores."""

    keys: np.ndarray
    vectors: np.ndarray
    lists: np.ndarray


@dataclass(slots=True)
class Scorer:
    """A fastText classifier over (uint8 bytes, int64 offsets [n + 1]). Safe to share between threads."""

    file: FastTextFile
    labels: list[str] = field(init=False)
    _rows: np.ndarray = field(init=False)
    _before: np.ndarray = field(init=False)
    _present: np.ndarray = field(init=False)
    _table: tuple[np.ndarray, np.ndarray] = field(init=False)
    _line_end: int = field(init=False)
    _tree: tuple[np.ndarray, np.ndarray] | None = field(init=False, default=None)
    _local: Any = field(init=False, default_factory=threading.local)

    def __post_init__(self) -> None:
        file = self.file
        if file.loss == "ns":
            raise ModelFileError("a model with negative-sampling loss gives no probabilities; train it with softmax")
        self.labels = file.labels
        self._rows, self._before, self._present = _ordered(file)
        self._table = _hash_table(file.words)
        self._line_end = file.words.index(END_OF_LINE) if END_OF_LINE in file.words else -1
        if file.loss == "hs":
            self._tree = huffman(file.label_counts)

    def hidden(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean row per text (float32 [n, D]) and the number of rows in it (int64 [n])."""
        file, scratch = self.file, self._scratch()
        hidden = np.zeros((len(offsets) - 1, file.input.shape[1]), np.float32)
        counts = np.zeros(len(hidden), np.int64)
        kernels.hidden_vectors(
            data, np.ascontiguousarray(offsets, np.int64), self._rows, len(file.words), self._before,
            self._present, file.bucket, file.minn, file.maxn, file.word_ngrams, *self._table, self._line_end,
            scratch.keys, scratch.vectors, scratch.lists, hidden, counts,
        )  # fmt: skip
        return hidden, counts

    def best(self, data: np.ndarray, offsets: np.ndarray) -> Scores:
        """The most probable label of each text: what fastText's ``predict(k=1)`` answers."""
        hidden, counts = self.hidden(data, offsets)
        label = np.full(len(hidden), -1, np.int32)
        probability = np.zeros(len(hidden), np.float32)
        if self._tree:
            kernels.best_of_tree(hidden, self.file.output, *self._tree, label, probability)
        elif len(hidden):
            every = self._probabilities(hidden)
            label = every.argmax(axis=1).astype(np.int32)
            probability = every[np.arange(len(every)), label]
        label[counts == 0], probability[counts == 0] = -1, 0.0
        return Scores(label=label, probability=probability)

    def probabilities(self, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """float32 [n, K]: probability of every label; zeros for a text of which no row is known. Not for trees."""
        hidden, counts = self.hidden(data, offsets)
        every = self._probabilities(hidden)
        every[counts == 0] = 0.0
        return every

    def _probabilities(self, hidden: np.ndarray) -> np.ndarray:
        assert self.file.loss in ("softmax", "ova"), self.file.loss
        every = np.zeros((len(hidden), len(self.labels)), np.float32)
        kernels.label_probabilities(hidden, self.file.output, self.file.loss == "ova", every)
        return every

    def _scratch(self) -> _Scratch:
        held = getattr(self._local, "scratch", None)
        if held is None:
            held = self._local.scratch = _Scratch(
                np.zeros(2 * CACHE_WORDS, np.uint64),
                np.zeros((CACHE_WORDS, self.file.input.shape[1]), np.float32),
                np.zeros((3, max(kernels.PENDING, self.file.word_ngrams)), np.int64),
            )
        return held  # type: ignore[no-any-return]


def open_scorer(path: Path) -> Scorer:
    """Read a fastText file and make it ready to score."""
    return Scorer(load(path))


def _ordered(file: FastTextFile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with those of the buckets in the order of the buckets, how many of these come before each 64 buckets
    (int32), and a bit for each bucket that has one (uint64), for `kernels.bucket_row`; without pruning, no bits."""
    if file.pruned is None:
        return file.input, np.zeros(0, np.int32), np.zeros(0, np.uint64)
    slots, rows = file.pruned[np.argsort(file.pruned[:, 0])].astype(np.int64).T
    order = len(file.words) + rows
    there = np.zeros(-(-file.bucket // 64) * 64, bool)
    there[slots] = True
    present = np.packbits(there, bitorder="little").view("<u8").astype(np.uint64)
    counts = np.bincount(slots >> 6, minlength=len(present))
    before = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int32)
    return np.concatenate([file.input[: len(file.words)], file.input[order]]), before, present


def _hash_table(words: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Open-addressing table of the vocabulary: hashes (uint64) and word numbers (int32, -1 empty)."""
    size = 1 << (4 * max(1, len(words))).bit_length()
    keys, numbers = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    offsets = np.cumsum([0, *map(len, words)])
    data = np.frombuffer(b"".join(words) or b"\0", np.uint8)
    for number, key in enumerate(kernels.token_keys(data, offsets).tolist()):
        place = key & (size - 1)
        while numbers[place] >= 0:
            place = (place + 1) & (size - 1)
        keys[place], numbers[place] = key, number
    return keys, numbers


def huffman(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """fastText's label tree from label counts in falling order: left and right child of each node, -1 at a leaf."""
    leaves = len(counts)
    nodes = 2 * leaves - 1
    left, right = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    weight = [*counts.tolist(), *[10**15] * (leaves - 1)]
    leaf, inner = leaves - 1, leaves
    for node in range(leaves, nodes):
        children = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[inner]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(inner)
                inner += 1
        left[node], right[node] = children
        weight[node] = weight[children[0]] + weight[children[1]]
    return left, right
