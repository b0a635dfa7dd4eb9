"""Steps that edit marks inside lines: citations, repeated punctuation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.document import Docs, from_buffers
from pilebuilder.registry import step


@step("citations", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Citations:
    """Removes the marks that encyclopedias put into sentences: [12], [], [edit], [citation needed]."""

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels.edits import no_citations

        return docs.edit(from_buffers(*no_citations(*docs.buffers())), "citations")


@step("repeated-punctuation", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedPunctuation:
    """Shortens runs of one mark: "!!!!!!!!" to "!!!", rules of dashes to three. Not for code or Markdown tables."""

    max_run: Annotated[int, Field(ge=1, description="times that a mark may stand in a row")] = 3

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels.edits import short_runs

        return docs.edit(from_buffers(*short_runs(*docs.buffers(), self.max_run)), "repeated-punctuation")
