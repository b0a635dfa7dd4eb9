"""What only a trained model can tell: bits per byte, difficulty, comparison of training sets, cloze.

Numbers come from the evaluations and comparisons in the output folder (`pilebuilder.report.trained`). Until there are
some, every cell says why it is empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pilebuilder.report import lines
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, not_measured, too_few
from pilebuilder.report.compressed import NAME, as_evaluation
from pilebuilder.report.evaluations import COVERED, OVERALL, Measured, Z, difficulty, measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.comparison import comparison_figure, comparison_tables
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Block, Column, Figure, Prose, Section, Table

REASON = "no evaluation of a trained checkpoint in this build"
ADVICE = "Train with pilebuilder train RECIPE, measure with pilebuilder train eval RUN, then make the report again."
PUBLISHED = (
    ("GPT-2 small", 1.2253, "zero-shot"),
    ("GPT-2 medium", 1.0928, "zero-shot"),
    ("GPT-2 large", 1.0828, "zero-shot"),
    ("GPT-2 XL", 1.0468, "zero-shot"),
    ("GPT-3 ada", 0.9631, "zero-shot"),
    ("GPT-3 babbage", 0.8718, "zero-shot"),
    ("GPT-3 curie", 0.7980, "zero-shot"),
    ("GPT-3 davinci", 0.7177, "zero-shot"),
    ("1.3 B trained on the Pile", 0.9433, "40 GB of the Pile"),
    ("1.3 B trained on raw Common Crawl", 1.1275, "40 GB of raw Common Crawl"),
    ("1.3 B trained on CC-100 (en)", 1.3293, "40 GB of CC-100"),
    ("GPT-Neo 1.3B", 0.7527, "the Pile"),
    ("GPT-Neo 2.7B", 0.7165, "the Pile"),
)
"""Bits per byte on the Pile's own test split: Gao et al. 2020, tables 2 and 3; GPT-Neo's README."""


def _value(m: Measured, component: str) -> tuple[Cell, Cell]:
    row = m.rows.get(component)
    if row is None:
        return not_measured(f"no {m.split} text of it"), None
    if not m.enough(component):
        return too_few(row["documents"]), None
    return row["bits_per_byte"], row["standard_error"]


def companion(facts: Facts) -> Measured | None:
    """The general compressor on the test split, in the form of a model."""
    return Measured(as_evaluation(facts.compressed)) if any(row[1] for row in facts.compressed.values()) else None


def evaluation_table(facts: Facts) -> Table:
    """Bits per byte by component for every model evaluated, as table 2, and for a compressor."""
    models, share, other = measured(facts), weights(parts_of(facts)), companion(facts)
    shown = [*models, *([other] if other and all(m.split == "test" for m in models) else [])]
    gap: tuple[Cell, ...] = () if models else (not_measured(REASON), None)
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        cells = [cell for m in shown for cell in _value(m, name)]
        row = shown[0].rows.get(name) if shown else None
        rows.append((name, share[name], *gap, *cells, *((row["documents"], row["bytes"]) if row else (None, None))))
    names = [*([] if models else [""]), *(m.name for m in shown)]
    return Table(
        name="bits-per-byte",
        title="Bits per byte by component",
        definition="A12",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="weight", title="Weight", kind="share"),
            *(
                column
                for name in names
                for column in (
                    Column(
                        key=_key("bits_per_byte", name), title="Bits per byte", kind="number", digits=4, group=name
                    ),
                    Column(key=_key("standard_error", name), title="Std. error", kind="number", digits=4, group=name),
                )
            ),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="bytes", title="Text", kind="bytes"),
        ),
        rows=tuple(rows),
        totals=_totals(shown, share, gap),
        note="Sum of nats over ln 2 times the bytes of text; each document alone after an end of document, in windows"
        " of the network's longest context that do not overlap, each token scored once. Standard errors take documents"
        f" as the sample. Below {TOO_FEW_DOCUMENTS} documents a cell shows their number alone. The corpus value weighs"
        f" components by effective size, where those with a value are {COVERED:.0%} of the corpus or more."
        + (f" {NAME}: a general compressor on each document alone, for orientation." if other else ""),
        weighting="ratio of sums within a component; effective bytes over components",
        sample=_sample(models),
    )


def _key(what: str, name: str) -> str:
    return f"{what}: {name}" if name else what


def _sample(models: Sequence[Measured]) -> str:
    if not models:
        return "the test split"
    limits = sorted(int(m.held["token_limit"]) for m in models if m.held.get("token_limit"))
    cut = f", the first documents of each component up to {limits[0]:,} tokens" if limits else ""
    return f"the {models[0].split} split{cut}"


def _totals(
    shown: Sequence[Measured], share: Mapping[str, float], gap: tuple[Cell, ...]
) -> tuple[tuple[Cell, ...], ...]:
    total = sum(share.values())
    if not shown:
        return (("Whole corpus", total, *gap, None, None),)
    corpus: list[Cell] = []
    text: list[Cell] = []
    for m in shown:
        whole = m.whole(share)
        corpus += whole if whole else (Gap(f"only {m.covered(share):.0%} of the corpus has a value"), None)
        text += _value(m, OVERALL)
    row = shown[0].rows[OVERALL]
    return (
        ("Whole corpus, by effective size", total, *gap, *corpus, None, None),
        ("Held-out text as it is", None, *gap, *text, row["documents"], row["bytes"]),
    )


def detail_table(models: Sequence[Measured]) -> Table:
    """Everything that was measured, a row per model, protocol and component; perplexities as table 8."""
    rows: list[tuple[Cell, ...]] = []
    for m in models:
        for protocol in m.held["protocols"]:
            for s in protocol["scores"]:
                few = s["documents"] < TOO_FEW_DOCUMENTS
                error = s["standard_error"]
                spread = (
                    (None, None) if error is None else (s["bits_per_byte"] - Z * error, s["bits_per_byte"] + Z * error)
                )
                numbers: tuple[Cell, ...] = (
                    s["bits_per_byte"],
                    *spread,
                    math.exp(min(s["nats_per_token"], 700.0)),
                    s["tokens"] / s["bytes"],
                )
                shown = (too_few(s["documents"]), None, None, None, None) if few else numbers
                rows.append(
                    (m.name, protocol["name"], s["component"], *shown, s["documents"], s["tokens"], s["bytes"])
                )
    interval = "95 % interval"
    return Table(
        name="evaluations",
        title="Every measurement",
        definition="A12",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="protocol", title="Windows"),
            Column(key="component", title="Component"),
            Column(key="bits_per_byte", title="Bits per byte", kind="number", digits=4),
            Column(key="low", title="low", kind="number", digits=4, group=interval),
            Column(key="high", title="high", kind="number", digits=4, group=interval),
            Column(key="perplexity", title="Perplexity", kind="number", digits=3, unit="per token"),
            Column(key="tokens_per_byte", title="Tokens per byte", kind="number", digits=4),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="tokens", title="Tokens", kind="count"),
            Column(key="bytes", title="Text", kind="bytes"),
        ),
        rows=tuple(rows),
        fold=12,
        note="Segments: windows that do not overlap. Sliding: windows that repeat the tokens before them as context,"
        " by half unless asked otherwise. Perplexities depend on the tokenizer and do not compare across models;"
        " bits per byte do.",
        weighting="ratio of sums",
        sample=_sample(models),
        interval="normal, standard error of a ratio of sums over documents, by linearisation",
    )


def model_table(models: Sequence[Measured]) -> Table:
    """Who was measured."""
    rows = []
    for m in models:
        subject = m.held["subject"]
        rows.append(
            (
                m.name,
                "trained here" if m.kind == "run" else "imported",
                str(subject["architecture"]),
                subject["parameters"],
                subject["step"],
                subject["tokens"],
                str(m.held["tokenizer"]["name"]),
                m.protocol["sequence"],
                str(subject["weights"]),
            )
        )
    return Table(
        name="models",
        title="The models",
        definition="A12",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="origin", title="Origin"),
            Column(key="architecture", title="Architecture"),
            Column(key="parameters", title="Parameters", kind="count"),
            Column(key="step", title="Step", kind="count"),
            Column(key="trained_tokens", title="Trained on", kind="count", unit="tokens"),
            Column(key="tokenizer", title="Tokenizer"),
            Column(key="context", title="Context", kind="count", unit="tokens"),
            Column(key="weights_sha256", title="Weights (sha256)", kind="code"),
        ),
        rows=tuple(rows),
        sample="evaluations in the output folder",
    )


def published_table() -> Table:
    """What others reached on the Pile's own test split."""
    return Table(
        name="published-bits",
        title="Published values on the Pile",
        definition="A12",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="bits_per_byte", title="Bits per byte", kind="number", digits=4),
            Column(key="trained_on", title="Trained on"),
        ),
        rows=PUBLISHED,
        note="Published: Gao et al. 2020, tables 2 and 3, and GPT-Neo's README. On another text than this corpus:"
        " for orientation, not for comparison.",
        sample="the Pile's test split",
    )


