"""The tokenize task: one shard to ids on disk, with exact counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.errors import TaskError
from pilebuilder.frames import SeekableFile
from pilebuilder.models import encoders
from pilebuilder.models.vocabulary import Tokenizer, load
from pilebuilder.task import Task, Workspace, digest_file
from pilebuilder.tokenize.lines import Lines, Scanner
from pilebuilder.tokenize.writer import TokenWriter

BATCH = 4 << 20
"""Bytes of lines that are encoded in one call: one frame by default, which the caches hold best."""
CHECK_BYTES = 64 << 10
"""Longest document on which engines are compared: the check stays a small part of a shard's work."""


def tokenize_shard(task: Task, work: Workspace) -> None:
    """Write ids, index, side file and manifest of one shard."""
    params, shard = task.params, task.inputs[0]
    tokenizer = load(params["tokenizer"], eod=params["eod"], pattern=params["pattern"], size=params["vocab_size"])
    if tokenizer.digest != params["digest"]:
        raise TaskError(f"the tokenizer {params['tokenizer']} changed while the build ran; run the same command again")
    path = work.open(shard)
    if digest_file(path)[0] != shard.sha256:
        raise TaskError(f"{path} was changed after it was written; delete it and run the same command again")
    components = list(shard.facts["components"])
    fast, reference = encoders.choose(params["engine"], tokenizer), encoders.reference(tokenizer)
    writer = TokenWriter(work, params["shard"], tokenizer, components)
    try:
        check = Check(params["check"] if fast is not reference else 0, len(components), fast, reference)
        _encode(path, Scanner(components, str(path)), fast, check, tokenizer, writer)
    except Differs as found:
        # Say so and begin again with the reference: slower, and right.
        work.journal.add(
            id=found.document,
            component=components[found.component],
            step="self-check",
            action="noted",
            reason="engine_differs",
            detail=f"{fast.name} does not encode this document as {reference.name} does;"
            f" the whole shard was encoded with {reference.name}",
        )
        writer = TokenWriter(work, params["shard"], tokenizer, components)
        check = Check(0, len(components), reference, reference)
        _encode(path, Scanner(components, str(path)), reference, check, tokenizer, writer)
    writer.finish(shard.sha256, list(params["formats"]), list(params["pack"]))


def _encode(
    path: Path, scanner: Scanner, engine: encoders.Engine, check: Check, tokenizer: Tokenizer, writer: TokenWriter
) -> None:
    with writer, SeekableFile(path) as shard:
        for content in shard.batches(BATCH):
            lines = scanner.scan(content)
            check(lines)
            ids, offsets = engine.encode(lines.text, lines.offsets)
            encoders.check_ids(ids, tokenizer, str(path))
            writer.add(lines, ids, offsets)


class Differs(Exception):
    """The fast engine encodes a document differently from the reference."""

    def __init__(self, document: str, component: int) -> None:
        super().__init__(document)
        self.document, self.component = document, component


class Check:
    """Compares two engines on the first documents of each component."""

    def __init__(self, documents: int, components: int, fast: encoders.Engine, reference: encoders.Engine) -> None:
        self.left = np.full(components, documents, np.int64)
        self.fast, self.reference = fast, reference

    def __call__(self, lines: Lines) -> None:
        """Raise `Differs` at the first document on which they differ."""
        sizes = np.diff(lines.offsets)
        for code in np.flatnonzero(self.left):
            rows = np.flatnonzero((lines.component == code) & (sizes <= CHECK_BYTES))[: self.left[code]]
            self.left[code] -= len(rows)
            bad = encoders.first_difference(self.fast, self.reference, *_rows(lines, rows))
            if bad is not None:
                raise Differs(lines.ids[rows[bad]].tobytes().hex(), int(code))


def _rows(lines: Lines, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some documents of a batch as a buffer and offsets of their own."""
    pieces: list[Any] = [lines.text[lines.offsets[r] : lines.offsets[r + 1]] for r in rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(p) for p in pieces], out=offsets[1:])
    return (np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)), offsets
