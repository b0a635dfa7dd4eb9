"""What can be known without a GPU of how a run uses one: no host reads in a step, copies that are waited for, flags."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pilebuilder import train  # noqa: E402
from pilebuilder.train import attention, checkpoint, loader, logbook, loss, process  # noqa: E402
from pilebuilder.train.config import TrainConfig  # noqa: E402
from pilebuilder.train.guard import Guard  # noqa: E402
from pilebuilder.train.loop import Trainer  # noqa: E402
from pilebuilder.train.model import GPT  # noqa: E402
from pilebuilder.train.optim import Optimizer  # noqa: E402
from pilebuilder.train.parallel import Objective, World  # noqa: E402
from tests.train.small import make_corpus, small_config  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Unread(GPT):
    """A network whose weights are never drawn."""

    def reset(self, seed: int) -> None:
        """Leave them."""


def step_without_values(config: TrainConfig, **changes: Any) -> Any:
    """`Trainer.update` on tensors that have shapes and no values: any read by the host, and any other device, raises."""
    device = torch.device("meta")
    with device:
        model = Unread(config.model, 300)
    model.compute, model.layout = torch.bfloat16, "mask"
    rows, length = config.rows, config.data.sequence
    tensor = torch.empty(rows, length, dtype=torch.int32, device=device)
    batch = loader.Ready(tensor, tensor, tensor, tensor[:, 0], np.array([rows * length, 0]))
    trainer = SimpleNamespace(
        config=config,
        device=device,
        world=World(),
        objective=Objective(model),
        optimizer=Optimizer(model, config.optimizer),
        guard=Guard(config.guard, device),
        corpus=SimpleNamespace(components=["a", "b"]),
        **changes,
    )
    return Trainer.update(trainer, batch, 1e-3)


@pytest.mark.parametrize("family", ["modern", "neox"])
@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_step_reads_nothing_from_the_device(family: str, name: str) -> None:
    shape = {"layers": 2, "width": 64, "heads": 2, "family": family}
    config = small_config(model=shape, optimizer={"name": name}, data={"sequence": 32, "attention": "document"})
    numbers = step_without_values(config)
    assert (numbers.device.type, numbers.shape) == ("meta", (5,))


def test_a_host_read_in_a_step_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Guard.judge
    monkeypatch.setattr(Guard, "judge", lambda guard, loss, norm: judge(guard, loss, norm) * float(norm))
    with pytest.raises(RuntimeError, match="meta tensors"):
        step_without_values(small_config())


def test_blocks_of_documents_are_found_without_a_host_read() -> None:
    found = attention.by_blocks(torch.empty(4, 512, dtype=torch.int32, device="meta"))
    assert found.kv_indices.shape == (4, 1, 4, 4)
    with pytest.raises((RuntimeError, NotImplementedError)):
        attention.by_stretches(torch.empty(4, 512, dtype=torch.int32, device="meta"))


def test_a_batch_is_waited_for_by_the_device_and_its_memory_kept_until_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[tuple[str, object]] = []
    stream = SimpleNamespace(wait_event=lambda event: happened.append(("wait", event)))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)

    def tensor(name: str) -> Any:
        return SimpleNamespace(record_stream=lambda by: happened.append((name, by)))

    batch = loader.Ready(tensor("ids"), tensor("targets"), tensor("documents"), tensor("components"), np.zeros(1))
    loader._wait_for(batch)
    assert happened == []  # on a CPU nothing is waited for
    batch.copied = "copied"
    loader._wait_for(batch)
    assert happened[0] == ("wait", "copied")
    assert sorted(happened[1:], key=str) == [(name, stream) for name in ("components", "documents", "ids", "targets")]


def test_a_checkpoint_holds_the_state_of_its_step_whatever_follows(tmp_path: Path) -> None:
    saver = checkpoint.Saver(tmp_path, keep=2)
    weight = torch.arange(6.0)
    for step in (1, 2):
        weight += step
        saver.begin(step, {"model": [("w", weight)], "optimizer": [("m", 2 * weight)]}, {})
        weight += 100
        facts = saver.wait()
        assert facts is not None
        assert facts["step"] == step
        assert facts["stalled_seconds"] >= 0
    assert checkpoint.load(tmp_path / "step-00000001", "model")["w"].tolist() == [1, 2, 3, 4, 5, 6]
    assert checkpoint.load(tmp_path / "step-00000002", "optimizer")["m"].tolist() == [206, 208, 210, 212, 214, 216]


def test_deterministic_mode_is_on_inside_and_restored_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    with process.deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    with process.deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_a_compiled_run_has_the_losses_of_a_plain_one_and_compiles_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as for a GPU, forward and backward; only the last stage, which makes machine code, is left out."""
    graphs: list[object] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    loss._compiled_slopes.cache_clear()
    torch._dynamo.utils.counters.clear()
    corpus = make_corpus(tmp_path / "corpus")
    losses = []
    for mode in ("off", "blocks"):
        data = {"sequence": 32, "attention": "document"}
        control = {"compile": mode, "evaluate_every": 2, "log_every": 1, "device": "cpu"}
        train.run(corpus, tmp_path / mode, small_config(tokens=4 * 256, control=control, data=data, precision="bf16"))
        losses.append([row["loss"] for row in logbook.steps(tmp_path / mode / "logbook.jsonl")])
    loss._compiled_slopes.cache_clear()
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert len(graphs) == 3  # a block, the last norm, the slopes of the loss
    assert not torch._dynamo.utils.counters["graph_break"]
    torch._dynamo.reset()
    first = logbook.read(tmp_path / "blocks" / "logbook.jsonl")[0]
    assert (first["attention"], first["compiled"], first["documents"]) == ("cpu", True, "mask")
