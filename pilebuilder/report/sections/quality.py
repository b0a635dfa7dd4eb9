"""The quality classifier: how documents score, and what Pareto sampling would keep (figure 9 and table 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilebuilder.report import charts, lines
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.quality import BINS, both, kept_share
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Block, Column, Figure, Prose, Section, Table

PUBLISHED = (0.5894, 0.3649, 0.2390, 0.1671, 0.1239, 0.0974, 0.0802, 0.0685, 0.0602)
"""Table 6: share that the Pile's classifier kept of Common Crawl, by the shape of the distribution, 1 to 9."""
BARS = 25
DENSITY = 20
"""Bins of the score density; divides those of the counts."""


def pareto_table(facts: Facts) -> Table:
    """Expected kept share by shape."""
    scored = [(c, s, both(h)) for c, held in facts.quality.items() for s, h in held.items()]
    rows: list[tuple[Cell, ...]] = []
    for alpha, published in enumerate(PUBLISHED, 1):
        shares: list[Cell] = []
        for _, _, histogram in scored:
            n = sum(histogram)
            shares.append(kept_share(histogram, alpha) if n >= TOO_FEW_DOCUMENTS else too_few(n))
        if not scored:
            shares = [not_measured("the recipe has no quality step")]
        rows.append((alpha, *shares, published))
    names = [f"{c} ({s})" for c, s, _ in scored] or ["This corpus"]
    return Table(
        name="pareto",
        title="Kept share by the shape of the Pareto distribution",
        definition="A16",
        columns=(
            Column(key="alpha", title="Shape", kind="count"),
            *(Column(key=f"kept: {name}", title=name, kind="share") for name in names),
            Column(key="published", title="Pile-CC, published", kind="share"),
        ),
        rows=tuple(rows),
        note="A document is kept when a Lomax variate exceeds 1 minus its score, as in GPT-3; the share is the mean of"
        " (2 - score) to the power of minus the shape, which needs no draw. Documents without a score, dropped by an"
        " earlier rule, are not in it, nor are those that a later rule dropped.",
        weighting="per document",
        sample="documents that reached the classifier",
    )


def score_table(facts: Facts) -> Table:
    """Scores of kept and dropped documents."""
    rows: list[tuple[Cell, ...]] = []
    for component, held in facts.quality.items():
        for signal, histograms in held.items():
            for what in ("kept", "dropped"):
                histogram = histograms.get(what, [0] * BINS)
                n = sum(histogram)
                cells: tuple[Cell, ...] = tuple(quantile(histogram, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
                shown = cells if n >= TOO_FEW_DOCUMENTS else (too_few(n), *[None] * 4)
                rows.append((component, signal, what, n, *shown))
    return Table(
        name="quality-scores",
        title="Scores of the quality classifier",
        definition="A16",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="signal", title="Signal"),
            Column(key="fate", title="Fate"),
            Column(key="documents", title="Documents", kind="count"),
            *(
                Column(key=f"p{p}", title=f"{p} %", kind="number", digits=3, group="Percentile")
                for p in (5, 25, 50, 75, 95)
            ),
        ),
        rows=tuple(rows),
        weighting="per document",
        sample="documents that reached the classifier",
    )


def classifier_table(facts: Facts) -> Table | None:
    """How well the classifiers separate texts that were held out when they were trained."""
    rows: list[tuple[Cell, ...]] = []
    for held in facts.classifiers:
        head = (held["component"], held["signal"], held.get("name", "not named"))
        if "thresholds" not in held:
            rows.append((*head, not_measured("no measurements beside the model"), *[None] * 6))
            continue
        n, positive = held["held_out"], held["positive"]
        texts = (n.get(positive, 0), sum(v for k, v in n.items() if k != positive))
        for at in held["thresholds"]:
            shown: tuple[Cell, ...] = (at["precision"], at["recall"], at["false_positive_rate"])
            if min(texts) < TOO_FEW_DOCUMENTS:
                shown = (too_few(min(texts)), None, None)
            rows.append((*head, *texts, held["auc"], at["threshold"], *shown))
    if not rows:
        return None
    return Table(
        name="quality-classifiers",
        title="The classifiers on texts held out from their training",
        definition="A16",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="signal", title="Signal"),
            Column(key="model", title="Model"),
            Column(key="positive", title="Wanted", kind="count", group="Held-out texts"),
            Column(key="negative", title="Other", kind="count", group="Held-out texts"),
            Column(key="auc", title="AUC", kind="number", digits=3),
            Column(key="threshold", title="Score from", kind="number"),
            Column(key="precision", title="Precision", kind="share"),
            Column(key="recall", title="Recall", kind="share"),
            Column(key="false_positive_rate", title="False positives", kind="share"),
        ),
        rows=tuple(rows),
        fold=12,
        note="As measured when the classifier was trained. The held-out texts come from the files that it was trained"
        " on: expect less on other text.",
        weighting="per text",
        sample="texts held out from training, near-duplicates of them left out of training",
    )


