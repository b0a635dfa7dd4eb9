"""Training from files, the card, and the checks on what is loaded again."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pilebuilder import models
from pilebuilder.cli import app
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.models import classifier
from pilebuilder.models.training import Options
from tests.models.docs import buffers

SMALL = Options(dim=4, bucket=2000, holdout=0.2)


def folder_of_examples(folder: Path, count: int = 200) -> Path:
    rng = random.Random(1)
    good = ["theorem", "proof", "lemma", "integral", "measure", "space", "theory", "function", "converges", "bounded"]
    bad = ["click", "buy", "cheap", "now", "offer", "free", "shipping", "deal", "win", "prize"]
    plain = ["the", "a", "of", "to", "and", "in", "is", "it", "that", "for"]
    for name, words in (("good", good), ("bad", bad)):
        with (folder / f"{name}.jsonl").open("w") as stream:
            for i in range(count):
                text = " ".join(rng.choices(words + plain, k=rng.randrange(12, 40))) + f" {i}"
                stream.write(json.dumps({"text": text, "kind": name}) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_of_examples(tmp_path_factory.mktemp("classifier"))
    given = classifier.read_two([str(folder / "good.jsonl")], [str(folder / "bad.jsonl")])
    classifier.train("maths", given, folder / "out", SMALL, note="A test.")
    return folder


def test_the_folder_holds_a_model_that_tells_the_two_apart(trained: Path) -> None:
    found = json.loads((trained / "out/maths/metrics.json").read_text())
    assert found["auc"] > 0.99
    assert 20 < sum(found["held_out"].values()) < 140
    model = classifier.open_classifier(str(trained / "out/maths"))
    scores = model.score(*buffers(["a proof of the lemma", "buy now cheap offer", ""]))
    assert scores[0] > 0.8 > 0.2 > scores[1]
    assert scores[2] <= 1
    card = (trained / "out/maths/card.md").read_text()
    for part in ("A test.", found["sha256"], "good.jsonl", "cannot do", "Length alone", "theorem"):
        assert part in card


def test_training_again_gives_the_same_folder(trained: Path, tmp_path: Path) -> None:
    given = classifier.read_two([str(trained / "good.jsonl")], [str(trained / "bad.jsonl")])
    classifier.train("maths", given, tmp_path, SMALL, note="A test.")
    for name in ("model.bin", "metrics.json", "card.md"):
        assert (tmp_path / "maths" / name).read_bytes() == (trained / "out/maths" / name).read_bytes()


def test_labels_may_stand_in_the_records(trained: Path) -> None:
    patterns = [str(trained / "*.jsonl")]
    two = classifier.read_column(patterns, "kind=good")
    assert two.labels.count("positive") == two.labels.count("negative") == 200
    assert set(classifier.read_column(patterns, "kind").labels) == {"good", "bad"}


def test_percentiles_come_from_the_negative_texts(trained: Path) -> None:
    model = classifier.open_classifier(str(trained / "out/maths"))
    assert 0 <= model.percentile(50) <= model.percentile(90) <= model.percentile(99.9) < 0.9


def test_twins_of_held_out_texts_do_not_teach(tmp_path: Path) -> None:
    folder_of_examples(tmp_path)
    given = classifier.read_two([str(tmp_path / "good.jsonl")], [str(tmp_path / "bad.jsonl")])
    doubled = classifier.Labelled(
        texts=given.texts + [t + " end" for t in given.texts], labels=given.labels * 2, sha256=given.sha256
    )
    found = classifier.train("twins", doubled, tmp_path, SMALL)
    assert found["left_out"]["twins"] > 40


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda f: (f / "model.bin").write_bytes(b"x"), "not the model that"),
        (lambda f: (f / "model.bin").unlink(), "no classifier at"),
    ],
)
def test_a_changed_model_is_refused(trained: Path, tmp_path: Path, change: object, word: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("model.bin", "metrics.json"):
        (copy / name).write_bytes((trained / "out/maths" / name).read_bytes())
    change(copy)  # type: ignore[operator]
    with pytest.raises(PilebuilderError, match=word):
        classifier.open_classifier(str(copy))


def test_bad_requests_are_named(trained: Path, tmp_path: Path) -> None:
    given = classifier.read_two([str(trained / "good.jsonl")], [str(trained / "bad.jsonl")])
    with pytest.raises(RecipeError, match="no name for a model"):
        classifier.train("../x", given, tmp_path)
    with pytest.raises(RecipeError, match="more than 1,000"):
        classifier.train("big", given, tmp_path, SMALL, max_bytes=1000)
    with pytest.raises(RecipeError, match="at least 20"):
        classifier.train("few", classifier.Labelled(texts=["a", "b"], labels=["x", "y"], sha256={}), tmp_path)
    with pytest.raises(PilebuilderError, match="hierarchical softmax"):
        classifier.open_classifier(str(models.locate("lid.176")), "en")


def test_scores_are_the_packages(trained: Path) -> None:
    from pilebuilder.models import ft

    texts = ["a proof of the lemma", "free prize\nwin win", "nothing known here zzz"]
    mine = classifier.open_classifier(str(trained / "out/maths")).score(*buffers(texts))
    labels, scores = ft.reference_best(ft.reference(trained / "out/maths/model.bin"), *buffers(texts))
    theirs = [s if y == "positive" else 1 - s for y, s in zip(labels, scores, strict=True)]
    np.testing.assert_allclose(mine, theirs, atol=1e-4)


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["train-classifier", *map(str, arguments)])
    return done.exit_code, str(done.exception or "") + done.output


def test_the_command_takes_one_file_set_with_a_label_field(trained: Path, tmp_path: Path) -> None:
    chosen = ("--dim", 4, "--bucket", 2000, "--holdout", 0.2, "--char-ngrams", "3-4", "--epochs", 3, "--no-balance")
    labelled = ("--labelled", trained / "*.jsonl", "--label-field", "kind=good", "--text-field", "text")
    code, said = command("maths", *labelled, *chosen, "-o", tmp_path, "--note", "Maths or shop.")
    assert code == 0, said
    for part in ("auc", "auc_of_length_alone", "calibration error", "AUC, 0 to"):
        assert part in said
    found = json.loads((tmp_path / "maths/metrics.json").read_text())
    assert found["options"] | {"dim": 4, "bucket": 2000, "char_min": 3, "char_max": 4, "epochs": 3} == found["options"]
    assert not found["options"]["balance"]
    assert found["note"] == "Maths or shop."
    model = classifier.open_classifier(str(tmp_path / "maths"))
    scores = model.score(*buffers(["a proof of the lemma", "buy now cheap offer"]))
    assert scores[0] > scores[1]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--positive", "a"], "give --positive and --negative, or --labelled"),
        (["--labelled", "a"], "give --positive and --negative, or --labelled"),
        (["--labelled", "{}/*.jsonl", "--label-field", "sort"], "has no field 'sort'"),
        (["--labelled", "{}/*.jsonl", "--label-field", "kind=x"], "needs two labels"),
        (["--labelled", "{}/*.jsonl", "--label-field", "kind", "--dim", "0"], "--dim: Input should be greater"),
        (["--labelled", "{}/*.jsonl", "--label-field", "kind", "--char-ngrams", "6-3"], "shortest and longest as 3-6"),
        (["--retrain", "{}"], "trains the shipped model toxicity"),
    ],
)
def test_mistakes_in_the_command_are_named(trained: Path, tmp_path: Path, arguments: list[str], word: str) -> None:
    code, said = command("x", *(a.format(trained) for a in arguments), "-o", tmp_path)
    assert code != 0
    assert word in said


def test_a_line_of_ten_megabytes_and_line_ends_train_and_score(trained: Path, tmp_path: Path) -> None:
    given = classifier.read_column([str(trained / "*.jsonl")], "kind=good")
    long = classifier.Labelled(
        texts=[*given.texts, "buy cheap\n" * 100_000, "proof of\r\nthe lemma"],
        labels=[*given.labels, "negative", "positive"],
        sha256=given.sha256,
    )
    classifier.train("long", long, tmp_path, SMALL)
    model = classifier.open_classifier(str(tmp_path / "long"))
    scores = model.score(*buffers(["proof of the lemma " * 500_000, "proof of\nthe lemma", "proof of the lemma"]))
    assert scores[1] == scores[2] > 0.5
    assert scores[0] > 0.5
