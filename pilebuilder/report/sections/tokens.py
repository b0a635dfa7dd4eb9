"""Tokens by component, and how many bytes a token stands for."""

from __future__ import annotations

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

WHOLE = "Whole"


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
    means = {name: document_ratio(facts, *([] if name == WHOLE else [name])) for name in [*held, WHOLE]}
    named = sorted(held.items(), key=lambda kv: (-kv[1][0], kv[0]))

    def row(name: str, tokens: int, size: int, documents: int) -> tuple[Cell, ...]:
        head = (name, tokens, tokens / total[0] if total[0] else None, documents)
        if not documents:
            return (*head, *[None] * 6)
        if documents < TOO_FEW_DOCUMENTS:
            return (*head, too_few(documents), *[None] * 5)
        ratio = size / tokens if tokens else None
        density = words_per_byte(facts, None if name == WHOLE else name)
        words = density * ratio if density is not None and ratio is not None else None
        ratios = (tokens / documents, tokens / size if size else None, ratio, words)
        return (*head, *ratios, *means.get(name, (None, None)))

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
            Column(key="words_per_token", title="Words per token", kind="number", digits=3),
            Column(key="document_mean", title="mean", kind="number", digits=3, group="Of documents"),
            Column(key="document_deviation", title="std. dev.", kind="number", digits=3, group="Of documents"),
        ),
        rows=tuple(row(name, *values) for name, values in named),
        totals=(row(WHOLE, *total),),
        note=f"Tokenizer: {facts.tokens.get('tokenizer', 'unknown')}. All splits with the copies"
        " that epochs make, without the marks that end documents. Tokens per byte and bytes per token are ratios of"
        " sums over documents, so long documents weigh more; mean and deviation are of bytes per token of each"
        " document. Words per token: words between white space per byte of the distinct documents, times bytes per"
        " token.",
        weighting="per byte (effective)",
    )


def words_per_byte(facts: Facts, name: str | None) -> float | None:
    """White-space words over bytes of the distinct documents of a component, or (None) of the corpus as mixed."""
    if name is None:  # weighted as the tokens are: by the text of all copies
        held = [(v[1], words_per_byte(facts, n)) for n, v in sums(facts).items()]
        size = sum(b for b, w in held if w is not None)
        return sum(b * w for b, w in held if w is not None) / size if size else None
    profile = facts.profiles.get(name)
    size = profile.get("bytes", "sum") if profile else 0
    return profile.get("plain_words", "sum") / size if profile and size else None


def document_ratio(facts: Facts, name: str | None = None) -> tuple[float | None, float | None]:
    """Mean and deviation over documents of bytes per token: the other measure, that the Pile's figure 6 draws."""
    from pilebuilder.report.counters import sum_of
    from pilebuilder.report.measures.tokens import SCALE

    if facts.token_counts is None:
        return None, None
    names = facts.names if name is None else [name]
    held = sum_of(facts.token_counts.distribution(f"bytes per token\t{n}") for n in names)
    return (held.mean / SCALE, held.deviation / SCALE) if held.n else (None, None)


