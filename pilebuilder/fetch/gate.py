"""Politeness across workers: how many requests one host sees at once from this machine, and how close together.

Each slot of a host is a small file: its lock is held during a request, its content is when the last request began. So
any number of processes keeps the host's limit, and a killed one frees its slot.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pilebuilder.fetch.clock import Clock

POLL = 0.05


class Gate:
    """Slots and delays of hosts, shared by all processes that use the same folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock

    @contextlib.contextmanager
    def request(self, host: str, delay: float, slots: int) -> Iterator[None]:
        """Hold one of the host's slots for a request; waits for a free one, and until `delay` after the last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = self._acquire(host, slots)
        try:
            self._space_out(host, delay)
            yield
        finally:
            os.close(handle)

    def _path(self, host: str, name: str) -> Path:
        plain = re.sub(r"[^A-Za-z0-9.-]", "_", host)[:80]
        return self.folder / f"{plain}-{hashlib.sha256(host.encode()).hexdigest()[:8]}.{name}"

    def _acquire(self, host: str, slots: int) -> int:
        handles = [os.open(self._path(host, f"slot{i}"), os.O_RDWR | os.O_CREAT, 0o644) for i in range(slots)]
        try:
            while True:
                for i, handle in enumerate(handles):
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        return handles.pop(i)
                if slots == 1:
                    fcntl.flock(handles[0], fcntl.LOCK_EX)
                    return handles.pop(0)
                Clock().sleep(POLL)  # real time: what is waited for is another process
        finally:
            for handle in handles:
                os.close(handle)

    def _space_out(self, host: str, delay: float) -> None:
        """Wait until `delay` has passed since the last request to the host began, and note that this one begins."""
        if delay <= 0:
            return
        handle = os.open(self._path(host, "last"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            last = _number(os.pread(handle, 64, 0))
            now = self.clock.now()
            if last is not None and last <= now:  # a clock that was set back must not stop us for hours
                self.clock.sleep(delay - (now - last))
            os.pwrite(handle, f"{self.clock.now():.6f}".ljust(32).encode(), 0)
        finally:
            os.close(handle)


def _number(content: bytes) -> float | None:
    try:
        return float(content)
    except ValueError:
        return None
