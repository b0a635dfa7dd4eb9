"""Best-fit packing: documents into training sequences of a fixed length, cut only where they are longer than one.

Documents longer than a sequence are split into whole sequences and a rest; rests and shorter documents are then packed
best-fit-decreasing: the longest first, each into the fullest sequence that still has room (Ding et al. 2024,
arXiv:2404.10830). Lengths are small whole numbers, so the fullest fitting sequence is found in a bit set of free
lengths: 10 million documents take seconds.

``.pack<length>`` file, little-endian: the magic ``PBPACK1\\0``, sequence length, sequences and pieces (u64 each), the
first piece of each sequence and one past the last (u64, sequences + 1), then by piece its first id in the ``.bin``
(u64), and its length (u32). A sequence is its pieces in order, filled up with the end-of-document id.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.errors import PilebuilderError
from pilebuilder.kernels.packing import place

MAGIC = b"PBPACK1\x00"
HEADER = 32


@dataclass(frozen=True, slots=True)
class Packed:
    """Sequences as lists of pieces of documents."""

    length: int
    first: np.ndarray
    """First piece of each sequence, and one past the last piece (int64, sequences + 1)."""
    start: np.ndarray
    """First id of each piece in the token file (int64)."""
    size: np.ndarray
    """Ids of each piece (int64)."""

    def __len__(self) -> int:
        return len(self.first) - 1

    def row(self, number: int, tokens: np.ndarray, fill: int) -> np.ndarray:
        """One sequence: its pieces in order, then `fill`."""
        out = np.full(self.length, fill, tokens.dtype)
        at = 0
        for piece in range(self.first[number], self.first[number + 1]):
            start, size = int(self.start[piece]), int(self.size[piece])
            out[at : at + size] = tokens[start : start + size]
            at += size
        return out


def best_fit(lengths: np.ndarray, length: int) -> Packed:
    """Pack documents of these lengths (ids, in file order) into sequences of `length` ids.

    Sequences come in the order of the first document in them, pieces within a sequence in file order: a shuffled file
    stays shuffled.
    """
    if length < 1:
        raise PilebuilderError(f"a sequence has at least one id, not {length}")
    lengths = np.asarray(lengths, np.int64)
    begin = np.cumsum(lengths) - lengths
    pieces = -(-lengths // length)
    document = np.repeat(np.arange(len(lengths)), pieces)
    within = (np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * length
    start, size = begin[document] + within, np.minimum(length, lengths[document] - within)
    sequence, count = place(size, length)
    earliest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(earliest, sequence, start)
    rank = np.empty(count, np.int64)
    rank[np.argsort(earliest, kind="stable")] = np.arange(count)
    final = np.lexsort((start, rank[sequence]))
    first = np.searchsorted(rank[sequence][final], np.arange(count + 1))
    return Packed(length, first, start[final], size[final])


def report(packed: Packed, lengths: np.ndarray) -> dict[str, Any]:
    """Truncation and padding, beside what cutting the concatenated documents every `length` ids would do.

    `split` counts documents that lie in more than one sequence; `avoidable` those of them that fit into one.
    """
    lengths = np.asarray(lengths, np.int64)
    total = int(lengths.sum())
    longer = lengths > packed.length
    ends = np.cumsum(lengths)
    crossing = (ends - lengths) // packed.length != np.maximum(ends - 1, 0) // packed.length
    slots = len(packed) * packed.length
    return {
        "sequence_length": packed.length,
        "documents": len(lengths),
        "tokens": total,
        "sequences": len(packed),
        "padding": slots - total,
        "padding_share": (slots - total) / slots if slots else 0.0,
        "split": int(longer.sum()),
        "avoidable": 0,
        "documents_per_sequence": len(packed.start) / len(packed) if len(packed) else 0.0,
        "concatenated": {
            "sequences": total // packed.length,
            "dropped": total % packed.length,
            "split": int((crossing & (lengths > 0)).sum()),
            "avoidable": int((crossing & ~longer & (lengths > 0)).sum()),
        },
    }


def write(path: Path, packed: Packed) -> None:
    """Write a ``.pack<length>`` file."""
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<QQQ", packed.length, len(packed), len(packed.start)))
        file.write(packed.first.astype("<u8").tobytes())
        file.write(packed.start.astype("<u8").tobytes())
        file.write(packed.size.astype("<u4").tobytes())


def read(path: Path) -> Packed:
    """Map a ``.pack<length>`` file; raises `PilebuilderError` when it is not one or is cut."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or head[:8] != MAGIC:
        raise PilebuilderError(f"{path} is not a .pack file")
    length, sequences, pieces = struct.unpack("<QQQ", head[8:])
    if path.stat().st_size != HEADER + 8 * (sequences + 1) + 12 * pieces:
        raise PilebuilderError(f"{path} is cut or damaged; run the build again")
    content = np.memmap(path, np.uint8, "r")
    middle = HEADER + 8 * (sequences + 1)
    return Packed(
        int(length),
        content[HEADER:middle].view("<u8").astype(np.int64),
        content[middle : middle + 8 * pieces].view("<u8"),
        content[middle + 8 * pieces :].view("<u4"),
    )
