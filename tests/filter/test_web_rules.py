"""The published web rules: each rule by name on the right document, exempt scripts, signals instead of drops."""

from __future__ import annotations

import importlib.util
import random
from typing import Any

import pytest

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from tests.models.docs import docs, reasons
from tests.samples import SAMPLES, needs_samples

GOOD = "The committee met with the members of the board and agreed that they have to be ready by the end of May. " * 4
CHINESE = "委员会星期二开会，决定在年底之前发表这份报告。大家都同意这个决定，并且希望尽快完成所有的准备工作。" * 12
THAI = "คณะกรรมการประชุมเมื่อวันอังคารและตกลงว่าจะเผยแพร่รายงานก่อนสิ้นปี " * 20


def judged(step: str, texts: list[str], **params: Any) -> list[str]:
    """The reason for each text, empty where it stays."""
    d = docs(texts)
    registry.make("step", step, params)(d.within("filter", step))
    found = {row: reason for row, reason in reasons(d) if reason.startswith(f"{step}.") and "unspaced" not in reason}
    table = d.journal.table().to_pylist()
    dropped = {row["offset"] for row in table if row["action"] == "dropped"}
    return [found[row] if row in dropped else "" for row in range(len(texts))]


def varied(n: int) -> str:
    """A text in which hardly a pair of words comes twice."""
    rng = random.Random(n)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(5 * n))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, ""),
        ("Too short to say anything of use.", "min_words"),
        ("a of to be it is " * 12, "min_mean_word_length"),
        ("the of counterrevolutionary institutionalization " * 20, "max_mean_word_length"),
        ("the # members of # board met " * 12, "max_hash_ratio"),
        ("the members of board ... " * 15, "max_ellipsis_ratio"),
        ("\n".join(["- the members of the board"] * 19 + ["that is all"]), "max_bullet_lines"),
        (
            "\n".join(["the members of the board met and so on ..."] * 8 + ["and then nothing more came of that"] * 9),
            "max_ellipsis_lines",
        ),
        ("the of 12 and 34 that 56 members 78 , " * 10, "min_alpha_words"),
        ("committee members assembled yesterday without agreement whatsoever " * 8, "min_stop_words"),
    ],
    ids=lambda v: v if v and " " not in v else "",
)
def test_gopher_quality(text: str, reason: str) -> None:
    assert judged("gopher-quality", [text, ""]) == [
        f"gopher-quality.{reason}" if reason else "",
        "gopher-quality.min_words",
    ]


def test_gopher_quality_parameters() -> None:
    assert judged("gopher-quality", [GOOD], max_words=20) == ["gopher-quality.max_words"]
    french = "le conseil est dans la salle et les membres parlent de la loi avec le ministre " * 5
    assert judged("gopher-quality", [french]) == ["gopher-quality.min_stop_words"]
    assert judged("gopher-quality", [french], stop_words=["le", "la", "et"]) == [""]
    assert judged("gopher-quality", [french], min_stop_words=None) == [""]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (varied(150), ""),
        ("", "empty"),
        ("\n\n".join(["One paragraph of some length."] * 3 + [f"Another {k}." for k in range(5)]), "max_dup_paragraph_chars"),
        ("\n\n".join(["a."] * 5 + [f"Another {k} of them, and long enough to count." for k in range(6)]), "max_dup_paragraphs"),
        ("\n".join(["x."] * 5 + [f"Line {k} of them, and long enough to count here." for k in range(6)]), "max_dup_lines"),
        (varied(3) + "\nThis sentence comes twice and it is long enough to matter here, is it not so, dear reader.\n" + varied(2)
         + "\nThis sentence comes twice and it is long enough to matter here, is it not so, dear reader.", "max_dup_line_chars"),
        (" ".join(f"alpha beta {chr(97 + k % 26) * 3}{k % 7}" for k in range(40)), "max_top_2_gram"),
    ],
    ids=["fine", "empty", "paragraph chars", "paragraphs", "lines", "line chars", "top 2"],
)  # fmt: skip
def test_gopher_repetition(text: str, reason: str) -> None:
    assert judged("gopher-repetition", [text]) == [f"gopher-repetition.{reason}" if reason else ""]


def test_documents_judged_together_fare_as_each_alone() -> None:
    """Rules on lines come first, and what they drop is not judged by words: rows and exempt scripts keep their place."""
    repeated = " ".join(f"alpha beta {chr(97 + k % 26) * 3}{k % 7}" for k in range(40))
    lines = "\n".join(["the same line again."] * 9)
    texts = [lines, CHINESE * 2, varied(90), lines, repeated, CHINESE, "", THAI, repeated]
    together = judged("gopher-repetition", texts)
    assert together == [judged("gopher-repetition", [text])[0] for text in texts]
    assert [reason.rpartition(".")[2] for reason in together[2:6]] == ["", "max_dup_lines", "max_top_2_gram", ""]
    assert judged("gopher-repetition", texts, unspaced="apply")[5]


