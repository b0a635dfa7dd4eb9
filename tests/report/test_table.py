import csv
import doctest
import io
import json

import pytest

from pilebuilder.report import cells, counters, svg
from pilebuilder.report.cells import Gap, not_measured, show, too_few, visible
from pilebuilder.report.table import Column, Table
from tests.report.made import HOSTILE

COLUMNS = (
    Column(key="name", title="Name", kind="name"),
    Column(key="bytes", title="Size", kind="bytes"),
    Column(key="share", title="Share", kind="share"),
    Column(key="n", title="Documents", kind="count"),
)


def made(*rows, **more):
    return Table(name="t", title="A table", columns=COLUMNS, rows=rows, **more)


@pytest.mark.parametrize("module", [cells, counters, svg])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_sizes_of_a_column_share_the_unit_of_the_largest():
    table = made(("a", 3 << 20, 0.5, 1), ("b", 512, 0.5, 2))
    assert table.headers()[1] == ("Size", "MiB")
    assert [row[1] for row in table.shown()[0]] == ["3.00", "< 0.01"] or table.shown()[0][1][1] == "0.00"


def test_gaps_say_why_in_every_form():
    table = made(("a", not_measured("no tokens"), too_few(12), None))
    assert "not measured: no tokens" in table.to_markdown()
    assert "too few (n = 12)" in table.to_csv()
    assert json.loads(table.to_json({}))["rows"][0]["bytes"] == {"gap": "not measured: no tokens"}
    assert show(Gap("x"), "count") == "x"


def test_csv_has_full_precision_and_no_formulas():
    table = made(("=cmd()", 1234567, 1 / 3, 2), ("@x", 1, 0.25, 3))
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[0] == ["name", "bytes", "share", "n"]
    assert rows[1] == ["'=cmd()", "1234567", repr(1 / 3), "2"]
    assert rows[2][0] == "'@x"


def test_markdown_is_no_markup_for_hostile_names():
    text = made((HOSTILE + "|x` *y*", 1, 0.1, 1)).to_markdown()
    line = next(row for row in text.splitlines() if "script" in row)
    assert "<script" not in text
    assert "\u202e" not in text
    assert line.count(" | ") == 3
    assert "\\*y\\*" in line


def test_hidden_characters_are_shown_and_letters_stay():
    assert visible("a\u202eb\x00c\u200b") == "a[U+202E]b[U+0000]c[U+200B]"
    assert visible("naïve 日本\n\tx") == "naïve 日本\n\tx"


def test_a_row_of_another_width_is_refused():
    with pytest.raises(AssertionError):
        made(("a", 1))
