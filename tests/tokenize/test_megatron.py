"""Token files read back to the text by an independent reader, and by a trainer's way of cutting windows."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import tiktoken

from pilebuilder.models import gpt2
from pilebuilder.task import digest_file
from pilebuilder.tokenize import sidecar
from tests.mix.building import MiniBuild
from tests.shard.reading import content, documents
from tests.tokenize.reading import MegatronFile

TEXTS = {
    "Web": [f"The quick brown fox {i} jumps. Größe 你好 🎉\n\n  \t" * (1 + i % 4) for i in range(300)]
    + ["", "<|endoftext|>"],
    "Code": [f"for i in range({i}):\n    print('\\x00')\r\n" for i in range(150)],
}


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    special = {gpt2.END_OF_TEXT: gpt2.END_OF_TEXT_ID}
    return tiktoken.Encoding("gpt2", pat_str=gpt2.PATTERN, mergeable_ranks=gpt2.ranks(), special_tokens=special)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> MiniBuild:
    configs = {"shard": {"count": 2}, "mix": {"val": "10%", "test": 0.0}}
    return MiniBuild(tmp_path_factory.mktemp("tokens"), TEXTS, {"Code": 1.5}, configs=configs).run(
        "mix", "shard", "tokenize"
    )


def pairs(done: MiniBuild) -> list[tuple[Path, Path]]:
    """(prefix of the token files, shard) for every shard; the files lie beside each other under their public names."""
    public = done.public()
    found = []
    for name, path in public.items():
        if name.endswith(".zst"):
            stem = f"tokens/{name.removesuffix('.jsonl.zst').replace('/', '_')}"
            found.append((public[f"{stem}.bin"].with_suffix(""), path))
    assert len(found) == 3
    return found


def test_tokens_read_back_to_the_text(done: MiniBuild, encoding: tiktoken.Encoding) -> None:
    for prefix, shard in pairs(done):
        tokens, rows = MegatronFile(prefix), documents(shard)
        assert tokens.dtype == np.uint16
        assert len(tokens) == len(rows)
        assert tokens.doc_idx.tolist() == list(range(len(rows) + 1))
        for i, row in enumerate(rows):
            assert tokens[i][-1] == gpt2.END_OF_TEXT_ID
            assert gpt2.END_OF_TEXT_ID not in tokens[i][:-1]
            assert encoding.decode_bytes(tokens[i][:-1].tolist()) == row["text"].encode()
            assert tokens[i][:-1].tolist() == encoding.encode_ordinary(row["text"])


def test_manifest_counts_are_exact(done: MiniBuild) -> None:
    for prefix, shard in pairs(done):
        tokens, rows = MegatronFile(prefix), documents(shard)
        told = json.loads(prefix.with_suffix(".json").read_text())
        assert told["tokens"] == len(tokens.bin) == tokens.lengths.sum()
        assert told["documents"] == len(rows)
        assert told["text_tokens"] == told["tokens"] - told["documents"]
        assert told["shard"]["sha256"] == digest_file(shard)[0]
        for part in told["components"]:
            mine = [i for i, row in enumerate(rows) if row["meta"]["pile_set_name"] == part["name"]]
            assert part["documents"] == len(mine)
            assert part["tokens"] == sum(int(tokens.lengths[i]) for i in mine)
            assert part["bytes"] == sum(len(rows[i]["text"].encode()) for i in mine)
        for name, file in told["files"].items():
            assert digest_file(prefix.parent / name) == (file["sha256"], file["bytes"])
        assert told["tokenizer"] == {"name": "gpt2", "sha256": gpt2.digest(), "vocab_size": 50257, "eod": 50256}


def test_side_file_names_every_document(done: MiniBuild) -> None:
    for prefix, shard in pairs(done):
        told = json.loads(prefix.with_suffix(".json").read_text())
        rows, plain = documents(shard), content(shard)
        docs = sidecar.read(prefix.with_suffix(".docs"))
        assert [i.tobytes().hex() for i in docs.ids] == [r["meta"]["id"] for r in rows]
        assert docs.text_bytes.tolist() == [len(r["text"].encode()) for r in rows]
        assert [told["components"][c]["name"] for c in docs.component] == [r["meta"]["pile_set_name"] for r in rows]
        for start, row in zip(docs.starts.tolist(), rows, strict=True):
            assert json.loads(plain[start : plain.index(b"\n", start)]) == row


def test_windows_as_gpt_neox_cuts_them(done: MiniBuild) -> None:
    """Shuffled documents end to end, windows of T + 1 ids that share their last id with the next, as its sample index
    (document position, offset) does it; every id but the last is predicted from exactly once per epoch."""
    prefix, _ = pairs(done)[0]
    tokens, length = MegatronFile(prefix), 64
    order = np.random.default_rng(0).permutation(len(tokens))
    samples, document, offset = [(0, 0)], 0, 0
    total = int(tokens.lengths.sum())
    for _ in range((total - 1) // length):
        left = length
        while left > 0:
            room = int(tokens.lengths[order[document]]) - offset
            if room > left:
                offset, left = offset + left, 0
            else:
                left, document, offset = left - room, document + 1, 0
        samples.append((document, offset))
    stream = np.concatenate([tokens[i] for i in order])
    for number, ((first, at), (last, end)) in enumerate(itertools.pairwise(samples)):
        pieces = [
            tokens[order[d]][at if d == first else 0 : end + 1 if d == last else None] for d in range(first, last + 1)
        ]
        window = np.concatenate(pieces)
        assert len(window) == length + 1
        assert (window == stream[number * length : number * length + length + 1]).all()


def test_the_same_bytes_whatever_the_engine(done: MiniBuild, tmp_path: Path) -> None:
    from dataclasses import replace

    from pilebuilder.build.worker import execute

    task = done.tasks["tokenize"][0]
    digests = set()
    for engine in ("tiktoken", "tokenizers", "auto"):
        manifest = execute(replace(task, params={**task.params, "engine": engine}), done.root)
        digests.add(tuple((a.facts.get("public"), a.sha256) for a in manifest.outputs))
    assert len(digests) == 1
