"""Length: documents too short or too long, in characters, words or bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.filter.rules import RuleStep, Verdicts
from pilebuilder.registry import step


@step("length", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Length(RuleStep):
    """Drops documents that are too short or too long; without parameters, empty ones."""

    name: ClassVar[str] = "length"
    source: ClassVar[str] = "pilebuilder"

    min_chars: Annotated[int | None, Field(ge=0, description="characters (code points)")] = 1
    max_chars: Annotated[int | None, Field(ge=0, description="characters (code points)")] = None
    min_bytes: Annotated[int | None, Field(ge=0, description="bytes of UTF-8")] = None
    max_bytes: Annotated[int | None, Field(ge=0, description="bytes of UTF-8")] = None
    min_words: Annotated[int | None, Field(ge=0, description="words, symbols aside")] = None
    max_words: Annotated[int | None, Field(ge=0, description="words, symbols aside")] = None
    min_lines: Annotated[int | None, Field(ge=0, description="lines with more than white space")] = None

    def rules(self, docs: Docs) -> list[Rule]:
        stats, found = docs.stats(), Verdicts(self)
        if self.min_bytes is not None or self.max_bytes is not None:
            found.low("min_bytes", stats.bytes)
            found.high("max_bytes", stats.bytes)
        if self.min_chars is not None or self.max_chars is not None:
            found.low("min_chars", stats.chars)
            found.high("max_chars", stats.chars)
        if self.min_words is not None or self.max_words is not None:
            found.low("min_words", stats.words)
            found.high("max_words", stats.words)
        if self.min_lines is not None:
            found.low("min_lines", stats.filled_lines)
        return list(found)
