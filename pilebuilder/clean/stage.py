"""The clean stage: steps that edit text."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from pilebuilder.registry import stage
from pilebuilder.steps import Spec, Steps, plan
from pilebuilder.task import Phases, View

DEFAULT: tuple[Spec, ...] = (
    "ftfy",
    "control-characters",
    "whitespace",
)


class CleanConfig(Steps):
    """Steps that edit text, in order."""

    root: list[Spec] = Field(default_factory=lambda: list(DEFAULT))


@stage("clean")
class Clean:
    """Edits text: mojibake, whitespace, control characters, boilerplate lines, personal data."""

    Config: ClassVar[type[BaseModel]] = CleanConfig

    def run(self, view: View) -> Phases:
        # A run that goes on to filter does both in one pass over the texts; only `pilebuilder clean` writes here.
        if view.target == "clean" or view.config("filter") is None:
            yield plan(view, ("clean",), None)
