"""`pilebuilder dedup FILES -o out/`: alone on jsonl.zst and Parquet, killed, resumed, on any workers, the same list."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pilebuilder.build.run import load_manifests
from pilebuilder.partition import read_table
from tests.dedup.test_stage import edited, prose


def texts() -> list[str]:
    rng = random.Random(4)
    found = []
    for family in range(150):
        base = prose(3000 + family, rng.randrange(40, 200))
        found += [edited(base, rng.randrange(4), copy) if copy else base for copy in range(rng.randrange(1, 4))]
    rng.shuffle(found)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jsonl.zst files and a Parquet file; the last file repeats some texts of the others."""
    folder = tmp_path_factory.mktemp("data")
    rows = texts()
    for name, part in (("a", rows[:120]), ("b", rows[120:])):
        lines = b"".join(json.dumps({"text": t}).encode() + b"\n" for t in part)
        (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(lines))
    pq.write_table(pa.table({"text": [*rows[:30], *(prose(9000 + i) for i in range(30))]}), folder / "c.parquet")
    return folder


def command(data: Path, out: Path, *options: str) -> list[str]:
    files = [str(p) for p in sorted(data.iterdir())]
    return [sys.executable, "-m", "pilebuilder", "dedup", *files, "-o", str(out), *options]


def run(data: Path, out: Path, *options: str) -> list[dict[str, Any]]:
    done = subprocess.run(command(data, out, *options), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return removed(out)


def removed(out: Path) -> list[dict[str, Any]]:
    return [
        row
        for m in load_manifests(out)["dedup"]
        for artifact in m.of("removal")
        for row in read_table(out / artifact.path).to_pylist()
    ]


@pytest.fixture(scope="module")
def reference(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    out = tmp_path_factory.mktemp("reference") / "out"
    return out, run(data, out, "-w", "1")


def test_files_alone_are_deduplicated_into_shards(data: Path, reference: tuple[Path, list[dict[str, Any]]]) -> None:
    out, gone = reference
    assert {row["reason"] for row in gone} == {"exact", "minhash"}
    left = []
    for path in sorted((out / "train").glob("*.jsonl.zst")):
        raw = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True).readall()
        left += [json.loads(line)["text"] for line in raw.splitlines()]
    given = [*texts(), *texts()[:30], *(prose(9000 + i) for i in range(30))]
    assert len(left) + len(gone) == len(given)
    assert set(left) <= set(given)
    assert len(set(left)) == len(left)  # not one exact duplicate is left, across both kinds of file


def test_any_number_of_workers_gives_the_same_list(
    data: Path, reference: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    assert run(data, tmp_path / "three", "-w", "3") == reference[1]


def test_ray_gives_the_same_list(data: Path, reference: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    assert run(data, tmp_path / "ray", "-w", "2", "--executor", "ray") == reference[1]


def test_killed_again_and_again_it_ends_with_the_same_list(
    data: Path, reference: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Killed as soon as the stage has committed one, two and six tasks; each run goes on from there."""
    out = tmp_path / "out"
    for least in (1, 2, 6):
        process = subprocess.Popen(
            command(data, out, "-w", "1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until:
            if len(list(out.glob("work/dedup/*/manifest.json"))) >= least:
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        process.wait()
    committed = {p.parent: p.stat().st_mtime_ns for p in out.glob("work/dedup/*/manifest.json")}
    assert committed
    assert run(data, out, "-w", "1") == reference[1]
    assert all((p / "manifest.json").stat().st_mtime_ns == t for p, t in committed.items())  # nothing is done twice
