"""Shards and order: nothing lost, exact shares, any sample on its own, damage named."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder import train
from pilebuilder.errors import RecipeError
from pilebuilder.train.loader import Loader, Source
from pilebuilder.train.order import Order, permute, quotas
from pilebuilder.train.rows import cut
from pilebuilder.train.shards import Corpus, ShardError
from tests.train.small import NAMES, make_corpus, small_config, write_shard


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, (1 << 128) - 1))
def test_the_permutation_is_one(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key)) == list(range(n))


def test_the_permutation_depends_on_its_key() -> None:
    assert list(permute(np.arange(50), 50, 1)) != list(permute(np.arange(50), 50, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=9).filter(lambda w: sum(w) > 1e-6))
def test_quotas_fill_the_block_within_one_of_the_share(weights: list[float]) -> None:
    w = np.array(weights)
    counts = quotas(w, 1000)
    assert counts.sum() == 1000
    assert ((counts > 0) == (w > 0)).all()
    assert np.abs(counts - w / w.sum() * 1000).max() <= len(weights)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(1, 200))
def test_any_range_of_samples_equals_the_whole_sequence(start: int, n: int) -> None:
    order = Order(np.array([13, 5, 1]), np.array([3.0, 1.0, 0.2]), seed=4, block=64)
    whole, part = order.samples(0, 700), order.samples(start, start + n)
    for a, b in zip(whole, part, strict=True):
        assert (a[start : start + n] == b).all()


def test_each_pass_of_a_component_takes_every_row_once() -> None:
    order = Order(np.array([13, 5]), np.array([3.0, 1.0]), seed=4, block=64)
    component, rows = order.samples(0, 640)
    for c, n in ((0, 13), (1, 5)):
        mine = rows[component == c]
        for k in range(len(mine) // n):
            assert sorted(mine[k * n : (k + 1) * n]) == list(range(n))
    assert (np.bincount(component[64:128]) == [48, 16]).all()


def test_rows_hold_every_token_of_every_document(tmp_path: Path) -> None:
    corpus = Corpus(make_corpus(tmp_path), verify=True)
    rows = cut(corpus, "concat", 32)
    for c in range(len(NAMES)):
        place = rows.places(np.full(rows.counts[c], c), np.arange(rows.counts[c]))
        documents = np.searchsorted(corpus.ends, place, side="right")
        tokens = corpus.gather(documents, place)
        stream = np.concatenate([corpus.document(i) for i in np.flatnonzero(corpus.component == c)])
        flat = tokens[:, :-1].ravel()
        assert (flat == np.resize(stream, flat.shape)).all()
        assert (tokens[:-1, -1] == tokens[1:, 0]).all()
        assert set(documents.ravel()) == set(np.flatnonzero(corpus.component == c))


def test_natural_and_given_weights(tmp_path: Path) -> None:
    corpus = Corpus(make_corpus(tmp_path))
    natural = Source(corpus, small_config()).weights
    assert natural == pytest.approx(corpus.component_tokens / corpus.component_tokens.sum())
    only = small_config(data={"sequence": 32, "weights": {"Code": 1.0}})
    batch = Source(corpus, only).batch(3)
    assert set(batch.components) == {NAMES.index("Code")}
    for weights, message in (({"Coed": 1.0}, "did you mean 'Code'"), ({"Code": 0.0}, "above 0")):
        with pytest.raises(RecipeError, match=message):
            Source(corpus, small_config(data={"sequence": 32, "weights": weights}))


def test_loader_gives_the_batches_of_the_source_from_any_step(tmp_path: Path) -> None:
    source = Source(Corpus(make_corpus(tmp_path)), small_config())
    torch = pytest.importorskip("torch")
    loader = Loader(source, 5, 9, torch.device("cpu"))
    for step, batch in enumerate(loader, 5):
        assert (batch.ids.numpy() == source.batch(step).tokens[:, :-1]).all()
    loader.close()
    assert step == 8


def test_trace_names_the_documents_of_a_step(tmp_path: Path) -> None:
    folder = make_corpus(tmp_path)
    config = small_config()
    traced = train.trace(folder, config, 2)
    assert sum(t.tokens for t in traced) == config.batch_tokens
    source = Source(Corpus(folder), config)
    batch = source.batch(2)
    assert next(t.id for t in traced if t.row == 0) == source.corpus.id(int(batch.documents[0, 1]))
    for t in traced:
        held = next(s for s in source.corpus.shards if s.manifest["shard"]["name"] == t.shard)
        assert bytes(held.ids[t.document]).hex() == t.id


def test_edited_missing_cut_and_foreign_files_are_named(tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return make_corpus(tmp_path / name) / "tokens"

    tokens = broken("edited")
    content = bytearray((tokens / "train_00.bin").read_bytes())
    content[0] ^= 1
    (tokens / "train_00.bin").write_bytes(content)
    Corpus(tokens.parent)
    with pytest.raises(ShardError, match=r"train_00\.bin .*digest differs"):
        Corpus(tokens.parent, verify=True)
    tokens = broken("cut")
    (tokens / "train_01.idx").write_bytes((tokens / "train_01.idx").read_bytes()[:-4])
    with pytest.raises(ShardError, match=r"train_01\.idx has"):
        Corpus(tokens.parent)
    tokens = broken("missing")
    (tokens / "train_01.docs").unlink()
    with pytest.raises(ShardError, match=r"train_01\.docs is missing"):
        Corpus(tokens.parent)
    tokens = broken("tokenizer")
    manifest = json.loads((tokens / "train_01.json").read_bytes())
    manifest["tokenizer"]["name"] = "other"
    (tokens / "train_01.json").write_text(json.dumps(manifest))
    with pytest.raises(ShardError, match="another tokenizer"):
        Corpus(tokens.parent)
    write_shard(tmp_path / "wide", "train/00", [(0, [1, 2])], vocabulary=70_000)
    with pytest.raises(ShardError, match="does not fit in uint16"):
        Corpus(tmp_path / "wide")
    with pytest.raises(ShardError, match="no test tokens"):
        Corpus(tmp_path / "edited", "test")


def test_no_shard_is_left_out_in_silence(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    (corpus / "train").mkdir()
    for name in ("00", "01"):
        (corpus / "train" / f"{name}.jsonl.zst").touch()
    assert len(Corpus(corpus).shards) == 2
    (corpus / "train" / "02.jsonl.zst").touch()
    with pytest.raises(ShardError, match="lacks the tokens of train/02; run the same build again"):
        Corpus(corpus)
    Corpus(corpus, "val")
    (corpus / "tokens" / "train_01.json").unlink()
    with pytest.raises(ShardError, match=r"train_01\.json is missing"):
        Corpus(corpus)


def test_an_id_above_the_vocabulary_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, "train/00", [(0, [1, 48, 2])], vocabulary=48)
    corpus = Corpus(tmp_path, verify=True)
    with pytest.raises(ShardError, match="the vocabulary has 48"):
        corpus.gather(np.zeros(3, np.int64), np.arange(3))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["bin", "idx", "docs", "json"]), st.floats(0, 1), st.integers(0, 255), st.booleans())
def test_damage_of_any_file_is_a_named_error(suffix: str, place: float, value: int, cut_there: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder), "train/00", [(0, [1, 2, 3]), (1, [4, 5])])
        path = Path(folder) / "tokens" / f"train_00.{suffix}"
        content = bytearray(path.read_bytes())
        at = int(place * (len(content) - 1))
        if content[at] == value and not cut_there:
            return
        path.write_bytes(content[:at] if cut_there else content[:at] + bytes([value]) + content[at + 1 :])
        said = refusal(Path(folder))
        # a manifest that says something else may be as good: another name, a space
        assert suffix == "json" or said
        assert not said or "train_00" in said or "has no train tokens" in said


def refusal(folder: Path) -> str:
    try:
        Corpus(folder, verify=True)
    except ShardError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer": {}},
        {"tokenizer": None},
        {"files": {"train_00.bin": {}}},
        {"files": {}},
        {"dtype": "float"},
        {"components": [{}]},
        {"tokens": "many"},
    ],
)
def test_a_manifest_of_another_shape_is_a_named_error(changes: dict[str, object], tmp_path: Path) -> None:
    write_shard(tmp_path, "train/00", [(0, [1, 2, 3]), (1, [4, 5])])
    path = tmp_path / "tokens" / "train_00.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))
    with pytest.raises(ShardError, match="train_00"):
        Corpus(tmp_path, verify=True)
