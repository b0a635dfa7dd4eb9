"""Evaluation sets as an n-gram index, and documents that hold their items. Heavy imports: load it lazily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.kernels.folding import ALONE, IGNORED, POINT, TABLE_SIZE, WORD_BYTES, fold_table
from pilebuilder.kernels.ngram_lookup import EVERY, Lookup, collect
from pilebuilder.models import examples
from pilebuilder.task import canonical

if TYPE_CHECKING:
    from pilebuilder.filter.decontaminate import Decontaminate


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One evaluation set as it was read."""

    name: str
    files: dict[str, str]
    """SHA-256 by file name."""
    first: int
    """Number of its first item among all items; the items of a benchmark follow each other."""
    items: int
    too_short: int
    common_only: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One order of n-grams: the set that is looked up, and which items each n-gram belongs to."""

    lookup: Lookup
    grams: np.ndarray
    """uint64 [g], sorted: the n-grams in the lookup."""
    starts: np.ndarray
    """int64 [g + 1]: the items of gram k are items[starts[k]:starts[k + 1]]."""
    items: np.ndarray
    """int32: item numbers."""
    need: np.ndarray
    """int32 [all items]: distinct n-grams of an item that make a find; 0 for items of the other pass."""


@dataclass(frozen=True, slots=True)
class Index:
    """All benchmarks of a step."""

    benchmarks: tuple[Benchmark, ...]
    passes: tuple[Pass, ...]
    first: np.ndarray
    """int64 [b]: `Benchmark.first` of each."""

    def find(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (document row, item number) of items that documents hold, sorted, each once."""
        rows, items = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for one in self.passes:
            found_rows, found_items = _finds(one, *one.lookup.find(data, offsets))
            rows.append(found_rows)
            items.append(found_items)
        return _pairs(np.concatenate(rows), np.concatenate(items))[:2]

    def benchmark_of(self, items: np.ndarray) -> np.ndarray:
        """Number of the benchmark of each item."""
        return np.searchsorted(self.first, items, "right") - 1


