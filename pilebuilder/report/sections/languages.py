"""Which languages the corpus holds, by documents and by bytes, per component."""

from __future__ import annotations

from typing import Literal, cast

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, Kind, many, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.stats import wilson
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

LARGEST = 8
UNDETERMINED = "und"
CAUTION = (
    "Language is a model's guess for the whole document. Labels of languages with few documents are often wrong:"
    " a low mean score points to misidentified text, such as code, tables or mixed languages."
)


def counts(facts: Facts, unit: str) -> dict[str, dict[str, int]]:
    """Documents or bytes (`unit`) by component and label, for components that were measured."""
    found = {}
    for name in facts.names:
        if name in facts.profiles and not facts.profiles[name].get("language.unmeasured"):
            labels = facts.profiles[name].labels(f"language.{unit}")
            found[name] = {label: keys[0] for label, keys in labels.items() if keys.get(0)}
    return found


def order(by_component: dict[str, dict[str, int]]) -> list[str]:
    """Labels, most documents first."""
    sums: dict[str, int] = {}
    for labels in by_component.values():
        for label, n in labels.items():
            sums[label] = sums.get(label, 0) + n
    return sorted(sums, key=lambda label: (-sums[label], label))


def language_table(facts: Facts) -> Table:
    """Languages of the whole corpus: documents, bytes, mean score."""
    documents, size = counts(facts, "documents"), counts(facts, "bytes")
    n, b = (sum(sum(c.values()) for c in table.values()) for table in (documents, size))
    scored = any(facts.profiles[name].labels("language.score") for name in documents)
    rows: list[tuple[Cell, ...]] = []
    for label in order(documents):
        here = sum(c.get(label, 0) for c in documents.values())
        free = sum(facts.profiles[name].get("language.any", label) for name in documents)
        bytes_here = sum(c.get(label, 0) for c in size.values())
        mean: Cell = too_few(free)
        if not scored:
            mean = not_measured("no score recorded")
        elif free >= TOO_FEW_DOCUMENTS:
            mean = sum(facts.profiles[name].get("language.score", label) for name in documents) / 1000 / free
        shares = (here / n, bytes_here / b if b else None) if n >= TOO_FEW_DOCUMENTS else (too_few(n), None)
        rows.append((label, here, *shares, free, mean))
    short = sum(facts.profiles[name].get("language.short") for name in documents)
    return Table(
        name="languages",
        title="Languages of the corpus",
        definition="A4",
        columns=(
            Column(key="language", title="Language", kind="name"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share_of_documents", title="Of documents", kind="share"),
            Column(key="share_of_bytes", title="Of bytes", kind="share"),
            Column(key="documents_any_score", title="At any score", kind="count"),
            Column(key="mean_score", title="Mean score", kind="number", digits=3),
        ),
        rows=tuple(rows),
        fold=15,
        note="ISO 639 codes; und is a document without letters, or one whose score is below 0.5."
        f" {short:,} documents of fewer than 20 characters are left out. {CAUTION}",
        weighting="per document, and per byte (raw)",
    )


UNITS = {
    "documents": ("", "Documents", "count", "per document"),
    "bytes": ("-bytes", "Text", "bytes", "per byte (raw)"),
}
"""Ending of the table's name, heading and kind of its sum, weighting."""


def by_component_table(facts: Facts, unit: Literal["documents", "bytes"] = "documents") -> Table:
    """Share of documents (or bytes) by component and language: the eight largest languages and the rest."""
    documents, sizes = counts(facts, "documents"), counts(facts, unit)
    ending, title, kind, weighting = UNITS[unit]
    largest = order(documents)[:LARGEST]
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        labels = sizes.get(name)
        n = sum(documents[name].values()) if labels else 0
        if labels is None:
            ran = facts.documents(name)
            gap = not_measured("no language step ran for this component") if ran else Gap("no documents")
            rows.append((name, None, gap, *[None] * len(largest)))
        elif n < TOO_FEW_DOCUMENTS:
            rows.append((name, sum(labels.values()), too_few(n), *[None] * len(largest)))
        else:
            total = sum(labels.values()) or 1
            shares = [labels.get(label, 0) / total for label in largest]
            rest = total - sum(labels.get(label, 0) for label in largest)
            rows.append((name, total, *shares, rest / total))
    return Table(
        name=f"languages-by-component{ending}",
        title="Languages by component" + (", by text" if unit == "bytes" else ""),
        definition="A4",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key=unit, title=title, kind=cast(Kind, kind)),
            *(Column(key=label, title=label, kind="share") for label in largest),
            Column(key="other", title="other", kind="share"),
        ),
        rows=tuple(rows),
        note=f"Shares of {unit}; documents of fewer than 20 characters are left out.",
        weighting=weighting,
    )


