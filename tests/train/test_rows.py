"""Rows: best-fit loses nothing and cuts only what is too long; a cut tokenizer gives what it would give on the text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder import train
from pilebuilder.digest import canonical
from pilebuilder.errors import RecipeError
from pilebuilder.models import encoders, gpt2
from pilebuilder.models.vocabulary import load
from pilebuilder.train.loader import Source, joined, open_corpus
from pilebuilder.train.narrow import narrow
from pilebuilder.train.rows import FILL, BestFit, cut
from pilebuilder.train.shards import Corpus
from tests.train.small import EOD, make_corpus, small_config, write_shard

TEXT = "The quick brown fox jumps over the lazy dog; 3.14159 = pi?  \n\n\tdef f(x): return x\r\nGrüße, 你好, 🎉 end"


def test_best_fit_predicts_every_token_of_every_document_once(tmp_path: Path) -> None:
    corpus = Corpus(make_corpus(tmp_path))
    rows = cut(corpus, "best-fit", 32)
    seen = []
    for c in range(len(corpus.components)):
        components, numbers = np.full(rows.counts[c], c), np.arange(rows.counts[c])
        place = rows.places(components, numbers)
        assert (place[:, 0] == FILL).all()
        predicted = place[:, 1:][place[:, 1:] != FILL]
        assert (rows.sizes(components, numbers) == (place[:, 1:] != FILL).sum(1)).all()
        assert (corpus.component[np.searchsorted(corpus.ends, predicted, side="right")] == c).all()
        seen.append(predicted)
    assert sorted(np.concatenate(seen)) == list(range(int(corpus.length.sum())))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=60), st.integers(8, 40))
def test_best_fit_cuts_only_documents_longer_than_a_row(lengths: list[int], length: int) -> None:
    class Given:
        component = np.zeros(len(lengths), np.int64)
        components = ("A",)

    corpus = Given()
    corpus.length = np.array(lengths)  # type: ignore[attr-defined]
    corpus.ends = np.cumsum(corpus.length)  # type: ignore[attr-defined]
    rows = BestFit(corpus, length)  # type: ignore[arg-type]
    assert rows.size.sum() == sum(lengths)
    assert rows.size.max() <= length
    assert len(rows.size) == sum(-(-n // length) for n in lengths)


def test_a_best_fit_batch_pads_with_the_end_and_counts_what_it_predicts(tmp_path: Path) -> None:
    config = small_config(data={"sequence": 64, "packing": "best-fit"})
    source = Source(Corpus(make_corpus(tmp_path)), config)
    batch = next(b for b in map(source.batch, range(40)) if b.predicted.sum() < config.batch_tokens)
    filled = batch.documents == FILL
    assert (batch.tokens[filled] == EOD).all()
    assert filled[:, 0].all()
    assert int(batch.predicted.sum()) == int((~filled[:, 1:]).sum())
    whole, share = source.batch(2), source.batch(2, slice(1, 3))
    assert (share.tokens == whole.tokens[1:3]).all()
    assert (share.predicted == whole.predicted).all()


def test_padding_is_small_on_lengths_like_those_of_the_pile() -> None:
    class Given:
        length = np.random.default_rng(1).lognormal(6.5, 1.4, 20_000).astype(np.int64) + 1
        ends = np.cumsum(length)
        component = np.zeros(len(length), np.int64)
        components = ("A",)

    rows = BestFit(Given(), 2048)  # type: ignore[arg-type]
    assert 1 - Given.length.sum() / (rows.counts[0] * 2048) < 0.005


def test_a_row_longer_than_every_document_is_filled_by_several(tmp_path: Path) -> None:
    corpus = Corpus(make_corpus(tmp_path))
    for packing in ("concat", "best-fit"):
        source = Source(corpus, small_config(data={"sequence": 128, "packing": packing}))
        documents = source.batch(0).documents
        assert len(np.unique(documents[documents >= 0])) > len(documents)


def test_jumped_batches_do_not_count() -> None:
    source = Source.__new__(Source)
    source.jumps = [(2, 3), (7, 7)]
    assert [source.number(step) for step in range(6)] == [0, 1, 4, 5, 6, 8]
    assert joined([(7, 7), (2, 3), (4, 5), (3, 4), (6, 6), (9, 9)]) == [(2, 7), (9, 9)]


@pytest.mark.parametrize("size", [257, 300, 1000, 50_257])
def test_a_cut_tokenizer_equals_the_conversion_of_its_parents_ids(size: int, tmp_path: Path) -> None:
    found = narrow(load("gpt2"), size)
    (tmp_path / "tokenizer.json").write_bytes(found.content)
    cut_one = load(str(tmp_path / "tokenizer.json"))
    assert (cut_one.size, cut_one.eod, cut_one.digest) == (size, found.identity["eod"], found.identity["sha256"])
    data = np.frombuffer((TEXT * 3).encode(), np.uint8)
    offsets = np.array([0, len(data)])
    ids, _ = encoders.reference(load("gpt2")).encode(data, offsets)
    again, _ = encoders.reference(cut_one).encode(data, offsets)
    assert (found.convert(ids) == again).all()
    assert found.convert(np.array([gpt2.END_OF_TEXT_ID])).tolist() == [cut_one.eod]


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(RecipeError, match="can be cut to 257 up to 50257"):
        narrow(load("gpt2"), 200)
    with pytest.raises(RecipeError, match="vocabulary"):
        small_config(data={"sequence": 32, "vocabulary": 12})


def gpt2_corpus(folder: Path) -> Path:
    """Two documents of text under GPT-2's tokenizer."""
    data = np.frombuffer((TEXT + TEXT[:40]).encode(), np.uint8)
    size = len(TEXT.encode())
    ids, at = encoders.reference(load("gpt2")).encode(data, np.array([0, size, len(data)]))
    documents = [(0, ids[: at[1]].tolist()), (1, ids[at[1] :].tolist())]
    for name in ("train/00", "val"):
        write_shard(folder, name, documents, vocabulary=50_257)
        path = folder / "tokens" / f"{name.replace('/', '_')}.json"
        manifest = json.loads(path.read_bytes())
        manifest["tokenizer"] = {"name": "gpt2", "sha256": gpt2.digest(), "vocab_size": 50_257, "eod": EOD}
        path.write_text(canonical(manifest) + "\n")
    return folder


