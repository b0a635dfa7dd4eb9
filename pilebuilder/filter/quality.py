"""Quality by a classifier of the user's: a fixed threshold, a percentile, or Pareto sampling as GPT-3 did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.document import Docs
from pilebuilder.errors import RecipeError
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np


@step("quality", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Scores documents with a trained classifier, adds the signal `quality`, and keeps the high (or low) ones."""

    model: Annotated[str, Field(min_length=1, description="folder of train-classifier, or a fastText file")]
    label: Annotated[str, Field(description="label whose probability is the score; default: the positive one")] = ""
    signal: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", description="name of the signal")] = "quality"
    threshold: Annotated[float | None, Field(ge=0, le=1, description="keep documents with at least this score")] = None
    percentile: Annotated[
        float | None,
        Field(gt=0, lt=100, description="keep what scores above this percentile of the classifier's negative texts"),
    ] = None
    pareto: Annotated[
        float | None,
        Field(gt=0, description="keep when a Pareto variate of this shape exceeds 1 - score; GPT-3 used 9"),
    ] = None
    keep: Annotated[
        Literal["high", "low"], Field(description="low: with a threshold, keep documents below it (a toxicity label)")
    ] = "high"
    seed: Annotated[int, Field(ge=0, description="pareto: another seed draws other documents")] = 0

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.threshold, self.percentile, self.pareto)) > 1:
            raise RecipeError("quality takes one of threshold, percentile and pareto (or none, for the signal alone)")

        if self.keep == "low" and self.threshold is None:
            raise RecipeError("quality, keep: low needs a threshold")

    def digests(self) -> dict[str, str]:
        """Digests of the files that the result depends on."""
        from pilebuilder.models.classifier import files_of
        from pilebuilder.task import digest_file

        model, metrics = files_of(self.model)
        if not model.is_file():
            raise RecipeError(f"no classifier at {self.model}: train one with `pilebuilder train-classifier`")
        return {p.name: digest_file(p)[0] for p in (model, metrics) if p is not None and p.is_file()}

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        from pilebuilder.models.classifier import open_classifier

        classifier = open_classifier(self.model, self.label)
        score = classifier.score(*docs.buffers())
        docs = docs.signal(self.signal, score)
        if self.pareto is not None:
            return docs.drop(self.draw(docs) <= 1 - score, f"{self.signal}.pareto", score)
        least = self.threshold
        if self.percentile is not None:
            least = classifier.percentile(self.percentile)
        if least is None:
            return docs
        if self.keep == "low":
            return docs.drop(score >= np.float32(least), f"{self.signal}.high", score, least)
        return docs.drop(score < np.float32(least), f"{self.signal}.low", score, least)

    def draw(self, docs: Docs) -> np.ndarray:
        """float64 [n]: a Lomax variate (NumPy's pareto) of each document, from its id and the seed alone."""
        import numpy as np
        import pyarrow as pa

        from pilebuilder.document import text_buffers
        from pilebuilder.kernels.fasttext import word_hashes

        ids = docs.column("id").cast(pa.large_string())
        keys = word_hashes(*text_buffers(ids))
        with np.errstate(over="ignore"):
            keys = keys + np.uint64(self.seed) * np.uint64(0x9E3779B97F4A7C15)
            keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's finaliser
            keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            keys ^= keys >> np.uint64(31)
        uniform = (keys >> np.uint64(11)).astype(np.float64) / 2.0**53
        assert self.pareto is not None
        return np.asarray((1.0 - uniform) ** (-1.0 / self.pareto) - 1.0)
