"""Readers side by side with rivals: ``python -m tests.benchmarks.read [READER ...]``.

Four tables: contests with rivals, every reader on the samples, peak memory on files of 8 and 64 MiB, and one record of
500 MB. Names choose readers; `--without memory` leaves the last two tables out.

Each contestant runs in a process of its own: once to warm up (imports, compiled kernels), then measured. CPU seconds
count the process and its parser children, on one core; MB are bytes of raw input after decompression of the file itself
(what is parsed), so that formats can be compared; peak memory is the process's and that of its largest child. Ours runs
before and after each rival, and the ratio is to the mean of the two. Input comes from the shared samples, repeated until
it is large enough to time, or is made here; nothing is downloaded. The last line is one JSON object; its `ratios` hold
every contest as OURS/RIVAL.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pilebuilder import registry
from tests.benchmarks import read_memory
from tests.benchmarks.read_inputs import INPUTS
from tests.benchmarks.read_rivals import RIVALS
from tests.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
LEAST = 8_000_000
"""Bytes of input that a general reader is timed on at least, by reading its samples again."""

# Reader -> sample files (globs). What is timed for every reader.
SOURCES: dict[str, tuple[str, ...]] = {
    "arxiv": ("arxiv/*.gz",),
    "books": ("books/*",),
    "courtlistener": ("freelaw/*.csv.bz2",),
    "enron": ("enron-emails/*.tar.gz", "enron-emails/*.tgz"),
    "epub": ("books/*.epub",),
    "europarl": ("europarl/europarl.tgz",),
    "gutenberg": ("gutenberg/raw-texts/*",),
    "html": ("pile-cc/article-extraction-benchmark.tar",),
    "jats": ("pubmed-central/*.nxml", "pubmed-central/*.xml"),
    "nih-exporter": ("nih-exporter/*.zip",),
    "opensubtitles": ("opensubtitles/*.srt", "opensubtitles/*.vtt"),
    "pdf": ("philpapers/*.pdf",),
    "reddit-submissions": ("openwebtext2/RS_sample.zst",),
    "source-code": ("github/*.tar.gz",),
    "text": ("gutenberg/raw-texts/10*", "gutenberg/raw-texts/3*"),
    "ubuntu-irc": ("ubuntu-irc/2*/*/*/*.txt",),
    "uspto": ("uspto/*.zip", "uspto/US*.xml"),
    "youtube": ("youtube-subtitles/*",),
}
# Contests: name -> (input, contestants). The first contestant is ours.
CONTESTS = {
    "jsonl": ("lines", ("ours:jsonl", "datatrove-jsonl", "zstd-only")),
    "warc, real pages": ("pages", ("ours:warc", "datatrove-warc", "gzip-only")),
    "warc, small pages": ("small", ("ours:warc", "datatrove-warc")),
    "mediawiki": ("wiki", ("ours:mediawiki", "elementtree-wiki", "elementtree-only", "lxml-only")),
    "stackexchange": ("posts", ("ours:stackexchange", "elementtree-posts", "lxml-only")),
    "pubmed": ("citations", ("ours:pubmed", "elementtree-citations", "lxml-only")),
}


SAME = ("datatrove-jsonl", "elementtree-posts", "elementtree-citations")
"""Rivals that must find as many documents as ours."""


def unpacked_size(path: Path) -> int:
    """Bytes after the file's own compression."""
    from pilebuilder.read.streams import Limits, StreamError, blocks

    try:
        return sum(map(len, blocks(path, limits=Limits(window_log=31))))
    except StreamError:
        return path.stat().st_size


def ours(reader: str, paths: list[Path]) -> int:
    from pilebuilder.read.base import Batch, Raw, Record

    part, documents = registry.make("reader", reader), 0
    for path in paths:
        size = path.stat().st_size
        name = str(path.relative_to(SAMPLES)).partition("/")[2] if path.is_relative_to(SAMPLES) else path.name
        for item in part(Raw(path=path, name=name, sha256="0" * 64, bytes=size, component="bench")):
            documents += item.table.num_rows if isinstance(item, Batch) else isinstance(item, Record)
    return documents


# One contestant in its process ---------------------------------------------------------------------------------------


