"""JSON lines: the compiled scan and a general parser agree on every line, and nothing of a line is lost."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.document import document_id
from pilebuilder.read import line_blocks
from pilebuilder.read.jsonl import Jsonl
from tests.read.drive import documents, items, lost, run_task, skipped
from tests.samples import SAMPLES, manifest, needs_samples


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def read(path: Path, data: bytes | str, **params: Any) -> list[Any]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return items("jsonl", path, **params)


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
names = st.sampled_from(["text", "id", "url", "date", "license", "meta", "lang", "n"]) | texts
objects = st.dictionaries(names, values, max_size=6)


@settings(max_examples=120, deadline=None)
@given(st.lists(objects, min_size=1, max_size=5), st.booleans(), st.sampled_from([None, (", ", ": "), (",", ":")]))
def test_documents_are_what_a_general_parser_says(
    tmp_path_factory: Any, rows: list[dict[str, Any]], ascii: bool, gaps: Any
) -> None:
    path = tmp_path_factory.mktemp("j", numbered=True) / "a.jsonl"
    found = read(path, "".join(json.dumps(r, ensure_ascii=ascii, separators=gaps) + "\n" for r in rows))
    good = [(k, r) for k, r in enumerate(rows) if isinstance(r.get("text"), str) and r["text"].strip()]
    empty = [
        r
        for r in rows
        if "text" in r and (r["text"] is None or (isinstance(r["text"], str) and not r["text"].strip()))
    ]
    got = documents(found)
    got = [d for d in got if d["text"].strip()]
    assert [d["text"] for d in got] == [r["text"] for _, r in good]
    assert lost(found).total() == len(rows) - len(good) - len(empty)
    for document, (number, row) in zip(got, good, strict=True):
        ident = row.get("id")
        simple = isinstance(ident, str | int) and not isinstance(ident, bool)
        assert document["key"] == (str(ident) if simple else f"a.jsonl#{number + 1}")
        meta = document["meta"] if isinstance(document["meta"], dict) else json.loads(document["meta"])
        rest = {
            k: v
            for k, v in row.items()
            if k != "text" and not (k in ("url", "date", "license") and isinstance(v, str | None))
        }
        if rest.get("id", 0) is None:
            del rest["id"]
        others = [k for k in rest if k not in ("id", "meta")]
        inner = rest.get("meta")
        if isinstance(inner, dict) and not others and "id" not in inner:
            rest = {k: v for k, v in rest.items() if k == "id"} | inner
        assert meta == rest
        for column, key in (("url", "url"), ("date", "date"), ("licence", "license")):
            value = row.get(key)
            assert (document.get(column) or None) == (value if isinstance(value, str) and value else None)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_whatever_the_line_holds_the_parsers_agree(tmp_path_factory: Any, noise: bytes) -> None:
    noise = noise.replace(b"\n", b"")
    path = tmp_path_factory.mktemp("j", numbered=True) / "a.jsonl"
    for line in (noise, b'{"text": "' + noise + b'"}', b'{"a":' + noise + b',"text":"x"}', b'{"text":"x"}' + noise):
        found = read(path, b'{"text": "before"}\n' + line + b'\n{"text": "after"}\n')
        got = [d["text"] for d in documents(found)]
        try:
            value = orjson.loads(line)
            text = value.get("text") if isinstance(value, dict) else None
        except ValueError:
            text = None
        expected = [text] if isinstance(text, str) and text.strip() else []
        assert [t for t in got if t.strip()] == ["before", *expected, "after"]


def test_columns_and_what_is_kept(file: Path) -> None:
    row = '{"id": 7, "text": "One.\\nTwo \\u00e9 \\ud83d\\ude00", "url": "u", "date": null, "license": "CC0",'
    row += ' "n": [1, {"a": 2}]}'
    (document,) = documents(read(file, row))
    assert document["text"] == "One.\nTwo é 😀"
    assert (document["key"], document["url"], document["date"], document["licence"]) == ("7", "u", None, "CC0")
    assert document["meta"] == '{"id": 7,"n": [1, {"a": 2}]}'


def test_the_layout_of_our_own_shards_comes_back(file: Path) -> None:
    (document,) = documents(read(file, '{"text": "x", "meta": {"pile_set_name": "A", "k": 1}}'))
    assert json.loads(document["meta"]) == {"pile_set_name": "A", "k": 1}


def test_other_keys_and_dotted_keys(file: Path) -> None:
    row = '{"body": {"raw": "the text", "x": 1}, "doc": {"uid": "A9", "src": "http://s"}}'
    (document,) = documents(read(file, row, text="body.raw", id="doc.uid", url="doc.src"))
    assert (document["text"], document["key"], document["url"]) == ("the text", "A9", "http://s")
    assert document["meta"] == {"body": {"x": 1}, "doc": {"uid": "A9"}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"', "bad_json"),
        ('{"text": "a" "b": 1}', "bad_json"),
        ('{"text": "\\ud800 lone"}', "bad_json"),
        ('{"text": "tab\there"}', "bad_json"),
        ('{"a": NaN, "text": "x"}', "bad_json"),
        ('{"a": 1e999, "text": "x"}', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + ',"text":"x"}', "bad_json"),
        ('{"a": ' + "9" * 5000 + ', "text": "x"}', "bad_json"),
        ('["text"]', "not_an_object"),
        ('"text"', "not_an_object"),
        ('{"title": "no text here"}', "no_text"),
        ('{"text": ["a"]}', "no_text"),
        ('{"text": 5}', "no_text"),
    ],
)
def test_a_bad_line_costs_itself_and_says_where(file: Path, line: str, reason: str) -> None:
    found = read(file, f'{{"text": "before"}}\n{line}\n{{"text": "after"}}\n')
    assert [d["text"] for d in documents(found)] == ["before", "after"]
    assert lost(found) == {reason: 1}
    (bad,) = [i for i in found if getattr(i, "reason", "") == reason]
    assert bad.offset == len('{"text": "before"}\n')
    assert bad.key == "a.jsonl#2"
    assert len(bad.detail) < 500
    assert bad.detail.isprintable()


def test_big_integers_and_repeated_keys_survive(file: Path) -> None:
    number = 2**80 + 1
    first, second = documents(read(file, f'{{"n": {number}, "text": "x"}}\n{{"text": "old", "text": "new"}}'))
    assert first["meta"]["n"] == number
    assert second["text"] == "new"


def test_encodings(file: Path) -> None:
    good = '{"text": "gut ä"}\n'.encode()
    found = read(
        file, b"\xef\xbb\xbf" + good + b'{"text": "b\xe4d"}\n' + good + b'{"text": "over\xc0\xaflong"}\n' + good
    )
    assert [d["text"] for d in documents(found)] == ["gut ä"] * 3
    assert lost(found) == {"bad_utf8": 2}
    order = [getattr(i, "offset", None) for i in found if not hasattr(i, "table")]
    assert order == sorted(order)


def test_blank_lines_crlf_and_no_last_newline(file: Path) -> None:
    found = read(file, '\n  \n{"text": "a"}\r\n\r\n{"text": "b"}')
    assert [d["key"] for d in documents(found)] == ["a.jsonl#3", "a.jsonl#5"]
    assert not lost(found)


def test_empty_texts_are_skipped(file: Path) -> None:
    found = read(file, '{"text": ""}\n{"text": null}\n{"text": " \\n "}\n{"text": "x"}\n')
    assert skipped(found) == {"empty_text": 3}
    assert len(documents(found)) == 1


def test_long_lines(file: Path) -> None:
    long = "x" * 10_000_000
    found = read(file, json.dumps({"text": long}) + '\n{"text": "after"}\n')
    assert [len(d["text"]) for d in documents(found)] == [10_000_000, 5]
    found = read(
        file, '{"text": "before"}\n' + json.dumps({"text": long}) + '\n{"text": "after"}\n', max_record_bytes=1 << 20
    )
    assert [d["text"] for d in documents(found)] == ["before", "after"]
    assert lost(found) == {"too_large": 1}
    assert documents(found)[1]["key"] == "a.jsonl#3"


def test_lines_across_blocks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": string.ascii_letters * (k % 9) + str(k), "k": k} for k in range(500)]
    data = "".join(json.dumps(r) + "\n" for r in rows)
    whole = documents(read(file, data))
    monkeypatch.setattr(line_blocks, "BLOCK", 1000)
    monkeypatch.setattr("pilebuilder.read.streams.OUT", 333)
    pieces = documents(read(file, data))
    assert [d["text"] for d in whole] == [r["text"] for r in rows]
    assert pieces == whole


def test_a_million_keys_in_one_line(file: Path) -> None:
    row = "{" + ",".join(f'"k{n}":{n}' for n in range(200_000)) + ',"text":"x"}'
    (document,) = documents(read(file, row))
    assert len(json.loads(document["meta"])) == 200_000


def test_ids_through_the_stage(tmp_path: Path, file: Path) -> None:
    file.write_text('{"id": "a", "text": "1"}\n{"id": "a", "text": "2"}\n{"id": "a#2", "text": "3"}\n{"text": "4"}\n')
    ran = run_task(tmp_path / "out", "jsonl", [("f.jsonl", file)])
    ids = ran.tables[0].column("id").to_pylist()
    assert ids == [document_id("Test", key) for key in ("a", "a#3", "a#2", "f.jsonl#4")]
    assert [(r["action"], r["reason"]) for r in ran.ledger] == [("noted", "repeated_key")]


def test_parameters_are_checked() -> None:
    with pytest.raises(TypeError):
        Jsonl(txt="x")  # type: ignore[call-arg]


@needs_samples
@pytest.mark.parametrize("path", [p for p in manifest() if p.startswith("bulk/") and p.endswith(".zst")])
def test_samples(path: str) -> None:
    facts = manifest()[path]["facts"]
    got = documents(items("jsonl", SAMPLES / path))
    assert len(got) == facts["documents"]
    assert sum(len(d["text"].encode()) for d in got) == facts["text_bytes"]
    assert got[0]["key"] == facts["first_id"]
