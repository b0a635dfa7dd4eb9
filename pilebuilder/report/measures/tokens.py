"""Tokens of each document, from the token files alone: the index says how many, the side file of whom.

Both layouts are those of tokenize: Megatron's ``.idx`` (34 bytes of header, then a little-endian int32 per document,
its end mark included) and ``.docs`` (16 bytes of header; 16 bytes of id, u64, u32 bytes of text, u16 component each).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pilebuilder.errors import TaskError
from pilebuilder.report.counters import Counters
from pilebuilder.task import Artifact, Task, Workspace

HEADER, SIDE_HEADER = 34, 16
SCALE = 1000
"""Bytes per token are kept in thousandths."""


def count(task: Task, work: Workspace) -> None:
    """Tokens and bytes per token of the documents of some shards, by component; copies count as documents."""
    counters = Counters()
    shards: dict[str, dict[str, Artifact]] = {}
    for artifact in task.inputs:
        shards.setdefault(artifact.facts["shard"], {})[Path(artifact.path).suffix] = artifact
    for files in shards.values():
        _count(work, files, counters)
    counters.write(work.output("tokens.parquet", "token-counts", component=""))


def _count(work: Workspace, files: dict[str, Artifact], counters: Counters) -> None:
    names = [c["name"] for c in json.loads(work.open(files[".json"]).read_bytes())["components"]]
    tokens = lengths(work.open(files[".idx"])) - 1
    size, component = sizes(work.open(files[".docs"]), len(tokens))
    for code, name in enumerate(names):
        chosen = component == code
        counters.add_lengths(f"tokens\t{name}", tokens[chosen])
        some = chosen & (tokens > 0)
        ratio = np.rint(size[some] * SCALE / tokens[some]).astype(np.int64)
        counters.add_lengths(f"bytes per token\t{name}", ratio)


def lengths(path: Path) -> np.ndarray:
    """Ids of each document (int64)."""
    content = path.read_bytes()
    if content[:9] != b"MMIDIDX\x00\x00":
        raise TaskError(f"{path} is not a token index; run the same build again to restore it")
    n = int.from_bytes(content[18:26], "little")
    return np.frombuffer(content, "<i4", n, HEADER).astype(np.int64)


def sizes(path: Path, documents: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of text and component of each document (int64)."""
    content = path.read_bytes()
    n = int.from_bytes(content[8:16], "little")
    if content[:8] != b"PBDOCS1\x00" or n != documents:
        raise TaskError(f"{path} does not belong to its index; run the same build again to restore it")
    at = SIDE_HEADER + 24 * n
    return np.frombuffer(content, "<u4", n, at).astype(np.int64), np.frombuffer(content, "<u2", n, at + 4 * n).astype(
        np.int64
    )


def merge(task: Task, work: Workspace) -> None:
    """Add up the counts of some shards."""
    counters = Counters.read(work.open(a) for a in task.inputs)
    counters.write(work.output("tokens.parquet", "token-counts", component=""))
