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

from pilebuilder import registry
from pilebuilder.document import Docs
from pilebuilder.ledger import Count, Journal
from pilebuilder.partition import read_table
from pilebuilder.report import plan
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures import basic, domains, personal
from pilebuilder.report.measures.texts import Texts
from pilebuilder.task import Artifact
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


def cheap(docs: Docs) -> None:
    """Lengths, languages, metadata, domains, personal data: what needs no n-grams, on what the pass has measured."""
    texts, counters = Texts(docs.table), Counters()
    vars(texts)["stats"] = docs.stats()
    for add in (basic.languages, basic.metadata, personal.personal):
        add(texts, counters)
    for name in ("bytes", "characters"):
        counters.add_lengths(name, getattr(texts, name))
    domains.domains(texts)


def fused(docs: Docs) -> None:
    """What the fused pass asks of a partition with the quickstart's steps; each sees all documents."""
    for name in ("ftfy", "control-characters", "whitespace", "lang", "length", "gopher-quality", "gopher-repetition"):
        registry.make("step", name, {})(docs)


def loaded(bench: Bench, part: Artifact) -> Docs:
    content = read_table(bench.root / part.path)
    return Docs(table=content, component="a", journal=Journal("filter"), count=Count(seen=content.num_rows))


def full_pass(bench: Bench, texts: list[str], figures: dict[str, float]) -> list[Artifact]:
    """Rates of the passes over all text, and the cost of the cheap measures beside the fused pass."""
    parts, at, total = [], 0, sum(len(t.encode()) for t in texts) / 1e6
    while at < len(texts):
        held, size = [], 0
        while at < len(texts) and size < PARTITION:
            held.append(texts[at])
            size += len(texts[at].encode())
            at += 1
        parts.append(bench.partition(table("a", held, ["en"] * len(held)), "a"))
    warm = bench.partition(table("warm", texts[:20], ["en"] * 20), "warm")
    shares = {"a": {"sample": 0.1, "repeats": 1.0}, "warm": {"sample": 1.0, "repeats": 1.0}}
    passes: dict[str, Callable[[Artifact], object]] = {
        "scan": lambda p: bench.run(plan.task("x", "measure:scan", [p], seed=1, shares=shares)),
        "removal": lambda p: bench.run(plan.task("x", "removal:count", [p], seed=1, shares={"a": 1.0, "warm": 1.0})),
    }
    seconds = {}
    for name, run in passes.items():
        run(warm)
        seconds[name] = sum(timed(lambda p=p, r=run: r(p))[0] for p in parts)
        figures[f"{name} MB/s"] = round(total / seconds[name], 2)
    took = [0.0, 0.0]
    for docs in (loaded(bench, warm), *(loaded(bench, p) for p in parts)):
        whole, rides = timed(lambda d=docs: fused(d))[0], timed(lambda d=docs: cheap(d))[0]
        took = [0.0, 0.0] if docs.table.num_rows == 20 else [took[0] + whole, took[1] + rides]
    figures["fused pass MB/s"] = round(total / took[0], 2)
    figures["cheap measures, % of the fused pass"] = round(100 * took[1] / took[0], 1)
    return parts


def main(megabytes: int) -> None:
    texts = documents(megabytes << 20)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        parts = full_pass(bench, texts, figures)
        shares = {"a": {"sample": 1.0, "repeats": 1.0}}
        made = bench.run(plan.task("x", "measure:scan", parts[:1], seed=1, shares=shares))
        sample = next(a for a in made.values() if a.kind == "sample")
        size = sample.facts["text_bytes"] / 1e6
        for name, function, params in (
            ("bias", "sampled.bias:measure", {"terms": "pile", "toxicity": "toxicity", "seed": 1}),
            ("words", "sampled.topics:words", {}),
        ):
            took, _ = timed(lambda f=function, q=params: bench.run(plan.task("x", f, [sample], **q)))
            figures[f"{name} MB/s"] = round(size / took, 2)
        figures["peak MiB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in figures.items():
        print(f"{name:36s} {value:10.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
