"""Evaluation of runs and folders: the same numbers on every road, sums that hold, bad input named."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from typer.testing import CliRunner  # noqa: E402

from pilebuilder import train  # noqa: E402
from pilebuilder.cli import app  # noqa: E402
from pilebuilder.errors import PilebuilderError  # noqa: E402
from pilebuilder.models.vocabulary import load  # noqa: E402
from pilebuilder.train import cloze, evaluation, scoring, texts  # noqa: E402
from pilebuilder.train.config import Model  # noqa: E402
from pilebuilder.train.generate import Sampling, choose, continue_ids, sample  # noqa: E402
from pilebuilder.train.model import GPT  # noqa: E402
from pilebuilder.train.shards import Corpus  # noqa: E402
from pilebuilder.train.subject import open_subject  # noqa: E402
from tests.train.written import byte_config, byte_tokenizer, make_text_corpus  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    corpus = make_text_corpus(tmp_path_factory.mktemp("corpus"))
    out = corpus / "runs" / "first"
    train.run(corpus, out, byte_config(tokens=40 * 256))
    return corpus, out


@pytest.fixture(scope="module")
def result(trained: tuple[Path, Path]) -> dict[str, Any]:
    return evaluation.evaluate(trained[0], open_subject(trained[1]), evaluation.Request())


def test_a_sample_is_what_the_whole_context_gives_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and values that are kept change no token, also when the context is full and begins anew."""
    network = GPT(Model(layers=2, width=32, heads=2), 60, seed=4).requires_grad_(False)
    for weight in network.parameters():  # initial weights would say the same again and again
        weight.mul_(3.0)
    subject: Any = SimpleNamespace(network=network, sequence=16)
    tokenizer: Any = SimpleNamespace(size=60, eod=59)
    given = [59, *range(20)]
    found = continue_ids(subject, tokenizer, given, Sampling(tokens=40, temperature=0))
    window, wanted = given[-16:], []
    while len(wanted) < len(found):
        wanted.append(int(network.logits(torch.tensor([window]))[0, -1, :60].argmax()))
        window = window[-7:] if len(window) == 16 else window
        window.append(wanted[-1])
    assert found == wanted
    assert len(set(found)) > 3
    seen: list[int] = []
    run = network.forward
    monkeypatch.setattr(network, "forward", lambda ids, **more: seen.append(ids.shape[1]) or run(ids, **more))
    continue_ids(subject, tokenizer, given, Sampling(tokens=12, temperature=0))
    assert seen == [16, 8, 1, 1, 1, 1, 1, 1, 1, 1, 8, 1]


def test_text_and_token_files_give_the_same_numbers(trained: tuple[Path, Path]) -> None:
    corpus, out = trained
    subject = open_subject(out)
    held = Corpus(corpus, "test")
    again = texts.TextSet(list(texts.read_split(corpus, "test")), subject.tokenizer(), "test")
    assert again.components == held.components
    assert sorted(again.id(i) for i in range(len(again.length))) == sorted(held.id(i) for i in range(len(held.length)))
    first, second = (scoring.measure(subject.network, h, 64, 4) for h in (held, again))
    for a, b in zip(first, second, strict=True):
        assert a.bits_per_byte == pytest.approx(b.bits_per_byte, rel=1e-6)
        assert (a.component, a.bytes, a.tokens, a.documents) == (b.component, b.bytes, b.tokens, b.documents)


def test_the_overall_value_is_a_ratio_of_sums(result: dict[str, Any]) -> None:
    for protocol in result["protocols"]:
        *parts, whole = protocol["scores"]
        bits = sum(row["bits_per_byte"] * row["bytes"] for row in parts)
        assert whole["bits_per_byte"] == pytest.approx(bits / whole["bytes"])
        assert whole["component"] == "overall"


def test_more_context_scores_the_same_tokens_better(result: dict[str, Any]) -> None:
    segments, sliding = result["protocols"]
    assert (segments["name"], segments["stride"], sliding["name"], sliding["stride"]) == (
        "segments",
        64,
        "sliding",
        32,
    )
    assert segments["scores"][-1]["tokens"] == sliding["scores"][-1]["tokens"]
    assert sliding["scores"][-1]["bits_per_byte"] < segments["scores"][-1]["bits_per_byte"]


def test_positions_add_up_to_the_whole(result: dict[str, Any]) -> None:
    protocol = result["protocols"][0]
    whole = protocol["scores"][-1]
    assert [start for start, _, _ in protocol["positions"]] == list(range(0, 64, scoring.BUCKET))
    assert sum(n for _, _, n in protocol["positions"]) == whole["tokens"]
    nats = sum(mean * n for _, mean, n in protocol["positions"])
    assert nats / whole["tokens"] == pytest.approx(whole["nats_per_token"], rel=1e-5)
    assert "positions" not in result["protocols"][1]


