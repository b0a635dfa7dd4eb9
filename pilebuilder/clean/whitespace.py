"""White space: line breaks, trailing blanks, runs of blanks, empty lines, the ends of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.document import Docs, from_buffers
from pilebuilder.registry import step


@step("whitespace", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Whitespace:
    """Puts white space in order; indentation and tabs stay, so it suits code as well as prose."""

    line_breaks: Annotated[
        bool, Field(description="carriage returns, vertical tabs, form feeds, U+0085, U+2028, U+2029 become newlines")
    ] = True
    trailing: Annotated[bool, Field(description="blanks at the end of a line go")] = True
    blank_lines: Annotated[int | None, Field(ge=0, description="most empty lines in a row; null: any number")] = 2
    ends: Annotated[bool, Field(description="empty lines at the front and all white space at the end go")] = True
    runs: Annotated[bool, Field(description="several blanks within a line become the first of them")] = False
    plain: Annotated[bool, Field(description="no-break and other Unicode spaces become a space; tabs stay")] = False

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels import edits

        switches = (
            (self.line_breaks, edits.LINE_BREAKS), (self.trailing, edits.TRAILING), (self.runs, edits.RUNS),
            (self.blank_lines is not None, edits.BLANK_LINES), (self.ends, edits.ENDS), (self.plain, edits.PLAIN),
        )  # fmt: skip
        data, offsets, removed = edits.space(
            *docs.buffers(), sum(flag for on, flag in switches if on), self.blank_lines or 0
        )
        reasons = {f"whitespace.{reason}": removed[:, k] for k, reason in enumerate(edits.SPACE_REASONS)}
        return docs.edit(from_buffers(data, offsets), reasons)
