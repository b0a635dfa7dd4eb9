"""Deduplication in figures: ``python -m tests.benchmarks.dedup [--out FOLDER]`` prints every table.

``rivals``: near-duplicate removal side by side with datasketch, rensa and datatrove. One run, the same real documents;
CPU seconds of each process with all its threads, without imports, and without compilation where there is one; ours
before and after each rival, so that a ratio is taken under the same load. Text in memory in, clusters out. Recall is the share of true pairs (exact Jaccard
similarity, see `dedup_corpus`) that end in one cluster; precision the share of removed documents that have a true
similarity of at least 0.7 with another document of their cluster.

What counts: each contestant from texts in its own form (Python strings; for ours Arrow, and partitions on the disk) to
who is removed. Charged to ours alone: exact dedup before near-dedup, the second reading and decompression of the texts,
true verification of each pair, and every file of the stage with its digest, ledger and report. Charged to the rivals
alone: Python's splitting into shingles, which their interfaces take. datatrove reads its texts twice, from memory.

``dedup_ratio_rensa_batch`` is the ratio that the goal of 20 is about: all token sets at once, as rensa documents bulk
work; the prototype's 20 stands against the 17.8 s and 17.8 KB a document of that mode. One document after the other
(``dedup_ratio_rensa``) rensa takes about two thirds of that, as it need not hold the sets; that ratio is printed too.

``quality``: published settings and ours (`dedup_quality`). ``growth`` and ``memory``: see `dedup_growth`. One of these
names measures that alone; all of them take about a quarter of an hour. The last line is one JSON object; ``--out`` gets
the figures as SVG.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RIVALS = ("datasketch", "rensa", "rensa-batch", "datatrove")


def run(name: str, corpus: Path) -> dict[str, Any]:
    """One contestant in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.dedup_contestants", name, str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def quality(labels: np.ndarray, pairs: np.ndarray, similarity: np.ndarray) -> dict[str, float]:
    """Recall by true similarity, and precision of removals."""
    together = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    best = np.zeros(len(labels))
    for side in (0, 1):
        np.maximum.at(best, pairs[together, side], similarity[together])
    removed = labels != np.arange(len(labels))
    found = {f"recall_{low:g}": float(together[similarity >= low].mean()) for low in (0.9, 0.8)}
    middle = (similarity >= 0.7) & (similarity < 0.8)
    found["recall_0.7_0.8"] = float(together[middle].mean())
    found |= {f"precision_{bar:g}": float((best[removed] >= bar).mean()) for bar in (0.8, 0.7, 0.5)}
    return {**found, "removed": int(removed.sum())}


def signature_rates(texts: list[str]) -> dict[str, float]:
    """MB/s of text to signatures of 112, ours in both schemes and datasketch's, and whether they are equal."""
    import datasketch
    import pyarrow as pa

    from pilebuilder.document import text_buffers
    from pilebuilder.kernels import minhash, shingles

    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    rates = {}
    for scheme in minhash.SCHEMES:
        seconds = []
        for _ in range(3):
            start = time.process_time()
            found, _, _ = minhash.signatures(data, offsets, ngram=5, count=112, seed=1, scheme=scheme)
            seconds.append(time.process_time() - start)
        rates[f"signature_mb_s_{scheme}"] = len(data) / sorted(seconds)[1] / 1e6
        start, few = time.process_time(), texts[:2000]
        for text, row in zip(few, found, strict=False):
            theirs = datasketch.MinHash(112, seed=1, hashfunc=shingles.shingle_hash32, scheme=scheme)
            theirs.update_batch(shingles.reference_shingles(text))
            same = datasketch.LeanMinHash(theirs) == datasketch.LeanMinHash(seed=1, hashvalues=row, scheme=scheme)
            if not same:
                raise SystemExit(f"signatures differ from datasketch's ({scheme}): {text[:80]!r}")
    return rates


