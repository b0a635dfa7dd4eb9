"""Line charts over steps: several series on one scale, marks across it, points thinned to what a screen shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilebuilder.report.cells import short_count
from pilebuilder.report.charts import NARROW, legend
from pilebuilder.report.svg import SIZE, Canvas, Linear, Log, fit, text_width

Points = Sequence[tuple[float, float]]
Format = Callable[[float], str]
BUCKETS = 240
"""Points of a drawn line at most, twice over: of each bucket of neighbours its lowest and its highest."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line; `css` is its colour class, `faint` draws what lies behind the others."""

    label: str
    points: Points
    css: str = "c1"
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line across the plot at a position, with a short word above it."""

    at: float
    label: str = ""


def thinned(points: Points, most: int = BUCKETS) -> list[tuple[float, float]]:
    """Lowest and highest point of each of `most` buckets, in order: no spike is lost."""
    if len(points) <= 2 * most:
        return list(points)
    kept = []
    for k in range(most):
        part = points[k * len(points) // most : (k + 1) * len(points) // most]
        low, high = min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])
        kept += sorted({low, high})
    return kept


def smoothed(points: Points, window: int) -> list[tuple[float, float]]:
    """Means over the last `window` points, at the last of them."""
    found, total = [], 0.0
    for i, (x, y) in enumerate(points):
        total += y
        if i >= window:
            total -= points[i - window][1]
        found.append((x, total / min(i + 1, window)))
    return found


def show_value(value: float) -> str:
    """A tick: four digits at most, no more zeros than needed."""
    if value and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return short_count(value) if abs(value) >= 1000 else f"{value:.4g}"


def lines(
    width: int,
    series: Sequence[Series],
    *,
    label: str,
    x_title: str = "step",
    show: Format = show_value,
    show_x: Format = short_count,
    marks: Sequence[Mark] = (),
    zero: bool = False,
    log: bool = False,
    height: int = 0,
) -> str:
    """Lines over a common horizontal axis; the legend names them when there are two or more."""
    canvas = Canvas(width)
    drawn = [Series(s.label, thinned(s.points), s.css, s.faint) for s in series if s.points]
    named = [(s.css + " light" * s.faint, s.label) for s in drawn if s.label]
    top = (legend(canvas, named) if len(named) > 1 else 0.0) + (SIZE + 4 if any(m.label for m in marks) else 4)
    tall = height or (170 if width < NARROW else 200)
    bottom = top + tall
    values = [y for s in drawn for _, y in s.points]
    xs = [x for s in drawn for x, _ in s.points]
    low, high = _range(values, zero=zero, log=log)
    scale: Linear | Log = Log(low, high, bottom, top) if log else Linear(high, bottom, top, low)
    ticks = _powers(low, high) if log else scale.ticks(4)  # type: ignore[union-attr]
    left = max((text_width(show(t), 11) for t in ticks), default=0) + 8
    across = Linear(max(xs, default=1), left, width - 6, min(xs, default=0))
    if across.high == across.low:
        across = Linear(across.low + 1, left, width - 6, across.low)
    for tick in ticks:
        y = scale(tick)
        canvas.line(left, y, width - 6, y, "grid")
        canvas.text(left - 6, y + 4, show(tick), "muted", anchor="end", size=11)
    canvas.line(left, bottom, width - 6, bottom, "axis")
    for tick in across.ticks(max(2, int((width - left) // 110))):
        x = across(tick)
        canvas.line(x, bottom, x, bottom + 4, "axis")
        half = text_width(show_x(tick), 11) / 2
        anchor = "end" if x + half > width else "middle"
        canvas.text(x, bottom + SIZE + 5, show_x(tick), "muted", anchor=anchor, size=11)
    canvas.text((left + width) / 2, bottom + 2 * SIZE + 9, x_title, "muted", anchor="middle", size=11)
    free = left
    for mark in sorted(marks, key=lambda m: m.at):
        x = across(min(max(mark.at, across.low), across.high))
        canvas.line(x, top, x, bottom, "refline")
        word = fit(mark.label, 90, 11)
        if word and x - text_width(word, 11) / 2 >= free:
            anchor = "end" if x + text_width(word, 11) / 2 > width else "middle"
            canvas.text(x, top - 5, word, "muted", anchor=anchor, size=11)
            free = x + text_width(word, 11) / 2 + 6
    for s in sorted(drawn, key=lambda s: not s.faint):
        path = [(across(x), scale(y)) for x, y in s.points]
        canvas.path(path, f"series {s.css}{' faint' if s.faint else ''}")
        if len(path) == 1:
            canvas.circle(*path[0], 3, s.css)
    return canvas.svg(label)


def _range(values: Sequence[float], *, zero: bool, log: bool) -> tuple[float, float]:
    """Lowest and highest value of the vertical axis."""
    positive = [v for v in values if v > 0]
    if log:
        return (min(positive), max(positive) * 1.05) if positive else (0.1, 1.0)
    low, high = min(values, default=0.0), max(values, default=1.0)
    if zero:
        low = min(0.0, low)
    else:
        room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        low -= room
        return low, high + room
    return low, high * 1.05 or 1.0


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten inside the range; powers alone where that is more than six."""
    found = [m * 10.0**e for e in range(-12, 13) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    tens = [v for v in found if f"{v:e}".startswith("1.0")]
    return tens if len(found) > 6 and len(tens) > 1 else found
