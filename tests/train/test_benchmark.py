"""The benchmark of training runs in miniature, writes its predictions first, and claims nothing there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from tests.benchmarks import train  # noqa: E402
from tests.benchmarks.train_device import PREDICTED, Bench  # noqa: E402


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
