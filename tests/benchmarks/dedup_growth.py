"""How time and memory of dedup grow with the corpus: ``python -m tests.benchmarks.dedup growth`` or ``memory``.

The corpus is grown from real text: each document is made of runs of words taken from random places in it, and 18 of
100 are copies of the one before with some words changed, so the share of duplicates is the same at every size. Each
measurement is a fresh process that makes the sketches and runs every task of the stage, as one worker would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (100_000, 200_000, 500_000, 1_000_000)
CONFIGS: dict[str, dict[str, Any]] = {
    "measure": {},
    "measure-near": {"exact": False},
    "measure-each": {"exact": False, "minhash": {"transitive": False}},
}
"""The stage's settings of each step that measures."""
RUN, RUNS = 12, 14
"""Words in a run, and runs in a document: about 1 KB."""


def grow(root: Path, documents: int, limit: int, seed: int = 5) -> None:
    """Write partitions of grown documents into ``root/parts``; the same for the same arguments."""
    import pyarrow as pa

    from pilebuilder.document import schema
    from pilebuilder.partition import pieces, write_table
    from tests.benchmarks.texts import documents as real

    source = min(20_000_000, 200 * documents)  # bytes of real text
    words = np.array([w for _, t in real(source, 5000) for w in t.split()], object)
    rng = np.random.default_rng(seed)
    folder = root / "parts"
    folder.mkdir()
    ordinal = 0
    for start in range(0, documents, 20_000):
        places = rng.integers(0, len(words) - RUN, (min(20_000, documents - start), RUNS))
        copy = rng.random(len(places)) < 0.18
        copy[0] = False
        texts: list[str] = []
        for place, is_copy in zip(places, copy, strict=True):
            if is_copy:
                held = texts[-1].split(" ")
                for at in place[: int(place[0] % 6)]:
                    held[at % len(held)] = f"x{at}"
                texts.append(" ".join(held))
            else:
                texts.append(" ".join(" ".join(words[p : p + RUN]) for p in place))
        names = [f"{start + i:032x}" for i in range(len(texts))]
        columns = {"id": names, "text": texts, "component": ["A"] * len(texts)}
        table = pa.table(
            {f.name: pa.array(columns.get(f.name, [None] * len(texts)), f.type) for f in schema()}, schema=schema()
        )
        for piece, _ in pieces(table, limit):
            write_table(piece.combine_chunks(), folder / f"{ordinal:06}.parquet", reread=True)
            ordinal += 1


