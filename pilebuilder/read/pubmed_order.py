"""Which citation of a PMID is valid: versions, later files and deletions (PubMed's rules of update).

Files are applied in the order of their numbers (``pubmed26n1335.xml.gz`` after ``pubmed26n1334.xml.gz``), or of the
inventory when a name has none. Within a file the highest version is valid, then the last; a citation in a later file
replaces one in an earlier; a deletion takes back what its own file and earlier ones say. Files are gone through from
the newest to the oldest with two sets of PMIDs, so memory is one bit a PMID and one file's rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from pilebuilder.read.survey import Surveys

DELETION = -1
"""Offset of a row that orders a deletion."""
_NUMBERED = re.compile(r"pubmed(\d\d)n(\d{4,6})\b")
_DENSE = 1 << 30
"""PMIDs below are bits of an array; they have reached 42 million. Others can only be errors, and few."""


def survey(rows: Iterable[tuple[int, int, int]]) -> pa.Table:
    """(PMID, version, offset) of citations and deletions."""
    found = np.fromiter((n for row in rows for n in row), np.int64).reshape(-1, 3)
    return pa.table({name: found[:, k] for k, name in enumerate(("pmid", "version", "offset"))})


def settle(surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
    """For each file the offsets of citations that are not valid, and why: superseded or deleted."""
    later, deleted = Pmids(), Pmids()
    for name in reversed(in_order(surveys.names)):
        table = surveys.of(name)
        pmids, versions, offsets = (table.column(k).to_numpy() for k in ("pmid", "version", "offset"))
        orders = offsets == DELETION
        deleted.add(pmids[orders])
        pmids, versions, offsets = pmids[~orders], versions[~orders], offsets[~orders]
        order = np.lexsort((offsets, versions, pmids))
        superseded = np.zeros(len(pmids), bool)
        superseded[order[:-1]] = pmids[order[1:]] == pmids[order[:-1]]
        superseded |= later.have(pmids)
        gone = deleted.have(pmids) & ~superseded
        later.add(pmids)
        invalid = superseded | gone
        reasons = np.where(superseded, "superseded", "deleted")[invalid]
        yield name, pa.table({"offset": offsets[invalid], "reason": pa.array(reasons.tolist(), pa.string())})


def in_order(names: list[str]) -> list[str]:
    """File names from the oldest to the newest.

    >>> in_order(["updatefiles/pubmed26n1335.xml.gz", "baseline/pubmed26n0002.xml.gz"])
    ['baseline/pubmed26n0002.xml.gz', 'updatefiles/pubmed26n1335.xml.gz']
    """
    numbers = [_NUMBERED.search(name) for name in names]
    if not all(numbers):
        return names
    keys = [(int(n[1]), int(n[2])) for n in numbers if n]
    return [
        name for _, _, name in sorted((key, k, name) for k, (key, name) in enumerate(zip(keys, names, strict=True)))
    ]


class Pmids:
    """A growing set of PMIDs."""

    def __init__(self) -> None:
        self._bits = np.zeros(1 << 16, np.uint8)
        self._rare: set[int] = set()

    def add(self, pmids: np.ndarray) -> None:
        dense = pmids[pmids < _DENSE]
        self._rare.update(pmids[pmids >= _DENSE].tolist())
        if len(dense) and dense.max() >> 3 >= len(self._bits):
            self._bits = np.concatenate((self._bits, np.zeros(int(dense.max() >> 3) + 1, np.uint8)))
        np.bitwise_or.at(self._bits, dense >> 3, (1 << (dense & 7)).astype(np.uint8))

    def have(self, pmids: np.ndarray) -> np.ndarray:
        """Whether each is in the set."""
        at = pmids >> 3
        inside = at < len(self._bits)
        found = inside & (self._bits[np.where(inside, at, 0)] >> (pmids & 7) & 1).astype(bool)
        for row in np.flatnonzero(pmids >= _DENSE):
            found[row] = int(pmids[row]) in self._rare
        return np.asarray(found)
