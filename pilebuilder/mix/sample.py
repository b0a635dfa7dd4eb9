"""Tokens per byte of a component, estimated on a seeded sample: what a budget in tokens needs before the draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.mix import order

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENTS, PIECE = 64, 16 << 10
"""Documents of each partition in the sample, and bytes of the beginning of each: 1 MiB of text at most."""


def tokens_per_byte(ids: pa.Array, text: pa.LargeStringArray, params: Any) -> tuple[int, int]:
    """Tokens and bytes of the sample: the documents with the lowest draws for this purpose."""
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    chosen = params["tokenizer"]
    tokenizer = load(chosen["name"], eod=chosen["eod"], pattern=chosen["pattern"], size=chosen["vocab_size"])
    draws = order.draw(*order.words(ids), order.keys(params["seed"], "sample"))
    data, offsets = text_buffers(text)
    pieces = []
    for row in np.argsort(draws, kind="stable")[:DOCUMENTS]:
        start, stop = int(offsets[row]), int(offsets[row + 1])
        if stop - start > PIECE:
            stop = start + PIECE
            while data[stop] & 0xC0 == 0x80:  # not within a character
                stop -= 1
        pieces.append(data[start:stop])
    bounds = np.cumsum([0, *map(len, pieces)])
    whole = np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)
    _, at = encoders.choose("auto", tokenizer).encode(whole, bounds)
    return int(at[-1]) + len(pieces), int(bounds[-1])
