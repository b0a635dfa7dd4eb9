"""CSV, Parquet and Hugging Face files: a row is a document, and a broken one costs itself."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.read.drive import documents, items, lost, run_task, skipped
from tests.read.fixtures import csv_table, jsonl, parquet_table, rows
from tests.samples import SAMPLES, needs_samples


def read(folder: Path, reader: str, data: bytes, name: str, **params: Any) -> list[Any]:
    path = folder / "raw"
    path.write_bytes(data)
    return items(reader, path, name, **params)


def table(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


# CSV -----------------------------------------------------------------------------------------------------------------


def test_csv_rows(tmp_path: Path) -> None:
    found = read(tmp_path, "csv", csv_table(), "a.csv")
    second = documents(found)[1]
    assert second["key"] == "1"
    assert second["text"].endswith('\nsecond line, "quoted"')
    assert second["meta"] == {"id": "1", "note": "n1"}
    assert csv_table()[second["offset"] :].startswith(b"1,")


def test_csv_columns_and_delimiters(tmp_path: Path) -> None:
    data = b"title\tbody\turl\tx\nT\tB\thttp://u\t5\nT2\t\t\t\n\t\t\t\n"
    found = read(tmp_path, "csv", data, "a.tsv", text=["title", "body"], id=None)
    one, two = documents(found)
    assert (one["text"], one["url"], one["meta"], one["key"]) == ("T\n\nB", "http://u", {"x": "5"}, "a.tsv#1")
    assert two["text"] == "T2"
    assert skipped(found) == {"empty_text": 1}


@pytest.mark.parametrize("bad", [b'7,"x" y,z', b"7,x", b"7,a,b,c", b'7,"a"b",c'])
def test_a_bad_csv_row_costs_itself(tmp_path: Path, bad: bytes) -> None:
    found = read(tmp_path, "csv", b"id,text,n\n1,one,x\n" + bad + b"\n3,three,x\n", "a.csv")
    assert [d["text"] for d in documents(found)] == ["one", "three"]
    assert lost(found) == {"bad_row": 1}


def test_csv_files_that_are_none(tmp_path: Path) -> None:
    assert lost(read(tmp_path, "csv", b"a,b\n1,2\n", "a.csv")) == {"no_text": 1}
    assert lost(read(tmp_path, "csv", b'text\n"open quote\nand on\n', "a.csv")) == {"truncated": 1}


@pytest.mark.parametrize("cell", [b"x" * 5000, b'"' + b'x, ""y""\n' * 900 + b'"', b'"' + b"x" * 4000 + b'"'])
def test_a_cell_beyond_the_limit_costs_its_row(tmp_path: Path, cell: bytes) -> None:
    for tail in (b"", b',"more"'):
        data = b"id,text,n\n1,one,x\n2," + cell + b",x" + tail + b"\n3,three,x\n"
        found = read(tmp_path, "csv", data, "a.csv", max_cell_bytes=1024)
        assert lost(found) == {"too_large": 1}
        assert [d["text"] for d in documents(found)] == ["one", "three"]


def test_csv_encodings(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbftext\n" + "ä\n".encode() + "ö\n".encode("cp1252") + "ü\n".encode()
    assert [d["text"] for d in documents(read(tmp_path, "csv", data, "a.csv"))] == ["ä", "ö", "ü"]


@needs_samples
def test_csv_sample() -> None:
    path = SAMPLES / "openwebtext2/science.csv"
    found = items("csv", path, text=["title", "selftext"])
    assert len(documents(found)) == 58
    assert not lost(found)


# Parquet -------------------------------------------------------------------------------------------------------------


def test_parquet_columns(tmp_path: Path) -> None:
    data = table({
        "id": pa.array([1, 2, None]), "text": ["one", "two ä", " "], "url": ["u", None, "v"],
        "n": pa.array([2**62, None, 3]), "tags": [["a"], [], None], "blob": [b"x", b"y", b"z"],
        "when": pa.array([0, 1, 2], pa.timestamp("s")),
    })  # fmt: skip
    found = read(tmp_path, "parquet", data, "a.parquet")
    one, two = documents(found)
    assert (one["key"], one["text"], one["url"], one["offset"]) == ("1", "one", "u", 0)
    assert json.loads(one["meta"]) == {"id": 1, "n": 2**62, "tags": ["a"], "when": "1970-01-01T00:00:00"}
    assert (two["key"], two["text"], two["url"]) == ("2", "two ä", None)
    assert skipped(found) == {"empty_text": 1}


def test_parquet_structs_dictionaries_and_missing_ids(tmp_path: Path) -> None:
    data = table({"doc": [{"body": "x", "src": "s"}], "kind": pa.array(["k"]).dictionary_encode()})
    (document,) = documents(read(tmp_path, "parquet", data, "a.parquet", text="doc.body", url="doc.src"))
    assert (document["text"], document["url"], document["key"]) == ("x", "s", "a.parquet#1")
    assert json.loads(document["meta"]) == {"kind": "k"}
    assert lost(read(tmp_path, "parquet", table({"t": ["x", "y"]}), "a.parquet")) == {"no_text": 2}


def test_a_row_group_that_is_corrupt_costs_itself(tmp_path: Path) -> None:
    data = bytearray(parquet_table(group=10))
    at = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(1).column(1).dictionary_page_offset
    for k in range(40):
        data[at + 60 + k] ^= 0xFF
    found = read(tmp_path, "parquet", bytes(data), "a.parquet")
    assert lost(found) == {"corrupt": 1}
    assert [d["key"] for d in documents(found)] == [f"doc-{k}" for k in (*range(10), *range(20, 40))]


def test_texts_that_are_no_utf8(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"ok\xff\xfe")]
    )
    found = read(tmp_path, "parquet", table({"text": bad}), "a.parquet")
    assert [d["text"] for d in documents(found)] == ["ok"]
    assert lost(found) == {"bad_utf8": 1}


def test_parquet_through_the_stage(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet_table())
    ran = run_task(tmp_path / "out", "parquet", [("a.parquet", path)])
    assert ran.count.kept == 40
    assert ran.tables[0].column("text").to_pylist() == [r["text"] for r in rows()]


# Hugging Face --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.csv", "a.arrow"])
def test_hugging_face_files(tmp_path: Path, name: str) -> None:
    whole = pa.Table.from_pylist(rows())
    data = jsonl(rows())
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith("parquet"):
        data = parquet_table()
    elif name.endswith("csv"):
        data = b"id,text,lang\n" + b"".join(f'{r["id"]},"{r["text"]}",en\n'.encode() for r in rows())
    elif name.endswith("arrow"):
        out = io.BytesIO()
        with pa.ipc.new_stream(out, whole.schema) as writer:
            writer.write_table(whole)
        data = out.getvalue()
    path = tmp_path / name
    path.write_bytes(data)
    found = items("huggingface", path, name)
    assert [d["text"] for d in documents(found)] == [r["text"] for r in rows()]
    assert [d["key"] for d in documents(found)] == [r["id"] for r in rows()]
    assert json.loads(documents(found)[0]["meta"]) == {"id": "doc-0", "lang": "en"}


def test_hugging_face_asks_no_network_and_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    """In a process of its own: what `datasets` and the Hub's library read from the environment is read once."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(rows()))
    code = (
        "import os, socket, sys\n"
        "before = dict(os.environ)\n"
        "def refuse(*a, **k): print('asked', a); os._exit(3)\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from tests.read.drive import documents, items\n"
        "print(len(documents(items('huggingface', Path(sys.argv[1]), 'a.jsonl'))), dict(os.environ) == before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [str(len(rows())), "True"]


def test_hugging_face_faults(tmp_path: Path) -> None:
    assert lost(read(tmp_path, "huggingface", b"x" * 99, "a.unknown")) == {"wrong_format": 1}
    path = tmp_path / "b.jsonl"
    path.write_bytes(jsonl(rows()) + b'{"text": broken\n')
    assert lost(items("huggingface", path)) == {"corrupt": 1}
