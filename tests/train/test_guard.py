"""Spikes: what cannot be skipped is gone back from and jumped over; weights are then those of a run that never saw it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pilebuilder import train  # noqa: E402
from pilebuilder.errors import PilebuilderError  # noqa: E402
from pilebuilder.train import checkpoint, logbook  # noqa: E402
from pilebuilder.train.config import Guard as Settings  # noqa: E402
from pilebuilder.train.config import TrainConfig  # noqa: E402
from pilebuilder.train.guard import Watch  # noqa: E402
from pilebuilder.train.loader import Source  # noqa: E402
from pilebuilder.train.loop import Trainer  # noqa: E402
from tests.train.small import make_corpus, small_config  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def config(**changes: Any) -> TrainConfig:
    return small_config(guard={"window": 64, "skips": 2, "span": 6, "rollbacks": 1, **changes})


def poison(monkeypatch: pytest.MonkeyPatch, batches: set[int]) -> None:
    """Make loss and gradients of some batches NaN, as an overflow in the network would."""
    update = Trainer.update

    def poisoned(self: Trainer, batch: Any, lr: float) -> Any:
        gain = self.model.norm.weight.data
        held = float(gain[0])
        if self.source.number(self.step) in batches:
            gain[0] = float("nan")
            numbers = update(self, batch, lr)
            gain[0] = held
            return numbers
        return update(self, batch, lr)

    monkeypatch.setattr(Trainer, "update", poisoned)


def weights(out: Path) -> dict[str, Any]:
    path, _, _ = checkpoint.newest(out / "checkpoints")
    assert path is not None
    return checkpoint.load(path, "model")


def test_bad_batches_are_jumped_over_and_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    number = Source.number
    with monkeypatch.context() as never:  # a run that never saw batches 10 to 12
        never.setattr(Source, "number", lambda self, step: number(self, step) + (3 if step >= 10 else 0))
        assert train.run(corpus, tmp_path / "clean", config()).finished
    poison(monkeypatch, {10, 12})
    assert train.run(corpus, tmp_path / "run", config()).finished
    rows = logbook.read(tmp_path / "run" / "logbook.jsonl")
    (back,) = [row for row in rows if row.get("event") == "rollback"]
    assert (back["step"], back["from_step"], back["batches"], back["jumps"]) == (8, 12, [10, 12], [[10, 12]])
    assert "2 of the last 6 steps" in back["why"]
    assert [row["step"] for row in rows if row["kind"] == "step" and row["skipped"]] == [10, 12]
    mine, clean = weights(tmp_path / "run"), weights(tmp_path / "clean")
    assert all(torch.equal(mine[name], clean[name]) for name in clean)
    assert train.batch_of(tmp_path / "run", 9) == 9
    assert train.batch_of(tmp_path / "run", 10) == 13


def test_a_run_killed_after_going_back_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    def cut(row: Any) -> None:
        if row["kind"] == "step" and row["step"] == 14:
            raise Cut

    corpus = make_corpus(tmp_path / "corpus")
    poison(monkeypatch, {10, 12})
    assert train.run(corpus, tmp_path / "whole", config()).finished
    with pytest.raises(Cut):
        train.run(corpus, tmp_path / "run", config(), progress=cut)
    assert train.run(corpus, tmp_path / "run", config()).finished
    mine, whole = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all(torch.equal(mine[name], whole[name]) for name in whole)


def test_a_run_that_does_not_recover_stops_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, set(range(10, 99)))
    with pytest.raises(PilebuilderError, match=r"after 1 rollbacks: lower optimizer\.lr"):
        train.run(make_corpus(tmp_path / "corpus"), tmp_path / "run", config())
    last = json.loads((tmp_path / "run" / "logbook.jsonl").read_text().splitlines()[-1])
    # the checkpoint of step 8 was still being written when the run stopped; it is noted after the stop
    assert {"stopped", "checkpoint"} >= {last["event"]}
    assert checkpoint.newest(tmp_path / "run" / "checkpoints")[1]["step"] == 8


def test_trouble_before_the_first_checkpoint_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, {3, 4})
    assert train.run(make_corpus(tmp_path / "corpus"), tmp_path / "run", config()).finished
    rows = logbook.read(tmp_path / "run" / "logbook.jsonl")
    (back,) = [row for row in rows if row.get("event") == "rollback"]
    assert (back["step"], back["jumps"]) == (0, [[3, 4]])


def test_a_mean_loss_that_rises_ends_patience_and_a_falling_one_does_not() -> None:
    settings = Settings(span=10, rise=0.3)
    watch = Watch(settings)
    for step in range(60):
        assert watch.see(step, 5.0 - 0.02 * step, True) is None
    again = Watch(settings, json.loads(json.dumps(watch.as_json())))
    found = {}
    for name, held in (("held", watch), ("saved", again)):
        for step in range(60, 100):
            if (trouble := held.see(step, 5.0, True)) is not None:
                found[name] = step, *trouble
                break
    assert found["held"] == found["saved"]
    step, first, why = found["held"]
    assert step - first == 9
    assert "rose by" in why
    assert np.mean([5.0 - 0.02 * s for s in range(step - 9, 60)] + [5.0] * (step - 59)) > watch.lowest + 0.3