def coarse(histogram: Sequence[int], bins: int) -> list[int]:
    """The same texts in fewer bins; `bins` divides the number that there are."""
    wide = len(histogram) // bins
    return [sum(histogram[i : i + wide]) for i in range(0, len(histogram), wide)]


@dataclass(frozen=True, slots=True)
class Density:
    """Scores of one component in `DENSITY` equal bins: of texts that the classifier was taught to want, of the others
    (both held out from its training; empty where its metrics do not tell), of the component's own, of those kept."""

    component: str
    signal: str
    reference: list[int]
    other: list[int]
    raw: list[int]
    kept: list[int]


def densities(facts: Facts) -> list[Density]:
    """Score densities of every component that was scored."""
    told = {(held["component"], held["signal"]): held.get("scores", {}) for held in facts.classifiers}
    found = []
    for component, signals in facts.quality.items():
        for signal, held in signals.items():
            scores = told.get((component, signal), {})
            beside = [coarse(scores[k], DENSITY) if k in scores else [] for k in ("positive", "negative")]
            own = [coarse(h, DENSITY) for h in (both(held), held.get("kept", [0] * BINS))]
            found.append(Density(component, signal, *beside, *own))
    return found


def density_table(found: Sequence[Density]) -> Table:
    """Share of texts in each bin of scores: the classifier's reference beside what it was asked about."""
    rows: list[tuple[Cell, ...]] = []
    for held in found:
        for i in range(DENSITY):
            cells: list[Cell] = []
            for counts in (held.reference, held.other, held.raw, held.kept):
                n = sum(counts)
                missing = too_few(n) if counts else not_measured("the classifier's metrics.json has no scores")
                cells.append(counts[i] / n if n >= TOO_FEW_DOCUMENTS else missing)
            rows.append((held.component, held.signal, i / DENSITY, (i + 1) / DENSITY, *cells))
    return Table(
        name="quality-density",
        title="Density of scores: reference text and the component's own",
        definition="A16",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="signal", title="Signal"),
            Column(key="from", title="from", kind="number", group="Score"),
            Column(key="to", title="to", kind="number", group="Score"),
            Column(key="reference", title="Wanted", kind="share", group="Held-out texts"),
            Column(key="other", title="Other", kind="share", group="Held-out texts"),
            Column(key="raw", title="Scored", kind="share", group="Documents"),
            Column(key="kept", title="Kept", kind="share", group="Documents"),
        ),
        rows=tuple(rows),
        fold=DENSITY,
        note="Each column of a component adds up to 100 %. Held-out texts: those of the classifier's own examples"
        " that it was not trained on; wanted are the reference of its label.",
        weighting="per text and per document",
        sample="documents that reached the classifier; texts held out from its training",
    )