def test_longer_repetitions_have_their_own_reason() -> None:
    phrase = "seven words that come back again later"
    text = f"{varied(9)} {phrase} {varied(3)} {phrase} qqq {phrase} {varied(2)} {phrase}"
    (reason,) = judged("gopher-repetition", [text])
    assert reason.startswith("gopher-repetition.max_")
    off = {"max_top_2_gram": None, "max_top_3_gram": None, "max_top_4_gram": None}
    assert judged("gopher-repetition", [text], **off, max_dup_5_gram=0.1) == ["gopher-repetition.max_dup_5_gram"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n".join(f"This is sentence number {k} of a text that is fine." for k in range(6)), ""),
        ("  \n ", "empty"),
        ("\n".join(f"no full stop at the end of line number {k} of them" for k in range(6)), "min_terminal_lines"),
        ("\n".join(f"Short line {k}." for k in range(6)), "max_short_lines"),
        ("\n".join(["The same line comes again and again, as it happens."] * 2 + [f"Line {k} differs from the others, it does." for k in range(5)]),
         "max_dup_line_chars"),
        ("\n".join(f"Incomprehensibilities-{k}.counterrevolutionary." for k in range(9)), "max_newline_ratio"),
    ],
    ids=["fine", "empty", "terminal", "short", "dup", "newlines"],
)  # fmt: skip
def test_fineweb(text: str, reason: str) -> None:
    assert judged("fineweb", [text]) == [f"fineweb.{reason}" if reason else ""]


def test_fineweb_with_another_length_of_short_lines() -> None:
    text = "\n".join(f"This line has some forty characters, {k:3}." for k in range(6))
    assert judged("fineweb", [text]) == [""]
    assert judged("fineweb", [text], short_line=60) == ["fineweb.max_short_lines"]


def test_c4_drops_documents_and_lines_with_their_bytes() -> None:
    texts = [
        "One two three. Four five six. Seven eight nine.\nTen is here. Eleven is too.\nMenu\nUse of cookies is here.",
        "Only one line stays here.",
        "This says lorem ipsum to you. A b c. D e f. G h i. J k l.",
        "A b c. D e f. G h i. J k l. function() { it is. }.",
        "",
    ]
    d = docs(texts)
    kept = registry.make("step", "c4", {})(d.within("filter", "c4"))
    assert kept.text.to_pylist() == ["One two three. Four five six. Seven eight nine.\nTen is here. Eleven is too."]
    assert judged("c4", texts) == ["", "c4.min_sentences", "c4.lorem_ipsum", "c4.curly_bracket", "c4.min_sentences"]
    assert d.count.edited == {"c4.no_terminal_mark": 5, "c4.policy": 23, "c4.white_space": 1}
    assert sum(d.count.edited.values()) == len(texts[0]) - len(kept.text[0].as_py())


def test_c4_signals_without_a_change() -> None:
    texts = ["No end here\nBut here is one. {", "Lorem ipsum dolor sit amet."]
    d = registry.make("step", "c4", {"action": "signal"})(docs(texts).within("filter", "c4"))
    assert d.text.to_pylist() == texts
    assert d.column("signal.c4.min_sentences").to_pylist() == [0, 1]
    assert d.column("signal.c4.lorem_ipsum").to_pylist() == [False, True]


def test_c4_with_one_rule_as_a_signal_keeps_those_texts() -> None:
    texts = ["Here is one { of the lines.", "Fine line of text here."]
    step = registry.make("step", "c4", {"signal": ["curly_bracket"], "min_sentences": 1})
    d = step(docs(texts).within("filter", "c4"))
    assert d.text.to_pylist() == texts
    assert d.column("signal.c4.curly_bracket").to_pylist() == [True, False]


@pytest.mark.parametrize(
    "step", ["gopher-quality", "gopher-repetition", "fineweb", "c4", "dolma-gopher", "refinedweb-lines"]
)
def test_scripts_without_spaces_are_left_alone_and_noted_or_judged_when_asked(step: str) -> None:
    d = docs([CHINESE, THAI])
    kept = registry.make("step", step, {})(d.within("filter", step))
    noted = [row for row in d.journal.table().to_pylist() if row["action"] == "noted"]
    assert [row["reason"] for row in noted] == [f"{step}.unspaced"] * 2
    if step not in ("gopher-repetition", "fineweb"):  # their rules over lines and paragraphs judge any script
        assert kept.text.to_pylist() == [CHINESE, THAI]
    assert any(judged(step, [CHINESE, THAI], unspaced="apply")) or step == "refinedweb-lines"