def _finds(one: Pass, rows: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Documents and items of which enough distinct n-grams were seen."""
    if not len(rows):
        return rows, rows
    rows, grams, _ = _pairs(rows, np.searchsorted(one.grams, hashes))
    counts = one.starts[grams + 1] - one.starts[grams]
    rows = np.repeat(rows, counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    items = one.items[np.repeat(one.starts[grams], counts) + within].astype(np.int64)
    rows, items, number = _pairs(rows, items)
    enough = number >= one.need[items]
    return rows[enough], items[enough]


def _pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct pairs of numbers in order, and how often each occurs (int64 each)."""
    width = int(second.max(initial=0)) + 1
    keys, counts = np.unique(first.astype(np.int64) * width + second, return_counts=True)
    return keys // width, keys % width, counts


_OPEN: dict[str, Index] = {}


def open_index(step: Decontaminate) -> Index:
    """Read the evaluation sets of a step and index them, once per process."""
    key = canonical(asdict(step))
    if key not in _OPEN:
        _OPEN[key] = build(step)
    return _OPEN[key]


def build(step: Decontaminate) -> Index:
    """Read and index evaluation sets. Items with fewer than `step.least` words cannot be looked for: counted."""
    texts: list[bytes] = []
    origin: list[tuple[str, dict[str, str], int, int]] = []
    for name, patterns in sorted(step.against.items()):
        paths = examples.expand(patterns)
        first = len(texts)
        for path in paths:
            texts += (t.encode("utf-8", "replace") for t in examples.texts(path, step.fields))
        origin.append((name, examples.digests(paths), first, len(texts) - first))
    data = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    owner = np.repeat(np.arange(len(origin)), [n for *_, n in origin])
    passes = _sampled(step, data, offsets, owner) if step.method == "sampled" else _exact(step, data, offsets, owner)
    reached = np.zeros(len(texts), bool)
    entered = np.zeros(len(texts), bool)
    for one, long_enough in passes:
        reached |= one.need > 0
        entered |= long_enough
    benchmarks = tuple(
        Benchmark(
            name=name,
            files=files,
            first=first,
            items=count,
            too_short=int((~entered[first : first + count]).sum()),
            common_only=int((entered & ~reached)[first : first + count].sum()),
        )
        for name, files, first, count in origin
    )
    return Index(benchmarks, tuple(one for one, _ in passes), np.array([b.first for b in benchmarks], np.int64))


def _exact(
    step: Decontaminate, data: np.ndarray, offsets: np.ndarray, owner: np.ndarray
) -> list[tuple[Pass, np.ndarray]]:
    """Any n-gram of an item of at least n words; all of the `least`-grams of a shorter one."""
    hashes, ends, words = collect(data, offsets, step.ngram)
    long_ones = words > 0
    result = [(_pass(step, hashes, ends, owner, long_ones, lambda count: np.ones_like(count), step.ngram), long_ones)]
    if step.least < step.ngram:
        hashes, ends, words = collect(data, offsets, step.least)
        short_ones = (words > 0) & ~long_ones
        if short_ones.any():
            result.append((_pass(step, hashes, ends, owner, short_ones, lambda count: count, step.least), short_ones))
    return result


def _sampled(
    step: Decontaminate, data: np.ndarray, offsets: np.ndarray, owner: np.ndarray
) -> list[tuple[Pass, np.ndarray]]:
    """A share of the n-grams whose hash falls into the sample; items with too few of them cannot be looked for."""
    limit = EVERY if step.sample == 1 else np.uint64((1 << 64) // step.sample)
    hashes, ends, _ = collect(data, offsets, step.ngram, limit)
    counts = np.diff(ends, prepend=0)
    long_enough = counts >= MIN_SAMPLED

    def need(count: np.ndarray) -> np.ndarray:
        return np.maximum(MIN_SAMPLED, np.ceil(step.overlap * count)).astype(np.int32)

    return [(_pass(step, hashes, ends, owner, long_enough, need, step.ngram, limit), long_enough)]


MIN_SAMPLED = 4
"""Sampled n-grams of an item below which a share of them says nothing."""


def _pass(
    step: Decontaminate,
    hashes: np.ndarray,
    ends: np.ndarray,
    owner: np.ndarray,
    chosen: np.ndarray,
    need: Any,
    ngram: int,
    limit: np.uint64 = EVERY,
) -> Pass:
    """Index the n-grams of the chosen items, without those that more than `step.common` items of a benchmark share."""
    item = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    use = chosen[item]
    unique, number = np.unique(hashes[use], return_inverse=True)
    number, items, _ = _pairs(number, item[use])  # distinct n-grams of each item
    before = np.bincount(items, minlength=len(ends))
    if step.common:
        of_benchmark = number * len(ends) + owner[items]
        _, place, sharing = np.unique(of_benchmark, return_inverse=True, return_counts=True)
        rare = sharing[place] <= step.common
        number, items = number[rare], items[rare]
    left = np.bincount(items, minlength=len(ends))
    # common n-grams count neither as seen nor as missing
    needed = np.where(left > 0, np.minimum(need(np.maximum(1, left)), np.maximum(1, left)), 0).astype(np.int32)
    needed[before == 0] = 0
    left_over, starts = np.unique(number, return_index=True)
    unique = unique[left_over]
    return Pass(
        lookup=Lookup(unique, ngram, limit),
        grams=unique,
        starts=np.append(starts, len(number)).astype(np.int64),
        items=items.astype(np.int32),
        need=needed,
    )


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers as text, runs joined: ``3,7-9``."""
    parts: list[str] = []
    start = previous = None
    for n in [*numbers, None]:
        if previous is not None and n != previous + 1:
            parts.append(f"{start}" if start == previous else f"{start}-{previous}")
            start = n
        elif start is None:
            start = n
        previous = n
    return ",".join(parts)


def numbers(text: str) -> list[int]:
    """The reverse of `ranges`."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        found.extend(range(int(low), int(high or low) + 1))
    return found


def cut(index: Index, text: str, margin: int, shortest: int) -> list[str]:
    """Pieces of a document without its matches and `margin` characters on each side, as the GPT-3 authors cut.

    Pieces shorter than `shortest` characters are left out.
    """
    raw = np.frombuffer(text.encode(), np.uint8)
    words = places_of_words(text)
    holes: list[tuple[int, int]] = []
    for one in index.passes:
        n = one.lookup.ngram
        hashes, _, _ = collect(raw, np.array([0, len(raw)]), n)
        assert len(hashes) == max(0, len(words) - n + 1), "both know the same words"
        for k in np.flatnonzero(np.isin(hashes, one.grams)).tolist():
            holes.append((words[k][0] - margin, words[k + n - 1][1] + margin))
    pieces, at = [], 0
    for start, stop in sorted(holes):
        pieces.append(text[at : max(at, start)])
        at = max(at, stop)
    pieces.append(text[at:])
    return [piece.strip() for piece in pieces if len(piece) >= shortest]


def places_of_words(text: str) -> list[tuple[int, int]]:
    """Start and end of each of the kernels' words in the text (see `pilebuilder.kernels.folding`).

    A word that the kernels cut into pieces is there once for each piece, with the place of the whole.
    """
    alone, ignored, last = int(ALONE), int(IGNORED), chr(TABLE_SIZE - 1)
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    values = fold_table()[np.minimum(points, TABLE_SIZE - 1)].tolist()
    found: list[tuple[int, int]] = []

    def close(start: int, stop: int) -> None:
        pieces = 1
        if stop - start > WORD_BYTES // 4:
            folded = "".join(chr(v & int(POINT)) for v in values[start:stop] if v != ignored)
            pieces = -(-len(folded.encode()) // WORD_BYTES)
        found.extend([(start, stop)] * pieces)

    start = -1
    for place, (char, value) in enumerate(zip(text, values, strict=True)):
        if char > last:
            value = values[place] = ignored if 0xE0001 <= ord(char) < 0xE0080 else 0
        if value == ignored:
            continue
        if start >= 0 and (not value or value & alone):
            close(start, place)
            start = -1
        if value & alone:
            found.append((place, place + 1))
        elif value and start < 0:
            start = place
    if start >= 0:
        close(start, len(text))
    return found


def certificate(step: Decontaminate, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a build can say of each benchmark: items, how many were found, documents concerned, parameters, digests.

    `rows` are the ledger's rows of this step (all partitions); benchmarks without a find are in it too.
    """
    index = open_index(step)
    result = []
    for benchmark in index.benchmarks:
        reason = f"{step.name}.{benchmark.name}"
        noted = [r for r in rows if r["action"] == "noted" and r["reason"] == reason]
        documents = {r["id"] for r in noted}
        removed = {r["id"] for r in rows if r["action"] == "dropped"} & documents
        edited = {r["id"] for r in rows if r["action"] == "edited"} & documents
        items = {n for r in noted for n in numbers(r["detail"] or "")}
        result.append(
            {
                "benchmark": benchmark.name,
                "items": benchmark.items,
                "items_too_short": benchmark.too_short,
                "items_of_common_ngrams_only": benchmark.common_only,
                "items_found": len(items),
                "documents_found": len(documents),
                "documents_removed": len(removed),
                "documents_cut": len(edited - removed),
                "parameters": step.parameters(),
                "files": benchmark.files,
            }
        )
    return result


def file_digests(against: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """SHA-256 of every evaluation file, by benchmark and file name."""
    found: dict[str, str] = {}
    for name, patterns in sorted(against.items()):
        for path in examples.expand(patterns):
            found[f"{name}/{Path(path).name}"] = examples.digests([path])[path.name]
    return found
