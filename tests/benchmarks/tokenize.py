"""Shards, token files and the mix, side by side with datatrove: ``python -m tests.benchmarks.tokenize [MB]``.

Every figure is CPU time on one core (all threads of the process counted), on the same documents in the same run. Ours
goes from the compressed shard to committed, digested token files, in a process that has loaded its libraries and has
seen none of the words; datatrove's DocumentTokenizer starts from documents that are in memory already, and runs on a
part of them (20 MB), as its rate does not depend on the amount. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pilebuilder.executors.local import ENVIRONMENT

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

RIVAL_BYTES = 20_000_000
ROUNDS = 3


@contextmanager
def cpu(into: list[float]) -> Iterator[None]:
    """CPU seconds of this process and its children."""
    start = os.times()
    yield
    end = os.times()
    into.append(sum(end[:4]) - sum(start[:4]))


def best(run: Callable[[int], Any], rounds: int = ROUNDS) -> float:
    """CPU seconds of the median of some rounds."""
    found: list[float] = []
    for i in range(rounds):
        with cpu(found):
            run(i)
    return sorted(found)[len(found) // 2]


def build(folder: Path, texts: list[tuple[str, str]]) -> Any:
    """The documents as partitions of a small build, one component for each kind of text."""
    from tests.mix.building import MiniBuild

    by_component: dict[str, list[str]] = {}
    for component, text in texts:
        by_component.setdefault(component.split("-")[0], []).append(text)
    configs = {"mix": {"val": 0.0, "test": 0.0}, "shard": {"count": 1, "frame": "4 MiB"}}
    return MiniBuild(folder, by_component, configs=configs, limit=64 << 20).run("mix", "shard")


FRESH = """
import gc, os, pickle, sys
from pathlib import Path
def seconds():
    t = os.times()
    return t.user + t.system
from pilebuilder.build.worker import execute
from pilebuilder.executors import COLLECTION
from pilebuilder.executors.local import reuse_memory
reuse_memory(1 << 30)  # as every worker does
gc.set_threshold(*COLLECTION)
task, warm = pickle.load(open(sys.argv[1], "rb"))
if len(sys.argv) > 2:
    execute(*warm)
start = seconds()
execute(*task)
print(seconds() - (start if len(sys.argv) > 2 else 0.0))
"""


def fresh(done: Any, root: Path, warm: Any, *, loaded: bool) -> float:
    """CPU seconds of the tokenize task of the one shard in a process of its own: compressed shard to committed files.

    `loaded`: libraries, kernels and tokenizer are loaded before, by a shard of one line; no word is known.
    """
    path = root / "task.pickle"
    path.write_bytes(pickle.dumps(((done.tasks["tokenize"][0], done.root), (warm.tasks["tokenize"][0], warm.root))))
    command = [sys.executable, "-c", FRESH, str(path), *(["loaded"] if loaded else [])]
    alone = os.environ | ENVIRONMENT
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout)


def rival_tokens(shard: Path, folder: Path, tokenizer: Path) -> float:
    """datatrove: JsonlReader and MegatronDocumentTokenizer, the same work from file to file."""
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import MegatronDocumentTokenizer

    found: list[float] = []
    reader = JsonlReader(str(shard.parent), glob_pattern=shard.name)
    writer = MegatronDocumentTokenizer(
        str(folder / "megatron"), tokenizer_name_or_path=str(tokenizer), eos_token="<|endoftext|>", save_filename="x"
    )
    with cpu(found):
        writer.run(reader.run())
    return found[0]


def rival_documents(shard: Path, folder: Path, tokenizer: Path) -> float:
    """datatrove's DocumentTokenizer from documents already in memory, without shuffling: its tokenizing alone."""
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    found: list[float] = []
    documents = list(JsonlReader(str(shard.parent), glob_pattern=shard.name).run())
    writer = DocumentTokenizer(
        str(folder / "ds"),
        tokenizer_name_or_path=str(tokenizer),
        eos_token="<|endoftext|>",
        save_filename="x",
        shuffle_documents=False,
    )
    with cpu(found):
        writer.run(iter(documents))
    return found[0]


def rival_lines(shard: Path, folder: Path, *, stock: bool) -> float:
    """datatrove's JsonlWriter to zstd, from documents in memory.

    fsspec packs for it: at level 10 with the package zstandard, which datatrove itself installs (`stock`); at level 3
    where backports.zstd is installed too, which py7zr brings.
    """
    import fsspec.compression
    import zstandard
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    documents = list(JsonlReader(str(shard.parent), glob_pattern=shard.name).run())
    level = zstandard.ZstdCompressor(level=10 if stock else 3)
    held, register = fsspec.compression.compr["zstd"], fsspec.compression.register_compression
    register("zstd", lambda file, mode="rb": level.stream_writer(file), "zst", force=True)
    found: list[float] = []
    try:
        with cpu(found), JsonlWriter(str(folder / "jsonl"), compression="zstd") as writer:
            for document in documents:
                writer.write(document)
    finally:
        register("zstd", held, "zst", force=True)
    return found[0]


