"""The ``.docs`` file beside a token file: what each document in it is, and where its line stands in the shard.

Layout, little-endian, n documents in the order of the token file: the magic ``PBDOCS1\\0``, n (u64), then ids
(16 bytes each), first byte of each line in the shard's uncompressed content (u64 each), bytes of UTF-8 text (u32
each), and components (u16 each, index into the manifest's `components`). Bits per byte need the third, tracing the
others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilebuilder.errors import PilebuilderError

MAGIC = b"PBDOCS1\x00"


@dataclass(frozen=True, slots=True)
class Documents:
    """Columns of a ``.docs`` file; arrays may be maps of the file."""

    ids: np.ndarray
    starts: np.ndarray
    text_bytes: np.ndarray
    component: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)


def write(path: Path, documents: Documents) -> None:
    """Write a ``.docs`` file."""
    if len(documents) and int(documents.text_bytes.max()) >= 1 << 32:
        raise PilebuilderError(f"{path}: a document of 4 GiB or more cannot be indexed; split it when reading")
    with path.open("wb") as file:
        file.write(MAGIC + len(documents).to_bytes(8, "little"))
        for column, kind in _columns(documents):
            file.write(np.ascontiguousarray(column, kind).tobytes())


def read(path: Path) -> Documents:
    """Map a ``.docs`` file; raises `PilebuilderError` when it is not one or is cut."""
    head = path.open("rb").read(16)
    n = int.from_bytes(head[8:], "little")
    if head[:8] != MAGIC or path.stat().st_size != 16 + 30 * n:
        raise PilebuilderError(f"{path} is not a whole .docs file; run the same build again to restore it")
    columns, at = [], 16
    for kind, width in (("u1", 16), ("<u8", 8), ("<u4", 4), ("<u2", 2)):
        shape = (n, 16) if width == 16 else (n,)
        columns.append(np.memmap(path, kind, "r", at, shape) if n else np.zeros(shape, kind))
        at += n * width
    return Documents(*columns)


def _columns(documents: Documents) -> list[tuple[np.ndarray, str]]:
    return [
        (documents.ids, "u1"),
        (documents.starts, "<u8"),
        (documents.text_bytes, "<u4"),
        (documents.component, "<u2"),
    ]
