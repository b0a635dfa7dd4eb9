"""What came in, what left and why: counts by stage and reason, and the proof that they add up."""

from __future__ import annotations

from dataclasses import dataclass

from pilebuilder.ledger import Count
from pilebuilder.report import charts, flow
from pilebuilder.report.cells import Cell, Gap, many
from pilebuilder.report.facts import DOCUMENT_STAGES, Facts
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

STAGES = ("fetch", *DOCUMENT_STAGES)
DUPLICATE = "duplicate of a kept document"
WORDS = {"dropped": "dropped", "merged": "merged", "quarantined": "quarantined"}


@dataclass(frozen=True, slots=True)
class Loss:
    """Documents of one component that left in one stage for one reason."""

    stage: str
    component: str
    action: str
    reason: str
    documents: int


def losses(facts: Facts) -> list[Loss]:
    """Every loss, in the order of the stages; within a stage the largest reason first."""
    found = []
    for stage in DOCUMENT_STAGES:
        for name, count in facts.stages.get(stage, {}).items():
            found += [Loss(stage, name, "dropped", r, n) for r, n in count.dropped.items() if n]
            found += [Loss(stage, name, "quarantined", r, n) for r, n in count.quarantined.items() if n]
            if count.merged:
                found.append(Loss(stage, name, "merged", DUPLICATE, count.merged))
    return found


def by_reason(found: list[Loss]) -> list[tuple[str, str, str, int]]:
    """Stage, action, reason, documents over all components: stages in order, larger first."""
    sums: dict[tuple[str, str, str], int] = {}
    for loss in found:
        key = (loss.stage, loss.action, loss.reason)
        sums[key] = sums.get(key, 0) + loss.documents
    ordered = sorted(sums.items(), key=lambda kv: (DOCUMENT_STAGES.index(kv[0][0]), -kv[1], kv[0]))
    return [(*key, n) for key, n in ordered]


def stage_total(facts: Facts, stage: str) -> Count:
    """All components of a stage together."""
    total = Count()
    for count in facts.stages.get(stage, {}).values():
        total.add(count)
    return total


