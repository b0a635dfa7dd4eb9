"""The evaluation set that the package carries: made by the generator of mathematics, and worth looking for."""

from __future__ import annotations

import json
from importlib.resources import files

from pilebuilder.fetch.mathematics.generator import MODULES, questions
from pilebuilder.filter.decontaminate import Decontaminate
from tests.models.docs import docs

NAME = "pilebuilder:filter/evaluation/mathematics.jsonl"
FILE = files("pilebuilder") / "filter/evaluation/mathematics.jsonl"


def made() -> str:
    """20 questions of each module at the easy level, from a seed of their own."""
    lines = []
    for module in MODULES:
        found = questions(module, "train-easy", "evaluation", 20).splitlines()
        for question, answer in zip(found[::2], found[1::2], strict=True):
            lines.append(json.dumps({"module": module, "question": question, "answer": answer}))
    return "\n".join(lines) + "\n"


def test_the_file_is_what_the_generator_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == made()


def test_training_text_of_the_same_modules_holds_some_of_its_items() -> None:
    """A passage with an item goes, and what stands around it stays."""
    items = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    item = next(i for i in items if len(i["question"].split()) >= 20)
    around = questions("algebra__polynomial_roots", "train-easy", "0/0", 12)
    text = f"{around}{item['question']}\n{item['answer']}\n{around[::-1]}"
    step = Decontaminate(against={"mathematics": (NAME,)}, fields=("question", "answer"), action="cut")
    d = docs([text, around])
    left = step(d).column("text").to_pylist()
    assert item["question"] not in left[0]
    assert len(left[0]) > len(text) / 2
    assert left[1] == around


if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.exit(0 if Path(str(FILE)).write_text(made(), encoding="utf-8") else 1)
