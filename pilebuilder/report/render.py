"""The report's last task: from facts to files. Each table as Markdown, CSV and JSON, each figure as SVG, one page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.report.cells import NUMERIC, Cell, Gap, show_size, visible
from pilebuilder.report.collect import collect
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections import (
    composition,
    duplicates,
    languages,
    lengths,
    losses,
    mixture,
    quarantine,
    tokens,
)
from pilebuilder.report.table import Excerpts, Figure, Prose, Section, Table
from pilebuilder.task import Task, Workspace, canonical

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS: tuple[Callable[[Facts], Section], ...] = (
    composition.section,
    losses.section,
    mixture.section,
    lengths.section,
    languages.section,
    tokens.section,
    duplicates.section,
    quarantine.section,
)
WIDE, NARROW = 760, 340
"""Widths in pixels in which each figure is drawn: for a screen or paper, and for a telephone."""
EMBEDDED_CSV = 200_000
"""Largest CSV that a page carries in itself; a larger one is linked."""


def write(task: Task, work: Workspace) -> None:
    """Collect what the tasks measured, make the sections, write every file of the report."""
    facts = collect(task, work)
    sections = [make(facts) for make in SECTIONS]
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
    page = Pages(facts).index(sections)
    _public(work, "index.html").write_text(page, encoding="utf-8")


def _public(work: Workspace, name: str) -> Path:
    return work.output(name, "report", public=f"reports/{name}")


def _input_digest(task: Task) -> str:
    """One digest of all inputs: tells whether two reports rest on the same data."""
    import hashlib

    return hashlib.sha256(canonical([[a.kind, a.sha256] for a in task.inputs]).encode()).hexdigest()


def standalone(figure: Figure) -> str:
    """A figure as a file of its own, with the stylesheet inside."""
    drawing = figure.draw(WIDE)
    style = (templates_folder() / "figure.css").read_text(encoding="utf-8")
    head, _, rest = drawing.partition(">")
    return f"{head}><style>{style}</style>{rest}\n"


def templates_folder() -> Path:
    from pilebuilder.recipe import data_folder

    return data_folder("reports")


class Pages:
    """The templates, filled."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.environment = environment()

    def index(self, sections: list[Section]) -> str:
        """The whole report on one page that needs no other file."""
        facts = self.facts
        figures = {
            "documents": f"{sum(facts.documents(n) for n in facts.names):,}",
            "text": show_size(sum(facts.raw_bytes(n) for n in facts.names)),
            "components": str(len(facts.sources)),
        }
        if facts.tokens:
            total = sum(n for n in (facts.token_count(name) for name in facts.names) if isinstance(n, int))
            figures["tokens"] = f"{total:,}"
        template = self.environment.get_template("index.html.j2")
        return template.render(corpus=facts.corpus, key_figures=figures, sections=sections)


def environment() -> Environment:
    """Jinja with escaping on, and the few helpers the templates use."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["visible"] = visible
    made.globals.update(
        drawings=drawings, kind=kind, numeric=NUMERIC, csv_link=csv_link, is_gap=is_gap, gap_before=gap_before
    )
    return made


def kind(block: Table | Figure | Excerpts | Prose) -> str:
    """Which template macro shows this block."""
    return type(block).__name__.lower()


def is_gap(value: Cell) -> bool:
    """A cell that says why it has no value."""
    return isinstance(value, Gap)


def gap_before(row: tuple[Cell, ...], at: int) -> bool:
    """Whether this empty cell belongs to a gap on its left that reaches to the end of the row."""
    starts = [i for i, value in enumerate(row) if isinstance(value, Gap)]
    return bool(starts) and starts[-1] < at and all(value is None for value in row[starts[-1] + 1 :])


def drawings(figure: Figure) -> dict[str, Any]:
    """The figure drawn wide and narrow, as markup that is already escaped."""
    from markupsafe import Markup

    # The drawing escapes every text it holds; see `pilebuilder.report.svg.text_of`.
    return {"wide": Markup(figure.draw(WIDE)), "narrow": Markup(figure.draw(NARROW))}  # noqa: S704


def csv_link(table: Table) -> str:
    """Address of a table's CSV: the file itself when it is small, so that the page is complete alone."""
    content = table.to_csv().encode()
    if len(content) > EMBEDDED_CSV:
        return f"tables/{table.name}.csv"
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(content).decode()
