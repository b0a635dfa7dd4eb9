"""Datasheet, dataset card, Croissant, the public summary: valid, complete, and nothing invented."""

import json
import math
import re
from collections import Counter as Count

import pytest
import yaml

from pilebuilder.errors import RecipeError
from pilebuilder.report.facts import Facts, from_json
from pilebuilder.report.papers import answers, croissant, datasheet, eu, hub
from pilebuilder.report.papers.questions import QUESTIONS
from pilebuilder.report.render import SECTIONS
from tests.report.made import CONFIG, HOSTILE, card, count, facts

SHARDS = [
    {
        "name": f"train/0{i}.jsonl.zst",
        "sha256": f"{i}" * 64,
        "bytes": 100,
        "split": "train",
        "documents": 60,
        "text_bytes": 900,
    }
    for i in range(2)
] + [{"name": "val.jsonl.zst", "sha256": "9" * 64, "bytes": 10, "split": "val", "documents": 3, "text_bytes": 50}]


def made(**more) -> Facts:
    stages = {
        "read": {"a": count(130, {"no_text": 5}, size=2000), "b": count(10, size=100)},
        "filter": {"a": count(125, {"length.min_chars": 5}, size=2000), "b": count(10, size=100)},
        "mix": {"a": count(120, size=1900), "b": count(10, size=100)},
    }
    data = facts(stages, ["a", "b"], shards=SHARDS)
    data["sources"][0]["card"] = card("a", homepage="https://a.example", citation="A. Author: A.", fetch="local")
    return from_json(data, config=CONFIG | more.pop("config", {}), **more)


def test_there_are_59_questions_of_the_right_kinds():
    assert Count(q.fill for q in QUESTIONS) == {"A": 19, "B": 15, "C": 18, "cfg": 7}
    assert [q.number for q in QUESTIONS] == list(range(1, 60))
    assert all(hasattr(datasheet.Answers, q.evidence) for q in QUESTIONS if q.evidence)
    assert all(q.evidence for q in QUESTIONS if q.fill in "AB")


def test_nothing_is_invented_where_a_person_must_answer():
    for entry in datasheet.entries(made()):
        if entry.question.fill in ("B", "C"):
            assert entry.text == datasheet.NOT_ANSWERED
            assert entry.state == "open"
        if entry.question.fill == "C":
            assert entry.evidence == ""
        if entry.question.fill == "A":
            assert entry.state == "automatic"
            assert entry.text


def test_a_persons_answers_survive_and_are_called_stale_when_the_numbers_move():
    before = next(e for e in datasheet.entries(made()) if e.question.number == 7)
    held = {"7": {"text": "It is a sample.", "by": "J. Doe", "evidence": before.evidence}, "1": {"text": "To learn."}}
    now = {e.question.number: e for e in datasheet.entries(made(answers=held))}
    assert (now[7].state, now[7].text, now[1].state) == ("answered", "It is a sample.", "answered")
    held["7"]["evidence"] = before.evidence.replace("130 of 140", "99 of 140")
    assert {e.question.number: e.state for e in datasheet.entries(made(answers=held))}[7] == "stale"
    assert "21 of 59 questions answered, 19 automatic, 1 stale." in datasheet.markdown(
        made(answers=held), datasheet.entries(made(answers=held))
    )


def test_the_template_of_answers_reads_back(tmp_path):
    held = datasheet.entries(made(answers={"1": {"text": "To learn."}}))
    path = tmp_path / "answers.yaml"
    path.write_text(datasheet.template(held))
    assert answers.load(path) == {"1": {"text": "To learn."}}
    path.write_text("answers: {60: x}")
    with pytest.raises(RecipeError, match="numbered 1 to 59"):
        answers.load(path)
    path.write_text("answers: {1: {txt: x}}")
    with pytest.raises(RecipeError, match="with text, by, date, evidence"):
        answers.load(path)


def test_the_cards_head_matches_the_shards():
    head = hub.front_matter(made())
    assert yaml.safe_load(yaml.safe_dump(head)) == head
    info = head["dataset_info"]
    assert [s["num_examples"] for s in info["splits"]] == [120, 3]
    assert info["dataset_size"] == 1850
    assert info["download_size"] == 210
    names = [s["name"] for s in SHARDS]
    matched = Count()
    for entry in head["configs"][0]["data_files"]:
        pattern = re.escape(entry["path"]).replace(r"\*", "[^/]*")
        matched.update(n for n in names if re.fullmatch(pattern, n))
    assert matched == dict.fromkeys(names, 1)
    assert head["license"] == "cc0-1.0"
    assert head["size_categories"] == ["n<1K"]


def test_components_of_different_licences_are_other():
    mixed = made()
    mixed.sources[1].card["licence"]["spdx"] = "MIT"
    assert hub.licence(mixed) == {"license": "other", "license_name": "by-component", "license_link": "NOTICE"}


def test_the_card_is_what_the_hub_library_reads():
    from huggingface_hub import DatasetCard

    text = hub.card(made(), [make(made()) for make in SECTIONS[:1]])
    held = DatasetCard(text)
    assert held.data.license == "cc0-1.0"
    assert held.data.configs[0]["config_name"] == "default"
    assert "## Limits\n\nNOT ANSWERED" in text


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_croissant_is_valid(version):
    import mlcroissant

    content = croissant.describe(made(), version, "2020-12-31")
    held = mlcroissant.Dataset(jsonld=json.loads(json.dumps(content)))
    assert not held.metadata.ctx.issues.errors
    files = {f["@id"]: f["sha256"] for f in content["distribution"] if f["@type"] == "cr:FileObject"}
    assert files == {s["name"]: s["sha256"] for s in SHARDS}
    assert f"http://mlcommons.org/croissant/{version}" in content["conformsTo"]
    assert content["rai:dataSocialImpact"] == "NOT ANSWERED"


def test_the_domain_rule_of_the_public_summary():
    domains = [(f"d{i:05}.example", i % 97) for i in range(30_000)]
    assert len(eu.most_relevant(domains[:1000])) == 100
    assert len(eu.most_relevant(domains, small=True)) == 1000
    assert len(eu.most_relevant(domains[:1000], small=True)) == 50
    first = eu.most_relevant(domains[:1000])
    assert first == sorted(first, key=lambda d: (-d[1], d[0]))
    assert len(eu.most_relevant(domains[:7])) == math.ceil(0.7)


def test_the_public_summary_leaves_the_provider_to_the_provider():
    text = eu.markdown(made())
    assert "no claim of\ncompliance" in text or "no claim of compliance" in text
    assert text.count(eu.OPEN) >= 8


def test_notice_names_every_component_with_its_duties():
    text = hub.notice(made())
    assert "A. Author: A." in text
    assert "Licence:  CC0-1.0" in text
    assert text.count("Asks for: nothing") == 2


def test_hostile_names_stay_text_in_papers():
    stages = {"read": {HOSTILE: count(5)}, "mix": {HOSTILE: count(5)}}
    hostile = from_json(facts(stages, [HOSTILE], shards=SHARDS), config=CONFIG)
    for text in (datasheet.markdown(hostile, datasheet.entries(hostile)), eu.markdown(hostile)):
        assert "<script" not in text
        assert "\u202e" not in text
