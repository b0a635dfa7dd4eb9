"""The glance at the arguments that starts workers early knows the verbs and options of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main

from pilebuilder import executors, start
from pilebuilder.build.publish import LOCK
from pilebuilder.cli import app


def runs() -> dict[str, Any]:
    """Commands that run a build."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {n: c for n, c in commands.items() if {"out", "workers", "executor"} <= {p.name for p in c.params}}


def test_verbs_are_those_that_run_a_build() -> None:
    assert sorted(start.VERBS) == sorted(runs())


def test_options_with_a_value_are_known() -> None:
    valued = {o for c in runs().values() for p in c.params for o in p.opts if o[0] == "-" and not p.is_flag}
    assert valued == set(start.VALUED)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(executors, "get_ready", lambda *given: found.append(given))
    return found


@pytest.mark.parametrize(
    ("arguments", "foreseen"),
    [
        ("build a.yaml --out OUT", True),
        ("tokenize --workers 2 -o OUT --log-json a.yaml", True),
        ("filter a.yaml --out=OUT --executor local", True),
        ("build a.yaml", False),
        ("build a.yaml --out OUT --executor ray", False),
        ("build a.yaml --out OUT --help", False),
        ("build a.yaml --out OUT --store STORE", False),
        ("build a.yaml --out OUT --store=STORE", False),
        ("build a.jsonl.zst b.jsonl.zst --out OUT", True),
        ("build --out a.yaml", False),
        ("verify a.yaml --out OUT", False),
        ("", False),
    ],
)
def test_what_is_foreseen(arguments: str, foreseen: bool, asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    start._foresee(arguments.replace("OUT", str(tmp_path)).split())
    assert asked == [("local",)] * foreseen


def test_a_finished_build_needs_no_workers(asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    start._foresee(["build", "a.yaml", "--out", str(tmp_path)])
    assert asked == []
