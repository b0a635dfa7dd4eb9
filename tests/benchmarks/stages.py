"""Each stage of a real build, in MB of text per CPU second of one core: ``python -m tests.benchmarks.stages [MB]``.

The recipe of `tests.benchmarks.end_to_end` with holdout, run in this process, task after task; CPU seconds are those
of the tasks, commits (digest, sync, manifest) included, and the text is what the build's own counters say came in. A
first build of one file loads libraries and kernels, and is not counted. The last line is one JSON object.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pilebuilder import executors
from pilebuilder.build.run import Build
from pilebuilder.executors.local import ENVIRONMENT, reuse_memory
from pilebuilder.recipe import load_recipe
from pilebuilder.task import Manifest, Task
from tests.benchmarks.end_to_end import RECIPE, texts, write


class Inline:
    """Runs tasks here and adds up what each stage takes."""

    workers = 1

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tasks: Counter[str] = Counter()

    def run(self, function: executors.Function, tasks: Sequence[Task], root: str) -> Iterator[tuple[int, Manifest]]:
        for i, task in enumerate(tasks):
            start = time.process_time()
            manifest = function(task, root)
            self.seconds[task.stage] += time.process_time() - start
            self.tasks[task.stage] += 1
            yield i, manifest

    def close(self, *, now: bool = False) -> None:
        pass


def build(source: Path, out: Path) -> tuple[Inline, dict[str, Any], float]:
    """A build up to the tokens: seconds by stage, sums by stage, CPU seconds of the whole (planning included)."""
    recipe = out.with_suffix(".yaml")
    recipe.write_text(RECIPE.format(folder=source).replace("val: 0.0, test: 0.0", "val: 0.005, test: 0.005"))
    start, inline = time.process_time(), Inline()
    build = Build(load_recipe(recipe), out, target="tokenize")
    build._executor = inline
    return inline, build.run(), time.process_time() - start


def main() -> None:
    """Build twice, print the second."""
    os.environ.update(ENVIRONMENT)
    reuse_memory(1 << 30)  # as every worker does, and so with the collector
    gc.set_threshold(*executors.COLLECTION)
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rows = list(enumerate(texts(amount * 1_000_000)))
        random.Random(3).shuffle(rows)
        write(root / "warm", rows[:1000])
        write(root / "all", rows)
        build(root / "warm", root / "w")
        gc.freeze()
        inline, tallies, whole = build(root / "all", root / "o")
    figures: dict[str, Any] = {"documents": len(rows), "cpu_seconds": round(whole, 2)}
    print(f"{'stage':10}{'tasks':>6}{'documents':>11}{'MB in':>9}{'CPU s':>8}{'MB/s':>8}")
    for stage, seconds in inline.seconds.items():
        counts = tallies[stage].values()
        # fetch and read count packed bytes in, so what comes out counts; dedup reads sketches, not text
        came_out = {"fetch": "fetch", "read": "read", "dedup": "filter"}.get(stage)
        of = tallies[came_out].values() if came_out else counts
        size = sum(c.bytes_out if came_out else c.bytes_in for c in of) / 1e6
        seen = sum(c.seen for c in counts)
        rate = size / seconds if size else 0.0
        print(f"{stage:10}{inline.tasks[stage]:6}{seen:11,}{size:9.1f}{seconds:8.2f}{rate:8.1f}")
        figures |= {f"{stage}_cpu_seconds": round(seconds, 3), f"{stage}_mb_s": round(rate, 1)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
