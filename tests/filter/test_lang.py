"""The language step: what it keeps, why it drops, what it tells."""

from __future__ import annotations

import pytest

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from pilebuilder.filter.lang import Lang
from tests.models.docs import docs, reasons

ENGLISH = "The committee met on Tuesday and agreed that the report should be published before the end of the year."
GERMAN = "Der Ausschuss trat am Dienstag zusammen und beschloss, den Bericht noch vor Ende des Jahres zu drucken."
CHINESE = "委员会星期二开会,决定在年底之前发表这份报告。大家都同意这个决定。"
NYNORSK = "Eg veit ikkje kva dei held på med, men me har ikkje høyrt noko frå dei sidan i går kveld, og det er rart."
UNSURE = "Xqz wvt brg"


def test_keeps_the_wanted_language_and_says_why_the_rest_left() -> None:
    d = docs([ENGLISH, GERMAN, "", "12:30 -- 99 %", UNSURE, CHINESE])
    kept = Lang()(d)
    assert kept.column("text").to_pylist() == [ENGLISH]
    found = dict(reasons(d))
    assert found.keys() == {1, 2, 3, 4, 5}
    assert found[1] == found[5] == "lang.other"
    assert found[2] == found[3] == "lang.no_letters"
    assert d.count.dropped.total() == 5


def test_signals_carry_label_and_score_and_nothing_is_dropped_when_asked() -> None:
    d = Lang(action="signal")(docs([ENGLISH, GERMAN, CHINESE, ""]))
    assert d.column("signal.lang").to_pylist() == ["en", "de", "zh", "und"]
    scores = d.column("signal.lang_score").to_pylist()
    assert min(scores[:3]) > 0.9
    assert scores[3] == 0.0


def test_a_label_alone_is_not_enough() -> None:
    weak = "Zettai reiki amo brok senda the"
    signal = Lang(action="signal")(docs([weak]))
    label, score = signal.column("signal.lang")[0].as_py(), signal.column("signal.lang_score")[0].as_py()
    assert 0 < score < 0.65, "the text must be one that the model is unsure of"
    d = docs([weak])
    assert len(Lang(keep=(label,))(d)) == 0
    assert reasons(d) == [(0, "lang.unsure")]
    row = d.journal.table().to_pylist()[0]
    assert row["value"] == pytest.approx(score)
    assert row["threshold"] == 0.65
    assert len(Lang(keep=(label,), min_score=score / 2)(docs([weak]))) == 1
    assert len(Lang(keep=(label,), min_scores={label: score / 2})(docs([weak]))) == 1


def test_codes_are_accepted_in_every_spelling_and_macro_languages_keep_their_members() -> None:
    assert len(Lang(keep=("eng", "zho_Hans"))(docs([ENGLISH, GERMAN, CHINESE]))) == 2
    assert len(Lang(keep=("no",))(docs([NYNORSK]))) == 1
    assert len(Lang(keep=("da",))(docs([NYNORSK]))) == 0


@pytest.mark.parametrize(("keep", "word"), [(["english"], "language code"), (["tlh"], "does not know"), ([], "keep")])
def test_bad_codes_are_refused_when_the_recipe_is_read(keep: list[str], word: str) -> None:
    with pytest.raises((RecipeError, ValueError), match=word):
        registry.make("step", "lang", {"keep": keep})


def test_capitals_markup_and_line_ends_do_not_hide_the_language() -> None:
    wrapped = "\n".join(f"<td class='x1'>{word}</td>{i:08}" for i, word in enumerate(ENGLISH.upper().split()))
    assert len(Lang()(docs([wrapped, ENGLISH.replace(" ", "\n"), ENGLISH.replace(" ", "\x00")]))) == 3


def test_a_long_document_is_sampled_along_its_length() -> None:
    head_only = ENGLISH * 20 + "\n" + GERMAN * 20_000
    d = Lang(action="signal")(docs([head_only, "x" * 10_000_000, "1" * 3_000_000]))
    assert d.column("signal.lang").to_pylist()[::2] == ["de", "und"]


def test_digests_name_the_model() -> None:
    assert Lang().digests()["model"].startswith("8f3472cf")