def our_lines(done: Any, folder: Path) -> tuple[float, int]:
    """Arrow columns in memory to jsonl.zst: what JsonlWriter does, with our default of level 3 and 4 MiB frames."""
    from pilebuilder.frames import FrameWriter
    from pilebuilder.partition import read_table
    from pilebuilder.shard.lines import json_lines

    tables = [read_table(done.root / p.path) for p in done.partitions()]
    size = sum(t.column("text").nbytes for t in tables)

    def write(_: int) -> None:
        with FrameWriter(folder / "ours.zst", 4 << 20, 3) as out:
            for table in tables:
                for start in range(0, table.num_rows, 2000):
                    out.write(*json_lines(table.slice(start, 2000), ["url", "date", "licence"]))

    return best(write), size


def same_ids(done: Any, root: Path) -> tuple[int, int]:
    """Documents compared with the reference tokenizer (tiktoken), and how many of them differ."""
    import numpy as np

    from pilebuilder.frames import SeekableFile
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load
    from pilebuilder.tokenize.lines import Scanner
    from tests.tokenize.reading import MegatronFile

    reference = encoders.reference(load("gpt2"))
    documents = different = 0
    for shard in done.artifacts("shard", "shard"):
        tokens = MegatronFile(root / "read" / shard.facts["shard"].replace("/", "_"))
        scanner, at = Scanner(list(shard.facts["components"]), "x"), 0
        for content in SeekableFile(root / shard.path).batches():
            lines = scanner.scan(content)
            ids, offsets = reference.encode(lines.text, lines.offsets)
            for i in range(len(offsets) - 1):
                different += not np.array_equal(tokens[at + i][:-1], ids[offsets[i] : offsets[i + 1]])
            at += len(offsets) - 1
        documents += at
    return documents, different


def publish(done: Any, root: Path) -> None:
    """Token files under one folder and stem, as the independent reader wants them."""
    (root / "read").mkdir(exist_ok=True)
    for name, path in done.public().items():
        if name.startswith("tokens/"):
            target = root / "read" / Path(name).name
            target.unlink(missing_ok=True)
            os.link(path, target)


def main() -> None:
    """Measure, print a table, and end with one JSON object."""
    from pilebuilder.models import gpt2
    from tests.benchmarks.texts import documents

    limit = int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 400_000_000
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        texts = list(documents(limit, longest=2_200))
        size = sum(len(t.encode()) for _, t in texts)
        done = build(root / "ours", texts)
        part, held = [], 0
        for component, text in texts:
            part.append((component, text))
            held += len(text.encode())
            if held >= RIVAL_BYTES:
                break
        small = build(root / "small", part)
        shard = small.public()["train/00.jsonl.zst"]
        tokenizer = root / "tokenizer.json"
        tokenizer.write_text(json.dumps(gpt2.tokenizer_json()))
        figures["documents"], figures["mb"] = len(texts), size / 1e6
        warm = build(root / "warm", [("start", "one line")]).run("tokenize")
        done.run("tokenize")
        publish(done, root / "ours")
        turns: dict[str, list[float]] = {}  # by turns: the machine is not equally fast all the time
        for i in range(ROUNDS):
            for key, seconds in (
                ("tokenize_mb_s", fresh(done, root, warm, loaded=True)),
                ("tokenize_whole_process_mb_s", fresh(done, root, warm, loaded=False)),
                ("datatrove_document_tokenizer_mb_s", rival_documents(shard, root / f"d{i}", tokenizer)),
                ("datatrove_megatron_mb_s", rival_tokens(shard, root / f"r{i}", tokenizer)),
            ):
                turns.setdefault(key, []).append((held if "datatrove" in key else size) / 1e6 / seconds)
        figures |= {key: max(found) for key, found in turns.items()}
        figures["tokenize_ratio_datatrove"] = figures["tokenize_mb_s"] / figures["datatrove_document_tokenizer_mb_s"]
        figures["tokenize_ratio_datatrove_megatron"] = figures["tokenize_mb_s"] / figures["datatrove_megatron_mb_s"]
        figures["tokenize_whole_process_ratio_datatrove"] = (
            figures["tokenize_whole_process_mb_s"] / figures["datatrove_document_tokenizer_mb_s"]
        )
        seconds, amount = our_lines(small, root)
        figures["jsonl_zst_write_mb_s"] = amount / 1e6 / seconds
        for name, stock in (("", True), ("_level_3", False)):
            rival = min(rival_lines(shard, root / f"l{name}{i}", stock=stock) for i in range(ROUNDS))
            figures[f"datatrove_jsonl_write{name}_mb_s"] = held / 1e6 / rival
            figures[f"jsonl_write_ratio_datatrove{name}"] = amount / 1e6 / seconds / (held / 1e6 / rival)
        checked, different = same_ids(done, root / "ours")
        figures["ids_checked_documents"], figures["ids_different_documents"] = checked, different
    figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for key, value in figures.items():
        print(f"{key:40} {value:14,.2f}" if isinstance(value, float) else f"{key:40} {value:14,}")
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}))


if __name__ == "__main__":
    main()
