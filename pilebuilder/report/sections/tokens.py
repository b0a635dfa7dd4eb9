"""Tokens by component, and how many bytes a token stands for."""

from __future__ import annotations

from pilebuilder.report import charts
from pilebuilder.report.cells import not_measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Figure, Prose, Section, Table


def sums(facts: Facts) -> dict[str, tuple[int, int, int]]:
    """Tokens, bytes and documents by component over all splits."""
    found = {}
    for name in facts.names:
        splits = facts.tokens.get("components", {}).get(name, {}).values()
        found[name] = tuple(sum(s[k] for s in splits) for k in ("tokens", "bytes", "documents"))
    return found  # type: ignore[return-value]


def token_table(facts: Facts) -> Table:
    """Tokens, share, tokens per byte and bytes per token (ratios of sums)."""
    held = sums(facts)
    total = tuple(sum(v[i] for v in held.values()) for i in range(3))
    means = {name: document_ratio(facts, name) for name in held}
    named = sorted(held.items(), key=lambda kv: (-kv[1][0], kv[0]))

    def row(name: str, tokens: int, size: int, documents: int) -> tuple[str | int | float | None, ...]:
        return (
            name,
            tokens,
            tokens / total[0] if total[0] else None,
            documents,
            tokens / documents if documents else None,
            tokens / size if size else None,
            size / tokens if tokens else None,
            *means.get(name, (None, None)),
        )

    return Table(
        name="tokens",
        title="Tokens by component",
        definition="A3",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="tokens", title="Tokens", kind="count"),
            Column(key="share", title="Of tokens", kind="share"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="tokens_per_document", title="Per document", kind="number", digits=1, unit="tokens"),
            Column(key="tokens_per_byte", title="Tokens per byte", kind="number", digits=4),
            Column(key="bytes_per_token", title="Bytes per token", kind="number", digits=3),
            Column(key="document_mean", title="mean", kind="number", digits=3, group="Of documents"),
            Column(key="document_deviation", title="std. dev.", kind="number", digits=3, group="Of documents"),
        ),
        rows=tuple(row(name, *values) for name, values in named),
        totals=(row("Whole", *total),),
        note=f"Tokenizer: {facts.tokens.get('tokenizer', 'unknown')}. All splits with the copies"
        " that epochs make, without the marks that end documents. Tokens per byte and bytes per token are ratios of"
        " sums over documents, so long documents weigh more; mean and deviation are of the ratio of each document.",
        weighting="per byte (effective)",
    )


def document_ratio(facts: Facts, name: str) -> tuple[float | None, float | None]:
    """Mean and deviation over documents of bytes per token: the other measure, that the Pile's figure 6 draws."""
    from pilebuilder.report.measures.tokens import SCALE

    if facts.token_counts is None:
        return None, None
    held = facts.token_counts.distribution(f"bytes per token\t{name}")
    return (held.mean / SCALE, held.deviation / SCALE) if held.n else (None, None)


def token_figure(facts: Facts) -> Figure | None:
    """Bytes per token, sorted, with the corpus value as a line."""
    held = {name: v for name, v in sums(facts).items() if v[0]}
    if not held:
        return None
    value = {name: v[1] / v[0] for name, v in held.items()}
    whole = sum(v[1] for v in held.values()) / sum(v[0] for v in held.values())
    names = sorted(held, key=lambda n: (-value[n], n))

    def whisker(name: str) -> tuple[float, float] | None:
        mean, deviation = document_ratio(facts, name)
        return None if mean is None or deviation is None else (max(0.0, mean - deviation), mean + deviation)

    def draw(width: int) -> str:
        rows = [charts.Dots(n, (charts.Part(value[n], "c1"),), whisker(n), f"{value[n]:.2f}") for n in names]
        return charts.dots(
            width,
            rows,
            label="Bytes per token by component",
            title="bytes of text per token",
            show=lambda v: f"{v:g}",
            line=whole,
            line_label=f"corpus {whole:.2f}",
        )

    return Figure(
        name="bytes-per-token",
        title="Bytes of text per token",
        subtitle="Dots: ratio of sums over all documents; bars: mean and standard deviation of each document's ratio;"
        f" tokenizer {facts.tokens.get('tokenizer', 'unknown')}.",
        draw=draw,
        table="tokens",
        alt=f"From {value[names[-1]]:.2f} in {names[-1]} to {value[names[0]]:.2f} in {names[0]}; corpus {whole:.2f}.",
    )


def section(facts: Facts) -> Section:
    """Tokens."""
    if not facts.tokens:
        gap = Prose(text=f"{facts.token_count(facts.names[0]) if facts.names else not_measured('no component')}.")
        return Section(name="tokens", title="Tokens", lead="", blocks=(gap,))
    figure, table = token_figure(facts), token_table(facts)
    total = table.totals[0][1]
    return Section(
        name="tokens",
        title="Tokens",
        lead=f"{total:,} tokens with {facts.tokens.get('tokenizer', 'the tokenizer')}.",
        blocks=(*([figure] if figure else []), table),
    )
