"""Quality signals of the published filters, as distributions, and the documents that fail the reference thresholds.

A signal is kept in thousandths, so its histogram has a bin for each and merges exactly. Thresholds are the defaults of
the papers (Gopher: Rae et al. 2021; C4: Raffel et al. 2020; FineWeb: Penedo et al. 2024).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.texts import Texts

SCALE = 1000


@dataclass(frozen=True, slots=True)
class Signal:
    """A number measured on each document. `low` and `high` are the reference limits, inclusive."""

    name: str
    family: str
    low: float | None = None
    high: float | None = None
    share: bool = True
    compute: Callable[[Texts], np.ndarray] | None = None

    def values(self, texts: Texts) -> np.ndarray:
        """Float64, one per document."""
        if self.compute is not None:
            return self.compute(texts)
        return np.asarray(getattr(texts.stats, self.name), np.float64)

    @property
    def limits(self) -> str:
        """The reference limits in words."""
        parts = [f"at least {self.low:,g}" if self.low is not None else ""]
        parts += [f"at most {self.high:,g}" if self.high is not None else ""]
        return ", ".join(p for p in parts if p)


def _ratio(part: str, whole: str) -> Callable[[Texts], np.ndarray]:
    def compute(texts: Texts) -> np.ndarray:
        above, below = getattr(texts.stats, part), getattr(texts.stats, whole)
        return np.asarray(np.divide(above, below, out=np.zeros(len(above)), where=below > 0))

    return compute


def _structure(name: str, whole: str = "") -> Callable[[Texts], np.ndarray]:
    def compute(texts: Texts) -> np.ndarray:
        found = texts.structure[name].astype(np.float64)
        if not whole:
            return found
        base = getattr(texts.stats, whole)
        return np.asarray(np.divide(found, base, out=np.zeros(len(found)), where=base > 0))

    return compute


def _compression(texts: Texts) -> np.ndarray:
    """Bytes after zstd (level 1) over bytes before; low for repetitive text."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    view, offsets = memoryview(texts.data.data), texts.offsets.tolist()
    sizes = [len(compressor.compress(view[a:b])) for a, b in itertools.pairwise(offsets)]
    return np.asarray(np.divide(sizes, texts.bytes, out=np.zeros(len(sizes)), where=texts.bytes > 0))


SIGNALS = (
    Signal("words", "Gopher quality", 50, 100_000, share=False),
    Signal("mean_word_length", "Gopher quality", 3, 10, share=False),
    Signal("hash_ratio", "Gopher quality", high=0.1),
    Signal("ellipsis_ratio", "Gopher quality", high=0.1),
    Signal("bullet_line_fraction", "Gopher quality", high=0.9),
    Signal("ellipsis_line_fraction", "Gopher quality", high=0.3),
    Signal("alpha_word_fraction", "Gopher quality", low=0.8),
    Signal("stop_words", "Gopher quality", low=2, share=False),
    Signal("dup_line_fraction", "Gopher repetition", high=0.30),
    Signal("dup_paragraph_fraction", "Gopher repetition", high=0.30),
    Signal("dup_line_char_fraction", "Gopher repetition", high=0.20),
    Signal("dup_paragraph_char_fraction", "Gopher repetition", high=0.20),
    *(
        Signal(f"top_{n}_gram_fraction", "Gopher repetition", high=limit)
        for n, limit in ((2, 0.20), (3, 0.18), (4, 0.16))
    ),
    *(
        Signal(f"dup_{n}_gram_fraction", "Gopher repetition", high=limit)
        for n, limit in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True)
    ),
    Signal("terminal_line_fraction", "FineWeb", low=0.12),
    Signal("short_line_fraction", "FineWeb", high=0.67),
    Signal("dup_line_chars_fraction", "FineWeb", high=0.01, compute=_ratio("dup_line_chars", "chars")),
    Signal("newlines_per_word", "FineWeb", high=0.3, compute=_ratio("newlines", "words")),
    Signal("brace_fraction", "C4", high=0.0, compute=_ratio("braces", "chars")),
    Signal("upper_case_fraction", "structure", compute=_ratio("upper", "letters")),
    Signal("digit_fraction", "structure", compute=_ratio("digits", "chars")),
    Signal("space_fraction", "structure", compute=_ratio("spaces", "chars")),
    Signal("punctuation_fraction", "structure", compute=_structure("punctuation", "chars")),
    Signal("non_alphanumeric_fraction", "structure", compute=_structure("signs", "chars")),
    Signal("replacement_fraction", "structure", compute=_ratio("replacements", "chars")),
    Signal("control_fraction", "structure", compute=_ratio("controls", "chars")),
    Signal("unspaced_fraction", "structure"),
    Signal("longest_line", "structure", share=False),
    Signal("longest_run", "structure", share=False, compute=_structure("longest_run")),
    Signal("mojibake", "structure", high=0, share=False, compute=_structure("mojibake")),
    Signal("compression_ratio", "structure", compute=_compression),
)  # fmt: skip
RULES = tuple(s for s in SIGNALS if s.low is not None or s.high is not None)


def signals(texts: Texts, counters: Counters) -> None:
    """Distribution of every signal, failures of every rule, and how often two rules fail together."""
    failed = np.zeros((len(RULES), len(texts)), bool)
    for signal in SIGNALS:
        values = signal.values(texts)
        scaled = np.rint(values * (SCALE if signal.share or signal.name == "mean_word_length" else 1)).astype(np.int64)
        counters.add_lengths(f"signal {signal.name}", scaled)
        if signal in RULES:
            at = RULES.index(signal)
            if signal.low is not None:
                failed[at] |= values < signal.low
            if signal.high is not None:
                failed[at] |= values > signal.high
    together = failed.astype(np.int64) @ failed.astype(np.int64).T
    alone = failed & (failed.sum(0) == 1)
    for i, rule in enumerate(RULES):
        counters.add("rule.failed", rule.name, 0, int(together[i, i]))
        counters.add("rule.alone", rule.name, 0, int(alone[i].sum()))
        for j in range(i):
            if together[i, j]:
                counters.add("rule.both", rule.name, j, int(together[i, j]))
