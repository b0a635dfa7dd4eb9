"""Toxicity and profanity as signals of every English document, and a drop far above the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder import models
from pilebuilder.document import SIGNAL, Docs, Rule
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np


@step("toxicity", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicityFilter:
    """Adds the signals `toxicity`, `toxic_sentences` and `profanity`; drops documents that are toxic throughout."""

    max_toxicity: Annotated[
        float, Field(gt=0, le=1, description="drop a document whose sentences have at least this mean probability")
    ] = 0.5
    max_toxic_sentences: Annotated[
        float | None, Field(gt=0, le=1, description="drop above this share of toxic sentences; null: never")
    ] = None
    max_profanity: Annotated[
        float | None, Field(gt=0, le=1, description="drop above this share of profane words; null: never")
    ] = None
    sentence_threshold: Annotated[
        float, Field(gt=0, lt=1, description="probability from which on a sentence counts as toxic")
    ] = 0.96
    action: Annotated[Literal["drop", "signal"], Field(description="drop, or only add the signals")] = "drop"
    language: Annotated[
        str | None,
        Field(description="measure only documents that the lang step gave this language; null: all documents"),
    ] = "en"
    model: Annotated[str, Field(description="toxicity, or a path to a model with the labels toxic and clean")] = (
        "toxicity"
    )

    def digests(self) -> dict[str, str]:
        """Digests of the files that the result depends on."""
        return {"model": models.digest(self.model)}

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np
        import pyarrow as pa

        from pilebuilder.models.toxicity.scoring import toxicity_model

        found = toxicity_model(self.model).measure(*docs.buffers(), self.sentence_threshold)
        measured = self._applies(docs) & (found.sentences > 0)
        values = {"toxicity": found.mean, "toxic_sentences": found.share, "profanity": found.profanity}
        for name, value in values.items():
            docs = docs.signal(name, pa.array(value, mask=~measured))
        if self.action == "signal":
            return docs
        limits = {
            "toxicity": self.max_toxicity,
            "toxic_sentences": self.max_toxic_sentences,
            "profanity": self.max_profanity,
        }
        return docs.reject(
            [
                Rule(
                    reason=f"toxicity.{name}",
                    failed=measured & (values[name] >= np.float32(limit)),
                    value=values[name],
                    threshold=limit,
                )
                for name, limit in limits.items()
                if limit is not None
            ]
        )

    def _applies(self, docs: Docs) -> np.ndarray:
        """bool [n]: documents in the model's language, as far as a step before has told."""
        import numpy as np
        import pyarrow.compute as pc

        if self.language is None or SIGNAL + "lang" not in docs.table.column_names:
            return np.ones(len(docs), bool)
        same: Any = pc.equal(docs.column(SIGNAL + "lang"), self.language).fill_null(False)
        return np.asarray(same)
