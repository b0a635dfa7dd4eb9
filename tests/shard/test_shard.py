"""Output shards through the readers that people use."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pilebuilder.errors import TaskError
from pilebuilder.shard import Config
from tests.mix.building import MiniBuild, ledger
from tests.shard.reading import content, documents

TEXTS = {
    "Wikipedia (en)": [f'Größe {i}: "zitat"\n\ttab \\ back\x0b ' * (1 + i % 5) for i in range(400)],
    "Code": [f"def f{i}():\n    return '\\n' * {i}\n" for i in range(200)],
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> MiniBuild:
    configs = {"shard": {"count": 2, "frame": "4 KiB"}, "mix": {"val": "5%", "test": 0.0}}
    folder = tmp_path_factory.mktemp("shard")
    return MiniBuild(folder, TEXTS, {"Code": 2.0}, configs=configs).run("mix", "shard")


def test_layout_is_the_piles(done: MiniBuild) -> None:
    public = done.public()
    assert sorted(public) == ["train/00.jsonl.zst", "train/01.jsonl.zst", "val.jsonl.zst"]
    for row in documents(public["train/00.jsonl.zst"]):
        assert list(row) == ["text", "meta"]
        assert list(row["meta"]) == ["pile_set_name", "id", "url", "date", "licence"]
        assert all(isinstance(v, str) for v in row["meta"].values())
        assert row["text"] in TEXTS[row["meta"]["pile_set_name"]]


def test_datasets_reads_them_whole_and_streaming(done: MiniBuild, tmp_path: Path) -> None:
    import datasets

    files = [str(p) for n, p in done.public().items() if n.startswith("train")]
    expected = [d["text"] for f in files for d in documents(Path(f))]
    for streaming in (False, True):
        rows = datasets.load_dataset(
            "json", data_files=files, split="train", streaming=streaming, cache_dir=str(tmp_path / "cache")
        )
        found = list(rows)
        assert [r["text"] for r in found] == expected
        assert {r["meta"]["pile_set_name"] for r in found} == set(TEXTS)


def test_datatrove_reads_them(done: MiniBuild) -> None:
    from datatrove.pipeline.readers import JsonlReader

    path = done.public()["train/00.jsonl.zst"]
    found = [d.text for d in JsonlReader(str(path.parent), glob_pattern=path.name)()]
    assert found == [d["text"] for d in documents(path)]


@pytest.mark.skipif(not (shutil.which("zstdcat") and shutil.which("jq")), reason="zstdcat and jq are not installed")
def test_shell_tools_read_them(done: MiniBuild) -> None:
    path = done.public()["train/01.jsonl.zst"]
    names = subprocess.run(
        f"zstdcat '{path}' | jq -r .meta.pile_set_name", shell=True, check=True, capture_output=True, text=True
    ).stdout.split("\n")[:-1]
    assert names == [d["meta"]["pile_set_name"] for d in documents(path)]


def test_each_placed_copy_has_a_ledger_row_with_its_line(done: MiniBuild) -> None:
    rows = [r for r in ledger(done, "shard") if r["action"] == "kept"]
    found = {(r["reason"], int(r["value"])): (r["id"], r["component"]) for r in rows}
    expected = {
        (name.removesuffix(".jsonl.zst"), line): (d["meta"]["id"], d["meta"]["pile_set_name"])
        for name, path in done.public().items()
        for line, d in enumerate(documents(path))
    }
    assert found == expected
    assert len(rows) == len(expected)


def test_the_summary_adds_up(done: MiniBuild) -> None:
    summaries = [json.loads((done.root / a.path).read_text()) for a in done.artifacts("shard", "summary")]
    everything = [d for p in done.public().values() for d in documents(p)]
    for name, texts in TEXTS.items():
        rows = [d["text"] for d in everything if d["meta"]["pile_set_name"] == name]
        held = [s[name] for s in summaries if name in s]
        assert sum(h["documents"] for h in held) == len(rows)
        assert sum(h["unique"] for h in held) == len(texts)
        assert sum(h["bytes"] for h in held) == sum(len(t.encode()) for t in rows)
        assert sum(h["words"] for h in held) == sum(len(t.split()) for t in rows)
        bins = Counter(str(len(t.encode()).bit_length()) for t in rows)
        assert sum((Counter(h["bytes_log2"]) for h in held), Counter()) == bins
        bins = Counter(str(len(t.split()).bit_length()) for t in rows)
        assert sum((Counter(h["words_log2"]) for h in held), Counter()) == bins


def test_facts_tell_what_is_in_a_shard(done: MiniBuild) -> None:
    for artifact in done.artifacts("shard", "shard"):
        rows = documents(done.root / artifact.path)
        assert artifact.facts["documents"] == len(rows)
        assert artifact.facts["text_bytes"] == sum(len(d["text"].encode()) for d in rows)
        assert artifact.facts["split"] in ("train", "val")
        assert sum(n for n, _ in artifact.facts["components"].values()) == len(rows)


def test_a_changed_run_is_named(done: MiniBuild, tmp_path: Path) -> None:
    from pilebuilder.build.worker import execute

    shutil.copytree(done.root, tmp_path / "copy")
    task = done.tasks["shard"][0]
    path = tmp_path / "copy" / task.inputs[0].path
    raw = bytearray(path.read_bytes())
    raw[400] ^= 1
    path.write_bytes(raw)
    with pytest.raises(TaskError, match=r"run\.arrows was changed after the mix wrote it"):
        execute(task, tmp_path / "copy")
    path.write_bytes(raw[:-3])
    with pytest.raises(TaskError, match="not a run of the mix"):
        execute(task, tmp_path / "copy")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"count": 0}, "greater than or equal to 1"),
        ({"meta": ["id"]}, "always stands in meta"),
        ({"meta": ["lisence"]}, "cannot hold 'lisence'"),
        ({"meta": ["url", "signal.url"]}, "twice"),
        ({"frame": "1 GiB"}, "less than or equal"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(**config)  # type: ignore[arg-type]


def test_shards_are_the_same_on_every_run(done: MiniBuild, tmp_path: Path) -> None:
    again = MiniBuild(
        tmp_path,
        TEXTS,
        {"Code": 2.0},
        configs={"shard": {"count": 2, "frame": "4 KiB"}, "mix": {"val": "5%", "test": 0.0}},
    )
    assert again.run("mix", "shard").digests() == done.digests()
    assert content(again.public()["val.jsonl.zst"])


def test_parquet_holds_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr("pilebuilder.shard.columns.GROUP_BYTES", 2000)
    config = {"count": 2, "parquet": True, "meta": ["licence", "signal.score", "signal.absent", "copy"]}
    signals = {"Code": {"score": [i / 3 for i in range(200)]}, "Wikipedia (en)": {"score": list(range(400))}}
    digests = set()
    for memory in (1 << 30, 16 << 10):
        done = MiniBuild(tmp_path / str(memory), TEXTS, configs={"shard": config}, signals=signals, memory=memory).run(
            "mix", "shard"
        )
        public = done.public()
        for name in ("train/00", "train/01"):
            table = pq.read_table(public[f"{name}.parquet"])
            assert table.column_names == ["text", "meta"]
            assert table.to_pylist() == documents(public[f"{name}.jsonl.zst"])
            assert pq.ParquetFile(public[f"{name}.parquet"]).num_row_groups > 5
        digests.add(done.digests()["train/00.parquet"])
    assert len(digests) == 1


def test_datasets_reads_parquet(tmp_path: Path) -> None:
    import datasets

    done = MiniBuild(
        tmp_path, TEXTS, configs={"shard": {"count": 1, "parquet": True}, "mix": {"val": 0.0, "test": 0.0}}
    )
    path = done.run("mix", "shard").public()["train/00.parquet"]
    rows = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert [r["text"] for r in rows] == [d["text"] for d in documents(done.public()["train/00.jsonl.zst"])]
