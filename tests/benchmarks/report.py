"""CPU cost of the report's measures, one core: ``python -m tests.benchmarks.report [MEGABYTES]``.

Text is the Python standard library's source and the licences of installed packages, repeated to the size asked for.
Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pilebuilder.report import plan
from tests.report.made import Bench, table

PARTITION = 32 << 20


def documents(size: int) -> list[str]:
    """Texts of at least `size` bytes in all."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found, total = [], 0
    while total < size:
        for path in sorted(root.rglob("*.py")):
            text = path.read_text(encoding="utf-8", errors="ignore")
            found.append(text)
            total += len(text.encode())
            if total >= size:
                break
    return found


def timed(run: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def main(megabytes: int) -> None:
    texts = documents(megabytes << 20)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        warm = bench.partition(table("warm", texts[:20]), "warm")
        parts, at = [], 0
        while at < len(texts):
            held, size = [], 0
            while at < len(texts) and size < PARTITION:
                held.append(texts[at])
                size += len(texts[at].encode())
                at += 1
            parts.append(bench.partition(table("a", held, ["en"] * len(held)), "a"))
        figures = {}
        for name, function, params in (
            ("profile", "measure:profile", {}),
            ("removal", "removal:count", {"seed": 1, "share": 1.0}),
            ("sample", "sampled.draw:sample", {"seed": 1, "share": 1.0}),
        ):
            bench.run(plan.task(name, function, [warm], "warm", **params))
            seconds, made = 0.0, []
            for part in parts:
                took, outputs = timed(lambda p=part, f=function, q=params: bench.run(plan.task("x", f, [p], "a", **q)))
                seconds += took
                made.append(outputs)
            figures[f"{name}_mb_per_s"] = round(megabytes * 1.048576 / seconds, 2)
        first = made[0]["sample.parquet"]
        gathered = bench.run(plan.task("g", "sampled.draw:gather", [first], "a"))["sample.parquet"]
        small = min(PARTITION, megabytes << 20) / 1e6
        for name, function, params in (
            ("bias", "sampled.bias:measure", {"terms": "pile", "toxicity": "toxicity", "seed": 1}),
            ("words", "sampled.topics:words", {}),
        ):
            took, _ = timed(lambda f=function, q=params: bench.run(plan.task("x", f, [gathered], "a", **q)))
            figures[f"{name}_mb_per_s"] = round(small / took, 2)
        figures["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in figures.items():
        print(f"{name:24s} {value:10.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
