"""Documents for the tests of steps: a table made from texts, with a journal and counts to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pilebuilder.document import Docs, document_id, schema
from pilebuilder.ledger import Count, Journal


def docs(texts: Sequence[str], component: str = "Test", **columns: Sequence[Any]) -> Docs:
    """`texts` as documents of one component; `columns` replace url, meta, date, licence."""
    n = len(texts)
    rows: dict[str, Any] = {name: [None] * n for name in schema().names}
    rows |= {
        "id": [document_id(component, str(i)) for i in range(n)],
        "text": list(texts),
        "component": [component] * n,
        "meta": ["{}"] * n,
        "origin_file": ["raw.jsonl"] * n,
        "origin_offset": list(range(n)),
    }
    table = pa.table(rows | columns, schema=schema())
    return Docs(table=table, component=component, journal=Journal("filter"), count=Count(seen=n))


def buffers(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 bytes and int64 offsets of texts."""
    encoded = [t.encode() for t in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]).astype(np.int64)


def reasons(d: Docs) -> list[tuple[int, str]]:
    """(original row, reason) of every ledger row, by row."""
    table = d.journal.table()
    pairs = zip(table["offset"].to_pylist(), table["reason"].to_pylist(), strict=True)
    return sorted((int(row), str(reason)) for row, reason in pairs)