def sampled_table(facts: Facts) -> Table:
    """Tokens per byte of a sample, with its interval, and what it says of the whole component."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.sampled_tokens.get(name)
        if not held or not held["tokens"]:
            rows.append((name, 0, Gap("no documents"), *[None] * 8))
        elif held["documents"] < TOO_FEW_DOCUMENTS:
            rows.append((name, held["documents"], too_few(held["documents"]), *[None] * 8))
        else:
            rate, words = held["tokens"] / held["bytes"], words_per_byte(facts, name)
            low, high = held["interval"]
            ratio = (rate, low, high, 1 / rate, words / rate if words is not None else None)
            estimate = round(rate * facts.raw_bytes(name))
            rows.append((name, held["documents"], held["tokens"], *ratio, *document_ratio(facts, name), estimate))
    return Table(
        name="tokens",
        title="Tokens of a sample",
        definition="A3",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="documents", title="Documents", kind="count", group="Sample"),
            Column(key="tokens", title="Tokens", kind="count", group="Sample"),
            Column(key="tokens_per_byte", title="Rate", kind="number", digits=4, group="Tokens per byte"),
            Column(key="low", title="low", kind="number", digits=4, group="Tokens per byte"),
            Column(key="high", title="high", kind="number", digits=4, group="Tokens per byte"),
            Column(key="bytes_per_token", title="Bytes per token", kind="number", digits=3),
            Column(key="words_per_token", title="Words per token", kind="number", digits=3),
            Column(key="document_mean", title="mean", kind="number", digits=3, group="Of documents"),
            Column(key="document_deviation", title="std. dev.", kind="number", digits=3, group="Of documents"),
            Column(key="estimate", title="Tokens, about", kind="count"),
        ),
        rows=tuple(rows),
        note="Tokenizer: gpt2. No token files count every document, so a sample was encoded: each document whole and"
        " alone, without marks. Rates are ratios of sums; mean and deviation are of bytes per token of each document."
        " Tokens, about: the rate times the component's text.",
        weighting="per byte (raw)",
        sample="documents with the lowest draws by the seed, about 2 MiB of text of each component",
        interval="95 %, bootstrap over documents, 1,000 resamples",
    )


def token_figure(facts: Facts) -> Figure | None:
    """Bytes per token, sorted, with the corpus value as a line."""
    counted = {name: v for name, v in sums(facts).items() if v[0]}
    held = {name: v for name, v in counted.items() if v[2] >= TOO_FEW_DOCUMENTS}
    if not held:
        return None
    value = {name: v[1] / v[0] for name, v in held.items()}
    whole = sum(v[1] for v in counted.values()) / sum(v[0] for v in counted.values())
    few = len(counted) - len(held)
    names = sorted(held, key=lambda n: (-value[n], n))

    def whisker(name: str) -> tuple[float, float] | None:
        mean, deviation = document_ratio(facts, name)
        return None if mean is None or deviation is None else (max(0.0, mean - deviation), mean + deviation)

    def marks(name: str) -> tuple[charts.Part, ...]:
        mean, _ = document_ratio(facts, name)
        ratio = charts.Part(value[name], "c1", f"{name}: {value[name]:.3f} over all text")
        if mean is None:
            return (ratio,)
        return (charts.Part(mean, "ring", f"{name}: mean of documents {mean:.3f}"), ratio)

    def draw(width: int) -> str:
        rows = [charts.Dots(n, marks(n), whisker(n), f"{value[n]:.2f}") for n in names]
        return charts.dots(
            width,
            rows,
            label="Bytes per token by component",
            title="bytes of text per token",
            show=lambda v: f"{v:g}",
            key=[("c1", "ratio of sums"), ("ring", "mean of documents, with standard deviation")],
            lines=[(whole, f"corpus {whole:.2f}")],
        )

    return Figure(
        name="bytes-per-token",
        title="Bytes of text per token",
        subtitle="Ratio of sums over all copies of documents, and the mean of each document's ratio with its standard"
        f" deviation; tokenizer {facts.tokens.get('tokenizer', 'unknown')}."
        + (f" {few} components of fewer than {TOO_FEW_DOCUMENTS} documents are not drawn." if few else ""),
        draw=draw,
        table="tokens",
        alt=f"From {value[names[-1]]:.2f} in {names[-1]} to {value[names[0]]:.2f} in {names[0]}; corpus {whole:.2f}.",
    )


def section(facts: Facts) -> Section:
    """Tokens."""
    if not facts.tokens and facts.sampled_tokens:
        table = sampled_table(facts)
        about = sum(int(row[-1]) for row in table.rows if isinstance(row[-1], int))
        lead = f"About {about:,} tokens with gpt2, by a sample of the components that have enough documents."
        lead = lead if about else "Too few documents in every component for an estimate."
        return Section(name="tokens", title="Tokens", lead=lead, blocks=(table,))
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
