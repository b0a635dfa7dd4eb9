"""The same network trained on two corpora: differences by component with their noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Figure, Table


def comparison_tables(facts: Facts) -> list[Table]:
    """The same network trained on two corpora; one gap table when there is none."""
    if not facts.comparisons:
        return [_comparison_table("training-sets", "Comparison of training sets", None, facts)]
    return [
        _comparison_table(
            "training-sets" if k == 0 else f"training-sets-{k + 1}",
            f"Comparison of training sets: {held['first']} and {held['second']}",
            held,
            facts,
        )
        for k, held in enumerate(facts.comparisons)
    ]


def _comparison_table(name: str, title: str, held: Mapping[str, Any] | None, facts: Facts) -> Table:
    first, second = (held["first"], held["second"]) if held else ("This corpus", "Baseline")
    rows: list[tuple[Cell, ...]]
    if held is None:
        reason = "no comparison in this build; pilebuilder train compare makes one"
        rows = [(n, not_measured(reason), *[None] * 7) for n in facts.names]
    else:
        rows = [_comparison_row(row) for row in held["rows"]]
    return Table(
        name=name,
        title=title,
        fold=0 if held else 3,
        definition="A14",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="of", title="Held out by"),
            Column(key="first", title=first, kind="number", digits=4),
            Column(key="second", title=second, kind="number", digits=4),
            Column(key="difference", title="Difference", kind="number", digits=4),
            Column(key="low", title="low", kind="number", digits=4, group="95 % interval"),
            Column(key="high", title="high", kind="number", digits=4, group="95 % interval"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="verdict", title="Better"),
        ),
        rows=tuple(rows),
        note=str(held["method"]) if held else "",
        sample=str(held["sample"]) if held else "the test split",
        interval=str(held["interval"]) if held else "",
    )


def _comparison_row(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    if row["documents"] < TOO_FEW_DOCUMENTS:
        return (row["component"], row["of"], too_few(row["documents"]), *[None] * 6)
    numbers = (row["first"], row["second"], row["difference"], row["low"], row["high"])
    return (row["component"], row["of"], *numbers, row["documents"], row["verdict"])


def comparison_figure(held: Mapping[str, Any], table: str) -> Figure | None:
    """Differences with their intervals."""
    rows = [r for r in held["rows"] if r["documents"] >= TOO_FEW_DOCUMENTS and r["low"] is not None]
    if not rows:
        return None

    def draw(width: int) -> str:
        made = [
            charts.Dots(
                f"{r['component']} ({r['of']})",
                (charts.Part(r["difference"], "c1", f"{r['difference']:+.4f}"),),
                (r["low"], r["high"]),
                f"{r['difference']:+.4f}",
            )
            for r in rows
        ]
        return charts.dots(
            width, made, label="Difference in bits per byte", show=lambda v: f"{v:+.3g}", lines=[(0.0, "")], zero=True
        )

    return Figure(
        name=f"figure-{table}",
        title=f"What {held['second']} changes against {held['first']}",
        subtitle=f"Bits per byte, {held['second']} minus {held['first']}; below zero {held['second']} is better."
        " Whiskers: 95 %.",
        draw=draw,
        table=table,
        alt="; ".join(f"{r['component']} ({r['of']}) {r['difference']:+.4f}" for r in rows) + ".",
    )
