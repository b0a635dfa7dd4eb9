"""What the corpus is made of: the component table (the Pile's table 1), the same beside the Pile, the treemap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pilebuilder.ledger import Tally
from pilebuilder.report import charts
from pilebuilder.report.cells import Cell, Gap, Kind, enough, many, scale_of, show_size
from pilebuilder.report.facts import Facts
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

CLASSES = ("academic", "internet", "prose", "dialogue", "other")
# The Pile's figure 1 groups its components so; a component of another corpus falls under "other".
CLASS_OF = {
    **dict.fromkeys(
        ("PubMed Central", "ArXiv", "FreeLaw", "USPTO Backgrounds", "PubMed Abstracts", "PhilPapers", "NIH ExPorter"),
        "academic",
    ),
    **dict.fromkeys(("Pile-CC", "OpenWebText2", "StackExchange", "Wikipedia (en)"), "internet"),
    **dict.fromkeys(("Books3", "Gutenberg (PG-19)", "BookCorpus2"), "prose"),
    **dict.fromkeys(
        ("OpenSubtitles", "Ubuntu IRC", "EuroParl", "YoutubeSubtitles", "HackerNews", "Enron Emails"), "dialogue"
    ),
}
STAGES = {"read": "Reading", "filter": "Filters", "dedup": "Deduplication", "mix": "Mix"}
"""Stages that remove documents."""
PREPARED = ("Books3", "Gutenberg (PG-19)", "OpenSubtitles", "DM Mathematics", "EuroParl", "Enron Emails")
"""Components that the Pile's table 1 marks with a dagger: used with minimal preprocessing from prior work."""
DRAWN = 25
"""Components of a figure; the rest is one bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component's line: sizes in bytes of text."""

    name: str
    raw: float
    epochs: float
    documents: int
    realised: float | None = None
    tokens: Cell = None
    licence: str = ""
    lost: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By stage: documents that entered it, and of these those that did not leave it."""

    @property
    def effective(self) -> float:
        return self.raw * self.epochs


def weights(parts: Sequence[Part]) -> dict[str, float]:
    """Share of each component in the effective size; they add to 1 (to 0 for a corpus without text)."""
    total = math.fsum(p.effective for p in parts)
    return {p.name: p.effective / total if total else 0.0 for p in parts}


def by_weight(parts: Sequence[Part]) -> list[Part]:
    """Largest effective size first, then by name."""
    return sorted(parts, key=lambda p: (-p.effective, p.name))


def parts_of(facts: Facts) -> list[Part]:
    """The corpus's components, largest weight first."""
    realised = facts.mixture.get("components", {})
    return by_weight(
        [
            Part(
                name=s.name,
                raw=facts.raw_bytes(s.name),
                epochs=facts.epochs(s.name),
                documents=facts.documents(s.name),
                realised=realised[s.name]["realised_epochs"] if s.name in realised else None,
                tokens=facts.token_count(s.name),
                licence=(s.card.get("licence") or {}).get("spdx") or ("in words" if s.licence else ""),
                lost=_lost(facts, s.name),
            )
            for s in facts.sources
        ]
    )


def _lost(facts: Facts, name: str) -> dict[str, tuple[int, int]]:
    """Documents that entered each stage, and how many stayed behind."""
    counts = {stage: facts.stages.get(stage, Tally()).get(name) for stage in STAGES}
    return {stage: (c.seen, c.seen - c.kept) for stage, c in counts.items() if c is not None}


