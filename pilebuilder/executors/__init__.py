"""Executors run tasks and know no stage: a pool on this machine, or Ray. Both give the same bytes.

An executor takes tasks and a function, and yields ``(index, result)`` as they finish, in any order. A task that fails
for good stops the run; tasks in flight finish and stay committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pilebuilder.task import Manifest, Task

Function = Callable[["Task", str], "Manifest"]


class Executor(Protocol):
    workers: int

    def run(self, function: Function, tasks: Sequence[Task], root: str) -> Iterator[tuple[int, Manifest]]: ...
    def close(self, *, now: bool = False) -> None:
        """Release workers; `now` stops tasks in flight."""


COLLECTION = (50_000, 20, 50)
"""When the command and its workers look for cycles of garbage, in objects made: imports make these by the hundred
thousand and drop none, and the default of 700 adds a quarter to each."""
PRELOAD = ("pilebuilder.executors.preload",)


def cores() -> int:
    """Cores that this process may use: as many workers, unless the user says otherwise."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def get_ready(kind: str | None) -> None:
    """Say early that workers will be needed: what all of them import loads meanwhile."""
    if kind != "ray":
        from pilebuilder.executors.local import start_server

        start_server(PRELOAD)


def make(kind: str, workers: int, address: str | None = None, *, memory: int) -> Executor:
    """The executor of that name: ``local``, with `memory` bytes for each worker, or ``ray`` (at `address`, or started
    here)."""
    if kind == "ray":
        from pilebuilder.executors.ray import RayExecutor

        return RayExecutor(workers, address)
    from pilebuilder.executors.local import LocalExecutor

    return LocalExecutor(workers, preload=PRELOAD, memory=memory)
