"""What runs in a worker: one task, from a private folder to its commit."""

from __future__ import annotations

import shutil
from pathlib import Path

from pilebuilder.build.store import Store, explain_os_error
from pilebuilder.errors import PilebuilderError, TaskError
from pilebuilder.task import Manifest, Task


def execute(task: Task, root: str | Path) -> Manifest:
    """Run a task and commit what it wrote. On any failure nothing of it is visible, and the error names the task."""
    store = Store(Path(root))
    work = None
    try:
        work = store.workspace(task)
        task.resolve()(task, work)
        return store.commit(task, work)
    except PilebuilderError:
        raise
    except OSError as error:
        raise explain_os_error(error, f"running task {task.stage}/{task.name}") from error
    except MemoryError as error:
        raise TaskError(
            f"task {task.stage}/{task.name} ran out of memory{_inputs(task)};"
            " lower `memory` in the recipe (smaller partitions) or run fewer workers"
        ) from error
    except Exception as error:
        raise TaskError(
            f"task {task.stage}/{task.name} failed{_inputs(task)}: {type(error).__name__}: {error}"
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work.folder, ignore_errors=True)


def _inputs(task: Task) -> str:
    if not task.inputs:
        return ""
    more = f" and {len(task.inputs) - 1} more" if len(task.inputs) > 1 else ""
    return f" on input {task.inputs[0].path}{more}"
