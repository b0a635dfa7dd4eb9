"""The filter stage and its steps: each drops documents, with a reason."""

PARTS = {
    "c4": ("c4",),
    "code": ("code", "tables"),
    "datatrove": ("datatrove",),
    "decontaminate": ("decontaminate",),
    "dolma": ("dolma-gopher", "dolma-c4"),
    "fineweb": ("fineweb",),
    "gopher": ("gopher-quality", "gopher-repetition"),
    "lang": ("lang",),
    "length": ("length",),
    "lists": ("url-blocklist", "badwords"),
    "optout": ("optout",),
    "quality": ("quality",),
    "refinedweb": ("refinedweb-lines",),
    "signals": ("text-signals", "signal-range", "redpajama-signals"),
    "toxicity": ("toxicity",),
}
"""Names of the steps that each module registers when it is imported."""
