"""The logbook of a training run as a page: what was run, what happened and when, and every curve with its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pilebuilder.report import lines
from pilebuilder.report.cells import Cell, Gap, not_measured, shorten
from pilebuilder.report.facts import Facts
from pilebuilder.report.lines import Mark, Series
from pilebuilder.report.logbooks import Attempt, Book, carbon, clock, entries
from pilebuilder.report.svg import colour
from pilebuilder.report.table import Block, Column, Figure, Prose, Section, Table
from pilebuilder.units import show_seconds

ROWS = 200
"""Steps in the table behind the figures, evenly over the run; the logbook itself holds all."""
COMPONENTS = 9
"""Lines in the figure of components: one colour each."""
SMOOTH = 50
"""The drawn mean spans this part of the run's steps (but 10 steps at least)."""


def slug_of(name: str) -> str:
    """A run's name as part of file names."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"


def sections(facts: Facts) -> list[Section]:
    """A page for each run; none when there is no run."""
    found, taken = [], set()
    for book in facts.books:
        slug = slug_of(book.name)
        while slug in taken:
            slug += "-2"
        taken.add(slug)
        found.append(section(book, slug))
    return found


def section(book: Book, slug: str) -> Section:
    """The page of one run."""
    steps = steps_table(book, slug)
    parts = components_table(book, slug)
    scores = scores_table(book, slug)
    blocks: list[Block] = [run_table(book, slug), entries_table(book, slug), attempts_table(book, slug)]
    if book.steps:
        blocks += [*figures(book, slug, steps.name, parts), steps, *([parts] if parts else [])]
    else:
        blocks.append(Prose(text="No step was logged yet."))
    blocks += [scores] if scores else []
    return Section(name=f"logbook-{slug}", title=f"Logbook: {book.name}", lead=lead(book), blocks=tuple(blocks))


def lead(book: Book) -> str:
    """The run in two sentences."""
    if not book.attempts:
        return "Nothing was logged yet."
    last = book.attempts[-1]
    done = int(book.steps[-1]["step"]) + 1 if book.steps else 0
    planned = f" of {book.planned:,}" if book.planned else ""
    words = f"{book.facts.get('parameters', 0):,} parameters, {done:,}{planned} steps, {last.ended}."
    losses = [r["loss"] for r in book.steps if r.get("loss") is not None]
    if losses:
        window = max(1, min(len(losses), 20))
        words += f" Loss {sum(losses[-window:]) / window:.3f} nats per token (mean of the last {window} steps)."
    again = len(book.attempts) - 1
    return words + (f" Restarted {again} time{'s' if again > 1 else ''}." if again else "")


def run_table(book: Book, slug: str) -> Table:
    """What was run, and what it took."""
    facts, config = book.facts, book.config
    model, data = config.get("model") or {}, config.get("data") or {}
    optimizer = config.get("optimizer") or {}
    seconds = sum(a.seconds for a in book.attempts)
    rows: list[tuple[Cell, ...]] = [
        ("network", _words(model, "family", "layers", "width", "heads", "activation")),
        ("parameters", f"{facts.get('parameters', 0):,}"),
        ("data", _words(data, "sequence", "attention", "packing", "vocabulary")),
        ("batch", f"{config.get('batch_tokens', 0):,} tokens, in passes of {config.get('micro_tokens', 0):,}"),
        ("planned", f"{config.get('tokens', 0):,} tokens in {book.planned or 0:,} steps"),
        ("optimizer", _words(optimizer, "name", "lr", "weight_decay", "schedule", "warmup", "decay")),
        ("seed", str(config.get("seed", ""))),
        ("device", f"{facts.get('device', '')}, attention {facts.get('attention', '')}"),
        ("software", f"torch {facts.get('torch', '')}, Python {facts.get('python', '')}"),
        ("tokenizer", str(facts.get("tokenizer", ""))),
        ("configuration (sha256)", short_digest(facts.get("config_digest"))),
        ("tokens of the corpus (sha256)", short_digest(facts.get("data_digest"))),
        ("time in all attempts", show_seconds(seconds)),
        *_energy_rows(book),
    ]
    return Table(
        name=f"run-{slug}",
        title="The run",
        columns=(Column(key="what", title="What", kind="name"), Column(key="value", title="Value")),
        rows=tuple(rows),
        sample="the newest start or resume in the logbook",
    )


def short_digest(value: Any) -> str:
    """Enough of a digest to tell two apart; the logbook's first line holds all of it."""
    return f"{str(value)[:16]}…" if value else ""


