"""Language detectors behind one interface: the kernels' scorer, the fastText package, and two optional libraries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pilebuilder import models
from pilebuilder.errors import RecipeError
from pilebuilder.models import ft
from pilebuilder.models.fasttext_file import ModelFileError

if TYPE_CHECKING:  # the scorer loads its kernels, which planning a build does not need
    from pilebuilder.models.scorer import Scores

EXTRAS = {"cld3": ("gcld3", "cld3-py"), "eldc": ("eldc", "eldc")}
"""Detector name -> module and the distribution to install."""


class Detector(Protocol):
    """Says the language of texts that hold letters only."""

    labels: list[str]

    def best(self, data: np.ndarray, offsets: np.ndarray) -> Scores:
        """Best label of each text and its probability."""


class RowDetector:
    """A detector that takes one Python string at a time."""

    def __init__(self, detect: Callable[[str], tuple[str, float]]) -> None:
        self.detect = detect
        self.labels: list[str] = []
        self._numbers: dict[str, int] = {}

    def best(self, data: np.ndarray, offsets: np.ndarray) -> Scores:
        from pilebuilder.models.scorer import Scores

        raw = data.tobytes()
        label = np.full(len(offsets) - 1, -1, np.int32)
        probability = np.zeros(len(label), np.float32)
        for row in range(len(label)):
            name, score = self.detect(raw[offsets[row] : offsets[row + 1]].decode("utf-8").strip())
            if name:
                if name not in self._numbers:
                    self._numbers[name] = len(self.labels)
                    self.labels.append(name)
                label[row], probability[row] = self._numbers[name], score
        return Scores(label=label, probability=probability)


@functools.cache
def detector(model: str, engine: str = "kernels") -> Detector:
    """The detector of a model name or path, made once per process.

    A fastText file that the kernels cannot score (negative sampling) goes to the fastText package.
    """
    if model in EXTRAS:
        return _extra(model)
    if engine == "kernels":
        try:
            return models.load(model)
        except ModelFileError as error:
            if "negative-sampling" not in str(error):
                raise
    if model in models.CATALOGUE:
        models.check(models.model(model))
    held = ft.reference(models.locate(model))

    def detect(text: str) -> tuple[str, float]:
        answer = held.f.predict(text + "\n", 1, 0.0, "strict")
        return (answer[0][1].removeprefix("__label__"), min(1.0, answer[0][0])) if answer else ("", 0.0)

    return RowDetector(detect)


def _extra(model: str) -> Detector:
    module, distribution = EXTRAS[model]
    try:
        library = __import__(module)
    except ImportError as error:
        raise RecipeError(
            f"the {model} language detector is not installed; run: pip install {distribution}"
        ) from error
    if model == "cld3":
        identifier = library.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=1 << 16)

        def detect(text: str) -> tuple[str, float]:
            found = identifier.FindLanguage(text=text)
            return ("", 0.0) if found.language == "und" else (found.language, float(found.probability))

    else:
        library.init()

        def detect(text: str) -> tuple[str, float]:
            found = library.detect_details(text)
            return ("", 0.0) if found.language == "und" else (found.language, float(found.scores[found.language]))

    return RowDetector(detect)


def digest(model: str) -> str:
    """What enters a task key: the file's SHA-256, or the version of an optional library."""
    if model in EXTRAS:
        _, distribution = EXTRAS[model]
        detector(model)
        return f"{distribution} {version(distribution)}"
    return models.digest(model)
