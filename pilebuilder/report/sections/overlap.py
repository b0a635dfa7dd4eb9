"""Overlap of training with the test split and with benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.overlap import TEST
from pilebuilder.report.stats import wilson
from pilebuilder.report.table import Column, Prose, Section, Table

TITLE = "Overlap with test split and benchmarks"


def overlap_table(facts: Facts, *, test: bool) -> Table | None:
    """By set: items found whole, items that share a 13-gram, the mean share of shared 13-grams."""
    rows: list[tuple[Cell, ...]] = []
    for held in facts.overlap:
        if held["set"].startswith(TEST) != test:
            continue
        name = held["set"].removeprefix(f"{TEST}: ")
        few = held["items"] < TOO_FEW_DOCUMENTS
        whole = (held["whole"], too_few(held["items"]) if few else held["whole"] / held["items"])
        examples = ", ".join(key[:12] for key in held["examples"])
        more = () if test else (held["several"], removal_of(facts, name))
        rows.append((name, held["items"], *whole, *_shared(held), *more, examples))
    if not rows:
        return None
    name = "component" if test else "benchmark"
    return Table(
        name="overlap-test" if test else "contamination",
        title="Test documents that occur in training" if test else "Benchmark items that occur in training",
        definition="A15" if test else "7.6",
        columns=(
            Column(key=name, title=name.capitalize(), kind="name"),
            Column(key="items", title="Items", kind="count"),
            Column(key="whole", title="Items", kind="count", group="Found whole"),
            Column(key="whole_share", title="Share", kind="share", group="Found whole"),
            Column(key="any", title="Items", kind="count", group="With a 13-gram in training"),
            Column(key="any_share", title="Share", kind="share", group="With a 13-gram in training"),
            Column(key="any_low", title="low", kind="share", group="With a 13-gram in training"),
            Column(key="any_high", title="high", kind="share", group="With a 13-gram in training"),
            Column(key="mean_share", title="Mean share", kind="share", group="With a 13-gram in training"),
            *(() if test else BENCHMARK_COLUMNS),
            Column(key="examples", title="Examples", kind="code"),
        ),
        rows=tuple(rows),
        note="Whole: the same text (test split), or all fields of the item in one document, lower case and white space"
        " aside (benchmarks). 13-grams over white-space words in lower case, of items that have as many."
        + (
            ""
            if test
            else " Elazar et al. 2024 count items of two fields or more; a single field occurs whole by chance more"
            " often the shorter it is."
        ),
        weighting="per item",
        sample="up to 20,000 test documents, drawn by the seed" if test else "all items",
        interval="95 %, Wilson",
    )


BENCHMARK_COLUMNS = (
    Column(key="several", title="Of two fields or more", kind="count"),
    Column(key="removed", title="Removed from training"),
)


def removal_of(facts: Facts, name: str) -> str:
    """Whether a decontaminate step of the build looked for the benchmark, and what it did."""
    found = {str(c["action"]) for c in facts.contamination if c.get("benchmark") == name}
    return ", ".join(sorted(found)) or "no step of the build looked for it"


def _shared(held: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Items with a 13-gram in training: number, share with its interval, mean share of their 13-grams."""
    n = held["long"]
    if not n:
        return (Gap("no item of 13 words or more"), None, None, None, None)
    if n < TOO_FEW_DOCUMENTS:
        return (held["any"], too_few(n), None, None, None)
    return (held["any"], held["any"] / n, *wilson(held["any"], n), held["shares"] / n)


def section(facts: Facts) -> Section:
    """Overlap."""
    if not facts.overlap:
        gap = Prose(text=f"{not_measured('there is no test split, and the recipe names no benchmark')}.", warning=True)
        return Section(name="overlap", title=TITLE, lead="", blocks=(gap,))
    tables = [t for t in (overlap_table(facts, test=True), overlap_table(facts, test=False)) if t]
    test = [h for h in facts.overlap if h["set"].startswith(TEST)]
    others = [h for h in facts.overlap if not h["set"].startswith(TEST)]
    copies = sum(h["whole"] for h in test)
    warnings = []
    if copies:
        text = f"{copies:,} test documents occur word for word in training."
        warnings.append(Prose(text=text, warning=True))
    for held in others:
        if held["whole"]:
            text = f"{held['whole']:,} of {held['items']:,} items of {held['set']} occur whole in training documents."
            warnings.append(Prose(text=text, warning=True))
    remark = Prose(text="The recipe names no benchmark: report.benchmarks lists files to look for.", remark=True)
    return Section(
        name="overlap",
        title=TITLE,
        lead=f"{sum(h['items'] for h in test):,} test documents and {sum(h['items'] for h in others):,} benchmark"
        " items were looked for in training.",
        blocks=(*warnings, *tables, *([] if others else [remark])),
    )