def component_table(parts: Sequence[Part], title: str = "Components of the corpus") -> Table:
    """The Pile's table 1, with documents, tokens and losses added."""
    share = weights(parts)
    documents, raw = sum(p.documents for p in parts), math.fsum(p.raw for p in parts)
    counted = [p.tokens for p in parts if isinstance(p.tokens, int)]
    gap = next((p.tokens for p in parts if isinstance(p.tokens, Gap)), None)
    rows = tuple(
        (
            p.name,
            p.raw,
            share[p.name],
            p.epochs,
            p.realised,
            p.effective,
            p.documents,
            p.raw / p.documents if p.documents else None,
            p.tokens,
            p.licence or Gap("not stated"),
        )
        for p in parts
    )
    mean = raw / documents if documents else None
    effective = math.fsum(p.effective for p in parts)
    total = ("Total", raw, sum(share.values()), None, None, effective, documents, mean)
    return _known(
        Table(
            name="components",
            title=title,
            definition="A1",
            columns=(
                Column(key="component", title="Component", kind="name"),
                Column(key="raw_bytes", title="Raw size", kind="bytes"),
                Column(key="weight", title="Weight", kind="share"),
                Column(key="epochs", title="asked", kind="number", group="Epochs"),
                Column(key="realised_epochs", title="realised", kind="number", group="Epochs"),
                Column(key="effective_bytes", title="Effective size", kind="bytes"),
                Column(key="documents", title="Documents", kind="count"),
                Column(key="mean_document_bytes", title="Mean document", kind="bytes"),
                Column(key="tokens", title="Tokens", kind="count"),
                Column(key="licence", title="Licence", kind="text"),
            ),
            rows=rows,
            totals=((*total, gap if gap is not None else sum(counted), None),),
            note="Raw size is the UTF-8 text after cleaning, filtering and deduplication, before epochs and before the"
            " holdout. Effective size is raw size times epochs; weight is the share of the total effective size."
            " Realised epochs are copies written to the training shards over distinct training documents. Tokens count"
            " all splits with their copies. A licence in words stands on the page of consent and licences.",
            weighting="sizes are sums over documents; weights by effective bytes",
        )
    )


def _known(table: Table) -> Table:
    """Without the columns that no row has a value in: a corpus made elsewhere has no stages and no mix."""
    recorded = {"realised_epochs"}
    used = {c.key for i, c in enumerate(table.columns) if any(row[i] is not None for row in table.rows)}
    kept = [i for i, c in enumerate(table.columns) if c.key not in recorded or c.key in used]
    if not table.rows or len(kept) == len(table.columns):
        return table

    def cut(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return tuple(row[i] for i in kept)

    gone = ", ".join(f"{c.group} {c.title}".strip() for i, c in enumerate(table.columns) if i not in kept)
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(map(cut, table.rows)),
        totals=tuple(map(cut, table.totals)),
        note=f"{table.note} Not measured, since no build recorded it: {gone}.",
    )


def removed_table(facts: Facts, parts: Sequence[Part]) -> Table | None:
    """What each stage removed of what entered it."""
    if not any(p.lost for p in parts):
        return None
    stages = [stage for stage in STAGES if any(stage in p.lost for p in parts)]

    def row(name: str, held: Sequence[Part]) -> tuple[Cell, ...]:
        seen = [sum(p.lost[s][0] for p in held if s in p.lost) for s in stages]
        gone = [sum(p.lost[s][1] for p in held if s in p.lost) for s in stages]
        cells = [(n, enough(n, k / n) if n else None) for n, k in zip(seen, gone, strict=True)]
        return (name, *(value for pair in cells for value in pair))

    return Table(
        name="removed-by-stage",
        title="What each stage removed",
        definition="A1",
        columns=(
            Column(key="component", title="Component", kind="name"),
            *(
                column
                for s in stages
                for column in (
                    Column(key=f"in_{s}", title="In", kind="count", group=STAGES[s]),
                    Column(key=f"removed_{s}", title="Removed", kind="share", group=STAGES[s]),
                )
            ),
        ),
        rows=tuple(row(p.name, [p]) for p in parts),
        totals=(row("Total", parts),),
        note="In counts the records or documents that entered the stage; removed is the share that did not leave it as"
        " documents. What was read and is no document of its kind counts as removed in reading.",
        weighting="per record, per document",
    )


