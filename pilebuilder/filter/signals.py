"""Measures as signals: text statistics, RedPajama-v2's quality signals; and a rule over any signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.filter.gopher import STOP_WORDS
from pilebuilder.filter.rules import RuleStep, Verdicts
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

STRUCTURAL = (
    "chars", "words", "lines", "mean_word_length", "letters", "upper", "digits", "spaces", "controls", "replacements",
    "longest_line", "unspaced_fraction",
)  # fmt: skip
BULLETS = tuple(map(ord, "•‣▶◀◦■□▪▫–"))
TERMINAL_MARKS = tuple(map(ord, ".!?”"))


@step("text-signals", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextSignals:
    """Adds text statistics as signals (`signal.chars`, ...), for reports and for `signal-range`; drops nothing."""

    names: Annotated[
        tuple[str, ...], Field(min_length=1, description="columns or shares of pilebuilder.kernels.textstats")
    ] = STRUCTURAL

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.errors import RecipeError, nearest
        from pilebuilder.kernels.textstats import COLUMNS, SHARES

        known = (*COLUMNS, *SHARES)
        stats = docs.stats()
        for name in self.names:
            if name not in known:
                raise RecipeError(
                    f"text-signals: no statistic {name!r}{nearest(name, known)}; known: {', '.join(known)}"
                )
            docs = docs.signal(name, getattr(stats, name))
        return docs


@step("signal-range", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRange(RuleStep):
    """Drops documents with a signal out of a range; the signal comes from an earlier step or from the reader."""

    name: ClassVar[str] = "signal-range"
    source: ClassVar[str] = "pilebuilder"
    fixed_rules: ClassVar[dict[str, str]] = {"missing": "the document has no such signal"}

    of: Annotated[str, Field(min_length=1, description="the signal's name, without 'signal.'")]
    min_value: Annotated[float | None, Field(description="least value that stays")] = None
    max_value: Annotated[float | None, Field(description="greatest value that stays")] = None
    keep_missing: Annotated[bool, Field(description="whether documents without the signal stay")] = False

    def rules(self, docs: Docs) -> list[Rule]:
        import numpy as np
        import pyarrow as pa

        from pilebuilder.document import SIGNAL
        from pilebuilder.errors import RecipeError, nearest

        there = [n.removeprefix(SIGNAL) for n in docs.table.column_names if n.startswith(SIGNAL)]
        if self.of not in there:
            raise RecipeError(
                f"signal-range: no signal {self.of!r} at this point{nearest(self.of, there)};"
                f" there are {', '.join(there) or 'none'}: a step before this one must add it"
            )
        values = np.asarray(docs.column(SIGNAL + self.of).cast(pa.float64()).to_numpy(zero_copy_only=False))
        found = Verdicts(self)
        if not self.keep_missing:
            found.add("missing", np.isnan(values))
        found.low("min_value", values)
        found.high("max_value", values)
        return [
            Rule(reason=f"{r.reason}.{self.of}", failed=r.failed, value=r.value, threshold=r.threshold) for r in found
        ]


@step("redpajama-signals", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RedPajamaSignals:
    """Adds RedPajama-v2's quality signals under their names (`signal.rps_doc_word_count`, ...); drops nothing.

    Source: togethercomputer/RedPajama-Data, app/src/core/quality_signals, and the dataset card. Signals by line are
    given as the mean over lines (javascript: the number in all). Not here: signals of models (classifiers, importance,
    perplexity), UT1 categories (`url-blocklist`) and bad words (`badwords`). Texts without words have no value where
    theirs have none. Accents count with their letters (theirs are split off by NFD), nothing is rounded, and
    `stop_words` are Gopher's unless given.
    """

    stop_words: Annotated[tuple[str, ...], Field(max_length=64, description="whole words, as written")] = STOP_WORDS

    def __call__(self, docs: Docs) -> Docs:
        for name, values in (self._words(docs) | self._lines(docs)).items():
            docs = docs.signal(name, values)
        return docs

    def _words(self, docs: Docs) -> dict[str, np.ndarray]:
        import numpy as np

        from pilebuilder.kernels.phrases import Phrases
        from pilebuilder.kernels.plainwords import NORMAL, PUNCT, PlainWords
        from pilebuilder.kernels.repetition import COLUMNS, NS, repetition
        from pilebuilder.kernels.signals import counts

        data, offsets = docs.buffers()
        stats, found = docs.stats(), counts(data, offsets)
        raw, normal = PlainWords(data, offsets, PUNCT, self.stop_words), PlainWords(data, offsets, NORMAL)
        distinct, entropy = normal.vocabulary()
        lorem = Phrases.build([("lorem ipsum", 0, False)]).search(data, offsets[:-1], offsets[1:])[1]
        none = normal.words == 0
        signals = {
            "ccnet_length": stats.chars,
            "rps_doc_word_count": normal.words,
            "rps_doc_mean_word_length": share(normal.chars, normal.words),
            "rps_doc_num_sentences": found["sentences"],
            "rps_doc_symbol_to_word_ratio": share(stats.hashes + stats.ellipses, raw.words),
            "rps_doc_frac_lines_end_with_ellipsis": share(stats.ellipsis_lines, stats.lines),
            "rps_doc_frac_no_alph_words": 1 - share(raw.ascii_alpha_words, raw.words),
            "rps_doc_frac_unique_words": share(distinct, normal.words),
            "rps_doc_unigram_entropy": np.where(none, np.nan, entropy),
            "rps_doc_frac_all_caps_words": share(raw.capital_words, raw.words),
            "rps_doc_stop_word_fraction": share(raw.stop_tokens, raw.words, 0.0),
            "rps_doc_curly_bracket": share(found["braces"], stats.chars, 0.0),
            "rps_doc_lorem_ipsum": share(lorem, stats.chars - found["punctuation"], 0.0),
        }
        grams = repetition(normal.hashes, normal.lengths, normal.firsts)
        for k, n in enumerate(NS):
            of = dict(zip(COLUMNS, grams[:, k].T, strict=True))
            if n < 5:
                top = np.where(of["top_times"] > 1, of["top_times"] * of["top_chars"], 0)
                signals[f"rps_doc_frac_chars_top_{n}gram"] = share(top, normal.chars, 0.0)
            else:
                signals[f"rps_doc_frac_chars_dupe_{n}grams"] = share(of["covered_chars"], normal.chars, 0.0)
        return signals

    def _lines(self, docs: Docs) -> dict[str, np.ndarray]:
        import numpy as np

        from pilebuilder.kernels.linetable import Lines
        from pilebuilder.kernels.phrases import Phrases

        data, offsets = docs.buffers()
        lines = Lines.of(data, offsets)
        of = lines.features()
        # a newline ends a line here, so nothing follows the last one
        there = (lines.ends > lines.starts) | (lines.ends < offsets[1:][lines.rows])
        total = lines.count_by_text(there)

        def mean(values: np.ndarray) -> np.ndarray:
            summed = np.bincount(lines.rows, weights=np.where(there, values, 0), minlength=len(total))
            return share(summed, total)

        chars = np.maximum(of["chars"], 1)
        script = Phrases.build([("javascript", 0, True)]).search(data, offsets[:-1], offsets[1:])[1]
        return {
            "ccnet_nlines": total,
            "rps_lines_ending_with_terminal_punctution_mark": mean(np.isin(of["last"], TERMINAL_MARKS)),
            "rps_lines_javascript_counts": script,
            "rps_lines_num_words": mean(of["words"]),
            "rps_lines_numerical_chars_fraction": mean(of["digits"] / chars),
            "rps_lines_start_with_bulletpoint": mean(np.isin(of["first"], BULLETS)),
            "rps_lines_uppercase_letter_fraction": mean(of["upper"] / chars),
        }


def share(part: np.ndarray, whole: np.ndarray, of_nothing: float | None = None) -> np.ndarray:
    """`part` / `whole`, and `of_nothing` (default: no value) where `whole` is 0; float64."""
    import numpy as np

    result = np.full(len(part), np.nan if of_nothing is None else of_nothing)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