def children_cpu() -> tuple[float, int]:
    """CPU seconds of all child processes, ended or alive, and the largest peak memory of a live one in MiB."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, peak = ended.ru_utime + ended.ru_stime, 0
    waiting = [str(os.getpid())]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").iterdir():
            try:
                found = (task / "children").read_text().split()
            except OSError:
                continue
            for pid in found:
                try:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    peak = max(peak, read_memory.high_water(pid))
                except (OSError, ValueError, IndexError):  # it ended meanwhile
                    continue
                seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
                waiting.append(pid)
    return seconds, peak


def one(contestant: str, paths: list[Path], repeat: int) -> dict[str, float]:
    """Warm up, measure."""
    name, _, reader = contestant.partition(":")
    run = (lambda p: ours(reader, p)) if name == "ours" else RIVALS[name]
    if contestant != "elementtree-wiki":
        run(paths)
    children = children_cpu()[0]
    start, wall = time.process_time(), time.perf_counter()
    for _ in range(repeat):
        documents = run(paths)
    seconds = time.process_time() - start
    spent, peak = children_cpu()
    return {
        "documents": documents,
        "cpu_seconds": (seconds + spent - children) / repeat,
        "wall_seconds": (time.perf_counter() - wall) / repeat,
        "peak_mib": read_memory.high_water() + peak,
    }


def measure(contestant: str, paths: list[Path], repeat: int = 1) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.read", "--one", contestant, "--repeat", str(repeat)]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{contestant} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


# The whole -----------------------------------------------------------------------------------------------------------


def contest(name: str, folder: Path) -> dict[str, Any]:
    """Ours against each rival, alternating."""
    kind, contestants = CONTESTS[name]
    path = INPUTS[kind](folder)
    size = unpacked_size(path) / 1e6
    found: dict[str, Any] = {}
    mine = [measure(contestants[0], [path], 2)]
    for rival in contestants[1:]:
        other = measure(rival, [path])
        mine.append(measure(contestants[0], [path], 2))
        seconds = (mine[-2]["cpu_seconds"] + mine[-1]["cpu_seconds"]) / 2
        if rival in SAME:
            assert other["documents"] == mine[0]["documents"], (rival, other, mine[0])
        share = min(1.0, other["documents"] / max(mine[0]["documents"], 1)) if rival == "elementtree-wiki" else 1.0
        found[rival] = {
            "mb_per_s": round(size * share / other["cpu_seconds"], 2), "peak_mib": other["peak_mib"],
            "ours_is_faster_by": round(other["cpu_seconds"] / share / seconds, 2),
            "documents": other["documents"],
        }  # fmt: skip
    seconds = sum(m["cpu_seconds"] for m in mine) / len(mine)
    found["ours"] = {
        "mb": round(size, 1), "mb_per_s": round(size / seconds, 1), "peak_mib": max(m["peak_mib"] for m in mine),
        "documents_per_s": round(mine[0]["documents"] / seconds, 1), "documents": mine[0]["documents"],
    }  # fmt: skip
    return found


def show(name: str, figures: dict[str, float], note: str = "") -> None:
    rate = figures.get("documents_per_s", "")
    print(f"{name:<34}{figures['mb_per_s']:>10}{rate:>12}{figures['peak_mib']:>8}  {note}", flush=True)


def contests(names: list[str]) -> dict[str, Any]:
    """The first table."""
    figures: dict[str, Any] = {}
    print(f"{'CPU time on one core':<34}{'MB/s':>10}{'docs/s':>12}{'MiB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in CONTESTS:
            if names and name.partition(",")[0] not in names:
                continue
            found = figures[name] = contest(name, Path(folder))
            show(name, found["ours"])
            for rival, values in found.items():
                if rival != "ours":
                    show("  " + rival, values, f"ours is {values['ours_is_faster_by']}x as fast")
    return figures


def readers(names: list[str]) -> dict[str, Any]:
    """The second table: every reader on its samples, or on a file that is made here when there are none."""
    from tests.read.made import MADE  # not at the top: it would count in every contestant's memory

    figures: dict[str, Any] = {}
    done = {contestants[0].partition(":")[2] for _, contestants in CONTESTS.values()}
    for reader in registry.names("reader"):
        if reader in done or (names and reader not in names):
            continue
        paths = sorted({p for g in SOURCES.get(reader, ()) for p in SAMPLES.glob(g) if p.is_file()})
        with tempfile.TemporaryDirectory() as folder:
            if not paths:
                made = next(made for made in MADE if made.reader == reader)
                paths = [Path(folder) / made.name]
                made.write(paths[0], LEAST)
            size = sum(map(unpacked_size, paths))
            found = measure(f"ours:{reader}", paths, max(1, LEAST // max(size, 1)))
        assert found["documents"], reader
        figures[reader] = {
            "mb_per_s": round(size / 1e6 / max(found["cpu_seconds"], 1e-9), 1),
            "documents_per_s": round(found["documents"] / max(found["cpu_seconds"], 1e-9), 1),
            "peak_mib": found["peak_mib"], "documents": found["documents"], "made": reader not in SOURCES,
        }  # fmt: skip
        show(reader, figures[reader], "a file made here" if reader not in SOURCES else "")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--without", choices=["memory"])
    parser.add_argument("--one")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, [Path(p) for p in options.names], options.repeat)))
        return
    if not SAMPLES.is_dir():
        sys.exit(f"no samples: {SAMPLES} is missing")
    figures: dict[str, Any] = {"benchmark": "read", "contests": contests(options.names)}
    figures["readers"] = readers(options.names)
    figures |= {} if options.without else read_memory.main(options.names)
    figures["ratios"] = {
        f"{name}: ours/{rival}": values["ours_is_faster_by"]
        for name, found in figures["contests"].items()
        for rival, values in found.items()
        if rival != "ours"
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
