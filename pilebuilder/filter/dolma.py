"""Dolma's variants of the Gopher and C4 rules, where they differ (Soldaini et al. 2024, arXiv:2402.00159, 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.filter.c4 import C4
from pilebuilder.filter.gopher import STOP_WORDS, Share
from pilebuilder.filter.rules import RuleStep, Unspaced, Verdicts, unspaced
from pilebuilder.registry import step


@step("dolma-gopher", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DolmaGopher(RuleStep):
    """Gopher's rules as Dolma's tagger gopher_v1 counts them, with the limits of Dolma's Common Crawl recipe.

    It differs from `gopher-quality` and `gopher-repetition`: words are what white space separates, the median of their
    lengths counts, words with a symbol (# or the ellipsis character) are counted rather than symbols, every occurrence
    of a stop word counts, bullets are * and -, every copy of a repeated line counts (blank lines too, so texts with
    blank lines between paragraphs fall to it: take them out first), and n-grams are shares of letters.
    """

    name: ClassVar[str] = "dolma-gopher"
    source: ClassVar[str] = "Dolma tagger gopher_v1; Soldaini et al. 2024 (arXiv:2402.00159), 5.2"

    min_words: Annotated[int | None, Field(ge=0, description="words between white space")] = 50
    max_words: Annotated[int | None, Field(ge=0, description="words between white space")] = 100_000
    min_median_word_length: Annotated[float | None, Field(ge=0, description="characters")] = 3
    max_median_word_length: Annotated[float | None, Field(ge=0, le=255, description="characters")] = 10
    max_symbol_words: Annotated[Share, Field(description="share of words with '#' or '…'")] = 0.1
    min_alpha_words: Annotated[Share, Field(description="share of words with a letter")] = 0.8
    min_stop_words: Annotated[int | None, Field(ge=0, description="occurrences of stop words")] = 2
    max_bullet_lines: Annotated[Share, Field(description="share of lines that begin with '*' or '-'")] = 0.9
    max_ellipsis_lines: Annotated[Share, Field(description="share of lines that end in '…'")] = 0.3
    max_dup_lines: Annotated[Share, Field(description="share of lines that occur more than once")] = 0.3
    max_dup_line_chars: Annotated[
        float | None, Field(ge=0, description="characters of such lines per character that is no white space")
    ] = 0.3
    max_top_2_gram: Annotated[Share, Field(description="share of characters in the most frequent 2-gram")] = 0.20
    max_top_3_gram: Annotated[Share, Field(description="share of characters in the most frequent 3-gram")] = 0.18
    max_top_4_gram: Annotated[Share, Field(description="share of characters in the most frequent 4-gram")] = 0.16
    max_dup_5_gram: Annotated[Share, Field(description="share of 5-grams, in characters, that occur again")] = 0.15
    max_dup_6_gram: Annotated[Share, Field(description="share of 6-grams, in characters, that occur again")] = 0.14
    max_dup_7_gram: Annotated[Share, Field(description="share of 7-grams, in characters, that occur again")] = 0.13
    max_dup_8_gram: Annotated[Share, Field(description="share of 8-grams, in characters, that occur again")] = 0.12
    max_dup_9_gram: Annotated[Share, Field(description="share of 9-grams, in characters, that occur again")] = 0.11
    max_dup_10_gram: Annotated[Share, Field(description="share of 10-grams, in characters, that occur again")] = 0.10
    stop_words: Annotated[tuple[str, ...], Field(min_length=1, max_length=64, description="as written")] = STOP_WORDS
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        import numpy as np

        from pilebuilder.kernels.linetable import Lines, copies
        from pilebuilder.kernels.plainwords import SPLIT, PlainWords
        from pilebuilder.kernels.repetition import COLUMNS, NS, repetition

        found = Verdicts(self, unspaced(docs, self, self.unspaced))
        words = PlainWords(*docs.buffers(), SPLIT, self.stop_words)
        count, chars = np.maximum(words.words, 1), np.maximum(words.chars, 1)
        found.low("min_words", words.words, words=True)
        found.high("max_words", words.words, words=True)
        found.low("min_median_word_length", words.twice_median / 2, words=True)
        found.high("max_median_word_length", words.twice_median / 2, words=True)
        found.high("max_symbol_words", words.symbol_words / count, words=True)
        found.low("min_alpha_words", words.alpha_words / count, words=True)
        found.low("min_stop_words", words.stop_tokens, words=True)
        lines = Lines.of(*docs.buffers())
        total = np.maximum(lines.count_by_text(np.ones(len(lines.rows), bool)), 1)
        bullets, ellipses, repeated, repeated_chars = copies(lines).T
        found.high("max_bullet_lines", bullets / total)
        found.high("max_ellipsis_lines", ellipses / total)
        found.high("max_dup_lines", repeated / total)
        found.high("max_dup_line_chars", repeated_chars / chars)
        grams = dict(
            zip(COLUMNS, np.moveaxis(repetition(words.hashes, words.lengths, words.firsts), 2, 0), strict=True)
        )
        for k, n in enumerate(NS):
            if n < 5:
                top = grams["top_times"][:, k] * grams["top_chars"][:, k] / chars
                found.high(f"max_top_{n}_gram", top, words=True)
            else:
                share = grams["dup_chars"][:, k] / np.maximum(grams["all_chars"][:, k], 1)
                found.high(f"max_dup_{n}_gram", share, words=True)
        return list(found)


@step("dolma-c4", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class DolmaC4(C4):
    """Dolma's choice of C4's rules: lines that do not end in . ? ! or " go, and nothing else happens ("C4 NoPunc").

    All other parameters of `c4` can be turned on; words per line are 3 in Dolma's tagger c4_v1.
    """

    name: ClassVar[str] = "dolma-c4"
    source: ClassVar[str] = "Soldaini et al. 2024 (arXiv:2402.00159), 5.2; Dolma tagger c4_v1"

    min_sentences: Annotated[int, Field(ge=0, description="sentences in the lines that stay")] = 0
    words_per_line: Annotated[int, Field(ge=0, description="a line of fewer words goes")] = 0
    word_length: Annotated[int | None, Field(ge=1, description="a line with a longer word goes")] = None
    terminal_marks: Annotated[str, Field(description="what a line must end in")] = '.?!"'
    ellipsis: Annotated[bool, Field(description="whether a line that ends in '...' has an end")] = True
    citations: Annotated[bool, Field(description="remove [12], [edit], [citation needed]")] = False
    lorem_ipsum: Annotated[bool, Field(description="drop documents with 'lorem ipsum'")] = False
    javascript: Annotated[bool, Field(description="lines that mention javascript go")] = False
    curly_bracket: Annotated[bool, Field(description="drop documents with '{'")] = False
    policy: Annotated[bool, Field(description="lines with terms of use, privacy and cookie phrases go")] = False
