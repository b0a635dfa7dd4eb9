"""The filter stage: steps that drop documents, each with a reason; fused with clean in one pass."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from pilebuilder import registry
from pilebuilder.steps import Spec, Steps, plan
from pilebuilder.task import Phases, View

DEFAULT: tuple[Spec, ...] = ("length",)


class FilterConfig(Steps):
    """Steps that drop documents, in order."""

    root: list[Spec] = Field(default_factory=lambda: list(DEFAULT))


@registry.stage("filter")
class Filter:
    """Drops documents, with a reason: language, length, quality, toxicity, address, contamination."""

    Config: ClassVar[type[BaseModel]] = FilterConfig

    def run(self, view: View) -> Phases:
        dedup = view.config("dedup")
        sketch = registry.part("stage", "dedup").factory.sketch(dedup) if dedup is not None else None
        yield plan(view, ("clean", "filter"), sketch)
