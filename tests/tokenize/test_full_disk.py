"""A disk that is full while runs, shards or token files are written: said as such, and nothing half-written is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pilebuilder.build.worker import execute
from pilebuilder.errors import EXIT_NO_SPACE, NoSpaceError
from pilebuilder.task import Workspace
from tests.mix.building import MiniBuild

FULL = Path("/dev/full")
TEXTS = {"A": [f"some text number {i} and then more of it" for i in range(400)]}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> MiniBuild:
    configs = {"shard": {"count": 1, "parquet": True}, "mix": {"val": 0.0, "test": 0.0}}
    root = tmp_path_factory.mktemp("build")
    return MiniBuild(root, TEXTS, configs=configs, limit=1 << 20).run("mix", "shard", "tokenize")


@pytest.mark.skipif(not FULL.exists(), reason="needs the device /dev/full")
@pytest.mark.parametrize(
    ("stage", "function", "suffix"),
    [
        ("mix", "draw", ".arrows"),
        ("shard", "write_shard", ".jsonl.zst"),
        ("shard", "write_shard", ".parquet"),
        ("tokenize", "tokenize_shard", ".bin"),
        ("tokenize", "tokenize_shard", ".idx"),
        ("tokenize", "tokenize_shard", ".docs"),
    ],
)
def test_it_is_said_and_nothing_is_committed(
    done: MiniBuild, monkeypatch: pytest.MonkeyPatch, stage: str, function: str, suffix: str
) -> None:
    task = next(t for t in done.tasks[stage] if t.function.endswith(f":{function}"))
    stood = sorted(p for p in (done.root / "work").rglob("*") if p.is_file())
    real, full = Workspace.output, []

    def output(self: Workspace, name: str, kind: str, **facts: Any) -> Path:
        path = real(self, name, kind, **facts)
        if path.name.endswith(suffix) and not path.is_symlink():
            path.symlink_to(FULL)
            full.append(name)
        return path

    monkeypatch.setattr(Workspace, "output", output)
    with pytest.raises(NoSpaceError, match="no space left") as caught:
        execute(task, done.root)
    assert full
    assert caught.value.exit_code == EXIT_NO_SPACE
    assert sorted(p for p in (done.root / "work").rglob("*") if p.is_file()) == stood
