"""The sample: documents of a component whose hash of seed and id falls below a share; the same for any partitions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.partition import read_table
from pilebuilder.report.measures.basic import LANGUAGE
from pilebuilder.task import Artifact, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

TOP = 1 << 64


def draws(ids: list[str], seed: int, purpose: str) -> np.ndarray:
    """A uniform uint64 for each document id."""
    prefix = f"pilebuilder.report\0{purpose}\0{seed}\0".encode()
    digests = b"".join(hashlib.blake2b(prefix + i.encode(), digest_size=8).digest() for i in ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def draw(table: pa.Table, seed: int, share: float) -> pa.Table:
    """The sampled documents of a partition: id, text, language if measured, draw."""
    import pyarrow as pa

    found = draws(table.column("id").to_pylist(), seed, "sample")
    threshold = int(share * TOP)
    rows = np.flatnonzero(found < np.uint64(threshold)) if threshold < TOP else np.arange(len(found))
    names = [n for n in ("id", "text", LANGUAGE) if n in table.column_names]
    return table.select(names).take(rows).append_column("draw", pa.array(found[rows]))


def gathered(work: Workspace, samples: list[Artifact]) -> Any:
    """All sampled documents of a component, by draw: the order does not depend on the partitions."""
    import pyarrow as pa

    tables = [read_table(work.open(a)) for a in samples]
    table = pa.concat_tables(tables, promote_options="default")
    return table.sort_by([("draw", "ascending"), ("id", "ascending")]).combine_chunks()