def pile_table(facts: Facts, parts: Sequence[Part]) -> Table | None:
    """The same beside the Pile paper's own figures, for components whose card has them."""
    known = {s.name: s.pile for s in facts.sources if s.pile}
    if not known:
        return None
    share = weights(parts)
    measures: tuple[tuple[str, str, Kind], ...] = (
        ("raw_bytes", "Raw size", "bytes"),
        ("weight", "Weight", "share"),
        ("epochs", "Epochs", "number"),
        ("documents", "Documents", "count"),
        ("mean_document_bytes", "Mean document", "bytes"),
    )
    rows = tuple(
        (
            p.name,
            p.raw,
            f["raw_gib"] * 2**30,
            share[p.name],
            f["weight_percent"] / 100,
            p.epochs,
            f["epochs"],
            p.documents,
            f["documents"],
            p.raw / p.documents if p.documents else None,
            f["mean_kib"] * 1024,
            "yes" if p.name in PREPARED else "",
        )
        for p in parts
        for f in [known.get(p.name)]
        if f
    )
    return Table(
        name="components-and-pile",
        title="Beside the Pile's own figures",
        definition="A1",
        columns=(
            Column(key="component", title="Component", kind="name"),
            *(
                Column(key=prefix + key, title=title, kind=kind, group=group)
                for key, group, kind in measures
                for prefix, title in (("", "Here"), ("pile_", "The Pile"))
            ),
            Column(key="pile_minimal", title="Prepared by others"),
        ),
        rows=rows,
        note="The Pile's figures are those of Gao et al. 2020 (arXiv:2101.00027), table 1, as the component's card"
        " quotes them. Weights of this corpus are shares of this corpus, whatever components it has. Prepared by"
        " others: the Pile used it with minimal preprocessing from prior work (the dagger of table 1).",
        weighting="as in the component table",
    )


def size_figure(parts: Sequence[Part]) -> Figure:
    """Raw against effective size: shows upweighting, and reads well in print."""
    shown = _gathered(parts)

    def draw(width: int) -> str:
        rows = [
            charts.Bar(
                p.name,
                (
                    charts.Part(min(p.raw, p.effective), "c1", f"{p.name}: raw size {show_size(p.raw)}"),
                    charts.Part(
                        max(p.effective - p.raw, 0), "c1 light", f"{p.name}: effective {show_size(p.effective)}"
                    ),
                    charts.Part(max(p.raw - p.effective, 0), "hollow", f"{p.name}: left out by less than one epoch"),
                ),
                f"{show_size(p.effective)} ({p.epochs:g}x)",
            )
            for p in shown
        ]
        key = [("c1", "raw size"), ("c1 light", "added by epochs")]
        if any(p.effective < p.raw for p in shown):
            key.append(("hollow", "left out by epochs below 1"))
        name, unit = scale_of(max(p.raw, p.effective) for p in shown)
        return charts.bars(
            width, rows, label="Raw and effective size by component", title=f"text ({name})", key=key, unit=unit
        )

    largest = parts[0] if parts else None
    return Figure(
        name="sizes",
        title="Raw and effective size of the components",
        subtitle="Bytes of UTF-8 text; effective size is raw size times epochs.",
        draw=draw,
        table="components",
        alt=f"Bars of {many(len(parts), 'component')}; the largest is {largest.name} with an effective size of"
        f" {show_size(largest.effective)}."
        if largest
        else "No component has text.",
    )


def _gathered(parts: Sequence[Part]) -> list[Part]:
    """The largest components, and the rest as one."""
    if len(parts) <= DRAWN:
        return list(parts)
    rest = parts[DRAWN - 1 :]
    raw, effective = math.fsum(p.raw for p in rest), math.fsum(p.effective for p in rest)
    epochs = effective / raw if raw else 1.0
    other = Part(name=f"other ({len(rest)})", raw=raw, epochs=round(epochs, 2), documents=0)
    return [*parts[: DRAWN - 1], other]


