"""Assembles the rows of coming steps in the background, so that the network never waits for the disk."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pilebuilder.train.config import TrainConfig
from pilebuilder.train.order import Order, weights_of
from pilebuilder.train.shards import Batch, Corpus, Traced

AHEAD = 2
"""Steps prepared before they are asked for."""


class Source:
    """The batch of any step of a run."""

    def __init__(self, corpus: Corpus, config: TrainConfig) -> None:
        self.corpus, self.config = corpus, config
        self.weights = weights_of(config, corpus.components, corpus.component_tokens)
        self.order = Order(corpus.row_counts(config.data.sequence), self.weights, config.seed)

    def batch(self, step: int) -> Batch:
        """All rows of a step (from 0)."""
        rows = self.config.rows
        components, numbers = self.order.samples(step * rows, (step + 1) * rows)
        return self.corpus.rows(components, numbers, self.config.data.sequence)


class Loader:
    """Iterates over the batches of steps `start` up to `stop`; `waited` is the time spent waiting, in seconds."""

    def __init__(self, source: Source, start: int, stop: int) -> None:
        self.waited = 0.0
        self._ready: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(source, start, stop), daemon=True)
        self._thread.start()

    def _fill(self, source: Source, start: int, stop: int) -> None:
        try:
            for step in range(start, stop):
                if not self._put(source.batch(step)):
                    return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, item: Batch | BaseException | None) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[Batch]:
        while True:
            begin = time.perf_counter()
            item = self._ready.get()
            self.waited += time.perf_counter() - begin
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Stop the background thread and wait for it."""
        self._closed.set()
        self._thread.join()


def trace_step(corpus: Path, config: TrainConfig, step: int) -> list[Traced]:
    """The documents in the batch of a step (from 0)."""
    source = Source(Corpus(corpus), config)
    return source.corpus.trace(source.batch(step))
