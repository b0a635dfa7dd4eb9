"""How hard each component is for a model that has not seen the corpus, against one that has (figure 3)."""

from __future__ import annotations

from pilebuilder.report import heat
from pilebuilder.report.cells import Cell, not_measured, too_few
from pilebuilder.report.evaluations import Measured, difficulty, measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.bits import FOLDED, REASON, sample_of
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.table import Column, Figure, Table


def compared(facts: Facts) -> tuple[Measured | None, Measured | None, str]:
    """The best model trained here, the best imported one, and why they cannot be compared ("" when they can)."""
    models, share = measured(facts), weights(parts_of(facts))
    values = {m.name: whole[0] for m in models if (whole := m.whole(share)) is not None}
    ranked = sorted((m for m in models if m.name in values), key=lambda m: (values[m.name], m.name))
    own = next((m for m in ranked if m.kind == "run"), None)
    reference = next((m for m in ranked if m.kind == "import"), None)
    return own, reference, _no_difficulty(own, reference, str(facts.config.get("web_component") or ""))


def difficulty_table(facts: Facts) -> Table:
    """A strong model that did not see the corpus against one that did."""
    own, reference, reason = compared(facts)
    models, web = measured(facts), str(facts.config.get("web_component") or "")
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        if reason or own is None or reference is None:
            rows.append((name, not_measured(reason), None, None))
        elif own.enough(name) and reference.enough(name):
            theirs, mine, their_web, my_web = (
                m.rows[n]["bits_per_byte"] for n in (name, web) for m in (reference, own)
            )
            rows.append((name, theirs, mine, difficulty(theirs, mine, their_web, my_web)))
        else:
            row = own.rows.get(name)
            rows.append((name, too_few(row["documents"] if row else 0), None, None))
    rows.sort(key=lambda r: -r[3] if isinstance(r[3], float) else 0.0)
    chosen = f" Reference: {reference.name}; own: {own.name}." if own and reference else ""
    return Table(
        fold=FOLDED if reason else 0,
        name="difficulty",
        title="Relative difficulty",
        definition="A13",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="reference", title="Reference", kind="number", digits=4),
            Column(key="own", title="Own", kind="number", digits=4),
            Column(key="difference", title="Difference", kind="number", digits=4),
        ),
        rows=tuple(rows),
        note="Difference: (reference minus reference on the web component) minus (own minus own on it), in bits per"
        " byte. Low: the reference model knows such text already. The reference is the best imported model, own the"
        f" best one trained here.{chosen}",
        sample=sample_of(models),
    )


def _no_difficulty(own: Measured | None, reference: Measured | None, web: str) -> str:
    if own is None and reference is None:
        return REASON
    if own is None:
        return "no model trained here was evaluated"
    if reference is None:
        return "no imported model was evaluated"
    if not web:
        return "the recipe names no report.web_component"
    if not own.enough(web) or not reference.enough(web):
        return f"too few documents of {web}"
    return ""


def difficulty_figure(facts: Facts) -> Figure | None:
    """Differences in order, with the corpus value as a line."""
    own, reference, reason = compared(facts)
    share, web = weights(parts_of(facts)), str(facts.config.get("web_component") or "")
    if own is None or reference is None or reason:
        return None
    found = [(str(row[0]), row[3]) for row in difficulty_table(facts).rows if isinstance(row[3], float)]
    theirs, mine = reference.whole(share), own.whole(share)
    line: tuple[float, str] | None = None
    if theirs and mine:
        there, here = (m.rows[web]["bits_per_byte"] for m in (reference, own))
        whole = difficulty(theirs[0], mine[0], there, here)
        line = (whole, f"corpus {whole:+.3f}")

    def draw(width: int) -> str:
        rows = [heat.Side(name, value, f"{value:+.4f} bits per byte") for name, value in found]
        return heat.diverging(
            width,
            rows,
            label="Relative difficulty by component",
            title="difference (bits per byte)",
            ends=("known to the reference", "hard for it"),
            show=lambda v: f"{v:+.2g}" if v else "0",
            line=line,
        )

    return Figure(
        name="difficulty",
        title="Relative difficulty of the components",
        subtitle=f"What {reference.name} loses against {own.name} on each component, less the same on {web}; bits per"
        " byte. Dashed: the corpus, by effective size.",
        draw=draw,
        table="difficulty",
        alt=f"Hardest for {reference.name}: {', '.join(n for n, _ in found[:3])}; best known:"
        f" {', '.join(n for n, _ in found[-3:])}.",
    )
