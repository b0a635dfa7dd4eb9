"""C4's rules (Raffel et al. 2020, arXiv:1910.10683, section 2.2; c4_utils.py of TensorFlow Datasets)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule, from_buffers
from pilebuilder.filter.rules import RuleStep, Unspaced, Verdicts, rule_names, unspaced
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np


@step("c4", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class C4(RuleStep):
    """C4's rules: lines without a sentence's end, with policy phrases or "javascript" go; so do documents left bare.

    Lines are edits, with bytes removed per reason (``c4.no_terminal_mark``, ...); documents are dropped for what is
    left. With ``action: signal`` no line is removed either. The bad-word list of C4 is the step `badwords`.
    """

    name: ClassVar[str] = "c4"
    source: ClassVar[str] = "Raffel et al. 2020 (arXiv:1910.10683), 2.2; datatrove C4QualityFilter"
    fixed_rules: ClassVar[dict[str, str]] = {
        "lorem_ipsum": "a remaining line holds 'lorem ipsum'",
        "curly_bracket": "a remaining line holds '{'",
    }

    min_sentences: Annotated[int, Field(ge=0, description="sentences in the lines that stay")] = 5
    words_per_line: Annotated[int, Field(ge=0, description="a line of fewer words goes")] = 3
    word_length: Annotated[
        int | None, Field(ge=1, description="a line with a longer word (characters) goes; null: any length")
    ] = 1000
    terminal_marks: Annotated[
        str, Field(description="a line that ends in none of these goes (ASCII); empty: all stay")
    ] = ".?!\"'"
    ellipsis: Annotated[bool, Field(description="whether a line that ends in '...' may stay")] = False
    citations: Annotated[bool, Field(description="remove [12], [edit], [citation needed]")] = True
    lorem_ipsum: Annotated[bool, Field(description="drop documents with 'lorem ipsum'")] = True
    javascript: Annotated[bool, Field(description="lines that mention javascript go")] = True
    curly_bracket: Annotated[bool, Field(description="drop documents with '{'")] = True
    policy: Annotated[bool, Field(description="lines with terms of use, privacy and cookie phrases go")] = True
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        return self._apply(docs)[0]

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        rules, texts, offsets, removed = self._apply(docs)
        dropping = [rule for rule in rules if self.drops(rule)]
        for rule in rules:
            if rule not in dropping:
                docs = docs.signal(rule.reason, rule.value if rule.value is not None else rule.failed)
        if self.action == "signal":
            return docs
        stay = np.ones(len(docs), bool)
        for rule in dropping:
            stay &= ~rule.failed
        docs = docs.reject(dropping)
        # what is dropped left no bytes, so the texts that stay are already contiguous
        text = from_buffers(texts, np.append(offsets[:-1][stay], offsets[-1]))
        return docs.edit(text, {name: taken[stay] for name, taken in removed.items()})

    def _apply(self, docs: Docs) -> tuple[list[Rule], np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Rules; bytes and offsets of the texts that are left; bytes removed from each document per reason."""
        import numpy as np

        from pilebuilder.kernels import c4
        from pilebuilder.kernels.unicode import classes

        exempt = unspaced(docs, self, self.unspaced)
        condemn = [rule for rule in rule_names(C4) if self.action == "drop" and rule not in self.signal]
        switches = c4.switches(
            terminal_mark=bool(self.terminal_marks), ellipsis=self.ellipsis, citations=self.citations,
            javascript=self.javascript, policy=self.policy,
            lorem_ipsum=self.lorem_ipsum, curly_bracket=self.curly_bracket, condemn=condemn,
        )  # fmt: skip
        data, before = docs.buffers()
        texts, offsets, out = c4.c4(
            data, before, np.zeros(len(docs), bool) if exempt is None else exempt, classes(),
            min_sentences=self.min_sentences, min_words=self.words_per_line,
            max_word_length=-1 if self.word_length is None else self.word_length, switches=switches,
            marks=self.terminal_marks,
        )  # fmt: skip
        columns = dict(zip(c4.COLUMNS, out.T, strict=True))
        found = Verdicts(self, exempt)
        lorem, curly = columns["lorem_ipsum"] > 0, columns["curly_bracket"] > 0
        stopped = (lorem & ("lorem_ipsum" in condemn)) | (curly & ("curly_bracket" in condemn))
        few = (columns["sentences"] < self.min_sentences) & ~stopped
        found.add("lorem_ipsum", lorem)
        found.add("curly_bracket", curly)
        found.add("min_sentences", few, columns["sentences"], self.min_sentences, words=True)
        removed = {
            f"{self.name}.{name.removesuffix('_bytes')}": columns[name]
            for name in c4.COLUMNS
            if name.endswith("_bytes")
        }
        removed[f"{self.name}.white_space"] = np.diff(before) - np.diff(offsets) - sum(removed.values())
        return list(found), texts, offsets, removed
