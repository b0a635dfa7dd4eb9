"""The quality and repetition rules of Gopher (Rae et al. 2021, arXiv:2112.11446, section A1.1 and table A1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.filter.rules import RuleStep, Unspaced, Verdicts, unspaced
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
Share = Annotated[float | None, Field(ge=0, le=1)]


@step("gopher-quality", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class GopherQuality(RuleStep):
    """Gopher's document rules: number and length of words, symbols, bullets, ellipses, letters, stop words.

    Written for English. Another language with spaces needs its own `stop_words` (or ``min_stop_words: null``), else
    most of its documents fall to that rule; for scripts without spaces see `unspaced`.
    """

    name: ClassVar[str] = "gopher-quality"
    source: ClassVar[str] = "Rae et al. 2021 (arXiv:2112.11446), A1.1"

    min_words: Annotated[int | None, Field(ge=0, description="words, symbols aside")] = 50
    max_words: Annotated[int | None, Field(ge=0, description="words, symbols aside")] = 100_000
    min_mean_word_length: Annotated[float | None, Field(ge=0, description="characters per word")] = 3
    max_mean_word_length: Annotated[float | None, Field(ge=0, description="characters per word")] = 10
    max_hash_ratio: Annotated[float | None, Field(ge=0, description="'#' per word or symbol")] = 0.1
    max_ellipsis_ratio: Annotated[float | None, Field(ge=0, description="'...' and '…' per word or symbol")] = 0.1
    max_bullet_lines: Annotated[Share, Field(description="share of lines that begin with '-' or '•'")] = 0.9
    max_ellipsis_lines: Annotated[Share, Field(description="share of lines that end in an ellipsis")] = 0.3
    min_alpha_words: Annotated[Share, Field(description="share of words and symbols with a letter")] = 0.8
    min_stop_words: Annotated[int | None, Field(ge=0, description="different stop words that occur")] = 2
    stop_words: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=64, description="looked for as whole words, as written")
    ] = STOP_WORDS
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        stats = docs.stats()
        found = Verdicts(self, unspaced(docs, self, self.unspaced))
        found.low("min_words", stats.words, words=True)
        found.high("max_words", stats.words, words=True)
        found.low("min_mean_word_length", stats.mean_word_length, words=True)
        found.high("max_mean_word_length", stats.mean_word_length, words=True)
        found.high("max_hash_ratio", stats.hash_ratio, words=True)
        found.high("max_ellipsis_ratio", stats.ellipsis_ratio, words=True)
        found.high("max_bullet_lines", stats.bullet_line_fraction)
        found.high("max_ellipsis_lines", stats.ellipsis_line_fraction)
        found.low("min_alpha_words", stats.alpha_word_fraction, words=True)
        if self.min_stop_words:
            found.low("min_stop_words", self._stop_words(docs), words=True)
        return list(found)

    def _stop_words(self, docs: Docs) -> np.ndarray:
        if self.stop_words == STOP_WORDS:
            return docs.stats().stop_words  # type: ignore[no-any-return]
        from pilebuilder.kernels import stop_words

        words = tuple(sorted(set(self.stop_words)))
        return docs.measure(  # type: ignore[no-any-return]
            f"stop words {words}", lambda docs: stop_words(*docs.buffers(), words)
        )


@step("gopher-repetition", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class GopherRepetition(RuleStep):
    """Gopher's repetition rules: repeated lines and paragraphs, frequent 2- to 4-grams, repeated 5- to 10-grams."""

    name: ClassVar[str] = "gopher-repetition"
    source: ClassVar[str] = "Rae et al. 2021 (arXiv:2112.11446), table A1"
    fixed_rules: ClassVar[dict[str, str]] = {"empty": "no text at all"}

    max_dup_paragraphs: Annotated[Share, Field(description="share of paragraphs that came before")] = 0.3
    max_dup_paragraph_chars: Annotated[Share, Field(description="share of characters in such paragraphs")] = 0.2
    max_dup_lines: Annotated[Share, Field(description="share of lines that came before")] = 0.3
    max_dup_line_chars: Annotated[Share, Field(description="share of characters in such lines")] = 0.2
    max_top_2_gram: Annotated[Share, Field(description="share of characters in the most frequent 2-gram")] = 0.20
    max_top_3_gram: Annotated[Share, Field(description="share of characters in the most frequent 3-gram")] = 0.18
    max_top_4_gram: Annotated[Share, Field(description="share of characters in the most frequent 4-gram")] = 0.16
    max_dup_5_gram: Annotated[Share, Field(description="share of characters in repeated 5-grams")] = 0.15
    max_dup_6_gram: Annotated[Share, Field(description="share of characters in repeated 6-grams")] = 0.14
    max_dup_7_gram: Annotated[Share, Field(description="share of characters in repeated 7-grams")] = 0.13
    max_dup_8_gram: Annotated[Share, Field(description="share of characters in repeated 8-grams")] = 0.12
    max_dup_9_gram: Annotated[Share, Field(description="share of characters in repeated 9-grams")] = 0.11
    max_dup_10_gram: Annotated[Share, Field(description="share of characters in repeated 10-grams")] = 0.10
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        exempt = unspaced(docs, self, self.unspaced)
        return [*self._of_lines(docs), *self._of_words(docs, exempt)]

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        if self.action == "signal" or self.signal:
            return RuleStep.__call__(self, docs)
        exempt = unspaced(docs, self, self.unspaced)
        rules = self._of_lines(docs)
        if exempt is not None:
            exempt = exempt[~np.any([rule.failed for rule in rules], axis=0)]
        docs = docs.reject(rules)  # before their n-grams are counted, which costs most
        return docs.reject(self._of_words(docs, exempt))

    def _of_lines(self, docs: Docs) -> list[Rule]:
        stats, found = docs.stats(), Verdicts(self)
        found.add("empty", stats.bytes == 0)
        found.high("max_dup_paragraphs", stats.dup_paragraph_fraction)
        found.high("max_dup_paragraph_chars", stats.dup_paragraph_char_fraction)
        found.high("max_dup_lines", stats.dup_line_fraction)
        found.high("max_dup_line_chars", stats.dup_line_char_fraction)
        return list(found)

    def _of_words(self, docs: Docs, exempt: np.ndarray | None) -> list[Rule]:
        stats, found = docs.stats(), Verdicts(self, exempt)
        for n in (2, 3, 4):
            found.high(f"max_top_{n}_gram", getattr(stats, f"top_{n}_gram_fraction"), words=True)
        for n in range(5, 11):
            found.high(f"max_dup_{n}_gram", getattr(stats, f"dup_{n}_gram_fraction"), words=True)
        return list(found)
