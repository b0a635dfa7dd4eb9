"""Best-fit packing: nothing lost, nothing cut that fits, little padding, and the same sequences as a plain version."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.errors import PilebuilderError
from pilebuilder.tokenize import packing
from tests.mix.building import MiniBuild
from tests.tokenize.reading import MegatronFile


def plain_best_fit(lengths: list[int], length: int) -> int:
    """Number of sequences by best-fit-decreasing, the quadratic way."""
    pieces = [min(length, n - i) for n in lengths for i in range(0, n, length)]
    rooms: list[int] = []
    for size in sorted(pieces, reverse=True):
        fitting = [r for r in rooms if r >= size]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - size)
        else:
            rooms.append(length - size)
    return len(rooms)


@settings(deadline=None)
@given(st.lists(st.integers(0, 90), max_size=60), st.integers(1, 40))
def test_nothing_is_lost_and_only_long_documents_are_cut(lengths: list[int], length: int) -> None:
    packed = packing.best_fit(np.array(lengths, np.int64), length)
    assert len(packed) == plain_best_fit(lengths, length)
    tokens = np.arange(sum(lengths))
    rows = [packed.row(i, tokens, -1) for i in range(len(packed))]
    assert sorted(t for row in rows for t in row.tolist() if t >= 0) == tokens.tolist()
    ends = np.cumsum(lengths)
    for size, end in zip(lengths, ends.tolist(), strict=True):
        holding = [i for i, row in enumerate(rows) if set(row.tolist()) & set(range(end - size, end))]
        assert len(holding) == -(-size // length), "a document lies in as few sequences as can be"
    firsts = [int(row[0]) for row in rows]
    assert firsts == sorted(firsts), "in the order of the first document"
    told = packing.report(packed, np.array(lengths, np.int64))
    assert told["padding"] == len(packed) * length - sum(lengths)
    assert told["split"] == sum(n > length for n in lengths)
    cut = [(e - n) // length != (e - 1) // length for n, e in zip(lengths, ends.tolist(), strict=True) if n]
    assert told["concatenated"]["split"] == sum(cut)


def test_a_pile_like_mix_needs_almost_no_padding() -> None:
    rng = np.random.default_rng(1)
    lengths = np.minimum(100_000, rng.lognormal(6, 1.4, 20_000).astype(np.int64) + 1)
    told = packing.report(packing.best_fit(lengths, 2048), lengths)
    assert told["padding_share"] < 0.005
    assert told["avoidable"] == 0
    assert told["concatenated"]["avoidable"] > 2000


def test_files_read_back(tmp_path: Path) -> None:
    packed = packing.best_fit(np.array([5, 3, 9, 1, 0, 4]), 4)
    packing.write(tmp_path / "x.pack4", packed)
    found = packing.read(tmp_path / "x.pack4")
    for name in ("first", "start", "size"):
        assert getattr(found, name).tolist() == getattr(packed, name).tolist()
    raw = (tmp_path / "x.pack4").read_bytes()
    (tmp_path / "x.pack4").write_bytes(raw[:-1])
    with pytest.raises(PilebuilderError, match="cut or damaged"):
        packing.read(tmp_path / "x.pack4")
    (tmp_path / "x.pack4").write_bytes(b"y" + raw[1:])
    with pytest.raises(PilebuilderError, match=r"not a \.pack file"):
        packing.read(tmp_path / "x.pack4")


def test_the_stage_writes_them_on_request(tmp_path: Path) -> None:
    configs = {"shard": {"count": 1}, "mix": {"val": 0.0, "test": 0.0}, "tokenize": {"pack": [64, 32]}}
    texts = {"A": [f"words and more {i} " * (1 + i % 9) for i in range(50)]}
    public = MiniBuild(tmp_path, texts, configs=configs).run("mix", "shard", "tokenize").public()
    tokens = MegatronFile(public["tokens/train_00.bin"].with_suffix(""))
    told = json.loads(public["tokens/train_00.json"].read_text())["packings"]
    assert [t["sequence_length"] for t in told] == [32, 64]
    packed = packing.read(public["tokens/train_00.pack64"])
    rows = np.concatenate([packed.row(i, tokens.bin, 50256) for i in range(len(packed))])
    assert len(rows) == told[1]["sequences"] * 64
    assert np.sort(rows)[: -told[1]["padding"] or None].tolist() == np.sort(tokens.bin).tolist()
