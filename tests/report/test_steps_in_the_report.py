"""What filter steps found is in the report: certificates of evaluation sets, personal data, toxic documents."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml

from pilebuilder.build.run import Build
from pilebuilder.recipe import load_recipe
from tests import mini


def article(k: int) -> str:
    rng = random.Random(k)
    return " ".join(mini.sentence(rng) for _ in range(4))


RUDE = "You are a stupid idiot and a pathetic loser. Shut up, you disgusting moron, you are garbage. " * 3


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("steps")
    quiz = [article(k) for k in range(3)]
    texts = [f"{article(100 + k)} Write to jane{k}@corp-mail.org or bob@corp-mail.org." for k in range(30)]
    texts += [f"{article(200)} {quiz[1]} {article(201)}", RUDE]
    (folder / "data").mkdir()
    (folder / "data" / "a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    (folder / "quiz.jsonl").write_text("".join(json.dumps({"q": q}) + "\n" for q in [*quiz, "too short"]))
    recipe = {
        "name": "steps",
        "components": [{"name": "T", "fetch": {"local": {"path": str(folder / "data")}}, "read": "jsonl"}],
        "filter": [
            "toxicity",
            {"decontaminate": {"against": {"quiz": [str(folder / "quiz.jsonl")]}}},
            {"pii": {"kinds": ["email"]}},
        ],
        "dedup": {"minhash": None},
        "shard": {"count": 1},
        "tokenize": False,
        "report": {"topics": False},
    }
    path = folder / "steps.yaml"
    path.write_text(yaml.safe_dump(recipe))
    run = Build(load_recipe(path), folder / "out", workers=1)
    run.run()
    return {p.stem: json.loads(p.read_text()) for p in (run.root / "reports" / "tables").glob("*.json")}


def test_a_certificate_for_each_evaluation_set(tables: dict[str, Any]) -> None:
    (row,) = tables["certificates"]["rows"]
    assert (row["benchmark"], row["items"], row["items_too_short"]) == ("quiz", 4, 1)
    assert (row["items_found"], row["documents_found"], row["documents_removed"]) == (1, 1, 1)
    assert row["action"] == "drop"
    assert "ngram 13" in row["parameters"]
    assert len(row["files"].split()[-1]) == 64


def test_finds_of_personal_data_by_type_and_what_was_done(tables: dict[str, Any]) -> None:
    (row,) = tables["personal-data-found"]["rows"]
    assert (row["component"], row["type"], row["documents"], row["finds"]) == ("T", "email", 30, 60)
    assert row["done"] == "edited 30 documents (pii.mask)"


def test_documents_that_toxicity_removed(tables: dict[str, Any]) -> None:
    (row,) = tables["toxicity-removed"]["rows"]
    assert (row["component"], row["rule"], row["documents"]) == ("T", "toxicity.toxicity", 1)
    assert row["share"] == pytest.approx(1 / 32)
