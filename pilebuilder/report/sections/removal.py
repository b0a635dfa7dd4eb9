"""Which filter removed whom: removal rates by identity term, dialect marker and language, for every rule."""

from __future__ import annotations

from dataclasses import dataclass

from pilebuilder.report import heat
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.removal import ALL, KEPT, Sums, flat, read
from pilebuilder.report.stats import Stratum, risk_ratio, wilson
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

TITLE = "Which filter removed whom"
WARN_RATIO = 1.25
"""A rule is named when even the low end of the interval lies above this (the inverse of the four-fifths rule)."""
LANGUAGE = "language "
SHOWN_LANGUAGES = 20
Held = dict[str, dict[str, Sums]]
"""component -> group -> documents."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One rule and one group, over all components."""

    axis: str
    group: str
    rule: str
    documents: int
    removed: int
    others: int
    others_removed: int
    ratio: tuple[float, float, float] | None

    @property
    def enough(self) -> bool:
        return self.documents >= TOO_FEW_DOCUMENTS and self.removed + self.others_removed >= TOO_FEW_DOCUMENTS

    @property
    def meant(self) -> bool:
        """Whether the rule judges by the group itself: a language filter by languages."""
        return self.axis == "language" and ": lang." in self.rule

    @property
    def suspicious(self) -> bool:
        return (
            not self.meant
            and self.enough
            and self.removed >= TOO_FEW_DOCUMENTS
            and bool(self.ratio and self.ratio[1] > WARN_RATIO)
        )


def counts(facts: Facts) -> Held:
    return {name: read(counters) for name, counters in facts.removal.items()}


FOLDED = 24
"""Rows of rules and groups that a page shows at once."""


def axes_of(held: Held) -> list[tuple[str, str]]:
    """Axis and group, the languages last, most documents first among these."""
    found = [(axis, group) for axis, group, _ in flat()]
    sums: dict[str, int] = {}
    for groups in held.values():
        for group, own in groups.items():
            if group.startswith(LANGUAGE):
                sums[group] = sums.get(group, 0) + sum(own.total.values())
    order = sorted(sums, key=lambda g: (-sums[g], g))[:SHOWN_LANGUAGES]
    return found + [("language", g) for g in order]


def rules_of(held: Held) -> list[str]:
    """Rules that removed a document, most documents first."""
    sums: dict[str, int] = {}
    for groups in held.values():
        for rule, bins in groups.get(ALL, Sums()).rules.items():
            if rule != KEPT:
                sums[rule] = sums.get(rule, 0) + sum(bins.values())
    return sorted(sums, key=lambda r: (-sums[r], r))


def effects_of(held: Held) -> dict[tuple[str, str], Effect]:
    """Every group with every rule."""
    rules = rules_of(held)
    return {(g, r): effect(held, a, g, r) for a, g in axes_of(held) for r in rules}


def effect(held: Held, axis: str, group: str, rule: str | None) -> Effect:
    """Removal of a group's documents against the other documents of the same component and length.

    `rule` None means all rules together.
    """
    strata, documents, removed, others, others_removed = [], 0, 0, 0, 0
    for groups in held.values():
        every, mine = groups.get(ALL, Sums()), groups.get(group, Sums())
        gone, own_gone = every.removed(rule), mine.removed(rule)
        for b in sorted(every.total):
            total, own = every.total[b], mine.total.get(b, 0)
            lost, own_lost = gone.get(b, 0), own_gone.get(b, 0)
            documents, removed = documents + own, removed + own_lost
            others, others_removed = others + total - own, others_removed + lost - own_lost
            strata.append(Stratum(own, own_lost, total - own, lost - own_lost))
    return Effect(axis, group, rule or "all rules", documents, removed, others, others_removed, risk_ratio(strata))


def shown(group: str) -> str:
    return group.removeprefix(LANGUAGE) if group.startswith(LANGUAGE) else group


