"""Small tasks for tests of the core: functions that workers import by name."""

from __future__ import annotations

import os
import signal
import time

from pilebuilder.task import Task, Workspace


def write_square(task: Task, work: Workspace) -> None:
    """One output, one count, one ledger row."""
    n = task.params["n"]
    work.output("square.txt", "number", component="toy").write_text(str(n * n))
    count = work.tally.of("toy")
    count.seen, count.kept = n, n - 1
    count.dropped["odd"] += 1
    work.journal.add(id=f"{n:032x}", component="toy", step="square", action="dropped", reason="odd", value=float(n))


def unbalanced(task: Task, work: Workspace) -> None:
    work.tally.of("toy").seen = 3


def failing(task: Task, work: Workspace) -> None:
    work.output("half.txt", "number").write_text("half")
    raise RuntimeError("no such luck")


def die_once(task: Task, work: Workspace) -> None:
    """Kill the worker at the first attempt, as the kernel does when memory runs out."""
    marker = work.root / f"died-{task.params['n']}"
    if task.params.get("dies") and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    write_square(task, work)


def die_always(task: Task, work: Workspace) -> None:
    if task.params.get("dies"):
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    write_square(task, work)


def out_of_space(task: Task, work: Workspace) -> None:
    import errno

    raise OSError(errno.ENOSPC, "No space left on device", str(work.folder / "part"))


def make(n: int, function: str = "write_square", **params: object) -> Task:
    return Task(
        stage="read", name=f"toy/{n}", function=f"tests.build.toy:{function}", code="toy/1", params={"n": n, **params}
    )