def test_a_run_under_a_cut_tokenizer_carries_it_and_is_measured_with_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    torch.set_num_threads(1)
    folder = gpt2_corpus(tmp_path / "corpus")
    config = small_config(data={"sequence": 32, "vocabulary": 300}, tokens=512)
    outcome = train.run(folder, tmp_path / "run", config)
    held = load(str(tmp_path / "run" / "tokenizer.json"))
    assert held.digest == narrow(load("gpt2"), 300).identity["sha256"]
    scores = train.evaluate(folder, tmp_path / "run")
    assert [s.as_json() for s in scores] == [s.as_json() for s in outcome.scores]
    assert scores[-1].bytes == int(Corpus(folder, "val").text_bytes.sum())


def test_a_corpus_under_a_cut_tokenizer_has_the_same_documents(tmp_path: Path) -> None:
    folder = gpt2_corpus(tmp_path)
    plain = Corpus(folder)
    config = small_config(data={"sequence": 32, "vocabulary": 300})
    corpus = open_corpus(folder, config)
    assert corpus.vocabulary == 300
    assert corpus.tokenizer["name"] == "gpt2-300"
    assert corpus.narrow is not None
    assert corpus.digest != plain.digest
    for i in range(2):
        assert (corpus.document(i) == corpus.narrow.convert(plain.document(i))).all()
        assert corpus.id(i) == plain.id(i)
    assert (corpus.text_bytes == plain.text_bytes).all()
    assert open_corpus(folder, small_config(data={"sequence": 32, "vocabulary": 60_000})).narrow is None
