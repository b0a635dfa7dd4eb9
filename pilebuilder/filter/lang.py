"""Language identification: a label with its score, never the best guess alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder import models
from pilebuilder.document import Docs, Rule
from pilebuilder.models import languages
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

STANDARD = 0.65
"""FineWeb's threshold. Without any, lid.176 calls 11 % of paragraphs in languages it does not know English; at 0.65
0.4 % (Universal Declaration of Human Rights, 442 languages, paragraphs over 40 characters)."""


@step("lang", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Lang:
    """Keeps documents in the wanted languages; adds the signals `lang` and `lang_score`."""

    keep: Annotated[tuple[str, ...], Field(min_length=1, description="language codes to keep (ISO 639)")] = ("en",)
    min_score: Annotated[float, Field(ge=0, le=1, description="least probability of the label; 0.5: high recall")] = (
        STANDARD
    )
    min_scores: Annotated[
        Mapping[str, Annotated[float, Field(ge=0, le=1)]],
        Field(description="least probability for single languages, instead of min_score"),
    ] = field(default_factory=dict)
    action: Annotated[
        Literal["drop", "signal"], Field(description="drop what is not kept, or only add the signals")
    ] = "drop"
    model: Annotated[str, Field(description="lid.176, or a path to a fastText .bin or .ftz file")] = "lid.176"
    sample_bytes: Annotated[
        int, Field(ge=256, le=1 << 20, description="bytes of letters of a document that the model sees")
    ] = 4096

    def __post_init__(self) -> None:
        languages.wanted(self.keep, self.model)
        languages.wanted(self.min_scores, self.model)

    def digests(self) -> dict[str, str]:
        """Digests of the files that the result depends on."""
        return {"model": models.digest(self.model)}

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np
        import pyarrow as pa

        label, score, names = self.identify(*docs.buffers())
        codes = [languages.normal(name, self.model) for name in names] + [languages.UNDETERMINED]
        docs = docs.signal("lang", pa.array(codes).take(pa.array(np.where(label < 0, len(names), label))))
        docs = docs.signal("lang_score", score)
        if self.action == "signal":
            return docs
        accepted = languages.wanted(self.keep)
        least = {languages.normal(code): value for code, value in self.min_scores.items()}
        in_keep = np.array([code in accepted for code in codes])[label]
        needed = np.array([least.get(code, self.min_score) for code in codes], np.float32)[label]
        return docs.reject(
            [
                Rule(reason="lang.no_letters", failed=label < 0, value=score),
                Rule(reason="lang.other", failed=~in_keep, value=score),
                Rule(reason="lang.unsure", failed=score < needed, value=score, threshold=self.min_score),
            ]
        )

    def identify(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Label number (int32 [n], -1: no letters), its probability (float32 [n]) and the labels' names."""
        from pilebuilder.kernels import lid

        scorer = models.load(self.model)
        sample, bounds = lid.letters(data, offsets, self.sample_bytes)
        scores = scorer.best(sample, bounds)
        empty = bounds[1:] == bounds[:-1]  # fastText would still score the end-of-line token
        scores.label[empty], scores.probability[empty] = -1, 0.0
        return scores.label, scores.probability, scorer.labels
