"""Checkpoints: safetensors and JSON in a folder that appears whole or not at all. No pickle.

``step-00000500/`` holds ``model.safetensors``, ``optimizer.safetensors`` (moments, guard) and ``state.json`` (step,
digests of configuration, tokens and both files). It is written under another name, synced and renamed; a run that is
killed or a disk that fills leaves the one before it as it was. There is no state of random generators because a
step draws no random numbers.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from pilebuilder.digest import digest_file
from pilebuilder.errors import NoSpaceError, PilebuilderError

Tensors = dict[str, Tensor]
PARTS = ("model", "optimizer")


class CheckpointError(PilebuilderError):
    """A checkpoint that is damaged or belongs to another run."""


def save(folder: Path, step: int, parts: dict[str, Tensors], facts: dict[str, Any], keep: int) -> Path:
    """Write a checkpoint of the state before `step`, then drop all but the newest `keep`."""
    target, partial = folder / f"step-{step:08d}", folder / f".partial-{step:08d}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        digests = {}
        for name in PARTS:
            path = partial / f"{name}.safetensors"
            save_file({key: tensor.detach().contiguous().cpu() for key, tensor in parts[name].items()}, path)
            digests[path.name] = digest_file(path)[0]
            _sync(path)
        state = partial / "state.json"
        state.write_text(json.dumps({"step": step, **facts, "files": digests}, indent=1) + "\n")
        _sync(state)
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
    _sync(folder)
    for old in found(folder)[keep:]:
        shutil.rmtree(old)
    return target


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


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
