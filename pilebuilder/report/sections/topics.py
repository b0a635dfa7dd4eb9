"""Topics of each component, and how far each component lies from every other (the Pile paper's section 6.2)."""

from __future__ import annotations

from pilebuilder.report import charts, heat
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, enough, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.sampled.topics import FEWEST
from pilebuilder.report.stats import divergence
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

WEB = ("Pile-CC", "OpenWebText2")
"""Components that stand for the web when the recipe names none."""
METHOD = (
    "Latent Dirichlet allocation with 16 topics per component (scikit-learn, batch variational Bayes, symmetric priors"
    " 1/16, fixed seed), trained on half of a component's sample and judged on the other half. One dictionary for all:"
    " lower-case UAX #29 words of two characters or more with a letter, bundled English stop list version 1, in at"
    " least 5 documents and at most half of them, the 50,000 most widespread."
)


def fitted(facts: Facts) -> list[str]:
    """Components with a model, in order."""
    return [n for n in facts.names if facts.topics.get(n, {}).get("topics")]


def fit(facts: Facts, model: str, component: str) -> float | None:
    """Held-out log perplexity; None where it was not measured, or on too few documents."""
    held = facts.topics[model]["fit"].get(component)
    return held["nats"] if held and held["documents"] >= TOO_FEW_DOCUMENTS else None


def fit_cell(facts: Facts, model: str, component: str) -> Cell:
    held = facts.topics[model]["fit"].get(component)
    if held is None or held["nats"] is None:
        return not_measured("no word of the dictionary")
    return enough(held["documents"], held["nats"])


