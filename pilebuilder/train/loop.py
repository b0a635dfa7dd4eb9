"""The training loop: start or resume, step, log, save, evaluate, stop cleanly."""

from __future__ import annotations

import fcntl
import json
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pilebuilder.errors import LockedError, PilebuilderError
from pilebuilder.train import checkpoint, scoring
from pilebuilder.train.attention import select_backend
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.guard import Guard
from pilebuilder.train.loader import Loader, Source
from pilebuilder.train.logbook import Logbook
from pilebuilder.train.model import GPT
from pilebuilder.train.optim import Optimizer
from pilebuilder.train.planning import PEAK, flops_per_token
from pilebuilder.train.schedule import learning_rate
from pilebuilder.train.shards import Batch, Corpus

Watch = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call of `train` ended."""

    step: int
    """Updates done in all."""
    finished: bool
    """False after SIGTERM or Ctrl-C: the same command goes on."""
    loss: float | None
    """Nats per token of the last step done now; None when nothing was left to do."""
    scores: list[scoring.Score]
    """On ``val`` after the last step; empty when interrupted or without such tokens."""


def train(corpus: Path, out: Path, config: TrainConfig, *, progress: Watch | None = None) -> Outcome:
    """Run or resume until the last step, or until SIGTERM or Ctrl-C, which save a checkpoint first."""
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out), _stoppable() as stop:
        trainer = Trainer(Corpus(corpus, verify=config.data.verify), out, config, progress)
        try:
            return trainer.fit(stop, _held_out(corpus, config))
        except torch.OutOfMemoryError as error:
            smaller = max(config.data.sequence, config.micro_tokens // 2)
            raise PilebuilderError(
                f"the GPU has too little memory: set micro_tokens to {smaller} (now {config.micro_tokens}); "
                "results stay the same up to rounding"
            ) from error


class Trainer:
    """A run in its folder: ``config.json``, ``logbook.jsonl``, ``checkpoints/``."""

    def __init__(self, corpus: Corpus, out: Path, config: TrainConfig, watch: Watch | None = None) -> None:
        self.corpus, self.out, self.config = corpus, out, config
        cuda = torch.cuda.is_available() and config.control.device != "cpu"
        if config.control.device == "cuda" and not cuda:
            raise PilebuilderError("control.device is cuda, but PyTorch sees no GPU; set it to auto or cpu")
        self.device = torch.device("cuda" if cuda else "cpu")
        self.logbook = Logbook(out / "logbook.jsonl", watch)
        self.source = Source(corpus, config)
        self.model = GPT(config.model, corpus.vocabulary, config.seed).to(self.device)
        bf16 = config.precision == "bf16" or (config.precision == "auto" and cuda)
        self.model.compute = torch.bfloat16 if bf16 else torch.float32
        self.optimizer = Optimizer(self.model, config.optimizer)
        self.guard = Guard(config.guard, self.device)
        self.step, self.skipped_in_a_row = 0, 0
        self._resume()
        if config.control.compile == "blocks" or (config.control.compile == "auto" and cuda):
            for block in self.model.blocks:
                block.compile(dynamic=False)

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that loads it."""
        return {
            "config": self.config.digest,
            "data": self.corpus.digest,
            "tokenizer": self.corpus.tokenizer,
            "vocabulary": self.corpus.vocabulary,
        }

    def _resume(self) -> None:
        path, facts, damaged = checkpoint.newest(self.out / "checkpoints")
        if path is None and damaged:
            raise checkpoint.CheckpointError(f"{damaged[0]}; no whole checkpoint is left, start in another folder")
        if path is not None:
            for name, mine in self.identity.items():
                if facts[name] != mine:
                    raise checkpoint.CheckpointError(
                        f"{path} was made with another {name}; give the run's own corpus and configuration "
                        f"({self.out / 'config.json'}), or start in another folder"
                    )
            self.model.load_state_dict(checkpoint.load(path, "model"))
            saved = checkpoint.load(path, "optimizer")
            for name, tensor in self._moments().items():
                tensor.copy_(saved[name])
            self.step, self.skipped_in_a_row = facts["step"], facts["skipped_in_a_row"]
        (self.out / "config.json").write_text(self.config.model_dump_json(indent=1) + "\n")
        shape = self.config.model
        self.logbook.event(
            "resume" if path else "start",
            step=self.step,
            damaged_checkpoints=damaged,
            corpus=str(self.corpus.folder.absolute()),
            config=self.config.model_dump(mode="json"),
            config_digest=self.config.digest,
            data_digest=self.corpus.digest,
            tokenizer=self.corpus.tokenizer["name"],
            parameters=sum(p.numel() for p in self.model.parameters()),
            attention=select_backend(
                self.device, self.model.compute, shape.heads, shape.head_width, self.config.data.sequence
            ),
            device=torch.cuda.get_device_name() if self.device.type == "cuda" else platform.machine(),
            torch=torch.__version__,
            python=platform.python_version(),
        )

    def _moments(self) -> dict[str, Tensor]:
        guard = {f"guard.{name}": tensor for name, tensor in self.guard.state.items()}
        return {**self.optimizer.state, **guard}

    def fit(self, stop: threading.Event, held: Corpus | None) -> Outcome:
        """All steps that are left."""
        control, steps = self.config.control, self.config.steps
        loader = Loader(self.source, self.step, steps)
        waiting: list[tuple[int, float, Tensor]] = []
        loss, scores, saved = None, [], self.step
        begin, waited = time.perf_counter(), 0.0
        try:
            for batch in loader:
                lr = learning_rate(self.config.optimizer, self.step, steps)
                waiting.append((self.step, lr, self.update(batch, lr)))
                self.step += 1
                last, halt = self.step == steps, stop.is_set()
                save = last or halt or self.step % control.checkpoint_every == 0
                measure = bool(control.evaluate_every) and self.step % control.evaluate_every == 0
                if save or measure or self.step == 1 or self.step % control.log_every == 0:
                    seconds = time.perf_counter() - begin
                    loss = self._flush(waiting, seconds, loader.waited - waited)
                if save:
                    self.save()
                    saved = self.step
                if held and (last or measure) and not halt:
                    scores = self.evaluate(held)
                if not waiting:
                    begin, waited = time.perf_counter(), loader.waited
                if halt:
                    break
        finally:
            loader.close()
        finished = self.step >= steps
        self.logbook.event("finish" if finished else "interrupted", step=self.step, checkpoint=saved)
        return Outcome(step=self.step, finished=finished, loss=loss, scores=scores)

    def update(self, batch: Batch, lr: float) -> Tensor:
        """One step: every micro-batch forward and backward, then the weights.

        Returns, still on the device: loss, gradient norm, whether kept, then mean loss of each component (NaN for
        those without a row).
        """
        config, n = self.config, self.config.micro_rows
        scale, z_loss = 1.0 / config.batch_tokens, config.optimizer.z_loss
        tokens, documents, component = (
            torch.from_numpy(x).to(self.device) for x in (batch.tokens, batch.documents, batch.components)
        )
        by_row = []
        self.optimizer.zero()
        for rows in torch.arange(config.rows).split(n):
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            ids, targets = tokens[part, :-1], tokens[part, 1:]
            mask = documents[part, :-1] if config.data.attention == "document" else None
            loss, nll = self.model.loss(ids, targets, scale=scale, z_loss=z_loss, document_bt=mask)
            loss.backward()
            by_row.append(nll.sum(1))
        row_nats = torch.cat(by_row)
        total, norm = row_nats.sum() * scale, self.optimizer.gradient_norm()
        keep = self.guard.judge(total, norm)
        self.optimizer.step(lr, norm, keep)
        member = (component[None] == torch.arange(len(self.corpus.components), device=self.device)[:, None]).float()
        means = (member * row_nats).sum(1) / (member.sum(1) * config.data.sequence)
        return torch.cat((torch.stack((total, norm, keep)), means))

    def _flush(self, waiting: list[tuple[int, float, Tensor]], seconds: float, waited: float) -> float:
        """Read the numbers of waiting steps (the only wait for the device), log them, and look for trouble."""
        values = torch.stack([numbers for _, _, numbers in waiting]).tolist()
        rate = len(waiting) * self.config.batch_tokens / seconds
        whole, causal = flops_per_token(self.config, self.corpus.vocabulary)
        rows, trouble = [], ""
        for (step, lr, _), (loss, norm, keep, *means) in zip(waiting, values, strict=True):
            named = zip(self.corpus.components, means, strict=True)
            row = {
                "step": step,
                "loss": _finite(loss),
                "gradient_norm": _finite(norm),
                "lr": lr,
                "skipped": not keep,
                "components": {name: mean for name, mean in named if mean == mean},
                "tokens": (step + 1) * self.config.batch_tokens,
                "tokens_per_second": round(rate, 1),
                "input_wait": round(waited / seconds, 5),
            }
            if self.device.type == "cuda":
                row |= {"mfu": whole * rate / PEAK, "mfu_causal": causal * rate / PEAK}
                row["memory_bytes"] = torch.cuda.max_memory_allocated()
            rows.append(row)
            self.skipped_in_a_row = 0 if keep else self.skipped_in_a_row + 1
            if not keep and step == 0:
                trouble = "the loss or gradient of the first step is not finite: lower optimizer.lr or use fp32"
            elif self.skipped_in_a_row >= self.config.guard.limit:
                trouble = f"{self.skipped_in_a_row} steps in a row were skipped: lower optimizer.lr, or trace the step"
        self.logbook.step(rows)
        waiting.clear()
        if trouble:
            self.logbook.event("stopped", step=self.step, why=trouble)
            raise PilebuilderError(f"step {rows[-1]['step']}: {trouble}")
        return float(values[-1][0])

    def save(self) -> Path:
        """Write a checkpoint of the state before the coming step."""
        begin = time.perf_counter()
        parts = {"model": dict(self.model.state_dict()), "optimizer": self._moments()}
        facts = {**self.identity, "skipped_in_a_row": self.skipped_in_a_row, "torch": torch.__version__}
        folder = self.out / "checkpoints"
        path = checkpoint.save(folder, self.step, parts, facts, self.config.control.keep)
        self.logbook.event("checkpoint", step=self.step, seconds=round(time.perf_counter() - begin, 3))
        return path

    def evaluate(self, held: Corpus) -> list[scoring.Score]:
        """Bits per byte on held-out tokens, into the logbook."""
        limit = self.config.control.evaluate_tokens
        scores = scoring.score(self.model, held, self.config, tokens=limit)
        self.logbook.event("evaluate", step=self.step, split=held.split, scores=[s.as_json() for s in scores])
        return scores


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if abs(value) < float("inf") else None


def _held_out(folder: Path, config: TrainConfig) -> Corpus | None:
    """The ``val`` tokens; None when the corpus has none."""
    manifests = [json.loads(path.read_bytes()) for path in sorted((folder / "tokens").glob("*.json"))]
    if not any(m["split"] == "val" and m["text_tokens"] for m in manifests):
        return None
    return Corpus(folder, "val", verify=config.data.verify)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    with (out / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LockedError(f"another process trains in {out}; wait for it or use another folder") from error
        yield


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def halt(number: int, _: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in kept:
        signal.signal(number, halt)
    try:
        yield event
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
