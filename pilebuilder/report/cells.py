"""How one value is written for people: counts, sizes, shares, gaps. CSV and JSON carry full precision."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "text", "code", "count", "bytes", "share", "number"]
NUMERIC = frozenset({"count", "bytes", "share", "number"})

TOO_FEW_DOCUMENTS = 30
"""Below this many documents a cell shows its n and no value."""
TOO_FEW_SENTENCES = 100
"""The same for cells that rest on sentences."""

UNITS = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell without value: shown with its reason, never as zero and never left out."""

    reason: str
    n: int | None = None

    def __str__(self) -> str:
        return self.reason if self.n is None else f"{self.reason} (n = {self.n:,})"


def not_measured(reason: str) -> Gap:
    """The gap for an input that is missing."""
    return Gap(f"not measured: {reason}")


def too_few(n: int) -> Gap:
    """The gap for a cell that rests on too little data."""
    return Gap("too few", n)


Cell = str | int | float | bool | Gap | None


def enough(n: int, value: Cell) -> Cell:
    """The value, or "too few" when it rests on fewer documents than a finding needs.

    >>> enough(30, 0.5), str(enough(29, 0.5))
    (0.5, 'too few (n = 29)')
    """
    return value if n >= TOO_FEW_DOCUMENTS else too_few(n)


def scale_of(values: Iterable[Cell]) -> tuple[str, int]:
    """The unit, and its bytes, in which the largest of these sizes is at least 1.

    >>> scale_of([512, 3 << 20])
    ('MiB', 1048576)
    """
    largest = max((abs(v) for v in values if isinstance(v, int | float)), default=0)
    return next(((name, size) for name, size in UNITS if largest >= size), UNITS[-1])


def show(value: Cell, kind: Kind, *, digits: int = 2, scale: int = 1) -> str:
    """One cell as text; `scale` is the unit of a column of sizes, `digits` the decimals of a column of numbers, which
    a whole number (int) among them does not take.

    >>> show(1234567, "count"), show(0.18109, "share"), show(0.00001, "share"), show(3 << 20, "bytes", scale=1 << 20)
    ('1,234,567', '18.11', '< 0.01', '3.00')
    """
    if value is None:
        return ""
    if isinstance(value, Gap):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind not in NUMERIC or isinstance(value, str):
        return visible(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return "not defined"
    if kind == "count" or (kind == "number" and isinstance(value, int)):
        return f"{value:,.0f}"
    if kind == "bytes":
        if scale == 1:
            return f"{value:,.0f}"
        return "< 0.01" if 0 < value / scale < 0.005 else f"{value / scale:,.2f}"
    if kind == "share":
        value *= 100
    floor = 10.0**-digits
    if 0 < abs(value) < floor / 2:
        return f"< {floor:.{digits}f}" if value > 0 else f"> -{floor:.{digits}f}"
    return f"{value:,.{digits}f}"


def visible(text: str) -> str:
    """Text with nothing hidden in it: control, bidi, zero-width and private characters become ``[U+202E]``.

    Line feed and tab stay. Applied to every name and sample before it is escaped for a page, a table or a terminal.

    >>> visible("a" + chr(0x202E) + "b" + chr(7))
    'a[U+202E]b[U+0007]'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if not _hidden(c) else f"[U+{ord(c):04X}]" for c in text)


def _hidden(char: str) -> bool:
    if char in "\n\t":
        return False
    if char in "\u200c\u200d":  # joiners: needed to write Persian, Indic scripts and emoji
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def many(n: int, noun: str) -> str:
    """A number of things.

    >>> many(1, "document"), many(2000, "document")
    ('1 document', '2,000 documents')
    """
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def show_size(n: float) -> str:
    """A size with its unit, for running text and labels.

    >>> show_size(1536), show_size(0)
    ('1.50 KiB', '0 B')
    """
    unit, scale = scale_of([n])
    return f"{n:,.0f} B" if scale == 1 else f"{n / scale:,.2f} {unit}"


def short_count(n: float) -> str:
    """A count for an axis or a label: plain to 99,999, then with k, M, B.

    >>> [short_count(x) for x in (950, 12000, 150000, 1500000, 2e9)]
    ['950', '12,000', '150 k', '1.5 M', '2 B']
    """
    for size, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(n) >= size and abs(n) >= 100_000:
            return f"{n / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:g}"