def _words(held: Mapping[str, Any], *names: str) -> str:
    return ", ".join(f"{n.replace('_', ' ')} {held[n]}" for n in names if held.get(n) is not None)


def _energy_rows(book: Book) -> list[tuple[Cell, ...]]:
    found = [c for c in map(carbon, book.attempts) if c is not None]
    if not found:
        return [("energy", not_measured("the logbook holds no reading of a meter"))]
    drawn, grams = sum(k for k, _ in found), sum(g for _, g in found)
    last = book.attempts[-1]
    factors = f"PUE {last.setting('pue', 1.0):g}, {last.setting('grid_gco2_per_kwh', 0.0):g} gCO2e per kWh"
    less = (
        "" if len(found) == len(book.attempts) else f"; {len(book.attempts) - len(found)} attempts without a reading"
    )
    return [
        ("energy", f"{show_energy(drawn)} from the grid ({factors}{less})"),
        ("carbon", f"{grams:.3g} gCO2e"),
        ("energy counted by", last.method or "not stated"),
    ]


def show_energy(kwh: float) -> str:
    """An energy with the unit in which it is readable.

    >>> show_energy(0.0004), show_energy(12.345)
    ('0.400 Wh', '12.345 kWh')
    """
    return f"{kwh * 1000:.3f} Wh" if kwh < 0.1 else f"{kwh:,.3f} kWh"


def entries_table(book: Book, slug: str) -> Table:
    """The notebook proper: what happened, in order."""
    rows = tuple((clock(time), step, kind, shorten(text, 2000)) for time, step, kind, text in entries(book))
    return Table(
        name=f"entries-{slug}",
        title="Entries",
        columns=(
            Column(key="time", title="Time (UTC)", kind="name"),
            Column(key="step", title="Step", kind="count"),
            Column(key="kind", title="Kind"),
            Column(key="entry", title="Entry"),
        ),
        rows=rows,
        fold=60,
        note="In the order of writing. Notes are a person's, written with pilebuilder train note.",
        sample="all events of the logbook",
    )


def attempts_table(book: Book, slug: str) -> Table:
    """Restarts with their lineage."""
    return Table(
        name=f"attempts-{slug}",
        title="Attempts",
        columns=(
            Column(key="attempt", title="Attempt", kind="count"),
            Column(key="began", title="Began (UTC)"),
            Column(key="origin", title="Goes on from"),
            Column(key="first", title="First", kind="count", group="Step"),
            Column(key="last", title="Last", kind="count", group="Step"),
            Column(key="repeated", title="Done again", kind="count", group="Step"),
            Column(key="seconds", title="Time", kind="number", digits=1, unit="s"),
            Column(key="kwh", title="Energy", kind="number", digits=6, unit="kWh"),
            Column(key="gco2e", title="Carbon", kind="number", digits=3, unit="gCO2e"),
            Column(key="ended", title="Ended"),
        ),
        rows=tuple(_attempt(a) for a in book.attempts),
        note="An attempt goes on from a checkpoint; the steps that its predecessor did after that checkpoint are done"
        " again, on the same batches.",
        sample="all start and resume events",
    )


def _attempt(a: Attempt) -> tuple[Cell, ...]:
    if a.facts["event"] == "start":
        origin = "a new network"
    else:
        origin = f"attempt {a.origin}, step {a.first:,}" if a.origin else f"a checkpoint before step {a.first:,}"
    drawn = carbon(a)
    energy: tuple[Cell, Cell] = drawn if drawn else (Gap("not measured"), None)
    return (a.number, clock(a.began), origin, a.first, a.last, a.repeated, a.seconds, *energy, a.ended)


def _spread(total: int, most: int = ROWS) -> list[int]:
    """At most `most` positions of `total`, the first and the last among them."""
    if total <= most:
        return list(range(total))
    return sorted({round(k * (total - 1) / (most - 1)) for k in range(most)})


