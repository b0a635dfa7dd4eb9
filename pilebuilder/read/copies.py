"""The same record in several files of a component, or several times in one: the first one is the document.

Which one is first: `distinct` within a file, and `survey` with `settle` between files, in an order of the reader's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from pilebuilder.read.base import Item, Raw, Record, Skipped
from pilebuilder.read.survey import Surveys

KEY, TEXT = "key", "text"
"""What makes two records the same: their keys, or their texts."""


def _word(value: str) -> int:
    """64 bits that stand for a string: among a million, two are the same by chance in one run of 37 million."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class Seen:
    """A growing set of 64-bit words at some 20 bytes each: new ones in a Python set, all others in a sorted array."""

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._sorted = np.zeros(0, np.int64)

    def note(self, word: int) -> bool:
        """Whether the word was there; it is now."""
        at = int(np.searchsorted(self._sorted, word))
        if word in self._new or (at < len(self._sorted) and self._sorted[at] == word):
            return True
        self._new.add(word)
        if len(self._new) > max(1 << 12, len(self._sorted) >> 3):
            fresh = np.fromiter(self._new, np.int64, len(self._new))
            self._sorted = np.sort(np.concatenate((self._sorted, fresh)))
            self._new = set()
        return False


def distinct(raw: Raw, items: Iterable[Item], reasons: Mapping[str, str]) -> Iterator[Item]:
    """The items, with each `Record` that repeats an earlier one skipped for the reason given for `KEY` or `TEXT`."""
    rows = raw.settled.to_pydict() if raw.settled is not None and raw.settled.num_rows else {"row": [], "reason": []}
    settled = dict(zip(rows["row"], rows["reason"], strict=True))
    seen = {what: Seen() for what in reasons}
    for number, item in enumerate(items):
        if not isinstance(item, Record):
            yield item
            continue
        reason = settled.get(number)
        if raw.settled is None:
            words = {what: _word(getattr(item, what)) for what in reasons}
            again = [what for what, word in words.items() if seen[what].note(word)]
            reason = reasons[again[0]] if again else None
        yield Skipped(reason=reason, offset=item.offset, key=item.key) if reason else item


def survey(items: Iterable[Item], reasons: Mapping[str, str]) -> pa.Table:
    """What `settle` must know of a file's records: which item each is, and 8 bytes for each of `reasons`."""
    found = [
        (number, *(_word(getattr(item, what)) for what in reasons))
        for number, item in enumerate(items)
        if isinstance(item, Record)
    ]
    columns = np.array(found, np.int64).reshape(-1, 1 + len(reasons))
    return pa.table({name: columns[:, k] for k, name in enumerate(("row", *reasons))})


def settle(surveys: Surveys, names: Sequence[str], reasons: Mapping[str, str]) -> Iterator[tuple[str, pa.Table]]:
    """For each file, in the order `names`, the records that an earlier one makes superfluous.

    Memory is some 30 bytes a record of the component.
    """
    sizes = [surveys.of(name).num_rows for name in names]
    ends = np.cumsum([0, *sizes])
    why = np.full(int(ends[-1]), -1, np.int8)
    for k, what in reversed(list(enumerate(reasons))):
        words = np.concatenate([np.zeros(0, np.int64), *(surveys.of(name).column(what).to_numpy() for name in names)])
        again = np.ones(len(words), bool)
        again[np.unique(words, return_index=True)[1]] = False
        why[again] = k
    labels = np.array(list(reasons.values()), object)
    for k, name in enumerate(names):
        mine = why[ends[k] : ends[k + 1]]
        rows = surveys.of(name).column("row").to_numpy()[mine >= 0]
        yield name, pa.table({"row": rows, "reason": pa.array(labels[mine[mine >= 0]], pa.string())})
