"""A small corpus with text, token files and a byte-level tokenizer, as a finished build leaves them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from pilebuilder.digest import canonical, digest_file
from pilebuilder.models import gpt2
from pilebuilder.models.vocabulary import load
from pilebuilder.tokenize import megatron, sidecar
from pilebuilder.train.texts import identity
from tests.mini import prose
from tests.train.small import small_config

NAMES = ["Prose", "Sums"]
Documents = list[tuple[str, str]]
"""Component and text."""


def byte_config(**changes: Any) -> Any:
    """A network that reads this corpus in moments."""
    return small_config(**{"data": {"sequence": 64}, "micro_tokens": 256, **changes})


def byte_tokenizer(path: Path) -> Path:
    """256 ids, one for each byte, and the end of document."""
    alphabet = gpt2.byte_letters()
    end = {
        "id": 256, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True,
    }  # fmt: skip
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": alphabet | {"<|endoftext|>": 256}, "merges": []},
    }
    path.write_text(json.dumps(content))
    return path


def documents(count: int, seed: int) -> Documents:
    """Prose with words that come again, and sums."""
    rng = random.Random(seed)
    found = []
    for k in range(count):
        if k % 2:
            rows = [(rng.randint(0, 9), rng.randint(0, 9)) for _ in range(rng.randint(8, 30))]
            found.append(("Sums", "\n".join(f"{a} + {b} = {a + b}" for a, b in rows)))
        else:
            found.append(("Prose", prose(rng, rng.randint(6, 12))))
    return found


def make_text_corpus(folder: Path, splits: dict[str, Documents] | None = None) -> Path:
    """Shards of text, token files, tokenizer and lock."""
    tokenizer = byte_tokenizer(folder / "bytes.json")
    splits = splits or {"train": documents(60, 1), "val": documents(16, 2), "test": documents(70, 3)}
    outputs = []
    for split, held in splits.items():
        name = "train/00" if split == "train" else split
        path = folder / f"{name}.jsonl.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"text": text, "meta": {"pile_set_name": component, "id": _id(text).hex()}}) + "\n"
            for component, text in held
        ]
        path.write_bytes(zstandard.compress("".join(lines).encode()))
        outputs.append({"path": f"{name}.jsonl.zst", "sha256": digest_file(path)[0], "bytes": path.stat().st_size})
        _tokens(folder, name, held, tokenizer)
    stages = {"tokenize": {"tokenizer": str(tokenizer), "pattern": None}}
    (folder / "corpus.lock").write_text(json.dumps({"recipe": {"stages": stages}, "outputs": outputs}))
    return folder


def _id(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _tokens(folder: Path, name: str, held: Documents, tokenizer: Path) -> None:
    stem = folder / "tokens" / name.replace("/", "_")
    stem.parent.mkdir(exist_ok=True)
    raw = [text.encode() for _, text in held]
    lengths = np.array([len(r) + 1 for r in raw], np.int64)
    ids = np.concatenate([np.append(np.frombuffer(r, np.uint8), 256).astype(np.uint16) for r in raw])
    stem.with_suffix(".bin").write_bytes(ids.tobytes())
    megatron.write_index(stem.with_suffix(".idx"), lengths, "uint16")
    codes = np.array([NAMES.index(c) for c, _ in held], np.int64)
    identities = np.frombuffer(b"".join(_id(t) for _, t in held), np.uint8).reshape(-1, 16)
    sidecar.write(stem.with_suffix(".docs"), sidecar.Documents(identities, np.arange(len(raw)), lengths - 1, codes))
    files = {}
    for suffix in ("bin", "idx", "docs"):
        digest, size = digest_file(stem.with_suffix(f".{suffix}"))
        files[f"{stem.name}.{suffix}"] = {"sha256": digest, "bytes": size}
    manifest = {
        "shard": {"name": name, "sha256": "0"},
        "split": name.split("/")[0],
        "tokenizer": identity(load(str(tokenizer))),
        "dtype": "uint16",
        "documents": len(raw),
        "tokens": int(lengths.sum()),
        "text_tokens": int(lengths.sum()) - len(raw),
        "components": [{"name": n} for n in NAMES],
        "files": files,
    }
    stem.with_suffix(".json").write_text(canonical(manifest) + "\n")
