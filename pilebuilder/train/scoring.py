"""Bits per UTF-8 byte, per component: comparable across tokenizers, as in the tables of the Pile paper.

Each document is scored on its own: the end-of-document id is its context at the start, every token of its text is
predicted once, the end itself is not scored. Long documents are cut into windows; with `stride` equal to the sequence
length they do not overlap, with a smaller one each window repeats the tokens before it as context and scores only the
new ones. The standard error takes documents as the sample: that of a ratio of sums, by linearisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from pilebuilder.errors import PilebuilderError
from pilebuilder.train import checkpoint
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.loader import open_corpus
from pilebuilder.train.loss import IGNORE
from pilebuilder.train.model import GPT
from pilebuilder.train.shards import ShardError

OVERALL = "overall"
BUCKET = 4
"""Neighbouring positions whose loss is averaged, as in figure 11 of the Pile paper."""
Window = tuple[int, int, int, int]
"""Document, first input position, stop, first scored position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the table."""

    component: str
    bits_per_byte: float
    standard_error: float | None
    """None below two documents."""
    nats_per_token: float
    documents: int
    """Scored; `of_documents` are there."""
    of_documents: int
    tokens: int
    bytes: int
    sequence: int
    stride: int

    def as_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return asdict(self)


class Held(Protocol):
    """Held-out documents as ids, sorted by component: `shards.Corpus`, or `texts.TextSet` for another tokenizer."""

    split: str
    components: list[str]
    component: np.ndarray
    """(documents,) index into `components`"""
    length: np.ndarray
    """(documents,) ids, end of document included"""
    text_bytes: np.ndarray
    tokenizer: dict[str, Any]
    """name, sha256, vocab_size, eod"""

    @property
    def vocabulary(self) -> int: ...
    def document(self, i: int) -> np.ndarray: ...
    def id(self, i: int) -> str: ...


@dataclass(slots=True)
class Positions:
    """Nats summed by position in the window, `BUCKET` positions together."""

    nats: np.ndarray
    count: np.ndarray

    @classmethod
    def empty(cls, length: int) -> Positions:
        """No token yet, for windows of `length`."""
        return cls(np.zeros(-(-length // BUCKET)), np.zeros(-(-length // BUCKET), np.int64))

    def add(self, nll: np.ndarray, scored: np.ndarray) -> None:
        """Take a batch: nats and which of them count, both (rows, positions)."""
        at = np.arange(nll.shape[1]) // BUCKET
        np.add.at(self.nats, at, np.where(scored, nll, 0.0).sum(0))
        np.add.at(self.count, at, scored.sum(0))

    def as_json(self) -> list[list[float]]:
        """First position, nats per token and tokens of each bucket that has any."""
        rows = zip(self.nats.tolist(), self.count.tolist(), strict=True)
        return [[i * BUCKET, nats / n, n] for i, (nats, n) in enumerate(rows) if n]


def windows(document: int, tokens: int, length: int, stride: int) -> Iterator[Window]:
    """Windows over the text of a document (`tokens` predictions) such that each is scored once."""
    scored = 0
    while scored < tokens:
        stop = min(tokens, scored + (length if scored == 0 else stride))
        yield document, max(0, stop - length), stop, scored
        scored = stop


def choose(corpus: Held, limit: int | None) -> np.ndarray:
    """Documents to score: of each component the first, until `limit` tokens are reached."""
    ends = np.cumsum(corpus.length)
    totals = np.bincount(corpus.component, corpus.length, len(corpus.components)).astype(np.int64)
    before = ends - corpus.length - (np.cumsum(totals) - totals)[corpus.component]
    chosen = np.ones(len(before), bool) if limit is None else before < limit
    return np.flatnonzero(chosen & (corpus.text_bytes > 0))


@torch.no_grad()
def document_nats(
    model: Any,
    corpus: Held,
    chosen: np.ndarray,
    length: int,
    stride: int,
    rows: int,
    positions: Positions | None = None,
) -> np.ndarray:
    """Nats of each chosen document's text, (len(chosen),); by position too, where `positions` is given."""
    device = next(model.parameters()).device
    nats = np.zeros(len(chosen))
    jobs = [w for k, i in enumerate(chosen) for w in windows(k, int(corpus.length[i]) - 1, length, stride)]
    jobs.sort(key=lambda w: (w[2] - w[1], w[0], w[1]))  # equal lengths together: little padding
    at, text, shifted = -1, np.zeros(0, np.int64), np.zeros(0, np.int64)
    for start in range(0, len(jobs), rows):
        part = jobs[start : start + rows]
        width = max(stop - first for _, first, stop, _ in part)
        ids = np.full((len(part), width), corpus.tokenizer["eod"], np.int64)
        targets = np.full((len(part), width), IGNORE, np.int64)
        for row, (k, first, stop, scored) in enumerate(part):
            if k != at:  # windows of a document follow each other: it is read once
                at, text = k, corpus.document(int(chosen[k]))
                if int(text.max()) >= corpus.vocabulary:
                    raise ShardError(f"{corpus.split} tokens hold an id outside the vocabulary; build again")
                shifted = np.concatenate(([corpus.tokenizer["eod"]], text))
            ids[row, : stop - first] = shifted[first:stop]
            targets[row, scored - first : stop - first] = text[scored:stop]
        _, nll = model.loss(torch.from_numpy(ids).to(device), torch.from_numpy(targets).to(device), scale=1.0)
        found = nll.double().cpu().numpy()
        np.add.at(nats, [w[0] for w in part], found.sum(1))
        if positions is not None:
            positions.add(found, targets != IGNORE)
    return nats


