"""Published bits per byte on the Pile, and bits against the size of a model (the Pile paper's figure 2)."""

from __future__ import annotations

import math

from pilebuilder.report import lines
from pilebuilder.report.cells import Cell, Gap, short_count
from pilebuilder.report.evaluations import measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Column, Figure, Table

FIT = (-0.1674, 2.5516)
"""Slope and intercept of the line that the Pile paper fits to the GPT-3 family; its abscissa is not stated."""
FAMILIES = ("GPT-2", "GPT-Neo", "1.3 B trained on the Pile", "1.3 B trained on CC-100 (en)")
PUBLISHED = (
    ("GPT-2 small", 124_000_000, 1.2253, "zero-shot"),
    ("GPT-2 medium", 355_000_000, 1.0928, "zero-shot"),
    ("GPT-2 large", 774_000_000, 1.0828, "zero-shot"),
    ("GPT-2 XL", 1_558_000_000, 1.0468, "zero-shot"),
    ("GPT-3 ada", None, 0.9631, "zero-shot"),
    ("GPT-3 babbage", None, 0.8718, "zero-shot"),
    ("GPT-3 curie", None, 0.7980, "zero-shot"),
    ("GPT-3 davinci", None, 0.7177, "zero-shot"),
    ("1.3 B trained on the Pile", 1_300_000_000, 0.9433, "40 GB of the Pile"),
    ("1.3 B trained on raw Common Crawl", 1_300_000_000, 1.1275, "40 GB of raw Common Crawl"),
    ("1.3 B trained on CC-100 (en)", 1_300_000_000, 1.3293, "40 GB of CC-100"),
    ("GPT-Neo 1.3B", 1_300_000_000, 0.7527, "the Pile"),
    ("GPT-Neo 2.7B", 2_700_000_000, 0.7165, "the Pile"),
)
"""Model, parameters, bits per byte on the Pile's own test split: Gao et al. 2020, tables 2 and 3; GPT-Neo's README."""


def published_table() -> Table:
    """What others reached on the Pile's own test split."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, size if size is not None else Gap("not published"), bits, text) for name, size, bits, text in PUBLISHED
    )
    return Table(
        name="published-bits",
        title="Published values on the Pile",
        definition="A12",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="parameters", title="Parameters", kind="count"),
            Column(key="bits_per_byte", title="Bits per byte", kind="number", digits=4),
            Column(key="trained_on", title="Trained on"),
        ),
        rows=rows,
        note="Published: Gao et al. 2020, tables 2 and 3, and GPT-Neo's README. On another text than this corpus:"
        " for orientation, not for comparison. The paper fits a line to the GPT-3 family with slope"
        f" {FIT[0]} and intercept {FIT[1]}; the sizes of these models and the line's abscissa are not published, so it"
        " is not drawn.",
        sample="the Pile's test split",
    )


def scaling_figure(facts: Facts) -> Figure:
    """Bits per byte against parameters: published models on the Pile, those measured here on this corpus."""
    drawn = {
        family: sorted((math.log10(n), bits) for name, n, bits, _ in PUBLISHED if n and name.startswith(family))
        for family in FAMILIES
    }
    share = weights(parts_of(facts))
    own = [(m, whole[0]) for m in measured(facts) if (whole := m.whole(share)) and m.held["subject"]["parameters"]]
    for m, bits in own:
        drawn[f"{m.name}, on this corpus"] = [(math.log10(m.held["subject"]["parameters"]), bits)]
    series = [lines.Series(name, points, colour(i)) for i, (name, points) in enumerate(drawn.items())]

    def draw(width: int) -> str:
        return lines.lines(
            width,
            series,
            label="Bits per byte by size of the model",
            x_title="parameters (logarithmic)",
            show_x=lambda x: short_count(float(f"{10**x:.2g}")),
        )

    return Figure(
        name="scaling",
        title="Bits per byte against the size of the model",
        subtitle="Lines: published families, zero-shot or trained as the table says, on the Pile's test split."
        + (
            " Points: models measured here, on this corpus's held-out text." if own else " No model was measured here."
        ),
        draw=draw,
        table="published-bits",
        alt="GPT-2 from 1.2253 at 124 M parameters to 1.0468 at 1.6 B."
        + "".join(f" {m.name}: {bits:.4f}." for m, bits in own),
    )
