"""A tokenizer trained on a built corpus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pilebuilder.errors import PilebuilderError
from pilebuilder.models import encoders
from pilebuilder.models.vocabulary import load
from pilebuilder.tokenize import learn
from tests.mix.building import MiniBuild
from tests.tokenize.reading import MegatronFile

TEXTS = {
    "English": [
        f"The river runs past the old mill number {i}, and the miller's daughter waves at it. " * 3 for i in range(400)
    ],
    "Deutsch": [
        f"Die Mühle am rauschenden Bach Nummer {i} klappert seit Jahrhunderten im Tal. " * 2 for i in range(60)
    ],
    "Code": [f"def f_{i}(x):\n    return x ** {i} + len('{i}')\n" for i in range(30)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    configs = {"shard": {"count": 2, "frame": "2 KiB"}, "mix": {"val": {"share": 0.05, "least": 3}}}
    done = MiniBuild(tmp_path_factory.mktemp("work"), TEXTS, configs=configs).run("mix", "shard")
    out = tmp_path_factory.mktemp("corpus")
    for name, path in done.public().items():
        (out / name).parent.mkdir(exist_ok=True)
        os.link(path, out / name)
    return out


def test_it_learns_the_corpus_and_says_what_it_is_worth(folder: Path, tmp_path: Path) -> None:
    report = learn.train_tokenizer(folder, tmp_path / "tok.json", vocab_size=600, sample=60_000, seed=3)
    assert json.loads((tmp_path / "tok.report.json").read_text()) == report
    found = load(str(tmp_path / "tok.json"))
    assert (found.size, found.eod, found.kind, found.dtype) == (600, 0, "json", "uint16")
    assert report["measured_on"]["held_out"]
    assert set(report["components"]) == set(TEXTS)
    assert {"en", "de"} <= set(report["languages"])
    assert report["bytes_per_token"]["this"] > report["bytes_per_token"]["gpt2"] > 2
    assert report["components"]["Deutsch"]["this"] > report["components"]["Deutsch"]["gpt2"]
    table = learn.markdown(report)
    assert "| Deutsch |" in table
    assert "held-out text" in table


def test_small_components_are_in_the_sample(folder: Path) -> None:
    shards = sorted((folder / "train").glob("*.zst"))
    drawn = learn.draw_sample(shards, 40_000, 0)
    total = sum(drawn.bytes.values())
    assert set(drawn.bytes) == set(TEXTS)
    assert 0.9 * 40_000 < total < 1.2 * 40_000
    assert learn.draw_sample(shards, 40_000, 0).texts == drawn.texts
    assert learn.draw_sample(shards, 40_000, 1).texts != drawn.texts


def test_the_same_file_in_another_process(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pilebuilder.tokenize.learn import train_tokenizer as t;"
        "t(Path(sys.argv[1]), Path(sys.argv[2]), vocab_size=500, sample=50_000)"
    )
    digests = set()
    for threads in ("1", "2"):
        out = tmp_path / f"{threads}.json"
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        subprocess.run([sys.executable, "-c", code, folder, out], check=True, env=environment)
        digests.add(out.read_bytes())
    assert len(digests) == 1


def test_it_tokenizes_a_corpus(folder: Path, tmp_path: Path) -> None:
    learn.train_tokenizer(folder, tmp_path / "tok.json", vocab_size=400, sample=30_000)
    configs = {
        "shard": {"count": 1},
        "mix": {"val": 0.0, "test": 0.0},
        "tokenize": {"tokenizer": str(tmp_path / "tok.json")},
    }
    texts = {"A": [*TEXTS["Deutsch"], "<|endoftext|> is spelled out"]}
    done = MiniBuild(tmp_path / "b", texts, configs=configs).run("mix", "shard", "tokenize")
    tokens = MegatronFile(done.public()["tokens/train_00.bin"].with_suffix(""))
    tokenizer = load(str(tmp_path / "tok.json"))
    for i in range(len(tokens)):
        assert tokens[i][-1] == 0
        assert 0 not in tokens[i][:-1]
    back = {encoders.decode(tokenizer, tokens[i][:-1]) for i in range(len(tokens))}
    assert back == set(texts["A"])


def test_what_cannot_be_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PilebuilderError, match="has no training shards"):
        learn.train_tokenizer(tmp_path, tmp_path / "x.json", vocab_size=500)
    with pytest.raises(PilebuilderError, match="257 to 1048576 tokens, not 100"):
        learn.train_tokenizer(folder, tmp_path / "x.json", vocab_size=100)