def effect_table(name: str, title: str, effects: list[Effect], note: str) -> Table:
    valued: list[tuple[Cell, ...]] = []
    rest: list[tuple[Cell, ...]] = []
    for e in effects:
        head = (shown(e.group), e.axis, e.rule, e.documents, e.removed)
        if not e.enough:
            rest.append((*head, too_few(e.documents), *[None] * 5))
            continue
        low, high = wilson(e.removed, e.documents)
        ratio, below, above = e.ratio or (None, None, None)
        valued.append((*head, e.removed / e.documents, low, high, ratio, below, above))
    return Table(
        name=name,
        title=title,
        definition="section 10, bias",
        columns=(
            Column(key="group", title="Group", kind="name"),
            Column(key="axis", title="Axis"),
            Column(key="rule", title="Rule", kind="code"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="removed", title="Removed", kind="count"),
            Column(key="rate", title="Rate", kind="share", group="Removal rate"),
            Column(key="rate_low", title="low", kind="share", group="Removal rate"),
            Column(key="rate_high", title="high", kind="share", group="Removal rate"),
            Column(key="ratio", title="Ratio", kind="number", group="Against others, same component and length"),
            Column(key="ratio_low", title="low", kind="number", group="Against others, same component and length"),
            Column(key="ratio_high", title="high", kind="number", group="Against others, same component and length"),
        ),
        rows=(*valued, *rest),
        fold=min(len(valued), FOLDED) if valued else 3,
        note=note + (" Groups with too few documents come last." if rest else ""),
        weighting="per document",
        sample="documents as read, uniform by document within component",
        interval="rate 95 % (Wilson); ratio 99.9 % (Mantel-Haenszel, Greenland and Robins)",
    )


def matrix_figure(effects: dict[tuple[str, str], Effect], groups: list[tuple[str, str]], rules: list[str]) -> Figure:
    """Groups by rules: the adjusted ratio in each cell."""
    import math

    def cell(group: str, rule: str) -> heat.Cell:
        e = effects[group, rule]
        if not e.enough or e.ratio is None:
            return heat.Cell(None, "", f"{shown(group)}, {rule}: too few or none removed")
        ratio, low, high = e.ratio
        at = max(-1.0, min(1.0, math.log2(ratio) / 2))
        mark = "!" if e.suspicious else ""
        tip = (
            f"{shown(group)}, {rule}: {ratio:.2f} ({low:.2f} to {high:.2f}), {e.removed:,} of {e.documents:,} removed"
        )
        return heat.Cell(at, f"{ratio:.2f}{mark}" if ratio < 100 else f"{ratio:.0f}{mark}", tip)

    used = [r for r in rules if any(effects[g, r].enough for _, g in groups)]
    named = [(a, g) for a, g in groups if any(effects[g, r].enough for r in used)]

    def draw(width: int) -> str:
        cells = [[cell(g, r) for r in used] for _, g in named]
        return heat.heat(
            width,
            [shown(g) for _, g in named],
            [r.partition(": ")[2] or r for r in used],
            cells,
            label="Removal ratio by group and rule",
        )

    worst = max(
        (e for e in effects.values() if e.enough and e.ratio and not e.meant),
        key=lambda e: (e.suspicious, e.ratio[1] if e.ratio else 0),
        default=None,
    )
    return Figure(
        name="removal",
        title="How much more often each rule removes documents of a group",
        subtitle="Ratio of removal rates against other documents of the same component and length; 1 is equal, ! marks"
        " a ratio whose 99.9 % interval lies above 1.25. Empty: fewer than 30 documents or removals.",
        draw=draw,
        table="removal-by-rule",
        alt=_in_words(worst),
    )


def _in_words(worst: Effect | None) -> str:
    """The ratio with the highest lower bound, and whether it says anything."""
    if worst is None or worst.ratio is None:
        return "No rule removed enough documents of a group to compare."
    ratio, low, high = worst.ratio
    group = shown(worst.group)
    if low <= 1:
        return f"No ratio is surely above 1; that of {group} by {worst.rule} is between {low:.2f} and {high:.2f}."
    return f"The clearest: documents of the group {group} are removed {ratio:.2f} times as often by {worst.rule}."


