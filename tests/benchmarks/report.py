"""CPU cost of the report's measures, one core: ``python -m tests.benchmarks.report [MEGABYTES]``.

First the cheap measures, which ride in the fused pass of clean and filter: the pass as a build runs it (reading,
steps, sketch, writing), with and without them, alternating partition by partition. The text is the English documents of
``tests.benchmarks.corpus`` (run that first): as they are, most of which the filters drop before anything is measured;
and the ones that pass all filters, again and again, each time with another line at the end, so that every document
is measured. Then the report's own passes over the same text. The last line is one JSON object.
"""

from __future__ import annotations

import itertools
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pilebuilder import registry
from pilebuilder.partition import read_table
from pilebuilder.recipe import find_recipe, load_recipe
from pilebuilder.report import plan
from pilebuilder.task import Artifact, Task
from tests.benchmarks import corpus
from tests.report.made import Bench, table

PARTITION = 32 << 20
COMPONENT = "Python Documentation"
"""Of the quickstart: prose with all of its steps."""
DEFAULTS: dict[str, Any] = {
    "name": "defaults",
    "components": [{"name": COMPONENT, "fetch": {"local": {"path": "x"}}, "read": "jsonl"}],
}


def pass_of(recipe: Any) -> dict[str, Any]:
    """Parameters of the fused pass of a recipe, for one component."""
    segments = [{"stage": s, "steps": recipe.stages[s].for_component(COMPONENT)} for s in ("clean", "filter")]
    name, params = registry.part("stage", "dedup").factory.sketch(recipe.stages["dedup"])
    sketch = {"name": name, "params": registry.resolved("sketch", name, params)}
    return {"segments": segments, "sketch": sketch}


def run(
    bench: Bench, source: Artifact, params: dict[str, Any], *, measures: bool
) -> tuple[float, dict[str, Artifact]]:
    """CPU seconds of the pass over one partition, and its outputs."""
    function = "pilebuilder.steps:transform"
    params = params | {"measures": registry.part("report", "measures").code if measures else None}
    task = Task(stage="filter", name="x", function=function, code="", params=params, inputs=(source,), component="a")
    start = time.process_time()
    made = bench.run(task)
    return time.process_time() - start, made


def partitions(bench: Bench, texts: Iterable[str], size: int) -> list[Artifact]:
    """Partitions of `size` bytes of text in all."""
    made, held, total, own = [], [], 0, 0
    for text in texts:
        held.append(text)
        own += len(text.encode())
        if own >= PARTITION or total + own >= size:
            made.append(bench.partition(table("a", held), "a"))
            held, total, own = [], total + own, 0
            if total >= size:
                break
    return made


def riding(bench: Bench, parts: list[Artifact], params: dict[str, Any], rounds: int = 2) -> tuple[float, float, float]:
    """CPU seconds of the pass without and with the measures, and the share of documents that stayed."""
    seconds, kept, seen = {True: 0.0, False: 0.0}, 0, 0
    for turn in range(rounds):
        for number, part in enumerate(parts):
            for measures in (True, False) if (turn + number) % 2 else (False, True):
                took, made = run(bench, part, params, measures=measures)
                seconds[measures] += took
            kept += made["docs.parquet"].facts["documents"] if "docs.parquet" in made else 0
            seen += part.facts["documents"]
            shutil.rmtree(bench.root / f"run-{bench.runs - 1}")
            shutil.rmtree(bench.root / f"run-{bench.runs - 2}")
    return seconds[False] / rounds, seconds[True] / rounds, kept / seen


def passing(bench: Bench, params: dict[str, Any]) -> list[str]:
    """English documents that pass these steps unchanged in number: all of them, as the steps leave them."""
    found: list[str] = []
    for part in partitions(bench, english(), 1 << 40):
        _, made = run(bench, part, params, measures=False)
        (bench.root / part.path).unlink()
        if "docs.parquet" in made:
            found += read_table(bench.root / made["docs.parquet"].path, ["text"]).column("text").to_pylist()
    return found


def english() -> Iterable[str]:
    path = corpus.folder() / "english.jsonl.zst"
    if not path.is_file():
        raise SystemExit(f"{path} is not there: run python -m tests.benchmarks.corpus first")
    return (text for _, text in corpus.read(path))


def again(texts: list[str]) -> Iterable[str]:
    """These texts over and over, no two of them equal."""
    for turn in itertools.count():
        yield from (f"{text}\n\nThis is the end of copy {turn} of document {i}.\n" for i, text in enumerate(texts))


def cheap(bench: Bench, size: int, figures: dict[str, float]) -> list[Artifact]:
    """What the cheap measures add to the fused pass; returns the partitions of documents that all pass."""
    import yaml

    (bench.root / "defaults.yaml").write_text(yaml.safe_dump(DEFAULTS))
    quickstart = pass_of(load_recipe(find_recipe("quickstart")))
    defaults = pass_of(load_recipe(bench.root / "defaults.yaml"))
    all_pass = partitions(bench, again(passing(bench, quickstart)), size)
    as_is = partitions(bench, english(), size)
    for name, parts, params in (
        ("quickstart's steps", as_is, quickstart),
        ("quickstart's steps, all pass", all_pass, quickstart),
        ("default steps", as_is, defaults),
    ):
        run(bench, parts[-1], params, measures=True)
        without, beside, kept = riding(bench, parts, params)
        total = sum(read_table(bench.root / p.path, ["text"]).nbytes for p in parts) / 1e6
        figures[f"{name}: MB"] = round(total, 1)
        figures[f"{name}: documents kept, %"] = round(100 * kept, 1)
        figures[f"{name}: fused pass, CPU s"] = round(without, 2)
        figures[f"{name}: cheap measures, % of it"] = round(100 * (beside - without) / without, 1)
    return all_pass


def own_passes(bench: Bench, parts: list[Artifact], figures: dict[str, float]) -> None:
    """Rates of the report's own passes: over all text, and over samples."""
    shares = {"a": {"sample": 1.0, "repeats": 1.0}}
    tasks = {
        "scan": lambda p: plan.task("x", "measure:scan", [p], seed=1, shares=shares),
        "removal": lambda p: plan.task("x", "removal:count", [p], seed=1, shares={"a": 1.0}),
        "bias": lambda s: plan.task("x", "sampled.bias:measure", [s], terms="pile", toxicity="toxicity", seed=1),
        "words": lambda s: plan.task("x", "sampled.topics:words", [s]),
    }
    inputs = {"scan": parts[0], "removal": parts[0]}
    (small,) = partitions(bench, english(), 1 << 20)
    bench.run(tasks["removal"](small))
    warm = sample_of(bench.run(tasks["scan"](small)))
    for name, make in tasks.items():
        if name not in inputs:
            bench.run(make(warm))
        start = time.process_time()
        made = bench.run(make(inputs[name]))
        took = time.process_time() - start
        if name == "scan":
            inputs |= dict.fromkeys(("bias", "words"), sample_of(made))
            size = inputs["bias"].facts["text_bytes"] / 1e6
        figures[f"{name} MB/s"] = round(size / took, 2)


def sample_of(made: dict[str, Artifact]) -> Artifact:
    return next(a for a in made.values() if a.kind == "sample")


def main(megabytes: int) -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        own_passes(bench, cheap(bench, megabytes << 20, figures), figures)
        figures["peak MiB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in figures.items():
        print(f"{name:52s} {value:10.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
