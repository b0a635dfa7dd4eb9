"""The benchmark of training runs in miniature, writes its predictions first, and claims nothing there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pilebuilder.train import logbook  # noqa: E402
from tests.benchmarks import train  # noqa: E402
from tests.benchmarks.train_device import PREDICTED, Bench  # noqa: E402
from tests.train.small import make_corpus  # noqa: E402


@pytest.mark.parametrize("run", ["A", "B"])
def test_the_benchmark_runs_in_miniature_and_claims_nothing(run: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "out.json"
    train.main([run, "--miniature", "--out", str(out)])
    content = json.loads(out.read_text())
    assert content["claims"] == "none: miniature on a CPU"
    assert content["verdicts"] == {}
    assert content["measured"]
    assert not any("mfu" in name for name in content["measured"])


def test_the_run_on_a_corpus_is_killed_resumed_and_compared(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    out = tmp_path / "out.json"
    train.main(["C", "--miniature", "--out", str(out), "--corpus", str(corpus)])
    measured = json.loads(out.read_text())["measured"]
    assert measured["resume equal"] == 1
    assert {"input wait", "checkpoint stall, seconds", "tokens/s, everything on, deterministic"} <= measured.keys()
    events = [r["event"] for r in logbook.read(tmp_path / "out.killed.jsonl") if r["kind"] == "event"]
    assert events.count("resume") == 1


def test_a_figure_that_cannot_be_had_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    bench = Bench("A", tmp_path / "a.json", True, None)
    bench.mini = False

    def fails() -> None:
        raise TypeError("no kernel for this card")

    assert bench.tried("attention", fails) is None
    assert bench.tried("copy", lambda: 3) == 3
    measured = json.loads((tmp_path / "a.json").read_text())["measured"]
    assert measured == {"attention: failed": "TypeError: no kernel for this card"}


def test_a_step_that_needs_too_much_memory_is_tried_in_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def cell(bench: Bench, preset: str, level: int, micro: int) -> float:
        tried.append(micro)
        if micro > 16_384:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    monkeypatch.setattr(train, "cell", cell)
    bench = Bench("B", None, True, None)
    assert train.cell_that_fits(bench, "350m", train.LAST) == 1.0
    assert tried == [65_536, 32_768, 16_384]
    assert train.cell_that_fits(bench, "350m", 0) == 1.0
    assert tried[3:] == [16_384]


def test_predictions_are_written_before_anything_is_measured(tmp_path: Path) -> None:
    bench = Bench("B", tmp_path / "b.json", True, None)
    content = json.loads((tmp_path / "b.json").read_text())
    assert content["predicted"].keys() == PREDICTED["B"].keys()
    assert content["measured"] == {}
    bench.mini, bench.kind = False, "H100"
    bench.head["predicted"] = {"mfu 350m": [0.45, 0.53]}
    bench.note("mfu 350m", 0.40)
    assert bench.content["verdicts"] == {"mfu 350m": "miss"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing is measured"):
        train.main(["A", "--out", str(tmp_path / "a.json")])
    assert not (tmp_path / "a.json").exists()
