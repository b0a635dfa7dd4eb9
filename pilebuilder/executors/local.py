"""The local executor: worker processes on this machine, started once per run.

Each worker has its own pipe and one task at a time, so when a worker dies (killed for memory, crashed in a parser) the
task that did it is known. It is tried once more on a fresh worker, and fails by name if that one dies too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import TaskError
from pilebuilder.executors import COLLECTION

if TYPE_CHECKING:
    from pilebuilder.executors import Function
    from pilebuilder.task import Manifest, Task

ATTEMPTS = 2
PR_SET_PDEATHSIG = 1
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
STEP = 32 << 20
"""Bytes by which a worker's heap grows at the least."""
MUCH = 3 / 4
"""Share of its memory budget from which a worker gives memory back between tasks."""
KEPT = 1 / 2
"""Share of it that a worker's heap keeps at its end, free, for what comes next."""
# One task is one unit of parallelism: libraries inside a worker must not start threads of their own.
SINGLE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
) | {"TOKENIZERS_PARALLELISM": "false"}
GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")
ENVIRONMENT = SINGLE_THREAD | ({"ARROW_DEFAULT_MEMORY_POOL": "system"} if GLIBC else {})
"""Variables of workers, unless the user sets them."""


def serve(pipe: Connection, memory: int) -> None:
    """Body of a worker: answer tasks until the pipe closes. The driver alone handles Ctrl-C; no worker outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*COLLECTION)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if GLIBC:
        reuse_memory(memory)
    try:
        while True:
            function, task, root = pipe.recv()
            try:
                answer: Manifest | BaseException = function(task, root)
            except BaseException as error:
                answer = error
            pipe.send(answer)
            del task, answer
            if GLIBC:
                _give_back(int(memory * MUCH))
    except (EOFError, BrokenPipeError):
        return


def _give_back(limit: int) -> None:
    """Return memory that no object uses to the system when more than `limit` bytes are resident."""
    if int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > limit:
        ctypes.CDLL(None).malloc_trim(0)


def reuse_memory(memory: int) -> None:
    """Give the columns of the next chunk the memory of the last one, within the budget `memory`.

    By itself the C library asks the system for every large array, and gives it back: then the system clears each page
    anew, which costs a tenth of all work, and twice that where pages come from a host. Arrow takes its memory from the
    same heap (see `ENVIRONMENT`): one of its own would keep as much again.
    """
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, min(int(memory * KEPT), 1 << 30)), (M_TOP_PAD, STEP)):
        ctypes.CDLL(None).mallopt(option, value)


class Worker:
    """One process and the driver's end of its pipe."""

    def __init__(self, context: multiprocessing.context.ForkServerContext, memory: int) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, memory), daemon=True)
        with _without_main():
            self.process.start()
        theirs.close()
        self.index: int | None = None

    def stop(self, *, now: bool) -> None:
        self.pipe.close()
        if now:
            self.process.kill()
        self.process.join()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Start a worker that does not run the main script again: tasks name their functions, so it needs nothing of it.

    Workers start sooner (the command line's libraries stay out), and a script may build without a main guard.
    """
    main = sys.modules["__main__"].__dict__
    held: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(held)


def _context(preload: Sequence[str]) -> multiprocessing.context.ForkServerContext:
    os.environ.update({k: v for k, v in ENVIRONMENT.items() if k not in os.environ})
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def start_server(preload: Sequence[str]) -> None:
    """Let the fork server import what it preloads from now on, while this process gets ready to ask for workers."""
    from multiprocessing import forkserver

    _context(preload)
    forkserver.ensure_running()


class LocalExecutor:
    """A pool of processes, each with a budget of `memory` bytes. `preload` names modules that the fork server imports
    once, so that workers start warm."""

    def __init__(self, workers: int, preload: Sequence[str] = (), memory: int = 1 << 30) -> None:
        self.workers, self.memory = workers, memory
        self._context = _context(preload)
        self._pool: list[Worker] = []

    def run(self, function: Function, tasks: Sequence[Task], root: str) -> Iterator[tuple[int, Manifest]]:
        waiting = deque(range(len(tasks)))
        deaths: Counter[int] = Counter()
        failure: BaseException | None = None
        while waiting or self._busy():
            if failure is None:
                self._hand_out(function, tasks, root, waiting)
            elif not self._busy():
                break
            for worker in self._ready():
                index = worker.index
                assert index is not None
                worker.index = None
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths[index] += 1
                    answer = self._bury(worker, tasks[index], deaths[index])
                    if answer is None:
                        waiting.appendleft(index)
                        continue
                if isinstance(answer, BaseException):
                    failure = failure or answer
                else:
                    yield index, answer
        if failure is not None:
            raise failure

    def _busy(self) -> list[Worker]:
        return [w for w in self._pool if w.index is not None]

    def _hand_out(self, function: Function, tasks: Sequence[Task], root: str, waiting: deque[int]) -> None:
        idle = [w for w in self._pool if w.index is None]
        while waiting and (idle or len(self._pool) < self.workers):
            if not idle:
                idle.append(Worker(self._context, self.memory))
                self._pool.append(idle[-1])
            worker, index = idle.pop(), waiting.popleft()
            worker.index = index
            # one that died while idle takes no task: its pipe reads as closed, and the task goes again
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                worker.pipe.send((function, tasks[index], root))

    def _ready(self) -> list[Worker]:
        busy = self._busy()
        done = set(wait([w.pipe for w in busy]))
        return [w for w in busy if w.pipe in done]

    def _bury(self, worker: Worker, task: Task, deaths: int) -> TaskError | None:
        """Remove a dead worker; an error when its task has used up its attempts."""
        self._pool.remove(worker)
        worker.stop(now=True)
        if deaths < ATTEMPTS:
            return None
        source = f" on input {task.inputs[0].path}" if task.inputs else ""
        return TaskError(
            f"task {task.stage}/{task.name} killed its worker {deaths} times"
            f" ({_cause(worker.process.exitcode)}){source}."
            " If memory is short, lower `memory` in the recipe or run fewer workers; if one raw file is the cause,"
            " exclude it"
        )

    def close(self, *, now: bool = False) -> None:
        pool, self._pool = self._pool, []
        for worker in pool:
            worker.stop(now=now or worker.index is not None)


def _cause(code: int | None) -> str:
    """An exit code of a process in words."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}: out of memory, or killed" if name == "SIGKILL" else name
    return f"exit code {code}"
