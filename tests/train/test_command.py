"""``pilebuilder train`` as a person meets it: recipes with a train section, the default verb, JSON lines, messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from typer.testing import CliRunner

from pilebuilder import yamlfile
from pilebuilder.cli import app
from pilebuilder.errors import EXIT_INTERRUPTED, PilebuilderError, RecipeError
from pilebuilder.recipe import json_schema, resolve_recipe
from pilebuilder.train import command, loop
from pilebuilder.train.progress import event_line, step_line
from tests.train.small import make_corpus, small_config

RECIPE = """\
name: tiny
components:
  - name: notes
    fetch: {local: {path: data}}
    read: text
"""
SHAPE = [
    f"--set={name}={value}"
    for name, value in {
        "model": "{layers: 1, width: 32, heads: 2}",
        "data": "{sequence: 32, vocabulary: null}",
        "batch_tokens": 256,
        "micro_tokens": 256,
        "control.evaluate_every": 0,
        "control.log_every": 2,
        "control.device": "cpu",
    }.items()
]


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(done.exception, PilebuilderError):
        return done.exception.exit_code, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def recipe(text: str) -> object:
    return resolve_recipe(yamlfile.parse(text, Path("my.yaml")))


def test_a_recipe_may_say_how_to_train_and_its_corpus_stays_the_same() -> None:
    plain = recipe(RECIPE)
    found = recipe(RECIPE + "train:\n  preset: 10m\n  tokens: 50M\n  optimizer: {lr: 1.0e-3}\n")
    config = found.sections["train"]  # type: ignore[attr-defined]
    assert (config.tokens, config.optimizer.lr, config.model.layers) == (50_000_000, 1e-3, 6)
    assert found.digest == plain.digest  # type: ignore[attr-defined]
    assert "preset" in json_schema()["properties"]["train"]["properties"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("train: {preset: 350}", r"my\.yaml:6: .*did you mean '350m'"),
        ("train: {model: {widht: 3}}", r"my\.yaml:6: unknown key 'widht' \(did you mean 'width'\?\)"),
        ("train: {tokens: many}", r"my\.yaml:6: train\.tokens: .*300M or 7B"),
        ("trian: {}", "did you mean 'train'"),
    ],
)
def test_a_bad_train_section_is_named_by_file_and_line(section: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(RECIPE + section + "\n")


def test_train_is_short_for_train_run_and_writes_json_lines_to_a_pipe(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    code, said = run("train", corpus, "--tokens", 1024, *SHAPE)
    assert code == 0
    rows = [json.loads(line) for line in said.splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "step"] == [0, 1, 2, 3]
    assert rows[-1]["event"] == "finish"
    out = corpus / "runs" / "mini"
    assert (out / "logbook.jsonl").is_file()
    code, said = run("train", "trace", out, "--step", 2)
    assert code == 0
    assert sum(int(line.split("\t")[-1]) for line in said.splitlines()) == 256
    assert run("train", "trace", out, "--batch", 2) == (code, said)
    assert json.loads(run("train", "trace", out, "--step", 2, "--json")[1].splitlines()[0])["row"] == 0
    assert run("train", "trace", out)[0] == 2
    code, said = run("train", corpus, "--tokens", 2048, *SHAPE)
    assert code != 0
    assert "tokens: 1024 there, 2048 here" in said


def test_plan_says_what_a_run_would_take(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    code, said = run("train", "plan", corpus, "--preset", "124m")
    assert code == 0
    assert "parameters" in said
    assert "kWh" in said
    plan = json.loads(run("train", "plan", corpus, "--depth", 12, "--json")[1])
    assert plan["steps"] > 1000


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    assert (
        "is not built; run: pilebuilder build quickstart" in run("train", "quickstart")[1] or Path("corpus").exists()
    )
    (tmp_path / "empty").mkdir()
    assert "no train tokens" in run("train", tmp_path / "empty")[1]
    assert "--set 'lr'" in run("train", make_corpus(tmp_path / "corpus"), "--set", "lr")[1]
    assert "not the folder of a training run" in run("train", "trace", tmp_path, "--step", 1)[1]


def test_rows_longer_than_every_document_are_said_before_and_in_the_logbook(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    shape = [*SHAPE, "--tokens", 512, "--set", "data.sequence=128", "--set", "model.layers=1"]
    assert (
        "no document is longer than a row (data.sequence 128, the longest has"
        in run("train", "plan", corpus, *shape)[1]
    )
    code, said = run("train", corpus, *shape)
    assert code == 0
    rows = [json.loads(line) for line in said.splitlines()]
    assert [row["event"] for row in rows if row["kind"] == "event"][:2] == ["start", "advice"]
    assert "advice" not in run("train", "plan", corpus, *SHAPE)[1]


def test_a_file_in_the_place_of_the_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = run("train", make_corpus(tmp_path / "corpus"), *SHAPE, "--out", tmp_path / "file")
    assert code != 0
    assert "file cannot be the folder of a run: File exists" in said


def test_an_interrupted_run_exits_as_the_shell_expects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = loop.Outcome(step=3, finished=False, loss=1.0, scores=[])
    monkeypatch.setattr(loop, "train", lambda *_, **__: stopped)
    asked = command.Wanted(corpus=tmp_path, config=small_config(), out=tmp_path)
    assert command.run(asked, True) == EXIT_INTERRUPTED


def test_lines_for_a_terminal() -> None:
    row = {"loss": 2.5, "gradient_norm": None, "lr": 1e-3, "tokens_per_second": 1234.0, "skipped": True, "mfu": 0.5}
    assert step_line(row) == "loss 2.5000  lr 1.0e-03  norm not finite  1,234 tokens/s  mfu 50.0%  skipped"
    assert event_line({"event": "checkpoint", "step": 3}) == ""
    assert event_line({"event": "rollback", "step": 3, "why": "x"}) == "rollback at step 3: x"
    start = {"event": "start", "step": 0, "parameters": 1234, "device": "H100", "attention": "flash_attention"}
    assert event_line(start) == "start: 1,234 parameters on H100, attention flash_attention"
    more = {"documents": "mask", "refused_kernels": {"blocks": "TypeError: none"}}
    assert event_line(start | more).endswith("within documents by mask (not taken: blocks: TypeError: none)")
