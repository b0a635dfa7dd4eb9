"""Duplicate clusters: how many, how large, and the largest with their texts side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilebuilder.report import charts
from pilebuilder.report.cells import Cell, enough, not_measured, shorten
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections import repeats
from pilebuilder.report.table import Column, Excerpt, Excerpts, Figure, Prose, Section, Table

BESIDE, CLUSTERS = 3, 6
"""Texts of a cluster shown side by side, and how many clusters are shown so."""
GIANT = 1000
"""Documents from which on a cluster is worth a person's look, as the dedup stage counts them."""


def size_table(facts: Facts) -> Table:
    """Clusters by number of members."""
    sizes = dict(facts.clusters["sizes"])
    rows = [(size, n, size * n, (size - 1) * n) for size, n in sorted(sizes.items())]
    return Table(
        name="cluster-sizes",
        title="Clusters by number of documents",
        definition="A15",
        columns=(
            Column(key="members", title="Documents in the cluster", kind="count"),
            Column(key="clusters", title="Clusters", kind="count"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="removed", title="Removed", kind="count"),
        ),
        rows=tuple(rows),
        totals=(("All", *(sum(r[i] for r in rows) for i in (1, 2, 3))),),
        fold=15,
        note="A cluster holds documents joined by verified similarity; one member stays, the others are removed.",
        weighting="counts",
    )


def size_figure(facts: Facts) -> Figure | None:
    """Clusters and documents in them, by cluster size class."""
    sizes = dict(facts.clusters["sizes"])
    if not sizes:
        return None
    classes = [(2, 2), (3, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 127), (128, 255), (256, 1023), (1024, None)]
    rows = []
    for low, high in classes:
        inside = {s: n for s, n in sizes.items() if s >= low and (high is None or s <= high)}
        if inside:
            label = str(low) if low == high else f"{low} to {high}" if high else f"{low} and more"
            rows.append((f"{label} documents", sum(inside.values()), sum(s * n for s, n in inside.items())))

    def draw(width: int) -> str:
        made = []
        for label, clusters, documents in rows:
            parts = (
                charts.Part(clusters, "c1", f"{label}: {clusters:,} clusters"),
                charts.Part(documents - clusters, "loss", f"{label}: {documents - clusters:,} removed"),
            )
            made.append(charts.Bar(label, parts, f"{clusters:,} kept, {documents - clusters:,} removed"))
        key = [("c1", "kept: one for each cluster"), ("loss", "removed")]
        return charts.bars(width, made, label="Documents in duplicate clusters", title="documents", key=key)

    return Figure(
        name="cluster-sizes",
        title="Documents in duplicate clusters",
        subtitle="By size of the cluster.",
        draw=draw,
        table="cluster-sizes",
        alt=f"{sum(sizes.values()):,} clusters with {sum(s * n for s, n in sizes.items()):,} documents; the"
        f" largest has {max(sizes):,}.",
    )


def largest_table(facts: Facts) -> Table:
    """The largest clusters: members, how similar those shown are to the kept one, how it begins."""
    rows: list[tuple[Cell, ...]] = []
    for cluster in facts.clusters["largest"]:
        texts = cluster["texts"]
        parts = ", ".join(dict.fromkeys(t["component"] for t in texts))
        least = min((t["similarity"] for t in texts if t.get("similarity") is not None), default=None)
        begins = shorten(" ".join(texts[0]["text"].split()), 90) if texts else not_measured("text not found")
        rows.append((cluster["survivor"][:12], cluster["members"], parts, least, begins))
    return Table(
        name="largest-clusters",
        title="Largest clusters",
        definition="A15",
        columns=(
            Column(key="kept", title="Kept document", kind="code"),
            Column(key="members", title="Documents", kind="count"),
            Column(key="components", title="Components"),
            Column(key="least_similarity", title="Least similarity", kind="number"),
            Column(key="begins", title="Begins"),
        ),
        rows=tuple(rows),
        fold=10,
        note="Components and similarity are of the first five members. Similarity is the Jaccard index of word"
        " shingles with the document that it duplicates, measured on the texts; 1 is an exact copy.",
        sample="largest clusters",
    )


def giant_clusters(facts: Facts) -> Prose | None:
    """A warning of clusters so large that a person should look: templates, licences, error pages."""
    giants = [(size, n) for size, n in facts.clusters["sizes"] if size >= GIANT]
    if not giants:
        return None
    clusters, documents = sum(n for _, n in giants), sum(size * n for size, n in giants)
    return Prose(
        text=f"{clusters:,} clusters of {GIANT:,} documents or more hold {documents:,} documents. Such clusters are"
        " mostly templates, licences or error pages: look at the largest below, and raise `minhash.verify` or set"
        " `transitive: false` where they join what differs.",
        warning=True,
    )


