"""Reads the token files of a build: Megatron ``.bin`` and ``.idx``, ``.docs`` beside them, one manifest each.

The documents of all files of a split are listed by component, in the order of the files. Memory: 32 bytes per
document, and two per id when the tokenizer is cut (see `narrow`).
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pilebuilder.digest import canonical, digest_file
from pilebuilder.errors import PilebuilderError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from pilebuilder.train.narrow import Narrow

INDEX_MAGIC, DOCS_MAGIC = b"MMIDIDX\x00\x00", b"PBDOCS1\x00"
INDEX_HEADER, DOCS_HEADER, DOCS_ROW = 34, 16, 30
CODES = {8: "uint16", 4: "int32"}


class ShardError(PilebuilderError):
    """Token files that are missing, damaged, edited, or do not belong together."""


class Part(BaseModel):
    """What every part of a manifest has in common: values have exactly their type; keys unknown here are let be."""

    model_config = ConfigDict(strict=True)


class Named(Part):
    """A component, or the shard of text."""

    name: str


class File(Part):
    """A file beside the manifest."""

    bytes: int = Field(ge=0)
    sha256: str


class Tokenizer(Part):
    """What the ids were made with."""

    name: str
    sha256: str
    vocab_size: int = Field(ge=1)
    eod: int | None


class Manifest(Part):
    """What this module and the training read from a manifest of tokens."""

    split: str
    dtype: Literal["uint16", "int32"]
    documents: int = Field(ge=0)
    tokens: int = Field(ge=0)
    shard: Named
    tokenizer: Tokenizer
    components: list[Named]
    files: dict[str, File]


@dataclass(frozen=True, slots=True)
class Shard:
    """One token file, mapped; columns by document."""

    stem: Path
    manifest: dict[str, Any]
    tokens: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    """Ids, end of document included."""
    ids: np.ndarray
    text_bytes: np.ndarray
    component: np.ndarray
    """Index into the manifest's `components`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A document in a batch."""

    row: int
    component: str
    id: str
    shard: str
    document: int
    """Its line in the shard, from 0."""
    tokens: int
    """How many of its tokens the row predicts."""

    def as_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return asdict(self)


