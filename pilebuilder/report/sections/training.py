"""What only a trained model can tell: bits per byte, difficulty, comparison with other corpora.

The layout stands; numbers come from evaluations of checkpoints. Until then every cell says why it is empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pilebuilder.report.cells import Cell, not_measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.table import Column, Prose, Section, Table

REASON = "no evaluation of a trained checkpoint in this build"


def bits_per_byte(nats: float, size: int) -> float:
    """From the summed negative log-likelihood in nats and the UTF-8 bytes of the text."""
    return nats / (math.log(2) * size)


def from_perplexity(perplexity: float, tokens_per_byte: float) -> float:
    """Bits per byte from the perplexity per token, as the Pile paper converts them."""
    return math.log2(perplexity) * tokens_per_byte


def difficulty(reference: float, own: float, reference_web: float, own_web: float) -> float:
    """How much more a strong outside model finds a component hard than a model trained on it, web text as the zero."""
    return (reference - reference_web) - (own - own_web)


def weighted(values: Mapping[str, float], share: Mapping[str, float]) -> float:
    """The corpus value: components by effective size."""
    total = math.fsum(share[n] for n in values)
    return math.fsum(values[n] * share[n] for n in values) / total if total else 0.0


def evaluation_table(facts: Facts) -> Table:
    """Bits per byte by component for every model evaluated, tables 2, 8 and 9."""
    rows: list[tuple[Cell, ...]] = []
    share = weights(parts_of(facts))
    for name in facts.names:
        rows.append((name, share[name], not_measured(REASON), *[None] * 4))
    rows.append(("Whole corpus", sum(share.values()), not_measured(REASON), *[None] * 4))
    return Table(
        name="bits-per-byte",
        title="Bits per byte by component",
        definition="A12",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="weight", title="Weight", kind="share"),
            Column(key="bits_per_byte", title="Bits per byte", kind="number", digits=4),
            Column(key="low", title="low", kind="number", digits=4, group="95 % interval"),
            Column(key="high", title="high", kind="number", digits=4, group="95 % interval"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="bytes", title="Text", kind="bytes"),
        ),
        rows=tuple(rows),
        note="Sum of nats over ln 2 times the bytes of text; each document alone, each token scored once; the"
        " corpus value"
        " weighs components by effective size.",
        weighting="ratio of sums within a component; effective bytes over components",
        sample="the test split",
    )


def gap_table(name: str, title: str, definition: str, columns: tuple[str, ...], facts: Facts) -> Table:
    """A table whose cells wait for evaluations."""
    return Table(
        name=name,
        title=title,
        definition=definition,
        columns=(
            Column(key="component", title="Component", kind="name"),
            *(Column(key=c.lower().replace(" ", "_"), title=c, kind="number", digits=4) for c in columns),
        ),
        rows=tuple((n, not_measured(REASON), *[None] * (len(columns) - 1)) for n in facts.names),
        sample="the test split",
    )


def section(facts: Facts) -> Section:
    """Evaluation by models."""
    return Section(
        name="training",
        title="What trained models tell",
        lead="Filled by evaluating checkpoints on the validation and test splits.",
        blocks=(
            Prose(text=f"{not_measured(REASON)}."),
            evaluation_table(facts),
            gap_table("difficulty", "Relative difficulty", "A13", ("Reference", "Own", "Difference"), facts),
            gap_table("training-sets", "Comparison of training sets", "A14", ("This corpus", "Baseline"), facts),
        ),
    )
