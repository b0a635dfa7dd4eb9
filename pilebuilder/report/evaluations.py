"""Evaluations of models as the report reads them, and the arithmetic of bits per byte."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pilebuilder.report.cells import TOO_FEW_DOCUMENTS
from pilebuilder.report.facts import Facts

COVERED = 0.9
"""Share of the corpus, by effective size, that must have a value before the corpus gets one."""
Z = 1.959964
OVERALL = "overall"


def bits_per_byte(nats: float, size: int) -> float:
    """From the summed negative log-likelihood in nats and the UTF-8 bytes of the text."""
    return nats / (math.log(2) * size)


def from_perplexity(perplexity: float, tokens_per_byte: float) -> float:
    """Bits per byte from the perplexity per token, as the Pile paper converts them."""
    return math.log2(perplexity) * tokens_per_byte


def difficulty(reference: float, own: float, reference_web: float, own_web: float) -> float:
    """How much more a strong outside model finds a component hard than a model trained on it, web text as the zero."""
    return (reference - reference_web) - (own - own_web)


def weighted(values: Mapping[str, float], share: Mapping[str, float]) -> float:
    """The corpus value: components by effective size."""
    total = math.fsum(share[n] for n in values)
    return math.fsum(values[n] * share[n] for n in values) / total if total else 0.0


class Measured:
    """One evaluation, its rows of the protocol without overlap by component."""

    def __init__(self, held: Mapping[str, Any]) -> None:
        self.held = held
        self.name, self.split = str(held["name"]), str(held["split"])
        self.protocol = next(p for p in held["protocols"] if p["name"] == "segments")
        self.rows: dict[str, Mapping[str, Any]] = {s["component"]: s for s in self.protocol["scores"]}

    @property
    def kind(self) -> str:
        """``run`` or ``import``."""
        return str(self.held["subject"]["kind"])

    def enough(self, component: str) -> bool:
        """Whether the component has a value that may be shown."""
        return component in self.rows and self.rows[component]["documents"] >= TOO_FEW_DOCUMENTS

    def covered(self, share: Mapping[str, float]) -> float:
        """Share of the corpus in components that have a value."""
        return math.fsum(share[n] for n in share if self.enough(n))

    def whole(self, share: Mapping[str, float]) -> tuple[float, float | None] | None:
        """The corpus value by effective size and its standard error; None when too little of it has a value."""
        names = [n for n in share if self.enough(n) and share[n]]
        if not names or self.covered(share) < (COVERED - 1e-9) * math.fsum(share.values()):
            return None
        value = weighted({n: self.rows[n]["bits_per_byte"] for n in names}, share)
        errors = [self.rows[n]["standard_error"] for n in names]
        total = math.fsum(share[n] for n in names)
        if any(e is None for e in errors):
            return value, None
        pairs = zip(names, errors, strict=True)
        return value, math.sqrt(math.fsum((share[n] * e) ** 2 for n, e in pairs)) / total


def measured(facts: Facts) -> list[Measured]:
    """Evaluations of one split: test, or val when nothing was measured on test; imports last."""
    found = [Measured(e) for e in facts.evaluations if any(p["name"] == "segments" for p in e["protocols"])]
    split = "test" if any(m.split == "test" for m in found) else "val"
    return sorted((m for m in found if m.split == split), key=lambda m: (m.kind == "import", m.name))
