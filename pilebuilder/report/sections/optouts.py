"""Reservations of rights: opt-out signals at the time of the fetch, opt-out lists, takedowns."""

from __future__ import annotations

from pilebuilder.ledger import Count, Tally
from pilebuilder.report.cells import Cell, Gap, not_measured
from pilebuilder.report.facts import Facts, Source
from pilebuilder.report.optouts import ASKING
from pilebuilder.report.table import Column, Prose, Table

UNASKED = (
    "Nobody asked for opt-out signals of {names}: only crawling fetchers ask a site. No optout step ran for it, and"
    " the recipe names no takedown list. That nobody looked does not mean that nobody objects."
)


def unasked(facts: Facts, source: Source) -> Gap | None:
    """Why no signal of a component can be known; None when the fetch looked for them."""
    if facts.settings.get("fetch", {}).get("signals") == "ignore":
        return not_measured("the recipe says signals: ignore")
    if not source.fetcher:
        return not_measured("nothing tells how it was fetched")
    if source.fetcher not in ASKING:
        return not_measured("no site asked")
    if source.name not in facts.opt_outs:
        return not_measured("no inventory of the fetch")
    return None


def left(facts: Facts, stage: str, name: str, prefix: str) -> int:
    """Documents (or files) of a component that left a stage for a reason, or one of those that begin so."""
    held = facts.stages.get(stage, Tally()).get(name, Count())
    return sum(n for reason, n in {**held.dropped, **held.quarantined}.items() if reason.startswith(prefix))


def signals_cell(facts: Facts, source: Source) -> Cell:
    """Files with a signal, and what was left out for one, in words."""
    gap = unasked(facts, source)
    if gap is not None:
        return gap
    held = facts.opt_outs[source.name]
    said = f"{held['with_signals']:,} of {held['files']:,} files"
    gone = left(facts, "fetch", source.name, "opted_out")
    return said + (f", {gone:,} left out" if gone else "")


def takedown_cell(facts: Facts, source: Source) -> Cell:
    """Documents that the takedown list removed; in words when the recipe names none."""
    if not facts.settings.get("dedup", {}).get("takedown"):
        return "no list"
    return left(facts, "dedup", source.name, "takedown")


def steps_of(facts: Facts, name: str) -> list[str]:
    """Stages of the recipe in which an optout step runs for a component."""
    from pilebuilder.steps import parse_spec

    found = []
    for stage in ("clean", "filter"):
        for spec in facts.settings.get(stage) or ():
            step, _, only, without = parse_spec(spec)
            if step == "optout" and (not only or name in only) and name not in without:
                found.append(stage)
    return found


def optout_table(facts: Facts) -> Table | Prose:
    """What of each component was reserved, by whom it was said, and what left for it.

    Components of which nobody asked, and of which nothing left, are named below the table.
    """
    rows: list[tuple[Cell, ...]] = []
    silent = []
    for source in facts.sources:
        name, gap = source.name, unasked(facts, source)
        cells: tuple[Cell, ...] = (gap, None, None, None, None)
        if gap is None:
            held = facts.opt_outs[name]
            kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(held["kinds"].items())) or "none"
            gone = left(facts, "fetch", name, "opted_out")
            cells = (held["files"], held["with_signals"], kinds, gone, held["pages_left_out"])
        # the rule of the filters stands in the tally of the stage that ran them, clean and filter fused
        steps = steps_of(facts, name)
        listed: Cell = "no step"
        if steps:
            listed = sum(left(facts, stage, name, "optout.") for stage in ("clean", "filter"))
        noai, taken = left(facts, "read", name, "noai"), takedown_cell(facts, source)
        if gap is not None and not noai and isinstance(listed, str) and isinstance(taken, str):
            silent.append(name)
        else:
            rows.append((name, *cells, noai or None, listed, taken))
    if not rows:
        return Prose(text=UNASKED.format(names="any component"), remark=True)
    return Table(
        name="opt-outs",
        title="Opt-out signals, opt-out lists and takedowns",
        definition="A11",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="files", title="Files", kind="count", group="Signals at the time of the fetch"),
            Column(key="with_signal", title="With one", kind="count", group="Signals at the time of the fetch"),
            Column(key="kinds", title="Which", group="Signals at the time of the fetch"),
            Column(key="left_out", title="Left out", kind="count", group="Signals at the time of the fetch"),
            Column(
                key="pages_left_out", title="Pages in files", kind="count", group="Signals at the time of the fetch"
            ),
            Column(key="noai", title="noai pages", kind="count", group="Documents that left"),
            Column(key="listed", title="Opt-out lists", kind="count", group="Documents that left"),
            Column(key="taken_down", title="Takedowns", kind="count", group="Documents that left"),
        ),
        rows=tuple(rows),
        note="Signals: robots.txt, TDM reservations (tdmrep.json, header, meta element), noai tags, usage preferences,"
        " ai.txt, as the fetch met them. A signal kept in the inventory did not reserve, or the recipe says signals:"
        " record. noai pages: those that the reader of web archives left out when told to. "
        + (UNASKED.format(names=", ".join(silent)) if silent else "A gap means that nobody looked."),
        weighting="counts",
        sample="all raw files and documents",
    )
