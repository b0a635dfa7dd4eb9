"""``browse``: documents of a build with what happened to them, chosen by component, event, reason or words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.build.run import load_manifests
from pilebuilder.build.why import ledger_files, sentence
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import ACTIONS
from pilebuilder.partition import read_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which documents to show. Empty fields ask for anything."""

    component: str = ""
    action: str = ""
    reason: str = ""
    """Beginning of a reason, such as ``gopher-quality`` or ``lang.score``."""
    words: str = ""
    """Regular expression (RE2) that the text must hold."""
    number: int = 5
    seed: int = 0


def browse(root: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Documents as the read stage left them, with the sentences of their history; a seeded choice, same every time.

    Raises `PilebuilderError` when the partitions were deleted or when an action or expression is not valid.
    """
    if wanted.action and wanted.action not in ACTIONS:
        raise PilebuilderError(f"no event is called {wanted.action!r}: give one of {', '.join(ACTIONS)}")
    parts = [root / a.path for m in load_manifests(root).get("read", ()) for a in m.of("partition")]
    if not parts or not all(p.exists() for p in parts):
        raise PilebuilderError(f"{root} has no documents to browse: work/read is empty or was deleted; build again")
    ids = _ids_of_event(root, wanted) if wanted.action or wanted.reason else None
    chosen = _draw(parts, ids, wanted)
    stories = _stories(root, {row["id"] for row in chosen})
    for row in chosen:
        yield {**row, "history": stories.get(row["id"], [])}


def _ids_of_event(root: Path, wanted: Wanted) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = []
    for path in ledger_files(root):
        table = read_table(path, ["id", "action", "reason"])
        mask = pc.is_valid(table["id"])
        if wanted.action:
            mask = pc.and_(mask, pc.equal(table["action"].cast(pa.string()), wanted.action))
        if wanted.reason:
            reasons = pc.fill_null(table["reason"].cast(pa.string()), "")
            mask = pc.and_(mask, pc.starts_with(reasons, wanted.reason))
        found += table.filter(mask)["id"].chunks
    return pc.unique(pa.chunked_array(found, pa.string()))


def _draw(parts: list[Path], ids: pa.Array | None, wanted: Wanted) -> list[dict[str, Any]]:
    """The first `number` fitting documents in the seeded order of their ids; texts are read only for `words`."""
    import heapq

    best: list[tuple[bytes, int, int]] = []
    for ordinal, path in enumerate(parts):
        rows, names = _fitting(path, ids, wanted)
        places = ((_rank(wanted.seed, name), ordinal, row) for name, row in zip(names, rows, strict=True))
        best = heapq.nsmallest(wanted.number, [*best, *places])
    chosen = {}
    for ordinal in {place[1] for place in best}:
        table = read_table(parts[ordinal], ["id", "component", "url", "text"])
        for place in best:
            if place[1] == ordinal:
                chosen[place] = table.slice(place[2], 1).to_pylist()[0]
    return [chosen[place] for place in best]


def _fitting(path: Path, ids: pa.Array | None, wanted: Wanted) -> tuple[list[int], list[str]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = read_table(path, ["id", "component", *(["text"] if wanted.words else [])])
    mask = pc.is_valid(table["id"]) if ids is None else pc.is_in(table["id"], ids)
    if wanted.component:
        mask = pc.and_(mask, pc.equal(table["component"].cast(pa.string()), wanted.component))
    if wanted.words:
        try:
            mask = pc.and_(mask, pc.match_substring_regex(table["text"], wanted.words))
        except pa.ArrowInvalid as error:
            raise PilebuilderError(f"{wanted.words!r} is not a regular expression: {error}") from None
    rows = pc.indices_nonzero(mask)
    return rows.to_pylist(), table["id"].take(rows).to_pylist()


def _rank(seed: int, document: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{document}".encode(), digest_size=8).digest()


def _stories(root: Path, ids: set[str]) -> dict[str, list[str]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    stories: dict[str, list[str]] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for path in ledger_files(root):
        table = read_table(path)
        for row in table.filter(pc.is_in(table["id"], wanted)).to_pylist():
            stories.setdefault(row["id"], []).append(sentence(row))
    return stories
