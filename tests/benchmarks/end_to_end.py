"""Real jsonl.zst to tokens, against datatrove: ``python -m tests.benchmarks.end_to_end [MB] [SAMPLE_MB] [TEXTS]``.

The same work for both: read, repair mojibake, keep English, Gopher repetition and quality, C4, FineWeb, MinHash
deduplication (14 bands of 8), GPT-2 tokens in Megatron's layout. Ours is the command as a user runs it
(``pilebuilder tokenize RECIPE``), one worker; it writes partitions, ledger and shards besides, and measures nothing for
a report, which the recipe turns off. datatrove is a script of its own steps in one process, with the same language
model.

Figures are CPU seconds of whole process trees, imports included: ours on MB (600), datatrove on a random SAMPLE_MB
(20) of the same documents. datatrove's seconds are scaled to MB after taking off what it spends before its first
document, so its start-up counts once. Both take turns, three times, and of each the quickest run counts. Agreement is on the
sample, which both do: documents kept by both or by neither.
TEXTS is ``english`` (the shared samples, which are mostly English, and English documentation packages) or
``languages`` (the samples, documentation in 12 languages, and English up to the size): run
``python -m tests.benchmarks.corpus`` first. The last line is one JSON object.
"""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FILE_BYTES = 16_000_000
LARGE = 320_000_000
"""Above this the further English packages of the corpus tool are needed."""
ROUNDS = 3
PR_SET_CHILD_SUBREAPER = 36

RECIPE = """
name: end-to-end
seed: 1
memory: 1 GiB
components:
  - name: data
    fetch: {{local: {{path: {folder}, licence: mixed}}}}
    read: jsonl
    expect: {{max_loss: 1.0}}
clean:
  - ftfy: {{fix_latin_ligatures: false, fix_character_width: false, uncurl_quotes: false, fix_line_breaks: false,
      normalization: null}}
filter:
  - lang: {{keep: [en], min_score: 0.65}}
  - gopher-repetition: {{unspaced: apply}}
  - gopher-quality: {{unspaced: apply}}
  - c4
  - fineweb: {{unspaced: apply}}
dedup: {{exact: false, minhash: {{bands: 14, rows: 8, ngram: 5}}}}
mix: {{val: 0.0, test: 0.0}}
shard: {{count: 4, meta: [origin_file, origin_offset]}}
tokenize: {{tokenizer: gpt2}}
report: null
"""


def texts(limit: int, which: str = "english") -> Iterator[str]:
    """Real text up to `limit` bytes; no two documents are equal."""
    from tests.benchmarks import corpus

    names = {"english": ["english.jsonl.zst"], "languages": ["docs.jsonl.zst", "english.jsonl.zst"]}[which]
    if limit > LARGE:
        names.append("more.jsonl.zst")
    missing = [name for name in names if not (corpus.folder() / name).is_file()]
    if missing:
        more = " more" if missing == ["more.jsonl.zst"] else ""
        raise SystemExit(f"no {missing[0]} in {corpus.folder()}: run python -m tests.benchmarks.corpus{more} first")
    sources = itertools.chain(corpus.samples(), *(corpus.read(corpus.folder() / name) for name in names))
    size, seen = 0, set()
    for _, text in sources:
        raw = text.encode()
        if (digest := hashlib.blake2b(raw, digest_size=12).digest()) not in seen:
            seen.add(digest)
            size += len(raw)
            yield text
            if size >= limit:
                return


def write(folder: Path, rows: Iterable[tuple[int, str]]) -> int:
    """Documents as jsonl.zst files of about 16 MB; returns the bytes of text."""
    import zstandard

    folder.mkdir()
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
    held: list[bytes] = []
    size = total = number = 0
    for i, text in rows:
        held.append(json.dumps({"id": str(i), "text": text}, ensure_ascii=False).encode() + b"\n")
        size += len(text.encode())
        if size >= FILE_BYTES:
            (folder / f"{number:03}.jsonl.zst").write_bytes(packer.compress(b"".join(held)))
            held, total, size, number = [], total + size, 0, number + 1
    if held:
        (folder / f"{number:03}.jsonl.zst").write_bytes(packer.compress(b"".join(held)))
    return total + size


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended (Linux), so that their time is counted here.

    The fork server of a build outlives the command by a moment; without this its workers' time would be lost.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("this benchmark counts the time of whole process trees, which needs Linux")


