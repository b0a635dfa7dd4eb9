"""The main job as a user runs it: ``python -m tests.benchmarks.quickstart [WORKERS]``.

Whole processes, imports included: the first build into an empty folder with a warm kernel cache, the second run with
nothing changed, peak memory of the largest process, and each stage's rate per core. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run(command: list[str]) -> tuple[float, str]:
    """Wall seconds and standard output of a whole process."""
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return time.monotonic() - start, done.stdout


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def peak_of_workers(folder: Path, workers: int) -> int:
    """Highest resident size of any single worker, read from the kernel while a build runs."""
    command = [sys.executable, "-m", "pilebuilder", "build", "quickstart", "-o", str(folder), "-w", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        for pid in _descendants(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.05)
    return peak


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        found += children.get(queue[-1], [])
        queue += children.get(queue.pop(), [])
    return found


def main(workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "one"
        command = [sys.executable, "-m", "pilebuilder", "build", "quickstart", "-w", str(workers), "-o"]
        first = run([*command, str(out)])
        second = run([*command, str(out)])
        peak = peak_of_workers(Path(name) / "two", workers)
    stages = [e for e in events(first[1]) if e["event"] == "stage_done" and e["tasks"]]
    done = events(first[1])[-1]
    print(f"{'stage':<10} {'tasks':>6} {'documents':>10} {'seconds':>8} {'MB/s':>8} {'MB/s per core':>14}")
    for e in stages:
        per_core = e["mb_per_s"] / workers
        line = f"{e['stage']:<10} {e['tasks']:>6} {e['documents']:>10,} {e['seconds']:>8.2f} {e['mb_per_s']:>8.1f}"
        print(f"{line} {per_core:>14.1f}")
    figures = {
        "quickstart_seconds": round(first[0], 2),
        "second_run_seconds": round(second[0], 2),
        "worker_peak_mib": round(peak / 2**20),
        "workers": workers,
        "documents_read": done["read"],
        "stage_mb_per_s_per_core": {e["stage"]: round(e["mb_per_s"] / workers, 2) for e in stages},
    }
    print(
        f"first run {first[0]:.1f} s, second {second[0]:.1f} s, worker peak {peak / 2**20:.0f} MiB, {workers} workers"
    )
    return figures


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else len(os.sched_getaffinity(0)))))
