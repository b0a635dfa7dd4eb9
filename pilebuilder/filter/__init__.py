"""The filter stage and its steps: each drops documents, with a reason."""

from pilebuilder.filter import (
    c4,
    code,
    datatrove,
    decontaminate,
    dolma,
    fineweb,
    gopher,
    lang,
    length,
    lists,
    optout,
    quality,
    refinedweb,
    signals,
    stage,
    toxicity,
)  # fmt: skip

__all__ = [
    "c4", "code", "datatrove", "decontaminate", "dolma", "fineweb", "gopher", "lang", "length", "lists", "optout",
    "quality", "refinedweb", "signals", "stage", "toxicity",
]  # fmt: skip
