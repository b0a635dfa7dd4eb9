"""One table in memory, written four ways: HTML (by the templates), Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pilebuilder.report.cells import NUMERIC, Cell, Gap, Kind, scale_of, show, visible

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that begins so is run as a formula by spreadsheet programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: what it holds, and how it is shown."""

    key: str
    """Name in CSV and JSON; sizes are bytes and shares are fractions there."""
    title: str
    kind: Kind = "text"
    digits: int = 2
    unit: str = ""
    """Unit for the header; sizes and shares name theirs by themselves."""
    group: str = ""
    """Heading above neighbouring columns of one origin, such as "The Pile"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A finished table. `n` is what the numbers rest on, `weighting` how averages were weighted."""

    name: str
    """File name without extension; unique in a report."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""
    definition: str = ""
    """Short id of the measure, such as A1."""
    weighting: str = ""
    sample: str = "all documents"
    interval: str = ""
    fold: int = 0
    """Rows above this number are folded away on a page (0: show all); files always hold all."""
    filed: bool = True
    """Whether it is written to files of its own; a page's excerpt of another table is not."""

    def __post_init__(self) -> None:
        for row in (*self.rows, *self.totals):
            assert len(row) == len(self.columns), (self.name, len(row), len(self.columns))

    def scales(self) -> tuple[tuple[str, int], ...]:
        """Unit and bytes per column: one unit for a whole column of sizes."""
        return tuple(
            scale_of(row[i] for row in (*self.rows, *self.totals)) if column.kind == "bytes" else ("", 1)
            for i, column in enumerate(self.columns)
        )

    def headers(self) -> list[tuple[str, str]]:
        """Title and unit of each column as shown."""
        shown = []
        for column, (unit, _) in zip(self.columns, self.scales(), strict=True):
            unit = "%" if column.kind == "share" else column.unit or unit
            shown.append((visible(column.title), unit))
        return shown

    def shown(self) -> tuple[list[list[str]], list[list[str]]]:
        """Rows and total rows as text."""
        scales = self.scales()

        def one(row: Sequence[Cell]) -> list[str]:
            return [
                show(value, column.kind, digits=column.digits, scale=scale)
                for value, column, (_, scale) in zip(row, self.columns, scales, strict=True)
            ]

        return [one(row) for row in self.rows], [one(row) for row in self.totals]

    def groups(self) -> list[tuple[str, int]]:
        """Column group headings with their spans; empty when no column has one."""
        if not any(c.group for c in self.columns):
            return []
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans

    def to_markdown(self) -> str:
        """A pipe table under its title, numbers aligned right, note below."""
        groups = [f"{c.group}: " if c.group else "" for c in self.columns]
        named = zip(groups, self.headers(), strict=True)
        header = [_cell_markdown(f"{g}{t} ({u})" if u else f"{g}{t}") for g, (t, u) in named]
        rule = ["---:" if c.kind in NUMERIC else "---" for c in self.columns]
        rows, totals = self.shown()
        lines = [f"## {_cell_markdown(self.title)}", ""]
        lines += _pipe_table([header, rule, *([_cell_markdown(v) for v in row] for row in rows)])
        lines += _pipe_table([[f"**{_cell_markdown(v)}**" if v else "" for v in row] for row in totals])
        lines += ["", *(f"{_cell_markdown(text)}\n" for text in (self.note, self.basis()) if text)]
        return "\n".join(lines).rstrip() + "\n"

    def to_csv(self) -> str:
        """Keys as header, full precision; a gap carries its words. Totals follow the rows."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([c.key for c in self.columns])
        for row in (*self.rows, *self.totals):
            writer.writerow([_cell_csv(value) for value in row])
        return out.getvalue()

    def to_json(self, provenance: Mapping[str, Any]) -> str:
        """Rows as objects, with what is needed to judge them: definition, weighting, sample, input digest."""
        keys = [c.key for c in self.columns]

        def record(row: Sequence[Cell]) -> dict[str, Any]:
            return {k: {"gap": str(v)} if isinstance(v, Gap) else v for k, v in zip(keys, row, strict=True)}

        content = {
            "name": self.name,
            "title": self.title,
            "definition": self.definition,
            "weighting": self.weighting,
            "sample": self.sample,
            "interval": self.interval,
            "note": self.note,
            "columns": [{"key": c.key, "title": c.title, "kind": c.kind, "unit": _unit(c)} for c in self.columns],
            "rows": [record(row) for row in self.rows],
            "totals": [record(row) for row in self.totals],
            "provenance": dict(provenance),
        }
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def basis(self) -> str:
        """One line: what the numbers rest on."""
        parts = [
            f"Weighting: {self.weighting}" if self.weighting else "",
            f"Sample: {self.sample}" if self.sample else "",
            f"Interval: {self.interval}" if self.interval else "",
            f"Definition: {self.definition}" if self.definition else "",
        ]
        return "; ".join(p for p in parts if p) + ("." if any(parts) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A drawing, what it shows in words, and the table behind it."""

    name: str
    title: str
    """States the finding's subject."""
    subtitle: str
    """States weighting, sample, units."""
    draw: Callable[[int], str] = field(compare=False)
    """SVG text for a width in pixels; called for a wide and a narrow page."""
    table: str
    """Name of the table with the numbers drawn."""
    alt: str
    """What a reader who does not see the figure should know; made from the same numbers."""
    filed: bool = True
    """Whether it is written to a file of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """One text shown as it is, cut and escaped."""

    label: str
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpts:
    """Texts side by side: the members of a cluster, or samples of a component."""

    title: str
    note: str
    texts: tuple[Excerpt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A paragraph of plain text; or set off from the text, a remark or a warning (which the index repeats)."""

    text: str
    warning: bool = False
    remark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question of the datasheet with its answer."""

    number: int
    part: str
    question: str
    text: str
    evidence: str
    """What the build knows, when the answer is a person's (or missing)."""
    state: str


Block = Table | Figure | Excerpts | Prose | Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One report: a heading, what it is about, and its blocks in reading order."""

    name: str
    title: str
    lead: str
    blocks: tuple[Block, ...]

    def tables(self) -> list[Table]:
        return [b for b in self.blocks if isinstance(b, Table)]

    def figures(self) -> list[Figure]:
        return [b for b in self.blocks if isinstance(b, Figure)]


def _unit(column: Column) -> str:
    return {"bytes": "B", "share": "fraction"}.get(column.kind, column.unit)


def _pipe_table(rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in rows]


def _cell_markdown(text: str) -> str:
    """Text that no Markdown or HTML renderer takes for markup."""
    text = visible(text).replace("\\", "\\\\")
    for char in "|`*_[]<>#~":
        text = text.replace(char, {"<": "&lt;", ">": "&gt;"}.get(char, "\\" + char))
    return " ".join(text.split())


def _cell_csv(value: Cell) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Gap):
        return str(value)
    if isinstance(value, str):
        text = visible(value)
        return "'" + text if text.startswith(FORMULA) else text
    return value
