"""How long documents are: percentiles per component, and histograms over fixed logarithmic bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, many, not_measured, show_size, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

if TYPE_CHECKING:
    from pilebuilder.report.counters import Distribution

PERCENTILES = (1, 5, 25, 50, 75, 95, 99, 99.9)
PER_DECADE, DECADES = 20, 9
ENOUGH = 1_000
"""Documents below which lengths are shared by chance alone."""
CUT, CUT_BINS = 0.99, 100
"""The paper's figure leaves out documents above this quantile, and has so many bins."""
DRAWN = 2
"""Bins joined in a drawn bar: 10 bars per decade."""
UNITS = {
    "bytes": ("bytes", "UTF-8 bytes"),
    "characters": ("characters", "Unicode code points"),
    "plain_words": ("words", "words between white space"),
    "words": ("unicode-words", "Unicode words"),
}
COMMON, OUTLIER, NEIGHBOURS, TIMES = 0.005, 0.0005, 10, 5
"""A length of more than 0.5 % of documents is common; an outlier has over 0.05 %, and five times its neighbours."""
TICKS = ("1 B", "10 B", "100 B", "1 kB", "10 kB", "100 kB", "1 MB", "10 MB", "100 MB", "1 GB")


def edges() -> list[int]:
    """Lower edges of the bins in bytes: 0, then 20 per decade from 1 byte; the last bin is open."""
    # Rounded up to whole bytes, so that bins hold integers exactly; powers of ten are exact.
    found = [0]
    for k in range(PER_DECADE * DECADES + 1):
        whole = 10 ** (k // PER_DECADE)
        edge = whole if k % PER_DECADE == 0 else -int(-(10.0 ** (k / PER_DECADE)) // 1)
        found.append(max(edge, found[-1] + 1) if k else 1)
    return found


def percentile_table(facts: Facts, measure: str) -> Table:
    """Number, mean, deviation, extremes and percentiles of a length, by component and whole."""
    name, words = UNITS[measure]
    held = {s.name: facts.profiles[s.name].distribution(measure) for s in facts.sources if s.name in facts.profiles}
    columns = _length_columns()
    rows = [_row(facts, s.name, held.get(s.name), len(columns)) for s in facts.sources]
    whole = facts.whole.distribution(measure)
    return Table(
        name=f"lengths-{name}",
        title=f"Document length in {words}",
        definition="A2",
        columns=columns,
        rows=tuple(rows),
        totals=((("Whole", whole.n, _empty(facts), *_numbers(whole)),) if whole.n >= TOO_FEW_DOCUMENTS else ()),
        note="Distinct documents, before epochs. Percentiles are exact below 65,536 and within 0.1 % above.",
        weighting="per document",
    )


def _empty(facts: Facts) -> int:
    return facts.whole.get("empty")


def _row(facts: Facts, name: str, held: Distribution | None, width: int) -> tuple[Cell, ...]:
    if held is None:
        gap = not_measured("no summary of its documents") if facts.documents(name) else Gap("no documents")
        return (name, gap, *[None] * (width - 2))
    if held.n < TOO_FEW_DOCUMENTS:
        return (name, held.n, facts.profiles[name].get("empty"), too_few(held.n), *[None] * (width - 4))
    return (name, held.n, facts.profiles[name].get("empty"), *_numbers(held))


def _numbers(held: Distribution) -> tuple[Cell, ...]:
    percentiles = (held.quantile(p / 100) for p in PERCENTILES)
    return (held.mean, held.deviation, held.least, *percentiles, held.most)


def histogram_table(facts: Facts) -> Table:
    """Documents by length bin and component: the numbers behind the figure."""
    import numpy as np

    low = edges()
    names = [n for n in facts.names if n in facts.profiles]
    counts = {n: facts.profiles[n].distribution("bytes").over(np.array(low)) for n in names}
    used = [i for i in range(len(low)) if any(counts[n][i] for n in names)]
    shown = range(used[0], used[-1] + 1) if used else range(0)
    return Table(
        name="length-histogram",
        title="Documents by length",
        definition="A2",
        columns=(
            Column(key="from_bytes", title="From (bytes)", kind="count"),
            Column(key="to_bytes", title="To below (bytes)", kind="count"),
            *(Column(key=n, title=n, kind="count") for n in names),
        ),
        rows=tuple(
            (low[i], low[i + 1] if i + 1 < len(low) else None, *(int(counts[n][i]) for n in names)) for i in shown
        ),
        fold=10,
        note="Fixed bins, 20 per decade. Lengths above 65,536 bytes are binned by intervals 0.1 % wide.",
        weighting="per document",
    )


def drawn(facts: Facts) -> tuple[dict[str, Distribution], list[str]]:
    """Lengths in bytes of the components that have enough documents to be drawn, and the names of the others."""
    names = [n for n in facts.names if n in facts.profiles and facts.documents(n)]
    held = {n: facts.profiles[n].distribution("bytes") for n in names}
    return {n: d for n, d in held.items() if d.n >= TOO_FEW_DOCUMENTS}, [
        n for n in names if held[n].n < TOO_FEW_DOCUMENTS
    ]


def _without(few: list[str]) -> str:
    return f"; {len(few)} with fewer than {TOO_FEW_DOCUMENTS} documents are not drawn" if few else ""


def cut_figure(facts: Facts) -> Figure | None:
    """The Pile's figure 5: 100 equal bins from 0 to the 99th percentile, what is above it left out."""
    held, few = drawn(facts)
    if not held:
        return None

    def panel(name: str) -> charts.Panel:
        import numpy as np

        found = held[name]
        top = max(found.quantile(CUT), CUT_BINS)
        edges = np.array([top * i // CUT_BINS for i in range(CUT_BINS)] + [top + 1])
        counts = found.over(edges)[:-1]
        return charts.Panel(name, tuple(int(c) for c in counts), f"n = {found.n:,}, 0 to {show_size(top)}")

    def draw(width: int) -> str:
        shown = [panel(n) for n in held]
        return charts.panels(
            width, shown, label="Histograms of document length without the longest", first=0, ticks=[]
        )

    longest = max(held, key=lambda n: (held[n].quantile(CUT), n))
    return Figure(
        name="length-cut",
        title="Document lengths without the longest hundredth",
        subtitle="100 equal bins of bytes from 0 to the 99th percentile of each component, the longest 1 % of"
        " documents left out, as in the Pile paper's figure 5; each panel on its own scale.",
        draw=draw,
        table="lengths-bytes",
        alt=f"Histograms for {len(held)} components{_without(few)}. The 99th percentile is largest in {longest}"
        f" ({show_size(held[longest].quantile(CUT))}).",
    )


def histogram_figure(facts: Facts) -> Figure | None:
    """One small panel per component over a common logarithmic axis."""
    import numpy as np

    low = edges()
    held, few = drawn(facts)
    names = list(held)
    if not names:
        return None
    joined = {}
    for n in names:
        counts = held[n].over(np.array(low))[1:]  # empty documents are in the table, not on a logarithmic axis
        counts = np.append(counts, np.zeros(-len(counts) % DRAWN, np.int64))
        joined[n] = counts.reshape(-1, DRAWN).sum(1)
    used = [i for i in range(len(joined[names[0]])) if any(joined[n][i] for n in names)]
    first, last = (max(0, used[0] - 2), used[-1] + 3) if used else (0, 10)
    per = PER_DECADE // DRAWN
    ticks = [(k * per, label) for k, label in enumerate(TICKS)]

    def draw(width: int) -> str:
        panels = []
        for n in names:
            median = held[n].quantile(0.5)
            mark = float(np.log10(max(median, 1)) * per)
            counts = tuple(int(c) for c in joined[n][:last])
            panels.append(charts.Panel(n, counts, f"n = {held[n].n:,}, median {show_size(median)}", mark))
        return charts.panels(width, panels, label="Histograms of document length", first=first, ticks=ticks)

    longest = max(names, key=lambda n: (held[n].quantile(0.5), n))
    shortest = min(names, key=lambda n: (held[n].quantile(0.5), n))
    return Figure(
        name="length-histogram",
        title="Document lengths by component",
        subtitle="Documents per bin of length in bytes, 10 bars per decade, each panel scaled to its own highest bar;"
        " the line marks the median. Nothing is cut off.",
        draw=draw,
        table="length-histogram",
        alt=f"Histograms for {len(names)} components{_without(few)}. Median length is largest in {longest}"
        f" ({show_size(held[longest].quantile(0.5))}) and smallest in {shortest}"
        f" ({show_size(held[shortest].quantile(0.5))}).",
    )


def token_table(facts: Facts) -> Table | None:
    """Lengths in tokens, from the token files."""
    if facts.token_counts is None:
        return None
    from pilebuilder.report.counters import sum_of

    rows: list[tuple[Cell, ...]] = []
    whole = sum_of(facts.token_counts.distribution(f"tokens\t{name}") for name in facts.names)
    for name in facts.names:
        held = facts.token_counts.distribution(f"tokens\t{name}")
        numbers = (
            _numbers(held) if held.n >= TOO_FEW_DOCUMENTS else (too_few(held.n), *[None] * (len(PERCENTILES) + 3))
        )
        rows.append((name, held.n, *numbers))
    return Table(
        name="lengths-tokens",
        title="Document length in tokens",
        definition="A2",
        columns=tuple(c for c in _length_columns() if c.key != "empty"),
        rows=tuple(rows),
        totals=((("Whole", whole.n, *_numbers(whole)),) if whole.n >= TOO_FEW_DOCUMENTS else ()),
        note=f"All splits with the copies that epochs make, without end marks; tokenizer {facts.tokens['tokenizer']}."
        if facts.tokens
        else "Distinct documents, without end marks; tokenizer gpt2.",
        weighting="per copy of a document" if facts.tokens else "per document",
        sample="all documents" if facts.tokens else "about 2 MiB of text of each component, drawn by the seed",
    )


def _length_columns() -> tuple[Column, ...]:
    return (
        Column(key="component", title="Component", kind="name"),
        Column(key="documents", title="Documents", kind="count"),
        Column(key="empty", title="Empty", kind="count"),
        Column(key="mean", title="Mean", kind="number", digits=1),
        Column(key="deviation", title="Std. dev.", kind="number", digits=1),
        Column(key="min", title="Min", kind="count"),
        *(Column(key=f"p{p:g}", title=f"{p:g} %", kind="count", group="Percentile") for p in PERCENTILES),
        Column(key="max", title="Max", kind="count"),
    )


def summary_table(facts: Facts) -> Table:
    """Size, documents, words, longest and shortest document: what catalogues of corpora print."""
    rows: list[tuple[Cell, ...]] = []
    for name in [*facts.names, None]:
        held = facts.whole if name is None else facts.profiles.get(name)
        if held is None:
            rows.append((name, Gap("no documents"), *[None] * 6))
            continue
        words = held.distribution("words")
        sizes = (held.get("bytes", "sum") / 1e9, held.get("documents"), words.total)
        extremes = (words.most if words.n else None, words.least if words.n else None)
        rows.append((name or "Whole", *sizes, *extremes, held.get("empty"), held.get("blank")))
    return Table(
        name="summary",
        title="Size of the corpus and of its documents",
        definition="7.1",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="gigabytes", title="Size", kind="number", digits=4, unit="GB"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="words", title="Words", kind="count"),
            Column(key="longest", title="Longest", kind="count", unit="words"),
            Column(key="shortest", title="Shortest", kind="count", unit="words"),
            Column(key="empty", title="Empty", kind="count"),
            Column(key="blank", title="White space alone", kind="count"),
        ),
        rows=tuple(rows[:-1]),
        totals=(rows[-1],),
        note="GB is 10^9 bytes of UTF-8 text. Words are Unicode words (UAX #29), punctuation marks counted.",
        weighting="sums",
    )


def templates_of(held: Distribution) -> list[tuple[int, int]]:
    """Lengths that too many documents share, with their number: a sign of chunking or of templates."""
    count = dict(zip(held.keys.tolist(), held.counts.tolist(), strict=True))
    found = []
    for length, n in count.items():
        near = sorted(count.get(length + d, 0) for d in range(-NEIGHBOURS, NEIGHBOURS + 1) if d)
        middle = (near[NEIGHBOURS - 1] + near[NEIGHBOURS]) / 2
        if n > COMMON * held.n or (n > OUTLIER * held.n and n > TIMES * middle):
            found.append((length, n))
    return sorted(found, key=lambda kv: (-kv[1], kv[0]))


def template_table(facts: Facts) -> Table | None:
    """Lengths in code points that stand out, by component; only where there are enough documents to tell."""
    from pilebuilder.report.counters import EXACT

    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.profiles[name].distribution("characters") if name in facts.profiles else None
        if held is not None and held.n >= ENOUGH:
            rows += [(name, at, n, n / held.n) for at, n in templates_of(held)[:10] if at < EXACT and n > 1]
    if not rows:
        return None
    return Table(
        name="template-lengths",
        title="Lengths that too many documents share",
        definition="A2, 7.4",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="characters", title="Length", kind="count", unit="code points"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share", title="Of the component", kind="share"),
        ),
        rows=tuple(rows),
        fold=12,
        note="Exact lengths of more than 0.5 % of a component's documents, or of more than 0.05 % and five times"
        " the median"
        " of the ten lengths on each side. They point to chunks of fixed size or to templates; short texts share"
        " lengths by chance. Components with at least 1,000 documents.",
        weighting="per document",
    )


def section(facts: Facts) -> Section:
    """Document lengths."""
    if not facts.profiles:
        gap = Prose(text=f"{not_measured('no document summaries in this build')}.", warning=True)
        return Section(name="lengths", title="Document lengths", lead="", blocks=(gap,))
    figures = [f for f in (histogram_figure(facts), cut_figure(facts)) if f]
    templates, tokens = template_table(facts), token_table(facts)
    held = facts.whole.distribution("bytes")
    lead = "No document is left to measure."
    if held.n:
        lead = (
            f"Of {many(held.n, 'document')} half have at most {show_size(held.quantile(0.5))} of text; the"
            f" longest has {show_size(held.most)}."
        )
    return Section(
        name="lengths",
        title="Document lengths",
        lead=lead,
        blocks=(
            *figures,
            percentile_table(facts, "bytes"),
            summary_table(facts),
            *([templates] if templates else []),
            *(percentile_table(facts, measure) for measure in UNITS if measure != "bytes"),
            *([tokens] if tokens else []),
            histogram_table(facts),
        ),
    )
