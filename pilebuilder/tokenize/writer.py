"""Writes the token files of one shard and the manifest that describes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numba import types

from pilebuilder.errors import TaskError
from pilebuilder.kernels.jit import INT64, INT64S, UINT32S, kernel
from pilebuilder.models.vocabulary import Tokenizer
from pilebuilder.task import Workspace, canonical, digest_file
from pilebuilder.tokenize import exports, megatron, packing, sidecar
from pilebuilder.tokenize.lines import Lines

SUMS = ("documents", "tokens", "text_tokens", "bytes")
"""What a manifest counts: `tokens` are the ids on disk, `text_tokens` those without the ends of documents."""


def stem(shard: str) -> str:
    """``train/00`` -> ``tokens/train_00``; ``val`` -> ``tokens/val``."""
    return f"tokens/{shard.replace('/', '_')}"


@kernel(
    types.void(UINT32S, INT64S, INT64, types.uint16[::1]),
    types.void(UINT32S, INT64S, INT64, types.int32[::1]),
)
def _with_ends(ids: np.ndarray, offsets: np.ndarray, eod: int, out: np.ndarray) -> None:
    """Each document's ids and one end-of-document id behind them."""
    for row in range(len(offsets) - 1):
        start, size = offsets[row], offsets[row + 1] - offsets[row]
        given, taken = ids[start : start + size], out[start + row : start + row + size]
        for k in range(size):
            taken[k] = given[k]
        out[start + row + size] = eod


class TokenWriter:
    """Gathers batches of ids; each document is followed by the end-of-document id."""

    def __init__(self, work: Workspace, shard: str, tokenizer: Tokenizer, components: list[str]) -> None:
        self.work, self.shard, self.tokenizer, self.components = work, shard, tokenizer, components
        self.dtype = np.dtype(tokenizer.dtype)
        self.room = np.empty(0, self.dtype)
        self.digest = hashlib.sha256()
        self.suffixes: list[str] = []
        self.file: BinaryIO = self._output("bin").open("wb")
        self.lengths: list[np.ndarray] = []
        self.batches: list[sidecar.Documents] = []

    def _output(self, suffix: str) -> Path:
        name = f"{stem(self.shard)}.{suffix}"
        if suffix not in self.suffixes:
            self.suffixes.append(suffix)
        return self.work.output(name, "tokens", public=name, shard=self.shard, split=self.shard.split("/")[0])

    def add(self, lines: Lines, ids: np.ndarray, offsets: np.ndarray) -> None:
        """Append the documents of a batch."""
        lengths = np.diff(offsets) + 1
        if len(lengths) and int(lengths.max()) > megatron.LONGEST:
            raise TaskError(f"{self.shard}: a document has more than {megatron.LONGEST} tokens, the index's limit")
        size = len(ids) + len(lengths)
        if len(self.room) < size:
            self.room = np.empty(size, self.dtype)
        _with_ends(ids, offsets, self.tokenizer.eod, self.room)
        content = self.room[:size].data
        self.digest.update(content)
        self.file.write(content)
        self.lengths.append(lengths)
        sizes = np.diff(lines.offsets)
        self.batches.append(sidecar.Documents(lines.ids, lines.starts, sizes, lines.component))

    def __enter__(self) -> TokenWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def finish(self, source: str, formats: list[str], pack: list[int]) -> None:
        """Write index, side file, other formats, packings and manifest; count."""
        lengths = np.concatenate(self.lengths) if self.lengths else np.zeros(0, np.int64)
        documents = _joined(self.batches)
        megatron.write_index(self._output("idx"), lengths, self.dtype.name)
        sidecar.write(self._output("docs"), documents)
        tokens = exports.Tokens(
            path=self._output("bin"),
            width=self.dtype.itemsize,
            lengths=lengths,
            documents=documents,
            tokenizer=self.tokenizer,
            source=f"{self.shard}.jsonl.zst",
        )
        for name in formats:
            if name != "megatron":
                exports.write(name, tokens, self._output)
        packings = []
        for length in pack:
            packed = packing.best_fit(lengths, length)
            packing.write(self._output(f"pack{length}"), packed)
            packings.append(packing.report(packed, lengths))
        by_component, total = self._sums(lengths, documents)
        content = {
            "formats": formats,
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
            "packings": packings,
            **total,
            "components": by_component,
            "files": self._files(),
        }
        self._output("json").write_text(canonical(content) + "\n")
        self.work.output(f"{stem(self.shard)}.bin", "tokens", **total)
        self.work.facts.update(total)

    def _sums(self, lengths: np.ndarray, documents: sidecar.Documents) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Counts of each component, in the order of the side file's codes, and of all."""
        rows: list[dict[str, Any]] = []
        total = dict.fromkeys(SUMS, 0)
        for code, name in enumerate(self.components):
            chosen = documents.component == code
            n, tokens = int(chosen.sum()), int(lengths[chosen].sum())
            size = int(documents.text_bytes[chosen].sum())
            sums = dict(zip(SUMS, (n, tokens, tokens - n, size), strict=True))
            rows.append({"name": name, **sums})
            for key, value in sums.items():
                total[key] += value
            count = self.work.tally.of(name)
            count.seen, count.kept, count.bytes_in, count.bytes_out = n, n, size, size
        return rows, total

    def _files(self) -> dict[str, dict[str, Any]]:
        """Digest and size of every file but the manifest; links to the ``.bin`` share its digest."""
        found = {}
        main = self._output("bin").stat()
        for suffix in self.suffixes:
            path = self._output(suffix)
            same = path.stat().st_ino == main.st_ino
            digest = self.digest.hexdigest() if same else digest_file(path)[0]
            self.work.digests[f"{stem(self.shard)}.{suffix}"] = digest
            found[path.name] = {"sha256": digest, "bytes": path.stat().st_size}
        return found


def _joined(batches: list[sidecar.Documents]) -> sidecar.Documents:
    if not batches:
        return sidecar.Documents(np.zeros((0, 16), np.uint8), *(np.zeros(0, np.int64) for _ in range(3)))
    columns = ("ids", "starts", "text_bytes", "component")
    return sidecar.Documents(*(np.concatenate([getattr(b, name) for b in batches]) for name in columns))
