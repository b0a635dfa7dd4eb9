"""Bits per byte of a general compressor on the test split: a companion of models that needs none.

Each document is compressed alone, as models read it. The frame's header counts, so short documents look worse than
they are. The rows are integers that add up: any order and cut of the documents gives the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pilebuilder.partition import read_table
from pilebuilder.task import Task, Workspace

LEVEL = 19
NAME = f"zstd -{LEVEL}"
FIELDS = ("documents", "bytes", "bits", "bytes_squared", "bits_squared", "bits_bytes")


def count(task: Task, work: Workspace) -> None:
    """Sums over the test documents of some partitions, by component."""
    import zstandard

    packer = zstandard.ZstdCompressor(level=LEVEL, write_content_size=False, write_checksum=False)
    found: dict[str, list[int]] = {}
    for artifact in task.inputs:
        sums = found.setdefault(str(artifact.facts["component"]), [0] * len(FIELDS))
        for text in read_table(work.open(artifact), ["text"]).column(0):
            raw = text.as_py().encode()
            if raw:
                b, x = len(raw), 8 * len(packer.compress(raw))
                for i, value in enumerate((1, b, x, b * b, x * x, b * x)):
                    sums[i] += value
    work.output("compressed.json", "compressed").write_text(json.dumps(found, sort_keys=True))


def merged(parts: Iterable[Mapping[str, list[int]]]) -> dict[str, list[int]]:
    """Sums by component over all parts."""
    found: dict[str, list[int]] = {}
    for part in parts:
        for name, sums in part.items():
            found[name] = [a + b for a, b in zip(found.get(name, [0] * len(FIELDS)), sums, strict=True)]
    return dict(sorted(found.items()))


def as_evaluation(sums: Mapping[str, list[int]], name: str = NAME) -> dict[str, Any]:
    """In the form of an evaluation of a model (`pilebuilder.train.evaluation`), so that one table shows both."""
    whole = [sum(column) for column in zip(*sums.values(), strict=True)]
    scores = [_score(part, row) for part, row in [*sums.items(), ("overall", whole)] if row[1]]
    protocol = {"name": "segments", "sequence": 0, "stride": 0, "scores": scores}
    return {"name": name, "split": "test", "subject": {"kind": "compressor"}, "protocols": [protocol], "cloze": {}}


def _score(name: str, row: list[int]) -> dict[str, Any]:
    n, size, bits, size2, bits2, cross = row
    value = bits / size
    # The sum of squared residuals (bits - value * bytes), from the sums.
    residual = max(0.0, bits2 - 2 * value * cross + value * value * size2)
    error = math.sqrt(n / (n - 1) * residual) / size if n > 1 else None
    return {"component": name, "bits_per_byte": value, "standard_error": error, "documents": n, "bytes": size}
