"""Two processes against one: same samples, gradients, weights and checkpoints, for DDP and FSDP2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file  # noqa: E402

from pilebuilder import train  # noqa: E402
from pilebuilder.errors import PilebuilderError  # noqa: E402
from pilebuilder.train import checkpoint, parallel  # noqa: E402
from pilebuilder.train.config import TrainConfig  # noqa: E402
from pilebuilder.train.loader import Source  # noqa: E402
from pilebuilder.train.shards import Corpus  # noqa: E402
from tests.train.small import make_corpus, small_config  # noqa: E402
from tests.train.two import step  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def config(mode: str) -> TrainConfig:
    control = {"device": "cpu", "checkpoint_every": 8, "log_every": 4, "parallel": mode}
    return small_config(control=control, micro_tokens=64)


def launch(processes: int, *arguments: str) -> None:
    """Run a program in several processes as torchrun does, without its second of start-up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    base = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(processes)}
    base |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={**base, "RANK": str(r), "LOCAL_RANK": str(r)})
        for r in range(processes)
    ]
    assert [process.wait(timeout=240) for process in started] == [0] * processes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("parallel") / "corpus")


@pytest.mark.parametrize("mode", ["ddp", "fsdp"])
def test_two_processes_compute_what_one_does(mode: str, corpus: Path, tmp_path: Path) -> None:
    before = torch.get_default_dtype()
    try:
        alone = step(corpus, tmp_path / "alone", config(mode))
    finally:
        torch.set_default_dtype(before)
    (tmp_path / "two").mkdir()
    launch(2, "-m", "tests.train.two", str(corpus), str(tmp_path / "two"), config(mode).model_dump_json())
    together = load_file(tmp_path / "two" / "result.safetensors")
    assert alone.keys() == together.keys()
    for name, tensor in alone.items():
        # bf16-free double precision: what is left is the order of additions (Muon's iteration enlarges it)
        torch.testing.assert_close(together[name], tensor, rtol=1e-9, atol=1e-12, msg=name)
    path, facts, _ = checkpoint.newest(tmp_path / "two" / "run" / "checkpoints")
    assert path is not None
    assert facts["step"] == 0
    saved = checkpoint.load(path, "model")
    for name, tensor in saved.items():
        torch.testing.assert_close(tensor, alone[f"weight.{name}"], rtol=1e-9, atol=1e-12)


def test_a_run_begun_by_two_processes_goes_on_with_one(corpus: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pilebuilder import train\n"
        "from pilebuilder.train.config import TrainConfig\n"
        "def cut(row):\n"
        "    if row.get('event') == 'checkpoint': raise SystemExit(0)\n"
        "settings = TrainConfig.model_validate_json(sys.argv[3])\n"
        "print(train.run(Path(sys.argv[1]), Path(sys.argv[2]), settings).step)"
    )
    settings = config("fsdp").model_copy(update={"tokens": 256 * 8})
    launch(2, "-c", code, str(corpus), str(tmp_path / "run"), settings.model_dump_json())
    rows = train.run(corpus, tmp_path / "run", settings)
    assert rows.finished
    alone = train.run(corpus, tmp_path / "alone", settings)
    a, b = (checkpoint.newest(tmp_path / name / "checkpoints")[0] for name in ("run", "alone"))
    assert a is not None
    assert b is not None
    one, two = checkpoint.load(a, "model"), checkpoint.load(b, "model")
    assert all(torch.allclose(one[name], two[name], rtol=1e-3, atol=1e-5) for name in one)
    assert alone.scores[-1].bits_per_byte > 0


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_shares_of_a_step_are_its_rows(processes: int, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, world = Source(Corpus(corpus), config("ddp")), parallel.World()
    monkeypatch.setattr(world, "size", processes)
    for number in (0, 7):
        whole, parts = source.batch(number), []
        for rank in range(processes):
            monkeypatch.setattr(world, "rank", rank)
            parts.append(source.batch(number, world.share(source.config.rows)))
        assert (np.concatenate([p.tokens for p in parts]) == whole.tokens).all()
        assert all((p.predicted == whole.predicted).all() for p in parts)


def test_rows_that_do_not_divide_are_refused_with_the_knob(monkeypatch: pytest.MonkeyPatch) -> None:
    world = parallel.World()
    monkeypatch.setattr(world, "size", 3)
    with pytest.raises(PilebuilderError, match=r"multiple of 3 times data\.sequence"):
        world.share(8)
    monkeypatch.setattr(world, "rank", 2)
    assert world.share(9) == slice(6, 9)
