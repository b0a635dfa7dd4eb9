"""The story of the corpus as one picture: a band of documents from the sources to the corpus, and what leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilebuilder.report.svg import SIZE, Canvas, fit, num

TALL, LEAST = 190.0, 1.0
"""Height of the whole band in pixels, and of the thinnest branch that is drawn."""
REASONS = 3


@dataclass(frozen=True, slots=True)
class Gate:
    """One stage: documents that enter, and what leaves there by reason (largest first)."""

    name: str
    entered: int
    left: tuple[tuple[str, int], ...]

    @property
    def lost(self) -> int:
        return sum(n for _, n in self.left)


def flow(width: int, gates: Sequence[Gate], final: tuple[str, int], *, label: str) -> str:
    """A band that narrows at each gate; what leaves curves down to its reasons. For wide pages."""
    canvas = Canvas(width)
    most = max((g.entered for g in gates), default=1) or 1
    scale = TALL / most
    cell = (width - 150) / max(1, len(gates))
    top, floor = 34.0, 34.0 + TALL + 42
    deepest = floor
    for i, gate in enumerate(gates):
        x = i * cell
        kept = gate.entered - gate.lost
        tall, stays = gate.entered * scale, kept * scale
        canvas.text(x, 12, gate.name, "ink strong")
        canvas.text(x, 27, f"{gate.entered:,}", "muted", size=11)
        canvas.rect(x, top, 6, max(tall, LEAST), "keep", f"{gate.name}: {gate.entered:,} documents enter")
        if kept:
            canvas.rect(x + 6, top, cell - 6, max(stays, LEAST), "keep soft", f"{gate.name}: {kept:,} stay")
        if gate.lost:
            thick = max(gate.lost * scale, LEAST)
            reach = min(cell * 0.55, 30 + thick)
            tip = f"{gate.name}: {gate.lost:,} leave"
            canvas.curve(_branch(x + 6, top + stays, thick, reach, floor), "loss soft", floor, tip)
            deepest = max(deepest, _reasons(canvas, gate, x + 6 + reach - thick, floor, cell))
    x = len(gates) * cell
    canvas.text(x, 12, final[0], "ink strong")
    canvas.text(x, 27, f"{final[1]:,}", "muted", size=11)
    canvas.rect(x, top, 6, max(final[1] * scale, LEAST), "keep", f"{final[0]}: {final[1]:,} documents")
    canvas.height = max(canvas.height, deepest)
    return canvas.svg(label)


def _branch(x: float, y: float, thick: float, reach: float, floor: float) -> str:
    """A band of this thickness from (x, y) that turns down and ends at the floor, `reach` to the right."""
    outer, inner = x + reach, x + reach - thick
    points = [
        f"M{num(x)},{num(y)}",
        f"C{num(x + reach * 0.7)},{num(y)} {num(outer)},{num(y + reach * 0.4)} {num(outer)},{num(floor - 6)}",
        f"L{num(inner)},{num(floor - 6)}",
        f"C{num(inner)},{num(y + thick + reach * 0.2)} {num(x + reach * 0.3)},{num(y + thick)}"
        f" {num(x)},{num(y + thick)}",
        "Z",
    ]
    return "".join(points)


def _reasons(canvas: Canvas, gate: Gate, x: float, floor: float, cell: float) -> float:
    """The stage's reasons under its branch; returns the lowest point."""
    x = max(x - 20, 0)
    room = cell - 12
    lines = [f"-{n:,} {reason}" for reason, n in gate.left[:REASONS]]
    if len(gate.left) > REASONS:
        rest = sum(n for _, n in gate.left[REASONS:])
        lines.append(f"-{rest:,} for {len(gate.left) - REASONS} more reasons")
    y = floor + SIZE - 2
    for line in lines:
        canvas.text(x, y, fit(line, room, 11), "muted", size=11)
        y += 15
    return y
