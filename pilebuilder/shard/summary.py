"""Mergeable sums over the documents of a shard, written beside it for the reports.

``summary.json``: ``{component: {"documents", "unique", "bytes", "words", "bytes_log2": {bin: n}, "words_log2":
{bin: n}, "languages": {label: [documents, bytes]}}}``. `documents` counts placed copies; `unique` counts first copies,
so that its sum over all shards is the number of distinct documents. Bin b of a log2 histogram counts lengths in
[2^(b-1), 2^b); bin 0 counts length 0. Words are runs of bytes other than ASCII white space. Languages are there when
``signal.lang`` was measured; the label ``und`` stands for documents without one. All values add up under merging.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.kernels.jit import BYTES, INT64S, kernel

if TYPE_CHECKING:
    import pyarrow as pa


@kernel(numba.void(BYTES, INT64S, numba.int64[::1]))
def count_words(data: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    """Runs of bytes other than ASCII white space in each text."""
    for row in range(len(offsets) - 1):
        words = 0
        before = True
        for i in range(offsets[row], offsets[row + 1]):
            byte = data[i]
            space = (byte == 32) | ((byte >= 9) & (byte <= 13))
            words += before & (not space)
            before = space
        out[row] = words


class Summary:
    """Sums of one shard, filled table by table."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Any]] = {}

    @property
    def text_bytes(self) -> int:
        return sum(c["bytes"] for c in self.of.values())

    def counts(self) -> dict[str, list[int]]:
        """Placed documents and bytes of text by component."""
        return {name: [held["documents"], held["bytes"]] for name, held in sorted(self.of.items())}

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table with text, component, copy and perhaps signal.lang."""
        data, offsets = text_buffers(table.column("text").combine_chunks())
        size = np.diff(offsets)
        words = np.empty(len(size), np.int64)
        count_words(data, offsets, words)
        coded = table.column("component").combine_chunks().dictionary_encode()
        codes, first = coded.indices.to_numpy(), table.column("copy").to_numpy() == 0
        language = table.column("signal.lang") if "signal.lang" in table.column_names else None
        for code, name in enumerate(coded.dictionary.to_pylist()):
            rows = np.flatnonzero(codes == code)
            held = self.of.setdefault(name, _zero())
            held["documents"] += len(rows)
            held["unique"] += int(first[rows].sum())
            held["bytes"] += int(size[rows].sum())
            held["words"] += int(words[rows].sum())
            _bins(held["bytes_log2"], size[rows])
            _bins(held["words_log2"], words[rows])
            if language is not None:
                _labels(held["languages"], language.take(rows), size[rows])

    def to_json(self) -> str:
        """One line of JSON with sorted keys."""
        return json.dumps(self.of, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


def _zero() -> dict[str, Any]:
    return {
        "documents": 0,
        "unique": 0,
        "bytes": 0,
        "words": 0,
        "bytes_log2": {},
        "words_log2": {},
        "languages": {},
    }


def _bins(into: dict[str, int], lengths: np.ndarray) -> None:
    # frexp gives the exponent e with 2^(e-1) <= n < 2^e exactly for every length below 2^53.
    bins, counts = np.unique(np.frexp(lengths.astype(np.float64))[1], return_counts=True)
    for at, n in zip(bins.tolist(), counts.tolist(), strict=True):
        into[str(at)] = into.get(str(at), 0) + n


def _labels(into: dict[str, list[int]], labels: Any, size: np.ndarray) -> None:
    import pyarrow.compute as pc

    coded = pc.fill_null(labels, "und").combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    for code, label in enumerate(coded.dictionary.to_pylist()):
        chosen = codes == code
        held = into.setdefault(label or "und", [0, 0])
        held[0] += int(chosen.sum())
        held[1] += int(size[chosen].sum())