def component_table(held: Held, groups: list[tuple[str, str]], names: list[str]) -> Table:
    """Removal rate of each group in each component, all rules together."""
    rows: list[tuple[Cell, ...]] = []
    for axis, group in [("", ALL), *groups]:
        line: list[Cell] = [shown(group), axis]
        for name in names:
            e = effect({name: held[name]}, axis, group, None) if name in held else None
            if e is None:
                line.append(None)
            elif e.documents < TOO_FEW_DOCUMENTS:
                line.append(too_few(e.documents) if e.documents else None)
            else:
                line.append(e.removed / e.documents)
        rows.append(tuple(line))
    return Table(
        name="removal-by-component",
        title="Removal rate by group and component",
        definition="section 10, bias",
        columns=(
            Column(key="group", title="Group", kind="name"),
            Column(key="axis", title="Axis"),
            *(Column(key=n, title=n, kind="share") for n in names),
        ),
        rows=tuple(sorted(rows, key=lambda row: not _valued(row))),
        fold=max(3, sum(map(_valued, rows))),
        note="All rules of clean, filter and dedup together. Unadjusted: compare down a column, and see the ratios"
        " above.",
        weighting="per document",
        sample="documents as read, uniform by document within component",
    )


def _valued(row: tuple[Cell, ...]) -> bool:
    return any(isinstance(value, float) for value in row)


def section(facts: Facts) -> Section:
    """Removal by group."""
    held = counts(facts)
    total = sum(sum(groups.get(ALL, Sums()).total.values()) for groups in held.values())
    if not total:
        gap = Prose(text=f"{not_measured('no partition as read is left beside its ledger')}.", warning=True)
        return Section(name="removal", title=TITLE, lead="", blocks=(gap,))
    groups, rules = axes_of(held), rules_of(held)
    whole = [effect(held, a, g, None) for a, g in groups]
    effects = effects_of(held)
    suspicious = sorted(
        (e for e in effects.values() if e.suspicious), key=lambda e: (-(e.ratio or (0, 0, 0))[1], e.group, e.rule)
    )
    terms = "; ".join(f"{group}: {', '.join(words)}" for _, group, words in flat())
    warning = (
        Prose(
            text=f"{len(suspicious)} pair{'s' if len(suspicious) != 1 else ''} of rule and group"
            f" stand{'' if len(suspicious) != 1 else 's'} out, for example {suspicious[0].rule} and the group"
            f" {shown(suspicious[0].group)}. Read removed texts before judging: a rule may remove bad text that"
            " happens to name a group, or a group's own way of writing.",
            warning=True,
        )
        if suspicious
        else Prose(text="No rule removes documents of one group disproportionately, as far as these counts can tell.")
    )
    note = (
        "A document belongs to a group when it holds one of its terms. The ratio compares it with other documents"
        " of the same component and of similar length (powers of four of bytes), since long documents name more"
        " groups and are removed for other reasons than short ones."
    )
    ordered = [effects[g, r] for r in rules for _, g in groups if effects[g, r].enough]
    return Section(
        name="removal",
        title=TITLE,
        lead=f"{total:,} documents as they were read, {len(rules)} rules that removed any of them.",
        blocks=(
            warning,
            *([matrix_figure(effects, groups, rules)] if rules else []),
            *([effect_table("removal-suspicious", "Rules to look at", suspicious, note)] if suspicious else []),
            effect_table("removal-by-group", "Removal of each group, all rules together", whole, note),
            component_table(held, groups, [n for n in facts.names if n in held]),
            effect_table("removal-by-rule", "Every rule and group with enough documents", ordered, note),
            Prose(
                text=f"Terms, whole words, case folded: {terms}. Dialect markers occur outside their dialect too.",
                remark=True,
            ),
        ),
    )
