"""A run as a process: one at a time in a folder, and stopped by signals between two steps."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pilebuilder.errors import LockedError


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder of a run; raises `LockedError` while another process does."""
    with (out / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LockedError(f"another process trains in {out}; wait for it or use another folder") from error
        yield


@contextmanager
def stoppable() -> Iterator[threading.Event]:
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


@contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Let PyTorch take only kernels that give the same bits each time; an operation without one raises."""
    if not on:
        yield
        return
    import torch

    # cuBLAS reads it when it starts, which is at the first product of this process.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let PyTorch use so many threads; None: as many as it does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
