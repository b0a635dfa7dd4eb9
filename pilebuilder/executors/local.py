"""The local executor: a pool of processes on this machine, started once per run.

A worker that dies (killed for memory, or by a crash in a parser) costs a retry, not the run: the pool is rebuilt and
the tasks that were in flight go again. A task in flight at three deaths is taken to be the cause and fails by name.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from pilebuilder.errors import TaskError
from pilebuilder.executors import Function
from pilebuilder.task import Manifest, Task

STRIKES = 3
PR_SET_PDEATHSIG = 1
# One task is one unit of parallelism: libraries inside a worker must not start threads of their own.
SINGLE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
) | {"TOKENIZERS_PARALLELISM": "false"}


def start_worker() -> None:
    """Runs first in each worker: the driver alone handles Ctrl-C, and no worker outlives the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class LocalExecutor:
    """A process pool. `preload` names modules that the fork server imports once, so that workers start warm."""

    def __init__(self, workers: int, preload: Sequence[str] = ()) -> None:
        self.workers = workers
        os.environ.update({k: v for k, v in SINGLE_THREAD.items() if k not in os.environ})
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._pool: ProcessPoolExecutor | None = None

    def _submit(self, function: Function, task: Task, root: str) -> Future[Manifest]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=self._context, initializer=start_worker)
        return self._pool.submit(function, task, root)

    def run(self, function: Function, tasks: Sequence[Task], root: str) -> Iterator[tuple[int, Manifest]]:
        waiting = list(reversed(range(len(tasks))))
        flying: dict[Future[Manifest], int] = {}
        strikes: Counter[int] = Counter()
        alone = False  # after a second death, one at a time: then the next death names its cause
        try:
            while waiting or flying:
                while waiting and len(flying) < (1 if alone else self.workers + 1):
                    index = waiting.pop()
                    flying[self._submit(function, tasks[index], root)] = index
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                broken = []
                for future in done:
                    index = flying.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        broken.append(index)
                        continue
                    yield index, result
                if broken:
                    broken += flying.values()
                    flying.clear()
                    self.close(now=True)
                    strikes.update(broken)
                    _give_up(tasks, strikes)
                    alone = max(strikes.values()) > 1
                    waiting += sorted(broken, reverse=True)
        except BaseException as error:
            for future in flying:
                future.cancel()
            if not isinstance(error, KeyboardInterrupt | GeneratorExit):
                wait([f for f in flying if not f.cancelled()])
            raise

    def close(self, *, now: bool = False) -> None:
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=not now, cancel_futures=True)
            if now:
                for process in processes:
                    process.kill()
                    process.join()
            self._pool = None


def _give_up(tasks: Sequence[Task], strikes: Counter[int]) -> None:
    for index, count in strikes.items():
        if count >= STRIKES:
            task = tasks[index]
            source = f" on input {task.inputs[0].path}" if task.inputs else ""
            raise TaskError(
                f"task {task.stage}/{task.name} killed its worker {count} times{source}, probably for memory:"
                " lower `memory` in the recipe or run fewer workers; if it is one raw file, exclude it"
            )
