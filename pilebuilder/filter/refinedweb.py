"""RefinedWeb's line-wise corrections (Penedo et al. 2023, arXiv:2306.01116, section 3.2 and appendix G.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule, from_buffers
from pilebuilder.filter.rules import RuleStep, Unspaced, Verdicts, unspaced
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

    from pilebuilder.kernels.linetable import Lines

# "3 likes", "1.2K views": a number and what it counts, alone on a line.
COUNTED = (
    "likes? shares? comments? retweets? reposts? quotes? bookmarks? upvotes? downvotes? downloads? views? followers?"
)
COUNTER = re.compile(rf"\W*\d[\d,.]*\s*[KkMmBb]?\s+(?:{'|'.join(COUNTED.split())})\W*")
PATTERNS = (
    "sign in", "sign-in", "log in", "sign up", "read more", "items in cart", "add to cart", "share this", "click here",
    "leave a comment", "leave a reply",
)  # fmt: skip
REASONS = ("uppercase", "numeric", "counter", "one_word", "pattern")


@step("refinedweb-lines", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RefinedWebLines(RuleStep):
    """RefinedWeb's line rules: lines in capitals, of digits, counters, single words, short lines with known patterns.

    The paper drops documents in which the words of such lines are more than 5 % of all; from the others the lines go.
    It gives no list of patterns and no share of capitals: `patterns` and `upper_share` are ours.
    """

    name: ClassVar[str] = "refinedweb-lines"
    source: ClassVar[str] = "Penedo et al. 2023 (arXiv:2306.01116), G.2"

    max_flagged_words: Annotated[
        float | None, Field(ge=0, le=1, description="share of words that stand in flagged lines")
    ] = 0.05
    upper_share: Annotated[float, Field(gt=0, le=1, description="share of letters in capitals that flags a line")] = (
        0.5
    )
    short_line: Annotated[int, Field(ge=1, description="most words of a line in which a pattern counts")] = 10
    patterns: Annotated[tuple[str, ...], Field(description="what short lines are flagged for, in any case")] = PATTERNS
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        return self._apply(docs)[0]

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        (rule, *_), lines, marks = self._apply(docs)
        if not self.drops(rule):
            return docs.signal(rule.reason, rule.value)
        # lines of documents that are dropped stay, so that no edit is counted for them
        going = np.logical_or.reduce(list(marks.values())) & ~rule.failed[lines.rows]
        data, offsets, taken = lines.without(going)
        removed, counted, stay = {}, np.zeros(len(going), bool), ~rule.failed
        for reason, marked in marks.items():
            part = lines.count_by_text(np.where(marked & going & ~counted, taken, 0))
            removed[f"{self.name}.{reason}"] = part[stay]
            counted |= marked
        kept = from_buffers(data, offsets).take(np.flatnonzero(stay))
        return docs.reject([rule]).edit(kept, removed)

    def _apply(self, docs: Docs) -> tuple[list[Rule], Lines, dict[str, np.ndarray]]:
        import numpy as np

        from pilebuilder.kernels.linetable import Lines

        lines = Lines.of(*docs.buffers())
        marks = self._flag(lines)
        exempt = unspaced(docs, self, self.unspaced)
        if exempt is not None:
            marks = {reason: marked & ~exempt[lines.rows] for reason, marked in marks.items()}
        words = lines.features()["words"]
        flagged = lines.count_by_text(np.where(np.logical_or.reduce(list(marks.values())), words, 0))
        share = flagged / np.maximum(lines.count_by_text(words), 1)
        found = Verdicts(self, exempt)
        limit = 1.0 if self.max_flagged_words is None else self.max_flagged_words
        found.add("max_flagged_words", share > limit, share, limit, words=True)
        return list(found), lines, marks

    def _flag(self, lines: Lines) -> dict[str, np.ndarray]:
        """Lines (bool) flagged by each of `REASONS`."""
        import numpy as np

        from pilebuilder.kernels.phrases import Phrases

        of = lines.features()
        there = lines.keys != 0
        counter, pattern = np.zeros(len(there), bool), np.zeros(len(there), bool)
        raw = memoryview(lines.data)  # type: ignore[arg-type]
        for n in np.flatnonzero((of["words"] <= 4) & (of["digits"] > 0) & (of["letters"] > 0)):
            counter[n] = COUNTER.fullmatch(str(raw[lines.starts[n] : lines.ends[n]], "utf-8").strip()) is not None
        if self.patterns:
            short = np.flatnonzero(there & (of["words"] <= self.short_line))
            search = Phrases.build([(phrase, 0, True) for phrase in self.patterns])
            _, counts, _ = search.search(lines.data, lines.starts[short], lines.ends[short])
            pattern[short[counts > 0]] = True
        return {
            "uppercase": there & (of["letters"] > 0) & (of["upper"] > self.upper_share * of["letters"]),
            "numeric": there & (of["digits"] > 0) & (of["letters"] == 0),
            "counter": counter,
            "one_word": there & (of["words"] == 1),
            "pattern": pattern,
        }
