"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all. No pickle.

``step-00000500/`` holds ``model.safetensors``, ``optimizer.safetensors`` (moments, guard) and ``state.json`` (step,
digests of configuration, tokens and both files). It is written under another name, synced and renamed; a run that is
killed or a disk that fills leaves the one before it as it was. There is no state of random generators because a
step draws no random numbers.
"""

from __future__ import annotations

import errno
import json
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pilebuilder.atomic import sync
from pilebuilder.digest import digest_file
from pilebuilder.errors import NoSpaceError, PilebuilderError

Tensors = dict[str, Tensor]
PARTS = ("model", "optimizer")


class CheckpointError(PilebuilderError):
    """A checkpoint that is damaged or belongs to another run."""


def save(folder: Path, step: int, parts: dict[str, Tensors], facts: dict[str, Any], keep: int) -> Path:
    """Write a checkpoint of the state before `step`, then drop all but the newest `keep`."""
    target, partial = folder / f"step-{step:08d}", folder / f".partial-{step:08d}"
    for stale in folder.glob(".partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        digests = {}
        for name in PARTS:
            path = partial / f"{name}.safetensors"
            save_file({key: tensor.detach().contiguous().cpu() for key, tensor in parts[name].items()}, path)
            digests[path.name] = digest_file(path)[0]
            sync(path)
        state = partial / "state.json"
        state.write_text(json.dumps({"step": step, **facts, "files": digests}, indent=1) + "\n")
        sync(state)
    except Exception as error:
        shutil.rmtree(partial, ignore_errors=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        if not full:
            raise
        raise NoSpaceError(
            f"{folder}: the disk is full; the checkpoint before step {step} was not written, earlier ones are valid. "
            "Free space and run the same command again"
        ) from error
    if target.exists():  # the same step again, after a damaged or repeated end
        shutil.rmtree(target)
    partial.rename(target)
    sync(folder)
    for old in found(folder)[keep:]:
        remove(old)
    return target


class Saver:
    """Writes checkpoints in the background, one at a time."""

    def __init__(self, folder: Path, keep: int, *, cuda: bool = False) -> None:
        self.folder, self.keep, self.cuda = folder, keep, cuda
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._facts: dict[str, Any] = {}
        self._copies: dict[str, Tensor] = {}
        """On the host, page-locked where the tensors are on a GPU: made once, as that is slow."""

    def begin(self, step: int, parts: Mapping[str, Iterable[tuple[str, Tensor]]], facts: dict[str, Any]) -> None:
        """Copy the named tensors of each part, one after another, and start to write them.

        From a GPU the copies are only asked for: the next step's kernels come after them on the same stream, so they
        see the state of now, and the host does not wait.
        """
        assert self._thread is None, "wait for the one before: its copies are still being written"
        begin, copying = time.perf_counter(), _Copying(self.cuda)
        held = {
            name: {key: self._copied(f"{name}.{key}", tensor.detach()) for key, tensor in part}
            for name, part in parts.items()
        }
        copying.asked()
        self._facts = {"step": step}
        stalled = time.perf_counter() - begin

        def write() -> None:
            started = time.perf_counter()
            try:
                self._facts["stalled_seconds"] = round(stalled + copying.done(), 4)
                save(self.folder, step, held, facts, self.keep)
            except BaseException as error:
                self._error = error
            self._facts["seconds"] = round(time.perf_counter() - started, 3)

        self._thread = threading.Thread(target=write)
        self._thread.start()

    def _copied(self, name: str, tensor: Tensor) -> Tensor:
        if name not in self._copies:
            self._copies[name] = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        return self._copies[name].copy_(tensor, non_blocking=True)

    @property
    def finished(self) -> bool:
        """Whether one was written, or failed, since the last `wait`."""
        return self._thread is not None and not self._thread.is_alive()

    def wait(self) -> dict[str, Any] | None:
        """Let the last one finish; what it took, or None when there is none. Raises what went wrong in it."""
        if self._thread is None:
            return None
        self._thread.join()
        self._thread, error, self._error = None, self._error, None
        if error:
            raise error
        return self._facts


class _Copying:
    """The copies of a checkpoint on the GPU's stream; nothing on a CPU, where they are done when they return."""

    def __init__(self, cuda: bool) -> None:
        self.events: list[Any] = []
        if cuda:
            self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            self.events[0].record()

    def asked(self) -> None:
        """All copies were asked for."""
        if self.events:
            self.events[1].record()

    def done(self) -> float:
        """Wait for them; the seconds that the GPU took."""
        if not self.events:
            return 0.0
        self.events[1].synchronize()
        return float(self.events[0].elapsed_time(self.events[1])) / 1e3


def step_of(path: Path) -> int:
    """The step before which a checkpoint was taken."""
    return int(path.name.removeprefix("step-"))


def remove(path: Path) -> None:
    """Drop a checkpoint; one that a kill leaves half removed is no whole one any more."""
    (path / "state.json").unlink(missing_ok=True)
    shutil.rmtree(path)


def found(folder: Path) -> list[Path]:
    """Checkpoints in a folder, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def state(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint, after comparing its files with their digests; raises `CheckpointError`."""
    try:
        facts: dict[str, Any] = json.loads((path / "state.json").read_bytes())
        for name, digest in facts["files"].items():
            if digest_file(path / name)[0] != digest:
                raise CheckpointError(f"{path / name} is damaged: its digest differs from the one in state.json")
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a whole checkpoint: {error}") from error
    return facts


def newest(folder: Path) -> tuple[Path | None, dict[str, Any], list[str]]:
    """The newest whole checkpoint, its facts, and what is wrong with newer ones."""
    damaged: list[str] = []
    for path in found(folder):
        try:
            return path, state(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    return None, {}, damaged


def load(path: Path, part: str) -> Tensors:
    """The tensors of a part, on the CPU."""
    tensors: Tensors = load_file(path / f"{part}.safetensors")
    return tensors
