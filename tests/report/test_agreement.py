"""The second language identifier: agreement where one is installed, a gap where none is."""

from __future__ import annotations

import json

import pytest

from pilebuilder.report import plan
from pilebuilder.report.facts import Facts
from pilebuilder.report.sampled import agreement
from pilebuilder.report.sections import languages
from pilebuilder.report.table import Table
from tests.report.made import Bench
from tests.report.test_planted import sample

ENGLISH = "The river was quiet in the morning and people talked about small things near the old bridge."
GERMAN = "Der Fluss war am Morgen still, und die Leute sprachen an der alten Br\u00fccke \u00fcber kleine Dinge."


def test_agreement_and_differences_are_counted(tmp_path):
    pytest.importorskip("pycld2")
    bench = Bench(tmp_path)
    texts = [ENGLISH] * 60 + [GERMAN] * 40 + ["short"] * 5 + ["\x07 12345 67890 --- 99999 +++"] * 3
    labels = ["en"] * 90 + ["de"] * 10 + ["en"] * 8
    asked = plan.task("agreement", "sampled.agreement:count", [sample(bench, texts, "a", labels)])
    (made,) = bench.run(asked).values()
    held = json.loads((tmp_path / made.path).read_bytes())["a"]
    assert held == {"asked": 103, "answered": 100, "agreed": 70, "pairs": [["en", "de", 30]]}
    (row,) = languages.agreement_table(Facts(corpus={}, sources=(), stages={}, agreement={"a": held})).rows
    assert row[3] == pytest.approx(0.7)
    assert row[4] < 0.7 < row[5]
    assert row[6] == "en but de: 30"


def test_characters_that_are_no_text_do_not_stop_it():
    pytest.importorskip("pycld2")
    assert agreement.identify(ENGLISH + "\x00\x1b\u202e\ufffe") == "en"
    assert agreement.identify("") is None


def test_without_one_the_table_is_a_gap(monkeypatch):
    monkeypatch.setattr(agreement, "PACKAGE", "no-such-package")
    assert agreement.second() is None
    shown = languages.agreement_table(Facts(corpus={}, sources=(), stages={}))
    assert not isinstance(shown, Table)
    assert "not measured: no second identifier is installed" in shown.text


def test_too_few_answers_are_no_share():
    held = {"a": {"asked": 40, "answered": 29, "agreed": 29, "pairs": []}}
    (row,) = languages.agreement_table(Facts(corpus={}, sources=(), stages={}, agreement=held)).rows
    assert str(row[3]) == "too few (n = 29)"
