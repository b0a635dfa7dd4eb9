"""Signals, the rule over a signal, code and tables, and any datatrove class as a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilebuilder import registry
from pilebuilder.document import Docs
from pilebuilder.errors import RecipeError, TaskError
from tests.models.docs import docs, reasons

PROSE = "The members of the committee met on Tuesday.\nThey agreed on everything!\n"


def run(step: str, texts: list[str], **params: Any) -> Docs:
    return registry.make("step", step, params)(docs(texts).within("filter", step))  # type: ignore[no-any-return]


def judged(step: str, texts: list[str], **params: Any) -> list[str]:
    d = docs(texts)
    registry.make("step", step, params)(d.within("filter", step))
    found = dict(reasons(d))
    return [found.get(row, "").removeprefix(f"{step}.") for row in range(len(texts))]


def test_text_signals() -> None:
    d = run("text-signals", [PROSE, ""], names=["words", "mean_word_length", "longest_line"])
    assert d.column("signal.words").to_pylist() == [12, 0]
    assert d.column("signal.longest_line").to_pylist() == [44, 0]
    assert d.column("signal.mean_word_length")[1].as_py() == 0
    with pytest.raises(RecipeError, match=r"no statistic 'wrods'.*did you mean 'words'"):
        run("text-signals", [PROSE], names=["wrods"])


def test_signal_range() -> None:
    d = docs(["a", "b", "c", "d"]).signal("score", np.array([0.1, 0.5, 0.9, math.nan]))
    step = registry.make("step", "signal-range", {"of": "score", "min_value": 0.2, "max_value": 0.8})
    assert step(d).text.to_pylist() == ["b"]
    assert [reason for _, reason in reasons(d)] == [
        "signal-range.min_value.score", "signal-range.max_value.score", "signal-range.missing.score",
    ]  # fmt: skip
    keep = registry.make("step", "signal-range", {"of": "score", "keep_missing": True})
    assert len(keep(d)) == 4
    with pytest.raises(RecipeError, match=r"no signal 'scroe' at this point.*did you mean 'score'"):
        registry.make("step", "signal-range", {"of": "scroe"})(d)


def test_redpajama_signals() -> None:
    text = "Hello, hello WORLD!\n• The lorem ipsum of {x}...\n99 bottles of the beer"
    d = run("redpajama-signals", [text, ""])
    row = {n.removeprefix("signal."): d.column(n)[0].as_py() for n in d.table.column_names if n.startswith("signal.")}
    none = {n.removeprefix("signal."): d.column(n)[1].as_py() for n in d.table.column_names if n.startswith("signal.")}
    normal = ["hello", "hello", "world", "•", "the", "lorem", "ipsum", "of", "x", "99", "bottles", "of", "the", "beer"]
    raw = [
        "Hello",
        ",",
        "hello",
        "WORLD",
        "!",
        "•",
        "The",
        "lorem",
        "ipsum",
        "of",
        "{",
        "x",
        "}...",
        "99",
        "bottles",
        "of",
        "the",
        "beer",
    ]
    assert row["ccnet_length"] == len(text)
    assert row["ccnet_nlines"] == 3
    assert row["rps_doc_word_count"] == len(normal)
    assert row["rps_doc_mean_word_length"] == pytest.approx(sum(map(len, normal)) / len(normal))
    assert row["rps_doc_frac_unique_words"] == pytest.approx(len(set(normal)) / len(normal))
    counts = [normal.count(w) / len(normal) for w in set(normal)]
    assert row["rps_doc_unigram_entropy"] == pytest.approx(-sum(p * math.log(p) for p in counts))
    assert row["rps_doc_frac_all_caps_words"] == pytest.approx(1 / len(raw))
    assert row["rps_doc_frac_no_alph_words"] == pytest.approx(6 / len(raw))
    assert row["rps_doc_symbol_to_word_ratio"] == pytest.approx(1 / len(raw))
    assert row["rps_doc_stop_word_fraction"] == pytest.approx(3 / len(raw))
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == pytest.approx(1 / 3)
    assert row["rps_doc_curly_bracket"] == pytest.approx(2 / len(text))
    assert row["rps_doc_num_sentences"] == 3
    assert row["rps_doc_lorem_ipsum"] > 0
    assert row["rps_doc_frac_chars_top_2gram"] == 0
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == pytest.approx(2 / 3)
    assert row["rps_lines_start_with_bulletpoint"] == pytest.approx(1 / 3)
    assert row["rps_lines_num_words"] == pytest.approx((3 + 6 + 5) / 3)
    assert none["rps_doc_word_count"] == 0
    assert math.isnan(none["rps_doc_mean_word_length"])
    assert none["rps_doc_frac_chars_dupe_5grams"] == 0


def test_redpajama_repetition() -> None:
    text = "one two three four five six one two three four five seven"
    d = run("redpajama-signals", [text])
    total = len(text.replace(" ", ""))
    assert d.column("signal.rps_doc_frac_chars_dupe_5grams")[0].as_py() == pytest.approx(2 * 19 / total)
    assert d.column("signal.rps_doc_frac_chars_top_4gram")[0].as_py() == pytest.approx(2 * 15 / total)
    assert d.column("signal.rps_doc_frac_chars_dupe_6grams")[0].as_py() == 0


CODE = "def add(a, b):\n    return a + b\n" * 5


def test_code_rules() -> None:
    texts = [
        CODE, "x = 1\n" + "y" * 1001, ("z = " + "a, " * 40 + "\n") * 5, "1234, 5678\n" * 9,
        "# Code generated by protoc. DO NOT EDIT.\n" + CODE, CODE + "# do not edit\n",
        "data = '" + "QUJD" * 300 + "'\n" + "ok = words, and more\n" * 60,
    ]  # fmt: skip
    assert judged("code", texts, max_line=1000) == [
        "",
        "max_mean_line",
        "max_mean_line",
        "min_alphabetic",
        "generated",
        "",
        "max_line",
    ]
    assert judged("code", texts, max_line=None, max_mean_line=None, max_encoded=None)[6] == "max_encoded_run"
    assert judged("code", texts, generated=False)[4] == ""
    assert judged("code", [CODE], max_lines=3) == ["max_lines"]


def test_table_rules() -> None:
    table = "| name | size | price |\n|---|---|---|\n" + "| apple pie | large one | much too high |\n" * 5
    numbers = "\n".join(f"{k} {k * k} {k**3}" for k in range(100, 130))
    lines = "\n".join(["12.5 34 kg"] * 6 + ["a line of words that goes on for quite some time and says a lot"] * 5)
    assert judged("tables", [PROSE, table, numbers, lines, "-=-=-=-=- " * 20, ""]) == [
        "", "max_table_lines", "max_digits", "max_numeric_lines", "max_marks", "",
    ]  # fmt: skip


def test_datatrove_filter() -> None:
    d = docs([PROSE, "short", "xyzzy"], url=["http://a", "http://b", "http://c"])
    step = registry.make("step", "datatrove", {"filter": "RegexFilter", "params": {"regex_exp": "xyzzy"}})
    assert step(d).text.to_pylist() == [PROSE, "short"]
    assert reasons(d) == [(2, "datatrove.RegexFilter.dropped")]
    long = "\n".join(["word " * 50] * 3)
    d = docs([long, "short"])
    assert len(registry.make("step", "datatrove", {"filter": "C4ParagraphFilter"})(d)) == 1
    assert reasons(d) == [(1, "datatrove.C4ParagraphFilter.<_3_paragraphs")]


def test_datatrove_formatter_and_own_classes() -> None:
    d = docs(["words\n-----\nmore", "same"])
    step = registry.make("step", "datatrove", {"formatter": "SymbolLinesFormatter"})
    assert step(d).text.to_pylist() == ["words\nmore", "same"]
    assert d.count.edited == {"datatrove.SymbolLinesFormatter": 6}
    own = registry.make(
        "step", "datatrove", {"filter": "tests.filter.test_signals_and_code:LongOnly", "params": {"least": 3}}
    )
    d = docs(["ab", "abc"], meta=['{"kind": "x"}', "{}"])
    assert own(d).text.to_pylist() == ["ABC"]
    assert reasons(d)[0] == (0, "datatrove.LongOnly.too_short_x")


class LongOnly:
    """A filter as a user writes one, without datatrove's base class."""

    def __init__(self, least: int) -> None:
        self.least = least

    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        doc.text = doc.text.upper()
        if doc.text == "BOOM":
            raise ZeroDivisionError
        return True if len(doc.text) >= self.least else (False, f"too short {doc.metadata.get('kind')}")


def test_datatrove_mistakes() -> None:
    with pytest.raises(RecipeError, match="either `filter` or `formatter`"):
        registry.make("step", "datatrove", {})
    with pytest.raises(RecipeError, match=r"no 'RegexFliter'.*did you mean 'RegexFilter'"):
        run("datatrove", ["x"], filter="RegexFliter")
    with pytest.raises(RecipeError, match="unexpected keyword"):
        run("datatrove", ["x"], filter="RegexFilter", params={"regex": "x"})
    with pytest.raises(RecipeError, match="cannot be imported"):
        run("datatrove", ["x"], filter="no_such_module:Class")
    with pytest.raises(TaskError, match=r"failed on document [0-9a-f]{32}: ZeroDivisionError"):
        run("datatrove", ["boom"], filter="tests.filter.test_signals_and_code:LongOnly", params={"least": 1})
    assert "datatrove" in registry.make("step", "datatrove", {"filter": "RegexFilter"}).digests()
