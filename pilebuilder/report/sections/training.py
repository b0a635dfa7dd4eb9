"""What only a trained model can tell: bits per byte, difficulty, comparison of training sets, cloze.

Numbers come from the evaluations and comparisons in the output folder (`pilebuilder.report.trained`). Until there are
some, every cell says why it is empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, not_measured, too_few
from pilebuilder.report.evaluations import OVERALL, Measured, measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.bits import (
    REASON,
    detail_table,
    evaluation_table,
    model_table,
    position_blocks,
    sample_of,
)
from pilebuilder.report.sections.comparison import comparison_figure, comparison_tables
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.sections.difficulty import difficulty_figure, difficulty_table
from pilebuilder.report.sections.scaling import published_table, scaling_figure
from pilebuilder.report.table import Block, Column, Prose, Section, Table

ADVICE = "Train with pilebuilder train RECIPE, measure with pilebuilder train eval RUN, then make the report again."


def cloze_table(models: Sequence[Measured]) -> Table:
    """The last word of a passage."""
    rows: list[tuple[Cell, ...]] = []
    for m in models:
        for task, found in sorted(m.held["cloze"].items()):
            if not found:
                rows.append((m.name, task, None, not_measured("no passage of this shape in the split"), *[None] * 4))
            for r in found:
                n = r["passages"]
                few = n < TOO_FEW_DOCUMENTS
                numbers = (r["accuracy"], r["accuracy_low"], r["accuracy_high"], r["perplexity"])
                shown = (too_few(n), None, None, None) if few else numbers
                rows.append((m.name, task, r["component"], *shown, n))
    if not rows:
        rows = [("all", "held-out", None, not_measured(REASON), *[None] * 4)]
    return Table(
        name="cloze",
        title="The last word of a passage",
        definition="A14",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="task", title="Task"),
            Column(key="component", title="Component"),
            Column(key="accuracy", title="Guessed", kind="share"),
            Column(key="low", title="low", kind="share", group="95 % interval"),
            Column(key="high", title="high", kind="share", group="95 % interval"),
            Column(key="perplexity", title="Perplexity", kind="number", digits=2, unit="of the word"),
            Column(key="passages", title="Passages", kind="count"),
        ),
        rows=tuple(rows),
        note="Of LAMBADA's shape, from held-out text: whole sentences of 40 to 120 words in one paragraph, whose last"
        " word has four letters or more, is no common word and occurs earlier. No person judged the passages, so the"
        " numbers compare models on this corpus. Guessed: every token of the word is the likeliest. Task lambada:"
        " LAMBADA's own file.",
        weighting="per passage",
        sample=sample_of(models),
        interval="Wilson",
    )


def section(facts: Facts) -> Section:
    """Evaluation by models."""
    models = measured(facts)
    comparisons = comparison_tables(facts)
    figures = [
        figure
        for table, held in zip(comparisons, facts.comparisons, strict=False)
        if (figure := comparison_figure(held, table.name)) is not None
    ]
    head: list[Block] = [evaluation_table(facts)]
    if models:
        head += [model_table(models), *position_blocks(models), detail_table(models)]
    else:
        head = [Prose(text=f"{not_measured(REASON)}. {ADVICE}"), *head]
    return Section(
        name="training",
        title="What trained models tell",
        lead=_lead(facts, models),
        blocks=(
            *head,
            scaling_figure(facts),
            published_table(),
            *([hard] if (hard := difficulty_figure(facts)) else []),
            difficulty_table(facts),
            *figures,
            *comparisons,
            cloze_table(models),
        ),
    )


def _lead(facts: Facts, models: Sequence[Measured]) -> str:
    if not models:
        return "Filled by evaluating checkpoints on the validation and test splits."
    share = weights(parts_of(facts))
    found = []
    for m in models:
        whole = m.whole(share)
        row = m.rows[OVERALL]
        if whole:
            found.append(f"{m.name} {whole[0]:.4f}")
        elif m.enough(OVERALL):
            found.append(f"{m.name} {row['bits_per_byte']:.4f} (text as it is)")
    if not found:
        return f"{len(models)} models were measured, on too few documents to show a value."
    return f"Bits per byte on held-out text: {', '.join(found)}."