def topic_table(facts: Facts) -> Table:
    """Every topic: share, words by probability and by relevance, coherence; a column for a person's label."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.topics.get(name)
        if held is None or not held["topics"]:
            n = held["documents"] if held else 0
            gap = too_few(n) if n < FEWEST else not_measured("no word of the dictionary")
            rows.append((name, None, gap, *[None] * 5))
            continue
        for i, t in enumerate(held["topics"], 1):
            label = ", ".join(t["relevant"][:3])
            rows.append(
                (name, i, label, None, t["share"], " ".join(t["probable"]), " ".join(t["relevant"]), t["coherence"])
            )
    return Table(
        name="topics",
        title="Topics",
        definition="A5",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="topic", title="Topic", kind="count"),
            Column(key="label", title="Most relevant words"),
            Column(key="human_label", title="Label (by a person)"),
            Column(key="share", title="Share", kind="share", digits=1),
            Column(key="probable", title="Ten most probable"),
            Column(key="relevant", title="Ten most relevant"),
            Column(key="coherence", title="UMass", kind="number"),
        ),
        rows=tuple(rows),
        fold=32,
        note=f"{METHOD} Relevance is weighted 0.6 (Sievert and Shirley 2014). Share is the mean topic share of the"
        " training documents; UMass is the topic's coherence.",
        weighting="per document",
        sample="up to 1,500 documents of each component, the first 3,000 words of each",
    )


def fit_table(facts: Facts) -> Table:
    """Held-out log perplexity of each model on each component, and the words outside the dictionary."""
    models = fitted(facts)
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.topics.get(name)
        total = held["inside"] + held["outside"] if held else 0
        outside = held["outside"] / total if held and total else None
        cells: list[Cell] = [fit_cell(facts, m, name) for m in models]
        if cells and all(isinstance(c, Gap) for c in cells):
            cells = [cells[0], *[None] * (len(cells) - 1)]
        rows.append((name, outside, *cells))
    return Table(
        name="topic-fit",
        title="Held-out log perplexity of each component's model",
        definition="A5",
        columns=(
            Column(key="component", title="Evaluated on", kind="name"),
            Column(key="outside", title="Outside the dictionary", kind="share", digits=1),
            *(Column(key=m, title=m, kind="number", unit="nats", group="Model trained on") for m in models),
        ),
        rows=tuple(rows),
        note="Minus the variational bound per word of the dictionary, in nats; lower is closer. Words outside the"
        " dictionary are not seen by any model: a component with many of them can look close only because its odd"
        " words were left out.",
        weighting="per word",
        sample="held-out half of each component's sample; cells of fewer than 30 documents have no value",
    )


def clustered(names: list[str], away: dict[tuple[str, str], float]) -> list[str]:
    """Names in the order of the leaves of a tree (average linkage) over their mean distance in both directions."""
    if len(names) < 3:
        return names
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage

    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    distance = [max(0.0, (away.get((a, b), 0.0) + away.get((b, a), 0.0)) / 2) for a, b in pairs]
    tree = linkage(np.array(distance), "average", optimal_ordering=True)
    return [names[i] for i in leaves_list(tree)]


def fit_figure(facts: Facts, models: list[str]) -> Figure:
    """Rows are models, columns what they are judged on; each row less its own value."""
    away = {
        (m, c): there - own
        for m in models
        for c in models
        if (there := fit(facts, m, c)) is not None and (own := fit(facts, m, m)) is not None
    }
    order = clustered(models, away)
    most = max((abs(v) for v in away.values()), default=0.0)

    def cell(m: str, c: str) -> heat.Cell:
        value = away.get((m, c))
        if value is None:
            return heat.Cell(None, "", f"{m} on {c}: not measured")
        return heat.Cell(value / most if most else 0.0, f"{value:.2f}", f"model of {m} on {c}: {value:+.2f} nats")

    def draw(width: int) -> str:
        cells = [[cell(m, c) for c in order] for m in order]
        return heat.heat(width, order, order, cells, label="Topic distance between components", least=40)

    far = max(away, key=lambda k: away[k], default=None)
    return Figure(
        name="topic-fit",
        title="How well each component's topics fit the others",
        subtitle="Rows: the component a model was trained on; columns: where it is judged. Held-out log perplexity in"
        " nats per word, less the row's own value, so the diagonal is 0. Both in the order of a cluster tree.",
        draw=draw,
        table="topic-fit",
        alt=f"Farthest: the model of {far[0]} on {far[1]}, {away[far]:+.2f} nats."
        if far
        else "No pair could be compared.",
    )


def web_component(facts: Facts, among: list[str]) -> str | None:
    """The component that stands for the web, when it is among those that have a value."""
    wanted = [facts.config.get("web_component"), *WEB]
    return next((w for w in wanted if w in among), None)


def web_figure(facts: Facts, models: list[str]) -> Figure | None:
    """The Pile's figure 7: the web component's model on every component."""
    web = web_component(facts, models)
    if web is None:
        return None
    value = {n: v for n in facts.names if n in facts.topics and (v := fit(facts, web, n)) is not None}
    order = sorted(value, key=lambda n: (-value[n], n))
    line = value.get("OpenWebText2")
    lines = [(line, "OpenWebText2")] if line is not None else []

    def draw(width: int) -> str:
        rows = [charts.Dots(n, (charts.Part(value[n], "c1"),), value=f"{value[n]:.2f}") for n in order]
        return charts.dots(
            width, rows, label=f"Topic model of {web} on every component", title="nats per word", zero=False,
            show=lambda v: f"{v:g}", lines=lines,
        )  # fmt: skip

    return Figure(
        name="topic-web",
        title=f"Log perplexity of the topic model of {web}",
        subtitle="Nats per word of the dictionary, held-out documents.",
        draw=draw,
        table="topic-fit",
        alt=f"Farthest from {web}: {', '.join(order[:3])}; closest: {', '.join(order[-3:])}.",
    )


def divergence_table(facts: Facts) -> Table:
    """Jensen-Shannon divergence between word distributions: needs no model."""
    names = [
        n
        for n in facts.names
        if facts.topics.get(n, {}).get("inside") and facts.topics[n]["documents"] >= TOO_FEW_DOCUMENTS
    ]
    few = [n for n in facts.names if n in facts.topics and n not in names]
    words = {n: facts.topics[n]["words"] for n in names}
    value: dict[tuple[str, str], float] = {}
    for i, a in enumerate(names):
        for b in names[:i]:
            value[a, b] = value[b, a] = divergence(words[a], words[b])
    return Table(
        name="word-divergence",
        title="Divergence between the components' words",
        definition="A5",
        columns=(
            Column(key="component", title="Component", kind="name"),
            *(Column(key=n, title=n, kind="number", unit="bits") for n in names),
        ),
        rows=tuple((a, *(value.get((a, b), 0.0) for b in names)) for a in names),
        note="Jensen-Shannon divergence of the word counts over the shared dictionary: 0 for the same words in the"
        " same proportions, 1 for no word in common. Steadier than topic models on small components."
        + (f" Too few documents (fewer than {TOO_FEW_DOCUMENTS}): {', '.join(few)}." if few else ""),
        weighting="per word",
        sample="up to 1,500 documents of each component",
    )


def section(facts: Facts) -> Section:
    """Topics."""
    if not facts.topics:
        reason = "the recipe turns topics off" if not facts.config.get("topics", True) else "no sample was drawn"
        gap = Prose(text=f"{not_measured(reason)}.", warning=True)
        return Section(name="topics", title="Topics", lead="", blocks=(gap,))
    models = fitted(facts)
    web = web_figure(facts, models)
    figures = ([fit_figure(facts, models)] if len(models) > 1 else []) + ([web] if web else [])
    apart = divergence_table(facts)
    tables = ([fit_table(facts)] if models else []) + ([apart] if len(apart.rows) > 1 else [])
    return Section(
        name="topics",
        title="Topics",
        lead=f"{len(models)} of {len(facts.sources)} components have a topic model of their own.",
        blocks=(*figures, *tables, topic_table(facts)),
    )
