"""The recipe's `mix:` section."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pilebuilder.mix.weights import By, Policy
from pilebuilder.recipe import Size
from pilebuilder.units import parse_size
from pilebuilder.yamlfile import Strict


class Holdout(Strict):
    """How much to hold out, as ``0.5%``, ``20 MB`` or ``{share: 0.005, least: 10}``."""

    share: float | None = Field(None, ge=0, le=0.5, description="share of the documents of every component")
    size: Size | None = Field(None, ge=0, description="bytes of text, spread evenly over the components")
    least: int = Field(
        0, ge=0, le=1000, description="documents of each component at least; never more than a quarter of it"
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        text = str(value).strip()
        if text.endswith("%"):
            return {"share": float(text[:-1]) / 100}
        if isinstance(value, float) or text in ("0", "0.0"):
            return {"share": float(value)}
        return {"size": parse_size(text)}

    @property
    def wanted(self) -> bool:
        """Whether anything is to be held out."""
        return bool(self.share or self.size or self.least)

    @model_validator(mode="after")
    def _one(self) -> Holdout:
        if self.share is not None and self.size is not None:
            raise ValueError("give a share or a size, not both")
        return self


Written = Annotated[Holdout, WithJsonSchema({"type": ["number", "string", "object"]})]
"""A holdout as an editor's schema check must accept it: a share, an amount in words, or its fields."""


def _share(value: Any) -> Any:
    """A weight as a number or as ``12.5%``."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


Weight = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1e6), WithJsonSchema({"type": ["number", "string"]})]


class Config(Strict):
    """Weights, holdout and order of the corpus."""

    by: By = Field(
        "epochs",
        description="what `weights` are: epochs of each component, target shares of the text, or temperature"
        " (shares in proportion to size^(1/temperature))",
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict,
        description="epochs or shares by component; by epochs, a component without one keeps its card's",
    )
    temperature: float = Field(1.0, ge=1, le=100, description="1 keeps natural shares, larger values even them out")
    budget: Size | None = Field(None, ge=1, description="bytes of training text in all; scales every component alike")
    tokens: int | None = Field(
        None,
        ge=1,
        description="training tokens in all, in place of `budget`; shares are then of tokens, counted on a sample"
        " with the recipe's tokenizer",
    )
    max_epochs: float = Field(4.0, gt=0, le=1000, description="most repetitions that shares or a budget may cause")
    policy: Policy = Field("refuse", description="a weight that cannot be met stops the build, or is capped")
    duplicates: dict[int, Weight] = Field(
        default_factory=dict,
        description="factor on the epochs of a document by the size of its cluster of duplicates, from that size on:"
        " {2: 2, 5: 3, 100: 1}",
    )
    val: Written = Field(Holdout(share=0.005), description="validation split")
    test: Written = Field(Holdout(share=0.005), description="test split")
    near_heldout: float | None = Field(
        0.7,
        ge=0.3,
        le=1,
        description="training documents this similar to a held-out one leave (Jaccard of word 5-grams, estimated);"
        " null: only those with equal text",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if self.by == "share" and not self.weights:
            raise ValueError("by: share needs `weights`, the target share of each component")
        if self.by == "temperature" and self.weights:
            raise ValueError("by: temperature computes the shares; remove `weights`")
        if self.budget is not None and self.tokens is not None:
            raise ValueError("give a budget in bytes or in tokens, not both")
        if min(self.duplicates, default=1) < 1:
            raise ValueError("duplicates: cluster sizes are 1 or more")
        return self

    @property
    def weighed(self) -> bool:
        """Whether the epochs depend on how much text each component has."""
        return self.by != "epochs" or self.budget is not None or self.tokens is not None
