"""One component on a page of its own: what its card says, what happened to its documents, its rows of every table."""

from __future__ import annotations

from pilebuilder.ledger import Tally
from pilebuilder.report import charts
from pilebuilder.report.cells import Cell, Gap, show_size
from pilebuilder.report.facts import DOCUMENT_STAGES, Facts, Source
from pilebuilder.report.sections import samples
from pilebuilder.report.sections.losses import DUPLICATE
from pilebuilder.report.sections.terms import answer
from pilebuilder.report.table import Block, Column, Figure, Prose, Section, Table

SHOWN_SAMPLES = 6
ROWS_OF = (
    "components", "removed-by-stage", "mixture", "summary", "lengths-bytes", "languages-by-component", "tokens",
    "topics", "sentiment", "profanity", "personal-data-by-component", "signals-by-component", "duplicate-rates",
    "web-concentration", "licences", "document-licences", "quarantine", "quarantine-records", "conservation",
)  # fmt: skip
"""Tables whose rows of this component stand on its page."""


def card_table(source: Source, slug: str) -> Table:
    """The card, readable by a lawyer."""
    card = source.card
    licence, consent = card.get("licence") or {}, card.get("consent") or {}
    rows: list[tuple[Cell, ...]] = [
        ("Title", source.title),
        ("Description", card.get("description") or "not given"),
        ("Homepage", card.get("homepage") or "not given"),
        ("Upstream", ", ".join(card.get("upstream") or []) or "not given"),
        ("Licence", source.licence or "not stated"),
        ("Evidence of the licence", licence.get("evidence") or "not given"),
        ("Access", card.get("access") or "not given"),
        ("Public", answer(consent.get("public"))),
        ("Within the terms of service", answer(consent.get("terms"))),
        ("Authors' consent", answer(consent.get("author"))),
        ("Languages expected", ", ".join(card.get("languages") or []) or "not given"),
        ("Personal data to expect", card.get("personal_data") or "not stated"),
        ("Citation", card.get("citation") or "not given"),
    ]
    return Table(
        name=f"card-{slug}",
        title="Card",
        columns=(Column(key="field", title="Field", kind="name"), Column(key="value", title="Value")),
        rows=tuple(rows),
        sample="",
        filed=False,
    )


def losses_figure(facts: Facts, source: Source) -> Figure | None:
    """The component's documents from read to the corpus, one bar per reason."""
    read = facts.stages.get("read", Tally()).get(source.name)
    if read is None or not read.seen:
        return None
    steps: list[tuple[str, str, int]] = []
    for stage in DOCUMENT_STAGES:
        count = facts.stages.get(stage, Tally()).get(source.name)
        if count is None:
            continue
        merged = {DUPLICATE: count.merged} if count.merged else {}
        reasons = {**count.dropped, **count.quarantined, **merged}
        steps += [(stage, r, n) for r, n in sorted(reasons.items(), key=lambda kv: (-kv[1], kv[0])) if n]
    if not steps:
        return None
    final = read.seen - sum(n for _, _, n in steps)

    def draw(width: int) -> str:
        rows, at = [charts.Bar("found in the source", (charts.Part(read.seen, "keep"),), f"{read.seen:,}")], read.seen
        for stage, reason, n in steps:
            at -= n
            rows.append(charts.Bar(f"{stage}: {reason}", (charts.Part(n, "loss"),), f"-{n:,}", start=at))
        rows.append(charts.Bar("in the corpus", (charts.Part(final, "keep"),), f"{final:,}"))
        return charts.bars(width, rows, label=f"Documents of {source.name}", title="documents")

    return Figure(
        name=f"losses-{source.slug}",
        title="What left, and why",
        subtitle="Distinct documents.",
        draw=draw,
        table=f"conservation-{source.slug}",
        alt=f"Records found: {read.seen:,}; documents in the corpus: {final:,}.",
        filed=False,
    )


def _nothing_left(facts: Facts, source: Source) -> Prose:
    """In the place of the figure, where no record left."""
    read = facts.stages.get("read", Tally()).get(source.name)
    if read is None or not read.seen:
        return Prose(text="No document was found in the source.", warning=True)
    return Prose(text=f"Nothing left: all {read.seen:,} records of the source are in the corpus.")


def _silent(row: tuple[Cell, ...]) -> bool:
    """Whether a row says why it has no value, and no more."""
    gaps = [i for i, value in enumerate(row) if isinstance(value, Gap)]
    return bool(gaps) and gaps[0] + 1 < len(row) and all(value is None for value in row[gaps[0] + 1 :])


def without_value(tables: list[Table]) -> Prose | None:
    """One sentence in the place of tables that hold nothing but the reason why they are empty."""
    if not tables:
        return None
    reasons: dict[str, list[str]] = {}
    for table in tables:
        reason = next(str(value) for value in table.rows[0] if isinstance(value, Gap))
        reasons.setdefault(reason, []).append(table.title)
    held = "; ".join(f"{', '.join(titles)}: {reason}" for reason, titles in reasons.items())
    return Prose(text=f"Without a value: {held}.", remark=True)


def rows_of(table: Table, name: str, slug: str) -> Table | None:
    """The table's rows that speak of the component."""
    at = next((i for i, c in enumerate(table.columns) if c.key == "component"), None)
    rows = tuple(r for r in table.rows if at is not None and r[at] == name)
    if not rows or at is None:
        return None
    keep = [i for i in range(len(table.columns)) if i != at]
    valued = [r for r in rows if not _silent(r)]
    ordered = [*valued, *(r for r in rows if _silent(r))]
    return Table(
        name=f"{table.name}-{slug}",
        title=table.title,
        columns=tuple(table.columns[i] for i in keep),
        rows=tuple(tuple(r[i] for i in keep) for r in ordered),
        fold=len(valued) if len(rows) > len(valued) else table.fold,
        weighting=table.weighting,
        sample=table.sample,
        interval=table.interval,
        definition=table.definition,
        filed=False,
    )


def section(facts: Facts, source: Source, sections: list[Section]) -> Section:
    """The component's page."""
    tables = {t.name: t for s in sections for t in s.tables()}
    chosen = [rows_of(tables[n], source.name, source.slug) for n in ROWS_OF if n in tables]
    figure = losses_figure(facts, source)
    blocks: list[Block] = [card_table(source, source.slug)]
    blocks += [figure or _nothing_left(facts, source)]
    found = [t for t in chosen if t]
    silent = [t for t in found if all(map(_silent, t.rows))]
    blocks += [t for t in found if t not in silent]
    blocks += [p for p in (without_value(silent),) if p]
    blocks.append(samples.block(facts, source.name, SHOWN_SAMPLES))
    documents, epochs = facts.documents(source.name), facts.epochs(source.name)
    if not documents:
        blocks.insert(0, Prose(text="No document of this component is in the corpus.", warning=True))
    return Section(
        name=f"component-{source.slug}",
        title=source.name,
        lead=f"{documents:,} distinct document{'' if documents == 1 else 's'},"
        f" {show_size(facts.raw_bytes(source.name))} of text,"
        f" {epochs:g} epoch{'' if epochs == 1 else 's'}.",
        blocks=tuple(blocks),
    )
