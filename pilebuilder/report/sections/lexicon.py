"""Words and phrases of a list in categories: how often each category is mentioned (the Pile paper's section 6.3, with
the three categories of "What's in my big data", Elazar et al. 2024)."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, TOO_FEW_SENTENCES, Cell, many, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.stats import interval, ratios, wilson
from pilebuilder.report.table import Block, Column, Prose, Table

PUBLISHED = {
    "offensive-minority-reference": 1.59e-5,
    "offensive-not-minority": 2.96e-4,
    "harmless-minority": 8.32e-4,
}
"""Mentions per token of the whole Pile, all languages (Elazar et al. 2024, the list of 403 entries)."""
PER = 1_000_000
TOKENS, SENTENCES, FLAGGED, MENTIONS = 0, 1, 2, 3
"""Columns of sums and replicates; from `MENTIONS` on one a category."""


def of(facts: Facts, name: str) -> dict[str, Any] | None:
    """What the list found in a component's sample."""
    held: dict[str, Any] | None = facts.bias.get(name, {}).get("lexicon")
    return held


def rate(held: dict[str, Any], hits: int, base: int) -> tuple[float, float, float] | None:
    """A rate with its bootstrap interval, Wilson's where nothing was found; None with too few sentences."""
    sums = held["sums"]
    if sums[SENTENCES] < TOO_FEW_SENTENCES or not sums[base]:
        return None
    if not sums[hits]:
        return 0.0, *wilson(0, sums[base])
    value = sums[hits] / sums[base]
    return value, *(interval(ratios(held["replicates"][hits], held["replicates"][base])) or (value, value))


def whole(facts: Facts, hits: int, base: int) -> float | None:
    """The rate of the corpus: components with enough sentences, by effective size."""
    share = weights(parts_of(facts))
    found = [(share[n], r[0]) for n in facts.names if (held := of(facts, n)) and (r := rate(held, hits, base))]
    total = sum(w for w, _ in found)
    return sum(w * r for w, r in found) / total if total else None


