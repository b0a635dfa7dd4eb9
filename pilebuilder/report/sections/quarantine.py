"""What could not be read: each record or file with its place and cause."""

from __future__ import annotations

from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.losses import STAGES
from pilebuilder.report.table import Column, Prose, Section, Table

SHOWN = 500


def count_table(facts: Facts) -> Table:
    """Quarantined records by component, stage and reason, beside the limit."""
    rows = []
    for stage in STAGES:
        for name, count in facts.stages.get(stage, {}).items():
            for reason, n in sorted(count.quarantined.items(), key=lambda kv: (-kv[1], kv[0])):
                rows.append((name, stage, reason, n, n / count.seen if count.seen else None))
    return Table(
        name="quarantine",
        title="Quarantined by reason",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="stage", title="Stage"),
            Column(key="reason", title="Reason"),
            Column(key="records", title="Records", kind="count"),
            Column(key="share", title="Of what came in", kind="share", digits=3),
        ),
        rows=tuple(rows),
        note="A record (or the rest of a file) that should have been a document and could not be read. The rest of the"
        " build went on without it.",
        weighting="per record; fetch counts files",
    )


def record_table(facts: Facts) -> Table:
    """The records themselves: file, offset, cause."""
    held = facts.ledger.get("quarantine", [])
    rows = tuple((c, stage, reason, file, offset, detail) for c, stage, reason, file, offset, detail in held[:SHOWN])
    more = f" The first {SHOWN} of {len(held):,} recorded here." if len(held) > SHOWN else ""
    return Table(
        name="quarantine-records",
        title="Quarantined records",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="stage", title="Stage"),
            Column(key="reason", title="Reason"),
            Column(key="file", title="File", kind="code"),
            Column(key="offset", title="Offset", kind="count"),
            Column(key="detail", title="Cause", kind="code"),
        ),
        rows=rows,
        fold=20,
        note="At most 50 of each component, stage and reason; the ledger holds all." + more,
        sample="first by file and offset",
    )


def section(facts: Facts) -> Section:
    """Quarantine."""
    counts = count_table(facts)
    total = sum(count.quarantined.total() for stage in STAGES for count in facts.stages.get(stage, {}).values())
    if not total:
        calm = Prose(text="Nothing was quarantined: every record of every source file was read.")
        return Section(name="quarantine", title="Quarantine", lead="", blocks=(calm,))
    records = record_table(facts)
    return Section(
        name="quarantine",
        title="Quarantine",
        lead=f"{total:,} record{'s' if total != 1 else ''} could not be read and stand here with the reason.",
        blocks=(counts, *([records] if records.rows else [])),
    )