def density_figure(held: Density, number: int) -> Figure | None:
    """Figure 9 of the Pile paper: scores of the reference text and of the text to be filtered."""
    series = [("reference, held out", "c1", held.reference), ("other, held out", "c3", held.other)]
    series += [(f"{held.component}, as scored", "c2", held.raw), (f"{held.component}, kept", "c4", held.kept)]
    shown = [(label, css, counts) for label, css, counts in series if sum(counts) >= TOO_FEW_DOCUMENTS]
    if not shown:
        return None

    def draw(width: int) -> str:
        drawn = [
            lines.Series(label, [((i + 0.5) / DENSITY, n / sum(counts)) for i, n in enumerate(counts)], css)
            for label, css, counts in shown
        ]
        return lines.lines(
            width, drawn, label=f"Score density, {held.component}", x_title="score", show=charts.percent,
            show_x=lambda v: f"{v:g}", zero=True,
        )  # fmt: skip

    top = "; ".join(
        f"{label}: {sum(counts[DENSITY // 2 :]) / sum(counts):.0%} at 0.5 or above" for label, _, counts in shown
    )
    return Figure(
        name="quality-density" + (f"-{number}" if number else ""),
        title=f"Score density of {held.component}" + (f" ({held.signal})" if held.signal != "quality" else ""),
        subtitle=f"Share of texts in each of {DENSITY} bins. "
        + "; ".join(f"{label}: n = {sum(counts):,}" for label, _, counts in shown)
        + ".",
        draw=draw,
        table="quality-density",
        alt=top + ".",
    )


def pareto_figure(facts: Facts) -> Figure | None:
    """Kept share by shape, beside the Pile's."""
    scored = [(f"{c} ({s})", both(h)) for c, held in facts.quality.items() for s, h in held.items()]
    shown = [(name, histogram) for name, histogram in scored if sum(histogram) >= TOO_FEW_DOCUMENTS]
    if not shown:
        return None
    curves = [(name, [kept_share(h, alpha) for alpha in range(1, 10)]) for name, h in shown]
    curves.append(("Pile-CC, published", list(PUBLISHED)))

    def draw(width: int) -> str:
        drawn = [lines.Series(name, list(enumerate(values, 1)), colour(i)) for i, (name, values) in enumerate(curves)]
        return lines.lines(
            width, drawn, label="Kept share by shape", x_title="shape of the Pareto distribution",
            show=charts.percent, show_x=lambda v: f"{v:g}", zero=True,
        )  # fmt: skip

    return Figure(
        name="pareto",
        title="Kept share by the shape of the Pareto distribution",
        subtitle="Expected share of the documents that reached the classifier.",
        draw=draw,
        table="pareto",
        alt="; ".join(f"{name}: {values[0]:.0%} at shape 1, {values[-1]:.0%} at 9" for name, values in curves) + ".",
    )


def quantile(histogram: list[int], share: float) -> float:
    """Middle of the bin in which this share of the scores is reached."""
    goal, seen = share * sum(histogram), 0
    for i, n in enumerate(histogram):
        seen += n
        if seen >= goal and seen:
            return (i + 0.5) / BINS
    return 0.0


def score_figure(facts: Facts) -> Figure:
    """A small histogram of each component: kept, and dropped."""
    shown = []
    for component, held in facts.quality.items():
        for signal, histograms in held.items():
            for what in ("kept", "dropped"):
                counts = histograms.get(what, [0] * BINS)
                wide = BINS // BARS
                bars = tuple(sum(counts[i : i + wide]) for i in range(0, BINS, wide))
                shown.append(charts.Panel(f"{component}: {what}", bars, f"{signal}, n = {sum(counts):,}"))

    def draw(width: int) -> str:
        ticks = [(0, "0"), (BARS / 2, "0.5"), (BARS, "1")]
        return charts.panels(width, shown, label="Scores of kept and dropped documents", first=0, ticks=ticks)

    return Figure(
        name="quality-scores",
        title="How documents score",
        subtitle="Documents by score, each panel on its own scale.",
        draw=draw,
        table="quality-scores",
        alt="; ".join(f"{p.label}, {p.note}" for p in shown) + ".",
    )


def section(facts: Facts) -> Section:
    """Quality classification of web text."""
    blocks: list[Block] = []
    if facts.quality:
        trained = classifier_table(facts)
        found = densities(facts)
        drawn = [density_figure(held, i) for i, held in enumerate(found)]
        blocks += [figure for figure in drawn if figure]
        blocks += [score_figure(facts), score_table(facts), density_table(found), *([trained] if trained else [])]
        blocks += [figure for figure in [pareto_figure(facts)] if figure]
    else:
        blocks.append(Prose(text=f"{not_measured('the recipe has no quality step')}."))
    n = len(facts.quality)
    lead = f"{n} component{'s were' if n != 1 else ' was'} scored by a classifier." if n else ""
    return Section(name="quality", title="Quality classifier", lead=lead, blocks=(*blocks, pareto_table(facts)))
