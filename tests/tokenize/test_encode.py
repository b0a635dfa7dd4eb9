"""The task's care: engines that differ, ids that do not exist, shards that were changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from pilebuilder.build.worker import execute
from pilebuilder.errors import PilebuilderError, TaskError
from pilebuilder.frames import FrameWriter, SeekableFile
from pilebuilder.models import encoders
from pilebuilder.task import Task, digest_file
from pilebuilder.tokenize.lines import Scanner
from tests.mix.building import MiniBuild
from tests.tokenize.reading import MegatronFile

TEXTS = {"A": [f"some text number {i} and then more of it" for i in range(60)], "B": [f"b {i} ??" for i in range(40)]}


@pytest.fixture
def done(tmp_path: Path) -> MiniBuild:
    configs = {"shard": {"count": 1}, "mix": {"val": 0.0, "test": 0.0}}
    return MiniBuild(tmp_path, TEXTS, configs=configs).run("mix", "shard", "tokenize")


class Wrong:
    """Agrees with the reference except on documents that hold a question mark."""

    name = "wrong"

    def __init__(self, tokenizer: Any) -> None:
        self.right = encoders.Tiktoken(tokenizer)

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, at = self.right.encode(data, offsets)
        ids = ids.copy()
        for row in range(len(offsets) - 1):
            if 63 in data[offsets[row] : offsets[row + 1]]:
                ids[at[row]] = 7
        return ids, at


def test_an_engine_that_differs_is_not_used_and_it_is_said(done: MiniBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encoders.ENGINES, "wrong", Wrong)
    right = done.tasks["tokenize"][0]
    task = replace(right, params={**right.params, "engine": "wrong"})
    manifest = execute(task, done.root)
    expected = {a.facts["public"]: a.sha256 for a in done.done["tokenize"][0].outputs}
    assert {a.facts["public"]: a.sha256 for a in manifest.of("tokens")} == expected
    from pilebuilder.partition import read_table

    (ledger,) = manifest.of("ledger")
    (row,) = read_table(done.root / ledger.path).to_pylist()
    assert row["reason"] == "engine_differs"
    assert row["component"] == "B"
    assert "wrong does not encode" in row["detail"]
    unchecked = replace(task, params={**task.params, "check": 0})
    assert {a.facts["public"]: a.sha256 for a in execute(unchecked, done.root).of("tokens")} != expected


def test_an_id_out_of_range_is_refused(done: MiniBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    class TooHigh(Wrong):
        def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            ids, at = self.right.encode(data, offsets)
            return ids + np.uint32(50_000), at

    monkeypatch.setitem(encoders.ENGINES, "high", TooHigh)
    task = done.tasks["tokenize"][0]
    with pytest.raises(TaskError, match=r"gave id \d+, but its vocabulary ends at 50256"):
        execute(replace(task, params={**task.params, "engine": "high", "check": 0}), done.root)


def edited(task: Task, root: Path, change: Any) -> Task:
    """The task over a shard whose content was changed and honestly digested again."""
    path = root / task.inputs[0].path
    with SeekableFile(path) as shard:
        plain = change(b"".join(shard.batches()))
    path.unlink()
    with FrameWriter(path, 4096, 3) as out:
        out.write(np.frombuffer(plain, np.uint8), np.array([0, len(plain)]))
    sha, size = digest_file(path)
    return replace(task, inputs=(replace(task.inputs[0], sha256=sha, bytes=size),))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b'{"text":', b'{"text": ', 1),
        lambda raw: raw.replace(b'"pile_set_name":"A"', b'"pile_set_name":"C"', 1),
        lambda raw: raw.replace(b'"id":"', b'"id":"X', 1),
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b"some text", b"some\x01text", 1),
        lambda raw: raw.replace(b"some text", b"some \\q text", 1),
        lambda raw: raw.replace(b"}}\n", b"}\n", 1),
        lambda raw: raw + b"\n",
    ],
)
def test_a_shard_that_is_not_as_written_is_named(done: MiniBuild, change: Any) -> None:
    task = edited(done.tasks["tokenize"][0], done.root, change)
    with pytest.raises(PilebuilderError, match=r"train/00\.jsonl\.zst.*(not as pilebuilder writes it|cut short)"):
        execute(task, done.root)


def test_a_shard_that_was_packed_again_is_named(done: MiniBuild) -> None:
    task = done.tasks["tokenize"][0]
    path = done.root / task.inputs[0].path
    with SeekableFile(path) as shard:
        path.write_bytes(zstandard.compress(b"".join(shard.batches())))
    sha, size = digest_file(path)
    with pytest.raises(PilebuilderError, match="has no seek table"):
        execute(replace(task, inputs=(replace(task.inputs[0], sha256=sha, bytes=size),)), done.root)


def test_a_shard_with_another_digest_is_named(done: MiniBuild) -> None:
    task = done.tasks["tokenize"][0]
    path = done.root / task.inputs[0].path
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(TaskError, match="was changed after it was written"):
        execute(task, done.root)


def test_documents_of_every_size_around_a_block(tmp_path: Path) -> None:
    """Escapes at every position of the scanner's blocks, a document longer than a batch, and empty ones."""
    odd = ["x" * n + c + "y" * n for n in range(40) for c in ('"', "\\", "\n", "\x00", "é", '\\"')]
    texts = {"A": [*odd, "", "z" * 9_000_000, "w " * 100]}
    build = MiniBuild(tmp_path, texts, configs={"shard": {"count": 1}, "mix": {"val": 0.0, "test": 0.0}}).run(
        "mix", "shard"
    )
    path = build.public()["train/00.jsonl.zst"]
    scanner, found = Scanner(["A"], "x"), []
    for piece in SeekableFile(path).batches():
        lines = scanner.scan(piece)
        raw = lines.text.tobytes()
        found += [raw[a:b].decode() for a, b in zip(lines.offsets[:-1], lines.offsets[1:], strict=True)]
    assert sorted(found) == sorted(texts["A"])


def test_no_documents_at_all(tmp_path: Path) -> None:
    from pilebuilder.tokenize import megatron, sidecar

    megatron.write_index(tmp_path / "a.idx", np.zeros(0, np.int64), "uint16")
    (tmp_path / "a.bin").write_bytes(b"")
    assert len(MegatronFile(tmp_path / "a")) == 0
    assert MegatronFile(tmp_path / "a").doc_idx.tolist() == [0]
    none = np.zeros(0, np.int64)
    sidecar.write(tmp_path / "a.docs", sidecar.Documents(np.zeros((0, 16), np.uint8), none, none, none))
    assert len(sidecar.read(tmp_path / "a.docs")) == 0