def measured(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float, int, str]:
    """CPU and wall seconds of a whole process tree, the largest resident set in it (MiB), and what it printed."""
    # sources are compiled to bytecode once, as an installation does
    environment = {k: v for k, v in (env or os.environ).items() if k != "PYTHONDONTWRITEBYTECODE"}
    os.sync()  # what the run before left for the system to write takes a core of this one
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    wall = time.monotonic() - start
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, after.ru_maxrss // 1024, done.stdout


def ours(source: Path, out: Path, workers: int = 1) -> tuple[float, float, int]:
    """The command, whole."""
    recipe = out.with_suffix(".yaml")
    recipe.write_text(RECIPE.format(folder=source))
    command = [
        sys.executable,
        "-m",
        "pilebuilder",
        "tokenize",
        str(recipe),
        "--out",
        str(out),
        "--workers",
        str(workers),
    ]
    return measured(command)[:3]


def our_kept(out: Path, ids: dict[tuple[str, int], int]) -> set[int]:
    """Numbers of the documents in our shards, by the file and offset that each line names."""
    from tests.shard.reading import documents

    kept = set()
    for path in sorted((out / "train").glob("*.jsonl.zst")):
        for row in documents(path):
            meta = row["meta"]
            kept.add(ids[meta["origin_file"], int(meta["origin_offset"])])
    return kept


def places(source: Path) -> dict[tuple[str, int], int]:
    """Number of each document by file name and offset in its uncompressed content."""
    import zstandard

    found = {}
    for path in sorted(source.glob("*.jsonl.zst")):
        at = 0
        for line in zstandard.ZstdDecompressor().decompress(path.read_bytes()).splitlines(keepends=True):
            found[path.name, at] = int(json.loads(line)["id"])
            at += len(line)
    return found


def rival(source: Path, out: Path) -> None:
    """In a process of its own: datatrove's steps; prints the ids kept and the seconds spent before the first document."""
    import fasttext  # noqa: F401
    import xxhash
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline import filters
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupFilter
    from datatrove.pipeline.formatters import FTFYFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import MegatronDocumentTokenizer
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils import _import_utils, lid
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    from pilebuilder.models import CATALOGUE

    logger.remove()
    # It asks for one particular distribution of fastText; another that imports as fasttext does the same.
    _import_utils._is_distribution_available = lambda name: True
    lid.cached_asset_path_or_download = lambda *_, **__: str(CATALOGUE["lid.176"].path)
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    sign = MinhashDedupSignature(str(out / "signatures"), config=config)
    # xxhash 4 takes bytes only, where datatrove gives str; version 3 encoded them itself.
    sign._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
    start = time.process_time()
    writer = JsonlWriter(str(out / "kept"), output_filename="x.jsonl.zst", compression="zstd")
    steps = [
        JsonlReader(str(source)),
        FTFYFormatter(),
        filters.LanguageFilter(languages=["en"], language_threshold=0.65),
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.C4QualityFilter(),
        filters.FineWebQualityFilter(),
        writer,
    ]
    options: dict[str, Any] = {"workers": 1, "skip_completed": False}
    LocalPipelineExecutor(pipeline=steps, tasks=1, logging_dir=str(out / "logs1"), **options).run()
    stages: list[tuple[list[Any], int]] = [
        ([JsonlReader(str(out / "kept")), sign], 1),
        ([MinhashDedupBuckets(str(out / "signatures"), str(out / "buckets"), config=config)], 14),
        ([MinhashDedupCluster(str(out / "buckets"), str(out / "remove"), config=config)], 1),
        (
            [
                JsonlReader(str(out / "kept")),
                MinhashDedupFilter(str(out / "remove")),
                JsonlWriter(str(out / "final"), output_filename="x.jsonl.zst", compression="zstd"),
            ],
            1,
        ),
        (
            [
                JsonlReader(str(out / "final")),
                MegatronDocumentTokenizer(
                    str(out / "tokens"),
                    tokenizer_name_or_path=str(out / "tokenizer.json"),
                    eos_token="<|endoftext|>",
                    save_filename="x",
                ),
            ],
            1,
        ),
    ]
    for number, (pipeline, tasks) in enumerate(stages, 2):
        logs = str(out / f"logs{number}")
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, logging_dir=logs, **options).run()
    kept = [int(d.id) for d in JsonlReader(str(out / "final")).run()]
    before = [int(d.id) for d in JsonlReader(str(out / "kept")).run()]
    print(json.dumps({"start": start, "kept": kept, "filtered": before}))