def test_a_result_holds_no_clock_and_no_path_and_is_the_same_again(
    trained: tuple[Path, Path], result: dict[str, Any]
) -> None:
    again = evaluation.evaluate(trained[0], open_subject(trained[1]), evaluation.Request())
    assert again == result
    assert str(trained[0]) not in json.dumps(result)
    path = evaluation.save(trained[0], result)
    assert path == trained[0] / "evaluations" / "first.test.json"
    assert json.loads(path.read_bytes()) == result


def test_an_export_scores_as_its_run(trained: tuple[Path, Path], result: dict[str, Any], tmp_path: Path) -> None:
    from pilebuilder.train.export import export

    folder = export(open_subject(trained[1]), tmp_path / "first", evaluations=[result])
    held = evaluation.evaluate(trained[0], open_subject(folder), evaluation.Request())
    assert held["subject"]["kind"] == "import"
    for a, b in zip(result["protocols"], held["protocols"], strict=True):
        for mine, theirs in zip(a["scores"], b["scores"], strict=True):
            assert mine["bits_per_byte"] == pytest.approx(theirs["bits_per_byte"], rel=1e-5)
    assert held["cloze"]["held-out"][0]["passages"] == result["cloze"]["held-out"][0]["passages"]
    card = (folder / "README.md").read_text()
    assert f"| overall | {result['protocols'][0]['scores'][-1]['bits_per_byte']:.4f} |" in card


def test_passages_are_found_where_they_are() -> None:
    filler = "The garden was full of letters and the teacher asked about them in the morning again and again today."
    text = f"{filler} {filler} Nobody knew who had brought the garden letters."
    (found,) = cloze.passages([texts.Text("a", "Prose", text)])
    assert found.word == "letters"
    assert found.context.endswith("brought the garden")
    for other in (
        text.replace("letters.", "zebras."),  # does not occur before
        text.replace("garden letters.", "morning that."),  # too common
        f"{filler} letters.",  # too few words
        "garden letters " * 30,  # no sentence
        "",
    ):
        assert not cloze.passages([texts.Text("a", "Prose", other)])
    many = [texts.Text(str(i), "Prose", text.replace("Nobody", f"Nobody{'x' * i}")) for i in range(5)]
    assert len(cloze.passages(many, 3)) == 3
    assert cloze.passages(many, 3) == cloze.passages(reversed(many), 3)


def test_the_cloze_asks_for_every_token_of_the_word(trained: tuple[Path, Path]) -> None:
    """A network that always says the same byte guesses just the words made of it."""

    class Always(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def logits(self, ids: Any) -> Any:
            made = torch.zeros(*ids.shape, 257)
            made[..., ord("z")] = 5.0
            made[:, :, 32] = torch.where(ids == ord("."), 9.0, 0.0)
            return made

    tokenizer = load(str(trained[0] / "bytes.json"))
    asked = [
        cloze.Passage("A", "once upon.", "zzz"),
        cloze.Passage("A", "once upon.", "zzy"),
        cloze.Passage("B", ".", "z"),
    ]
    rows = cloze.score(Always(), tokenizer, asked, 64, 2)
    assert [(r["component"], r["passages"], r["accuracy"]) for r in rows] == [
        ("A", 2, 0.5),
        ("B", 1, 1.0),
        ("overall", 3, pytest.approx(2 / 3)),
    ]
    likely = -math.log(math.exp(5) / (math.exp(5) + 256)), -math.log(math.exp(9) / (math.exp(9) + math.exp(5) + 255))
    assert rows[1]["nats_per_word"] == pytest.approx(likely[0] + likely[1], rel=1e-5)
    low, high = cloze.wilson(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-3), pytest.approx(0.5962, abs=1e-3))


def test_lambada_is_read_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "one two three"}) + "\n\n")
    (tmp_path / "a.txt").write_text("one two three\n")
    for name in ("a.jsonl", "a.txt"):
        assert cloze.read_lambada(tmp_path / name) == [cloze.Passage("LAMBADA", "one two", "three")]
    (tmp_path / "bad").write_text('{"txt": 1}\n')
    with pytest.raises(PilebuilderError, match=r"bad, line 1: not a passage"):
        cloze.read_lambada(tmp_path / "bad")
    (tmp_path / "empty").write_text("")
    with pytest.raises(PilebuilderError, match="no passage"):
        cloze.read_lambada(tmp_path / "empty")


def test_samples_follow_their_seed(trained: tuple[Path, Path]) -> None:
    subject = open_subject(trained[1])
    tokenizer = subject.tokenizer()
    first, again, other = (
        sample(subject, tokenizer, "The river", Sampling(tokens=80, seed=s, top_k=0, temperature=1.0))
        for s in (1, 1, 2)
    )
    assert first == again != other
    greedy = [sample(subject, tokenizer, "1 + 1", Sampling(tokens=5, seed=s, temperature=0)) for s in (1, 2)]
    assert greedy[0] == greedy[1]
    with pytest.raises(PilebuilderError, match="not be negative"):
        Sampling(temperature=-1)