STEP_COLUMNS = (
    ("loss", "Loss", 4, "nats"),
    ("gradient_norm", "Gradient norm", 3, ""),
    ("lr", "Learning rate", 7, ""),
    ("tokens_per_second", "Speed", 0, "tokens/s"),
    ("mfu", "MFU", 4, ""),
    ("memory_bytes", "GPU memory", 2, "bytes"),
    ("host_memory_bytes", "Memory", 2, "bytes"),
    ("input_wait", "Input wait", 5, "share"),
)


def steps_table(book: Book, slug: str) -> Table:
    """The numbers behind the curves."""
    have = [c for c in STEP_COLUMNS if any(c[0] in r for r in book.steps)]
    chosen = [book.steps[i] for i in _spread(len(book.steps))]
    rows = tuple(
        (int(r["step"]), int(r.get("tokens", 0)), *(r.get(key) for key, *_ in have), bool(r.get("skipped")))
        for r in chosen
    )
    return Table(
        name=f"steps-{slug}",
        title="Steps",
        columns=(
            Column(key="step", title="Step", kind="count"),
            Column(key="tokens", title="Tokens so far", kind="count"),
            *(
                Column(key=key, title=title, kind="bytes" if unit == "bytes" else "number", digits=d, unit=unit)
                for key, title, d, unit in have
            ),
            Column(key="skipped", title="Skipped"),
        ),
        rows=rows,
        fold=12,
        note="Loss is the mean over the batch before the update. Speed is the mean since the line of the logbook"
        " before. MFU counts 6 N + 12 L d T FLOPs per token over 989 TFLOP/s and stands for GPUs alone. Memory is read"
        " once per write of the logbook.",
        sample=f"{len(rows):,} of {len(book.steps):,} steps, evenly",
    )


def components_table(book: Book, slug: str) -> Table | None:
    """Loss of each component in the batches that held it."""
    names = sorted({name for r in book.steps for name in r.get("components") or {}})
    if not names:
        return None
    rows = [book.steps[i] for i in _spread(len(book.steps))]
    return Table(
        name=f"component-loss-{slug}",
        title="Loss by component",
        columns=(
            Column(key="step", title="Step", kind="count"),
            *(Column(key=f"loss: {n}", title=n, kind="number", digits=4, unit="nats") for n in names),
        ),
        rows=tuple((int(r["step"]), *((r.get("components") or {}).get(n) for n in names)) for r in rows),
        fold=12,
        note="Mean over the rows of the component in the batch; empty where the batch had none.",
        sample=f"{len(rows):,} of {len(book.steps):,} steps, evenly",
    )


def figures(book: Book, slug: str, table: str, parts: Table | None) -> list[Figure]:
    """Every curve that the logbook has numbers for."""
    marks = [Mark(a.first, f"attempt {a.number}") for a in book.attempts[1:]]
    skipped = sum(bool(r.get("skipped")) for r in book.steps)
    found = [_loss_figure(book, slug, table, marks, skipped)]
    if parts is not None:
        found.append(_component_figure(book, slug, parts, marks))
    asked: tuple[tuple[str, str, str, bool], ...] = (
        ("lr", "Learning rate", "Of the schedule, before each step.", True),
        ("gradient_norm", "Gradient norm", "Of all gradients together, before clipping; log scale.", False),
        ("tokens_per_second", "Speed", "Tokens per second, from one line of the logbook to the next.", True),
        ("mfu", "Model FLOP utilisation", "6 N + 12 L d T per token over 989 TFLOP/s.", True),
        ("memory_bytes", "GPU memory", "Largest amount allocated so far, GiB.", True),
        ("host_memory_bytes", "Memory of the process", "Largest resident size so far, GiB.", True),
        ("input_wait", "Input wait", "Share of time in which the network waited for its batch.", True),
    )
    for key, title, subtitle, zero in asked:
        scale = 1 << 30 if key.endswith("memory_bytes") else 1
        points = [(float(r["step"]), r[key] / scale) for r in book.steps if isinstance(r.get(key), int | float)]
        if len(points) > 1:
            found.append(_curve(key, slug, title, subtitle, table, points, zero, marks))
    return found


