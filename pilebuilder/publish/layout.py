"""Which files a publication holds, under which names, and how files above the Hub's limits are cut.

The rule for large files: a ``.jsonl.zst`` is cut between zstd frames into ``NAME.part-00000.jsonl.zst`` and so on,
each of which is a valid file that loaders read; any other file is cut at the limit into ``NAME.part-00000``. Put
together in the order of their names, parts are the file again, byte for byte; `pull` does so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pilebuilder.build.publish import LOCK
from pilebuilder.build.verify import group
from pilebuilder.errors import PilebuilderError
from pilebuilder.frames import SeekableFile
from pilebuilder.publish.corpus import Corpus
from pilebuilder.publish.manifest import Item, made
from pilebuilder.publish.pieces import Made
from pilebuilder.publish.problem import PublishError

OPTIONAL = ("ledger", "tokens")
"""Groups of the lock's files that are published only on request."""
PAPERS = ("NOTICE", "datasheet.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the Hub takes (https://huggingface.co/docs/hub/storage-limits)."""

    file: int = 20 * 10**9
    """Bytes of one file. The Hub takes 50 GB; a part is what an interrupted upload sends again, so less is better."""
    folder: int = 10_000
    """Files in one folder."""
    repository: int = 100_000
    """Files in all."""


def data_files(corpus: Corpus, pieces: Sequence[Made], groups: Sequence[str], limits: Limits) -> list[Item]:
    """Everything but the card and what depends on it: the lock, its files, the pieces, the papers."""
    items = [_of(LOCK, corpus.root / LOCK)]  # its own digest is not among the lock's
    for path, (digest, size) in sorted(corpus.outputs.items()):
        if group(path) in OPTIONAL and group(path) not in groups:
            continue
        whole = Item(path=path, size=size, sha256=digest, source=corpus.root / path)
        items += parts(whole, limits.file)
    for piece in pieces:
        whole = Item(path=piece.piece.path, size=piece.bytes, sha256=piece.sha256, source=piece.piece.file)
        items += parts(whole, limits.file)
    items += [made(name, corpus.paper(name)) for name in PAPERS]
    check_limits([item.path for item in items], limits)
    return items


def token_files(corpus: Corpus, limits: Limits) -> list[Item]:
    """The files of a repository that holds only tokens."""
    items = [_of(LOCK, corpus.root / LOCK), made("NOTICE", corpus.paper("NOTICE"))]
    for path, (digest, size) in sorted(corpus.outputs.items()):
        if group(path) == "tokens":
            items += parts(Item(path=path, size=size, sha256=digest, source=corpus.root / path), limits.file)
    if len(items) == 2:
        raise PublishError("refused", f"{corpus.root} holds no tokens; build them first (`tokenize:` in the recipe)")
    check_limits([item.path for item in items], limits)
    return items


def absent(corpus: Corpus, items: Sequence[Item]) -> list[str]:
    """Groups of the lock's files that are not among the items."""
    held = {item.of or item.path for item in items}
    return sorted({group(path) for path in corpus.outputs if path not in held})


def _of(name: str, path: Path) -> Item:
    return made(name, path.read_bytes())


def check_limits(paths: Sequence[str], limits: Limits) -> None:
    """Refuse what the Hub will refuse, before anything is sent."""
    if len(paths) > limits.repository:
        raise PublishError(
            "over_limit",
            f"{len(paths):,} files; the Hub takes {limits.repository:,} in a repository. Build with fewer, larger"
            " shards (`shard: {size: 2 GiB}`), or publish without files per component (--no-components)",
        )
    folders = Counter(path.rpartition("/")[0] for path in paths)
    for folder, count in folders.most_common(1):
        if count > limits.folder:
            raise PublishError(
                "over_limit",
                f"{folder or 'the top'} would hold {count:,} files; the Hub takes {limits.folder:,} in a folder."
                " Build with fewer, larger shards (`shard: {size: 2 GiB}`)",
            )


def parts(item: Item, limit: int) -> list[Item]:
    """The item itself, or its parts when it is larger than the limit."""
    if item.size <= limit:
        return [item]
    assert isinstance(item.source, Path)
    if item.path.startswith(("data/", "parquet/")) and item.path.endswith(".parquet"):
        raise PublishError(
            "over_limit",
            f"{item.path} would have {item.size:,} bytes, above {limit:,}, and part of a Parquet file cannot be read."
            " Build with more shards (`shard: {size: 2 GiB}`), or publish without --parquet",
        )
    bounds = list(_cuts(item.source, item.size, limit))
    stem, suffix = (item.path, "")
    if item.path.endswith(".jsonl.zst") and bounds and _frames(item.source):
        stem, suffix = item.path.removesuffix(".jsonl.zst"), ".jsonl.zst"
    found = []
    for number, (start, stop) in enumerate(bounds):
        found.append(
            Item(
                path=f"{stem}.part-{number:05}{suffix}",
                size=stop - start,
                sha256=_digest(item.source, start, stop),
                source=item.source,
                start=start,
                of=item.path,
            )
        )
    return found


def _cuts(path: Path, size: int, limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most `limit` bytes; between frames where the file has a seek table."""
    frames = _frames(path)
    if not frames:
        for start in range(0, size, limit):
            yield start, min(start + limit, size)
        return
    start = at = 0
    for length in frames:
        if length > limit:
            raise PublishError("over_limit", f"{path}: one zstd frame has {length:,} bytes; a file may have {limit:,}")
        if at + length - start > limit:
            yield start, at
            start = at
        at += length
    # The seek table stays with the last frames: a part of nothing but it would be no data file.
    yield start, size


def _frames(path: Path) -> list[int]:
    """Compressed sizes of a file's frames from zstd's seek table; empty when there is none."""
    import numpy as np

    try:
        with SeekableFile(path) as file:
            sizes: list[int] = np.diff(file.packed).tolist()
            return sizes
    except PilebuilderError:
        return []


def _digest(path: Path, start: int, stop: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(start)
        left = stop - start
        while left and (block := stream.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
