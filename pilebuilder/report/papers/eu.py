"""A pre-filled draft of the public summary of training content (AI Act, Article 53(1)(d)).

The template is the Commission's (C(2025) 5235, adopted as C(2025) 8311). A corpus builder is usually not the provider
of a model, so provider fields stay empty, and nothing here claims compliance.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from pilebuilder.report.cells import visible
from pilebuilder.report.facts import Facts
from pilebuilder.report.papers.evidence import Evidence
from pilebuilder.report.sections.web import rows_of, whole
from pilebuilder.report.table import Column, Prose, Section, Table

OPEN = "NOT ANSWERED (for the provider of the model)"
BANDS = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
LARGE = 0.03
"""Share of all public text from which on a public data set is listed by name."""
CRAWLED = ("warc", "cdx", "common-crawl", "web")


def band(tokens: int) -> str:
    """Size band for text.

    >>> band(5_000_000), band(10**13)
    ('less than 1 billion tokens', 'more than 10 trillion tokens')
    """
    return next((name for limit, name in BANDS if tokens < limit), "more than 10 trillion tokens")


def most_relevant(domains: Sequence[tuple[str, int]], *, small: bool = False) -> list[tuple[str, int]]:
    """The top 10 % of domains by bytes; for small enterprises the top 5 % or 1,000, whichever is fewer."""
    ordered = sorted(domains, key=lambda d: (-d[1], d[0]))
    keep = math.ceil(0.10 * len(ordered))
    if small:
        keep = min(math.ceil(0.05 * len(ordered)), 1_000)
    return ordered[:keep]


def domain_sizes(facts: Facts) -> list[tuple[str, int]]:
    """Registered domains and bytes of kept text."""
    if not facts.domains:
        return []
    return [(name, size) for name, _, size, _ in rows_of(whole(facts), "domain") if name]


def domain_csv(domains: list[tuple[str, int]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["domain", "bytes"])
    writer.writerows((visible(name), size) for name, size in domains)
    return out.getvalue()


def fields(facts: Facts) -> list[tuple[str, str, str]]:
    """Number, field, content, in the order of the template."""
    found = Evidence(facts)
    tokens = sum(n for n in (facts.token_count(x) for x in facts.names) if isinstance(n, int))
    domains = domain_sizes(facts)
    chosen = most_relevant(domains)
    covered = sum(s for _, s in chosen) / sum(s for _, s in domains) if domains else 0.0
    crawled = [s.name for s in facts.sources if Evidence._fetcher(s.card) in CRAWLED]
    total = sum(facts.raw_bytes(n) for n in facts.names)
    large = [s for s in facts.sources if total and facts.raw_bytes(s.name) >= LARGE * total and s.name not in crawled]
    years = found.timeframe()
    listed = "; ".join(f"{s.name} ({s.card.get('homepage') or 'no link'})" for s in large)
    others = [s.name for s in facts.sources if s not in large and s.name not in crawled]
    rows = [
        ("head", "Version of the summary", facts.corpus["version"]),
        ("head", "Last update", OPEN),
        ("1.1", "Provider and authorised representative", OPEN),
        ("1.2", "Models, dependencies, date of placement on the market", OPEN),
        ("1.3", "Text: size", f"{band(tokens)} ({tokens:,} tokens counted)" if tokens else "tokens were not counted"),
        ("1.3", "Text: types of content", ", ".join(facts.names)),
        ("1.3", "Image, audio, video, other", "none"),
        (
            "1.3",
            "Latest date of acquisition",
            f"documents dated up to {years[1][:4]}" if years else "documents carry no dates",
        ),
        ("1.3", "Continuous training after it", OPEN),
        ("1.3", "Linguistic characteristics", found.language_words()),
        ("1.3", "Other characteristics", found.person(18) or OPEN),
        ("2.1", "Publicly available data sets: large ones", listed or "none"),
        ("2.1", "Publicly available data sets: others", ", ".join(others) or "none"),
        ("2.2.1", "Data licensed from rightsholders", "none recorded on the cards"),
        ("2.2.2", "Private data of other third parties", _local(facts)),
        ("2.3", "Crawled by the provider or for it", ", ".join(crawled) or "none"),
        (
            "2.3",
            "Most relevant domains",
            f"{len(chosen):,} of {len(domains):,}, {covered:.1%} of the text; see eu-domains.csv",
        ),
        ("2.4", "User data", OPEN),
        ("2.5", "Synthetic data", _synthetic(facts)),
        ("2.6", "Other sources", found.person(21) or OPEN),
        ("3.1", "Text-and-data-mining reservations", found.person(32) or OPEN),
        (
            "3.2",
            "Removal of illegal content",
            f"Filters of the build: {found.losses()} Confirm: {found.person(16) or OPEN}",
        ),
        ("3.3", "Other information", found.person(34) or OPEN),
    ]
    return [(number, name, str(value)) for number, name, value in rows]


def _local(facts: Facts) -> str:
    names = [s.name for s in facts.sources if s.card.get("access") == "local_only"]
    return ", ".join(names) or "none"


def _synthetic(facts: Facts) -> str:
    names = [s.name for s in facts.sources if Evidence._fetcher(s.card).startswith("generate")]
    return f"generated by programs, not by models: {', '.join(names)}" if names else "none"


def markdown(facts: Facts) -> str:
    lines = [
        f"# Public summary of training content: draft for {facts.corpus['title'] or facts.corpus['name']}",
        "",
        "A draft of the data parts after the Commission's template (C(2025) 5235, C(2025) 8311). It is no claim of"
        " compliance; the provider of a model completes and answers for it.",
    ]
    for number, name, value in fields(facts):
        safe = visible(value).replace("<", "&lt;").replace(">", "&gt;")
        lines += ["", f"**{number} {name}**", "", safe]
    return "\n".join(lines) + "\n"


def section(facts: Facts) -> Section:
    """The draft as a page."""
    rows: tuple[tuple[Any, ...], ...] = tuple(fields(facts))
    table = Table(
        name="eu-summary",
        title="Fields of the template",
        columns=(
            Column(key="number", title="No.", kind="name"),
            Column(key="field", title="Field"),
            Column(key="content", title="Content"),
        ),
        rows=rows,
        sample="",
    )
    remark = Prose(text="A draft, no claim of compliance; the provider of a model completes it.", remark=True)
    return Section(
        name="eu-summary",
        title="Public summary of training content (draft)",
        lead="The data parts of the Commission's template for Article 53(1)(d) of the AI Act, filled from the build.",
        blocks=(remark, table),
    )
