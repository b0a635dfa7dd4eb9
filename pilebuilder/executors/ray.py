"""The Ray executor: the same tasks on Ray, on this machine or on a cluster.

Only Ray Core is used: one remote function, a bounded window of tasks in flight, back-pressure by ``ray.wait``. Inputs
and outputs are files, so the output folder must be on storage that every node mounts, and every node needs the same
installation. Retries are safe because tasks are pure and commit atomically.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from pilebuilder.errors import PilebuilderError, TaskError
from pilebuilder.executors import Function
from pilebuilder.executors.local import SINGLE_THREAD
from pilebuilder.task import Manifest, Task

RETRIES = 2
OBJECT_STORE = 200 << 20  # manifests only travel; texts stay in files


class RayExecutor:
    """Tasks as Ray remote functions. `address` joins a running cluster; without it Ray starts here."""

    def __init__(self, workers: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise PilebuilderError("ray does not import here; install it, or use `--executor local`") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            options: dict[str, Any] = {"address": address} if address else _local_options(workers)
            environment = {"env_vars": SINGLE_THREAD | {"RAY_TQDM_PATCH_PRINT": "0", "MIMALLOC_PURGE_DELAY": "10000"}}
            ray.init(runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR, **options)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(self, function: Function, tasks: Sequence[Task], root: str) -> Iterator[tuple[int, Manifest]]:
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(function)
        waiting = list(reversed(range(len(tasks))))
        flying: dict[Any, int] = {}
        try:
            while waiting or flying:
                while waiting and len(flying) < 2 * self.workers:
                    index = waiting.pop()
                    flying[remote.remote(tasks[index], root)] = index
                done, _ = ray.wait(list(flying), num_returns=1)
                for reference in done:
                    index = flying.pop(reference)
                    yield index, self._result(reference, tasks[index])
        finally:
            for reference in flying:
                ray.cancel(reference, force=False)

    def _result(self, reference: Any, task: Task) -> Manifest:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)  # type: ignore[no-any-return]
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, PilebuilderError) else None
            raise cause or TaskError(f"task {task.stage}/{task.name} failed on Ray: {error.cause}") from error
        except errors.RayError as error:
            source = f" on input {task.inputs[0].path}" if task.inputs else ""
            raise TaskError(
                f"task {task.stage}/{task.name}{source} lost its Ray worker {RETRIES + 1} times"
                f" ({type(error).__name__}); lower `memory` in the recipe or give the workers more"
            ) from error

    def close(self, *, now: bool = False) -> None:
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()


def _local_options(workers: int) -> dict[str, Any]:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
