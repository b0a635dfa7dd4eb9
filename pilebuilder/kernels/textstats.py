"""`TextStats`: what all heuristic rules need to know about each document, measured when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from pilebuilder.kernels import lines, ngrams, wordstats
from pilebuilder.kernels.affixes import special_tables
from pilebuilder.kernels.lexicon import STOP_WORDS
from pilebuilder.kernels.unicode import classes
from pilebuilder.kernels.words import MAX_CHUNK

# share -> (counted, of how many); shares of nothing are 0
_SHARES = {
    "dup_line_fraction": ("dup_pieces", "pieces"),
    "dup_line_char_fraction": ("dup_piece_chars", "chars"),
    "dup_paragraph_fraction": ("dup_paragraphs", "paragraphs"),
    "dup_paragraph_char_fraction": ("dup_paragraph_chars", "chars"),
    **{name.removesuffix("_chars") + "_fraction": (name, "chars") for name in ngrams.COLUMNS},
    "mean_word_length": ("word_chars", "words"),
    "alpha_word_fraction": ("alpha_words", "word_tokens"),
    "hash_ratio": ("hashes", "word_tokens"),
    "ellipsis_ratio": ("ellipses", "word_tokens"),
    "bullet_line_fraction": ("bullet_lines", "lines"),
    "ellipsis_line_fraction": ("ellipsis_lines", "lines"),
    "terminal_line_fraction": ("terminal_lines", "filled_lines"),
    "short_line_fraction": ("short_lines", "filled_lines"),
    "unspaced_fraction": ("unspaced", "letters"),
}
_GROUPS: dict[str, tuple[str, ...]] = {
    "_words": wordstats.COLUMNS,
    "_ngrams": ngrams.COLUMNS,
    "_lines": lines.LINE_COLUMNS,
    "_chars": lines.CHAR_COLUMNS,
}
_OWNER = {column: group for group, columns in _GROUPS.items() for column in columns}
COLUMNS = (*_OWNER, "bytes")
SHARES = tuple(_SHARES)


class _Words:
    """Hashes and lengths of words; the memory goes to the next text when nobody needs these any more, since fresh
    pages cost the system as much as a tenth of the measuring."""

    __slots__ = ("hashes", "lengths")
    spare: ClassVar[list[tuple[np.ndarray, np.ndarray]]] = []

    def __init__(self, room: int) -> None:
        held = self.spare.pop() if self.spare else None
        if held is None or not room <= len(held[0]) <= 4 * room:
            held = np.empty(room, np.uint64), np.empty(room, np.int32)
        self.hashes, self.lengths = held

    def __del__(self) -> None:
        if not self.spare:
            self.spare.append((self.hashes, self.lengths))


class TextStats:
    """Named columns, one entry per document; each an attribute, read-only by convention.

    Counts (int64) are `COLUMNS`, explained in `wordstats`, `ngrams` and `lines`; shares (float64) are `SHARES`, a
    count over another, 0 where there is nothing to share. A group of columns is measured when the first of it is
    asked for, over the documents that are left by then.

    >>> import numpy as np
    >>> text = np.frombuffer(b"to be or not to beto be", np.uint8)
    >>> stats = text_stats(text, np.array([0, 18, 23]))
    >>> stats.words.tolist(), stats.mean_word_length.tolist()
    ([6, 2], [2.1666666666666665, 2.0])
    >>> stats.take(np.array([1])).stop_words.tolist()
    [2]
    """

    __slots__ = ("_before", "_columns", "_data", "_ends", "_hashes", "_starts", "_stop_words")

    def __init__(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, stop_words: tuple[str, ...] = STOP_WORDS
    ) -> None:
        self._data, self._starts, self._ends = data, starts, ends
        self._stop_words = stop_words
        self._columns: dict[str, np.ndarray] = {}
        # hashes and lengths of all words, and the first and last of each document, for the n-grams
        self._hashes: tuple[_Words, np.ndarray, np.ndarray] | None = None
        # columns as they were before an edit of the texts, and the rows of those that changed
        self._before: tuple[dict[str, np.ndarray], np.ndarray] = {}, np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._starts)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("__"):
            raise AttributeError(name)
        held = self._columns.get(name)
        if held is not None:
            return held
        if name == "bytes":
            return np.asarray(self._ends - self._starts)
        if name in _SHARES:
            part, whole = (getattr(self, column) for column in _SHARES[name])
            share = np.zeros(len(part))
            np.divide(part, whole, out=share, where=whole > 0)
            self._columns[name] = share
            return share
        if name not in _OWNER:
            raise AttributeError(f"no text statistic is named {name!r}; there are {', '.join((*COLUMNS, *SHARES))}")
        if name in self._before[0]:
            self._measure_changed(_GROUPS[_OWNER[name]])
            return self._columns[name]
        self._measure(_OWNER[name])
        return self._columns[name]

    def _measure(self, group: str) -> None:
        measured = _MEASURES[group](self)
        for number, column in enumerate(_GROUPS[group]):
            self._columns[column] = np.ascontiguousarray(measured[:, number])

    def _measure_changed(self, columns: tuple[str, ...]) -> None:
        """Measure the edited texts alone; the others have what they had before."""
        before, changed = self._before
        fresh = TextStats(self._data, self._starts[changed], self._ends[changed], self._stop_words)
        for column in columns:
            self._columns[column] = before[column].copy()
            self._columns[column][changed] = getattr(fresh, column)

    def edited(self, data: np.ndarray, offsets: np.ndarray, changed: np.ndarray) -> TextStats:
        """The statistics after an edit: texts in another buffer, row numbers of those that are not what they were."""
        offsets = np.ascontiguousarray(offsets, np.int64)
        after = TextStats(np.ascontiguousarray(data, np.uint8), offsets[:-1], offsets[1:], self._stop_words)
        measured = {name: column for name, column in self._columns.items() if name in _OWNER}
        earlier, rows = self._before
        # edited twice and not measured in between, both edits count
        after._before = (measured, changed) if measured else (earlier, np.union1d(rows, changed))
        return after

    def known(self) -> dict[str, np.ndarray]:
        """Counts that are measured so far, by name."""
        return {name: getattr(self, name) for name in _OWNER if name in self._columns or name in self._before[0]}

    def take(self, rows: np.ndarray) -> TextStats:
        """The statistics of the documents at these row numbers; what is measured is kept."""
        taken = TextStats(self._data, self._starts[rows], self._ends[rows], self._stop_words)
        taken._columns = {name: column[rows] for name, column in self._columns.items()}
        if self._hashes is not None:
            words, first, last = self._hashes
            taken._hashes = words, first[rows], last[rows]
        before, changed = self._before
        taken._before = {name: column[rows] for name, column in before.items()}, np.flatnonzero(np.isin(rows, changed))
        return taken


def text_stats(data: np.ndarray, offsets: np.ndarray, columns: Mapping[str, np.ndarray] | None = None) -> TextStats:
    """Statistics of the texts in a UTF-8 buffer: uint8 bytes, int64 offsets (documents + 1).

    The buffer is not copied and must not change while the result is used. `columns` (`TextStats.known`) were measured
    before on these texts.
    """
    offsets = np.ascontiguousarray(offsets, np.int64)
    if len(offsets) and (offsets[0] < 0 or offsets[-1] > len(data) or (np.diff(offsets) < 0).any()):
        raise ValueError(f"offsets must rise from 0 to at most {len(data)}, the bytes of text")
    stats = TextStats(np.ascontiguousarray(data, np.uint8), offsets[:-1], offsets[1:])
    stats._columns.update(columns or {})
    return stats


def stop_words(data: np.ndarray, offsets: np.ndarray, words: tuple[str, ...]) -> np.ndarray:
    """How many different ones of these words occur in each text, as whole words, as written; int64 per document."""
    return TextStats(data, offsets[:-1], offsets[1:], words).stop_words


def short_lines(data: np.ndarray, offsets: np.ndarray, limit: int) -> np.ndarray:
    """Lines of at most `limit` characters and not only white space in each text; int64 per document."""
    out = np.zeros(len(offsets) - 1, np.int64)
    lines.count_short_lines(data, offsets[:-1], offsets[1:], classes(), limit, out)
    return out


def _measure_words(stats: TextStats) -> np.ndarray:
    n = len(stats)
    sizes = stats._ends - stats._starts
    room = int(np.minimum(sizes, wordstats.MAX_WORDS).sum())
    words = _Words(room)
    spans, firsts = np.empty(2 * (MAX_CHUNK + 8), np.int64), np.empty(n + 1, np.int64)
    out = np.zeros((n, len(wordstats.COLUMNS)), np.int64)
    wordstats.word_stats(
        stats._data, stats._starts, stats._ends, classes(), *special_tables(),
        *wordstats.stop_tables(stats._stop_words), spans, words.hashes, words.lengths, firsts, out,
    )  # fmt: skip
    stats._hashes = words, firsts[:-1], firsts[1:]
    return out


def _measure_ngrams(stats: TextStats) -> np.ndarray:
    if stats._hashes is None:
        stats._measure("_words")  # the words themselves are a by-product
    assert stats._hashes is not None
    words, firsts, lasts = stats._hashes
    most = int((lasts - firsts).max(initial=0))
    sketch, table = np.empty(_power(8 * most), np.uint8), np.zeros(2 * _power(2 * most), np.uint64)
    out = np.zeros((len(stats), len(ngrams.COLUMNS)), np.int64)
    ngrams.ngram_stats(
        words.hashes,
        words.lengths,
        firsts,
        lasts,
        1,
        sketch,
        table,
        np.empty(most, np.int64),
        np.empty(most, np.uint64),
        np.empty(most, np.int64),
        out,
    )
    stats._hashes = None
    return out


def _measure_lines(stats: TextStats) -> np.ndarray:
    most = int((stats._ends - stats._starts).max(initial=0))
    table = np.zeros(2 * min(_power(2 * most + 4), 2 * lines.MAX_LINES), np.uint64)
    out = np.zeros((len(stats), len(lines.LINE_COLUMNS)), np.int64)
    lines.line_stats(stats._data, stats._starts, stats._ends, classes(), 0, table, out)
    return out


def _measure_chars(stats: TextStats) -> np.ndarray:
    out = np.zeros((len(stats), len(lines.CHAR_COLUMNS)), np.int64)
    lines.char_stats(stats._data, stats._starts, stats._ends, classes(), out)
    return out


def _power(n: int) -> int:
    """The power of two at or above `n`, at least 64."""
    return 1 << max(6, (n - 1).bit_length())


_MEASURES: dict[str, Callable[[TextStats], Any]] = {
    "_words": _measure_words,
    "_ngrams": _measure_ngrams,
    "_lines": _measure_lines,
    "_chars": _measure_chars,
}