def reason_table(facts: Facts, found: list[Loss]) -> Table:
    """One row per stage and reason, with a column of documents for each component."""
    names = [s.name for s in facts.sources if any(loss.component == s.name for loss in found)]
    seen = {stage: stage_total(facts, stage).seen for stage in DOCUMENT_STAGES}
    rows: list[tuple[Cell, ...]] = []
    for stage, action, reason, n in by_reason(found):
        each = {
            loss.component: loss.documents
            for loss in found
            if (loss.stage, loss.action, loss.reason) == (stage, action, reason)
        }
        share = n / seen[stage] if seen[stage] else 0.0
        rows.append((stage, action, reason, n, share, *(each.get(name, 0) for name in names)))
    total = sum(loss.documents for loss in found)
    by_name = {name: sum(loss.documents for loss in found if loss.component == name) for name in names}
    return Table(
        name="losses",
        title="Documents that left, by stage and reason",
        definition="A15",
        columns=(
            Column(key="stage", title="Stage", kind="name"),
            Column(key="action", title="Action"),
            Column(key="reason", title="Reason"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share_of_stage", title="Of the stage", kind="share"),
            *(Column(key=f"documents: {n}", title=n, kind="count", group="By component") for n in names),
        ),
        rows=tuple(rows),
        totals=(("Total", None, None, total, None, *(by_name[n] for n in names)),),
        note="A document is counted under the first rule that it failed. The share is of the documents that entered"
        " the stage.",
        weighting="per document",
    )


def conservation_table(facts: Facts) -> Table:
    """In = kept + dropped + merged + quarantined, for every stage and component."""
    rows = []
    for stage in STAGES:
        for name, count in facts.stages.get(stage, {}).items():
            rows.append(_conservation(stage, name, count))
    totals = [
        _conservation(stage, "all components", stage_total(facts, stage)) for stage in STAGES if stage in facts.stages
    ]
    return Table(
        name="conservation",
        title="Conservation: every document is accounted for",
        columns=(
            Column(key="stage", title="Stage", kind="name"),
            Column(key="component", title="Component"),
            Column(key="in", title="In", kind="count"),
            Column(key="kept", title="Kept", kind="count"),
            Column(key="dropped", title="Dropped", kind="count"),
            Column(key="merged", title="Merged", kind="count"),
            Column(key="quarantined", title="Quarantined", kind="count"),
            Column(key="unaccounted", title="Unaccounted", kind="count"),
            Column(key="bytes_in", title="Text in", kind="bytes"),
            Column(key="bytes_out", title="Text out", kind="bytes"),
        ),
        rows=tuple(rows),
        totals=tuple(totals),
        fold=12,
        note="In = kept + dropped + merged + quarantined, exactly; a stage that breaks this cannot commit. The unit of"
        " fetch is a raw file, of all other stages a document. Clean and filter run in one pass and share a line.",
        weighting="counts",
    )


def _conservation(stage: str, name: str, count: Count) -> tuple[Cell, ...]:
    dropped, quarantined = count.dropped.total(), count.quarantined.total()
    sizes: tuple[Cell, ...] = (count.bytes_in, count.bytes_out)
    if count.kept and not count.bytes_in and not count.bytes_out:  # dedup moves no text
        sizes = (Gap("not counted"), None)
    return (stage, name, count.seen, count.kept, dropped, count.merged, quarantined, count.balance, *sizes)


def edits_table(facts: Facts) -> Table | None:
    """Bytes removed by steps that edit text."""
    rows = []
    for stage in DOCUMENT_STAGES:
        sums: dict[str, int] = dict(stage_total(facts, stage).edited)
        rows += [(stage, reason, n) for reason, n in sorted(sums.items(), key=lambda kv: (-abs(kv[1]), kv[0]))]
    if not rows:
        return None
    return Table(
        name="edits",
        title="Text removed by edits",
        columns=(
            Column(key="stage", title="Stage", kind="name"),
            Column(key="reason", title="Edit"),
            Column(key="bytes_removed", title="Text removed", kind="bytes"),
        ),
        rows=tuple(rows),
        note="Bytes of UTF-8 text; a negative number means that the edit added text.",
        weighting="sums",
    )


def waterfall(facts: Facts, found: list[Loss]) -> Figure | None:
    """From the documents read to the documents placed: one bar per reason, laid where the count stands."""
    read = stage_total(facts, "read").seen
    if not read:
        return None
    steps, left = [], read
    for stage, action, reason, n in by_reason(found):
        left -= n
        steps.append((stage, action, reason, n, left))
    if not steps:
        return None
    shown = steps if len(steps) <= 18 else sorted(steps, key=lambda s: -s[3])[:17]
    shown = [s for s in steps if s in shown]
    rest = [s for s in steps if s not in shown]

    def draw(width: int) -> str:
        if width >= charts.NARROW:
            return story(width, facts, found)
        rows = [charts.Bar("read from the sources", (charts.Part(read, "keep"),), f"{read:,}")]
        at = read
        for stage, _, reason, n, _ in shown:
            at -= n
            tip = f"{stage}: {reason}, {n:,} documents"
            rows.append(charts.Bar(f"{stage}: {reason}", (charts.Part(n, "loss", tip),), f"-{n:,}", start=at))
        if rest:
            n = sum(s[3] for s in rest)
            at -= n
            tip = f"{len(rest)} further reasons, {n:,} documents"
            rows.append(
                charts.Bar(f"other ({len(rest)} reasons)", (charts.Part(n, "loss", tip),), f"-{n:,}", start=at)
            )
        rows.append(charts.Bar("in the corpus, before epochs", (charts.Part(at, "keep"),), f"{at:,}"))
        return charts.bars(width, rows, label="Documents from the sources to the corpus", title="documents")

    biggest = max(steps, key=lambda s: s[3])
    words = f" The largest loss is {biggest[0]}: {biggest[2]}, {many(biggest[3], 'document')}."
    return Figure(
        name="waterfall",
        title="From the sources to the corpus",
        subtitle="Distinct documents in the order of the stages, and what removed them.",
        draw=draw,
        table="losses",
        alt=f"Read: {many(read, 'record')}; in the corpus: {many(left, 'document')}.{words}",
    )


def story(width: int, facts: Facts, found: list[Loss]) -> str:
    """The same as a band that narrows from stage to stage."""
    gates = []
    for stage in DOCUMENT_STAGES:
        if stage not in facts.stages:
            continue
        left = tuple((reason, n) for s, _, reason, n in by_reason(found) if s == stage)
        gates.append(flow.Gate(stage, stage_total(facts, stage).seen, left))
    if gates and gates[-1].name == "mix" and not gates[-1].lost:
        gates = gates[:-1]
    return flow.flow(width, gates, ("corpus", facts.remaining), label="Documents from the sources to the corpus")


def section(facts: Facts) -> Section:
    """What left and why."""
    found = losses(facts)
    read, final = stage_total(facts, "read").seen, facts.remaining
    figure, edits = waterfall(facts, found), edits_table(facts)
    kept = f"{final / read:.1%}" if read else "none"
    return Section(
        name="losses",
        title="What left, and why",
        lead=f"Of {read:,} documents found in the sources, {final:,} ({kept}) are in the corpus.",
        blocks=(
            *([figure] if figure else []),
            reason_table(facts, found) if found else Prose(text="No document left in any stage."),
            conservation_table(facts),
            *([edits] if edits else []),
        ),
    )
