"""Tokens to documents and back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pilebuilder.errors import PilebuilderError
from pilebuilder.frames import SeekableFile
from pilebuilder.models import encoders
from pilebuilder.models.vocabulary import load
from pilebuilder.tokenize import megatron, sidecar
from pilebuilder.tokenize.trace import TokenFile, trace_id, trace_offset
from tests.mix.building import MiniBuild
from tests.shard.reading import documents

TEXTS = {
    "Web": [f"page {i}: größe 🎉 " * (1 + i % 6) for i in range(300)],
    "Books": [f"book {i}" * 50 for i in range(40)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the public layout."""
    configs = {"shard": {"count": 2, "frame": "2 KiB", "meta": ["url", "licence", "signal.score"]}}
    signals = {"Web": {"score": [i / 7 for i in range(300)]}}
    work = tmp_path_factory.mktemp("work")
    done = MiniBuild(work, TEXTS, {"Books": 3.0}, configs=configs, signals=signals).run("mix", "shard", "tokenize")
    out = tmp_path_factory.mktemp("out")
    for name, path in done.public().items():
        (out / name).parent.mkdir(exist_ok=True, parents=True)
        os.link(path, out / name)
    return out


def test_every_token_names_its_document(folder: Path) -> None:
    rows = documents(folder / "train/01.jsonl.zst")
    file = TokenFile(folder / "tokens/train_01")
    at = 0
    for number, row in enumerate(rows):
        size = int(file.index.lengths[number])
        for offset in (at, at + size - 1):
            place, line = trace_offset(folder / "tokens/train_01.bin", offset)
            assert line == row
            assert (place.document, place.start, place.stop, place.offset) == (number, at, at + size, offset - at)
            assert (place.id, place.component) == (row["meta"]["id"], row["meta"]["pile_set_name"])
            assert place.text_bytes == len(row["text"].encode())
            assert place.shard == "train/01.jsonl.zst"
        at += size
    assert at == file.index.total
    assert any(row["meta"]["score"] is not None for row in rows)


def test_a_document_names_its_tokens_wherever_it_was_repeated(folder: Path) -> None:
    everywhere: dict[str, list[tuple[str, int]]] = {}
    for path in sorted(folder.rglob("*.jsonl.zst")):
        for number, row in enumerate(documents(path)):
            everywhere.setdefault(row["meta"]["id"], []).append((path.relative_to(folder).as_posix(), number))
    assert max(map(len, everywhere.values())) == 3
    for name in sorted(everywhere)[::40]:
        found = trace_id(folder, name)
        assert sorted((p.shard, p.document) for p, _ in found) == sorted(everywhere[name])
    prefix = sorted(everywhere)[0][:9].upper()
    assert trace_id(folder, prefix)[0][0].id.startswith(prefix.lower())


def test_text_around_a_token_reads(folder: Path) -> None:
    file = TokenFile(folder / "tokens/train_00")
    place = file.at(file.index.total // 2)
    ids, at = file.around(place.start + 3, reach=2)
    assert at == 2
    assert ids.tolist() == file.tokens[place.start + 1 : place.start + 6].tolist()
    whole = encoders.decode(load("gpt2"), file.tokens[place.start : place.stop])
    assert whole == file.line(place)["text"] + "<50256>"


def test_what_does_not_exist_is_said(folder: Path, tmp_path: Path) -> None:
    total = TokenFile(folder / "tokens/train_00").index.total
    with pytest.raises(PilebuilderError, match=f"holds tokens 0 to {total - 1}; there is no token {total}"):
        trace_offset(folder / "tokens/train_00", total)
    with pytest.raises(PilebuilderError, match=r"no token file of .* holds document"):
        trace_id(folder, "0" * 32)
    with pytest.raises(PilebuilderError, match="is no document id"):
        trace_id(folder, "xyz")
    with pytest.raises(PilebuilderError, match="give the stem of a token file"):
        TokenFile(folder / "tokens/train_77")
    with pytest.raises(PilebuilderError, match="has no token files"):
        trace_id(tmp_path, "0" * 32)


def copy(folder: Path, to: Path) -> Path:
    for name in ("bin", "idx", "docs", "json"):
        (to / f"x.{name}").write_bytes((folder / f"tokens/train_00.{name}").read_bytes())
    return to / "x"


def test_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    stem = copy(folder, tmp_path)
    good = stem.with_suffix(".idx").read_bytes()
    for damaged, message in (
        (good[:-5], "cut or damaged"),
        (b"X" + good[1:], "not MMIDIDX"),
        (good[:17] + b"\x07" + good[18:], "type code 7"),
        (good[:34] + b"\xff" * 4 + good[38:], "without gaps"),
        (b"", "not MMIDIDX"),
    ):
        stem.with_suffix(".idx").write_bytes(damaged)
        with pytest.raises(PilebuilderError, match=message):
            megatron.read_index(stem.with_suffix(".idx"))
    stem.with_suffix(".idx").write_bytes(good)
    docs = stem.with_suffix(".docs").read_bytes()
    stem.with_suffix(".docs").write_bytes(docs[:-1])
    with pytest.raises(PilebuilderError, match=r"not a whole \.docs file"):
        TokenFile(stem)
    stem.with_suffix(".docs").write_bytes(docs)
    stem.with_suffix(".bin").write_bytes(b"\0\0")
    with pytest.raises(PilebuilderError, match="index describes another size"):
        TokenFile(stem)
    stem.with_suffix(".json").write_text("{")
    with pytest.raises(PilebuilderError, match="not a token manifest"):
        TokenFile(stem)


def test_an_index_of_another_build_is_noticed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "train").mkdir()
    copy(folder, tmp_path / "tokens")
    (tmp_path / "train/00.jsonl.zst").write_bytes((folder / "train/01.jsonl.zst").read_bytes())
    with pytest.raises(PilebuilderError, match=r"not of one build|does not fit|no position"):
        trace_offset(tmp_path / "tokens/x", 5)


def test_seeking_reads_any_line(folder: Path) -> None:
    docs = sidecar.read(folder / "tokens/train_00.docs")
    rows = documents(folder / "train/00.jsonl.zst")
    with SeekableFile(folder / "train/00.jsonl.zst") as shard:
        assert len(shard.plain) > 5, "several frames"
        import json

        for i in np.random.default_rng(0).permutation(len(rows))[:50]:
            assert json.loads(shard.line(int(docs.starts[i]))) == rows[i]
