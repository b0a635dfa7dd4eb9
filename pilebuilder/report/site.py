"""The pages of the report: an index that tells the story, a page per section, a page per component, samples to search.

Every page carries its style and figures and needs no other file, no network and, the search aside, no script; a
content security policy in each page says so to the browser.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.report.cells import NUMERIC, Cell, Gap, show_size, visible
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections import component, samples
from pilebuilder.report.story import story
from pilebuilder.report.table import Answer, Block, Excerpts, Figure, Prose, Section, Table

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

WIDE, NARROW = 760, 340
"""Widths in pixels in which each figure is drawn: for a screen or paper, and for a telephone."""
EMBEDDED_CSV = 200_000
"""Largest CSV that a page carries in itself; a larger one is linked."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Corpus": ("components", "losses", "mixture", "duplicates", "overlap", "contamination", "quarantine", "terms"),
    "Text": ("lengths", "languages", "tokens", "topics", "ngrams", "signals", "quality", "web"),
    "Training": ("training",),
    "People": ("removal", "sentiment", "profanity", "personal"),
    "Papers": ("datasheet", "eu-summary"),
}
LOGBOOK = "logbook-"
"""How the names of pages of training runs begin."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page may load: nothing; only its own style."""
STORY = ("waterfall", "components", "treemap", "languages", "bytes-per-token", "removal")
"""Tables and figures that the index shows, when the corpus has them."""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the contents."""

    title: str
    address: str


class Site:
    """All pages of one report."""

    def __init__(self, facts: Facts, sections: list[Section]) -> None:
        self.facts = facts
        self.sections = sections
        self.environment = environment()
        self.by_name = {s.name: s for s in sections}

    def pages(self) -> Iterator[tuple[str, str]]:
        """Name and content of every page."""
        yield "index.html", self._index()
        for section in self.sections:
            if section.name == "samples":
                yield "samples.html", self._samples(section)
            else:
                yield f"{section.name}.html", self._page("section.html.j2", section.title, "", section=section)
        for source in self.facts.sources:
            made = component.section(self.facts, source, self.sections)
            name = f"components/{source.slug}.html"
            yield name, self._page("section.html.j2", made.title, "../", section=made)

    def _page(self, template: str, title: str, root: str, policy: str = "", **more: Any) -> str:
        return self.environment.get_template(template).render(
            corpus=self.facts.corpus,
            title=title,
            root=root,
            contents=self._contents(root),
            policy=POLICY + policy,
            **more,
        )

    def _contents(self, root: str) -> list[tuple[str, list[Link]]]:
        """Groups of links; a section that no group names stands under the last."""
        held = {**GROUPS, "Training": (*GROUPS["Training"], *(n for n in self.by_name if n.startswith(LOGBOOK)))}
        groups = [
            (title, [Link(self.by_name[n].title, f"{root}{n}.html") for n in names if n in self.by_name])
            for title, names in held.items()
        ]
        named = {n for names in held.values() for n in names}
        rest = [Link(s.title, f"{root}{s.name}.html") for s in self.sections if s.name not in named]
        groups.append(("More", rest))
        parts = [Link(s.name, f"{root}components/{s.slug}.html") for s in self.facts.sources]
        groups.append(("Components", parts))
        return [(title, links) for title, links in groups if links]

    def _index(self) -> str:
        blocks = {(type(b), b.name): b for s in self.sections for b in s.blocks if isinstance(b, Table | Figure)}
        home = {b.name: s.name for s in self.sections for b in s.blocks if isinstance(b, Table | Figure)}
        shown = []
        for name in STORY:
            block = blocks.get((Figure, name)) or blocks.get((Table, name))
            if block is not None:
                shown.append((block, f"{home[name]}.html"))
        leads = [(s.title, s.lead, f"{s.name}.html") for s in self.sections if s.lead]
        return self._page(
            "index.html.j2",
            "Corpus report",
            "",
            key_figures=self._key_figures(),
            points=self._points(),
            told=story(self.facts),
            story=shown,
            leads=leads,
        )

    def _key_figures(self) -> dict[str, str]:
        facts = self.facts
        figures = {
            "documents": f"{facts.remaining:,}",
            "text": show_size(sum(facts.raw_bytes(n) for n in facts.names)),
            "components": str(len(facts.sources)),
        }
        if facts.tokens:
            total = sum(n for n in (facts.token_count(name) for name in facts.names) if isinstance(n, int))
            figures["tokens"] = f"{total:,}"
        return figures

    def _points(self) -> list[tuple[str, str, str]]:
        """Every warning of the report, with the page where it stands."""
        return [
            (s.title, b.text, f"{s.name}.html")
            for s in self.sections
            for b in s.blocks
            if isinstance(b, Prose) and b.warning and not b.text.startswith("not measured")
        ]

    def _samples(self, section: Section) -> str:
        """Every sample, with a search that a browser without script leaves out."""
        script = (templates_folder() / "search.js").read_text(encoding="utf-8").strip()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        texts = [(s.name, samples.drawn(self.facts, s.name)) for s in self.facts.sources]
        return self._page(
            "samples.html.j2",
            section.title,
            "",
            f"; script-src 'sha256-{digest}'",
            section=section,
            texts=[(name, found[: samples.SEARCHED]) for name, found in texts if found],
            script=_safe(script),
        )


def page_of(section: Section) -> str:
    """One section as a page on its own, outside a site."""
    from pilebuilder import __version__

    corpus = {
        **dict.fromkeys(("name", "title", "description", "maintainer", "recipe"), ""),
        "title": section.title,
        "version": "",
        "seed": "",
        "tool": __version__,
    }
    return (
        environment()
        .get_template("section.html.j2")
        .render(corpus=corpus, title=section.title, root="", contents=[], policy=POLICY, section=section)
    )


def templates_folder() -> Path:
    from pilebuilder.card import data_folder

    return data_folder("reports")


def standalone(figure: Figure) -> str:
    """A figure as a file of its own, with the stylesheet inside."""
    drawing = figure.draw(WIDE)
    style = (templates_folder() / "figure.css").read_text(encoding="utf-8")
    head, _, rest = drawing.partition(">")
    return f"{head}><style>{style}</style>{rest}\n"


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


def kind(block: Block) -> str:
    """Which template macro shows this block."""
    assert isinstance(block, Table | Figure | Excerpts | Prose | Answer), block
    return type(block).__name__.lower()


def is_gap(value: Cell) -> bool:
    """A cell that says why it has no value."""
    return isinstance(value, Gap)


def gap_before(row: tuple[Cell, ...], at: int) -> bool:
    """Whether this empty cell belongs to a gap on its left that reaches to the end of the row."""
    starts = [i for i, value in enumerate(row) if isinstance(value, Gap)]
    return bool(starts) and starts[-1] < at and all(value is None for value in row[starts[-1] + 1 :])


def _safe(markup: str) -> Markup:
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704  (our own, or escaped by `pilebuilder.report.svg`)


def drawings(figure: Figure) -> dict[str, Markup]:
    """The figure drawn wide and narrow, as markup; the drawing escapes every text it holds."""
    return {"wide": _safe(figure.draw(WIDE)), "narrow": _safe(figure.draw(NARROW))}


def csv_link(table: Table, root: str) -> str:
    """Address of a table's CSV: the content itself when it is small, so that the page is complete alone."""
    content = table.to_csv().encode()
    if len(content) > EMBEDDED_CSV:
        return f"{root}tables/{table.name}.csv"
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(content).decode()
