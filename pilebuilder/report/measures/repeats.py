"""How often one text, or one web address, stands on several documents.

Texts and addresses are sampled by their own hash, so all documents of a sampled one are in hand in whatever partition
they lie: counts are exact for it, and rates of the sample estimate those of the component.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.report.measures.texts import Texts

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 120
"""Characters of a text by which it is known on a page."""
_TOP = 1 << 64


def schema() -> pa.Schema:
    """Columns of a table of repeats: ``kind`` text or url, ``digest`` 16 hex digits, ``shown`` what a page shows."""
    import pyarrow as pa

    names = [(name, pa.string()) for name in ("kind", "digest", "shown")]
    return pa.schema([*names, ("documents", pa.int64()), ("characters", pa.int64())])


def repeats(texts: Texts, part: float) -> pa.Table:
    """Documents by sampled text and by sampled address, of one partition; `part` is the share that is sampled."""
    import pyarrow as pa

    return pa.concat_tables([_texts(texts, part), _addresses(texts, part)])


def _digests(values: list[memoryview] | list[bytes]) -> np.ndarray:
    content = b"".join(hashlib.blake2b(v, digest_size=8).digest() for v in values)
    return np.frombuffer(content, ">u8").astype(np.uint64)


def _sampled(found: np.ndarray, part: float) -> np.ndarray:
    return np.arange(len(found)) if part >= 1 else np.flatnonzero(found < np.uint64(int(part * _TOP)))


def _texts(texts: Texts, part: float) -> pa.Table:
    view = memoryview(texts.data.data)
    offsets = texts.offsets.tolist()
    found = _digests([view[a:b] for a, b in itertools.pairwise(offsets)])
    rows = _sampled(found, part)
    distinct, first, counts = np.unique(found[rows], return_index=True, return_counts=True)
    places = rows[first].tolist()
    # Only a text that comes twice is shown, but here the other may lie in another partition.
    shown = [bytes(view[offsets[i] : offsets[i] + 4 * SHOWN]).decode("utf-8", "ignore")[:SHOWN] for i in places]
    return _table("text", distinct, shown, counts, texts.characters[rows[first]])


def _addresses(texts: Texts, part: float) -> pa.Table:
    import pyarrow as pa

    column = texts.column("url")
    if column is None or column.null_count == len(column):
        return schema().empty_table()
    counted = column.drop_null().cast(pa.string()).value_counts()
    names = counted.field("values").to_pylist()
    found = _digests([name.encode("utf-8", "surrogatepass") for name in names])
    rows = _sampled(found, part)
    counts = counted.field("counts").to_numpy()[rows]
    shown = [names[i][:SHOWN] for i in rows.tolist()]
    return _table("url", found[rows], shown, counts, np.array([len(names[i]) for i in rows.tolist()], np.int64))


def _table(kind: str, digests: np.ndarray, shown: list[str], counts: np.ndarray, characters: np.ndarray) -> pa.Table:
    import pyarrow as pa

    columns = [
        pa.array([kind] * len(digests), pa.string()),
        pa.array([f"{d:016x}" for d in digests.tolist()], pa.string()),
        pa.array(shown, pa.string()),
        pa.array(np.asarray(counts, np.int64)),
        pa.array(np.asarray(characters, np.int64)),
    ]
    return pa.table(columns, schema=schema())


def add_up(tables: list[pa.Table]) -> pa.Table:
    """Sums by text and address, sorted by kind and digest."""
    import pyarrow as pa

    keys = ["kind", "digest"]
    sums = [("shown", "min"), ("documents", "sum"), ("characters", "min")]
    whole = pa.concat_tables(tables).group_by(keys, use_threads=False).aggregate(sums)
    whole = whole.rename_columns({f"{name}_{how}": name for name, how in sums}).select(schema().names)
    return whole.cast(schema()).sort_by([(key, "ascending") for key in keys])
