"""On what terms: consent (the Pile paper's table 5), licences with what they ask, sources left out."""

from __future__ import annotations

from dataclasses import dataclass

from pilebuilder.ledger import Tally
from pilebuilder.report import charts
from pilebuilder.report.cells import Cell, Gap, not_measured, scale_of, show_size
from pilebuilder.report.facts import Facts, Source
from pilebuilder.report.sections import optouts
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

CLASSES = ("public domain", "attribution", "share-alike", "non-commercial", "no derivatives", "mixed or unknown")
RESTRICTED = (
    "share of web text from domains that restrict crawlers in robots.txt or in their terms; it needs the robots.txt"
    " files of the registered domains, and a reader of their terms"
)
_PUBLIC = ("CC0", "PDDL", "UNLICENSE", "0BSD", "PUBLIC DOMAIN", "CC-PDDC", "CC-PDM")
_ATTRIBUTION = ("MIT", "BSD", "APACHE", "CC-BY-", "ISC", "PSF", "PYTHON-", "ZLIB", "ODC-BY", "BSL-1.0", "AFL", "ECL")
_SHARE = ("GPL", "CC-BY-SA", "GFDL", "ODBL", "MPL", "EPL", "LGPL", "AGPL", "CDDL", "OFL")


@dataclass(frozen=True, slots=True)
class Duties:
    """What a licence asks, as far as its identifier tells."""

    kind: str
    attribution: bool | None
    share_alike: bool | None
    commercial: bool | None


def duties(licence: str) -> Duties:
    """The class and duties of an SPDX expression; of several, the strictest. Not legal advice.

    >>> duties("CC-BY-SA-4.0").share_alike, duties("CC-BY-NC-4.0").commercial, duties("see card").kind
    (True, False, 'mixed or unknown')
    """
    name = licence.upper()
    if not name or " " in name.replace(" AND ", "").replace(" OR ", "").replace(" WITH ", ""):
        public = name.startswith("PUBLIC DOMAIN")
        return Duties("public domain", False, False, True) if public else Duties(CLASSES[-1], None, None, None)
    if "-NC" in name:
        return Duties("non-commercial", True, "-SA" in name, False)
    if "-ND" in name:
        return Duties("no derivatives", True, False, True)
    if any(k in name for k in _SHARE):
        return Duties("share-alike", True, True, True)
    if any(k in name for k in _ATTRIBUTION):
        return Duties("attribution", True, False, True)
    if any(k in name for k in _PUBLIC):
        return Duties("public domain", False, False, True)
    return Duties(CLASSES[-1], None, None, None)


def answer(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def consent_table(facts: Facts) -> Table:
    """Public, terms, author: unknown counts as no in the totals, as in the paper."""
    share = weights(parts_of(facts))
    rows: list[tuple[Cell, ...]] = []
    for s in facts.sources:
        consent = s.card.get("consent") or {}
        evidence = (s.card.get("licence") or {}).get("evidence") or s.card.get("homepage") or ""
        flags = [answer(consent.get(k)) for k in ("public", "terms", "author")]
        reserved = (optouts.signals_cell(facts, s), optouts.takedown_cell(facts, s))
        rows.append(
            (s.name, *flags, s.card.get("access", ""), s.licence or "unknown", *reserved, evidence, share[s.name])
        )
    sums = [sum(share[str(r[0])] for r in rows if r[i] == "yes") for i in (1, 2, 3)]
    total = ("Share of effective text", *(f"{v:.2%}" for v in sums), *[None] * 5, sum(share.values()))
    return Table(
        name="consent",
        title="Consent and terms",
        definition="A11",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="public", title="Public"),
            Column(key="terms", title="Terms of service"),
            Column(key="author", title="Author"),
            Column(key="access", title="Access"),
            Column(key="licence", title="Licence"),
            Column(key="opt_out_signals", title="Opt-out signals"),
            Column(key="taken_down", title="Taken down", kind="count"),
            Column(key="evidence", title="Evidence", kind="code"),
            Column(key="weight", title="Weight", kind="share"),
        ),
        rows=tuple(rows),
        totals=(total,),
        note="Public: freely and readily available online. Terms: obtained and used consistently with the host's"
        " terms. Author: the authors agreed to such use, or a reasonable person would not assume that it stays unused"
        " for research. Judged by whoever wrote the component's card, which the recipe's digest fixes; the evidence is"
        " the card's link. Nothing is inferred, and unknown counts as no in the totals.",
        weighting="totals by effective bytes",
        sample="all components",
    )


def licence_table(facts: Facts) -> Table:
    """Component by component: what the licence asks, and how much text and how many tokens stand under it."""
    parts = {p.name: p for p in parts_of(facts)}
    rows: list[tuple[Cell, ...]] = []
    for s in facts.sources:
        found = duties(s.licence)
        flags = [answer(v) for v in (found.attribution, found.share_alike, found.commercial)]
        rows.append(
            (
                s.name,
                s.licence or Gap("not stated on the card"),
                found.kind,
                *flags,
                parts[s.name].raw,
                parts[s.name].tokens,
            )
        )
    return Table(
        name="licences",
        title="Licences by component",
        definition="7.7",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="licence", title="Licence"),
            Column(key="class", title="Class"),
            Column(key="attribution", title="Attribution"),
            Column(key="share_alike", title="Share-alike"),
            Column(key="commercial", title="Commercial use"),
            Column(key="raw_bytes", title="Text", kind="bytes"),
            Column(key="tokens", title="Tokens", kind="count"),
        ),
        rows=tuple(rows),
        note="Duties as far as the licence's identifier tells them; not legal advice. The licence is the one that the"
        " card states; whether an aggregator states another is not recorded. Documents may carry licences of their"
        " own, counted below where readers recorded them.",
        weighting="sums",
    )


