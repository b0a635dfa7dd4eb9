"""JSON escaping against the standard library."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilebuilder.shard.lines import json_lines, quoted

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=6)


def table(values: list[str], **more: object) -> pa.Table:
    n = len(values)
    columns = {
        "text": pa.array(values, pa.large_string()),
        "component": ['A "b"\\'] * n,
        "id": [f"{i:032x}" for i in range(n)],
    }
    return pa.table({**columns, **more})


@settings(deadline=None)
@given(texts)
@example(["", "\x00\x1f\x7f\u2028\ud7ff\U0010ffff", 'a"' * 40, "\\" * 17, "x" * 15 + "\n", "x" * 16 + '"', "é" * 33])
def test_lines_read_back_exactly(values: list[str]) -> None:
    data, offsets = json_lines(
        table(values, url=pa.array([None if i % 2 else v for i, v in enumerate(values)])), ["url"]
    )
    lines = [data[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
    assert [json.loads(line)["text"] for line in lines] == values
    for i, (line, value) in enumerate(zip(lines, values, strict=True)):
        expected = {"pile_set_name": 'A "b"\\', "id": f"{i:032x}", "url": "" if i % 2 else value}
        assert json.loads(line)["meta"] == expected
        assert line.endswith(b"}}\n")
        assert line.count(b"\n") == 1


@settings(deadline=None)
@given(texts)
def test_the_bytes_are_those_of_the_standard_library(values: list[str]) -> None:
    """Same escapes, same case, non-ASCII left alone; only DEL differs from nothing: neither escapes it."""
    found = quoted(pa.chunked_array([values])).to_pylist()
    assert found == [json.dumps(v, ensure_ascii=False) for v in values]


def test_slices_of_columns_begin_where_they_begin() -> None:
    whole = table([f"text {i}" for i in range(20)], url=[f"u{i}" for i in range(20)])
    data, offsets = json_lines(whole.slice(7, 5), ["url"])
    rows = [json.loads(line) for line in data[: offsets[-1]].tobytes().splitlines()]
    assert [(r["text"], r["meta"]["url"]) for r in rows] == [(f"text {i}", f"u{i}") for i in range(7, 12)]


def test_numbers_booleans_and_what_is_missing() -> None:
    more = {
        "signal.score": pa.array([0.1, None, float("inf"), float("nan"), -1e300]),
        "copy": pa.array([0, 1, 2, 3, 4], pa.int32()),
        "signal.flag": pa.array([True, False, None, True, True]),
        "signal.size": pa.array(np.array([2**63, 0, 1, 2, 3], np.uint64)),
    }
    data, offsets = json_lines(
        table(["t"] * 5, **more), ["signal.score", "copy", "signal.flag", "signal.size", "signal.no"]
    )
    rows = [json.loads(line)["meta"] for line in data[: offsets[-1]].tobytes().splitlines()]
    assert [r["score"] for r in rows] == [0.1, None, None, None, -1e300]
    assert [r["flag"] for r in rows] == [True, False, None, True, True]
    assert rows[0]["size"] == 2**63
    assert rows[4]["copy"] == 4
    assert rows[0]["no"] is None
    assert all(list(r) == ["pile_set_name", "id", "score", "copy", "flag", "size", "no"] for r in rows)
