"""Heat maps: a value printed in every cell, so that colour is never alone; and bars on both sides of zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilebuilder.report.charts import BAR, NARROW, ROW, axis
from pilebuilder.report.svg import SIZE, Canvas, Linear, fit, fit_end, text_width

STEPS, UPRIGHT = 5, 190
"""Shades on each side of the middle; pixels that an upright label may take."""


DEEP = frozenset({"warm4", "warm5", "cool5"})
"""Shades so bright on a dark page that the text on them is dark."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a heat map: a position from -1 to 1 on the colour scale (None: no value), and what is printed."""

    at: float | None
    text: str
    tip: str = ""
    note: str = ""
    """What the value rests on, in small letters under it."""


def shade(at: float | None, text: str = "") -> str:
    """Class of the colour at a position from -1 to 1; grey for a cell that says why it has none."""
    if at is None:
        return "few" if text else "none"
    step = min(STEPS, round(abs(at) * STEPS))
    return f"{'warm' if at > 0 else 'cool'}{step}" if step else "mid"


def heat(
    width: int,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    label: str,
    least: float = 44,
    most: float = 86,
) -> str:
    """A grid of coloured cells. Column labels stand upright when they do not fit; a wide grid is cut into blocks."""
    narrow = width < NARROW
    side = min(max((text_width(r, 11) for r in rows), default=0), width * (0.4 if narrow else 0.26)) + 10
    across = max(1, min(len(columns), int((width - side) // least)))
    canvas = Canvas(width)
    top = 0.0
    for start in range(0, len(columns), across):
        top = _block(
            canvas, rows, columns[start : start + across], [r[start : start + across] for r in cells], side, top, most
        )
    return canvas.svg(label)


def _block(
    canvas: Canvas,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    side: float,
    top: float,
    most: float,
) -> float:
    wide = min(most, (canvas.width - side) / max(1, len(columns)))
    upright = any(text_width(c, 11) > wide - 4 for c in columns)
    head = min(max((text_width(c, 11) for c in columns), default=0), UPRIGHT) + 8 if upright else SIZE + 8
    for i, name in enumerate(columns):
        x = side + (i + 0.5) * wide
        if upright:
            canvas.turned(x + 4, top + head - 4, fit_end(name, UPRIGHT, 11), "ink")
        else:
            canvas.text(x, top + head - 7, name, "ink", anchor="middle", size=11)
    for j, name in enumerate(rows):
        y = top + head + j * ROW
        canvas.text(side - 8, y + ROW / 2 + 4, fit(name, side - 10, 11), "ink", anchor="end", size=11)
        for i, cell in enumerate(cells[j]):
            x = side + i * wide
            canvas.rect(x + 0.5, y + 0.5, wide - 1, ROW - 1, f"heat {shade(cell.at, cell.text)}", cell.tip)
            both = f"{cell.text}  {cell.note}" if cell.note else cell.text
            shown = both if text_width(both, 10) <= wide - 3 else fit(cell.text, wide - 3, 10)
            ink = "onheat deep" if shade(cell.at, cell.text) in DEEP else "onheat"
            canvas.text(x + wide / 2, y + ROW / 2 + 4, shown, ink, anchor="middle", size=10)
    bottom = top + head + len(rows) * ROW + 14
    canvas.height = max(canvas.height, bottom - 10)
    return bottom


@dataclass(frozen=True, slots=True)
class Side:
    """A bar to one side of zero, with a dot whose size says how much it rests on."""

    label: str
    value: float
    note: str = ""
    whisker: tuple[float, float] | None = None
    size: float | None = None
    """Area of the dot at its end, from 0 to 1; None for no dot."""


def diverging(
    width: int,
    rows: Sequence[Side],
    *,
    label: str,
    title: str,
    ends: tuple[str, str],
    show: Callable[[float], str] = lambda v: f"{v:g}",
    middle: float = 0.0,
    line: tuple[float, str] | None = None,
) -> str:
    """Bars from `middle` to both sides, labels at the bars' feet; `ends` name the two sides, `line` is a reference."""
    canvas = Canvas(width)
    values = [*(r.value for r in rows), *([line[0]] if line else [])]
    most = max((abs(v - middle) for v in values), default=1) or 1
    narrow = width < NARROW
    room = max((text_width(r.label) for r in rows), default=0) + (20 if any(r.size for r in rows) else 12)
    room = min(room, width * (0.42 if narrow else 0.3))
    scale = Linear(middle + most, room, width - room, middle - most)
    top = SIZE + (26 if line else 10)
    canvas.text(scale(middle) - 8, SIZE, "← " + ends[0], "muted", anchor="end", size=11)
    canvas.text(scale(middle) + 8, SIZE, ends[1] + " →", "muted", size=11)
    bottom = top + len(rows) * ROW
    axis(canvas, scale, top, bottom, show, title)
    canvas.line(scale(middle), top, scale(middle), bottom, "axis")
    if line:
        canvas.line(scale(line[0]), top - 2, scale(line[0]), bottom, "refline")
        anchor = "end" if scale(line[0]) > width * 0.8 else "start" if scale(line[0]) < width * 0.2 else "middle"
        canvas.text(scale(line[0]), top - 5, line[1], "muted", anchor=anchor, size=11)
    for i, row in enumerate(rows):
        y = top + i * ROW + (ROW - BAR) / 2
        x = scale(row.value)
        first, last = sorted((x, scale(middle)))
        right = row.value >= middle
        canvas.rect(first, y, max(last - first, 1), BAR, "warmbar" if right else "coolbar", f"{row.label}: {row.note}")
        if row.whisker:
            canvas.line(scale(row.whisker[0]), y + BAR / 2, scale(row.whisker[1]), y + BAR / 2, "whisker")
        away = 6.0
        if row.size is not None:
            canvas.circle(x, y + BAR / 2, 2 + 5 * row.size**0.5, "c2" if right else "c1")
            away = 9 + 5 * row.size**0.5
        name = fit(row.label, room - 8)
        canvas.text(
            last + away if right else first - away, y + BAR - 3, name, "ink", anchor="start" if right else "end"
        )
    return canvas.svg(label)