def class_sums(facts: Facts) -> dict[str, tuple[int, float]]:
    """Components and bytes of text by licence class."""
    found: dict[str, tuple[int, float]] = {}
    for p in parts_of(facts):
        source = next(s for s in facts.sources if s.name == p.name)
        kind = duties(source.licence).kind
        n, size = found.get(kind, (0, 0.0))
        found[kind] = (n + 1, size + p.raw)
    return found


def class_table(facts: Facts) -> Table:
    held = class_sums(facts)
    total = sum(size for _, size in held.values())
    return Table(
        name="licence-classes",
        title="Text by licence class",
        definition="7.7",
        columns=(
            Column(key="class", title="Class", kind="name"),
            Column(key="components", title="Components", kind="count"),
            Column(key="raw_bytes", title="Text", kind="bytes"),
            Column(key="share", title="Of text", kind="share"),
        ),
        rows=tuple((k, held[k][0], held[k][1], held[k][1] / total if total else None) for k in CLASSES if k in held),
        note=strictest(facts.sources),
        weighting="per byte (raw)",
    )


def strictest(sources: tuple[Source, ...]) -> str:
    """One sentence: what binds the corpus as a whole."""
    kinds = {s.name: duties(s.licence).kind for s in sources}
    for kind in ("mixed or unknown", "non-commercial", "no derivatives", "share-alike", "attribution"):
        names = [n for n, k in kinds.items() if k == kind]
        if names:
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            return f"Most restrictive: {kind} ({shown})."
    return "All components are in the public domain."


def class_figure(facts: Facts) -> Figure | None:
    held = class_sums(facts)
    if not sum(size for _, size in held.values()):
        return None
    order = [k for k in CLASSES if k in held]

    def draw(width: int) -> str:
        rows = [
            charts.Bar(k, (charts.Part(held[k][1], colour(CLASSES.index(k))),), show_size(held[k][1])) for k in order
        ]
        name, unit = scale_of(size for _, size in held.values())
        return charts.bars(
            width, rows, label="Text by licence class", show=lambda v: f"{v:g}", unit=unit, title=f"text ({name})"
        )

    first = max(order, key=lambda k: held[k][1])
    return Figure(
        name="licence-classes",
        title="Text by licence class",
        subtitle="Bytes of text before epochs, by what the component's licence asks.",
        draw=draw,
        table="licence-classes",
        alt=f"Most text: {first}, {show_size(held[first][1])}.",
    )


def document_table(facts: Facts) -> Table | None:
    """Licences that readers recorded for single documents."""
    rows = []
    for name in facts.names:
        held = facts.profiles.get(name)
        if not held:
            continue
        for label, keys in held.labels("licence.documents").items():
            if label:
                rows.append((name, label, keys[0], held.get("licence.bytes", label)))
    if not rows:
        return None
    rows.sort(key=lambda r: (facts.names.index(r[0]), -r[2], r[1]))
    return Table(
        name="document-licences",
        title="Licences of single documents",
        definition="7.7",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="licence", title="Licence"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="bytes", title="Text", kind="bytes"),
        ),
        rows=tuple(rows),
        fold=20,
        weighting="sums",
    )


def excluded_table(facts: Facts) -> Table | None:
    """Sources left out by decision, and those that were asked for and gave nothing."""
    rows = [(e["name"], "left out", e["reason"]) for e in facts.config.get("excluded", [])]
    for name in facts.names:
        if not facts.documents(name):
            rows.append((name, "gave no document", _why_empty(facts, name)))
    if not rows:
        return None
    return Table(
        name="excluded",
        title="Sources left out",
        definition="A17",
        columns=(
            Column(key="source", title="Source", kind="name"),
            Column(key="kind", title="How"),
            Column(key="reason", title="Reason"),
        ),
        rows=tuple(rows),
        sample="all sources considered",
    )


def _why_empty(facts: Facts, name: str) -> str:
    """The stage in which a component lost its last document, and its largest reason there."""
    for stage in ("fetch", "read", "clean", "filter", "dedup"):
        count = facts.stages.get(stage, Tally()).get(name)
        if count is None or count.kept:
            continue
        reasons = {**count.dropped, **count.quarantined}
        if not count.seen or not reasons:
            return f"{stage}: nothing came in"
        reason = max(reasons, key=lambda r: (reasons[r], r))
        return f"{stage}: {reason} ({reasons[reason]:,} of {count.seen:,})"
    return "nothing was found"


def section(facts: Facts) -> Section:
    """Terms."""
    excluded, documents, figure = excluded_table(facts), document_table(facts), class_figure(facts)
    return Section(
        name="terms",
        title="Consent, licences, sources left out",
        lead=strictest(facts.sources),
        blocks=(
            consent_table(facts),
            *([figure] if figure else []),
            class_table(facts),
            licence_table(facts),
            *([documents] if documents else []),
            optouts.optout_table(facts),
            *([Prose(text=f"{not_measured(RESTRICTED)}.", remark=True)] if facts.domains else []),
            *([excluded] if excluded else [Prose(text="No source was left out, and none came out empty.")]),
        ),
    )
