"""A small corpus of token files in the tokenize stage's format, and settings that train on it in moments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.digest import canonical, digest_file
from pilebuilder.tokenize import megatron, sidecar
from pilebuilder.train.config import TrainConfig

VOCABULARY, EOD = 50, 49
NAMES = ["Books", "Code", "Tiny"]


def write_shard(folder: Path, name: str, documents: list[tuple[int, list[int]]], vocabulary: int = VOCABULARY) -> None:
    """Token files of one shard: (component, ids without the end) per document; two bytes of text per token."""
    stem = folder / "tokens" / name.replace("/", "_")
    stem.parent.mkdir(parents=True, exist_ok=True)
    ids = [np.array([*d, EOD], np.uint16) for _, d in documents]
    lengths = np.array([len(d) for d in ids], np.int64)
    component = np.array([c for c, _ in documents], np.int64)
    stem.with_suffix(".bin").write_bytes(np.concatenate(ids).tobytes())
    megatron.write_index(stem.with_suffix(".idx"), lengths, "uint16")
    identity = np.random.default_rng(len(ids)).integers(0, 256, (len(ids), 16)).astype(np.uint8)
    sidecar.write(
        stem.with_suffix(".docs"), sidecar.Documents(identity, np.arange(len(ids)), 2 * (lengths - 1), component)
    )
    files = {}
    for suffix in ("bin", "idx", "docs"):
        path = stem.with_suffix(f".{suffix}")
        digest, size = digest_file(path)
        files[path.name] = {"sha256": digest, "bytes": size}
    tokens = int(lengths.sum())
    manifest = {
        "shard": {"name": name, "sha256": "0"},
        "split": name.split("/")[0],
        "tokenizer": {"name": "small", "sha256": "1", "vocab_size": vocabulary, "eod": EOD},
        "dtype": "uint16",
        "documents": len(ids),
        "tokens": tokens,
        "text_tokens": tokens - len(ids),
        "components": [{"name": n} for n in NAMES],
        "files": files,
    }
    stem.with_suffix(".json").write_text(canonical(manifest) + "\n")


def make_corpus(folder: Path) -> Path:
    """Two train shards and a val shard: counting sequences, so that there is something to learn."""
    rng = np.random.default_rng(3)

    def text(component: int) -> tuple[int, list[int]]:
        n, first = int(rng.integers(5, 90)), int(rng.integers(0, 48))
        return component, [int(x) for x in (first + np.arange(n) * (component + 1)) % 48]

    for i in range(2):
        write_shard(folder, f"train/{i:02d}", [text(int(c)) for c in rng.choice(2, 60)] + [(2, [7, 8, 9])])
    write_shard(folder, "val", [text(int(c)) for c in [0, 1] * 6])
    return folder


def small_config(**changes: Any) -> TrainConfig:
    """24 steps of a network of 2 layers."""
    return TrainConfig.parse(
        {
            "model": {"layers": 2, "width": 32, "heads": 2},
            "data": {"sequence": 32},
            "optimizer": {"lr": 5e-3},
            "guard": {"window": 8},
            "control": {"device": "cpu", "checkpoint_every": 8, "log_every": 4},
            "tokens": 24 * 256,
            "batch_tokens": 256,
            "micro_tokens": 128,
            **changes,
        }
    )
