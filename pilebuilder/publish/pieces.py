"""One set of files per component, cut out of the mixed shards: ``data/CONFIG/train-00000.jsonl.zst``, or Parquet.

The rule: a component's file number g holds its lines from the shards i with ``i * files // shards == g``, in order,
copies included; ``files`` is its text over 512 MiB, at least 1 and at most the number of shards. So each line of the
shards stands in exactly one piece, and a change in one shard changes at most one piece of each component. Pieces are
cached under a key of what they are made from: a killed run goes on, and unchanged ones are never made again.

Loaders read all configs of a repository with one builder, so with Parquet the whole is Parquet too: each shard once
more as ``parquet/train-00000.parquet``, unless the build wrote its shards as Parquet itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.atomic import write_atomic
from pilebuilder.build.store import explain_os_error
from pilebuilder.digest import canonical, digest_file
from pilebuilder.publish.corpus import SPLITS, Corpus
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.writers import LinesWriter, ParquetWriter, features

if TYPE_CHECKING:
    import numpy as np

CODE = "pieces/1"
FILE_TEXT = 512 << 20
"""Text of a component in one of its files, about."""
BLOCK = 8 << 20
ALL = "*"
"""In place of a component: every line of a shard. No component can have this name."""
MARK = b'","meta":{"pile_set_name":"'
"""What stands between text and component in a line. A quote inside text is escaped, so its first occurrence is it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of one component."""

    path: str
    """In the repository: ``data/CONFIG/SPLIT-NNNNN.SUFFIX``."""
    component: str
    split: str
    """The Hub's name of it."""
    shards: tuple[str, ...]
    file: Path
    """Where it lies, or will lie, in the cache."""

    @property
    def facts(self) -> Path:
        return self.file.with_name(self.file.name + ".facts.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished piece."""

    piece: Piece
    documents: int
    line_bytes: int
    bytes: int
    sha256: str


def plan(
    corpus: Corpus, cache: Path, *, components: bool = True, parquet: bool, file_text: int = FILE_TEXT
) -> list[Piece]:
    """Every piece, in order of component, split and number; those of whole shards last."""
    tally, found = corpus.tally("shard"), []
    wanted = [(name, f"data/{slug}") for name, slug in sorted(corpus.components.items())] if components else []
    if parquet and not corpus.columns("train"):
        wanted.append((ALL, "parquet"))
    kinds = features(corpus) if parquet else None
    for name, folder in wanted:
        for split, public in SPLITS.items():
            shards = corpus.shards(split)
            count = len(shards)
            if name != ALL:
                count = min(count, max(1, math.ceil(tally[name].bytes_out / file_text)))
            for number in range(count):
                own = tuple(s for i, s in enumerate(shards) if i * count // len(shards) == number)
                stem = f"{folder}/{public}-{number:05}"
                found.append(_piece(corpus, name, public, own, stem, cache, kinds))
    return found


def _piece(
    corpus: Corpus,
    component: str,
    split: str,
    shards: tuple[str, ...],
    stem: str,
    cache: Path,
    kinds: list[tuple[str, str]] | None,
) -> Piece:
    suffix = "jsonl.zst" if kinds is None else "parquet"
    content = [CODE, component, suffix, kinds, [corpus.outputs[s][0] for s in shards]]
    key = hashlib.sha256(canonical(content).encode()).hexdigest()[:32]
    file = cache / f"{key}.{suffix}"
    return Piece(path=f"{stem}.{suffix}", component=component, split=split, shards=shards, file=file)


def make(corpus: Corpus, pieces: Sequence[Piece], on_shard: Callable[[str], None] = lambda _: None) -> list[Made]:
    """Write the pieces that are not there yet, one pass over the shards that they need; check the sums.

    Memory: one block of lines and one unfinished frame (or row group) per component. Pieces without a line are
    left out.
    """
    missing = [p for p in pieces if not p.facts.exists() or not p.file.exists()]
    try:
        _write(corpus, missing, on_shard)
    except OSError as error:
        raise explain_os_error(error, "writing files per component into the upload cache") from None
    made = []
    for piece in pieces:
        facts = json.loads(piece.facts.read_bytes())
        if facts["documents"]:
            made.append(Made(piece=piece, **facts))
    if any(piece.component != ALL for piece in pieces):
        _check(corpus, made)
    return made


def _write(corpus: Corpus, missing: Sequence[Piece], on_shard: Callable[[str], None]) -> None:
    names = sorted(corpus.components)
    wanted: dict[str, dict[str, Piece]] = {}
    for piece in missing:
        piece.file.parent.mkdir(parents=True, exist_ok=True)
        for shard in piece.shards:
            wanted.setdefault(shard, {})[piece.component] = piece
    live: dict[str, tuple[Piece, Any]] = {}
    try:
        for shard in [s for split in SPLITS for s in corpus.shards(split) if s in wanted]:
            on_shard(shard)
            for component, piece in wanted[shard].items():
                if component not in live:
                    live[component] = (piece, _writer(corpus, piece))
            for lines, codes in blocks(corpus.root / shard, names):
                for code, component in enumerate(names):
                    if component in live and (codes == code).any():
                        live[component][1].write(lines, codes == code)
                if ALL in live:
                    live[ALL][1].write(lines, codes >= 0)
            for component in [c for c, (p, _) in live.items() if p.shards[-1] == shard]:
                _finish(*live[component])
                del live[component]
        assert not live, "every piece ends with one of its shards"
    finally:
        for _, writer in live.values():
            writer.abandon()


def _writer(corpus: Corpus, piece: Piece) -> Any:
    temporary = piece.file.with_name(f".{piece.file.name}.{os.getpid()}.tmp")
    return ParquetWriter(temporary, features(corpus)) if piece.file.suffix == ".parquet" else LinesWriter(temporary)


def _finish(piece: Piece, writer: Any) -> None:
    """Make a piece exist: synced, digested, then its name, then its facts."""
    writer.close()
    digest, size = digest_file(writer.path)
    writer.path.rename(piece.file)
    facts = {"documents": writer.documents, "line_bytes": writer.line_bytes, "bytes": size, "sha256": digest}
    write_atomic(piece.facts, json.dumps(facts).encode())


def blocks(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, np.ndarray]]:
    """Lines of a shard in blocks of a few MiB, as a large-binary array, with the code of each line's component."""
    import zstandard

    held = b""
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
        while True:
            try:
                block = stream.read(BLOCK)
            except zstandard.ZstdError as error:
                raise PublishError("lock", f"{path} cannot be read ({error}); build the corpus again") from None
            if not block:
                break
            cut = block.rfind(b"\n") + 1
            if cut:
                yield _coded(held + block[:cut], names, path)
                held = b""
            held += block[cut:]
    if held:
        raise PublishError("lock", f"{path}: the last line has no end; the file is cut. Build the corpus again")


def _coded(data: bytes, names: Sequence[str], path: Path) -> tuple[Any, np.ndarray]:
    """The component of every line of a block, found by whole columns."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    raw = np.frombuffer(data, np.uint8)
    offsets = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(raw == ord("\n")) + 1])
    lines = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    at = pc.find_substring(lines, MARK).to_numpy()
    start = offsets[:-1] + at + len(MARK)
    codes = np.full(len(lines), -1, np.int32)
    for code, name in enumerate(names):
        wanted = np.frombuffer(json.dumps(name, ensure_ascii=False)[1:].encode(), np.uint8)
        where = np.minimum(start[:, None] + np.arange(len(wanted)), len(raw) - 1)
        codes[(raw[where] == wanted).all(axis=1)] = code
    codes[at < 0] = -1
    if (codes < 0).any():
        line = bytes(lines[int(np.flatnonzero(codes < 0)[0])].as_py())[-300:]
        raise PublishError("lock", f"{path}: a line belongs to no component of the lock: ...{line!r}")
    return lines, codes


def _check(corpus: Corpus, made: Sequence[Made]) -> None:
    """Conservation: the pieces hold exactly the documents that the lock says were placed."""
    for name, count in corpus.tally("shard").items():
        held = sum(m.documents for m in made if m.piece.component == name)
        if held != count.kept:
            raise PublishError(
                "lock", f"{name}: the shards hold {held:,} documents, the lock says {count.kept:,}; build again"
            )


def collect(cache: Path, pieces: Sequence[Piece]) -> None:
    """Remove what earlier versions left in the cache."""
    live = {p.file.name for p in pieces} | {p.facts.name for p in pieces}
    for path in cache.iterdir() if cache.is_dir() else ():
        if path.name not in live:
            path.unlink(missing_ok=True)
