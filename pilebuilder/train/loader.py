"""Assembles the batches of coming steps in the background, so that the network never waits for the disk.

On a GPU the background thread also copies them there, from pinned memory on a stream of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.train.config import TrainConfig
from pilebuilder.train.order import Order, weights_of
from pilebuilder.train.rows import FILL, cut
from pilebuilder.train.shards import Corpus, Traced

if TYPE_CHECKING:
    from torch import Tensor

AHEAD = 2
"""Steps prepared before they are asked for."""

Jumps = Sequence[tuple[int, int]]
"""Batches that a run leaves out: first and last of each range, ranges in order."""


def joined(jumps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(jumps):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def open_corpus(folder: Path, config: TrainConfig, split: str = "train", *, verify: bool = False) -> Corpus:
    """The tokens of a split as a run sees them."""
    return Corpus(folder, split, verify=verify, vocabulary=config.data.vocabulary)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens: all of a step, or one process' share of them."""

    tokens: np.ndarray
    """(rows, T + 1) int64; the last column is only predicted"""
    documents: np.ndarray
    """(rows, T + 1) int64, position in the corpus' list of documents; `FILL` for padding"""
    components: np.ndarray
    """(rows,) int64"""
    predicted: np.ndarray
    """(components,) int64, tokens of each component that the whole step predicts"""


class Source:
    """The batch of any step of a run: a pure function of tokens, settings and the number of the batch."""

    def __init__(self, corpus: Corpus, config: TrainConfig, jumps: Jumps = ()) -> None:
        self.corpus, self.config, self.jumps = corpus, config, list(jumps)
        self.weights = weights_of(config, corpus.components, corpus.component_tokens)
        self.rows = cut(corpus, config.data.packing, config.data.sequence)
        self.order = Order(self.rows.counts, self.weights, config.seed)

    @property
    def advice(self) -> str:
        """What a person should know of rows and documents that do not fit each other; empty where they do."""
        longest, length = int(self.corpus.length.max()), self.config.data.sequence
        if length < longest:
            return ""
        return (
            f"no document is longer than a row (data.sequence {length:,}, the longest has {longest:,} tokens): rows "
            f"join documents, and none teaches more than {longest:,} tokens of context"
        )

    def number(self, step: int) -> int:
        """The batch that a step (from 0) takes: jumped ones do not count."""
        for first, last in self.jumps:
            step += (last - first + 1) if step >= first else 0
        return step

    def batch(self, number: int, share: slice = slice(None)) -> Batch:
        """The rows of a batch, or some of them."""
        rows = self.config.rows
        components, numbers = self.order.samples(number * rows, (number + 1) * rows)
        sizes = self.rows.sizes(components, numbers)
        predicted = np.bincount(components, sizes, len(self.corpus.components)).astype(np.int64)
        place = self.rows.places(components[share], numbers[share])
        filled = place == FILL
        documents = np.searchsorted(self.corpus.ends, place, side="right")
        tokens = self.corpus.gather(np.where(filled, 0, documents), np.where(filled, 0, place))
        tokens[filled], documents[filled] = self.corpus.tokenizer["eod"], FILL
        return Batch(tokens, documents, components[share], predicted)


@dataclass(slots=True)
class Ready:
    """A batch on the device."""

    ids: Tensor
    """(rows, T)"""
    targets: Tensor
    """(rows, T), `loss.IGNORE` where nothing is predicted"""
    documents: Tensor | None
    """(rows, T), the document of each *target*: the end of one document counts as the beginning of the next"""
    components: Tensor
    predicted: np.ndarray
    copied: Any = None
    """Event after which the tensors are there; None on a CPU."""


def make_ready(batch: Batch, config: TrainConfig, device: Any, stream: Any = None) -> Ready:
    """Tensors of a batch on a `torch.device`; with a `stream`, copied on it and not waited for."""
    import torch

    from pilebuilder.train.loss import IGNORE

    targets = np.where(batch.documents[:, 1:] == FILL, IGNORE, batch.tokens[:, 1:])
    arrays = [batch.tokens[:, :-1], targets, batch.components, batch.documents[:, 1:]]
    tensors = [
        torch.from_numpy(np.ascontiguousarray(a)) for a in arrays[: 4 if config.data.attention == "document" else 3]
    ]
    copied = None
    if stream is not None:
        with torch.cuda.stream(stream):
            tensors = [t.int().pin_memory().to(device, non_blocking=True) for t in tensors]
            copied = stream.record_event()
    ids, goal, components, *documents = tensors
    return Ready(ids, goal, documents[0] if documents else None, components, batch.predicted, copied)


class Loader:
    """Iterates over the batches of steps `start` up to `stop`; `waited` is the time spent waiting, in seconds."""

    def __init__(self, source: Source, start: int, stop: int, device: Any, share: slice = slice(None)) -> None:
        self.waited = 0.0
        self._source, self._share, self._device = source, share, device
        self._ready: queue.Queue[Ready | BaseException | None] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(start, stop), daemon=True)
        self._thread.start()

    def _fill(self, start: int, stop: int) -> None:
        try:
            stream = None
            if self._device.type == "cuda":
                import torch

                stream = torch.cuda.Stream(self._device)
            for step in range(start, stop):
                batch = self._source.batch(self._source.number(step), self._share)
                if not self._put(make_ready(batch, self._source.config, self._device, stream)):
                    return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, item: Ready | BaseException | None) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[Ready]:
        while True:
            begin = time.perf_counter()
            item = self._ready.get()
            self.waited += time.perf_counter() - begin
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            _wait_for(item)
            yield item

    def close(self) -> None:
        """Stop the background thread and wait for it."""
        self._closed.set()
        self._thread.join()


def _wait_for(item: Ready) -> None:
    """Let the device, not the host, wait for the copy; the memory is not used again before its work is done."""
    if item.copied is None:
        return
    import torch

    stream = torch.cuda.current_stream()
    stream.wait_event(item.copied)
    for tensor in (item.ids, item.targets, item.components, item.documents):
        if tensor is not None:
            tensor.record_stream(stream)


def trace_batch(corpus: Path, config: TrainConfig, number: int) -> list[Traced]:
    """The documents of a batch (from 0)."""
    source = Source(open_corpus(corpus, config), config)
    batch = source.batch(number)
    return source.corpus.trace(batch.documents)