PARTS = ("rivals", "quality", "growth", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=["all", *PARTS])
    parser.add_argument("--chunks", type=int, default=110_000)
    parser.add_argument("--planted", type=int, default=25_000)
    parser.add_argument("--rivals", nargs="*", default=list(RIVALS), choices=RIVALS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    from tests.benchmarks import dedup_growth, dedup_quality

    figures: dict[str, Any] = {}
    if arguments.what == "all":
        for part in PARTS:
            figures |= alone(part, sys.argv[1:])
    elif arguments.what == "rivals":
        figures = rivals(arguments.chunks, arguments.planted, arguments.rivals)
    elif arguments.what == "quality":
        figures = dedup_quality.tables(min(arguments.chunks, 16_000), min(arguments.planted, 8_000), arguments.out)
    elif arguments.what == "growth":
        figures = dedup_growth.growth(out=arguments.out)
    else:
        figures = dedup_growth.memory() | dedup_growth.skew()
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}))


def alone(part: str, options: list[str]) -> dict[str, Any]:
    """One part in a process of its own, so that no part holds what another one made; prints what it prints."""
    command = [sys.executable, "-u", "-m", "tests.benchmarks.dedup", part]
    command += [option for option in options if option != "all"]
    start, line = time.perf_counter(), "{}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for following in child.stdout:
            if following.startswith("{"):  # the figures, which come last
                line = following
            else:
                print(following, end="", flush=True)
    if child.returncode:
        raise SystemExit(f"{part} failed ({child.returncode})")
    print(f"{part}: {time.perf_counter() - start:.0f} s\n", flush=True)
    figures: dict[str, Any] = json.loads(line)
    return figures


def rivals(chunks: int, planted: int, names: list[str]) -> dict[str, Any]:
    """Every contestant over the same corpus, in turns with ours."""
    from tests.benchmarks.dedup_corpus import build, truth

    corpus = build(chunks, planted)
    pairs, similarity = truth(corpus.texts)
    megabytes = corpus.megabytes
    print(f"{len(corpus.texts):,} documents, {megabytes:.0f} MB; {len(pairs):,} pairs of J >= 0.5,", end=" ")
    print(f"{int((similarity >= 0.8).sum()):,} of J >= 0.8")
    figures: dict[str, Any] = {"documents": len(corpus.texts), "megabytes": megabytes}
    figures |= signature_rates(corpus.texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.pickle"
        path.write_bytes(pickle.dumps(corpus.texts))
        results, mine = [], [run("ours", path)]
        for name in names:
            rival = run(name, path)
            mine.append(run("ours", path))
            rival["ratio"] = rival["cpu"] / ((mine[-1]["cpu"] + mine[-2]["cpu"]) / 2)
            results.append(rival)
        ours = sorted(mine, key=lambda r: r["cpu"])[len(mine) // 2]
        for result in (ours, *results):
            result |= quality(np.load(result["labels"]), pairs, similarity)
    report(ours, results, megabytes)
    figures |= {"ours_cpu": ours["cpu"], "ours_mb_s": megabytes / ours["cpu"], "sketch_bytes": ours["sketch_bytes"]}
    for result in (ours, *results):
        key = result["name"].replace("-", "_")
        figures |= {f"{k}_{key}": v for k, v in result.items() if k.startswith(("recall", "precision"))}
        if "ratio" in result:
            figures[f"dedup_ratio_{key}"] = result["ratio"]
    return figures


def report(ours: dict[str, Any], results: list[dict[str, Any]], megabytes: float) -> None:
    """The table, for people."""
    columns = ("recall_0.9", "recall_0.8", "recall_0.7_0.8", "precision_0.7", "precision_0.5")
    print(f"{'':14}{'CPU s':>8}{'MB/s':>8}{'ours x':>8}{'removed':>9}{'MiB':>8}", *(f"{c:>15}" for c in columns))
    for result in (ours, *results):
        row = f"{result['name']:14}{result['cpu']:8.2f}{megabytes / result['cpu']:8.1f}{result.get('ratio', 1):8.1f}"
        row += f"{result['removed']:9,}{result['peak_mib'] - result['start_mib']:8.0f}"
        print(row, *(f"{result[c]:15.4f}" for c in columns))
    print("ours by phase:", {k: round(v, 3) for k, v in ours["phases"].items()})


if __name__ == "__main__":
    main()
