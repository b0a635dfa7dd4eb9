"""Filters and ftfy side by side with datatrove and ftfy: ``python -m tests.benchmarks.filters [--docs FILE] [--mb N]``.

Same real text for all, one core, CPU seconds, alternating in small blocks so that noise hits everyone alike. The text
is the shared samples and the documentation packages that ``tests.benchmarks.corpus`` unpacks (run that first). Needs
the rivals: datatrove and, for its tokenizer, spaCy. The last line is one JSON object of the figures.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.agreement import disagreements

FAMILIES = {
    "gopher-quality": "GopherQualityFilter",
    "gopher-repetition": "GopherRepetitionFilter",
    "c4": "C4QualityFilter",
    "fineweb": "FineWebQualityFilter",
}


def table_of(texts: list[str]) -> Any:
    """A `Docs` of these texts."""
    import pyarrow as pa

    from pilebuilder.document import Docs, schema
    from pilebuilder.document import texts as column
    from pilebuilder.ledger import Count, Journal

    n = len(texts)
    columns = {name: pa.nulls(n, pa.string()) for name in schema().names}
    columns |= {"id": pa.array(map(str, range(n))), "text": column(texts), "origin_offset": pa.array(range(n))}
    table = pa.table([columns[name] for name in schema().names], names=schema().names)
    return Docs(table=table, component="bench", journal=Journal("filter"), count=Count(), stage="filter")


def ours(docs: Any, *, unspaced: str = "apply") -> dict[str, list[Any]]:
    """All rules of the four families on all documents, none skipped."""
    from pilebuilder import registry

    found = {}
    for name in FAMILIES:
        found[name] = registry.make("step", name, {"unspaced": unspaced}).rules(docs)
    return found


def rivals() -> dict[str, Any]:
    import datatrove.pipeline.filters as filters

    return {name: getattr(filters, rival)() for name, rival in FAMILIES.items()}


def verdicts(filters: dict[str, Any], texts: list[str]) -> dict[str, list[str]]:
    """datatrove's reason for each document and family, empty where it keeps; every filter runs on every text."""
    from datatrove.data import Document

    found: dict[str, list[str]] = {name: [] for name in filters}
    for text in texts:
        for name, rule in filters.items():
            try:
                result = rule.filter(Document(text=text, id=""))
            except ZeroDivisionError:  # a text without a word
                result = (False, "zero")
            found[name].append("" if result is True else result[1] if isinstance(result, tuple) else "no")
    return found


def with_regex_words(call: Callable[[], Any]) -> Any:
    """Run with datatrove's tokenizer replaced by regular expressions, as a user in a hurry would patch it."""
    from datatrove.pipeline.filters import (
        c4_filters,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    words, ends = re.compile(r"\w+|[^\w\s]+").findall, re.compile(r"(?<=[.!?])\s+").split
    patches = [
        (module, "split_into_words", lambda text, language=None: words(text))
        for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter)
    ]
    patches.append((c4_filters, "split_into_sentences", lambda text, language=None: ends(text)))
    held = [(module, name, getattr(module, name)) for module, name, _ in patches]
    try:
        for module, name, new in patches:
            setattr(module, name, new)
        return call()
    finally:
        for module, name, old in held:
            setattr(module, name, old)


