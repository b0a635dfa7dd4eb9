"""The sheet on which a person judges random matches of the patterns for personal data, and what it says when filled.

The sheet holds real matches with what stands around them: it is written where its user says and never published.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
from collections.abc import Iterable
from pathlib import Path

from pilebuilder.document import texts
from pilebuilder.errors import RecipeError
from pilebuilder.report.cells import visible

EACH, AROUND = 100, 60
"""Matches of each type, and characters on each side of one."""
COLUMNS = ("type", "match", "before", "after", "true (yes/no)")
BATCH = 4 << 20
_YES, _NO = {"yes", "y", "1", "true"}, {"no", "n", "0", "false"}

Row = tuple[int, str, str, str, str]
"""Minus the draw, type, match, before, after."""


def sheet(documents: Iterable[str], seed: int) -> str:
    """CSV of at most `EACH` matches of each type, drawn by the hash of seed, match and place."""
    held: dict[str, list[Row]] = {}
    batch: list[str] = []
    size = at = 0
    for text in documents:
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            _add(held, batch, at, seed)
            at, batch, size = at + len(batch), [], 0
    _add(held, batch, at, seed)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in sorted(held):
        for _, *cells in sorted(held[name], reverse=True):
            writer.writerow([_plain(c) for c in cells] + [""])
    return out.getvalue()


def _add(held: dict[str, list[Row]], batch: list[str], at: int, seed: int) -> None:
    import pyarrow as pa

    from pilebuilder.report.measures.personal import find
    from pilebuilder.report.measures.texts import Texts

    if not batch:
        return
    content = Texts(pa.table({"text": texts(batch)}))
    for name, row, start, stop in find(content):
        first, last = int(content.offsets[row]), int(content.offsets[row + 1])
        parts = [(start, stop), (max(first, start - AROUND), start), (stop, min(last, stop + AROUND))]
        match, before, after = (content.data[a:b].tobytes().decode("utf-8", "ignore") for a, b in parts)
        key = f"{seed}\0{at + row}\0{start - first}\0{name}".encode()
        draw = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        rows = held.setdefault(name, [])
        heapq.heappush(rows, (-draw, name, match, before, after))
        if len(rows) > EACH:
            heapq.heappop(rows)


def _plain(text: str) -> str:
    """One line without hidden characters, and no formula for a spreadsheet."""
    text = visible(" ".join(text.split()))
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def judged(path: Path) -> dict[str, tuple[int, int]]:
    """True matches and judged matches by type; raises `RecipeError` for a sheet that is not one, or not judged."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read ({error})") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise RecipeError(f"{path} is no precision sheet: its first line is not {','.join(COLUMNS)}")
    found: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(rows[1:], 2):
        verdict = row[-1].strip().lower() if row else ""
        if not verdict:
            continue
        if verdict not in _YES | _NO:
            raise RecipeError(f"{path}, line {number}: write yes or no, not {verdict!r}")
        true, n = found.get(row[0], (0, 0))
        found[row[0]] = (true + (verdict in _YES), n + 1)
    if not found:
        raise RecipeError(f"{path}: nothing is judged yet; write yes or no into the last column")
    return found
