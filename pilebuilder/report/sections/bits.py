"""Bits per byte of trained models and of two companions that need none (the Pile paper's tables 2, 8 and 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pilebuilder.report import bytemodel, lines
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, not_measured, show_size, too_few
from pilebuilder.report.compressed import NAME, as_evaluation
from pilebuilder.report.evaluations import COVERED, OVERALL, Measured, Z, measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Block, Column, Figure, Table

REASON = "no evaluation of a trained checkpoint in this build"
ORDER_5 = (
    f"{bytemodel.NAME.capitalize()}: counts of the byte after the {bytemodel.ORDER} before it, interpolated after"
    f" Witten and Bell, from about {show_size(bytemodel.TRAINED)} of the training split, on about"
    f" {show_size(bytemodel.READ)} of each component's test split. Both need no model, and order components much as"
    " models do."
)
ABSENT = "Trained model"
"""The group of columns that stands for models when none was measured."""
FOLDED = 3
"""Rows of a table without any value that a page shows."""


def _value(m: Measured, component: str) -> tuple[Cell, Cell]:
    row = m.rows.get(component)
    if row is None:
        return not_measured(f"no {m.split} text of it"), None
    if not m.enough(component):
        return too_few(row["documents"]), None
    return row["bits_per_byte"], row["standard_error"]


def companions(facts: Facts) -> list[Measured]:
    """The general compressor and the byte model on the test split, in the form of models."""
    held = ((NAME, facts.compressed), (bytemodel.NAME, facts.bytemodel))
    return [Measured(as_evaluation(sums, name)) for name, sums in held if any(row[1] for row in sums.values())]


def sample_of(models: Sequence[Measured]) -> str:
    if not models:
        return "the test split"
    limits = sorted(int(m.held["token_limit"]) for m in models if m.held.get("token_limit"))
    cut = f", the first documents of each component up to {limits[0]:,} tokens" if limits else ""
    return f"the {models[0].split} split{cut}"


def evaluation_table(facts: Facts) -> Table:
    """Bits per byte by component for every model evaluated, as table 2, and for a compressor."""
    models, share, others = measured(facts), weights(parts_of(facts)), companions(facts)
    shown = [*models, *(others if all(m.split == "test" for m in models) else [])]
    gap: tuple[Cell, ...] = () if models else (not_measured("no checkpoint"),)
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        cells = [cell for m in shown for cell in _value(m, name)]
        row = shown[0].rows.get(name) if shown else None
        rows.append((name, share[name], *gap, *cells, *((row["documents"], row["bytes"]) if row else (None, None))))
    names = [*([] if models else [ABSENT]), *(m.name for m in shown)]
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
                )[: 1 if name == ABSENT else 2]
            ),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="bytes", title="Text", kind="bytes"),
        ),
        rows=tuple(rows),
        fold=0 if shown else FOLDED,
        totals=_totals(shown, share, gap),
        note="Sum of nats over ln 2 times the bytes of text; each document alone after an end of document, in windows"
        " of the network's longest context that do not overlap, each token scored once. Standard errors take documents"
        f" as the sample. Below {TOO_FEW_DOCUMENTS} documents a cell shows their number alone. The corpus value weighs"
        f" components by effective size, where those with a value are {COVERED:.0%} of the corpus or more."
        + (f" {NAME}: a general compressor on each document alone. {ORDER_5}" if others else ""),
        weighting="ratio of sums within a component; effective bytes over components",
        sample=sample_of(models),
    )


def _key(what: str, name: str) -> str:
    return f"{what}: {name}" if name else what


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
        sample=sample_of(models),
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
        sample=sample_of(models),
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
