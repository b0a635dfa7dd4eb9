"""The training loop: start or resume, step, log, save, evaluate, go back when the guard says so, stop cleanly."""

from __future__ import annotations

import errno
import gc
import json
import math
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pilebuilder.errors import NoSpaceError, PilebuilderError
from pilebuilder.train import attention, checkpoint, parallel, scoring
from pilebuilder.train.config import TrainConfig, differences
from pilebuilder.train.device import choose_device, no_memory, prepare
from pilebuilder.train.energy import Meter, host_memory
from pilebuilder.train.guard import Guard, Watch
from pilebuilder.train.loader import Loader, Ready, Source, joined, open_corpus
from pilebuilder.train.logbook import NAME, Logbook
from pilebuilder.train.model import GPT
from pilebuilder.train.optim import Optimizer
from pilebuilder.train.planning import PEAK, flops_per_token, smaller
from pilebuilder.train.process import deterministic, locked, stoppable, threads
from pilebuilder.train.schedule import learning_rate
from pilebuilder.train.shards import Corpus
from pilebuilder.train.texts import keep_tokenizer

Progress = Callable[[Mapping[str, Any]], None]


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


def train(corpus: Path, out: Path, config: TrainConfig, *, progress: Progress | None = None) -> Outcome:
    """Run or resume until the last step, or until SIGTERM or Ctrl-C, which save a checkpoint first."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PilebuilderError(f"{out} cannot be the folder of a run: {error.strerror}; give another") from error
    world, device = parallel.World(), choose_device(config)
    only = locked(out) if world.rank == 0 else world.nothing()
    exact, cores = deterministic(config.control.deterministic), threads(config.control.threads)
    with only, stoppable() as stop, exact, cores, world.joined(device):
        try:
            tokens = open_corpus(corpus, config, verify=config.data.verify and world.rank == 0)
            trainer = Trainer(tokens, out, config, progress, world)
            return trainer.fit(stop, _held_out(corpus, config))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not no_memory(error):
                raise
            raise PilebuilderError(f"there is too little memory on {device.type}: {smaller(config)}") from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise NoSpaceError(f"{out}: the disk is full; free space and run the same command again") from error


class Trainer:
    """A run in its folder: ``config.json``, ``logbook.jsonl``, ``checkpoints/``."""

    def __init__(
        self,
        corpus: Corpus,
        out: Path,
        config: TrainConfig,
        progress: Progress | None = None,
        world: parallel.World | None = None,
    ) -> None:
        self.corpus, self.out, self.config = corpus, out, config
        self.world, self.device = world or parallel.World(), choose_device(config)
        self.share = self.world.share(config.rows)
        self.logbook = Logbook(out / NAME, progress)
        self.meter = Meter.of_device(self.device, host=self.world.local_rank == 0)
        self.source = Source(corpus, config)
        self.model = GPT(config.model, corpus.vocabulary, config.seed).to(self.device)
        self.kernel, self.kernels = prepare(self.model, config, self.device)
        self.objective = parallel.wrap(self.model, self.world, config.control.parallel)
        self.optimizer = Optimizer(self.model, config.optimizer, self.world)
        self.guard, self.watch = Guard(config.guard, self.device), Watch(config.guard)
        self.step, self.rollbacks = 0, 0
        self.saver = checkpoint.Saver(out / "checkpoints", config.control.keep, cuda=self.device.type == "cuda")
        self.waiting: list[tuple[int, float, Ready, Tensor]] = []
        self._resume()

    # -- state: what a run is at a step, kept in checkpoints

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
                    what = differences(facts["settings"], self.config) if name == "config" else ""
                    raise checkpoint.CheckpointError(
                        f"{path} was made with another {name}{what}; give the run's own corpus and configuration "
                        f"({self.out / 'config.json'}), or start in another folder"
                    )
            self._take(path, facts)
            self.source.jumps, self.rollbacks = [(a, b) for a, b in facts["jumps"]], facts["rollbacks"]
        if self.world.rank:
            return
        (self.out / "config.json").write_text(self.config.model_dump_json(indent=1) + "\n")
        if self.corpus.narrow is None:
            keep_tokenizer(self.corpus.folder, self.out)
        else:
            (self.out / "tokenizer.json").write_bytes(self.corpus.narrow.content)
        cuda = self.device.type == "cuda"
        self.event(
            "resume" if path else "start",
            damaged_checkpoints=damaged,
            corpus=str(self.corpus.folder.absolute()),
            config=self.config.model_dump(mode="json"),
            config_digest=self.config.digest,
            data_digest=self.corpus.digest,
            tokenizer=self.corpus.tokenizer["name"],
            parameters=sum(p.numel() for p in self.model.parameters()),
            jumps=self.source.jumps,
            **self.kernels,
            processes=self.world.size,
            device=torch.cuda.get_device_name() if cuda else platform.machine(),
            torch=torch.__version__,
            python=platform.python_version(),
            energy=self.meter.method(),
        )
        if self.source.advice:
            self.event("advice", why=self.source.advice)

    def _take(self, path: Path, facts: dict[str, Any]) -> None:
        """Become what a checkpoint says."""
        model, moments = checkpoint.load(path, "model"), checkpoint.load(path, "optimizer")
        with torch.no_grad():
            for name, weight in self.optimizer.weights.items():
                parallel.local(weight).copy_(parallel.part_of(model[name].to(self.device), weight))
        self.optimizer.load(moments)
        for name, tensor in self.guard.state.items():
            tensor.copy_(moments[f"guard.{name}"])
        self.step, self.watch = facts["step"], Watch(self.config.guard, facts["watch"])

    def save(self) -> None:
        """Begin to write a checkpoint of the state before the coming step; the one before must be written by then."""
        # Under FSDP2 all processes gather one whole tensor after another; none holds all of them.
        weights = ((name, parallel.whole(parallel.local(w), w)) for name, w in self.optimizer.weights.items())
        guard = ((f"guard.{name}", tensor) for name, tensor in self.guard.state.items())
        parts = {"model": weights, "optimizer": chain(self.optimizer.whole_state(), guard)}
        if self.world.rank:
            for _ in chain.from_iterable(parts.values()):
                pass
            return
        facts = {
            **self.identity,
            "settings": self.config.settings,
            "jumps": self.source.jumps,
            "rollbacks": self.rollbacks,
            "watch": self.watch.as_json(),
            "torch": torch.__version__,
        }
        self._saved()
        self.saver.begin(self.step, parts, facts)

    def _saved(self) -> None:
        """Wait for the checkpoint that is being written, if any, and say so in the logbook."""
        if written := self.saver.wait():
            self.event("checkpoint", **written)

    def event(self, what: str, **facts: Any) -> None:
        """Into the logbook, on the first process."""
        if self.world.rank == 0:
            self.logbook.event(what, **{"step": self.step, **facts})

    # -- the run

    def fit(self, stop: threading.Event, held: Corpus | None) -> Outcome:
        """All steps that are left."""
        self.scores: list[scoring.Score] = []
        self.loss: float | None = None
        with self.meter.watched():
            try:
                if held and self.step == 0 and self.config.control.evaluate_every:
                    self.evaluate(held)
                while (trouble := self._steps(stop, held)) is not None:
                    self._go_back(*trouble)
            finally:
                gc.unfreeze()
                self._saved()
        finished = self.step >= self.config.steps
        self.event("finish" if finished else "interrupted", checkpoint=self.step)
        return Outcome(step=self.step, finished=finished, loss=self.loss, scores=self.scores)

    def _steps(self, stop: threading.Event, held: Corpus | None) -> tuple[int, int, str] | None:
        """Steps to the end, or until a signal or the guard; then the range of steps to jump over, and why."""
        control, steps, first = self.config.control, self.config.steps, self.step
        loader = Loader(self.source, self.step, steps, self.device, self.share)
        self.mark = time.perf_counter(), 0.0
        try:
            for batch in loader:
                lr = learning_rate(self.config.optimizer, self.step, steps)
                with attention.preferring(self.kernel):
                    self.waiting.append((self.step, lr, batch, self.update(batch, lr)))
                self.step += 1
                last, log = self.step == steps, self.step == first + 1 or self.step % control.log_every == 0
                save = last or self.step % control.checkpoint_every == 0
                measure = last or (bool(control.evaluate_every) and self.step % control.evaluate_every == 0)
                halt = self.world.any(stop.is_set()) if log or self.world.size == 1 else False
                if (save or measure or log or halt) and (trouble := self._flush(loader.waited)):
                    return trouble
                if save or halt:
                    self.save()
                if halt:
                    return None
                if held and measure:
                    self.scores = self.evaluate(held)
                if self.step == first + 1:
                    gc.freeze()  # what lives until the end need not be looked through again and again
                if not self.waiting:
                    self.mark = time.perf_counter(), loader.waited
        finally:
            loader.close()
        return None

    def update(self, batch: Ready, lr: float) -> Tensor:
        """One step: every micro-batch forward and backward, then the weights.

        Returns, still on the device: loss, gradient norm, whether kept, then the nats of each component.
        """
        rows, settings = len(batch.ids), self.config.optimizer
        targets = int(batch.predicted.sum())
        pieces = range(0, rows, n := math.gcd(rows, self.config.micro_rows))
        by_row = []
        self.optimizer.zero()
        for start in pieces:
            part = slice(start, start + n)
            documents = None if batch.documents is None else batch.documents[part]
            with parallel.accumulating(self.objective, last=start == pieces[-1]):
                # DDP and FSDP2 average over the processes; the sum is wanted.
                total, nll = self.objective(
                    batch.ids[part].long(),
                    batch.targets[part].long(),
                    documents,
                    self.world.size / targets,
                    settings.z_loss,
                )
                total.backward()
            by_row.append(nll.sum(1))
        member = batch.components[None] == torch.arange(len(self.corpus.components), device=self.device)[:, None]
        nats = self.world.sum((member * torch.cat(by_row)).sum(1))
        total, norm = nats.sum() / targets, self.optimizer.gradient_norm()
        keep = self.guard.judge(total, norm)
        self.optimizer.step(lr, norm, keep)
        return torch.cat((torch.stack((total, norm, keep)), nats))

    def _flush(self, waited: float) -> tuple[int, int, str] | None:
        """Read the numbers of waiting steps (the only wait for the device), log them, and look for trouble."""
        values = torch.stack([numbers for *_, numbers in self.waiting]).tolist()
        seconds = time.perf_counter() - self.mark[0]
        speed = {
            "tokens_per_second": round(len(values) * self.config.batch_tokens / seconds, 1),
            "input_wait": round((waited - self.mark[1]) / seconds, 5),
            **self._utilisation(len(values) * self.config.batch_tokens / seconds / self.world.size),
        }
        rows: list[dict[str, Any]] = []
        trouble = None
        for (step, lr, batch, _), (value, norm, keep, *nats) in zip(self.waiting, values, strict=True):
            seen = zip(self.corpus.components, nats, batch.predicted.tolist(), strict=True)
            row = {
                "step": step,
                "loss": _finite(value),
                "gradient_norm": _finite(norm),
                "lr": lr,
                "skipped": not keep,
                "components": {name: _finite(sum_ / count) for name, sum_, count in seen if count},
                "tokens": (step + 1) * self.config.batch_tokens,
            }
            rows.append(row | speed)
            if found := self.watch.see(step, value, bool(keep)):
                trouble = found[0], step, found[1]
                break
        self.waiting.clear()
        if self.saver.finished:
            self._saved()
        self.loss = rows[-1]["loss"]
        rows[-1] |= self._energy()
        if self.world.rank == 0:
            self.logbook.step(rows)
        if rows[0]["step"] == 0 and rows[0]["skipped"]:
            self._stop(0, "the loss or gradient of the first step is not finite: lower optimizer.lr or use fp32")
        return trouble

    def _energy(self) -> dict[str, Any]:
        """Joules of all processes since they started, the largest memory of this one, what can no longer be read."""
        used = self.meter.joules()
        sums = self.world.sum(torch.tensor([used.get("cpu", 0.0), used.get("gpu", 0.0)], dtype=torch.float64))
        found = {f"{name}_joules": round(float(sums[i]), 1) for i, name in enumerate(("cpu", "gpu")) if name in used}
        lost = {name: why for name, why in self.meter.missing.items() if name in used}
        return found | {"host_memory_bytes": host_memory()} | ({"energy_lost": lost} if lost else {})

    def _utilisation(self, rate: float) -> dict[str, float]:
        """Shares of the GPU's peak at `rate` tokens per second and GPU, by both conventions, and its memory."""
        if self.device.type != "cuda":
            return {}
        whole, causal = flops_per_token(self.config, self.corpus.vocabulary)
        return {
            "mfu": round(whole * rate / PEAK, 4),
            "mfu_causal": round(causal * rate / PEAK, 4),
            "memory_bytes": torch.cuda.max_memory_allocated(),
        }

    def _go_back(self, first: int, last: int, why: str) -> None:
        """Return to a checkpoint before step `first`, and leave out the batches of the steps `first` to `last`."""
        if self.rollbacks >= self.config.guard.rollbacks:
            self._stop(last, f"{why}, after {self.rollbacks} rollbacks: lower optimizer.lr, or trace the steps")
        self._saved()
        kept = checkpoint.found(self.out / "checkpoints")
        path = next((p for p in kept if checkpoint.step_of(p) <= first), kept[-1] if kept else None)
        first = first if path is None else max(first, checkpoint.step_of(path))
        jump = self.source.number(first), self.source.number(last)
        if path is None:
            self._restart()
        else:
            self._take(path, checkpoint.state(path))
        if self.world.rank == 0:
            for newer in kept:
                if checkpoint.step_of(newer) > self.step:
                    checkpoint.remove(newer)
        self.source.jumps, self.rollbacks = joined([*self.source.jumps, jump]), self.rollbacks + 1
        self.event("rollback", from_step=last, batches=jump, jumps=self.source.jumps, why=why)

    def _restart(self) -> None:
        """The state before the first step."""
        fresh = GPT(self.config.model, self.corpus.vocabulary, self.config.seed)
        with torch.no_grad():
            for name, weight in fresh.named_parameters():
                mine = self.optimizer.weights[name]
                parallel.local(mine).copy_(parallel.part_of(weight.to(self.device), mine))
        for tensor in (*self.optimizer.state.values(), *self.guard.state.values()):
            tensor.zero_()
        self.step, self.watch = 0, Watch(self.config.guard)

    def _stop(self, step: int, why: str) -> None:
        self.event("stopped", why=why)
        raise PilebuilderError(f"step {step}: {why}")

    def evaluate(self, held: Corpus) -> list[scoring.Score]:
        """Bits per byte on held-out tokens, into the logbook."""
        objective = getattr(self.objective, "module", self.objective)
        # Windows of many lengths: each would be compiled, and planned for by cuDNN.
        with torch.compiler.set_stance("force_eager"):
            scores = scoring.score(objective, held, self.config, tokens=self.config.control.evaluate_tokens)
        self.event("evaluate", split=held.split, scores=[s.as_json() for s in scores])
        return scores


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if abs(value) < float("inf") else None


def _held_out(folder: Path, config: TrainConfig) -> Corpus | None:
    """The ``val`` tokens; None when the corpus has none."""
    manifests = [json.loads(path.read_bytes()) for path in sorted((folder / "tokens").glob("*.json"))]
    if not any(m["split"] == "val" and m["text_tokens"] for m in manifests):
        return None
    return open_corpus(folder, config, "val", verify=config.data.verify)
