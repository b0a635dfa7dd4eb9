"""Writes the token files of one shard and the manifest that describes them."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

import numpy as np

from pilebuilder.errors import TaskError
from pilebuilder.task import Workspace, canonical, digest_file
from pilebuilder.tokenize import megatron, sidecar
from pilebuilder.tokenize.lines import Lines
from pilebuilder.tokenize.vocabulary import Tokenizer


def stem(shard: str) -> str:
    """``train/00`` -> ``tokens/train_00``; ``val`` -> ``tokens/val``."""
    return f"tokens/{shard.replace('/', '_')}"


class TokenWriter:
    """Gathers batches of ids; each document is followed by the end-of-document id."""

    def __init__(self, work: Workspace, shard: str, tokenizer: Tokenizer, components: list[str]) -> None:
        self.work, self.shard, self.tokenizer, self.components = work, shard, tokenizer, components
        self.dtype = np.dtype(tokenizer.dtype)
        self.digest = hashlib.sha256()
        self.file: BinaryIO = self._output("bin").open("wb")
        self.lengths: list[np.ndarray] = []
        self.batches: list[sidecar.Documents] = []

    def _output(self, suffix: str):  # type: ignore[no-untyped-def]
        name = f"{stem(self.shard)}.{suffix}"
        split = self.shard.split("/")[0]
        return self.work.output(name, "tokens", public=name, shard=self.shard, split=split)

    def add(self, lines: Lines, ids: np.ndarray, offsets: np.ndarray) -> None:
        """Append the documents of a batch."""
        lengths = np.diff(offsets) + 1
        if len(lengths) and int(lengths.max()) > megatron.LONGEST:
            raise TaskError(f"{self.shard}: a document has more than {megatron.LONGEST} tokens, the index's limit")
        content = memoryview(np.insert(ids, offsets[1:], self.tokenizer.eod).astype(self.dtype, copy=False)).cast("B")
        self.digest.update(content)
        self.file.write(content)
        self.lengths.append(lengths)
        sizes = np.diff(lines.offsets)
        self.batches.append(sidecar.Documents(lines.ids, lines.starts, sizes, lines.component))

    def __enter__(self) -> TokenWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def finish(self, source: str) -> None:
        """Write index, side file and manifest; count."""
        lengths = np.concatenate(self.lengths) if self.lengths else np.zeros(0, np.int64)
        documents = _joined(self.batches)
        megatron.write_index(self._output("idx"), lengths, self.dtype.name)
        sidecar.write(self._output("docs"), documents)
        by_component = []
        for code, name in enumerate(self.components):
            chosen = documents.component == code
            n, tokens = int(chosen.sum()), int(lengths[chosen].sum())
            size = int(documents.text_bytes[chosen].sum())
            by_component.append(
                {"name": name, "documents": n, "tokens": tokens, "text_tokens": tokens - n, "bytes": size}
            )
            count = self.work.tally.of(name)
            count.seen, count.kept, count.bytes_in, count.bytes_out = n, n, size, size
        total = {k: sum(c[k] for c in by_component) for k in ("documents", "tokens", "text_tokens", "bytes")}
        files = {s: self._output(s) for s in ("bin", "idx", "docs")}
        content = {
            "format": "megatron",
            "shard": {"name": self.shard, "sha256": source},
            "split": self.shard.split("/")[0],
            "tokenizer": {
                "name": self.tokenizer.name,
                "sha256": self.tokenizer.digest,
                "vocab_size": self.tokenizer.size,
                "eod": self.tokenizer.eod,
            },
            "dtype": self.dtype.name,
            "separator": "append",
            **total,
            "components": by_component,
            "files": {
                path.name: {
                    "sha256": self.digest.hexdigest() if suffix == "bin" else digest_file(path)[0],
                    "bytes": path.stat().st_size,
                }
                for suffix, path in files.items()
            },
        }
        self._output("json").write_text(canonical(content) + "\n")
        self.work.output(f"{stem(self.shard)}.bin", "tokens", **total)
        self.work.facts.update(total)


def _joined(batches: list[sidecar.Documents]) -> sidecar.Documents:
    if not batches:
        return sidecar.Documents(np.zeros((0, 16), np.uint8), *(np.zeros(0, np.int64) for _ in range(3)))
    columns = ("ids", "starts", "text_bytes", "component")
    return sidecar.Documents(*(np.concatenate([getattr(b, name) for b in batches]) for name in columns))