def ratio(bits: np.ndarray, size: np.ndarray) -> tuple[float, float | None]:
    """Bits per byte over all documents and its standard error (linearised ratio estimator)."""
    value = float(bits.sum() / size.sum())
    n = len(bits)
    if n < 2:
        return value, None
    return value, float(math.sqrt(n / (n - 1) * np.square(bits - value * size).sum()) / size.sum())


def score(
    model: Any,
    corpus: Held,
    config: TrainConfig,
    *,
    stride: int | None = None,
    tokens: int | None = None,
) -> list[Score]:
    """The table of a network under training: a row per component with scored documents, and `OVERALL` last."""
    return measure(model, corpus, config.data.sequence, config.micro_rows, stride=stride, tokens=tokens)


def measure(
    model: Any,
    corpus: Held,
    length: int,
    rows: int,
    *,
    stride: int | None = None,
    tokens: int | None = None,
    positions: Positions | None = None,
) -> list[Score]:
    """The table of any network with windows of `length` tokens, `rows` of them at once."""
    step = length if stride is None else stride
    if not 1 <= step <= length:
        raise PilebuilderError(f"stride {step} must lie between 1 and the sequence length {length}")
    chosen = choose(corpus, tokens)
    if not len(chosen):
        raise PilebuilderError(f"the corpus has no {corpus.split} text to score")
    nats = document_nats(model, corpus, chosen, length, step, max(1, rows), positions)
    return table(corpus, chosen, nats, length, step)


def table(corpus: Held, chosen: np.ndarray, nats: np.ndarray, length: int, step: int) -> list[Score]:
    """Rows from the nats of each chosen document."""
    component, counts = corpus.component[chosen], corpus.length[chosen] - 1
    rows = []
    for code, name in [*enumerate(corpus.components), (None, OVERALL)]:
        mine = np.ones(len(chosen), bool) if code is None else component == code
        if not mine.any():
            continue
        size = corpus.text_bytes[chosen][mine]
        value, error = ratio(nats[mine] / math.log(2), size)
        rows.append(
            Score(
                component=name,
                bits_per_byte=value,
                standard_error=error,
                nats_per_token=float(nats[mine].sum() / counts[mine].sum()),
                documents=int(mine.sum()),
                of_documents=len(corpus.component) if code is None else int((corpus.component == code).sum()),
                tokens=int(counts[mine].sum()),
                bytes=int(size.sum()),
                sequence=length,
                stride=step,
            )
        )
    return rows


def load_model(out: Path) -> tuple[GPT, TrainConfig, dict[str, Any]]:
    """The network of the newest whole checkpoint of a run, its configuration and facts."""
    config = TrainConfig.load(out / "config.json")
    path, facts, damaged = checkpoint.newest(out / "checkpoints")
    if path is None:
        raise PilebuilderError("; ".join(damaged) or f"{out} has no checkpoint yet")
    model = GPT(config.model, facts["vocabulary"], config.seed)
    model.load_state_dict(checkpoint.load(path, "model"))
    return model, config, facts


def evaluate_run(corpus: Path, out: Path, *, split: str, stride: int | None, tokens: int | None) -> list[Score]:
    """Score the newest checkpoint of a run on a split."""
    model, config, facts = load_model(out)
    held = open_corpus(corpus, config, split, verify=config.data.verify)
    if held.tokenizer != facts["tokenizer"]:
        raise PilebuilderError(
            f"{out} was trained with tokenizer {facts['tokenizer']['name']}, {corpus} has {held.tokenizer['name']}: "
            "the ids would mean other text"
        )
    if torch.cuda.is_available() and config.control.device != "cpu":
        model = model.to("cuda")
    return score(model, held, config, stride=stride, tokens=tokens)