class Private(threading.Thread):
    """Watches the memory that is this process's own (`RssAnon` of Linux), which a budget must hold.

    What is mapped from files (libraries, inputs of tasks) counts in the peak of the whole, `peak_mib`, but the system
    takes it back when others need it, and workers share it.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.done = 0.0, False
        self.start()

    def run(self) -> None:
        while not self.done:
            self.most = max(self.most, held())
            time.sleep(0.005)

    def stop(self) -> float:
        self.done = True
        return self.most


def held(what: str = "RssAnon") -> float:
    """MiB of this process's own memory now; ``VmHWM``: the most it had with all that it mapped.

    ``ru_maxrss`` would do for that, but it begins with what the parent had.
    """
    with open("/proc/self/status") as status:
        line = next((line for line in status if line.startswith(what + ":")), "absent: 0")
    return int(line.split()[1]) / 1024


def same(root: Path, documents: int, limit: int) -> None:
    """Write partitions of one text over and over, in five variants that differ in a word."""
    import pyarrow as pa

    from pilebuilder.document import schema
    from pilebuilder.partition import pieces, write_table

    base = " ".join(f"word{i}" for i in range(40))
    (root / "parts").mkdir()
    ordinal = 0
    for start in range(0, documents, 50_000):
        rows = range(start, min(start + 50_000, documents))
        text = [f"{base} end{i % 5}" for i in rows]
        columns = {"id": [f"{i:032x}" for i in rows], "text": text, "component": ["A"] * len(rows)}
        table = pa.table(
            {f.name: pa.array(columns.get(f.name, [None] * len(rows)), f.type) for f in schema()}, schema=schema()
        )
        for piece, _ in pieces(table, limit):
            write_table(piece.combine_chunks(), root / "parts" / f"{ordinal:06}.parquet", reread=True)
            ordinal += 1


def measure(root: Path, memory: int, **config: Any) -> dict[str, Any]:
    """Sketches and every task, in this process: CPU seconds, peak memory, what was found."""
    import pyarrow.parquet as pq

    from pilebuilder.dedup.config import Config
    from pilebuilder.task import Artifact, digest_file
    from tests.dedup.driver import Stage

    partitions = []
    for path in sorted((root / "parts").iterdir()):
        digest, size = digest_file(path)
        found = pq.read_metadata(path)
        text = found.row_group(0).column(found.schema.names.index("text")).total_uncompressed_size
        facts = {"component": "A", "documents": found.num_rows, "text_bytes": text - 4 * found.num_rows}
        name = str(path.relative_to(root))
        partitions.append(Artifact(path=name, sha256=digest, bytes=size, kind="partition", facts=facts))
    import pilebuilder.dedup.confirm  # with `bands` and `exact`: what a worker imports
    import pilebuilder.dedup.remove
    import pilebuilder.dedup.verify  # noqa: F401

    base = held()
    private = Private()
    start, wall = time.process_time(), time.perf_counter()
    stage = Stage(root, Config(**config), partitions, memory).run()
    most = private.stop()
    return {
        "private_mib": most,
        "over_base_mib": most - base,
        "cpu": time.process_time() - start,
        "wall": time.perf_counter() - wall,
        "peak_mib": held("VmHWM"),
        "tasks": len(stage.tasks),
        "removed": stage.tally["A"].merged,
        "documents": stage.tally["A"].seen,
    }


def fresh(
    documents: int, memory: int, folder: str | None = None, steps: tuple[str, ...] = ("grow", "measure")
) -> dict[str, Any]:
    """Grow in one process, measure in another, so that the first one's memory does not count."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        for step in steps:
            arguments = [
                sys.executable,
                "-m",
                "tests.benchmarks.dedup_growth",
                step,
                root,
                str(documents),
                str(memory),
            ]
            done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
            if done.returncode:
                raise SystemExit(f"{step} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def growth(sizes: tuple[int, ...] = SIZES, out: Path | None = None) -> dict[str, float]:
    """CPU time by size at 1 GiB; `growth_per_document` is time per document at the largest over the smallest size."""
    figures: dict[str, float] = {}
    points: list[tuple[int, float, float]] = []
    print(
        f"{'documents':>10}{'CPU s':>8}{'us/document':>13}{'of smallest':>13}{'peak MiB':>10}{'tasks':>7}{'removed':>9}"
    )
    for documents in sizes:
        found = fresh(documents, 1 << 30)
        points.append((documents, found["cpu"], found["peak_mib"]))
        per, base = found["cpu"] / documents, points[0][1] / points[0][0]
        row = f"{documents:10,}{found['cpu']:8.2f}{per * 1e6:13.2f}{per / base:13.3f}{found['peak_mib']:10.0f}"
        print(row + f"{found['tasks']:7}{found['removed']:9,}")
        figures |= {f"cpu_{documents}": round(found["cpu"], 2), f"peak_mib_{documents}": round(found["peak_mib"])}
        figures["growth_per_document"] = round(per / base, 3)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        plot(points, out / "dedup_growth.svg")
    return figures


def plot(points: list[tuple[int, float, float]], path: Path) -> None:
    """Measured CPU seconds by documents, between linear growth from the smallest size and 1.15 times that, as SVG."""
    left, top, width, height = 60, 20, 520, 320
    most, base = points[-1][0], points[0][1] / points[0][0]
    high = max(1.2 * base * most, max(cpu for _, cpu, _ in points))
    high = 5 * next(
        step for k in range(-3, 9) for step in (10**k, 2 * 10**k, 4 * 10**k, 5 * 10**k) if 5 * step >= high
    )

    def at(documents: float, seconds: float) -> str:
        return f"{left + documents / most * width:.1f},{top + (1 - seconds / high) * height:.1f}"

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 400" font-family="sans-serif" font-size="12">']
    for k in range(6):
        x, y = left + k / 5 * width, top + (1 - k / 5) * height
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{high * k / 5:g}</text>')
        label = f"{most * k // 5:,}"
        parts.append(f'<text x="{x:.0f}" y="{top + height + 18}" text-anchor="middle">{label}</text>')
    for factor, name, dash in ((1.0, "linear", "4 3"), (1.15, "1.15 x linear", "1 3")):
        line = f"{at(0, 0)} {at(most, factor * base * most)}"
        parts.append(f'<polyline points="{line}" fill="none" stroke="#666" stroke-dasharray="{dash}"/>')
        x, y = at(most, factor * base * most).split(",")
        parts.append(f'<text x="{float(x) + 8:.0f}" y="{y}" fill="#666">{name}</text>')
    line = " ".join(at(documents, cpu) for documents, cpu, _ in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1b6ca8" stroke-width="2"/>')
    for documents, cpu, peak in points:
        x, y = at(documents, cpu).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="#1b6ca8"/>')
        parts.append(f'<text x="{float(x) + 8:.0f}" y="{float(y) + 14:.0f}">{cpu:.1f} s, {peak:.0f} MiB</text>')
    middle = left + width / 2
    parts.append(f'<text x="{middle}" y="{top + height + 40}" text-anchor="middle">documents</text>')
    parts.append(f'<text x="{left - 8}" y="{top - 8}">CPU seconds</text>')
    path.write_text("\n".join([*parts, "</svg>"]))


def memory(budgets: tuple[int, ...] = (256 << 20,), times: int = 10) -> dict[str, float]:
    """Peak memory of the worker on a corpus `times` larger than its budget.

    `over_base_mib` is what the worker's own memory grows to beyond that of the imported libraries: what a budget bounds.
    """
    figures: dict[str, float] = {}
    for budget in budgets:
        found = fresh(times * budget // 1000, budget)
        print(budget >> 20, "MiB:", {k: round(v, 2) for k, v in found.items()})
        for name in ("over_base_mib", "private_mib", "peak_mib", "cpu"):
            figures[f"{name}_at_{budget >> 20}"] = round(found[name], 1)
    return figures


def skew(documents: int = 1_000_000, budget: int = 256 << 20) -> dict[str, float]:
    """One text a million times, with exact dedup off: every bucket of MinHash holds every document."""
    found = fresh(documents, budget, steps=("same", "measure-near"))
    print(f"one text {documents:,} times:", {k: round(v, 2) for k, v in found.items()})
    assert found["removed"] == documents - 1, found
    return {"skew_cpu": round(found["cpu"], 1), "skew_over_base_mib": round(found["over_base_mib"])}


if __name__ == "__main__":
    what, where, count, bound = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if what in ("grow", "same"):
        {"grow": grow, "same": same}[what](where, count, min(64 << 20, bound // 16))
    else:
        print(json.dumps(measure(where, bound, **CONFIGS[what])))
