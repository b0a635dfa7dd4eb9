"""Quality signals of the published filters: distributions, failures of reference thresholds, redundant rules."""

from __future__ import annotations

from pilebuilder.report import charts, heat
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, not_measured, too_few
from pilebuilder.report.counters import Distribution
from pilebuilder.report.facts import Facts
from pilebuilder.report.measures.signals import RULES, SCALE, SIGNALS, Signal
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BARS = 25


def unit(signal: Signal) -> int:
    """What a stored value must be divided by."""
    return SCALE if signal.share or signal.name == "mean_word_length" else 1


TITLES = {
    "hash_ratio": "# per word",
    "ellipsis_ratio": "ellipses per word",
    "bullet_line_fraction": "bullet lines",
    "ellipsis_line_fraction": "ellipsis lines",
    "alpha_word_fraction": "words with a letter",
    "dup_line_fraction": "duplicate lines",
    "dup_paragraph_fraction": "duplicate paragraphs",
    "dup_line_char_fraction": "in duplicate lines",
    "dup_paragraph_char_fraction": "in duplicate paragraphs",
    **{f"top_{n}_gram_fraction": f"in the top {n}-gram" for n in (2, 3, 4)},
    **{f"dup_{n}_gram_fraction": f"in duplicate {n}-grams" for n in range(5, 11)},
    "terminal_line_fraction": "lines ending a sentence",
    "short_line_fraction": "short lines",
    "dup_line_chars_fraction": "in repeated lines",
    "brace_fraction": "curly brackets",
    "upper_case_fraction": "capitals of letters",
    "replacement_fraction": "U+FFFD",
    "control_fraction": "control characters",
    "unspaced_fraction": "scripts without spaces",
    "mojibake": "mojibake sequences",
}
"""Names for readers, where that of the signal is none."""


def title_of(signal: Signal) -> str:
    return TITLES.get(signal.name, signal.name.removesuffix("_fraction").replace("_", " "))


def signal_table(facts: Facts) -> Table:
    """Every signal over the whole corpus."""
    rows: list[tuple[Cell, ...]] = []
    n = facts.whole.get("documents")
    for signal in SIGNALS:
        held = facts.whole.distribution(f"signal {signal.name}")
        rows.append(
            (title_of(signal), signal.family, *_numbers(held, unit(signal)), signal.limits, *_fails(facts, signal, n))
        )
    return Table(
        name="signals",
        title="Signals over the whole corpus",
        definition="section 8",
        columns=_columns(),
        rows=tuple(rows),
        note="Of the documents that are left after the recipe's own filters. Failing: outside the papers' default"
        " limits, whether the recipe uses the rule or not; alone: failing this rule and no other. Shares to three"
        " decimals. In duplicate lines, in n-grams and so on: characters in them. Non alphanumeric: neither letter,"
        " digit nor white space; longest run: of one character, white space aside; mojibake: unlikely sequences of"
        " characters as ftfy counts them, any of which calls a text suspicious.",
        weighting="per document",
    )


