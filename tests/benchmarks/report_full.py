"""The full report of a large corpus as a user asks for it: ``python -m tests.benchmarks.report_full [GB] [WORKERS]``.

The documents of ``tests.benchmarks.corpus`` (run that first), dealt into 22 components by their package, over and over
until there is as much text, each turn with another line at the end, as files of JSON lines. ``pilebuilder report
--corpus`` reads, measures and describes them; the resident memory of each of its processes is read from the kernel,
every 50 ms. The last line is one JSON object.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.memory import watch, write

COMPONENTS = 22


def documents() -> Iterator[dict[str, Any]]:
    """Records, over and over, no two of one component with equal text."""
    files = [corpus.folder() / name for name in ("english.jsonl.zst", "docs.jsonl.zst")]
    if missing := [path for path in files if not path.is_file()]:
        raise SystemExit(f"{missing[0]} is not there: run python -m tests.benchmarks.corpus first")
    for turn in itertools.count():
        for number, (source, text) in enumerate(pair for path in files for pair in corpus.read(path)):
            part = zlib.crc32(source.encode()) % COMPONENTS
            ending = f"\n\nThis is copy {turn} of document {number}.\n" if turn else ""
            yield {"text": text + ending, "meta": {"pile_set_name": f"Component {part:02}"}}


def main(gigabytes: float, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        count, size = write(folder / "raw", int(gigabytes * 1e9), documents())
        command = [sys.executable, "-m", "pilebuilder", "report", "--corpus", str(folder / "raw")]
        start = time.monotonic()
        processes, _ = watch([*command, "-w", str(workers), "-o", str(folder / "out")])
        seconds = time.monotonic() - start
    return {
        "report_gb": round(size / 1e9, 2),
        "report_documents": count,
        "report_components": COMPONENTS,
        "report_workers": workers,
        "report_seconds": round(seconds, 1),
        "report_cpu_seconds": round(sum(cpu for _, cpu in processes), 1),
        "report_worker_peak_mib": round(max(peak for peak, _ in processes[1:]) / 2**20),
        "report_driver_peak_mib": round(processes[0][0] / 2**20),
    }


if __name__ == "__main__":
    figures = main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    for key, value in figures.items():
        print(f"{key:32} {value}")
    print(json.dumps(figures))
