"""The steps that edit text: what they change, for which reason, with how many bytes."""

from __future__ import annotations

from typing import Any

import ftfy
import pytest

from pilebuilder import registry
from pilebuilder.document import Docs
from pilebuilder.errors import RecipeError
from tests.kernels.texts import CASES
from tests.models.docs import docs, reasons


def run(step: str, texts: list[str], **params: Any) -> Docs:
    return registry.make("step", step, params)(docs(texts).within("clean", step))  # type: ignore[no-any-return]


def edited(step: str, texts: list[str], **params: Any) -> tuple[list[str], dict[str, int]]:
    d = docs(texts)
    left = registry.make("step", step, params)(d.within("clean", step))
    removed = sum(len(t.encode()) for t in texts) - sum(len(t.encode()) for t in left.text.to_pylist())
    assert sum(d.count.edited.values()) == removed
    assert {reason for _, reason in reasons(d)} == set(d.count.edited)
    return left.text.to_pylist(), dict(d.count.edited)


EDITS = ["ftfy", "control-characters", "nfc", "whitespace", "dedup-lines", "dedup-paragraphs", "boilerplate", "citations",
         "repeated-punctuation"]  # fmt: skip


@pytest.mark.parametrize("step", EDITS)
def test_bytes_add_up_on_hard_texts(step: str) -> None:
    texts = [case for case in CASES if len(case) < 30_000]
    once, _ = edited(step, texts)
    if step != "citations":  # "[[1]]" becomes "[]", which is one
        assert run(step, once).text.to_pylist() == once


@pytest.mark.parametrize("step", EDITS)
def test_nothing_to_do_leaves_the_table_and_the_ledger_alone(step: str) -> None:
    d = docs(["Plain text, as it should be.\n\nIn two paragraphs.", "", "One line"])
    left = registry.make("step", step, {})(d.within("clean", step))
    assert left.table.equals(d.table)
    assert d.journal.table().num_rows == 0
    assert run(step, []).text.to_pylist() == []


def test_ftfy() -> None:
    texts = ["caf\u00c3\u00a9 \u201cquoted\u201d", "plain", "a &amp; b"]
    d = docs(texts)
    left = registry.make("step", "ftfy", {})(d.within("clean", "ftfy"))
    assert left.text.to_pylist() == [ftfy.fix_text(t) for t in texts] == ['caf\u00e9 "quoted"', "plain", "a & b"]
    assert reasons(d) == [(0, "ftfy"), (2, "ftfy")]
    assert d.count.edited == {"ftfy": 2 + 4 + 4}
    keep = run("ftfy", texts, uncurl_quotes=False, unescape_html=False)
    assert keep.text.to_pylist() == ["caf\u00e9 \u201cquoted\u201d", "plain", "a &amp; b"]


def test_control_characters() -> None:
    texts = ["a\x00b\x07c\td\ne", "\ufeffbom", "soft\u00adhyphen", "x\uffffy"]
    assert edited("control-characters", texts) == (
        ["abc\td\ne", "bom", "soft\u00adhyphen", "xy"],
        {
            "control-characters.control": 2,
            "control-characters.byte_order_mark": 3,
            "control-characters.noncharacter": 3,
        },
    )
    assert edited("control-characters", texts, kinds=["zero_width"])[0][2] == "softhyphen"
    with pytest.raises(RecipeError, match="kinds"):
        run("control-characters", [], kinds=["everything"])


def test_nfc() -> None:
    d = docs(["e\u0301 and caf\u00e9", "plain", "\u1100\u1161"])
    left = registry.make("step", "nfc", {})(d.within("clean", "nfc"))
    assert left.text.to_pylist() == ["\u00e9 and caf\u00e9", "plain", "\uac00"]
    assert d.count.edited == {"nfc": 1 + 3}
    assert run("nfc", ["\ufb01"], form="NFKC").text.to_pylist() == ["fi"]


def test_whitespace() -> None:
    text = "\n \n    indented  code\t \r\nline\rline\n\n\n\n\n\nend  \n\n"
    assert edited("whitespace", [text]) == (
        ["    indented  code\nline\nline\n\n\nend"],
        {"whitespace.line_breaks": 1, "whitespace.trailing": 5, "whitespace.ends": 4, "whitespace.blank_lines": 3},
    )
    assert edited("whitespace", ["  a  b\u00a0\u00a0c"], runs=True)[0] == ["  a b\u00a0c"]
    assert edited("whitespace", ["a\u00a0b\tc"], plain=True)[0] == ["a b\tc"]
    assert edited("whitespace", [text], trailing=False, ends=False, blank_lines=None, line_breaks=False)[0] == [text]


def test_dedup_lines_and_paragraphs() -> None:
    line = "This line is long enough to count."
    assert edited("dedup-lines", [f"{line}\n}}\n  {line}\n}}\nother\n{line}"]) == (
        [f"{line}\n}}\n}}\nother"], {"dedup-lines.repeated": 2 * len(line) + 4},
    )  # fmt: skip
    paragraph = "A paragraph of two lines,\nlong enough to count as one."
    text = f"{paragraph}\n\nOther.\n\n{paragraph}\n\nLast."
    assert edited("dedup-paragraphs", [text])[0] == [f"{paragraph}\n\nOther.\n\nLast."]
    assert edited("dedup-lines", ["ab\nab\nab"], min_chars=2)[0] == ["ab"]


def test_boilerplate() -> None:
    text = "We use cookies.\nRead more\nThe privacy policy of the bank was the subject of a long debate in the lower house.\nReal text.\nSign in | Sign up"
    assert edited("boilerplate", [text]) == (
        ["The privacy policy of the bank was the subject of a long debate in the lower house.\nReal text."],
        {"boilerplate.cookies": 16, "boilerplate.navigation": 10, "boilerplate.account": 18},
    )
    assert edited("boilerplate", [text], groups=["cookies"])[1] == {"boilerplate.cookies": 16}
    assert edited("boilerplate", ["Impressum\nText"], groups=[], phrases={"imprint": ["Impressum"]}) == (
        ["Text"], {"boilerplate.imprint": 10},
    )  # fmt: skip
    assert edited("boilerplate", ["assign input here"])[1] == {}
    with pytest.raises(RecipeError, match=r"no boilerplate group 'cookie'.*did you mean 'cookies'"):
        run("boilerplate", [], groups=["cookie"])


def test_citations_and_repeated_punctuation() -> None:
    assert edited("citations", ["As said.[12][edit] And[citation needed] so [] on [a] [1 2]."]) == (
        ["As said. And so  on [a] [1 2]."], {"citations": 4 + 6 + 17 + 2},
    )  # fmt: skip
    assert edited("repeated-punctuation", ["No!!!!! Really????? ------ aaaaa 11111 ……………"])[0] == [
        "No!!! Really??? --- aaaaa 11111 ………"
    ]
    assert edited("repeated-punctuation", ["..... ,,"], max_run=1)[0] == [". ,"]
