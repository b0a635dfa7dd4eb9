"""The report stage: summaries of partitions and ledgers in parallel, merged by addition, then the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from pilebuilder.recipe import Size
from pilebuilder.registry import stage
from pilebuilder.task import Phases, View
from pilebuilder.yamlfile import Strict


class Sample(Strict):
    """How much of each component the costly measures look at."""

    documents: int = Field(20_000, ge=100, description="documents of each component, at most")
    text: Size = Field(32 << 20, ge=1 << 20, description="text of each component, at most")
    removal: int = Field(100_000, ge=100, description="documents of each component as read, for who was removed")


class Excluded(Strict):
    """A source that was considered and left out."""

    name: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class Benchmark(Strict):
    """An evaluation set to look for in the training documents."""

    name: str = Field(min_length=1)
    path: str = Field(description="JSON-lines file, one item a line; relative to the recipe")
    fields: list[str] = Field(min_length=1, description="fields of an item that are its inputs")


class Config(Strict):
    """What the report holds."""

    sample: Sample = Field(default_factory=Sample)
    terms: Literal["pile", "wimbd"] = Field("pile", description="which published lists of identity terms to use")
    topics: bool = Field(True, description="topic models; needs scikit-learn")
    toxicity: str = Field("toxicity", description="toxicity model by name or path, for the profanity measures")
    lexicon: str | None = Field(
        None, description="list of words and phrases in categories to count, text or CSV; relative to the recipe"
    )
    excluded: list[Excluded] = Field(default_factory=list, description="sources considered and left out, with reasons")
    answers: str | None = Field(None, description="YAML file with a person's answers to the datasheet's questions")
    benchmarks: list[Benchmark] = Field(default_factory=list, description="evaluation sets to look for in training")
    repository: str | None = Field(
        None, description="where the corpus is or will be published, as ORG/NAME on the Hub"
    )
    licence: str | None = Field(None, description="licence of the corpus as a whole, by its identifier on the Hub")
    web_component: str | None = Field(None, description="component that stands for the web in comparisons")
    precision: dict[str, float] = Field(
        default_factory=dict, description="share of true matches that a person found, by type of personal data"
    )


@stage("report", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tables, figures and pages that say what the corpus is, where it came from, and what left on the way."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """Profile partitions, read ledgers, draw samples; merge; measure the samples; write the pages."""
        from pilebuilder.report.plan import Plan

        yield from Plan(view, view.config("report")).run()