def _window(count: int) -> int:
    return max(10, count // SMOOTH)


def _loss_figure(book: Book, slug: str, table: str, marks: list[Mark], skipped: int) -> Figure:
    points = [(float(r["step"]), float(r["loss"])) for r in book.steps if r.get("loss") is not None]
    window = _window(len(points))
    mean = lines.smoothed(points, window)

    def draw(width: int) -> str:
        both = [Series("each step", points, "c1", faint=True), Series(f"mean of {window} steps", mean, "c1")]
        return lines.lines(width, both, label="Loss by step", marks=marks)

    ends = f"from {points[0][1]:.3f} to {mean[-1][1]:.3f}" if points else "without a finite value"
    more = f" {skipped:,} steps were skipped." if skipped else ""
    return Figure(
        name=f"loss-{slug}",
        title="Loss",
        subtitle="Nats per token over the batch.",
        draw=draw,
        table=table,
        alt=f"The loss goes {ends} nats per token in {len(points):,} steps.{more}",
    )


def _component_figure(book: Book, slug: str, parts: Table, marks: list[Mark]) -> Figure:
    names = [c.title for c in parts.columns[1:]]
    series: dict[str, list[tuple[float, float]]] = {n: [] for n in names}
    for r in book.steps:
        for name, value in (r.get("components") or {}).items():
            if isinstance(value, int | float):
                series[name].append((float(r["step"]), float(value)))
    most = sorted(names, key=lambda n: (-len(series[n]), n))[:COMPONENTS]
    shown = {n: lines.smoothed(series[n], _window(len(series[n]))) for n in sorted(most) if series[n]}

    def draw(width: int) -> str:
        held = [Series(name, points, colour(i)) for i, (name, points) in enumerate(shown.items())]
        return lines.lines(width, held, label="Loss by component and step", marks=marks)

    last = ", ".join(f"{name} {points[-1][1]:.3f}" for name, points in shown.items())
    left = (
        f" {len(names) - len(shown)} components with fewer rows are in the table alone."
        if len(names) > len(shown)
        else ""
    )
    return Figure(
        name=f"component-loss-{slug}",
        title="Loss by component",
        subtitle="Nats per token, mean over neighbouring steps.",
        draw=draw,
        table=parts.name,
        alt=f"At the end: {last}.{left}",
    )


def _curve(
    key: str, slug: str, title: str, subtitle: str, table: str, points: lines.Points, zero: bool, marks: list[Mark]
) -> Figure:
    log = key == "gradient_norm" and all(y > 0 for _, y in points)

    def draw(width: int) -> str:
        held = [Series("", points, "c1")]
        return lines.lines(width, held, label=title, zero=zero, log=log, marks=marks, height=120)

    values = [y for _, y in points]
    show: Callable[[float], str] = lines.show_value
    words = f"Between {show(min(values))} and {show(max(values))}; last {show(values[-1])}."
    return Figure(
        name=f"{key.replace('_', '-')}-{slug}", title=title, subtitle=subtitle, draw=draw, table=table, alt=words
    )


def scores_table(book: Book, slug: str) -> Table | None:
    """Bits per byte of the evaluations during the run, by component."""
    events = [r for r in book.events if r["event"] == "evaluate" and r.get("scores")]
    if not events:
        return None
    names = list(dict.fromkeys(s["component"] for r in events for s in r["scores"]))
    names = [*(n for n in names if n != "overall"), *(n for n in names if n == "overall")]
    rows = []
    for r in events:
        held = {s["component"]: s["bits_per_byte"] for s in r["scores"]}
        rows.append((int(r.get("step", 0)), str(r.get("split", "")), *(held.get(n) for n in names)))
    return Table(
        name=f"held-out-{slug}",
        title="Bits per byte during the run",
        definition="A12",
        columns=(
            Column(key="step", title="Step", kind="count"),
            Column(key="split", title="Split"),
            *(Column(key=f"bits per byte: {n}", title=n, kind="number", digits=4) for n in names),
        ),
        rows=tuple(rows),
        note="Of UTF-8 text; each document alone, windows that do not overlap. The whole split is measured by"
        " pilebuilder train eval.",
        weighting="ratio of sums",
        sample="the first documents of each component up to control.evaluate_tokens",
    )
