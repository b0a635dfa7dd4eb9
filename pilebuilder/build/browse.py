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

    What was lost before it was a document (records, files) comes last when asked for by action or reason: raw file and
    offset in place of an address, no text, and the record's beginning, if the ledger has it, in the sentence.

    Raises `PilebuilderError` when the partitions were deleted or when an action or expression is not valid.
    """
    if wanted.action and wanted.action not in ACTIONS:
        raise PilebuilderError(f"no event is called {wanted.action!r}: give one of {', '.join(ACTIONS)}")
    done = load_manifests(root).get("read", ())
    parts = [root / a.path for m in done for a in m.of("partition")]
    if not done or not all(p.exists() for p in parts):
        raise PilebuilderError(f"{root} has no documents to browse: work/read is empty or was deleted; build again")
    if not wanted.action and not wanted.reason:
        yield from _told(root, _draw(parts, None, wanted))
        return
    ids, records = _of_event(root, wanted)
    chosen = _draw(parts, ids, wanted)
    yield from _told(root, chosen)
    shown = {row["id"] for row in chosen}
    records = [row for row in records if row["id"] not in shown]
    records.sort(key=lambda row: _rank(wanted.seed, f"{row['component']}\0{row['file']}\0{row['offset']}"))
    for row in records[: wanted.number - len(chosen)]:
        place = row["file"] if row["offset"] is None else f"{row['file']}, offset {row['offset']}"
        known = {"id": row["id"], "component": row["component"], "url": place, "text": ""}
        yield {**known, "history": [sentence(row)]}


def _told(root: Path, chosen: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    stories = _stories(root, {row["id"] for row in chosen})
    for row in chosen:
        yield {**row, "history": stories.get(row["id"], [])}


def _of_event(root: Path, wanted: Wanted) -> tuple[pa.Array, list[dict[str, Any]]]:
    """Ids of the documents that the event befell, and its rows on what may never have been one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found, records = [], []
    for path in ledger_files(root):
        table = read_table(path, ["id", *(names := ("stage", "action", "reason"))])
        stage, action, reason = (pc.fill_null(table[name].cast(pa.string()), "") for name in names)
        mask = pc.starts_with(reason, wanted.reason)
        if wanted.action:
            mask = pc.and_(mask, pc.equal(action, wanted.action))
        found += table.filter(pc.and_(mask, pc.is_valid(table["id"])))["id"].chunks
        early = pc.and_(pc.equal(action, "dropped"), pc.is_in(stage, pa.array(["fetch", "read"])))
        lost = pc.and_(mask, pc.or_(pc.equal(action, "quarantined"), early))
        if not wanted.words and pc.any(lost).as_py():
            records += read_table(path).filter(lost).to_pylist()
    records = [row for row in records if wanted.component in ("", row["component"])]
    return pc.unique(pa.chunked_array(found, pa.string())), records


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