def identity_table(facts: Facts, parts: Sequence[Part]) -> Table:
    """Sums that must agree in any build, and whether they do."""
    rows: list[tuple[Cell, ...]] = []
    total = math.fsum(weights(parts).values())
    if any(p.effective for p in parts):
        rows.append(("weights", "weights add to 1", 1.0, total, abs(total - 1) <= 1e-9))
    held = facts.mixture.get("components", {})
    for name, part in held.items():
        train, epochs = part["splits"].get("train", {}), float(part["epochs"])
        if "available_bytes" in train and epochs.is_integer():
            wanted, found = int(epochs) * train["available_bytes"], train["placed_bytes"]
            rows.append(
                ("epochs", f"{name}: training text is {epochs:g} times the text", wanted, found, wanted == found)
            )
    placed = sum(s.get("placed_bytes", 0) for part in held.values() for s in part["splits"].values())
    if held and facts.shards:
        stored = sum(shard["text_bytes"] or 0 for shard in facts.shards)
        rows.append(("shards", "shards hold the text that the mix placed", placed, stored, placed == stored))
    return Table(
        name="identities",
        title="Sums that must agree",
        definition="A1",
        columns=(
            Column(key="kind", title="Sum", kind="name"),
            Column(key="what", title="Identity"),
            Column(key="expected", title="Expected", kind="number", digits=0),
            Column(key="found", title="Found", kind="number", digits=0),
            Column(key="holds", title="Holds"),
        ),
        rows=tuple(rows),
        fold=4,
        note="Bytes of text, but for the weights. A fraction of an epoch is a draw, so only whole epochs have an exact"
        " sum.",
        weighting="sums",
    )


def treemap_figure(facts: Facts, parts: Sequence[Part]) -> Figure:
    """The Pile's figure 1: area is effective size, colour the broad class."""
    share = weights(parts)
    kinds = {p.name: CLASS_OF.get(p.name, "other") for p in parts}
    used = [k for k in CLASSES if k in kinds.values()]
    # A corpus outside the Pile's classes gets a colour for each component instead of one colour for all.
    single = len(used) < 2

    def css(name: str) -> str:
        return colour(facts.names.index(name)) if single else colour(CLASSES.index(kinds[name]))

    def draw(width: int) -> str:
        boxes = [charts.Box(p.name, p.effective, css(p.name), f"{share[p.name]:.1%}") for p in parts]
        key = [] if single else [("tile " + colour(CLASSES.index(k)), k) for k in used]
        return charts.treemap(width, boxes, label="Treemap of components by effective size", key=key)

    words = ", ".join(f"{p.name} {share[p.name]:.1%}" for p in parts[:6])
    return Figure(
        name="treemap",
        title="Share of each component in the corpus",
        subtitle="Area is effective size" + ("." if single else "; colour is the broad class of the source."),
        draw=draw,
        table="components",
        alt=f"Shares by effective size: {words}" + (", and smaller ones." if len(parts) > 6 else "."),
    )


def section(facts: Facts) -> Section:
    """Composition."""
    parts = parts_of(facts)
    beside = pile_table(facts, parts)
    total = math.fsum(p.effective for p in parts)
    lead = (
        f"{len(parts)} component{'s' if len(parts) != 1 else ''},"
        f" {sum(p.documents for p in parts):,} distinct documents,"
        f" {show_size(math.fsum(p.raw for p in parts))} of text; {show_size(total)} with epochs."
    )
    empty = [p.name for p in parts if not p.documents]
    warning = Prose(text="Without a document: " + ", ".join(empty) + ".", warning=True)
    sums = identity_table(facts, parts)
    broken = [str(row[1]) for row in sums.rows if not row[-1]]
    alarm = Prose(text=f"Sums that do not agree: {'; '.join(broken)}.", warning=True)
    return Section(
        name="components",
        title="Composition",
        lead=lead,
        blocks=(
            component_table(parts),
            *([gone] if (gone := removed_table(facts, parts)) else []),
            *([warning] if empty else []),
            *([size_figure(parts)] if total else []),
            *([treemap_figure(facts, parts)] if sum(p.effective > 0 for p in parts) > 1 else []),
            *([beside] if beside else []),
            *([alarm] if broken else []),
            *([sums] if sums.rows else []),
        ),
    )