def language_figure(facts: Facts, *, main: str | None) -> Figure | None:
    """Stacked shares by component; with `main` only the part in other languages, which one colour would hide."""
    documents = {name: c for name, c in counts(facts, "documents").items() if sum(c.values()) >= TOO_FEW_DOCUMENTS}
    labels = [label for label in order(documents) if label != main]
    largest = labels[:LARGEST]
    shown = [*largest, f"other ({len(labels) - len(largest)})"] if len(labels) > len(largest) else largest
    rows = []
    for name, held in documents.items():
        n = sum(held.values())
        values = [held.get(label, 0) / n for label in largest]
        if len(shown) > len(largest):
            values.append(sum(held.get(label, 0) for label in labels[LARGEST:]) / n)
        rows.append((name, values))
    if not rows or not shown:
        return None
    rows.sort(key=lambda r: (-sum(r[1]), r[0]))
    # A language keeps its colour in both figures.
    every = order(documents)
    classes = ["c0" if label.startswith("other (") else colour(every.index(label) % 9) for label in shown]
    title = "Languages by component" if main is None else f"The part that is not {main}"

    def draw(width: int) -> str:
        return charts.stacked_shares(width, rows, shown, label=title, title="share of documents", classes=classes)

    top = rows[0]
    return Figure(
        name="languages" if main is None else "languages-other",
        title=title,
        subtitle="Share of documents; components with at least 30 measured documents."
        + ("" if main is None else " The axis ends at the largest bar."),
        draw=draw,
        table="languages-by-component",
        alt=f"{many(len(rows), 'component')}; "
        + (f"the largest language is {every[0]}." if main is None else f"most in {top[0]}, {sum(top[1]):.1%}."),
    )


def agreement_table(facts: Facts) -> Table | Prose:
    """How often a second identifier names the same language, by component."""
    if not facts.agreement:
        reason = not_measured("no second identifier is installed (pip install 'pilebuilder[languages]')")
        return Prose(text=f"Agreement with a second identifier: {reason}.", remark=True)
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names or facts.agreement:
        held = facts.agreement.get(name)
        if held is None:
            continue
        n = held["answered"]
        shares: tuple[Cell, ...] = (too_few(n), None, None)
        if n >= TOO_FEW_DOCUMENTS:
            shares = (held["agreed"] / n, *wilson(held["agreed"], n))
        pairs = ", ".join(f"{first} but {other}: {k:,}" for first, other, k in held["pairs"])
        rows.append((name, held["asked"], n, *shares, pairs or "none"))
    return Table(
        name="language-agreement",
        title="Agreement with a second identifier",
        definition="A4",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="asked", title="Asked", kind="count"),
            Column(key="answered", title="Answered", kind="count"),
            Column(key="agreed", title="Agreed", kind="share", group="Of those answered"),
            Column(key="agreed_low", title="low", kind="share", group="Of those answered"),
            Column(key="agreed_high", title="high", kind="share", group="Of those answered"),
            Column(key="differences", title="Most frequent differences (first, second)"),
        ),
        rows=tuple(rows),
        note="Asked: documents of the sample with a language and at least 20 characters. Answered: CLD2 says that"
        " it is sure. It sees the first 16,384 characters of a document.",
        weighting="per document",
        sample="uniform by document within component, at most 2,000",
        interval="95 %, Wilson",
    )


def section(facts: Facts) -> Section:
    """Languages."""
    documents = counts(facts, "documents")
    if not any(documents.values()):
        reason = not_measured("no step of this recipe identifies the language")
        return Section(name="languages", title="Languages", lead="", blocks=(Prose(text=f"{reason}.", warning=True),))
    first = order(documents)[0]
    total = sum(sum(c.values()) for c in documents.values())
    if total < TOO_FEW_DOCUMENTS:
        lead = f"{total:,} documents were measured: too few for shares."
    else:
        share = sum(c.get(first, 0) for c in documents.values()) / total
        lead = f"{share:.1%} of {total:,} measured documents are in one language ({first})."
    figures = [f for f in (language_figure(facts, main=None), language_figure(facts, main=first)) if f]
    return Section(
        name="languages",
        title="Languages",
        lead=lead,
        blocks=(
            *figures,
            language_table(facts),
            by_component_table(facts),
            by_component_table(facts, "bytes"),
            agreement_table(facts),
        ),
    )