def test_dolma_counts_otherwise() -> None:
    text = "the of \n" + "\n".join(f"{varied(2 + k)} one {k}" for k in range(6))
    assert judged("dolma-gopher", [text]) == [""]
    assert judged("dolma-gopher", [text.replace(" one", " #one")], max_symbol_words=0.02) == [
        "dolma-gopher.max_symbol_words"
    ]
    blank = "\n\n".join(f"Paragraph number {k} with words of its own: {varied(3)} {k * 7}." for k in range(9))
    assert judged("dolma-gopher", [blank]) == ["dolma-gopher.max_dup_lines"]  # blank lines are copies to Dolma
    stars = "\n".join(f"* the item of list {k} that is long enough, of course" for k in range(30))
    assert judged("dolma-gopher", [stars], max_dup_5_gram=None) == ["dolma-gopher.max_bullet_lines"]


def test_dolma_takes_only_the_rule_about_ends_of_lines() -> None:
    texts = ["Ends here.\nDoes not\nThree dots...\n'Quoted'\njavascript { is fine!"]
    d = registry.make("step", "dolma-c4", {})(docs(texts).within("filter", "dolma-c4"))
    assert d.text.to_pylist() == ["Ends here.\nThree dots...\njavascript { is fine!"]
    assert d.count.edited == {"dolma-c4.no_terminal_mark": 18}


def test_refinedweb_lines() -> None:
    body = "\n".join(
        f"This is a long line of running text that says something of interest, number {k}." for k in range(20)
    )
    texts = [
        f"{body}\n3 likes\n1,234 views\nMENU\n2021\nRead more\nHe said the words read more often than one line can hold here.",
        "SALE NOW ON\nbuy things here today",
        body,
    ]
    d = docs(texts)
    kept = registry.make("step", "refinedweb-lines", {})(d.within("filter", "refinedweb-lines"))
    assert kept.text.to_pylist() == [f"{body}\nHe said the words read more often than one line can hold here.", body]
    assert d.count.dropped == {"refinedweb-lines.max_flagged_words": 1}
    assert d.count.edited == {
        "refinedweb-lines.counter": 20, "refinedweb-lines.uppercase": 5, "refinedweb-lines.numeric": 5,
        "refinedweb-lines.pattern": 10,
    }  # fmt: skip


def test_a_rule_can_signal_while_the_others_drop() -> None:
    texts = [GOOD, "Too short.", GOOD.replace("the", "#")]
    step = registry.make("step", "gopher-quality", {"signal": ["min_words", "max_hash_ratio"]})
    kept = step(docs(texts).within("filter", "gopher-quality"))
    assert kept.column("signal.gopher-quality.min_words").to_pylist()[:2] == [88, 2] or len(kept) >= 1
    assert "signal.gopher-quality.max_hash_ratio" in kept.table.column_names
    signals = registry.make("step", "gopher-quality", {"action": "signal"})(
        docs(texts).within("filter", "gopher-quality")
    )
    assert len(signals) == 3
    assert signals.column("signal.gopher-quality.min_words").to_pylist()[1] == 2


def test_unknown_rules_and_bad_values_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"no rule 'min_wrods'.*did you mean 'min_words'"):
        registry.make("step", "gopher-quality", {"signal": ["min_wrods"]})
    with pytest.raises(RecipeError, match="max_bullet_lines"):
        registry.make("step", "gopher-quality", {"max_bullet_lines": 1.5})
    with pytest.raises(RecipeError, match="unspaced"):
        registry.make("step", "c4", {"unspaced": "maybe"})


def test_order_of_rules_does_not_change_who_stays() -> None:
    texts = [GOOD, "Too short.", GOOD * 3, varied(60), "x " * 90, CHINESE, "", "\n".join(["a b c d."] * 9)]
    names = ["gopher-quality", "gopher-repetition", "fineweb", "tables", "code"]
    left = []
    for order in (names, names[::-1]):
        d = docs(texts)
        for name in order:
            d = registry.make("step", name, {})(d.within("filter", name))
        left.append(d.column("id").to_pylist())
    assert left[0] == left[1]


@needs_samples
@pytest.mark.skipif(importlib.util.find_spec("spacy") is None, reason="datatrove's tokenizer needs spaCy")
def test_same_decisions_as_datatrove_on_real_text() -> None:
    import json

    import zstandard
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    texts = []
    for name in ("reddit_selftext", "stackexchange_posts", "wikitext"):
        raw = zstandard.ZstdDecompressor().stream_reader((SAMPLES / f"bulk/{name}.jsonl.zst").open("rb")).read()
        texts += [json.loads(line)["text"] for line in raw.splitlines()[:40]]
    theirs = {
        "gopher-quality": GopherQualityFilter(), "gopher-repetition": GopherRepetitionFilter(), "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }  # fmt: skip
    for name, rival in theirs.items():
        mine = [bool(reason) for reason in judged(name, texts, unspaced="apply")]
        other = [rival.filter(Document(text=text, id="")) is not True for text in texts]
        assert sum(a == b for a, b in zip(mine, other, strict=True)) >= 0.99 * len(texts), name
