"""Tokens of a sample, for a corpus that has no token files: how many bytes a token stands for, with its interval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.tokens import SCALE
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled.bias import resample
from pilebuilder.report.sampled.draw import gathered
from pilebuilder.report.stats import interval, ratios
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

TOKENIZER = "gpt2"
"""The encoding by which the Pile paper counts."""
TEXT = 2 << 20
"""Bytes of text of each component that are encoded, about; documents by draw, each whole."""


def count(task: Task, work: Workspace) -> None:
    """``tokens.json``: by component documents, tokens, bytes, interval of tokens per byte; and their distributions."""
    counters, found = Counters(), {}
    for component, samples in by_component(task.inputs).items():
        tokens, size = _encoded(_first(gathered(work, samples)))
        counters.add_lengths(f"tokens\t{component}", tokens)
        some = tokens > 0
        counters.add_lengths(
            f"bytes per token\t{component}", np.rint(size[some] * SCALE / tokens[some]).astype(np.int64)
        )
        drawn = resample(np.stack([tokens, size], 1), task.params["seed"])
        found[component] = {
            "documents": len(tokens),
            "tokens": int(tokens.sum()),
            "bytes": int(size.sum()),
            "interval": interval(ratios(*drawn)),
        }
    counters.write(work.output("counts.parquet", "token-counts", component=""))
    work.output("tokens.json", "sampled-tokens").write_text(json.dumps(found, sort_keys=True))


def _first(table: pa.Table) -> pa.Table:
    """The first documents by draw that make `TEXT` bytes; at least one."""
    offsets = text_buffers(table.column("text").combine_chunks())[1]
    return table.slice(0, max(1, int(np.searchsorted(offsets - offsets[0], TEXT, "right")) - 1)).combine_chunks()


def _encoded(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and bytes of each document (int64)."""
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    data, offsets = text_buffers(table.column("text").combine_chunks())
    offsets = np.asarray(offsets, np.int64)
    _, at = encoders.choose("auto", load(TOKENIZER)).encode(data[offsets[0] : offsets[-1]], offsets - offsets[0])
    return np.diff(np.asarray(at, np.int64)), np.diff(offsets)
