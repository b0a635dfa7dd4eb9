"""Held-out documents as text, and the tokenizer of a model: for networks whose ids are not those on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pilebuilder.build.publish import LOCK
from pilebuilder.digest import digest_file
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.models import encoders, gpt2
from pilebuilder.models.vocabulary import Tokenizer, load

BATCH_BYTES = 8 << 20
"""Text that is encoded at once."""


class TextError(PilebuilderError):
    """Held-out text or a tokenizer that is missing, edited or not readable."""


@dataclass(frozen=True, slots=True)
class Text:
    """One held-out document."""

    id: str
    component: str
    text: str


def read_split(corpus: Path, split: str) -> Iterator[Text]:
    """Documents of ``val.jsonl.zst`` or ``test.jsonl.zst`` in their order, after comparing the file with the lock."""
    import zstandard

    path = corpus / f"{split}.jsonl.zst"
    if not path.is_file():
        raise TextError(f"{path} is missing; build the corpus up to its shard stage with `mix: {{{split}: ...}}`")
    stated = _locked(corpus).get(path.name)
    if stated is not None and digest_file(path)[0] != stated:
        raise TextError(f"{path} is not what {LOCK} states: its digest differs; run the same build again")
    number, rest = 0, b""
    try:
        with path.open("rb") as file:
            for piece in _plain(file, path):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    number += 1
                    if line.strip():
                        yield _document(line, f"{path}, line {number}")
    except zstandard.ZstdError as error:
        raise TextError(f"{path} cannot be read: {error}") from error
    if rest.strip():
        raise TextError(f"{path}: its last line has no end; the file is cut")


def _plain(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The decompressed content, frame after frame; the library's own reader takes a cut frame for the end."""
    import zstandard

    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    while data := file.read(1 << 20):
        while data:
            yield frame.decompress(data)
            begun, data = not frame.eof, frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
    if begun:
        raise TextError(f"{path} is cut in the middle of a frame; run the same build again")


def _document(line: bytes, where: str) -> Text:
    try:
        row = json.loads(line)
        meta = row["meta"]
        return Text(str(meta.get("id") or ""), str(meta["pile_set_name"]), str(row["text"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TextError(f"{where}: not a line of a shard: {error!r}") from error


def _locked(corpus: Path) -> dict[str, str]:
    """Digests of the public files by name; empty without a lock."""
    try:
        lock = json.loads((corpus / LOCK).read_bytes())
        return {entry["path"]: entry["sha256"] for entry in lock["outputs"]}
    except OSError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise TextError(f"{corpus / LOCK} is not a lock file ({error!r}); run the same build again") from error


class TextSet:
    """Held-out documents under a tokenizer of one's own, sorted by component; see `scoring.Held`."""

    def __init__(self, documents: list[Text], tokenizer: Tokenizer, split: str) -> None:
        self.split, self.tokenizer = split, identity(tokenizer)
        self.components = sorted({d.component for d in documents})
        codes = {name: code for code, name in enumerate(self.components)}
        ordered = sorted(documents, key=lambda d: codes[d.component])
        self.names = [d.id for d in ordered]
        self.component = np.array([codes[d.component] for d in ordered], np.int64)
        self.ids, self.starts, self.text_bytes = _encode([d.text for d in ordered], tokenizer)
        # The end of document counts into `length`, as it does on disk.
        self.length = np.diff(self.starts) + 1

    @property
    def vocabulary(self) -> int:
        """Ids of the tokenizer."""
        return int(self.tokenizer["vocab_size"])

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of ids, bounds and tokenizer."""
        found = hashlib.sha256(json.dumps([self.tokenizer, self.names]).encode())
        found.update(self.ids.tobytes() + self.starts.tobytes())
        return found.hexdigest()

    def document(self, i: int) -> np.ndarray:
        """The ids of one document, end of document included."""
        body = self.ids[self.starts[i] : self.starts[i + 1]].astype(np.int64)
        return np.append(body, int(self.tokenizer["eod"]))

    def id(self, i: int) -> str:
        """The id of a document, hex."""
        return self.names[i]


def _encode(texts: list[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ids, bounds of documents, and their bytes."""
    engine = encoders.reference(tokenizer)
    parts, counts, sizes = [], [np.zeros(1, np.int64)], []
    batch: list[bytes] = []
    raw = [text.encode() for text in texts]
    for i, content in enumerate(raw):
        batch.append(content)
        sizes.append(len(content))
        if sum(map(len, batch)) >= BATCH_BYTES or i == len(raw) - 1:
            offsets = np.cumsum([0, *map(len, batch)])
            ids, at = engine.encode(np.frombuffer(b"".join(batch), np.uint8), offsets)
            encoders.check_ids(ids, tokenizer, "held-out text")
            parts.append(ids)
            counts.append(np.diff(at))
            batch = []
    ids = np.concatenate(parts) if parts else np.zeros(0, np.uint32)
    return ids, np.cumsum(np.concatenate(counts)), np.array(sizes, np.int64)


def identity(tokenizer: Tokenizer) -> dict[str, Any]:
    """What the manifests of token files say of a tokenizer."""
    return {
        "name": tokenizer.name,
        "sha256": tokenizer.digest,
        "vocab_size": tokenizer.size,
        "eod": tokenizer.eod,
    }


def find_tokenizer(wanted: dict[str, Any], run: Path, given: str | None = None) -> Tokenizer:
    """The tokenizer with which the tokens of a run were made, by digest.

    Looked for: `given` (name or path), the shipped one, a file kept in the run's folder, what the lock of the corpus
    around the run names.
    """
    if given is None and wanted["sha256"] == gpt2.digest():
        return load("gpt2")
    places: list[tuple[str, str | None]] = []
    if given is not None:
        places.append((given, None))
    else:
        places += [(str(run / name), None) for name in ("tokenizer.json", "tokenizer.model", "tokenizer.tiktoken")]
        if named := _tokenize_config(corpus_of(run)):
            places.append((str(named["tokenizer"]), named.get("pattern")))
    for name, pattern in places:
        if name != "gpt2" and not Path(name).exists():
            continue
        try:
            found = load(name, eod=wanted["eod"] if name != "gpt2" else None, pattern=pattern)
        except RecipeError:
            if given is not None:
                raise
            continue
        if found.digest == wanted["sha256"]:
            return found
    tried = f"{given} is another one" if given else "it is neither in the folder of the run nor in that of its corpus"
    raise TextError(
        f"{run} was trained with tokenizer {wanted['name']} (sha256 {wanted['sha256'][:12]}...): {tried};"
        " give its file with --tokenizer"
    )


def keep_tokenizer(corpus: Path, run: Path) -> None:
    """Copy the corpus' tokenizer into the folder of a run, so that the run can be moved away from the corpus."""
    named = _tokenize_config(corpus).get("tokenizer", "gpt2")
    path = Path(named) / "tokenizer.json" if Path(named).is_dir() else Path(named)
    target = run / f"tokenizer{path.suffix}"
    if path.is_file() and not target.exists():
        shutil.copyfile(path, target)


def corpus_of(run: Path) -> Path:
    """The corpus of a run, or what lies around it when the logbook does not tell."""
    from pilebuilder import train

    try:
        return train.corpus_of(run)
    except PilebuilderError:
        return run.resolve().parent.parent


def _tokenize_config(corpus: Path) -> dict[str, Any]:
    try:
        lock = json.loads((corpus / LOCK).read_bytes())
        return lock["recipe"]["stages"]["tokenize"] or {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
