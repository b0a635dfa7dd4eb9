"""The logbook of one run as a page of its own, outside a report."""

from __future__ import annotations

from pathlib import Path

from pilebuilder.errors import PilebuilderError
from pilebuilder.report.logbooks import parse
from pilebuilder.report.sections import logbook
from pilebuilder.report.table import Prose, Table

NAME = "logbook.jsonl"


def write(run: Path, folder: Path) -> Path:
    """``index.html``, which needs no other file, and ``logbook.md`` with every table; returns the page."""
    from pilebuilder.report.diff import write as write_section

    path = run / NAME
    if not path.is_file():
        raise PilebuilderError(f"{run} is not the folder of a training run: it has no {NAME}")
    book = parse(run.resolve().name, path.read_bytes())
    section = logbook.section(book, logbook.slug_of(book.name))
    page = write_section(section, folder)
    parts = [f"# {section.title}", section.lead]
    parts += [
        b.to_markdown() if isinstance(b, Table) else b.text for b in section.blocks if isinstance(b, Table | Prose)
    ]
    (folder / "logbook.md").write_text("\n\n".join(parts).rstrip() + "\n", encoding="utf-8")
    return page