class Corpus:
    """The tokens of one split of a built corpus."""

    def __init__(
        self, folder: Path, split: str = "train", *, verify: bool = False, vocabulary: int | None = None
    ) -> None:
        found = sorted((folder / "tokens").glob("*.json"))
        manifests = {path: _manifest(path) for path in found}
        _complete(folder, split, {m["shard"]["name"] for m in manifests.values()})
        self.shards = [_shard(p, m, verify) for p, m in manifests.items() if m["split"] == split]
        if not self.shards:
            raise ShardError(f"{folder} has no {split} tokens; build the corpus up to its tokenize stage first")
        self.folder, self.split = folder, split
        self.tokenizer = self.shards[0].manifest["tokenizer"]
        for shard in self.shards:
            if shard.manifest["tokenizer"] != self.tokenizer:
                raise ShardError(f"{shard.stem}: made with another tokenizer than {self.shards[0].stem}; build again")
        self.narrow = self._narrow(vocabulary) if vocabulary and vocabulary < self.vocabulary else None
        self.components = sorted({row["name"] for s in self.shards for row in s.manifest["components"]})
        self._list_documents()

    def _narrow(self, vocabulary: int) -> Narrow:
        """Convert the tokens of all files to a vocabulary cut to its first merges."""
        from pilebuilder.train.narrow import narrow
        from pilebuilder.train.texts import find_tokenizer

        found = narrow(find_tokenizer(self.tokenizer, self.folder / "runs" / "any"), vocabulary)
        self.shards = [_converted(shard, found) for shard in self.shards]
        self.tokenizer = found.identity
        return found

    def _list_documents(self) -> None:
        codes = {name: code for code, name in enumerate(self.components)}
        component, shard_of, start, length, number, size = [], [], [], [], [], []
        for i, shard in enumerate(self.shards):
            table = np.array([codes[row["name"]] for row in shard.manifest["components"]], np.int64)
            component.append(table[shard.component] if len(table) else np.zeros(0, np.int64))
            shard_of.append(np.full(len(shard.lengths), i, np.int32))
            start.append(shard.starts)
            length.append(shard.lengths.astype(np.int64))
            number.append(np.arange(len(shard.lengths)))
            size.append(shard.text_bytes.astype(np.int64))
        order = np.argsort(np.concatenate(component), kind="stable")
        self.component = np.concatenate(component)[order]
        self.shard_of, self.start = np.concatenate(shard_of)[order], np.concatenate(start)[order]
        self.length, self.number = np.concatenate(length)[order], np.concatenate(number)[order]
        self.text_bytes = np.concatenate(size)[order]
        self.ends = np.cumsum(self.length)
        """End of each document in the sequence of all, sorted by component."""
        self.component_tokens = np.bincount(self.component, self.length, len(self.components)).astype(np.int64)
        self.base = np.cumsum(self.component_tokens) - self.component_tokens

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the manifests say the files contain."""
        rows = [[s.stem.name, self.tokenizer, s.manifest["files"]] for s in self.shards]
        return hashlib.sha256(canonical(rows).encode()).hexdigest()

    @property
    def vocabulary(self) -> int:
        """Ids of the tokenizer."""
        return int(self.tokenizer["vocab_size"])

    def document(self, i: int) -> np.ndarray:
        """The ids of one document, end of document included."""
        at = int(self.start[i])
        ids: np.ndarray = self.shards[self.shard_of[i]].tokens[at : at + int(self.length[i])].astype(np.int64)
        return ids

    def id(self, i: int) -> str:
        """The id of a document, hex."""
        return bytes(self.shards[self.shard_of[i]].ids[self.number[i]]).hex()

    def trace(self, documents_rt: np.ndarray) -> list[Traced]:
        """The documents that rows of a batch predict, given the document of each place, (rows, T + 1)."""
        found = []
        for row, documents in enumerate(documents_rt):
            # A row that closes the circle may hold a document twice; it is named once, with both parts.
            predicted = documents[1:][documents[1:] >= 0]
            unique, first, counts = np.unique(predicted, return_index=True, return_counts=True)
            for k in np.argsort(first):
                i = int(unique[k])
                found.append(
                    Traced(
                        row=row,
                        component=self.components[self.component[i]],
                        id=self.id(i),
                        shard=self.shards[self.shard_of[i]].manifest["shard"]["name"],
                        document=int(self.number[i]),
                        tokens=int(counts[k]),
                    )
                )
        return found

    def gather(self, documents: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The ids at some places in the sequence of all tokens, each in the document given with it, int64."""
        at = self.start[documents] + place - (self.ends[documents] - self.length[documents])
        of = self.shard_of[documents]
        tokens = np.empty(place.shape, np.int64)
        for i in np.unique(of):
            chosen = of == i
            tokens[chosen] = self.shards[i].tokens[at[chosen]]
        if tokens.size and (int(tokens.max()) >= self.vocabulary or int(tokens.min()) < 0):
            bad = tokens[(tokens >= self.vocabulary) | (tokens < 0)][0]
            raise ShardError(f"{self.split} tokens hold id {bad}, the vocabulary has {self.vocabulary}; build again")
        return tokens


def _complete(folder: Path, split: str, known: set[str]) -> None:
    """Raise for token files without a manifest, and for shards of text, where they lie beside, without tokens."""
    for path in sorted((folder / "tokens").glob("*.bin")):
        if not path.with_suffix(".json").is_file():
            raise ShardError(f"{path.with_suffix('.json')} is missing; run the same build again to restore it")
    texts = [*folder.glob(f"{split}.*.zst"), *(folder / split).glob("*.zst")]
    names = {path.relative_to(folder).as_posix().partition(".")[0] for path in texts}
    if known and (lost := sorted(names - known)):
        raise ShardError(f"{folder}/tokens lacks the tokens of {lost[0]}; run the same build again to restore them")


def _manifest(path: Path) -> dict[str, Any]:
    try:
        Manifest.model_validate_json(content := path.read_bytes())
        manifest: dict[str, Any] = json.loads(content)
    except ValueError as error:
        reason = "; ".join(map(_reason, error.errors())) if isinstance(error, ValidationError) else error
        raise ShardError(f"{path} is not a manifest of tokens: {reason}") from error
    files = {path.with_suffix(f".{suffix}").name for suffix in ("bin", "idx", "docs")}
    if missing := files - set(manifest["files"]):
        raise ShardError(f"{path} is not a manifest of tokens: it names no {', '.join(sorted(missing))}")
    return manifest


