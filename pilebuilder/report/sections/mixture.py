"""The mix as asked for and as it came out, by component; the splits."""

from __future__ import annotations

from pilebuilder.report import charts
from pilebuilder.report.cells import not_measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

SPLITS = ("train", "val", "test")


def mixture_table(facts: Facts) -> Table:
    """Epochs and share of the training text, requested beside realised."""
    held = facts.mixture["components"]
    rows = []
    for name in facts.names:
        part = held.get(name)
        if part is None:
            rows.append((name, None, None, 0.0, 0.0, 0.0, None, None, None, None))
            continue
        train = part["splits"].get("train", {})
        rows.append(
            (
                name,
                part["epochs"],
                part["realised_epochs"] if train.get("documents") else None,
                part["share"],
                part["realised_share"],
                part["realised_share"] - part["share"],
                train.get("documents", 0),
                train.get("copies", 0),
                train.get("copies", 0) - train.get("documents", 0),
                train.get("placed_bytes", 0),
            )
        )
    return Table(
        name="mixture",
        title="Mixture requested and realised",
        definition="A15",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="epochs", title="Requested", kind="number", digits=3, group="Epochs"),
            Column(key="realised_epochs", title="Realised", kind="number", digits=3, group="Epochs"),
            Column(key="share", title="Requested", kind="share", group="Share of training text"),
            Column(key="realised_share", title="Realised", kind="share", group="Share of training text"),
            Column(key="difference", title="Difference", kind="share", group="Share of training text"),
            Column(key="documents", title="Distinct", kind="count", group="Training split"),
            Column(key="copies", title="Copies", kind="count", group="Training split"),
            Column(key="by_design", title="Copies by design", kind="count", group="Training split"),
            Column(key="placed_bytes", title="Text", kind="bytes", group="Training split"),
        ),
        rows=tuple(rows),
        note="A fraction of an epoch takes each document with that probability, by a draw that depends on the seed and"
        " the document alone, so the realised value differs a little from the requested one. The difference is in"
        " percentage points. Copies by design are those that epochs above 1 make of one document: exact duplicates in"
        " the mixed corpus that no deduplication should find; duplicates before the mix stand on their own page.",
        weighting="shares by bytes of training text",
    )


def split_table(facts: Facts) -> Table:
    """Documents and text by split and component."""
    rows = []
    held = facts.mixture["components"]
    for name in facts.names:
        splits = held.get(name, {}).get("splits", {})
        values = [splits.get(s, {}).get(k, 0) for s in SPLITS for k in ("copies", "placed_bytes")]
        rows.append((name, *values))
    sums = [sum(row[i] for row in rows) for i in range(1, 7)]
    return Table(
        name="splits",
        title="Splits",
        definition="A15",
        columns=(
            Column(key="component", title="Component", kind="name"),
            *(
                column
                for s in SPLITS
                for column in (
                    Column(key=f"{s}_documents", title="Documents", kind="count", group=s),
                    Column(key=f"{s}_bytes", title="Text", kind="bytes", group=s),
                )
            ),
        ),
        rows=tuple(rows),
        totals=(("Total", *sums),),
        note="Documents of train are copies: a component of two epochs counts twice. val and test hold each document"
        " once, and no document is in two splits.",
        weighting="counts",
    )


def mixture_figure(facts: Facts) -> Figure:
    """Requested and realised share as two dots joined by a line."""
    held = facts.mixture["components"]
    names = sorted((n for n in facts.names if n in held), key=lambda n: (-held[n]["share"], n))

    def draw(width: int) -> str:
        rows = [
            charts.Dots(
                n,
                (
                    charts.Part(held[n]["share"], "ring", f"{n}: requested {held[n]['share']:.2%}"),
                    charts.Part(held[n]["realised_share"], "c1", f"{n}: realised {held[n]['realised_share']:.2%}"),
                ),
                value=f"{held[n]['realised_share']:.2%}",
            )
            for n in names
        ]
        key = [("ring", "requested"), ("c1", "realised")]
        return charts.dots(
            width,
            rows,
            label="Share requested and realised",
            show=charts.percent,
            title="share of training text",
            key=key,
        )

    worst = max(names, key=lambda n: abs(held[n]["realised_share"] - held[n]["share"]), default=None)
    return Figure(
        name="mixture",
        title="Mixture requested and realised",
        subtitle="Share of the bytes of the training split.",
        draw=draw,
        table="mixture",
        alt=f"{len(names)} components; the largest difference is in {worst},"
        f" {held[worst]['realised_share'] - held[worst]['share']:+.2%}."
        if worst
        else "No component.",
    )


def section(facts: Facts) -> Section:
    """The mix."""
    if not facts.mixture:
        gap = Prose(text=f"{not_measured('the build did not reach the mix')}.", warning=True)
        return Section(name="mixture", title="Mixture", lead="", blocks=(gap,))
    return Section(
        name="mixture",
        title="Mixture and splits",
        lead=f"Seed {facts.corpus['seed']}; {facts.mixture['shards']} training shards. The global order is a draw of"
        " the seed and the document's id, so it is the same for any number of workers.",
        blocks=(mixture_figure(facts), mixture_table(facts), split_table(facts)),
    )
