"""The local pool: all results, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pilebuilder.build.worker import execute
from pilebuilder.errors import TaskError
from pilebuilder.executors.local import LocalExecutor
from tests.build import toy


@pytest.fixture
def pool() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2)
    yield executor
    executor.close(now=True)


def test_every_task_answers_once(pool: LocalExecutor, tmp_path: Path) -> None:
    tasks = [toy.make(n) for n in range(1, 12)]
    results = dict(pool.run(execute, tasks, str(tmp_path)))
    assert sorted(results) == list(range(11))
    assert [(tmp_path / results[i].outputs[0].path).read_text() for i in range(11)] == [
        str(n * n) for n in range(1, 12)
    ]


def test_a_killed_worker_costs_a_retry_not_the_run(pool: LocalExecutor, tmp_path: Path) -> None:
    tasks = [toy.make(n, "die_once", dies=n == 3) for n in range(1, 7)]
    results = dict(pool.run(execute, tasks, str(tmp_path)))
    assert sorted(results) == list(range(6))
    assert (tmp_path / "died-3").exists()


def test_a_task_that_always_kills_its_worker_is_named(pool: LocalExecutor, tmp_path: Path) -> None:
    tasks = [toy.make(n, "die_always", dies=n == 2) for n in range(1, 5)]
    with pytest.raises(TaskError, match=r"read/toy/2 killed its worker"):
        list(pool.run(execute, tasks, str(tmp_path)))


def test_the_first_failure_stops_the_run_and_keeps_what_was_done(pool: LocalExecutor, tmp_path: Path) -> None:
    tasks = [toy.make(1), toy.make(2, "failing"), *(toy.make(n) for n in range(3, 40))]
    with pytest.raises(TaskError, match="read/toy/2 failed"):
        list(pool.run(execute, tasks, str(tmp_path)))
    committed = len(list((tmp_path / "work" / "read").iterdir()))
    assert 1 <= committed < 39