def test_top_k_draws_among_the_likeliest_with_their_shares() -> None:
    logits = torch.log(torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64))
    maker = torch.Generator().manual_seed(0)
    drawn = np.bincount([choose(logits, Sampling(top_k=2, temperature=1.0), maker) for _ in range(3000)], minlength=4)
    assert drawn[2:].sum() == 0
    assert drawn[0] / 3000 == pytest.approx(0.5 / 0.7, abs=0.03)
    assert choose(logits, Sampling(top_k=1), maker) == 0


def run(*words: Any) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        return 1, str(done.exception)
    return done.exit_code, done.output


def test_the_verbs(trained: tuple[Path, Path], tmp_path: Path) -> None:
    corpus, out = trained
    code, said = run("train", "eval", out, "--split", "val", "--no-sliding", "--name", "a run/1")
    assert (code, "| overall |" in said, "GPT-2 small 1.2253" in said) == (0, True, True)
    held = json.loads((corpus / "evaluations" / "a-run-1.val.json").read_bytes())
    assert [p["name"] for p in held["protocols"]] == ["segments"]
    code, said = run("train", "export", out, "--out", tmp_path / "hub")
    assert (code, "model.safetensors" in said) == (0, True)
    code, said = run("generate", tmp_path / "hub", "--prompt", "The ", "--tokens", 9, "--samples", 2)
    assert (code, said.count("--- sample")) == (0, 2)
    assert (
        said.split("\n", 1)[1]
        == run("generate", out, "--prompt", "The ", "--tokens", 9, "--samples", 2)[1].split("\n", 1)[1]
    )
    assert run("train", "note", out, "all well")[0] == 0
    assert "all well" in (out / "logbook.jsonl").read_text()
    code, said = run("train", "logbook", out, "--out", tmp_path / "page")
    assert (code, said.strip()) == (0, str(tmp_path / "page" / "index.html"))
    page = (tmp_path / "page" / "index.html").read_text()
    assert all(word in page for word in ("all well", "Started", "figure-loss-first", "Evaluated on val"))
    assert "| note | all well |" in (tmp_path / "page" / "logbook.md").read_text()


def test_bad_input_is_named(trained: tuple[Path, Path], tmp_path: Path) -> None:
    corpus, out = trained
    assert "no such folder" in run("train", "eval", tmp_path / "none")[1]
    assert "there are val and test" in run("train", "eval", out, "--split", "train")[1]
    assert "must lie between 1 and" in run("train", "eval", out, "--stride", 65)[1]
    assert "not a number of tokens" in run("train", "eval", out, "--tokens", "many")[1]
    assert "the note is empty" in run("train", "note", out, "  ")[1]
    assert "not the folder of a training run" in run("train", "note", tmp_path, "x")[1]
    assert "not the folder of a training run" in run("train", "logbook", tmp_path)[1]
    assert "cannot name a file" in run("train", "eval", out, "--split", "val", "--name", "//")[1]
    assert run("train", "export", out, "--out", tmp_path / "hub")[0] == 0
    assert "--corpus" in run("train", "eval", tmp_path / "hub")[1]
    assert "is no training run" in run("train", "export", tmp_path / "hub", "--out", tmp_path / "b")[1]

    moved = shutil.copytree(corpus, tmp_path / "moved")
    path = moved / "test.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(PilebuilderError, match="its digest differs"):
        list(texts.read_split(moved, "test"))
    (moved / "corpus.lock").unlink()
    with pytest.raises(PilebuilderError, match="is cut"):
        list(texts.read_split(moved, "test"))
    path.unlink()
    with pytest.raises(PilebuilderError, match="is missing"):
        list(texts.read_split(moved, "test"))


def test_a_missing_or_wrong_tokenizer_is_named(trained: tuple[Path, Path], tmp_path: Path) -> None:
    alone = shutil.copytree(trained[1], tmp_path / "alone")
    for kept in alone.glob("tokenizer.*"):
        kept.unlink()
    rows = (alone / "logbook.jsonl").read_text().replace(str(trained[0]), str(tmp_path / "gone"))
    (alone / "logbook.jsonl").write_text(rows)
    subject = open_subject(alone)
    with pytest.raises(PilebuilderError, match="--tokenizer"):
        subject.tokenizer()
    assert subject.tokenizer(str(trained[0] / "bytes.json")).size == 257
    other = byte_tokenizer(tmp_path / "other.json")
    other.write_text(other.read_text().replace("1.0", "1.1"))
    with pytest.raises(PilebuilderError, match="is another one"):
        subject.tokenizer(str(other))


def test_the_tokenizer_is_kept_with_the_run(trained: tuple[Path, Path]) -> None:
    assert (trained[1] / "tokenizer.json").read_bytes() == (trained[0] / "bytes.json").read_bytes()
