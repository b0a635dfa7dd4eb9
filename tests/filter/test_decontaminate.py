"""Contamination: planted items are found to the last word, look-alikes are not, and the certificate says how many."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from pilebuilder import registry
from pilebuilder.errors import PilebuilderError
from pilebuilder.filter import contamination
from pilebuilder.filter.decontaminate import Decontaminate
from pilebuilder.kernels.folding import reference_words
from pilebuilder.models import examples
from tests.kernels.texts import any_text
from tests.models.docs import docs

RNG = random.Random(11)
VOCABULARY = ["".join(RNG.choices("abcdefghijklmnopqrstuvwxyz", k=RNG.randrange(2, 9))) for _ in range(3000)]


def words(count: int, rng: random.Random = RNG) -> str:
    return " ".join(rng.choices(VOCABULARY, k=count))


def write(path: Path, items: Sequence[object]) -> tuple[str, ...]:
    path.write_text("\n".join(json.dumps(i) for i in items) + "\n", encoding="utf-8")
    return (str(path),)


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    rng = random.Random(5)
    quiz = [{"question": words(30, rng), "choices": [words(4, rng), words(4, rng)]} for _ in range(20)]
    short = [{"text": words(n, rng)} for n in (3, 7, 8, 10, 12)]
    return {"quiz": write(tmp_path / "quiz.jsonl", quiz), "short": write(tmp_path / "short.jsonl", short)}


def items(sets: dict[str, tuple[str, ...]], name: str) -> list[str]:
    """The first string of each item: the question."""
    return [str(next(iter(json.loads(line).values()))) for line in Path(sets[name][0]).read_text().splitlines()]


def test_verbatim_items_are_found_wherever_they_stand(sets: dict[str, tuple[str, ...]]) -> None:
    quiz = items(sets, "quiz")
    thirteen = quiz[0].split()[-13:]  # the last n-gram of the question
    texts = [
        words(100),
        f"{words(40)} {quiz[3]} {words(40)}",
        words(500) + " " + " ".join(thirteen),  # at the very end
        " ".join(quiz[4].split()[:13]) + " " + words(10),  # at the very beginning
        words(20) + ", ".join(w.upper() for w in quiz[5].split()) + "!",  # other case and punctuation
        words(30) + " " + " ".join(quiz[6].split()[:12]) + " " + words(30),  # one word too few
        "",
    ]
    d = docs(texts)
    kept = Decontaminate(against=sets)(d)
    assert [texts.index(t) for t in kept.column("text").to_pylist()] == [0, 5, 6]
    assert d.count.dropped == {"decontaminate": 4}
    noted = {r["offset"]: r["detail"] for r in d.journal.table().to_pylist() if r["action"] == "noted"}
    assert noted == {1: "3", 2: "0", 3: "4", 4: "5"}


def test_items_shorter_than_an_ngram_count_when_they_are_whole(sets: dict[str, tuple[str, ...]]) -> None:
    short = items(sets, "short")
    texts = [f"{words(9)} {item} {words(9)}" for item in short] + [
        f"{words(9)} {short[4].rsplit(' ', 1)[0]} {words(9)}"
    ]
    found = Decontaminate(against=sets, action="signal")(docs(texts)).column("signal.contamination").to_pylist()
    assert found == [0, 0, 1, 1, 1, 0]


def test_sampled_ngrams_forgive_edits(sets: dict[str, tuple[str, ...]]) -> None:
    quiz = items(sets, "quiz")
    edited = quiz[2].split()
    for k in (5, 16, 27):
        edited[k] = "edited"
    texts = [f"{words(60)} {' '.join(edited)} {words(60)}", f"{words(60)} {' '.join(quiz[2].split()[:8])} {words(60)}"]
    exact = Decontaminate(against=sets, ngram=13, action="signal")(docs(texts))
    assert exact.column("signal.contamination").to_pylist() == [0, 0]
    step = Decontaminate(against=sets, method="sampled", ngram=5, sample=1, overlap=0.3, action="signal")
    assert step(docs(texts)).column("signal.contamination").to_pylist() == [1, 0]
    sampled = Decontaminate(against=sets, method="sampled", ngram=5, sample=4, overlap=0.5, action="signal")
    whole = list(examples.texts(Path(sets["quiz"][0])))
    found = sampled(docs([f"{words(50)} {q} {words(50)}" for q in whole])).column("signal.contamination").to_pylist()
    certificate = {c["benchmark"]: c for c in contamination.certificate(sampled, [])}
    assert sum(found) == 20 - certificate["quiz"]["items_too_short"] >= 12


def test_what_many_items_share_is_no_contamination(tmp_path: Path) -> None:
    prompt = "read the passage below with care and then answer the question that follows it in one word"
    against = {
        "p": write(tmp_path / "p.jsonl", [{"text": f"{prompt} {words(20)}"} for _ in range(30)] + [{"text": prompt}])
    }
    d = docs([f"{words(30)} {prompt} {words(30)}"])
    assert len(Decontaminate(against=against)(d)) == 1
    assert len(Decontaminate(against=against, common=0)(docs([f"{words(30)} {prompt} {words(30)}"]))) == 0
    (line,) = contamination.certificate(Decontaminate(against=against), [])
    assert (line["items"], line["items_of_common_ngrams_only"], line["items_too_short"]) == (31, 1, 0)


def test_cutting_removes_the_passage_and_its_surroundings(sets: dict[str, tuple[str, ...]]) -> None:
    quiz = items(sets, "quiz")
    before, after = words(200), words(200)
    d = docs([f"{before} {quiz[1]} {after}", words(50), quiz[1]])
    step = Decontaminate(against=sets, action="cut")
    kept = step(d).column("text").to_pylist()
    assert len(kept) == 2
    left, right = kept[0].split("\n\n")
    assert before.startswith(left[:-20])
    assert len(before) - 210 < len(left) < len(before) - 190
    assert after.endswith(right[20:])
    assert quiz[1] not in kept[0]
    assert d.count.dropped == {"decontaminate.pieces": 1}
    certificate = {c["benchmark"]: c for c in contamination.certificate(step, d.journal.table().to_pylist())}
    assert certificate["quiz"]["documents_cut"] == 1
    assert certificate["quiz"]["documents_removed"] == 1
    many = docs([" ".join(f"{words(120)} {q}" for q in quiz[:12])])
    step(many)
    assert many.count.dropped == {"decontaminate.pieces": 1}


def test_the_certificate_names_every_benchmark(sets: dict[str, tuple[str, ...]]) -> None:
    step = Decontaminate(against=sets)
    d = docs([f"{items(sets, 'quiz')[k]} {words(5)}" for k in (1, 1, 2)] + [words(40)])
    step(d)
    quiz, short = contamination.certificate(step, d.journal.table().to_pylist())
    assert (quiz["benchmark"], quiz["items"], quiz["items_found"]) == ("quiz", 20, 2)
    assert (quiz["documents_found"], quiz["documents_removed"]) == (3, 3)
    assert (short["items"], short["items_found"], short["items_too_short"]) == (5, 0, 2)
    assert quiz["parameters"]["ngram"] == 13
    assert len(quiz["files"]["quiz.jsonl"]) == 64


def test_results_do_not_depend_on_how_documents_are_grouped(sets: dict[str, tuple[str, ...]]) -> None:
    texts = [words(30) + " " + q for q in items(sets, "quiz")] + [words(90) for _ in range(20)]
    step = Decontaminate(against=sets, action="signal")
    whole = step(docs(texts)).column("signal.contamination").to_pylist()
    assert whole == [step(docs([t])).column("signal.contamination").to_pylist()[0] for t in texts]


@settings(max_examples=200, deadline=None)
@given(any_text)
@example("Naïve \u00adsoft-hyphen, 漢字 and ÉTÉ 3.14 x_y Straße e\u0301t \u0e44\u0e17\u0e22 a\U000e0041b \U0003fffec")
def test_places_of_words_are_those_of_the_kernels_words(text: str) -> None:
    found = [reference_words(text[start:stop]) for start, stop in contamination.places_of_words(text)]
    assert [word for words in found for word in words] == reference_words(text)
    assert all(len(words) == 1 for words in found)


def test_a_word_of_many_kilobytes_is_cut_with_its_passage(tmp_path: Path) -> None:
    item = " ".join([words(6), "é" * 5000, words(6)])
    step = Decontaminate(against={"long": write(tmp_path / "long.jsonl", [{"text": item}])}, action="cut")
    before, after = words(200), words(200)
    (left,) = step(docs([f"{before} {item} {after}"])).column("text").to_pylist()
    assert "é" not in left
    assert len(left) > len(before)


def test_ranges_and_their_reverse() -> None:
    assert contamination.ranges([1, 3, 4, 5, 9]) == "1,3-5,9"
    assert contamination.ranges([]) == ""
    assert contamination.numbers("1,3-5,9") == [1, 3, 4, 5, 9]
    assert contamination.numbers("") == []


def test_parameters_pass_through_the_registry_and_bad_files_are_named(tmp_path: Path) -> None:
    against = {"a": list(write(tmp_path / "a.jsonl", [{"text": words(20)}]))}
    params = registry.resolved("step", "decontaminate", {"against": against})
    assert registry.make("step", "decontaminate", params).digests().keys() == {"a/a.jsonl"}
    with pytest.raises(PilebuilderError, match="no file matches"):
        Decontaminate(against={"a": (f"{tmp_path}/none*.jsonl",)}).digests()
    (tmp_path / "bad.jsonl").write_text("{oops\n")
    with pytest.raises(PilebuilderError, match=r"bad\.jsonl, line 1"):
        Decontaminate(against={"a": (f"{tmp_path}/bad.jsonl",)})(docs(["x"]))
