"""The clean stage: steps that edit text, each with the bytes that it removed per reason."""

PARTS = {
    "characters": ("ftfy", "control-characters", "nfc"),
    "lines": ("dedup-lines", "dedup-paragraphs", "boilerplate"),
    "marks": ("citations", "repeated-punctuation"),
    "pii": ("pii",),
    "whitespace": ("whitespace",),
}
"""Names of the steps that each module registers when it is imported."""
