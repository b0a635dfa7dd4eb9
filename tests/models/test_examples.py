"""Files of texts: every format read whole, every defect named with file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pilebuilder.errors import RecipeError
from pilebuilder.models import examples
from pilebuilder.models.examples import ExampleError

ROWS = [{"q": "What is it?", "a": ["one", "two"], "n": 3}, {"q": "Naïve 漢", "a": [], "n": 4}]
LINES = "\n".join(json.dumps(r, ensure_ascii=False) for r in ROWS)


def write(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.json", "x.parquet"])
def test_formats_give_the_same_texts(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "x.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        raw = (json.dumps(ROWS) if name == "x.json" else LINES).encode()
        raw = gzip.compress(raw, mtime=0) if name.endswith("gz") else raw
        raw = zstandard.compress(raw[:20]) + zstandard.compress(raw[20:]) if name.endswith("zst") else raw
        write(path, raw)
    assert list(examples.texts(path)) == ["What is it?\none\ntwo", "Naïve 漢"]
    assert list(examples.texts(path, ("a", "q"))) == ["one\ntwo\nWhat is it?", "Naïve 漢"]


def test_text_and_tables(tmp_path: Path) -> None:
    assert list(examples.texts(write(tmp_path / "a.txt", b"one\r\n\n two\n"))) == ["one", " two"]
    assert list(examples.texts(write(tmp_path / "a.csv", b'text,label\n"a, b",x\n'), ("text",))) == ["a, b"]
    path = write(tmp_path / "b.tsv", b"text\tlabel\na\tx\nb\ty\n")
    assert list(examples.labelled(path, ("text",), "label")) == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("name", "raw", "word"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("a.jsonl", b'{"q": "\xff"}', "not UTF-8 at byte 7"),
        ("a.jsonl.zst", zstandard.compress(LINES.encode())[:-3], "inside a frame"),
        ("a.jsonl.zst", b"not zstd at all", "damaged zstd"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9], "cannot be read"),
        ("a.parquet", b"PAR1 no", "not readable Parquet"),
        ("a.docx", b"x", "unknown format"),
        ("b.jsonl", b'{"other": "x"}', "no field 'q'; it has other"),
    ],
)
def test_defects_are_named(tmp_path: Path, name: str, raw: bytes, word: str) -> None:
    path = write(tmp_path / name, raw)
    with pytest.raises(ExampleError, match=word) as caught:
        list(examples.texts(path, ("q",) if name == "b.jsonl" else ()))
    assert str(path) in str(caught.value)


def test_patterns_and_packages(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", b"x")
    write(tmp_path / "a.txt", b"x")
    assert [p.name for p in examples.expand([f"{tmp_path}/*.txt", f"{tmp_path}/a.txt"])] == ["a.txt", "b.txt"]
    assert examples.expand(["pilebuilder:models/lid176/NOTICE"])[0].name == "NOTICE"
    for bad, word in ((f"{tmp_path}/*.csv", "no file matches"), ("no_such_package:x.txt", "no package named")):
        with pytest.raises(RecipeError, match=word):
            examples.expand([bad])
