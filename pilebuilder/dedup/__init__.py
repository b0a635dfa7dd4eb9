"""Dedup: exact, by address and near-duplicates, verified, bounded in memory. See `pilebuilder.dedup.stage`.

Semantic dedup (texts of one meaning in other words) needs a model of your choice, so none is built in; what it finds
comes in by a signal. A step measures on each document a label that texts of one meaning share, and the recipe names
that signal under ``dedup: {equal: [...]}``. Documents of one label form a cluster like those of one address: survivor
rules, policies, ledger, takedowns and report hold for it; its reason is ``signal.NAME``. A null label never matches.
This plug-in puts embeddings into cells by random hyperplanes (Charikar 2002); give `embed` your model::

    import zlib
    from dataclasses import dataclass
    from typing import Annotated

    import numpy as np
    import pyarrow as pa
    from pydantic import Field

    from pilebuilder.document import Docs
    from pilebuilder.registry import step


    def embed(texts: list[str], size: int = 256) -> np.ndarray:
        # Vectors, documents x size. In place of a model: counts of words, whatever their order.
        out = np.zeros((len(texts), size))
        for row, text in enumerate(texts):
            for word in text.lower().split():
                out[row, zlib.crc32(word.encode()) % size] += 1
        return out


    @step("meaning")
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Meaning:
        # Measures signal.meaning: the cell of the text's embedding.
        bits: Annotated[int, Field(ge=8, le=512, description="hyperplanes: more bits, closer meanings")] = 64

        def __call__(self, docs: Docs) -> Docs:
            vectors = embed(docs.text.to_pylist())
            planes = np.random.default_rng(0).normal(size=(vectors.shape[1], self.bits))
            cells = np.packbits(vectors @ planes > 0, axis=1)
            return docs.signal("meaning", pa.array([cell.tobytes().hex() for cell in cells]))

and in the recipe::

    plugins: [meaning.py]
    filter: [meaning]
    dedup: {equal: [meaning]}
"""

from pilebuilder.dedup.sketch import DedupSketch
from pilebuilder.dedup.stage import Dedup

__all__ = ["Dedup", "DedupSketch"]
