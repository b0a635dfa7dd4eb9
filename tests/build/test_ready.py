"""What workers load is noted after a run, and loaded by the next fork server before it makes any worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pilebuilder import executors
from pilebuilder.build import ready
from pilebuilder.build.run import Build
from pilebuilder.recipe import load_recipe

RECIPE = """
name: t
components:
  - {name: A, fetch: {local: {path: PLACE/a.jsonl}}, read: jsonl}
clean: [whitespace]
filter: [STEP]
dedup: null
"""


def recipe(folder: Path, step: str = "length") -> Path:
    (folder / "a.jsonl").write_text(json.dumps({"text": "some  words of it  " * 20}) + "\n")
    path = folder / f"{step}.yaml"
    path.write_text(RECIPE.replace("PLACE", str(folder)).replace("STEP", step))
    return path


def test_a_run_notes_what_its_workers_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, path = tmp_path / "noted", recipe(tmp_path)
    monkeypatch.setattr(ready, "_place", lambda recipe, target: place)
    Build(load_recipe(path), tmp_path / "out", target="filter").run()
    names = json.loads(place.read_bytes())
    assert {"pilebuilder.read.jsonl_blocks", "pilebuilder.kernels.json_lines"} <= set(names)
    place.unlink()
    Build(load_recipe(path), tmp_path / "out", target="filter").run()
    assert not place.exists(), "a run that reuses tasks has not loaded what they need"


def test_a_note_that_cannot_be_kept_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "_place", lambda recipe, target: Path("/proc/no-such-place/noted"))
    tallies = Build(load_recipe(recipe(tmp_path)), tmp_path / "out", target="filter").run()
    assert tallies["filter"]["A"].seen == 1


def test_a_fork_server_loads_what_was_noted_and_bears_what_is_gone(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    env = os.environ | {"PILEBUILDER_CACHE": str(tmp_path / "cache")}
    code = (
        "import json, sys, pathlib; from pilebuilder.build import ready; from pilebuilder.recipe import load_recipe\n"
        "place = ready._place(load_recipe(pathlib.Path(sys.argv[1])), 'filter'); place.parent.mkdir(parents=True)\n"
        "place.write_text(json.dumps(['pilebuilder.gone', 'os.path', 'pilebuilder.read.line_blocks']))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=env)
    code = "import sys, os, pilebuilder.build.ready as r; print('pilebuilder.read.line_blocks' in sys.modules, r.RECIPE in os.environ)"
    for given, answer in (
        ([str(path), "filter"], "True"),
        ([str(path), "read"], "False"),
        (["/none.yaml", "x"], "False"),
    ):
        told = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            env=env | {executors.RECIPE: json.dumps(given)},
        )  # fmt: skip
        assert told.stdout.split() == [answer, "False"]


def test_recipes_of_other_parts_have_notes_of_their_own(tmp_path: Path) -> None:
    one, two = load_recipe(recipe(tmp_path)), load_recipe(recipe(tmp_path, "gopher-quality"))
    assert len({ready._place(r, target) for r in (one, two) for target in ("read", "filter")}) == 3