def spent(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def blocks(texts: list[str], size: int = 1_000_000) -> list[list[str]]:
    found: list[list[str]] = [[]]
    room = size
    for text in texts:
        if room <= 0:
            found.append([])
            room = size
        found[-1].append(text)
        room -= len(text.encode())
    return found


def side_by_side(texts: list[str]) -> dict[str, Any]:
    """Ours, datatrove, datatrove with regular expressions: block by block, CPU seconds."""
    theirs, filters = rivals(), rivals()
    times: dict[str, list[float]] = collections.defaultdict(list)
    reasons: dict[str, list[str]] = {name: [] for name in FAMILIES}
    verdicts(filters, texts[:1])  # loads the tokenizer
    ours(table_of(texts[:50]))
    for block in blocks(texts):
        docs = table_of(block)
        times["ours"].append(min(spent(lambda docs=docs: ours(fresh(docs)))[0] for _ in range(3)))
        seconds, found = spent(lambda block=block: verdicts(theirs, block))
        times["datatrove"].append(seconds)
        for name in FAMILIES:
            reasons[name] += found[name]
        times["regex"].append(with_regex_words(lambda block=block: spent(lambda: verdicts(filters, block)))[0])
    total = {name: sum(values) for name, values in times.items()}
    mb = sum(len(text.encode()) for text in texts) / 1e6
    result: dict[str, Any] = {
        "filters_mb": round(mb, 1),
        "filters_ratio_datatrove": round(total["datatrove"] / total["ours"], 1),
        "filters_ratio_datatrove_regex": round(total["regex"] / total["ours"], 1),
        "datatrove_mb_s": round(mb / total["datatrove"], 3),
        "datatrove_regex_mb_s": round(mb / total["regex"], 3),
    }
    return result | disagreements(texts, ours(table_of(texts)), reasons)


def fresh(docs: Any) -> Any:
    """The same documents with nothing measured yet."""
    from dataclasses import replace

    return replace(docs, measured=())


def throughput(texts: list[str], rounds: int = 5) -> dict[str, Any]:
    """MB/s of one core over a long run, all four families and each alone, in pieces of the size that a build uses."""
    from pilebuilder import registry
    from pilebuilder.steps import CHUNK_BYTES

    tables = [table_of(block) for block in blocks(texts, CHUNK_BYTES)]
    mb = sum(len(text.encode()) for text in texts) / 1e6
    result: dict[str, Any] = {}
    ours(tables[0])
    runs = [spent(lambda: [ours(fresh(docs)) for docs in tables])[0] for _ in range(rounds)]
    result["filters_mb_s"] = round(mb / median(runs), 1)
    for name in FAMILIES:
        step = registry.make("step", name, {"unspaced": "apply"})
        runs = [spent(lambda step=step: [step.rules(fresh(docs)) for docs in tables])[0] for _ in range(rounds)]
        result[f"{name.replace('-', '_')}_mb_s"] = round(mb / median(runs), 1)
    return result


LINE_BYTES = 100_000_000


def one_line() -> dict[str, Any]:
    """A document that is one line of 100 MB, with spaces and without: every step of pipelines/web.yaml, one process."""
    command = [sys.executable, "-m", "tests.benchmarks.filters", "--run", "line", ".", "."]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_line() -> None:
    import resource

    import yaml

    from pilebuilder import registry
    from pilebuilder.card import data_folder
    from pilebuilder.steps import parse_spec

    web = yaml.safe_load((data_folder("pipelines") / "web.yaml").read_text(encoding="utf-8"))
    specs = [parse_spec(spec) for stage in ("clean", "filter") for spec in web[stage]]
    # every step sees the whole line: what drops it only signals here
    signal = {"lang", "gopher-repetition", "gopher-quality", "c4", "fineweb", "url-blocklist"}
    steps = [
        (name, registry.make("step", name, params | ({"action": "signal"} if name in signal else {})))
        for name, params, _, _ in specs
    ]
    words = "The committee met on Tuesday, and agreed that it is to be printed. "
    figures: dict[str, Any] = {}
    for kind, unit in (("words", words), ("unbroken", "x"), ("chinese", "委员会星期二开会。")):
        docs = table_of([unit * (LINE_BYTES // len(unit.encode()))])
        start = time.process_time()
        for name, step in steps:
            docs = step(docs.within("filter", name))
        assert len(docs) == 1
        figures[f"line_{kind}_s"] = round(time.process_time() - start, 1)
    figures["line_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps(figures))


def ftfy_side_by_side(texts: list[str]) -> dict[str, Any]:
    import ftfy

    from pilebuilder.kernels.mojibake import repair

    own, rival, equal, changed, mb = 0.0, 0.0, 0, 0, 0.0
    repair(*table_of(texts[:10]).buffers())
    for block in blocks(texts):
        buffers = table_of(block).buffers()
        seconds, (data, offsets) = spent(lambda buffers=buffers: repair(*buffers))
        own += min(seconds, spent(lambda buffers=buffers: repair(*buffers))[0])
        seconds, wanted = spent(lambda block=block: [ftfy.fix_text(text) for text in block])
        rival += seconds
        raw = bytes(data)
        equal += sum(raw[a:b] == w.encode() for a, b, w in zip(offsets, offsets[1:], wanted, strict=False))
        changed += sum(text != w for text, w in zip(block, wanted, strict=True))
        mb += sum(len(text.encode()) for text in block) / 1e6
    return {
        "ftfy_ratio": round(rival / own, 1), "ftfy_equal": round(equal / len(texts), 6), "ftfy_step_mb_s": round(mb / own, 1),
        "ftfy_mb_s": round(mb / rival, 2), "ftfy_changed": round(changed / len(texts), 3),
    }  # fmt: skip


def start_up() -> dict[str, Any]:
    """Seconds (wall, CPU) until a fresh process has judged and repaired a text: with an empty cache, a warm one."""
    code = (
        "import sys; sys.path.insert(0, '.'); from tests.benchmarks.filters import ours, table_of;"
        "ours(table_of(['a b c.']));"
        "from pilebuilder.kernels.mojibake import repair; repair(*table_of(['a']).buffers())"
    )
    times = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(4):
            start, before = time.monotonic(), os.times()
            subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PILEBUILDER_CACHE": cache})
            after = os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            times.append((time.monotonic() - start, used))
    warm = [min(column) for column in zip(*times[1:], strict=True)]
    return {
        "first_compile_s": round(times[0][0], 1), "first_compile_cpu_s": round(times[0][1], 1),
        "worker_ready_s": round(warm[0], 2), "worker_ready_cpu_s": round(warm[1], 2),
    }  # fmt: skip


def whole_process(texts: list[str], mb: float) -> dict[str, Any]:
    """jsonl.zst in, kept documents out, the four families in a row: two whole processes, interpreter and all."""
    import zstandard

    chosen, size = [], 0
    for text in texts:
        if size < mb * 1e6:
            chosen.append(text)
            size += len(text.encode())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl.zst"
        lines = b"".join(json.dumps({"text": text, "id": str(k)}).encode() + b"\n" for k, text in enumerate(chosen))
        source.write_bytes(zstandard.ZstdCompressor(level=3).compress(lines))
        times = {}
        for name in ("ours", "ours", "datatrove"):
            command = [sys.executable, "-m", "tests.benchmarks.filters", "--run", name, str(source), folder]
            start = os.times()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = os.times()
            used = end.children_user + end.children_system - start.children_user - start.children_system
            times[name] = used
    return {
        "whole_process_mb": round(size / 1e6, 1), "whole_process_ours_s": round(times["ours"], 2),
        "whole_process_datatrove_s": round(times["datatrove"], 1),
        "whole_process_ratio": round(times["datatrove"] / times["ours"], 1),
    }  # fmt: skip


def run_ours(source: Path, folder: Path) -> None:
    """The project's own reader, steps and writer of JSON lines, without the bookkeeping of a build."""
    import pilebuilder.executors.preload  # noqa: F401, I001  (how a worker starts)
    import pyarrow as pa
    import zstandard

    from pilebuilder import registry
    from pilebuilder.document import Docs, schema
    from pilebuilder.ledger import Count, Journal
    from pilebuilder.read.base import Batch, Raw
    from pilebuilder.shard.lines import json_lines

    steps = [(name, registry.make("step", name, {"unspaced": "apply"})) for name in FAMILIES]
    raw = Raw(path=source, name=source.name, sha256="", bytes=source.stat().st_size, component="bench")
    journal, count = Journal("filter"), Count()
    with (folder / "ours.jsonl.zst").open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        for item in registry.make("reader", "jsonl")(raw):
            if not isinstance(item, Batch):
                raise SystemExit(f"not a document: {item}")
            missing = [name for name in schema().names if name not in item.table.column_names]
            columns = {name: pa.nulls(item.table.num_rows, pa.string()) for name in missing}
            table = pa.table({**{n: item.table.column(n) for n in item.table.column_names}, **columns})
            docs = Docs(table=table, component="bench", journal=journal, count=count, stage="filter")
            for name, step in steps:
                docs = step(docs.within("filter", name))
            if len(docs):
                lines, bounds = json_lines(docs.table, ["id"])
                out.write(lines[: bounds[-1]].tobytes())


def run_datatrove(source: Path, folder: Path) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    steps = [JsonlReader(str(source.parent), glob_pattern=source.name, compression="zstd"), *rivals().values()]
    steps.append(JsonlWriter(str(folder / "out"), compression="gzip"))
    LocalPipelineExecutor(steps, tasks=1, logging_dir=str(folder / "logs")).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument(
        "--docs", type=Path, default=corpus.folder() / "docs.jsonl.zst", help="jsonl.zst of the packages"
    )
    parser.add_argument("--mb", type=float, default=12, help="MB on which the rivals run")
    parser.add_argument("--whole", type=float, default=40, help="MB for the whole processes; 0: leave out")
    parser.add_argument("--run", nargs=3, metavar=("NAME", "SOURCE", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        name, source, folder = chosen.run
        if name == "line":
            return run_line()
        return (run_ours if name == "ours" else run_datatrove)(Path(source), Path(folder))
    pairs = corpus.samples() + (list(corpus.read(chosen.docs)) if chosen.docs.is_file() else [])
    if not pairs:
        raise SystemExit("no text: run python -m tests.benchmarks.corpus first")
    random.Random(11).shuffle(pairs)
    texts = [text for _, text in pairs]
    part, size = [], 0.0
    for text in texts:
        if size < chosen.mb and len(text) < 200_000:  # one huge book would be all of the rivals' run
            part.append(text)
            size += len(text.encode()) / 1e6
    figures = throughput(texts) | side_by_side(part) | ftfy_side_by_side(part) | start_up() | one_line()
    if chosen.whole:
        figures |= whole_process(texts, chosen.whole)
    figures["corpus_mb"] = round(sum(len(text.encode()) for text in texts) / 1e6, 1)
    for name, value in figures.items():
        print(f"{name:40} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
