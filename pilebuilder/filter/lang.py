"""Language identification: a label with its score, never the best guess alone."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder import models
from pilebuilder.document import Docs, Rule
from pilebuilder.errors import RecipeError
from pilebuilder.models import languages
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

STANDARD, HIGH_RECALL = 0.65, 0.5
"""0.65 is FineWeb's threshold. Without any, lid.176 calls 10 % of paragraphs in other languages English; at 0.65 it is
0.4 %, at 0.5 0.6 % (Universal Declaration of Human Rights, 447 languages, paragraphs over 40 characters)."""
LONG, WINDOW, WINDOWS = 8192, 1024, 16
"""Bytes from which a document has a mixture; bytes of letters of one window; most windows of a document."""


def _pack() -> Path:
    """Thresholds measured for each language."""
    return models.model("lid.176").path.with_name("thresholds.json")


@step("lang", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Lang:
    """Keeps documents in the wanted languages; adds the signals `lang` and `lang_score`."""

    keep: Annotated[tuple[str, ...], Field(min_length=1, description="language codes to keep (ISO 639)")] = ("en",)
    thresholds: Annotated[
        Literal["standard", "high-recall", "per-language"],
        Field(description="least probability: 0.65; 0.5; or measured for each language (lid.176)"),
    ] = "standard"
    min_score: Annotated[
        float | None, Field(ge=0, le=1, description="least probability of the label, instead of the pack's")
    ] = None
    min_scores: Annotated[
        Mapping[str, Annotated[float, Field(ge=0, le=1)]],
        Field(description="least probability for single languages, before all else"),
    ] = field(default_factory=dict)
    action: Annotated[
        Literal["drop", "signal"], Field(description="drop what is not kept, or only add the signals")
    ] = "drop"
    mixture: Annotated[
        bool, Field(description="add lang_mixture and lang_share: the languages of documents of 8 KiB and more")
    ] = False
    model: Annotated[str, Field(description="lid.176, cld3, eldc, or a path to a fastText model")] = "lid.176"
    engine: Annotated[
        Literal["kernels", "fasttext"],
        Field(description="what scores a fastText model; fasttext: the package itself, slower, same labels"),
    ] = "kernels"
    sample_bytes: Annotated[
        int, Field(ge=256, le=1 << 20, description="bytes of letters of a document that the model sees")
    ] = 4096

    def __post_init__(self) -> None:
        languages.wanted(self.keep, self.model)
        languages.wanted(self.min_scores, self.model)
        if self.thresholds == "per-language" and self.model != "lid.176":
            raise RecipeError("thresholds: per-language is measured for lid.176; for another model give min_scores")

    def digests(self) -> dict[str, str]:
        """Digests of the files that the result depends on."""
        from pilebuilder.models import detectors

        found = {"model": detectors.digest(self.model)}
        if self.thresholds == "per-language":
            found["thresholds"] = hashlib.sha256(_pack().read_bytes()).hexdigest()
        return found

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np
        import pyarrow as pa

        data, offsets = docs.buffers()
        label, score, codes = self.identify(data, offsets)
        docs = docs.signal("lang", pa.array(codes).take(pa.array(label)))
        docs = docs.signal("lang_score", score)
        if self.mixture:
            shares, mixtures = self._mixtures(data, offsets, label, codes)
            docs = docs.signal("lang_share", pa.array(shares, mask=np.isnan(shares)))
            docs = docs.signal("lang_mixture", pa.array(mixtures, pa.string()))
        if self.action == "signal":
            return docs
        accepted, needed = languages.wanted(self.keep), self._needed(codes)[label]
        kept = np.array([code in accepted for code in codes])[label]
        nothing = label == len(codes) - 1
        return docs.reject(
            [
                Rule(reason="lang.no_letters", failed=nothing, value=score),
                Rule(reason="lang.other", failed=~kept, value=score),
                *(
                    Rule(
                        reason="lang.unsure",
                        failed=(score < needed) & (needed == least),
                        value=score,
                        threshold=round(float(least), 4),
                    )
                    for least in np.unique(needed[kept])
                ),
            ]
        )

    def identify(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Index into the codes (int64 [n]), its probability (float32 [n]), and the codes, of which the last is und."""
        import numpy as np

        from pilebuilder.kernels import lid
        from pilebuilder.models.detectors import detector

        found = detector(self.model, self.engine)
        sample, bounds = lid.letters(data, offsets, self.sample_bytes)
        scores = found.best(sample, bounds)
        codes = [*(languages.normal(name, self.model) for name in found.labels), languages.UNDETERMINED]
        nothing = (scores.label < 0) | (bounds[1:] == bounds[:-1])  # fastText would still score the end of the line
        label = np.where(nothing, len(codes) - 1, scores.label).astype(np.int64)
        return label, np.where(nothing, np.float32(0), scores.probability), codes

    def _needed(self, codes: list[str]) -> np.ndarray:
        """float32: least probability of each code."""
        import numpy as np

        usual = HIGH_RECALL if self.thresholds == "high-recall" else STANDARD
        usual = usual if self.min_score is None else self.min_score
        own: dict[str, float] = {}
        if self.thresholds == "per-language" and self.min_score is None:
            own = json.loads(_pack().read_text(encoding="utf-8"))["languages"]
        own |= {languages.normal(code): value for code, value in self.min_scores.items()}
        return np.array([own.get(code, usual) for code in codes], np.float32)

    def _mixtures(
        self, data: np.ndarray, offsets: np.ndarray, label: np.ndarray, codes: list[str]
    ) -> tuple[np.ndarray, list[str | None]]:
        """Of each long document: share of windows in its own language (NaN: short), and ``en 0.75, fr 0.25``.

        A window whose best label has less than half of the probability counts as ``und``.
        """
        import numpy as np

        from pilebuilder.kernels import lid
        from pilebuilder.models.detectors import detector

        shares = np.full(len(label), np.nan, np.float32)
        mixtures: list[str | None] = [None] * len(label)
        found = detector(self.model, self.engine)
        for row in np.flatnonzero(np.diff(offsets) >= LONG).tolist():
            sample, bounds = lid.letters(data, offsets[row : row + 2], WINDOW * WINDOWS, WINDOWS)
            if not bounds[1]:
                continue
            gaps = np.append(np.flatnonzero(sample == 32) + 1, bounds[1])
            inner = np.arange(WINDOW, max(WINDOW, int(bounds[1]) - WINDOW // 2), WINDOW)
            cuts = np.unique(np.concatenate([[0], gaps[np.searchsorted(gaps, inner)], [bounds[1]]]))
            scores = found.best(sample, cuts)
            names = [
                languages.normal(found.labels[number], self.model) if sure else languages.UNDETERMINED
                for number, sure in zip(scores.label, scores.probability >= HIGH_RECALL, strict=True)
            ]
            counts = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))
            mixtures[row] = ", ".join(f"{name} {count / len(names):.2f}" for name, count in counts)
            shares[row] = names.count(codes[label[row]]) / len(names)
        return shares, mixtures