def run_rival(source: Path, out: Path) -> tuple[float, float, dict[str, Any]]:
    """CPU and wall seconds of datatrove, and what it says."""
    from pilebuilder.models import gpt2

    out.mkdir()
    (out / "tokenizer.json").write_text(json.dumps(gpt2.tokenizer_json()))
    code = (
        "import sys, pathlib; from tests.benchmarks.end_to_end import rival; rival(*map(pathlib.Path, sys.argv[1:]))"
    )
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    cpu, wall, _, told = measured([sys.executable, "-c", code, str(source), str(out)], env=environment)
    return cpu, wall, json.loads(told.splitlines()[-1])


def machine() -> str:
    """Processor, cores and Python, for the line beside the figures."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def prepare(root: Path, amount: int, sample_amount: int, which: str) -> None:
    """Write the documents and a random sample of them, and what they come to."""
    rows = list(enumerate(texts(amount * 1_000_000, which)))
    random.Random(3).shuffle(rows)
    sample, held = [], 0
    for row in rows:
        sample.append(row)
        held += len(row[1].encode())
        if held >= sample_amount * 1_000_000:
            break
    facts = {"texts": which, "documents": len(rows), "sample_documents": len(sample)}
    facts |= {"mb": write(root / "all", rows) / 1e6, "sample_mb": write(root / "sample", sample) / 1e6}
    (root / "facts.json").write_text(json.dumps(facts))


def main() -> None:
    """Write the texts, and measure in this process begun anew: what it holds counts as its children's memory."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--measure"]:
        measure(Path(arguments[1]))
        return
    root = Path(tempfile.mkdtemp())
    try:
        amount, sample_amount = (int(arguments[i]) if len(arguments) > i else n for i, n in enumerate((600, 20)))
        prepare(root, amount, sample_amount, arguments[2] if len(arguments) > 2 else "english")
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.end_to_end", "--measure", str(root)])
    except BaseException:
        shutil.rmtree(root)
        raise


def measure(root: Path) -> None:
    """Measure, print, end with one JSON object; removes the texts."""
    adopt_orphans()
    try:
        facts = json.loads((root / "facts.json").read_text())
        ours(root / "sample", root / "o0")  # compiles kernels once per machine
        alone, both, rivals = [], [], []
        for _ in range(ROUNDS):  # by turns: the machine is not equally fast all the time
            rivals.append(run_rival(root / "sample", root / "rival"))
            alone.append(ours(root / "all", root / "alone"))
            shutil.rmtree(root / "alone")
            both.append(ours(root / "all", root / "both", workers=2)[1])
            shutil.rmtree(root / "both")
            shutil.rmtree(root / "rival")
        ids = places(root / "sample")
        mine = our_kept(root / "o0", ids)
    finally:
        shutil.rmtree(root)
    cpu, wall, memory = min(alone)
    two = min(both)
    rival_cpu, rival_wall, told = min(rivals, key=lambda run: run[0])
    numbers, theirs = set(ids.values()), set(told["kept"])
    same = sum((i in mine) == (i in theirs) for i in numbers)
    scaled = told["start"] + (rival_cpu - told["start"]) * facts["mb"] / facts["sample_mb"]
    figures = {
        "machine": machine(),
        **facts,
        "ours_cpu_seconds": cpu,
        "ours_wall_seconds": wall,
        "ours_wall_seconds_2_workers": two,
        "ours_speedup_2_workers": wall / two,
        "ours_mb_s": facts["mb"] / cpu,
        "ours_peak_memory_mib": memory,
        "datatrove_cpu_seconds_sample": rival_cpu,
        "datatrove_wall_seconds_sample": rival_wall,
        "datatrove_start_seconds": told["start"],
        "datatrove_cpu_seconds_scaled": scaled,
        "kept_ours": len(mine),
        "kept_datatrove": len(theirs),
        "kept_both": len(mine & theirs),
        "end_to_end_ratio_datatrove": scaled / cpu,
        "end_to_end_agreement": same / len(numbers),
    }
    for key, value in figures.items():
        print(f"{key:34} {value:14,.3f}" if isinstance(value, float) else f"{key:34} {value}")
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}))


if __name__ == "__main__":
    main()
