"""Which hosts and domains the documents come from, and how concentrated they are."""

from __future__ import annotations

from typing import Any

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, many, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.stats import entropy, gini
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

TOP, DRAWN = 100, 20
LEVELS = {"domain": "registered domains", "host": "hosts", "suffix": "public suffixes", "scheme": "schemes"}


def rows_of(table: Any, level: str) -> list[tuple[str, int, int, int]]:
    """Name, documents, bytes, words of one level; most documents first."""
    import pyarrow.compute as pc

    held = table.filter(pc.equal(table.column("level"), level))
    columns = [held.column(c).to_pylist() for c in ("name", "documents", "bytes", "words")]
    return sorted(zip(*columns, strict=True), key=lambda r: (-r[1], r[0]))


def whole(facts: Facts) -> Any:
    """All components' tables added up."""
    from pilebuilder.report.measures.domains import add_up

    return add_up(list(facts.domains.values()))


def _share(part: int, whole: int) -> tuple[Cell]:
    return (part / whole if whole else None,)


def top_table(facts: Facts, total: Any, level: str) -> Table:
    """The most frequent names of a level, with their shares of documents and words."""
    rows = rows_of(total, level)
    documents, size, words = sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows)
    return Table(
        name=f"web-{level}s",
        title=f"Most frequent {LEVELS[level]}",
        definition="7.2",
        columns=(
            Column(key=level, title=level.capitalize(), kind="name"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share_of_documents", title="Of documents", kind="share"),
            Column(key="bytes", title="Text", kind="bytes"),
            Column(key="share_of_bytes", title="Of text", kind="share"),
            Column(key="words", title="Words", kind="count"),
            Column(key="share_of_words", title="Of words", kind="share"),
        ),
        rows=tuple(
            (name or "none", n, *_share(n, documents), b, *_share(b, size), w, *_share(w, words))
            if documents >= TOO_FEW_DOCUMENTS
            else (name or "none", n, None, b, None, w, None)
            for name, n, b, w in rows[:TOP]
        ),
        fold=20,
        note=f"The first {min(TOP, len(rows))} of {len(rows):,}, by documents. Shares are of documents with an"
        " address" + (f", of which there are too few (n = {documents})." if documents < TOO_FEW_DOCUMENTS else "."),
        weighting="per document, per byte (raw), per word",
    )


def concentration(table: Any) -> tuple[Cell, ...]:
    """Documents with an address, domains, shares of the largest, Gini, entropy."""
    counts = [r[1] for r in rows_of(table, "domain")]
    total = sum(counts)
    if total < TOO_FEW_DOCUMENTS:
        return (total, len(counts), too_few(total), *[None] * 4)
    shares = [sum(counts[:k]) / total for k in (10, 100, 1000)]
    return (total, len(counts), *shares, gini(counts), entropy(counts))


def concentration_table(facts: Facts, total: Any) -> Table:
    """How few domains hold how much, by component."""
    rows: list[tuple[Cell, ...]] = []
    for source in facts.sources:
        held = facts.domains.get(source.name)
        if held is None:
            rows.append((source.name, not_measured("no URL metadata"), *[None] * 6))
            continue
        rows.append((source.name, *concentration(held)))
    return Table(
        name="web-concentration",
        title="Concentration of registered domains",
        definition="7.2",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="documents", title="With an address", kind="count"),
            Column(key="domains", title="Domains", kind="count"),
            Column(key="top_10", title="Top 10", kind="share", group="Share of documents"),
            Column(key="top_100", title="Top 100", kind="share", group="Share of documents"),
            Column(key="top_1000", title="Top 1,000", kind="share", group="Share of documents"),
            Column(key="gini", title="Gini", kind="number", digits=3),
            Column(key="entropy", title="Entropy", kind="number", unit="bits"),
        ),
        rows=tuple(rows),
        totals=((("Whole", *concentration(total)),) if len(facts.domains) > 1 else ()),
        weighting="per document",
    )


def domain_figure(total: Any) -> Figure | None:
    """The largest registered domains."""
    rows = rows_of(total, "domain")
    documents = sum(r[1] for r in rows)
    if documents < TOO_FEW_DOCUMENTS:
        return None
    shown = rows[:DRAWN]

    def draw(width: int) -> str:
        bars = [charts.Bar(name or "none", (charts.Part(n, "c1"),), f"{n / documents:.2%}") for name, n, _, _ in shown]
        return charts.bars(width, bars, label="Largest registered domains", title="documents")

    held = sum(r[1] for r in shown)
    return Figure(
        name="web-domains",
        title="The largest registered domains",
        subtitle=f"Documents of the {len(shown)} largest of {len(rows):,}; shares of {documents:,} documents with an"
        " address.",
        draw=draw,
        table="web-domains",
        alt=f"{len(shown)} domains hold {held / documents:.1%} of the documents with an address; the first is"
        f" {shown[0][0]}.",
    )


def section(facts: Facts) -> Section:
    """Domains."""
    title = "Web addresses"
    if not facts.domains:
        gap = Prose(text=f"{not_measured('no component has URL metadata')}.", warning=True)
        return Section(name="web", title=title, lead="", blocks=(gap,))
    from pilebuilder.report.measures.domains import public_suffixes

    total = whole(facts)
    first = rows_of(total, "domain")
    documents = sum(r[1] for r in first)
    lead = f"{many(len(first), 'registered domain')}; the largest, {first[0][0]}, has {first[0][1]:,} of"
    return Section(
        name="web",
        title=title,
        lead=f"{lead} {many(documents, 'document')} with an address.",
        blocks=(
            *([figure] if (figure := domain_figure(total)) else []),
            concentration_table(facts, total),
            *(top_table(facts, total, level) for level in LEVELS),
            Prose(
                text=f"Registered domains by the Public Suffix List, version {public_suffixes().version}.", remark=True
            ),
        ),
    )
