"""A small drawing surface for figures: shapes and text in user pixels, out comes static SVG.

No script, no font file, no colour values: shapes carry classes (``c1`` ... ``c9``, ``ink``, ``muted``, ``grid``,
``keep``, ``loss``, ...) and the stylesheet gives them colours for light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from pilebuilder.report.cells import visible

SIZE = 12
"""Text size in pixels; the page shows figures at their own size, so text is the same size in all."""

# Widths of Helvetica in thousandths of the text size (Adobe font metrics), for ASCII 32 to 126.
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip


def text_width(text: str, size: float = SIZE) -> float:
    """Width of a line of text in pixels in a Helvetica-like face; other scripts are taken as 0.6 or 1 em wide."""
    total = 0
    for char in text:
        code = ord(char)
        total += _WIDTHS[code - 32] if 32 <= code < 127 else 1000 if code >= 0x2E80 else 600
    # Faces that a browser takes instead are wider, DejaVu Sans by an eighth.
    return total * size * 1.13 / 1000


def fit(text: str, width: float, size: float = SIZE) -> str:
    """The text made visible, cut with an ellipsis to fit `width` pixels; empty when not even three characters fit."""
    text = visible(text).replace("\n", " ")
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…" if len(text) >= 3 else ""


def fit_end(text: str, width: float, size: float = SIZE) -> str:
    """As `fit`, but cut in front: for names that differ at their end."""
    text = visible(text).replace("\n", " ")
    if text_width(text, size) <= width:
        return text
    while text and text_width("…" + text, size) > width:
        text = text[1:]
    return "…" + text.lstrip() if len(text) >= 3 else ""


def num(value: float) -> str:
    """A coordinate with at most one decimal: the same text on every machine.

    >>> num(3.04), num(12.25), num(-0.01)
    ('3', '12.2', '0')
    """
    shown = f"{value:.1f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "0" if shown == "-0" else shown


@dataclass(slots=True)
class Canvas:
    """Collects shapes. Origin top left, x to the right, y down."""

    width: float
    height: float = 0
    _parts: list[str] = field(default_factory=list)

    def _add(self, part: str, bottom: float) -> None:
        self._parts.append(part)
        self.height = max(self.height, bottom)

    def rect(self, x: float, y: float, w: float, h: float, css: str, tip: str = "") -> None:
        """A box. `tip` is shown by the browser under the pointer."""
        if w <= 0 or h <= 0:
            return
        inner = f"><title>{text_of(tip)}</title></rect>" if tip else "/>"
        self._add(f'<rect x="{num(x)}" y="{num(y)}" width="{num(w)}" height="{num(h)}" class="{css}"{inner}', y + h)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self._add(f'<line x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}" class="{css}"/>', max(y1, y2))

    def circle(self, x: float, y: float, r: float, css: str, tip: str = "") -> None:
        inner = f"><title>{text_of(tip)}</title></circle>" if tip else "/>"
        self._add(f'<circle cx="{num(x)}" cy="{num(y)}" r="{num(r)}" class="{css}"{inner}', y + r)

    def path(self, points: Sequence[tuple[float, float]], css: str, *, closed: bool = False) -> None:
        """Straight lines through points."""
        if points:
            d = "M" + "L".join(f"{num(x)},{num(y)}" for x, y in points) + ("Z" if closed else "")
            self._add(f'<path d="{d}" class="{css}"/>', max(y for _, y in points))

    def curve(self, d: str, css: str, bottom: float, tip: str = "") -> None:
        """A path given as SVG path data."""
        inner = f"><title>{text_of(tip)}</title></path>" if tip else "/>"
        self._add(f'<path d="{d}" class="{css}"{inner}', bottom)

    def text(self, x: float, y: float, text: str, css: str = "", *, anchor: str = "start", size: float = SIZE) -> None:
        """One line of text on the baseline `y`."""
        if not text:
            return
        side = "" if anchor == "start" else f' text-anchor="{anchor}"'
        scale = "" if size == SIZE else f' font-size="{num(size)}"'
        klass = f' class="{css}"' if css else ""
        self._add(f'<text x="{num(x)}" y="{num(y)}"{side}{scale}{klass}>{text_of(text)}</text>', y + size * 0.35)

    def turned(self, x: float, y: float, text: str, css: str, size: float = 11) -> None:
        """One line of text that reads upwards from (x, y)."""
        if text:
            place = f'transform="translate({num(x)},{num(y)}) rotate(-90)"'
            self._add(f'<text {place} font-size="{num(size)}" class="{css}">{text_of(text)}</text>', y)

    def svg(self, label: str) -> str:
        """The whole drawing; `label` names it for a screen reader."""
        w, h = num(self.width), num(math.ceil(self.height))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fig" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
            f' font-size="{SIZE}" role="img" aria-label={quoteattr(visible(label))}>'
        )
        return head + "".join(self._parts) + "</svg>"


def text_of(text: str) -> str:
    """Text escaped for SVG, with hidden characters made visible."""
    return escape(visible(text).replace("\n", " "))


@dataclass(frozen=True, slots=True)
class Linear:
    """Maps values 0 (or `low`) ... `high` to pixels `start` ... `stop`."""

    high: float
    start: float
    stop: float
    low: float = 0

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1
        return self.start + (value - self.low) / span * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside the range, at most `most` + 1."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        step = round_step(span / most)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Log:
    """Maps values `low` ... `high` (both above 0) to pixels by their logarithm."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        span = math.log(self.high / self.low) or 1
        return self.start + math.log(max(value, self.low) / self.low) / span * (self.stop - self.start)


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))


def colour(index: int) -> str:
    """Class of the category colour at this position; nine colours, then hatched again by lighter fill."""
    return f"c{index % 9 + 1}" + (" alt" if index >= 9 else "")
