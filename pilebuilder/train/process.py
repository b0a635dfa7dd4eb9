"""A run as a process: one at a time in a folder, and stopped by signals between two steps."""

from __future__ import annotations

import fcntl
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
def threads(number: int | None) -> Iterator[None]:
    """Let PyTorch use so many threads; None: as many as it does."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
