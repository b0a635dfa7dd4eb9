"""The most frequent n-grams, how many distinct ones there are, and what they say about extraction."""

from __future__ import annotations

from pilebuilder.report.cells import not_measured, shorten
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Prose, Section, Table

SHOWN, CENSUS = 20, 1_000
FAULT = 1e-5
"""A 10-gram with a letter above this share of all 10-grams points to boilerplate that extraction should remove."""
NAMES = {"1": "1", "2": "2", "3": "3", "10": "10", "13 plain": "13"}


def found(facts: Facts, name: str) -> list[tuple[str, int]]:
    """N-grams and counts, most frequent first."""
    held = facts.whole.labels(f"ngram {name}")
    return sorted(((text, keys[0]) for text, keys in held.items()), key=lambda kv: (-kv[1], kv[0]))


def top_table(facts: Facts, name: str) -> Table:
    total, missed = facts.whole.get("ngram.total", name), facts.whole.get("ngram.missed", name)
    n = NAMES[name]
    rows = found(facts, name)[: CENSUS if name == "13 plain" else SHOWN]
    words = (
        "white-space words in lower case" if name == "13 plain" else "Unicode words as written, punctuation included"
    )
    return Table(
        name=f"{n}-grams",
        title=f"Most frequent {n}-grams",
        definition="A15" if name == "13 plain" else "7.3",
        columns=(
            Column(key="rank", title="Rank", kind="count"),
            Column(key="ngram", title=f"{n}-gram", kind="code"),
            Column(key="count", title="Count", kind="count"),
            Column(key="per_million", title="Per million", kind="number"),
        ),
        rows=tuple(
            (i, shorten(text, 160), c, c / total * 1e6 if total else None) for i, (text, c) in enumerate(rows, 1)
        ),
        fold=SHOWN,
        note=f"Over {words}. Counts are exact where a partition lists the n-gram; one that a partition does not"
        " list may"
        f" occur there unseen, in all at most {missed:,} times.",
        weighting="per occurrence, distinct documents before epochs",
    )


def distinct_table(facts: Facts) -> Table:
    """N-grams, and the estimate of distinct ones."""
    from pilebuilder.kernels.frequent import REGISTERS, distinct

    rows = []
    for name, n in NAMES.items():
        total = facts.whole.get("ngram.total", name)
        estimate = distinct(facts.whole.levels(f"ngram.levels {name}", REGISTERS)) if total else 0.0
        rows.append(
            (f"{n}-grams", total, min(round(estimate), total), min(estimate, total) / total if total else None)
        )
    return Table(
        name="ngrams",
        title="N-grams and distinct n-grams",
        definition="7.3, A15",
        columns=(
            Column(key="size", title="Size", kind="name"),
            Column(key="total", title="Occurrences", kind="count"),
            Column(key="distinct", title="Distinct, about", kind="count"),
            Column(key="share", title="Distinct share", kind="share"),
        ),
        rows=tuple(rows),
        note="Distinct n-grams by HyperLogLog with 16,384 registers: a standard error of 0.8 %. 13-grams are over"
        " white-space words in lower case, the others over Unicode words (UAX #29), punctuation included.",
        weighting="per occurrence",
    )


def faults(facts: Facts) -> list[tuple[str, int]]:
    """10-grams with a letter that are too frequent."""
    total = facts.whole.get("ngram.total", "10")
    return [
        (t, n) for t, n in found(facts, "10") if total and n / total > FAULT and n > 1 and any(c.isalpha() for c in t)
    ]


def section(facts: Facts) -> Section:
    """N-grams."""
    if not facts.profiles or not facts.whole.get("ngram.total", "1"):
        gap = Prose(text=f"{not_measured('no document summaries in this build')}.", warning=True)
        return Section(name="ngrams", title="Frequent n-grams", lead="", blocks=(gap,))
    bad = faults(facts)
    warning = []
    if bad and facts.whole.get("ngram.total", "10") >= 1e6:
        examples = "; ".join(f"“{shorten(t, 70)}” ({n:,})" for t, n in bad[:5])
        text = f"{len(bad):,} 10-grams with a letter exceed 1 in 100,000, which points to boilerplate: {examples}."
        warning = [Prose(text=text, warning=True)]
    return Section(
        name="ngrams",
        title="Frequent n-grams",
        lead=f"{facts.whole.get('ngram.total', '1'):,} words by Unicode segmentation.",
        blocks=(*warning, distinct_table(facts), *(top_table(facts, name) for name in NAMES)),
    )