def _reason(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]


def _shard(path: Path, manifest: dict[str, Any], verify: bool) -> Shard:
    stem, dtype = path.with_suffix(""), np.dtype(manifest["dtype"])
    vocabulary = manifest["tokenizer"]["vocab_size"]
    if vocabulary - 1 > np.iinfo(dtype).max:
        raise ShardError(f"{path}: a vocabulary of {vocabulary} does not fit in {dtype.name}")
    for name, known in manifest["files"].items():
        # The index and the side file are small; the ids themselves are read through only when asked.
        _check(path.parent / name, known, verify or name.endswith((".idx", ".docs")))
    starts, lengths = _index(stem.with_suffix(".idx"), dtype)
    ids, text_bytes, component = _documents(stem.with_suffix(".docs"))
    total = int(lengths.sum(dtype=np.int64))
    tokens = np.memmap(stem.with_suffix(".bin"), dtype, "r") if total else np.zeros(0, dtype)
    if not len(lengths) == len(ids) == manifest["documents"] or not total == len(tokens) == manifest["tokens"]:
        raise ShardError(f"{stem}: files and manifest count different documents or tokens; build again")
    if len(component) and int(component.max()) >= len(manifest["components"]):
        raise ShardError(f"{stem}.docs names a component that its manifest does not have; build again")
    return Shard(stem, manifest, tokens, starts, lengths, ids, text_bytes, component)


def _converted(shard: Shard, found: Narrow) -> Shard:
    """The same documents under a cut tokenizer, in memory; documents begin and end where ids do."""
    counts = np.concatenate(([0], np.cumsum(found.counts(shard.tokens))))
    starts, ends = counts[shard.starts], counts[shard.starts + shard.lengths]
    return replace(shard, tokens=found.convert(shard.tokens), starts=starts, lengths=ends - starts)


def _check(path: Path, known: dict[str, Any], whole: bool) -> None:
    if not path.is_file():
        raise ShardError(f"{path} is missing; run the same build again to restore it")
    if path.stat().st_size != known["bytes"]:
        raise ShardError(f"{path} has {path.stat().st_size} bytes, its manifest says {known['bytes']}; build again")
    if whole and digest_file(path)[0] != known["sha256"]:
        raise ShardError(f"{path} is not what its manifest describes: its digest differs; build again")


def _index(path: Path, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """First id and number of ids of each document."""
    content = np.fromfile(path, np.uint8)
    if len(content) < INDEX_HEADER or content[:9].tobytes() != INDEX_MAGIC:
        raise ShardError(f"{path} is not a Megatron index")
    version, code, sequences, bounds = struct.unpack("<QBQQ", content[9:INDEX_HEADER].tobytes())
    if version != 1 or CODES.get(code) != dtype.name:
        raise ShardError(f"{path}: version {version} with type code {code}, not version 1 of {dtype.name}")
    if len(content) != INDEX_HEADER + 12 * sequences + 8 * bounds:
        raise ShardError(f"{path} has another size than its header describes; it is cut or damaged")
    lengths = content[INDEX_HEADER : INDEX_HEADER + 4 * sequences].view("<i4")
    pointers = content[INDEX_HEADER + 4 * sequences : INDEX_HEADER + 12 * sequences].view("<i8")
    ends = np.cumsum(lengths, dtype=np.int64)
    if (lengths < 0).any() or (pointers != (ends - lengths) * dtype.itemsize).any():
        raise ShardError(f"{path}: documents do not follow each other without gaps; it is damaged")
    return ends - lengths, lengths


def _documents(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids (n, 16), bytes of text and component of each document."""
    content = np.fromfile(path, np.uint8)
    n = int.from_bytes(content[8:DOCS_HEADER].tobytes(), "little")
    if content[:8].tobytes() != DOCS_MAGIC or len(content) != DOCS_HEADER + DOCS_ROW * n:
        raise ShardError(f"{path} is not a whole .docs file; build again")
    body = content[DOCS_HEADER:]
    return body[: 16 * n].reshape(n, 16), body[24 * n : 28 * n].view("<u4"), body[28 * n :].view("<u2")