def side_by_side(facts: Facts) -> list[Excerpts]:
    """Beginnings of the members of the largest clusters."""
    blocks = []
    for cluster in facts.clusters["largest"][:CLUSTERS]:
        texts = tuple(
            Excerpt(label=f"{_fate(t, cluster)}; {t['component']}, {t['id'][:12]}", text=t["text"], cut=t["cut"])
            for t in cluster["texts"][:BESIDE]
        )
        if texts:
            note = f"{cluster['members']:,} documents; the beginnings of {len(texts)}."
            blocks.append(Excerpts(title=f"Cluster of {cluster['survivor'][:12]}", note=note, texts=texts))
    return blocks


def _fate(text: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    """What happened to a member."""
    if text["id"] == cluster["survivor"]:
        return "kept"
    measured = text.get("similarity")
    likeness = f", similarity {measured:.2f}" if measured is not None else ""
    return f"removed ({text.get('reason', 'duplicate')}{likeness})"


def method_table(facts: Facts) -> Table | None:
    """Documents removed by each method and component."""
    sums: dict[str, dict[str, int]] = {}
    for component, stage, _, action, reason, n in facts.ledger.get("rows", []):
        if stage == "dedup" and action == "duplicate":
            held = sums.setdefault(reason, {})
            held[component] = held.get(component, 0) + n
    if not sums:
        return None
    seen = {name: count.seen for name, count in facts.stages.get("dedup", {}).items()}
    methods = [m for m in ("exact", "url", "minhash") if m in sums] + sorted(set(sums) - {"exact", "url", "minhash"})
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        if name in seen:
            gone = [sums[m].get(name, 0) for m in methods]
            rows.append((name, seen[name], *gone, enough(seen[name], sum(gone) / seen[name]) if seen[name] else None))
    total = [sum(sums[m].values()) for m in methods]
    every = sum(seen.values())
    return Table(
        name="duplicate-rates",
        title="Duplicates removed by method",
        definition="A15",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="documents", title="Documents in", kind="count"),
            *(Column(key=m, title=m, kind="count", group="Removed by") for m in methods),
            Column(key="rate", title="Rate", kind="share"),
        ),
        rows=tuple(rows),
        totals=(("Whole", every, *total, enough(every, sum(total) / every) if every else None),),
        note="Methods run in this order, each on what the one before left.",
        weighting="per document",
    )


def curve_table(facts: Facts) -> Table | None:
    """How likely a pair of a given similarity is compared at all: 1 - (1 - s^r)^b."""
    near = (facts.settings.get("dedup") or {}).get("minhash")
    if not near:
        return None
    bands, rows = near["bands"], near["rows"]
    points = [0.5 + 0.05 * i for i in range(10)]
    return Table(
        name="minhash",
        title="Chance that MinHash proposes a pair, by similarity",
        definition="A15",
        columns=(
            Column(key="similarity", title="Jaccard similarity", kind="number"),
            Column(key="proposed", title="Proposed", kind="share"),
        ),
        rows=tuple((s, 1 - (1 - s**rows) ** bands) for s in points),
        note=f"{bands} bands of {rows} minima over word {near['ngram']}-grams. Proposed pairs are compared on their"
        f" texts and count as duplicates from a similarity of {near['verify']:g} on, so precision at that similarity"
        " is exact and the curve bounds recall. Recall on this corpus: not measured: no pairs were labelled; a"
        " comparison of all pairs of a sample would measure it.",
        sample="by formula",
    )


def section(facts: Facts) -> Section:
    """Duplicates."""
    title = "Duplicates"
    made = (repeats.repeat_table(facts), repeats.repeat_figure(facts), repeats.shared_table(facts))
    still = tuple(block for block in (*made, repeats.frequent_table(facts)) if block)
    if "dedup" in facts.off:
        gap = Prose(text=f"{not_measured('the recipe turns dedup off')}: near-duplicates.", warning=True)
        return Section(name="duplicates", title=title, lead="", blocks=(*still, gap))
    if "dedup" not in facts.stages:
        gap = Prose(text=f"{not_measured('deduplication has not run in this build')}: near-duplicates.", warning=True)
        return Section(name="duplicates", title=title, lead="", blocks=(*still, gap))
    merged = sum(c.merged for c in facts.stages.get("dedup", {}).values())
    seen = sum(c.seen for c in facts.stages.get("dedup", {}).values())
    lead = f"{merged:,} of {seen:,} documents ({merged / seen:.1%}) were duplicates of one that stays." if seen else ""
    if not facts.clusters.get("sizes"):
        return Section(
            name="duplicates", title=title, lead=lead, blocks=(Prose(text="No duplicate cluster was found."), *still)
        )
    figure = size_figure(facts)
    return Section(
        name="duplicates",
        title=title,
        lead=lead,
        blocks=(
            *([figure] if figure else []),
            *(p for p in (giant_clusters(facts),) if p),
            *(t for t in (method_table(facts), curve_table(facts)) if t),
            size_table(facts),
            largest_table(facts),
            *still,
            *side_by_side(facts),
        ),
    )
