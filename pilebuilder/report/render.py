"""The report's last task: from facts to files. Each table as Markdown, CSV and JSON, each figure as SVG, the pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from pilebuilder.report.collect import collect
from pilebuilder.report.facts import Facts
from pilebuilder.report.papers import croissant, datasheet, eu, hub
from pilebuilder.report.papers.evidence import Evidence
from pilebuilder.report.sections import (
    composition,
    contamination,
    duplicates,
    languages,
    lengths,
    logbook,
    losses,
    mixture,
    ngrams,
    overlap,
    personal,
    profanity,
    quality,
    quarantine,
    removal,
    samples,
    sentiment,
    signals,
    terms,
    tokens,
    topics,
    training,
    web,
)
from pilebuilder.report.site import Site, standalone
from pilebuilder.report.table import Section
from pilebuilder.task import Task, Workspace, canonical

CROISSANTS: dict[str, croissant.Version] = {"croissant.json": "1.1", "croissant-1.0.json": "1.0"}
SECTIONS: tuple[Callable[[Facts], Section], ...] = (
    composition.section,
    losses.section,
    removal.section,
    mixture.section,
    lengths.section,
    languages.section,
    tokens.section,
    topics.section,
    sentiment.section,
    profanity.section,
    personal.section,
    signals.section,
    ngrams.section,
    duplicates.section,
    overlap.section,
    contamination.section,
    web.section,
    terms.section,
    samples.section,
    quarantine.section,
    quality.section,
    training.section,
)


def write(task: Task, work: Workspace) -> None:
    """Collect what the tasks measured, make the sections, write every file of the report."""
    facts = collect(task, work)
    held = datasheet.entries(facts)
    measured = [*(make(facts) for make in SECTIONS), *logbook.sections(facts)]
    sections = [*measured, datasheet.section(facts, held), eu.section(facts)]
    names = [t.name for s in sections for t in s.tables()]
    assert len(names) == len(set(names)), f"two tables share a name: {sorted(names)}"
    provenance = facts.provenance() | {"inputs": _input_digest(task)}
    for section in sections:
        for table in section.tables():
            _public(work, f"tables/{table.name}.md").write_text(table.to_markdown(), encoding="utf-8")
            _public(work, f"tables/{table.name}.csv").write_text(table.to_csv(), encoding="utf-8")
            _public(work, f"tables/{table.name}.json").write_text(table.to_json(provenance), encoding="utf-8")
        for figure in section.figures():
            _public(work, f"figures/{figure.name}.svg").write_text(standalone(figure), encoding="utf-8")
    for name, content in papers(facts, sections, held).items():
        _public(work, f"papers/{name}").write_text(content, encoding="utf-8")
    for name, content in Site(facts, sections).pages():
        _public(work, name).write_text(content, encoding="utf-8")


def papers(facts: Facts, sections: list[Section], held: list[datasheet.Entry]) -> dict[str, str]:
    """The documents that travel with the corpus, by file name."""
    domains = eu.most_relevant(eu.domain_sizes(facts))
    made = {
        "datasheet.md": datasheet.markdown(facts, held),
        "datasheet.json": datasheet.as_json(held),
        "answers.yaml": datasheet.template(held),
        "README.md": hub.card(facts, sections),
        "NOTICE": hub.notice(facts),
        "eu-summary.md": eu.markdown(facts),
        "eu-domains.csv": eu.domain_csv(domains),
    }
    for name, version in CROISSANTS.items():
        content = croissant.describe(facts, version, Evidence(facts).latest_day())
        made[name] = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return made


def _public(work: Workspace, name: str) -> Path:
    return work.output(name, "report", public=f"reports/{name}")


def _input_digest(task: Task) -> str:
    """One digest of all inputs: tells whether two reports rest on the same data."""
    return hashlib.sha256(canonical([[a.kind, a.sha256] for a in task.inputs]).encode()).hexdigest()
