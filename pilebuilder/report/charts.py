"""The kinds of figures: each takes numbers and a width in pixels and gives SVG text.

A width under 500 means a narrow page: labels stand above their bars instead of beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilebuilder.report.cells import short_count, visible
from pilebuilder.report.svg import SIZE, Canvas, Linear, colour, fit, text_width

NARROW = 500
ROW, BAR = 22, 14
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    value: float
    css: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart: parts laid end to end from `start`, with a value written behind."""

    label: str
    parts: tuple[Part, ...]
    value: str = ""
    start: float = 0

    @property
    def end(self) -> float:
        return self.start + sum(p.value for p in self.parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where rows and their scale lie on the canvas."""

    narrow: bool
    left: float
    right: float
    row: float

    def baseline(self, top: float) -> float:
        """Top of the bar within a row that begins at `top`."""
        return top + (SIZE + 5 if self.narrow else (ROW - BAR) / 2)


def frame(width: int, labels: Sequence[str], values: Sequence[str]) -> Frame:
    """Room for labels on the left (above, on a narrow page) and for values on the right."""
    narrow = width < NARROW
    room = max((text_width(v) for v in values), default=0) + 10
    if narrow:
        return Frame(True, 0, width - room, ROW + SIZE + 4)
    widest = max((text_width(visible(label)) for label in labels), default=0)
    return Frame(False, min(widest, width * 0.32) + 10, width - room, ROW)


def label_rows(canvas: Canvas, at: Frame, labels: Sequence[str], top: float) -> None:
    """Write the labels of all rows."""
    for i, label in enumerate(labels):
        y = top + i * at.row
        if at.narrow:
            canvas.text(0, y + SIZE, fit(label, canvas.width - 4), "ink")
        else:
            canvas.text(at.left - 8, y + ROW / 2 + 4, fit(label, at.left - 10), "ink", anchor="end")


def axis(
    canvas: Canvas, scale: Linear, top: float, bottom: float, show: Format, title: str = "", unit: float = 1
) -> None:
    """Vertical grid lines with their values under them, round in multiples of `unit`, and the axis title below."""
    span = abs(scale.stop - scale.start)
    in_units = Linear(scale.high / unit, scale.start, scale.stop, scale.low / unit)
    for tick in in_units.ticks(max(2, int(span // 90))):
        if show is short_count and not float(tick).is_integer():
            continue  # a part of a thing that is counted
        x = in_units(tick)
        canvas.line(x, top, x, bottom, "axis" if tick == 0 else "grid")
        text = show(tick)
        half = text_width(text, 11) / 2
        anchor = "end" if x + half > canvas.width else "start" if x < half else "middle"
        canvas.text(x, bottom + SIZE + 4, text, "muted", anchor=anchor, size=11)
    if title:
        canvas.text((scale.start + scale.stop) / 2, bottom + 2 * SIZE + 8, title, "muted", anchor="middle", size=11)
    canvas.height = max(canvas.height, bottom + 2 * SIZE + 12)


def legend(canvas: Canvas, entries: Sequence[tuple[str, str]], y: float = 0) -> float:
    """Colour keys in one or more lines; returns the y below them."""
    x = 0.0
    for css, label in entries:
        need = 14 + text_width(label) + 16
        if x and x + need > canvas.width:
            x, y = 0.0, y + 18
        canvas.rect(x, y + 1, 10, 10, css)
        canvas.text(x + 14, y + 10, label, "ink", size=11)
        x += need
    return y + 22 if entries else y


def bars(
    width: int,
    rows: Sequence[Bar],
    *,
    label: str,
    show: Format = short_count,
    title: str = "",
    key: Sequence[tuple[str, str]] = (),
    high: float | None = None,
    unit: float = 1,
) -> str:
    """Horizontal bars from a common zero; stacked when a row has several parts, floating when it has a start.

    Ticks are round in multiples of `unit`, and `show` is given the multiple.
    """
    canvas = Canvas(width)
    top = legend(canvas, key)
    at = frame(width, [r.label for r in rows], [r.value for r in rows])
    scale = Linear(high or max((r.end for r in rows), default=1) or 1, at.left, at.right)
    bottom = top + len(rows) * at.row + 2
    axis(canvas, scale, top, bottom, show, title, unit)
    label_rows(canvas, at, [r.label for r in rows], top)
    for i, row in enumerate(rows):
        y, x = at.baseline(top + i * at.row), row.start
        for part in row.parts:
            shown = max(scale(x + part.value) - scale(x), 1.0 if part.value > 0 else 0)
            canvas.rect(scale(x), y, shown, BAR, part.css, part.tip)
            x += part.value
        canvas.text(scale(row.end) + 5, y + BAR - 3, row.value, "muted", size=11)
    return canvas.svg(label)


@dataclass(frozen=True, slots=True)
class Dots:
    """A row of a dot plot: marks at values, whiskers, values written behind."""

    label: str
    marks: tuple[Part, ...]
    whisker: tuple[float, float] | None = None
    value: str = ""
    whiskers: tuple[tuple[float, float] | None, ...] = ()
    """One for each mark, when marks have their own; drawn above each other."""


def dots(
    width: int,
    rows: Sequence[Dots],
    *,
    label: str,
    show: Format = short_count,
    title: str = "",
    key: Sequence[tuple[str, str]] = (),
    lines: Sequence[tuple[float, str]] = (),
    zero: bool = True,
) -> str:
    """Marks on a common scale, joined by a thin line where a row has two; `lines` are references across all rows."""
    canvas = Canvas(width)
    top = legend(canvas, key) + (SIZE + 4) * len(lines) + (2 if lines else 0)
    at = frame(width, [r.label for r in rows], [r.value for r in rows])
    values = [m.value for r in rows for m in r.marks]
    values += [v for r in rows for w in (r.whisker, *r.whiskers) if w for v in w] + [v for v, _ in lines]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = min(0.0, low) if zero else low - (high - low) * 0.08
    scale = Linear(high if high > low else low + 1, at.left + 6, at.right, low)
    bottom = top + len(rows) * at.row + 2
    axis(canvas, scale, top, bottom, show, title)
    for i, (value, name) in enumerate(lines):  # each name on a line of its own, so that near ones do not touch
        y = top - 5 - (SIZE + 4) * (len(lines) - 1 - i)
        canvas.line(scale(value), y + 3, scale(value), bottom, f"refline r{i}")
        anchor = "end" if scale(value) > width * 0.7 else "start" if scale(value) < width * 0.3 else "middle"
        canvas.text(scale(value), y, name, "muted", anchor=anchor, size=11)
    label_rows(canvas, at, [r.label for r in rows], top)
    for i, row in enumerate(rows):
        _dots_row(canvas, scale, row, at.baseline(top + i * at.row) + BAR / 2)
    return canvas.svg(label)


def _dots_row(canvas: Canvas, scale: Linear, row: Dots, y: float) -> None:
    if row.whisker:
        canvas.line(scale(row.whisker[0]), y, scale(row.whisker[1]), y, "whisker")
    if len(row.marks) > 1:
        ends = [scale(m.value) for m in row.marks]
        canvas.line(min(ends), y, max(ends), y, "joint")
    for k, spread in enumerate(row.whiskers):
        if spread:
            away = y + (k - (len(row.whiskers) - 1) / 2) * 5
            canvas.line(scale(spread[0]), away, scale(spread[1]), away, f"whisker w{row.marks[k].css}")
    for mark in row.marks:
        canvas.circle(scale(mark.value), y, 4.5, mark.css, mark.tip)
    canvas.text(canvas.width, y + 4, row.value, "muted", anchor="end", size=11)


@dataclass(frozen=True, slots=True)
class Panel:
    """One small histogram: counts per bin, drawn as shares of their sum."""

    label: str
    counts: tuple[int, ...]
    note: str = ""
    mark: float | None = None
    """Position of the median, in bins."""


def panels(width: int, rows: Sequence[Panel], *, label: str, first: int, ticks: Sequence[tuple[float, str]]) -> str:
    """Small multiples of histograms over common bins; `first` is the bin at the left edge, `ticks` mark bins."""
    canvas = Canvas(width)
    across = max(1, width // 220)
    gap, head, plot = 18, 34, 56
    cell = (width - gap * (across - 1)) / across
    bins = max((len(p.counts) for p in rows), default=1) - first
    for i, panel in enumerate(rows):
        x0, y0 = (i % across) * (cell + gap), (i // across) * (head + plot + 30)
        scale = Linear(bins, x0, x0 + cell)
        base = y0 + head + plot
        canvas.text(x0, y0 + SIZE, fit(panel.label, cell), "ink strong")
        canvas.text(x0, y0 + 2 * SIZE + 3, fit(panel.note, cell * 1.05, 11), "muted", size=11)
        free = x0
        for at, text in ticks:
            if first <= at <= first + bins:
                canvas.line(scale(at - first), y0 + head, scale(at - first), base, "grid")
                anchor = "start" if at == first else "end" if at - first > bins * 0.95 else "middle"
                long = text_width(text, 10)
                begin = scale(at - first) - long * {"start": 0, "middle": 0.5, "end": 1}[anchor]
                if begin >= free:  # a label that would touch the one before is left out; its line stays
                    canvas.text(scale(at - first), base + SIZE, text, "muted", anchor=anchor, size=10)
                    free = begin + long + 6
        highest = max(panel.counts, default=0) or 1
        for j, n in enumerate(panel.counts[first:]):
            tall = n / highest * (plot - 4)
            canvas.rect(
                scale(j) + 0.5,
                base - max(tall, 0.8 if n else 0),
                scale(j + 1) - scale(j) - 1,
                max(tall, 0.8 if n else 0),
                "c1",
            )
        canvas.line(x0, base, x0 + cell, base, "axis")
        if panel.mark is not None:
            x = scale(panel.mark - first)
            canvas.line(x, y0 + head, x, base, "median")
    return canvas.svg(label)


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a treemap."""

    label: str
    value: float
    css: str
    note: str = ""


def treemap(width: int, boxes: Sequence[Box], *, label: str, key: Sequence[tuple[str, str]] = ()) -> str:
    """Boxes with area in proportion to value (squarified: Bruls, Huizing, van Wijk 2000), largest first."""
    canvas = Canvas(width)
    top = legend(canvas, key)
    height = round(width * (0.52 if width >= NARROW else 0.95))
    ordered = sorted((b for b in boxes if b.value > 0), key=lambda b: (-b.value, b.label))
    total = sum(b.value for b in ordered) or 1
    area = [b.value / total * width * height for b in ordered]
    for box, (x, y, w, h) in zip(ordered, squarify(area, 0, top, width, height), strict=True):
        canvas.rect(x + 0.75, y + 0.75, w - 1.5, h - 1.5, f"tile {box.css}", f"{box.label}: {box.note}")
        if h >= 20 and (name := fit(box.label, w - 12)):
            canvas.text(x + 7, y + 16, name, "ink strong")
            if h >= 36 and text_width(box.note, 11) < w - 10:
                canvas.text(x + 7, y + 31, box.note, "ink", size=11)
    canvas.height = max(canvas.height, top + height)
    return canvas.svg(label)


def squarify(
    areas: Sequence[float], x: float, y: float, w: float, h: float
) -> list[tuple[float, float, float, float]]:
    """Rectangles (x, y, width, height) with these areas, in descending order, that fill the given one."""
    placed: list[tuple[float, float, float, float]] = []
    rest = [a for a in areas if a > 0]
    while rest:
        side = min(w, h)
        row = [rest[0]]
        while len(row) < len(rest) and _worst([*row, rest[len(row)]], side) <= _worst(row, side):
            row.append(rest[len(row)])
        thick = sum(row) / side if side else 0
        at = 0.0
        for area in row:
            long = area / thick if thick else 0
            placed.append((x, y + at, thick, long) if w >= h else (x + at, y, long, thick))
            at += long
        x, y, w, h = (x + thick, y, w - thick, h) if w >= h else (x, y + thick, w, h - thick)
        rest = rest[len(row) :]
    return placed


def _worst(row: Sequence[float], side: float) -> float:
    """The worst aspect ratio in a row laid along `side`."""
    total = sum(row)
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))


def stacked_shares(
    width: int,
    rows: Sequence[tuple[str, Sequence[float]]],
    names: Sequence[str],
    *,
    label: str,
    title: str,
    classes: Sequence[str] | None = None,
) -> str:
    """Bars of 100 % (or less) cut into named parts with one colour each."""
    css = list(classes or [colour(i) for i in range(len(names))])
    made = [
        Bar(name, tuple(Part(v, css[i], f"{name}: {names[i]} {v:.2%}") for i, v in enumerate(values)))
        for name, values in rows
    ]
    high = max((b.end for b in made), default=1) or 1
    return bars(width, made, label=label, title=title, key=list(zip(css, names, strict=True)), show=percent, high=high)


def percent(value: float) -> str:
    """A tick of a share axis."""
    return f"{value * 100:g} %".replace("e-05", "") if value >= 0.001 or value == 0 else f"{value * 100:.3g} %"
