"""The whole clean and filter pass over a gigabyte: ``python -m tests.benchmarks.memory [GIGABYTES] [WORKERS]``.

The shared samples (and the documentation packages of ``tests.benchmarks.corpus`` where they are unpacked) are written
again and again, each time with another line at the end, until there is as much text; then `pilebuilder filter` runs the
steps of pipelines/web.yaml over it as a user would, and the resident memory of each of its processes is read from the
kernel, every 50 ms. The last line is one JSON object.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
import zstandard

from pilebuilder.card import data_folder
from tests.benchmarks import corpus
from tests.benchmarks.quickstart import _descendants as descendants

FILE_BYTES = 100_000_000


def documents() -> Iterator[dict[str, Any]]:
    """Records of real texts, over and over, no two of them equal."""
    held = corpus.samples()
    if (corpus.folder() / "docs.jsonl.zst").is_file():
        held += corpus.read(corpus.folder() / "docs.jsonl.zst")
    if not held:
        raise SystemExit("no text: run python -m tests.benchmarks.corpus first")
    for turn in itertools.count():
        for number, (_, text) in enumerate(held):
            yield {"text": f"{text}\n\nThis is copy {turn} of document {number}.\n"}


def write(folder: Path, size: int, records: Iterator[dict[str, Any]]) -> tuple[int, int]:
    """JSON lines of about `size` bytes of text in files of `FILE_BYTES`; documents and bytes of text."""
    count, done = 0, 0
    while done < size:
        path, own = folder / f"{done // FILE_BYTES:03}.jsonl.zst", 0
        with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
            while own < min(FILE_BYTES, size - done):
                record = next(records)
                out.write(json.dumps(record).encode() + b"\n")
                own += len(record["text"].encode())
                count += 1
        done += own
    return count, done


def watch(command: list[str]) -> tuple[list[tuple[int, float]], list[dict[str, Any]]]:
    """Highest resident bytes and CPU seconds of each process of a command, the driver first, and its events."""
    peaks: dict[int, tuple[int, float]] = {}
    tick = os.sysconf("SC_CLK_TCK")
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        while process.poll() is None:
            for pid in (process.pid, *descendants(process.pid)):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                found = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
                if found:  # a process that has ended has no memory any more
                    peaks[pid] = found[0], (int(times[11]) + int(times[12])) / tick
            time.sleep(0.05)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        output.seek(0)
        events = [json.loads(line) for line in output if line.startswith("{")]
    return list(peaks.values()), events


def main(gigabytes: float, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        count, size = write(folder / "raw", int(gigabytes * 1e9), documents())
        web = yaml.safe_load((data_folder("pipelines") / "web.yaml").read_text(encoding="utf-8"))
        recipe = {
            "name": "memory",
            "memory": web["memory"],
            "components": [
                {"name": "T", "fetch": {"local": {"path": str(folder / "raw")}}, "read": "jsonl", "expect": {"max_loss": 1}}
            ],
            "clean": web["clean"],
            "filter": web["filter"],
        }  # fmt: skip
        (folder / "memory.yaml").write_text(yaml.safe_dump(recipe))
        command = [sys.executable, "-m", "pilebuilder", "filter", str(folder / "memory.yaml"), "-w", str(workers)]
        start = time.monotonic()
        processes, events = watch([*command, "-o", str(folder / "out")])
        seconds = time.monotonic() - start
    (passed,) = (e for e in events if e["event"] == "stage_done" and e["stage"] == "filter")
    return {
        "memory_gb": round(size / 1e9, 2),
        "memory_documents": count,
        "memory_documents_kept": passed["kept"],
        "memory_workers": workers,
        "memory_worker_peak_mib": round(max(peak for peak, _ in processes[1:]) / 2**20),
        "memory_driver_peak_mib": round(processes[0][0] / 2**20),
        "memory_cpu_seconds": round(sum(cpu for _, cpu in processes), 1),
        "clean_filter_seconds": passed["seconds"],
        "memory_whole_command_seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    figures = main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    for key, value in figures.items():
        print(f"{key:32} {value}")
    print(json.dumps(figures))