def difficulty_table(facts: Facts) -> Table:
    """A strong model that did not see the corpus against one that did."""
    models, share = measured(facts), weights(parts_of(facts))
    values = {m.name: whole[0] for m in models if (whole := m.whole(share)) is not None}
    ranked = sorted((m for m in models if m.name in values), key=lambda m: (values[m.name], m.name))
    own = next((m for m in ranked if m.kind == "run"), None)
    reference = next((m for m in ranked if m.kind == "import"), None)
    web = str(facts.config.get("web_component") or "")
    reason = _no_difficulty(own, reference, web)
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
        sample=_sample(models),
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


def position_blocks(models: Sequence[Measured]) -> list[Block]:
    """Loss by position in the window, figure 11."""
    held = [(m.name, m.protocol.get("positions") or []) for m in models if m.protocol.get("positions")]
    if not held:
        return []
    points = {name: [(float(start), float(nats)) for start, nats, _ in rows] for name, rows in held}

    def draw(width: int) -> str:
        series = [lines.Series(name, p, colour(i)) for i, (name, p) in enumerate(points.items())]
        return lines.lines(width, series, label="Loss by position", x_title="position in the window", height=150)

    rows = tuple((name, start, nats, n) for name, found in held for start, nats, n in found)
    table = Table(
        name="loss-by-position",
        title="Loss by position",
        definition="A12",
        columns=(
            Column(key="model", title="Model", kind="name"),
            Column(key="position", title="From position", kind="count"),
            Column(key="loss", title="Loss", kind="number", digits=4, unit="nats per token"),
            Column(key="tokens", title="Tokens", kind="count"),
        ),
        rows=rows,
        fold=8,
        note="Neighbouring positions of the window together, as figure 11 of the Pile paper.",
        weighting="per token",
        sample=_sample(models),
    )
    ends = "; ".join(f"{name} from {p[0][1]:.3f} to {p[-1][1]:.3f}" for name, p in points.items())
    figure = Figure(
        name="loss-by-position",
        title="Loss by position in the window",
        subtitle="Nats per token by position in the window, four positions together.",
        draw=draw,
        table="loss-by-position",
        alt=f"First and last positions: {ends}.",
    )
    return [figure, table]


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
        sample=_sample(models),
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
            published_table(),
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
