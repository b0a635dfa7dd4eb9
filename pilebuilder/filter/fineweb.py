"""FineWeb's own document rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.filter.rules import RuleStep, Unspaced, Verdicts, unspaced
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

Share = Annotated[float | None, Field(ge=0, le=1)]
SHORT_LINE = 30


@step("fineweb", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class FineWeb(RuleStep):
    """FineWeb's document rules: lines that end like sentences, short lines, repeated lines, lists."""

    name: ClassVar[str] = "fineweb"
    source: ClassVar[str] = "Penedo et al. 2024 (arXiv:2406.17557), 3.6; datatrove FineWebQualityFilter"
    fixed_rules: ClassVar[dict[str, str]] = {"empty": "no line with more than white space"}

    min_terminal_lines: Annotated[Share, Field(description="share of lines that end in a terminal mark")] = 0.12
    max_short_lines: Annotated[Share, Field(description="share of lines of at most `short_line` characters")] = 0.67
    max_dup_line_chars: Annotated[Share, Field(description="share of characters in lines that came before")] = 0.01
    max_newline_ratio: Annotated[float | None, Field(ge=0, description="newlines per word or symbol")] = 0.3
    short_line: Annotated[int, Field(ge=0, description="characters up to which a line is short")] = SHORT_LINE
    unspaced: Unspaced = "exempt"

    def rules(self, docs: Docs) -> list[Rule]:
        import numpy as np

        stats = docs.stats()
        found = Verdicts(self, unspaced(docs, self, self.unspaced))
        chars = np.maximum(stats.chars - stats.newlines, 1)
        found.add("empty", stats.filled_lines == 0)
        found.low("min_terminal_lines", stats.terminal_line_fraction)
        found.high("max_short_lines", self._short_lines(docs), words=True)
        found.high("max_dup_line_chars", stats.dup_line_chars / chars)
        found.high("max_newline_ratio", stats.newlines / np.maximum(stats.word_tokens, 1), words=True)
        return list(found)

    def _short_lines(self, docs: Docs) -> np.ndarray:
        import numpy as np

        stats = docs.stats()
        if self.short_line == SHORT_LINE:
            return stats.short_line_fraction  # type: ignore[no-any-return]
        from pilebuilder.kernels import short_lines

        limit = self.short_line
        counted = docs.measure(f"short lines {limit}", lambda docs: short_lines(*docs.buffers(), limit))
        return np.asarray(counted / np.maximum(stats.filled_lines, 1))
