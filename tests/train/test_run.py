"""Whole runs: learning, bit-equal resume, damage, skips, signals, bits per byte."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pilebuilder import train  # noqa: E402
from pilebuilder.errors import LockedError, NoSpaceError, PilebuilderError  # noqa: E402
from pilebuilder.train import checkpoint, logbook, scoring  # noqa: E402
from pilebuilder.train.loader import make_ready  # noqa: E402
from pilebuilder.train.loop import Trainer  # noqa: E402
from pilebuilder.train.process import locked  # noqa: E402
from pilebuilder.train.shards import Corpus, ShardError  # noqa: E402
from tests.train.small import make_corpus, small_config, write_shard  # noqa: E402

NUMBERS = ("step", "loss", "gradient_norm", "lr", "skipped", "components")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus and an uninterrupted run on it."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("train")
    corpus = make_corpus(folder / "corpus")
    assert train.run(corpus, folder / "run", small_config()).finished
    return corpus, folder / "run"


def first_batch(trainer: Trainer) -> Any:
    return make_ready(trainer.source.batch(0), trainer.config, trainer.device)


def curve(out: Path) -> list[dict[str, Any]]:
    return [{key: row[key] for key in NUMBERS} for row in logbook.steps(out / "logbook.jsonl")]


def same_end(a: Path, b: Path) -> bool:
    states = [checkpoint.newest(out / "checkpoints")[1] for out in (a, b)]
    return states[0] == states[1] and states[0]["step"] == 24


def test_a_run_learns_and_logs_every_step(whole: tuple[Path, Path]) -> None:
    rows = curve(whole[1])
    assert [row["step"] for row in rows] == list(range(24))
    assert rows[0]["loss"] == pytest.approx(math.log(128), rel=0.02)
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert set(rows[-1]["components"]) <= {"Books", "Code", "Tiny"}
    assert len(checkpoint.found(whole[1] / "checkpoints")) == 2
    events = [row["event"] for row in logbook.read(whole[1] / "logbook.jsonl") if row["kind"] == "event"]
    assert events == ["start", "checkpoint", "checkpoint", "evaluate", "checkpoint", "finish"]


def test_resume_is_equal_to_the_bit(whole: tuple[Path, Path], tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(row: Any) -> None:
        if row["kind"] == "step" and row["step"] == 14:
            raise Cut

    with pytest.raises(Cut):
        train.run(whole[0], tmp_path / "run", small_config(), progress=cut)
    assert checkpoint.newest(tmp_path / "run" / "checkpoints")[1]["step"] == 8
    assert train.run(whole[0], tmp_path / "run", small_config()).finished
    assert curve(tmp_path / "run") == curve(whole[1])
    assert same_end(tmp_path / "run", whole[1])


def test_kill_in_the_middle_and_resume_is_equal_to_the_bit(whole: tuple[Path, Path], tmp_path: Path) -> None:
    code = (
        "import sys, os, signal, torch; from pathlib import Path; from pilebuilder import train\n"
        "from tests.train.small import small_config\n"
        "torch.set_num_threads(1)\n"
        "def watch(row):\n"
        "    if row['kind'] == 'step' and row['step'] == 17: os.kill(os.getpid(), int(sys.argv[3]))\n"
        "print(train.run(Path(sys.argv[1]), Path(sys.argv[2]), small_config(), progress=watch).finished)"
    )

    def start(number: int) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", code, str(whole[0]), str(tmp_path / str(number)), str(number)]
        return subprocess.run(line, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])

    assert start(signal.SIGKILL).returncode == -signal.SIGKILL
    stopped = start(signal.SIGTERM)
    assert (stopped.returncode, stopped.stdout) == (0, "False\n"), stopped.stderr
    # SIGTERM saved where it was, not only at the round numbers.
    assert checkpoint.newest(tmp_path / str(int(signal.SIGTERM)) / "checkpoints")[1]["step"] > 17
    for number in (signal.SIGKILL, signal.SIGTERM):
        out = tmp_path / str(int(number))
        assert train.run(whole[0], out, small_config()).finished
        assert curve(out) == curve(whole[1])
        assert same_end(out, whole[1])


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(whole: tuple[Path, Path], tmp_path: Path) -> None:
    code = (
        "import sys, os, signal, torch; from pathlib import Path; from pilebuilder import train\n"
        "from pilebuilder.train import checkpoint\n"
        "from tests.train.small import small_config\n"
        "torch.set_num_threads(1)\n"
        "save = checkpoint.save_file\n"
        "def killed(tensors, path):\n"
        "    save(tensors, path)\n"
        "    if '00000016' in str(path): os.truncate(path, 100); os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoint.save_file = killed\n"
        "train.run(Path(sys.argv[1]), Path(sys.argv[2]), small_config())"
    )
    line = [sys.executable, "-c", code, str(whole[0]), str(tmp_path / "run")]
    done = subprocess.run(line, capture_output=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoint.newest(tmp_path / "run" / "checkpoints")[1]["step"] == 8
    assert train.run(whole[0], tmp_path / "run", small_config()).finished
    assert curve(tmp_path / "run") == curve(whole[1])
    assert not list((tmp_path / "run" / "checkpoints").glob(".partial-*"))


def test_micro_batches_add_up(whole: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = Corpus(whole[0])
    pairs = []
    for micro in (256, 32):
        trainer = Trainer(corpus, tmp_path, small_config(micro_tokens=micro))
        pairs.append(trainer.update(first_batch(trainer), 1e-3))
    torch.testing.assert_close(pairs[0], pairs[1], equal_nan=True)


def test_component_losses_average_to_the_loss(whole: tuple[Path, Path], tmp_path: Path) -> None:
    trainer = Trainer(Corpus(whole[0]), tmp_path, small_config())
    batch = first_batch(trainer)
    loss, _, _, *nats = trainer.update(batch, 1e-3).tolist()
    assert len(nats) == len(batch.predicted) == 3
    assert sum(nats) / batch.predicted.sum() == pytest.approx(loss, rel=1e-5)
    assert batch.predicted.sum() == trainer.config.batch_tokens


def test_another_run_is_refused(whole: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(checkpoint.CheckpointError, match=r"another config \(seed: 1 there, 9 here\)"):
        train.run(whole[0], whole[1], small_config(seed=9))
    other = shutil.copytree(whole[0], tmp_path / "other")
    write_shard(other, "train/02", [(0, [1, 2, 3])])
    with pytest.raises(checkpoint.CheckpointError, match="another data"):
        train.run(other, whole[1], small_config())
    again = train.run(whole[0], whole[1], small_config())
    assert (again.step, again.finished, again.loss) == (24, True, None)
    with locked(whole[1]), pytest.raises(LockedError, match="another process"):
        train.run(whole[0], whole[1], small_config())


def test_a_damaged_checkpoint_gives_way_to_the_one_before(whole: tuple[Path, Path], tmp_path: Path) -> None:
    out = shutil.copytree(whole[1], tmp_path / "run")
    last = checkpoint.found(out / "checkpoints")[0] / "model.safetensors"
    last.write_bytes(last.read_bytes()[:-8])
    assert train.run(whole[0], out, small_config()).finished
    resumed = [row for row in logbook.read(out / "logbook.jsonl") if row.get("event") == "resume"][-1]
    assert resumed["step"] == 16
    assert "model.safetensors is damaged" in resumed["damaged_checkpoints"][0]
    assert same_end(out, whole[1])
    for path in checkpoint.found(out / "checkpoints"):
        (path / "state.json").write_text("{")
    with pytest.raises(checkpoint.CheckpointError, match="not a whole checkpoint"):
        train.run(whole[0], out, small_config())


def test_a_full_disk_leaves_the_checkpoint_before(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = checkpoint.save_file

    def full(tensors: Any, path: Path) -> None:
        if "00000016" in str(path):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        saved(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(NoSpaceError, match="disk is full"):
        train.run(whole[0], tmp_path / "run", small_config())
    assert [p.name for p in sorted((tmp_path / "run" / "checkpoints").iterdir())] == ["step-00000008"]
    monkeypatch.undo()
    assert train.run(whole[0], tmp_path / "run", small_config()).finished
    assert curve(tmp_path / "run") == curve(whole[1])


def test_a_disk_that_fills_under_the_logbook_is_named(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(logbook.Logbook, "step", full)
    with pytest.raises(NoSpaceError, match="run the same command again"):
        train.run(whole[0], tmp_path / "run", small_config())
    monkeypatch.undo()
    assert train.run(whole[0], tmp_path / "run", small_config()).finished
    assert curve(tmp_path / "run") == curve(whole[1])


def test_a_first_step_that_is_not_finite_stops_the_run(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pilebuilder.train.model import GPT

    reset = GPT.reset

    def poisoned(self: Any, seed: int) -> None:
        reset(self, seed)
        with torch.no_grad():
            self.norm.weight[0] = float("nan")

    monkeypatch.setattr(GPT, "reset", poisoned)
    with pytest.raises(PilebuilderError, match="first step is not finite"):
        train.run(whole[0], tmp_path / "run", small_config())
    assert logbook.steps(tmp_path / "run" / "logbook.jsonl")[0]["skipped"] is True
    assert not checkpoint.found(tmp_path / "run" / "checkpoints")


def test_too_little_memory_gives_advice(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "update", fail)
    with pytest.raises(PilebuilderError, match="too little memory on cpu: set micro_tokens to 64"):
        train.run(whole[0], tmp_path / "run", small_config())
    monkeypatch.setattr(Trainer, "update", lambda *_: (_ for _ in ()).throw(RuntimeError("another matter")))
    with pytest.raises(RuntimeError, match="another matter"):
        train.run(whole[0], tmp_path / "run", small_config())


def test_edited_tokens_stop_a_run_before_its_first_step(whole: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = shutil.copytree(whole[0], tmp_path / "corpus")
    path = corpus / "tokens" / "train_00.bin"
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x00")
    with pytest.raises(ShardError, match="digest differs"):
        train.run(corpus, tmp_path / "run", small_config())


def test_documents_can_be_kept_apart_in_a_run(whole: tuple[Path, Path], tmp_path: Path) -> None:
    config = small_config(data={"sequence": 32, "attention": "document"}, tokens=512)
    assert train.run(whole[0], tmp_path / "run", config).finished
    assert curve(tmp_path / "run")[1]["loss"] != curve(whole[1])[1]["loss"]


def test_best_fit_rows_train_and_count_only_what_they_predict(whole: tuple[Path, Path], tmp_path: Path) -> None:
    config = small_config(data={"sequence": 32, "packing": "best-fit", "attention": "document"}, tokens=512)
    assert train.run(whole[0], tmp_path / "run", config).finished
    first = logbook.steps(tmp_path / "run" / "logbook.jsonl")[0]
    assert first["loss"] == pytest.approx(math.log(128), rel=0.02)


def test_the_first_losses_are_those_on_record(whole: tuple[Path, Path]) -> None:
    """Losses of 24 steps as they were; a change of arithmetic that is meant writes the file anew (see `golden.json`)."""
    recorded = json.loads((Path(__file__).parent / "golden.json").read_text())
    found = [row["loss"] for row in curve(whole[1])]
    assert found == pytest.approx(recorded["losses"], rel=2e-5)


def test_a_cut_line_of_the_logbook_loses_only_itself(tmp_path: Path) -> None:
    book = logbook.Logbook(tmp_path / "logbook.jsonl")
    book.step([{"step": 0, "loss": 3.0}, {"step": 1, "loss": 2.0}])
    with book.path.open("ab") as file:
        file.write(b'{"kind": "step", "ste')
    book.step([{"step": 1, "loss": 2.5}])
    assert [row["loss"] for row in logbook.steps(book.path)] == [3.0, 2.5]


@pytest.mark.parametrize(
    ("tokens", "length", "stride"), [(1, 8, 8), (8, 8, 8), (9, 8, 8), (50, 8, 3), (50, 8, 1), (0, 8, 8)]
)
def test_windows_score_each_token_once(tokens: int, length: int, stride: int) -> None:
    found = list(scoring.windows(0, tokens, length, stride))
    assert [i for _, _, stop, scored in found for i in range(scored, stop)] == list(range(tokens))
    assert all(0 <= first <= scored and stop - first <= length for _, first, stop, scored in found)


def test_bits_per_byte_of_a_network_that_knows_nothing(whole: tuple[Path, Path], tmp_path: Path) -> None:
    """All weights zero: every padded id is equally likely, 7 bits per token, and texts have two bytes per token."""
    trainer = Trainer(Corpus(whole[0]), tmp_path, small_config())
    for weight in trainer.model.parameters():
        weight.data.zero_()
    held = Corpus(whole[0], "val")
    rows = scoring.score(trainer.model, held, trainer.config)
    assert [row.component for row in rows] == ["Books", "Code", "overall"]
    for row in rows:
        assert row.bits_per_byte == pytest.approx(math.log2(128) / 2, rel=1e-6)
        assert row.standard_error == pytest.approx(0.0, abs=1e-6)
    assert rows[-1].bytes == int(held.text_bytes.sum())
    assert rows[-1].documents == rows[-1].of_documents == len(held.text_bytes)
    limited = scoring.score(trainer.model, held, trainer.config, tokens=1)
    assert [row.documents for row in limited] == [1, 1, 2]


def test_evaluation_equals_one_document_at_a_time(whole: tuple[Path, Path]) -> None:
    model, config, _ = scoring.load_model(whole[1])
    held = Corpus(whole[0], "val")
    nats = scoring.document_nats(model, held, np.arange(len(held.length)), config.data.sequence, 5, 3)
    i = int(np.argmax(held.length))
    text = torch.from_numpy(held.document(i))
    shifted = torch.cat((torch.tensor([held.tokenizer["eod"]]), text))
    total = 0.0
    for k in range(len(text) - 1):
        scored_stop = 32 if k < 32 else min(len(text) - 1, 32 + 5 * -(-(k - 31) // 5))
        start = max(0, scored_stop - 32)
        total -= float(model.logits(shifted[None, start : k + 1])[0, -1].log_softmax(-1)[text[k]].detach())
    assert nats[i] == pytest.approx(total, rel=1e-4)


def test_evaluating_a_run_afterwards_gives_what_the_run_logged(whole: tuple[Path, Path]) -> None:
    logged = next(r for r in logbook.read(whole[1] / "logbook.jsonl") if r.get("event") == "evaluate")
    assert [s.as_json() for s in train.evaluate(whole[0], whole[1])] == logged["scores"]
    overlap = train.evaluate(whole[0], whole[1], stride=8)
    assert overlap[-1].tokens == logged["scores"][-1]["tokens"]
    with pytest.raises(PilebuilderError, match="stride"):
        train.evaluate(whole[0], whole[1], stride=33)


def test_another_tokenizer_is_refused_in_evaluation(whole: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    for path in (corpus / "tokens").glob("*.json"):
        content = json.loads(path.read_bytes())
        content["tokenizer"]["name"] = "other"
        path.write_text(json.dumps(content))
    with pytest.raises(PilebuilderError, match="tokenizer small"):
        train.evaluate(corpus, whole[1])


def test_standard_error_of_a_ratio_is_near_its_bootstrap() -> None:
    rng = np.random.default_rng(1)
    size = rng.integers(50, 500, 200)
    bits = size * rng.normal(1.0, 0.2, 200)
    _, error = scoring.ratio(bits, size)
    draws = [rng.integers(0, 200, 200) for _ in range(2000)]
    bootstrap = np.std([bits[d].sum() / size[d].sum() for d in draws])
    assert error == pytest.approx(float(bootstrap), rel=0.1)
    assert scoring.ratio(bits[:1], size[:1])[1] is None
