"""Personal data and secrets left in the text: counts by type, never values."""

from __future__ import annotations

from pilebuilder.report import heat
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, Cell, Gap, enough, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.measures.personal import NAMES, TYPES
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

COUNTED = (*TYPES[:3], "ipv4 public", *TYPES[3:])
TITLES = NAMES | {"ipv4 public": "IPv4, public"}


def type_table(facts: Facts) -> Table:
    """By type: matches, rate, documents, and what remains after a person's precision."""
    words, documents = facts.whole.distribution("words").total, facts.whole.get("documents")
    precision = facts.config.get("precision", {})
    rows: list[tuple[Cell, ...]] = []
    for name in COUNTED:
        n = facts.whole.get("personal.matches", name)
        inside = None if name == "ipv4 public" else facts.whole.get("personal.documents", name)
        share = precision.get(name)
        rows.append(
            (
                TITLES[name],
                n,
                enough(documents, n / words * 1e6) if words else None,
                inside,
                enough(documents, inside / documents) if inside is not None and documents else None,
                share if share is not None else Gap("not reviewed by a person"),
                n * share if share is not None else None,
            )
        )
    return Table(
        name="personal-data",
        title="Personal data by type",
        definition="7.5",
        columns=(
            Column(key="type", title="Type", kind="name"),
            Column(key="matches", title="Matches", kind="count"),
            Column(key="per_million_words", title="Per million words", kind="number"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share_of_documents", title="Of documents", kind="share", digits=3),
            Column(key="precision", title="Precision", kind="share", digits=0),
            Column(key="extrapolated", title="Extrapolated", kind="count"),
        ),
        rows=tuple(rows),
        note="Patterns find candidates, not persons: a version number looks like an address. Numbers near “isbn”,"
        " “doi” or “#”, and telephone numbers near a URL, are left out. Precision is the share of true matches that a"
        " person found in a sample and wrote into the recipe. Words are Unicode words (UAX #29).",
        weighting="per word, per document",
    )


def step_table(facts: Facts) -> Table | None:
    """What the `pii` step found and did, by component and type, from the ledger."""
    noted = [(c, r.removeprefix("pii."), n, v) for c, r, n, v in facts.ledger.get("noted", ()) if r.startswith("pii.")]
    if not noted:
        return None
    done: dict[str, list[str]] = {}
    for component, _, step, action, reason, n in facts.ledger.get("rows", ()):
        if step == "pii" and action != "noted":
            done.setdefault(component, []).append(f"{action} {n:,} documents ({reason})")
    rows = [(c, kind, n, int(v), "; ".join(done.get(c, [])) or "counted only") for c, kind, n, v in noted]
    return Table(
        name="personal-data-found",
        title="Personal data that the pii step found",
        definition="7.5",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="type", title="Type", kind="name"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="finds", title="Finds", kind="count"),
            Column(key="done", title="What was done in this component"),
        ),
        rows=tuple(rows),
        note="Found by form and checksum before training, in all documents that reached the step; values are nowhere"
        " recorded.",
        weighting="per find, per document",
    )


def component_table(facts: Facts) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.profiles.get(name)
        words = held.distribution("words").total if held else 0
        if not held or not words:
            rows.append((name, Gap("no documents"), *[None] * len(COUNTED)))
            continue
        n = held.get("documents")
        if n < TOO_FEW_DOCUMENTS:
            rows.append((name, words, too_few(n), *[None] * (len(COUNTED) - 1)))
            continue
        rates = (held.get("personal.matches", t) / words * 1e6 for t in COUNTED)
        rows.append((name, words, *rates))
    return Table(
        name="personal-data-by-component",
        title="Personal data by component",
        definition="7.5",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="words", title="Words", kind="count"),
            *(Column(key=t, title=TITLES[t], kind="number", group="Matches per million words") for t in COUNTED),
        ),
        rows=tuple(rows),
        weighting="per word",
    )


def rate_figure(facts: Facts) -> Figure | None:
    """Components by type; the shade is the logarithm of the rate."""
    import math

    names = [n for n in facts.names if n in facts.profiles and facts.profiles[n].distribution("words").total]
    few = [n for n in names if facts.profiles[n].get("documents") < TOO_FEW_DOCUMENTS]
    names = [n for n in names if n not in few]
    if not names:
        return None

    def rate(name: str, kind: str) -> float:
        held = facts.profiles[name]
        return held.get("personal.matches", kind) / held.distribution("words").total * 1e6

    most = max((rate(n, t) for n in names for t in COUNTED), default=0.0)

    def cell(name: str, kind: str) -> heat.Cell:
        value = rate(name, kind)
        at = math.log1p(value) / math.log1p(most) if most else 0.0
        return heat.Cell(
            at, f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}", f"{name}, {TITLES[kind]}: {value:.2f}"
        )

    def draw(width: int) -> str:
        columns = [TITLES[t] for t in COUNTED]
        return heat.heat(width, names, columns, [[cell(n, t) for t in COUNTED] for n in names], label="Personal data")

    first = max(names, key=lambda n: (rate(n, "email"), n))
    return Figure(
        name="personal-data",
        title="Personal data per million words",
        subtitle="Matches of patterns after filters; darker is more, on a logarithmic scale."
        + (f" {len(few)} components of fewer than {TOO_FEW_DOCUMENTS} documents are not drawn." if few else ""),
        draw=draw,
        table="personal-data-by-component",
        alt=f"Most e-mail addresses per million words in {first}, {rate(first, 'email'):,.1f}.",
    )


def _expected(rows: list[tuple[str, str]]) -> Table:
    return Table(
        name="personal-expected",
        title="What the cards say to expect",
        definition="7.5",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="expected", title="Personal data"),
        ),
        rows=tuple(rows),
        sample="as the cards state it",
    )


def section(facts: Facts) -> Section:
    """Personal data."""
    title = "Personal data and secrets"
    if not facts.profiles:
        gap = Prose(text=f"{not_measured('no document summaries in this build')}.", warning=True)
        return Section(name="personal", title=title, lead="", blocks=(gap,))
    secrets = facts.whole.get("personal.matches", "secret")
    alarm = Prose(
        text=f"{secrets:,} keys or tokens stand in the text. Publishing is refused until they are removed or"
        " acknowledged.",
        warning=True,
    )
    expected = [(s.name, s.card["personal_data"]) for s in facts.sources if s.card.get("personal_data")]
    notes = [_expected(expected)] if expected else []
    figure = rate_figure(facts)
    found = step_table(facts)
    total = sum(facts.whole.get("personal.matches", t) for t in TYPES)
    return Section(
        name="personal",
        title=title,
        lead=f"{total:,} matches of patterns for personal data or secrets in the text that remains.",
        blocks=(
            *([alarm] if secrets else []),
            *([figure] if figure else []),
            type_table(facts),
            *([found] if found else []),
            component_table(facts),
            *notes,
        ),
    )
