"""Certificates: which evaluation sets were looked for before training, what was found, and what became of it."""

from __future__ import annotations

from pilebuilder.report.cells import Cell, many, not_measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Prose, Section, Table

TITLE = "Decontamination"
COUNTS = (
    ("items", "Items", "Evaluation set"),
    ("items_too_short", "Too short", "Evaluation set"),
    ("items_of_common_ngrams_only", "Only common n-grams", "Evaluation set"),
    ("items_found", "Items", "Found"),
    ("documents_found", "Documents", "Found"),
    ("documents_removed", "Removed", "Documents"),
    ("documents_cut", "Cut", "Documents"),
)


def certificate_table(facts: Facts) -> Table:
    """One row per evaluation set: items, finds, documents removed or cut, parameters, digests."""
    rows: list[tuple[Cell, ...]] = []
    for held in facts.contamination:
        parameters = ", ".join(f"{name} {value}" for name, value in held["parameters"].items())
        digests = ", ".join(f"{name} {digest}" for name, digest in sorted(held["files"].items()))
        counts = (held[key] for key, _, _ in COUNTS)
        rows.append((held["benchmark"], *counts, held["action"], parameters, ", ".join(held["components"]), digests))
    return Table(
        name="certificates",
        title="Certificates of decontamination",
        definition="7.6",
        columns=(
            Column(key="benchmark", title="Benchmark", kind="name"),
            *(Column(key=key, title=title, kind="count", group=group) for key, title, group in COUNTS),
            Column(key="action", title="Action"),
            Column(key="parameters", title="Parameters", kind="code"),
            Column(key="components", title="Components"),
            Column(key="files", title="SHA-256 of the files", kind="code"),
        ),
        rows=tuple(rows),
        note="An item is found in a document that shares enough of its word n-grams (lower case, marks aside); items"
        " with fewer words than an n-gram needs cannot be looked for, nor can those whose n-grams all occur in many"
        " items of their set. What was reworded is not found. Which documents: the ledger's rows of the step.",
        weighting="per item and per document",
        sample="all documents that reached the step",
    )


def section(facts: Facts) -> Section:
    """Decontamination."""
    if not facts.contamination:
        gap = Prose(text=f"{not_measured('the recipe has no decontaminate step')}.", warning=True)
        return Section(name="contamination", title=TITLE, lead="", blocks=(gap,))
    items = sum(held["items"] for held in facts.contamination)
    found = sum(held["items_found"] for held in facts.contamination)
    kept = [h["benchmark"] for h in facts.contamination if h["documents_found"] and h["action"] == "signal"]
    warnings = [
        Prose(text=f"Documents with items of {', '.join(kept)} were measured and stayed in training.", warning=True)
    ]
    return Section(
        name="contamination",
        title=TITLE,
        lead=f"{many(items, 'evaluation item')} of {many(len(facts.contamination), 'set')} were looked for before"
        " training;"
        f" {found:,} were found.",
        blocks=(*(warnings if kept else []), certificate_table(facts)),
    )
