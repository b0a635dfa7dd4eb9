"""Kernels are compiled once a machine, by all workers: which ones a stage's tasks need, and that a build asks once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilebuilder.build import warm
from pilebuilder.build.progress import Quiet
from pilebuilder.build.run import Build
from pilebuilder.recipe import load_recipe
from pilebuilder.task import Task

RECIPE = """
name: t
components:
  - {name: A, fetch: {local: {path: PLACE/a.jsonl}}, read: jsonl}
  - {name: B, fetch: {local: {path: PLACE/b.jsonl}}, read: jsonl}
clean: [whitespace]
filter: []
dedup: null
"""


def task(*steps: str, sketch: str = "") -> Task:
    segments = [{"stage": "filter", "steps": [{"name": name, "params": {}} for name in steps]}]
    params = {"segments": segments, "sketch": {"name": sketch} if sketch else None}
    return Task(stage="filter", name="A/00000", function="pilebuilder.steps:transform", code="1", params=params)


@pytest.fixture(autouse=True)
def no_run_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_marker", lambda modules: tmp_path / "compiled" / "-".join(sorted(modules)))


def test_the_kernels_of_the_steps_are_found() -> None:
    assert "mojibake" in warm.cold([task("ftfy")])
    assert "minhash" not in warm.cold([task("ftfy")])
    assert "textstats" in warm.cold([task("gopher-quality")])
    assert "lid" in warm.cold([task("lang")])  # through the file of models that the step names
    assert {"mojibake", "textstats"} <= set(warm.cold([task("ftfy"), task("gopher-repetition")]))
    assert "minhash" in warm.cold([task(sketch="dedup")])
    assert warm.cold([task()]) == []
    assert "clusters" in warm.cold([Task(stage="dedup", name="x", function="a:b", code="1")])
    for name in warm.cold([Task(stage="report", name="x", function="a:b", code="1")]):
        assert (warm.KERNELS / f"{name}.py").is_file()


def test_what_was_compiled_is_not_asked_for_again() -> None:
    modules = warm.cold([task("ftfy")])
    warm.done(modules)
    assert warm.cold([task("ftfy")]) == []
    assert warm.cold([task("gopher-quality")])


def test_the_marker_lies_in_the_cache_of_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PILEBUILDER_CACHE", str(tmp_path / "cache"))
    modules = warm.cold([task("ftfy")])
    warm.done(modules)
    (marker,) = (tmp_path / "cache" / "kernels").iterdir()
    assert marker.name.startswith("compiled-")
    assert warm.cold([task("ftfy")]) == []
    monkeypatch.setenv("PILEBUILDER_CACHE", "/proc/no-such-place")
    warm.done(modules)
    assert warm.cold([task("ftfy")]) == modules


def test_a_module_that_does_not_load_is_left_to_the_task_that_needs_it() -> None:
    (missing,) = warm.as_tasks(["no_such_kernel"])
    assert warm.load(missing, "") is None


@pytest.mark.parametrize(("workers", "times"), [(2, 1), (1, 0)])
def test_a_build_says_once_that_it_compiles(tmp_path: Path, workers: int, times: int) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": f"some  words of {name}  "}) + "\n")
    (tmp_path / "r.yaml").write_text(RECIPE.replace("PLACE", str(tmp_path)))
    for run in range(2):
        sink = Quiet()
        build = Build(
            load_recipe(tmp_path / "r.yaml"), tmp_path / f"out{run}", target="filter", workers=workers, sink=sink
        )
        build.run()
        said = [data["text"] for kind, data in sink.events if kind == "message" and "compiling" in data["text"]]
        assert len(said) == (times if run == 0 else 0)
