"""Texts that no rule was written for: every step says what it does with them, and what it does to one does not depend
on the others beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilebuilder import registry
from pilebuilder.build.run import Build
from pilebuilder.document import Docs, texts
from pilebuilder.errors import WipeOutError
from pilebuilder.ledger import Tally
from pilebuilder.recipe import load_recipe
from tests.models.docs import docs

CHINESE = "委员会星期二开会，决定在年底之前发表这份报告。大家都同意这个决定，并且希望尽快完成所有的准备工作。" * 12
THAI = "คณะกรรมการประชุมเมื่อวันอังคารและตกลงว่าจะเผยแพร่รายงานก่อนสิ้นปี " * 20
HOSTILE = {
    "empty": "",
    "white space": " \n\t\u3000\n" * 90,
    "combining marks": "\u0301\u0327" * 2000,
    "NULs": "\0" * 3000,
    "NULs in words": "The com\0mittee met on Tuesday, and agreed that it is to be printed.\0 " * 9,
    "controls": "".join(map(chr, range(32))) * 40 + "\x7f\x85\ufeff\ufffe\u202e",
    "hebrew": "הוועדה נפגשה ביום שלישי והחליטה שהדוח יפורסם לפני סוף השנה. " * 20,
    "arabic": "\u202bاجتمعت اللجنة يوم الثلاثاء وقررت نشر التقرير قبل نهاية العام.\u202c " * 20,
    "chinese": CHINESE,
    "thai": THAI,
    "one line": "x" * 1_000_000,
    "one line of marks": "(" * 300_000 + "." * 300_000,
    "astral": "\U0001f600\U000e0041\U0010ffff" * 900,
}
STEPS = {
    name: {}
    for name in registry.names("step")
    if name not in ("badwords", "datatrove", "decontaminate", "optout", "quality", "signal-range")
} | {"lang": {"keep": ["en", "zh", "th", "he", "ar"]}, "url-blocklist": {"substrings": ["bad"]}}


def passed(step: str, given: list[str]) -> tuple[Docs, list[str | None], list[str]]:
    """What a step left: the documents as given, their texts afterwards (None: dropped), reasons of drops."""
    d = docs(given)
    left = registry.make("step", step, STEPS[step])(d.within("filter", step))
    kept = dict(zip(left.column("id").to_pylist(), left.column("text").to_pylist(), strict=True))
    reasons = [r["reason"] for r in d.journal.table().to_pylist() if r["action"] == "dropped"]
    return d, [kept.get(i) for i in d.column("id").to_pylist()], reasons


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_text_stays_or_leaves_with_a_reason_and_alone_as_among_others(step: str) -> None:
    given = list(HOSTILE.values())
    d, together, reasons = passed(step, given)
    assert sum(text is None for text in together) == len(reasons) == d.count.dropped.total()
    assert all(reason.startswith(step) for reason in reasons), reasons
    for text in filter(None, together):
        text.encode("utf-8")
    if step != "pii":
        assert together == [passed(step, [text])[1][0] for text in given]


def test_control_characters_removes_nuls_and_says_how_many_bytes() -> None:
    d, (left,), _ = passed("control-characters", [HOSTILE["NULs in words"]])
    assert left is not None
    assert "\0" not in left
    assert sum(d.count.edited.values()) == HOSTILE["NULs in words"].count("\0")


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        texts(["\ud800"])


@pytest.fixture
def chinese(tmp_path: Path) -> Any:
    """Builds a component of Chinese and Thai documents up to the filter with these steps."""
    (tmp_path / "data").mkdir()
    given = [{"text": f"{CHINESE}{k}" if k % 2 else f"{THAI}{k}"} for k in range(40)]
    (tmp_path / "data" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))

    def build(steps: list[Any]) -> Tally:
        recipe = {
            "name": "c",
            "components": [{"name": "East", "fetch": {"local": {"path": str(tmp_path / "data")}}, "read": "jsonl"}],
            "filter": steps,
        }
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump(recipe))
        run = Build(load_recipe(path), tmp_path / "out", workers=1, target="filter")
        run.run()
        return Tally.total([m.tally for m in run.manifests("filter")])

    return build


def test_rules_that_count_words_leave_chinese_and_thai_alone_by_default(chinese: Any) -> None:
    found = chinese(["gopher-quality", "gopher-repetition", {"c4": {"terminal_marks": ""}}])
    assert found["East"].kept == 40


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ({"gopher-quality": {"unspaced": "apply"}}, "gopher-quality.min_words"),
        ("fineweb", "fineweb.min_terminal_lines"),  # not a rule of words: Thai ends no sentence with a mark
        ("lang", "lang.other"),
    ],
)
def test_the_wipe_out_guard_stops_the_build_and_names_the_rule(chinese: Any, spec: Any, rule: str) -> None:
    with pytest.raises(WipeOutError, match=r"filter removed 100\.0% of component 'East'") as caught:
        chinese([spec])
    assert rule in str(caught.value)
    assert "max_loss" in str(caught.value)


@pytest.mark.parametrize("step", ["lang", "toxicity", "pii", "decontaminate", "ftfy"])
def test_ten_megabytes_on_one_line_beside_an_empty_text_and_line_ends(step: str) -> None:
    words = "The committee met on Tuesday and agreed that the report is to be printed. "
    given = ["", words * (10_000_000 // len(words)), words.replace(" ", "\n") * 9]
    params: dict[str, Any] = {"lang": {"action": "signal"}, "toxicity": {"action": "signal"}}.get(step, {})
    if step == "decontaminate":
        params = {"against": {"mathematics": ["pilebuilder:filter/evaluation/mathematics.jsonl"]}}
    left = registry.make("step", step, params)(docs(given))
    assert left.column("text").to_pylist() == given
    if step == "lang":
        assert left.column("signal.lang").to_pylist() == ["und", "en", "en"]
