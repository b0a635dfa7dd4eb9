"""Texts and web addresses that stand on several documents of the corpus as it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, enough, many, not_measured, shorten, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.stats import NORMAL_95
from pilebuilder.report.table import Column, Figure, Prose, Table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KINDS = {"text": "Text", "url": "Web address"}
SHOWN, CUT, SHOWN_PAIRS = 10, 100, 200
WHOLE = "Whole"
SPAN = 1 << 64


def counts(table: pa.Table, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Digests and documents of the sampled texts or addresses."""
    import numpy as np
    import pyarrow.compute as pc

    held = table.filter(pc.equal(table.column("kind"), kind))
    digests = np.array([int(d, 16) for d in held.column("digest").to_pylist()], np.uint64)
    return digests, np.asarray(held.column("documents").to_numpy(), np.int64)


def whole(facts: Facts, kind: str, share: float) -> np.ndarray:
    """Documents of each text or address over all components, those below the smallest share of any."""
    import numpy as np

    parts = [counts(table, kind) for table in facts.repeats.values()]
    digests = np.concatenate([d for d, _ in parts]) if parts else np.zeros(0, np.uint64)
    documents = np.concatenate([n for _, n in parts]) if parts else np.zeros(0, np.int64)
    if share < 1:
        chosen = digests < np.uint64(int(share * SPAN))
        digests, documents = digests[chosen], documents[chosen]
    distinct, where = np.unique(digests, return_inverse=True)
    return np.bincount(where, documents, len(distinct)).astype(np.int64)


def rates(documents: np.ndarray, share: float) -> tuple[Cell, ...]:
    """Documents, groups, documents in them, their share with its interval, copies beyond the first and their share."""
    n, several = int(documents.sum()), documents[documents > 1]
    if n < TOO_FEW_DOCUMENTS:
        return (n, None, too_few(n), *[None] * 5)
    inside, excess = int(several.sum()), n - len(documents)
    rate = inside / n
    low: Cell = None
    high: Cell = None
    if share < 1:  # a ratio of sums over sampled texts
        left = (documents > 1) * documents - rate * documents
        half = NORMAL_95 * math.sqrt(float((left * left).sum())) / n
        low, high = max(0.0, rate - half), min(1.0, rate + half)
    return (n, len(several), inside, rate, low, high, excess, excess / n)


def repeat_table(facts: Facts) -> Table:
    """Repeated texts and addresses by component."""
    shares = {name: float(facts.shares.get(name, 1.0)) for name in facts.repeats}
    rows: list[tuple[Cell, ...]] = []
    for kind, title in KINDS.items():
        for name in facts.names:
            table = facts.repeats.get(name)
            documents = counts(table, kind)[1] if table is not None else None
            if documents is None or not len(documents):
                gap = not_measured("no URL metadata" if kind == "url" else "no documents")
                rows.append((title, name, 0, None, gap, *[None] * 5))
            else:
                rows.append((title, name, *rates(documents, shares[name])))
        least = min(shares.values(), default=1.0)
        rows.append((title, WHOLE, *rates(whole(facts, kind, least), least)))
    group = "In groups of two or more"
    return Table(
        name="repeats",
        title="Texts and web addresses that stand on several documents",
        definition="A15, 7.4",
        columns=(
            Column(key="what", title="Same"),
            Column(key="component", title="Component", kind="name"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="groups", title="Groups", kind="count", group=group),
            Column(key="documents_in_groups", title="Documents", kind="count", group=group),
            Column(key="rate", title="Share", kind="share", group=group),
            Column(key="rate_low", title="low", kind="share", group=group),
            Column(key="rate_high", title="high", kind="share", group=group),
            Column(key="excess", title="Documents", kind="count", group="Beyond the first copy"),
            Column(key="excess_rate", title="Share", kind="share", group="Beyond the first copy"),
        ),
        rows=tuple(sorted(rows, key=_rank)),
        fold=max(4, sum(bool(r[3]) or r[1] == WHOLE for r in rows)),
        note="Counted on the documents"
        + (
            " of the files, copies for epochs included."
            if facts.from_files
            else " before the mix copies them for epochs."
        )
        + " Texts are compared byte by byte (by"
        " digest), addresses as written.",
        weighting="per document",
        sample="all documents"
        if all(s >= 1 for s in shares.values())
        else "texts and addresses whose digest falls below a share that leaves about 50,000 of each component",
        interval="95 %, of a ratio over sampled texts; none where all were looked at",
    )