def component_table(facts: Facts) -> Table:
    """The same by component."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.profiles.get(name)
        n = held.get("documents") if held else 0
        for signal in SIGNALS:
            if not held or n < TOO_FEW_DOCUMENTS:
                rows.append((name, title_of(signal), too_few(n), *[None] * (len(PERCENTILES) + 3)))
                continue
            numbers = _numbers(held.distribution(f"signal {signal.name}"), unit(signal))
            failed = held.get("rule.failed", signal.name) / n if signal in RULES else None
            rows.append(
                (
                    name,
                    title_of(signal),
                    *numbers,
                    failed,
                    held.get("rule.alone", signal.name) if signal in RULES else None,
                )
            )
    columns = _columns()
    return Table(
        name="signals-by-component",
        title="Signals by component",
        definition="section 8",
        columns=(Column(key="component", title="Component", kind="name"), columns[0], *columns[2:-3], *columns[-2:]),
        rows=tuple(rows),
        fold=len(SIGNALS),
        weighting="per document",
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column(key="signal", title="Signal", kind="name"),
        Column(key="family", title="Family"),
        Column(key="mean", title="Mean", kind="number", digits=3),
        Column(key="deviation", title="Std. dev.", kind="number", digits=3),
        *(Column(key=f"p{p}", title=f"{p} %", kind="number", digits=3, group="Percentile") for p in PERCENTILES),
        Column(key="limits", title="Reference limits"),
        Column(key="failing", title="Failing", kind="share"),
        Column(key="alone", title="Alone", kind="count"),
    )


def _numbers(held: Distribution, scale: int) -> tuple[Cell, ...]:
    numbers = [held.quantile(p / 100) for p in PERCENTILES]
    return (held.mean / scale, held.deviation / scale, *(n / scale if scale > 1 else n for n in numbers))


def _fails(facts: Facts, signal: Signal, n: int) -> tuple[Cell, Cell]:
    if signal not in RULES or not n:
        return None, None
    return facts.whole.get("rule.failed", signal.name) / n, facts.whole.get("rule.alone", signal.name)


def histogram_figure(facts: Facts) -> Figure:
    """One small histogram per signal with its limits."""

    def panel(signal: Signal) -> charts.Panel:
        held, scale = facts.whole.distribution(f"signal {signal.name}"), unit(signal)
        top = SCALE if signal.share else max(held.quantile(0.99), 1)
        counts = [0] * (BARS + 1)
        for key, n in zip(held.keys.tolist(), held.counts.tolist(), strict=True):
            counts[min(BARS, key * BARS // top)] += n
        inside = [v for v in (signal.high, signal.low) if v is not None and v * scale <= top]
        at = inside[0] * scale * BARS / top if inside else None
        note = f"0 to {top / scale:,g}" + (f"; {signal.limits}" if signal.limits else "")
        return charts.Panel(title_of(signal), tuple(counts), note, at)

    def draw(width: int) -> str:
        return charts.panels(width, [panel(s) for s in SIGNALS], label="Histograms of signals", first=0, ticks=[])

    n = facts.whole.get("documents")
    worst = max(RULES, key=lambda r: (facts.whole.get("rule.failed", r.name), r.name))
    return Figure(
        name="signals",
        title="Quality signals",
        subtitle=f"{n:,} documents; each panel to its own highest bar, values above the range in the last bar; the"
        " line is the papers' limit where it lies within the range.",
        draw=draw,
        table="signals",
        alt=f"Failed most often: {title_of(worst)}, by {facts.whole.get('rule.failed', worst.name) / n:.1%}.",
    )


def failure_figure(facts: Facts) -> Figure | None:
    """Rules by component: share of documents that fail."""
    names = [n for n in facts.names if n in facts.profiles and facts.profiles[n].get("documents") >= TOO_FEW_DOCUMENTS]
    if not names:
        return None

    def share(rule: Signal, name: str) -> float:
        held = facts.profiles[name]
        return held.get("rule.failed", rule.name) / held.get("documents")

    def draw(width: int) -> str:
        cells = [
            [
                heat.Cell(share(r, n) ** 0.5, f"{share(r, n):.0%}", f"{title_of(r)}, {n}: {share(r, n):.2%} fail")
                for n in names
            ]
            for r in RULES
        ]
        return heat.heat(width, [title_of(r) for r in RULES], names, cells, label="Failing documents by rule")

    return Figure(
        name="signal-failures",
        title="Documents that fail each rule",
        subtitle="Share of a component's documents outside the papers' default limits.",
        draw=draw,
        table="signals-by-component",
        alt=f"{len(RULES)} rules by {len(names)} components.",
    )


def correlation_table(facts: Facts) -> Table:
    """Phi coefficient of failing two rules."""
    value = correlations(facts)
    return Table(
        name="rule-correlation",
        title="Correlation between failing one rule and another",
        definition="section 8",
        columns=(
            Column(key="rule", title="Rule", kind="name"),
            *(Column(key=r.name, title=title_of(r), kind="number") for r in RULES),
        ),
        rows=tuple((title_of(a), *(value.get((i, j)) for j, _ in enumerate(RULES))) for i, a in enumerate(RULES)),
        note="Phi coefficient over documents; empty where one of the two never fails. Near 1: one of the two is"
        " enough.",
        weighting="per document",
    )


def correlations(facts: Facts) -> dict[tuple[int, int], float]:
    """Phi of each pair of rules that both fail somewhere."""
    n = facts.whole.get("documents")
    failed = [facts.whole.get("rule.failed", r.name) for r in RULES]
    found = {}
    for i, rule in enumerate(RULES):
        for j in range(i + 1):
            both = failed[i] if i == j else facts.whole.get("rule.both", rule.name, j)
            spread = failed[i] * (n - failed[i]) * failed[j] * (n - failed[j])
            if spread > 0:
                found[i, j] = found[j, i] = (n * both - failed[i] * failed[j]) / spread**0.5
    return found


def correlation_figure(facts: Facts) -> Figure | None:
    value = correlations(facts)
    used = [i for i in range(len(RULES)) if (i, i) in value]
    if len(used) < 2:
        return None
    names = [title_of(RULES[i]) for i in used]

    def draw(width: int) -> str:
        cells = [
            [
                heat.Cell(v, f"{v:.1f}".replace("-0.0", "0.0"), f"{title_of(RULES[i])}, {title_of(RULES[j])}: {v:.2f}")
                for j in used
                for v in [value[i, j]]
            ]
            for i in used
        ]
        return heat.heat(width, names, names, cells, label="Correlation of rules", least=21)

    pairs = [(value[i, j], i, j) for i in used for j in used if i > j]
    best = max(pairs)
    return Figure(
        name="rule-correlation",
        title="Rules that fail together",
        subtitle="Phi coefficient over documents; near 1 means that one of the two rules is enough.",
        draw=draw,
        table="rule-correlation",
        alt=f"Closest: {title_of(RULES[best[1]])} and {title_of(RULES[best[2]])}, {best[0]:.2f}.",
    )


def section(facts: Facts) -> Section:
    """Quality signals."""
    n = facts.whole.get("documents") if facts.profiles else 0
    if n < TOO_FEW_DOCUMENTS:
        text = str(too_few(n)) if facts.profiles else str(not_measured("no document summaries in this build"))
        return Section(
            name="signals", title="Quality signals", lead="", blocks=(Prose(text=f"{text}.", warning=True),)
        )
    figures = [histogram_figure(facts), failure_figure(facts), correlation_figure(facts)]
    return Section(
        name="signals",
        title="Quality signals",
        lead=f"{len(SIGNALS)} signals on {n:,} documents, measured whether or not a filter of the recipe uses them.",
        blocks=(*(f for f in figures if f), signal_table(facts), component_table(facts), correlation_table(facts)),
    )
