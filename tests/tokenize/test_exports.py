"""Other trainers' formats, each read by its public definition, and by that project's reader where it is installed."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from pilebuilder.errors import RecipeError
from pilebuilder.models import gpt2
from pilebuilder.models.vocabulary import Tokenizer, load
from pilebuilder.tokenize import exports, sidecar
from tests.mix.building import MiniBuild
from tests.shard.reading import documents
from tests.tokenize.reading import MegatronFile

TEXTS = {"Web": [f"text {i} and more " * (1 + i % 5) for i in range(80)], "Code": ["", "x = 1\n" * 9]}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], MegatronFile, list[str]]:
    formats = ["nanogpt", "llmc", "olmo", "datatrove"]
    configs = {"shard": {"count": 1}, "mix": {"val": 0.0, "test": 0.0}, "tokenize": {"formats": formats}}
    done = MiniBuild(tmp_path_factory.mktemp("formats"), TEXTS, configs=configs).run("mix", "shard", "tokenize")
    public = done.public()
    ids = [d["meta"]["id"] for d in documents(public["train/00.jsonl.zst"])]
    found = {name.removeprefix("tokens/train_00."): path for name, path in public.items() if "train_00" in name}
    return found, MegatronFile(found["bin"].with_suffix("")), ids


def test_nanogpt_is_raw_uint16(files: tuple[dict[str, Path], MegatronFile, list[str]]) -> None:
    found, tokens, _ = files
    assert (np.memmap(found["nanogpt.bin"], np.uint16, "r") == tokens.bin).all()


def test_llmc_has_its_header_and_the_end_in_front(files: tuple[dict[str, Path], MegatronFile, list[str]]) -> None:
    found, tokens, _ = files
    header = np.fromfile(found["llmc.bin"], np.int32, 256)
    assert header[:3].tolist() == [20240520, 1, len(tokens.bin)]
    assert not header[3:].any()
    stream = np.fromfile(found["llmc.bin"], np.uint16, offset=1024)
    starts = np.flatnonzero(stream == gpt2.END_OF_TEXT_ID)
    pieces = np.split(stream, starts)[1:]
    assert len(stream) == len(tokens.bin)
    assert len(pieces) == len(tokens)
    for i, piece in enumerate(pieces):
        assert piece[1:].tolist() == tokens[i][:-1].tolist()


def test_olmo_names_every_document(files: tuple[dict[str, Path], MegatronFile, list[str]]) -> None:
    found, tokens, ids = files
    stream = np.memmap(found["npy"], np.uint16, "r")
    with gzip.open(found["csv.gz"], "rt") as file:
        rows = list(csv.reader(file))
    assert [r[2] for r in rows] == ids
    assert {r[3] for r in rows} == {"train/00.jsonl.zst"}
    assert [int(r[4]) for r in rows] == list(range(1, len(ids) + 1))
    for i, row in enumerate(rows):
        assert stream[int(row[0]) : int(row[1])].tolist() == tokens[i].tolist()


def test_datatrove_reads_its_own(files: tuple[dict[str, Path], MegatronFile, list[str]]) -> None:
    found, tokens, _ = files
    ends = np.fromfile(found["ds.index"], np.uint64)
    assert ends.tolist() == np.cumsum(tokens.lengths).tolist()
    name, count, people = found["ds.metadata"].read_text().split("\n")
    assert (name, int(count)) == ("gpt2|2", len(tokens.bin))
    assert people.endswith("T")
    pytest.importorskip("torch")
    from datatrove.utils.dataset import DatatroveFileDataset

    windows = DatatroveFileDataset(str(found["ds"]), seq_len=15, token_size=2)
    stream = np.concatenate([windows[i]["input_ids"].numpy() for i in range(len(windows))])
    assert len(stream) == len(tokens.bin) // 16 * 16
    assert (stream == tokens.bin[: len(stream)]).all()


def test_the_manifest_lists_every_file(files: tuple[dict[str, Path], MegatronFile, list[str]]) -> None:
    found, _, _ = files
    told = json.loads(found["json"].read_text())
    assert set(told["files"]) == {f"train_00.{suffix}" for suffix in found if suffix != "json"}
    assert told["files"]["train_00.npy"]["sha256"] == told["files"]["train_00.bin"]["sha256"]
    assert told["formats"] == ["megatron", "nanogpt", "llmc", "olmo", "datatrove"]


def test_a_large_vocabulary_takes_four_bytes_and_not_nanogpt(tmp_path: Path) -> None:
    large = Tokenizer(name="large", kind="ranks", digest="", size=100_000, eod=99_999)
    assert large.dtype == "int32"
    with pytest.raises(RecipeError, match="nanogpt holds ids below 65,500"):
        exports.check(["nanogpt"], large)
    ids = np.array([1, 70_000, 99_999, 99_999, 5, 99_999], np.int32)
    ids.tofile(tmp_path / "x.bin")
    none = np.zeros(3, np.int64)
    docs = sidecar.Documents(np.zeros((3, 16), np.uint8), none, none, none)
    tokens = exports.Tokens(
        path=tmp_path / "x.bin", width=4, lengths=np.array([3, 1, 2]), documents=docs, tokenizer=large, source="x"
    )
    exports.write("llmc", tokens, lambda suffix: tmp_path / f"x.{suffix}")
    assert np.fromfile(tmp_path / "x.llmc.bin", np.int32, 3).tolist() == [20240801, 7, 6]
    stream = np.fromfile(tmp_path / "x.llmc.bin", np.uint32, offset=1024)
    assert stream.tolist() == [99_999, 1, 70_000, 99_999, 99_999, 5]


def test_gpt2_is_small_enough_for_all() -> None:
    exports.check(["nanogpt", "llmc", "olmo", "datatrove"], load("gpt2"))
