"""The language step: what it keeps, why it drops, what it tells."""

from __future__ import annotations

import importlib.util

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
    assert Lang(thresholds="per-language").digests().keys() == {"model", "thresholds"}


def test_packs_of_thresholds() -> None:
    codes = ["en", "de", "no", "xx"]
    assert Lang()._needed(codes).tolist() == pytest.approx([0.65] * 4)
    assert Lang(thresholds="high-recall")._needed(codes).tolist() == pytest.approx([0.5] * 4)
    measured = Lang(thresholds="per-language", keep=("de",), min_scores={"deu": 0.33})._needed(codes)
    assert measured.tolist() == pytest.approx([0.9, 0.33, 0.35, 0.65])
    assert Lang(thresholds="per-language", min_score=0.4)._needed(codes).tolist() == pytest.approx([0.4] * 4)
    with pytest.raises(RecipeError, match="measured for lid"):
        Lang(thresholds="per-language", model="cld3")


def test_each_threshold_stands_in_the_ledger() -> None:
    short = ["Zettai reiki amo brok senda the", "Gizzu prolo hammat vendri sola"]
    seen = Lang(action="signal")(docs(short))
    codes, scores = seen.column("signal.lang").to_pylist(), seen.column("signal.lang_score").to_pylist()
    assert codes[0] != codes[1]
    wanted = {
        code: min(1.0, round(score + 0.1 + k / 10, 2))
        for k, (code, score) in enumerate(zip(codes, scores, strict=True))
    }
    d = docs(short)
    assert len(Lang(keep=tuple(codes), min_scores=wanted)(d)) == 0
    rows = {r["offset"]: r["threshold"] for r in d.journal.table().to_pylist()}
    assert rows == pytest.approx({0: wanted[codes[0]], 1: wanted[codes[1]]})


def test_a_long_document_in_two_languages_shows_its_mixture() -> None:
    half = "\n".join([ENGLISH] * 120 + [GERMAN] * 120)
    d = Lang(action="signal", mixture=True)(docs([half, ENGLISH, ENGLISH * 100, "7" * 20_000]))
    mixtures = d.column("signal.lang_mixture").to_pylist()
    parts = dict(part.split() for part in mixtures[0].split(", "))
    assert float(parts["en"]) == pytest.approx(0.5, abs=0.1)
    assert float(parts["de"]) == pytest.approx(0.5, abs=0.1)
    assert mixtures[1:] == [None, "en 1.00", None]
    shares = d.column("signal.lang_share").to_pylist()
    assert 0.4 < shares[0] < 0.6
    assert shares[1:] == [None, 1.0, None]


def test_the_package_gives_the_same_decisions() -> None:
    texts = [ENGLISH, GERMAN, CHINESE, NYNORSK, UNSURE, "", "\n".join(ENGLISH.split())]
    kernels, package = (Lang(action="signal", engine=e)(docs(texts)) for e in ("kernels", "fasttext"))
    assert kernels.column("signal.lang").to_pylist() == package.column("signal.lang").to_pylist()
    assert package.column("signal.lang_score").to_pylist() == pytest.approx(
        kernels.column("signal.lang_score").to_pylist(), abs=1e-4
    )


@pytest.mark.parametrize(("model", "module"), [("cld3", "gcld3"), ("eldc", "eldc")])
def test_optional_detectors(model: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        with pytest.raises(RecipeError, match="pip install"):
            Lang(model=model)(docs([ENGLISH]))
    else:
        d = Lang(model=model, action="signal", mixture=True)(docs([ENGLISH, GERMAN, "", ENGLISH * 100]))
        assert d.column("signal.lang").to_pylist() == ["en", "de", "und", "en"]
        assert Lang(model=model).digests()["model"].split()[1][0].isdigit()