def mention_table(facts: Facts, categories: list[str], entries: list[int]) -> Table:
    """Mentions of each category by component, per million tokens."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = of(facts, name)
        found = [rate(held, MENTIONS + i, TOKENS) for i in range(len(categories))] if held else []
        rates = [r for r in found if r is not None]
        if held is None or len(rates) < len(categories):
            n = held["sums"][SENTENCES] if held else 0
            rows.append((name, None, too_few(n), *[None] * (4 * len(categories) - 1)))
            continue
        sums = held["sums"][MENTIONS:]
        cells = [cell for n, r in zip(sums, rates, strict=True) for cell in (n, *(v * PER for v in r))]
        rows.append((name, held["sums"][TOKENS], *cells))
    corpus: list[Cell] = []
    for i in range(len(categories)):
        mean = whole(facts, MENTIONS + i, TOKENS)
        corpus += [None, None if mean is None else mean * PER, None, None]
    totals: list[tuple[Cell, ...]] = [("Whole corpus", None, *corpus)]
    if set(categories) <= PUBLISHED.keys():
        beside = [cell for c in categories for cell in (None, PUBLISHED[c] * PER, None, None)]
        totals.append(("The Pile, published", None, *beside))
    columns = [
        Column(key="component", title="Component", kind="name"),
        Column(key="tokens", title="Tokens", kind="count"),
    ]
    for name, n in zip(categories, entries, strict=True):
        group = f"{name} ({many(n, 'entry').replace('entrys', 'entries')})"
        columns += [
            Column(key=f"{name}: mentions", title="Mentions", kind="count", group=group),
            Column(key=f"{name}: per_million", title="Rate", kind="number", digits=1, unit="per million", group=group),
            Column(key=f"{name}: low", title="low", kind="number", digits=1, group=group),
            Column(key=f"{name}: high", title="high", kind="number", digits=1, group=group),
        ]
    return Table(
        name="lexicon",
        title="Mentions of the list's entries by component",
        definition="A6",
        columns=tuple(columns),
        rows=tuple(rows),
        totals=tuple(totals),
        note="English sentences only; an entry matches whole tokens (UAX #29) in lower case, a phrase in a row. The"
        " published figures are of all text in the Pile, by their own list and matching.",
        weighting="per token; the whole corpus by effective bytes",
        sample="uniform by document within component",
        interval="95 %, bootstrap over documents, 1,000 resamples; Wilson where nothing was found",
    )


def flag_table(facts: Facts) -> Table:
    """Sentences and documents with an entry of a category that flags."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = of(facts, name)
        found = rate(held, FLAGGED, SENTENCES) if held else None
        if held is None or found is None:
            rows.append((name, None, too_few(held["sums"][SENTENCES] if held else 0), *[None] * 6))
            continue
        n, hits = held["documents"], held["flagged_documents"]
        documents: tuple[Cell, ...] = (n, too_few(n), None, None)
        if n >= TOO_FEW_DOCUMENTS:
            documents = (n, hits / n, *wilson(hits, n))
        rows.append((name, held["sums"][SENTENCES], *found, *documents))
    return Table(
        name="lexicon-flagged",
        title="Sentences and documents with an entry that is not harmless",
        definition="A6",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="sentences", title="n", kind="count", group="English sentences"),
            Column(key="flagged_sentences", title="With one", kind="share", digits=3, group="English sentences"),
            Column(key="flagged_sentences_low", title="low", kind="share", digits=3, group="English sentences"),
            Column(key="flagged_sentences_high", title="high", kind="share", digits=3, group="English sentences"),
            Column(key="documents", title="n", kind="count", group="Documents with an English sentence"),
            Column(
                key="flagged_documents", title="With one", kind="share", group="Documents with an English sentence"
            ),
            Column(key="flagged_documents_low", title="low", kind="share", group="Documents with an English sentence"),
            Column(
                key="flagged_documents_high", title="high", kind="share", group="Documents with an English sentence"
            ),
        ),
        rows=tuple(rows),
        totals=(("Whole corpus", None, whole(facts, FLAGGED, SENTENCES), *[None] * 6),),
        note="Categories whose name begins with harmless or neutral flag nothing.",
        weighting="per sentence and per document; the whole corpus by effective bytes",
        sample="uniform by document within component",
        interval="95 %, bootstrap over documents, 1,000 resamples; Wilson for documents, and where nothing was found",
    )


def frequent_table(facts: Facts) -> Table | None:
    """The most frequent entries; those that flag are masked."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = of(facts, name)
        rows += [(name, category, word, n) for category, word, n in (held["frequent"] if held else ())]
    if not rows:
        return None
    return Table(
        name="lexicon-entries",
        title="Most frequent entries of the list",
        definition="A6",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="category", title="Category"),
            Column(key="entry", title="Entry", kind="code"),
            Column(key="mentions", title="Mentions", kind="count"),
        ),
        rows=tuple(rows),
        fold=12,
        note="Entries of a category that flags are shown by first letter and length only.",
        sample="the sample's English sentences",
    )


def blocks(facts: Facts) -> list[Block]:
    """What the page of profanity shows of the list; a gap when the recipe names none."""
    found = next((held for n in facts.names if (held := of(facts, n))), None)
    if found is None:
        reason = "the recipe names no list (report: lexicon)" if facts.bias else "no sample was drawn"
        return [Prose(text=f"Mentions by category of a list of words: {not_measured(reason)}.")]
    name = PurePath(facts.config.get("lexicon") or "").name
    said = Prose(text=f"Below, the list {name}: {sum(found['entries']):,} entries." if name else "")
    frequent = frequent_table(facts)
    return [
        *([said] if name else []),
        mention_table(facts, found["categories"], found["entries"]),
        flag_table(facts),
        *([frequent] if frequent else []),
    ]