def repeat_figure(facts: Facts) -> Figure | None:
    """Documents that share their text with another, and the texts they share, by component."""
    rows = []
    for name, table in facts.repeats.items():
        documents = counts(table, "text")[1]
        several = documents[documents > 1]
        if len(several) and int(documents.sum()) >= TOO_FEW_DOCUMENTS:
            rows.append((name, int(several.sum()), len(several)))
    if not rows:
        return None
    rows.sort(key=lambda r: (-r[1], r[0]))

    def draw(width: int) -> str:
        made = [
            charts.Bar(
                name,
                (
                    charts.Part(groups, "c1", f"{name}: {groups:,} texts"),
                    charts.Part(n - groups, "loss", f"{name}: {n:,}"),
                ),
                f"{n:,} documents, {groups:,} texts",
            )
            for name, n, groups in rows
        ]
        key = [("c1", "texts: one document of each"), ("loss", "further copies")]
        return charts.bars(width, made, label="Documents that share their text", title="documents", key=key)

    return Figure(
        name="repeats",
        title="Documents that share their text with another",
        subtitle="Byte by byte, of the documents looked at; components with any.",
        draw=draw,
        table="repeats",
        alt=f"Most in {rows[0][0]}: {rows[0][1]:,} documents of {rows[0][2]:,} texts.",
    )


def _rank(row: tuple[Cell, ...]) -> tuple[bool, bool, bool]:
    """The whole corpus first, then components with repeats, then those without, then those without a value."""
    return (row[1] != WHOLE, not row[3], any(isinstance(v, Gap) for v in row))


def shared_table(facts: Facts) -> Table | Prose | None:
    """Texts that stand in two components: overlap that no component shows alone."""
    import numpy as np

    held = {name: counts(table, "text") for name, table in facts.repeats.items()}
    share = min((float(facts.shares.get(name, 1.0)) for name in held), default=1.0)
    kept = {}
    for name, (digests, documents) in held.items():
        chosen = digests < np.uint64(int(share * SPAN)) if share < 1 else np.ones(len(digests), bool)
        kept[name] = (digests[chosen], documents[chosen])
    rows: list[tuple[Cell, ...]] = []
    names = [n for n in facts.names if n in kept]
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            _, at, there = np.intersect1d(kept[one][0], kept[other][0], return_indices=True)
            if len(at):
                mine, theirs = int(kept[one][1][at].sum()), int(kept[other][1][there].sum())
                of = (int(kept[one][1].sum()), int(kept[other][1].sum()))
                parts = (enough(of[0], mine / of[0]), enough(of[1], theirs / of[1]))
                rows.append((one, other, len(at), mine, parts[0], theirs, parts[1]))
    if len(names) < 2:
        return None
    if not rows:
        return Prose(text="No text stands in two components, byte by byte.")
    rows.sort(key=lambda r: (-int(str(r[2])), str(r[0]), str(r[1])))
    return Table(
        name="shared-texts",
        title="Texts that stand in two components",
        definition="A15",
        columns=(
            Column(key="first", title="Component", kind="name"),
            Column(key="second", title="and component"),
            Column(key="texts", title="Same texts", kind="count"),
            Column(key="first_documents", title="Documents", kind="count", group="Of the first"),
            Column(key="first_share", title="Share", kind="share", group="Of the first"),
            Column(key="second_documents", title="Documents", kind="count", group="Of the second"),
            Column(key="second_share", title="Share", kind="share", group="Of the second"),
        ),
        rows=tuple(rows[:SHOWN_PAIRS]),
        fold=12,
        note=f"Byte by byte (by digest). {many(len(rows), 'pair')} of components with a common text.",
        weighting="per document",
        sample="all documents" if share >= 1 else f"texts whose digest falls below {share:.2%} of its range",
    )


def frequent_table(facts: Facts) -> Table | None:
    """The texts and addresses with most documents, personal data masked."""
    import pyarrow.compute as pc

    from pilebuilder.report.measures.personal import mask

    rows = []
    for name, table in facts.repeats.items():
        for row in table.filter(pc.greater(table.column("documents"), 1)).to_pylist():
            rows.append((row["kind"], -row["documents"], name, row["digest"], row["shown"], row["characters"]))
    if not rows:
        return None
    rows.sort()
    chosen = [r for kind in KINDS for r in [r for r in rows if r[0] == kind][:SHOWN]]
    return Table(
        name="repeats-frequent",
        title="The most repeated",
        definition="7.4",
        columns=(
            Column(key="what", title="Same"),
            Column(key="component", title="Component", kind="name"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="characters", title="Length", kind="count", unit="characters"),
            Column(key="beginning", title="Beginning"),
        ),
        rows=tuple(
            (KINDS[kind], name, -n, characters, shorten(" ".join(mask(shown).split()), CUT))
            for kind, n, name, _, shown, characters in chosen
        ),
        note=f"The first {SHOWN} of each kind, cut after {CUT} characters.",
    )
