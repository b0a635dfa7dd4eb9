"""Comparing corpora: a corrupted one loses, its twin does not, noise is stated, bad input named."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from typer.testing import CliRunner  # noqa: E402

from pilebuilder.cli import app  # noqa: E402
from pilebuilder.errors import PilebuilderError  # noqa: E402
from pilebuilder.report import facts as report_facts  # noqa: E402
from pilebuilder.report.sections import comparison  # noqa: E402
from pilebuilder.train import compare, texts  # noqa: E402
from tests.train.written import byte_config, documents, make_text_corpus  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def corrupted(held: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same lengths, the letters of the prose drawn anew."""
    rng = random.Random(7)
    return [(c, "".join(rng.choice("abcdefgh\n") for _ in t) if c == "Prose" else t) for c, t in held]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("corpora")
    held = {"train": documents(60, 1), "val": documents(8, 2), "test": documents(40, 3)}
    first = folder / "clean"
    second = folder / "noisy"
    for path in (first, second):
        path.mkdir()
    make_text_corpus(first, held)
    # It holds out documents of its own, some shared, and one that the first was trained on.
    own = [*held["test"][:20], *documents(16, 4), held["train"][0]]
    make_text_corpus(second, {**held, "train": corrupted(held["train"]), "test": own})
    return first, second


@pytest.fixture(scope="module")
def result(corpora: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    config = byte_config(tokens=40 * 256)
    sides = [compare.Side(name=p.name, corpus=p, config=config) for p in corpora]
    path = compare.compare(sides[0], sides[1], out, seeds=2, split="test", tokens=None, say=lambda _: None)
    return dict(json.loads(path.read_bytes()))


def test_noise_in_one_component_is_found_there(result: dict[str, Any]) -> None:
    found = {(r["component"], r["of"]): r for r in result["rows"]}
    prose = found["Prose", "both"]
    assert prose["verdict"] == "first"
    assert prose["difference"] > 0.2
    assert prose["low"] > 0
    assert abs(found["Sums", "both"]["difference"]) < prose["difference"] / 2
    assert result["rows"][-1]["component"] == "overall"
    assert result["rows"][-1]["documents"] == sum(
        r["documents"] for r in result["rows"] if r["component"] != "overall"
    )


def test_what_was_trained_on_is_left_out(result: dict[str, Any]) -> None:
    # The document of the first's training split is held out by the second, which holds out 37.
    assert result["left_out"] == 1
    of = {
        o: sum(r["documents"] for r in result["rows"] if r["of"] == o and r["component"] != "overall")
        for o in ("both", "clean", "noisy")
    }
    assert of == {"both": 20, "clean": 20, "noisy": 16}


def test_the_interval_follows_its_formula(result: dict[str, Any]) -> None:
    from scipy.stats import t

    row = result["rows"][0]
    d = np.array([b - a for a, b in row["by_seed"]])
    assert row["difference"] == pytest.approx(d.mean())
    assert row["error_over_seeds"] == pytest.approx(d.std(ddof=1) / math.sqrt(2))
    half = math.hypot(t.ppf(0.975, 1) * row["error_over_seeds"], 1.959964 * row["error_over_documents"])
    assert (row["low"], row["high"]) == (
        pytest.approx(row["difference"] - half),
        pytest.approx(row["difference"] + half),
    )


def test_equal_sides_are_told_apart_as_often_as_promised() -> None:
    """Differences that are noise alone lie outside the interval in about one case of twenty."""
    rng = np.random.default_rng(5)
    outside = 0
    held = compare.HeldOut(
        documents=[texts.Text(str(i), "A", "x" * 50) for i in range(40)], of=["both"] * 40, left_out=0
    )
    for _ in range(300):
        common = rng.normal(60, 10, 40)
        both = [common + rng.normal(0, 3, (4, 40)) + rng.normal(0, 1, (4, 1)) for _ in range(2)]
        outside += compare.rows(held, *both)[-1]["verdict"] != "no difference seen"
    assert outside / 300 < 0.1


def test_one_seed_judges_nothing() -> None:
    held = compare.HeldOut(
        documents=[texts.Text("a", "A", "xx"), texts.Text("b", "A", "yyy")], of=["both"] * 2, left_out=0
    )
    (row, _) = compare.rows(held, np.array([[8.0, 9.0]]), np.array([[4.0, 5.0]]))
    assert (row["difference"], row["low"], row["verdict"]) == (pytest.approx(-8 / 5), None, "not judged: one seed")
    two = compare.HeldOut(documents=held.documents[:1], of=["both"], left_out=0)
    assert compare.rows(two, np.ones((2, 1)), np.zeros((2, 1)))[0]["verdict"] == "not judged: one document"


def test_the_report_shows_the_comparison(result: dict[str, Any]) -> None:
    facts = report_facts.Facts(corpus={}, sources=(), stages={}, comparisons=[result])
    (table,) = comparison.comparison_tables(facts)
    shown = {(r[0], r[1]): r for r in table.rows}
    assert str(shown["Prose", "both"][2]) == "too few (n = 10)"
    assert shown["overall", "all"][4] == result["rows"][-1]["difference"]
    figure = comparison.comparison_figure(result, table.name)
    assert figure is not None
    assert "overall (all)" in figure.draw(600)


def run(*words: Any) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        return 1, str(done.exception)
    return done.exit_code, done.output


def test_the_verb_compares_two_mixtures_of_one_corpus(corpora: tuple[Path, Path], tmp_path: Path) -> None:
    base = [
        "train",
        "compare",
        corpora[0],
        corpora[0],
        "--out",
        tmp_path / "c",
        "--seeds",
        1,
        "--preset",
        "mini",
        "--tokens",
        "4096",
    ]
    for setting in (
        "data.sequence=64",
        "data.vocabulary=null",
        "batch_tokens=1024",
        "micro_tokens=1024",
        "model.width=32",
    ):
        base += ["--set", setting]
    assert "nothing to compare" in run(*base)[1]
    code, said = run(*base, "--second", "data.weights={Prose: 0.9, Sums: 0.1}", "--eval-tokens", "500")
    assert (code, "clean (first)" in said, "not judged: one seed" in said) == (0, True, True)
    assert {"a", "b", "comparison.json", "comparison.md"} == {p.name for p in (tmp_path / "c").iterdir()}


def test_bad_input_is_named(corpora: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = (compare.Side(name=p.name, corpus=p, config=byte_config(tokens=1024)) for p in corpora)
    other = compare.Side(name="x", corpus=corpora[1], config=byte_config(tokens=2048))

    def ask(a: compare.Side, b: compare.Side, **more: Any) -> None:
        compare.compare(a, b, tmp_path, **{"seeds": 1, "split": "test", "tokens": None, "say": lambda _: None, **more})

    with pytest.raises(PilebuilderError, match="same number of tokens"):
        ask(first, other)
    with pytest.raises(PilebuilderError, match="at least one seed"):
        ask(first, second, seeds=0)
    with pytest.raises(PilebuilderError, match="is missing"):
        ask(first, second, split="dev")
    assert compare.names_of(Path("/a/x"), Path("/b/x")) == ("a/x", "b/x")
