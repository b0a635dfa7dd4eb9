"""The project's own BPE engine: other vocabularies than GPT-2's, full tables, long words, and files that it refuses."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilebuilder.errors import RecipeError
from pilebuilder.kernels import bpe
from pilebuilder.models import encoders, gpt2, merger
from pilebuilder.models.vocabulary import Tokenizer, load
from tests.tokenize.test_vocabulary import HOSTILE, buffers, rows, write_json, write_ranks

LETTERS = "abcdeé я你🎉'. 1\n"


def words(count: int, seed: int, longest: int = 12) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(LETTERS, k=draw.randrange(1, longest))) for _ in range(count)]


def text(size: int, seed: int) -> str:
    draw = random.Random(seed)
    known = words(200, seed)
    return " ".join(draw.choice(known) for _ in range(size))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A vocabulary of 600 tokens, trained on words of few letters: long chains of merges, many ids a word."""
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator([text(4000, 1), "aaaa" * 50, "abababab " * 20], trainer)
    path = tmp_path_factory.mktemp("small") / "tokenizer.json"
    path.write_text(made.to_str())
    return load(str(path))


def as_ranks(tokenizer: Tokenizer, path: Path) -> Tokenizer:
    """The same merges as a rank file: bytes first, then what is merged."""
    model = json.loads(tokenizer.content)["model"]
    letters = gpt2.byte_letters()
    tokens = [bytes([b]) for b in range(256)]
    for pair in model["merges"]:
        tokens.append(bytes(letters[c] for c in "".join(pair)))
    return load(str(write_ranks(path, {t: i for i, t in enumerate(dict.fromkeys(tokens))})), pattern="gpt2")


@given(st.lists(st.text(LETTERS, max_size=200), min_size=1, max_size=5))
def test_ids_are_those_of_the_reference(small: Tokenizer, texts: list[str]) -> None:
    assert rows(encoders.engine("pilebuilder", small), texts) == rows(encoders.reference(small), texts)


@given(st.lists(st.text(max_size=100), min_size=1, max_size=5))
def test_any_text_gives_gpt2s_ids(texts: list[str]) -> None:
    tokenizer = load("gpt2")
    assert rows(encoders.engine("pilebuilder", tokenizer), texts) == rows(encoders.reference(tokenizer), texts)


@given(st.binary(max_size=400))
def test_damaged_text_is_spelled_out(raw: bytes) -> None:
    tokenizer = load("gpt2")
    ids, ends = encoders.engine("pilebuilder", tokenizer).encode(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    tokens = tokenizer.tokens()
    assert b"".join(tokens[int(i)] for i in ids) == raw
    assert ends.tolist() == [0, len(ids)]


def test_both_kinds_of_file_and_long_words(small: Tokenizer, tmp_path: Path) -> None:
    texts = [*HOSTILE, *(letter * n for letter in ("a", "ab", "é", "abcde") for n in (1, 15, 16, 17, 63, 64, 65, 999))]
    ranks = as_ranks(small, tmp_path / "small.tiktoken")
    for tokenizer in (small, ranks):
        assert rows(encoders.engine("pilebuilder", tokenizer), texts) == rows(encoders.reference(tokenizer), texts)


def test_full_tables_forget_what_was_met_once(small: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more words than the tables hold, some of them again and again: same ids, same memory."""
    monkeypatch.setattr(merger, "FIRST", 1 << 13)
    monkeypatch.setattr(merger, "MOST", 1 << 14)
    engine, reference = merger.Merger(small), encoders.reference(small)
    moves: list[tuple[int, int]] = []
    move = bpe.move

    def counted(*args: Any) -> None:
        before = int(engine.state[bpe.USED])
        move(*args)
        moves.append((args[-1], before - int(engine.state[bpe.USED])))

    monkeypatch.setattr(bpe, "move", counted)
    often = words(300, 7)
    for seed in range(12):
        draw = random.Random(seed)
        texts = [" ".join([*words(40, 1000 * seed + i, 40), *draw.sample(often, 30)]) for i in range(100)]
        assert encoders.first_difference(engine, reference, *buffers(texts)) is None
        assert len(engine._known[0]) <= 1 << 14
    assert [least for least, _ in moves][:2] == [0, bpe.MET]
    assert moves[0][1] == 0
    assert all(gone > 0 for least, gone in moves if least)


def test_tables_that_stay_full_are_emptied(small: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word is met again before the tables are full, so none could go."""
    monkeypatch.setattr(merger, "FIRST", 1 << 13)
    monkeypatch.setattr(merger, "MOST", 1 << 13)
    engine, reference = merger.Merger(small), encoders.reference(small)
    texts = [" ".join(3 * words(60, i, 40)) for i in range(600)]
    assert encoders.first_difference(engine, reference, *buffers(texts)) is None


def test_a_very_long_word_leaves_no_memory_behind(small: Tokenizer) -> None:
    engine = merger.Merger(small)
    texts = ["abcde" * merger.WIDE, "a", "你" * merger.WIDE]
    assert rows(engine, texts) == rows(encoders.reference(small), texts)
    assert len(engine.heap) == 3 * merger.WIDE


def test_an_engine_takes_part_of_a_buffer(small: Tokenizer) -> None:
    data, offsets = buffers(["first text", "", "second", "third one"])
    engine = encoders.engine("pilebuilder", small)
    ids, ends = engine.encode(data, offsets[1:4])
    assert ends[0] == 0
    assert [ids[a:b].tolist() for a, b in itertools.pairwise(ends)] == rows(engine, ["", "second"])
    assert [len(part) for part in engine.encode(data[:0], np.zeros(1, np.int64))] == [0, 1]


CHANGES = {
    "dropout": lambda data: data["model"].update(dropout=0.1),
    "whole words first": lambda data: data["model"].update(ignore_merges=True),
    "suffix": lambda data: data["model"].update(end_of_word_suffix="</w>"),
    "normalizer": lambda data: data.update(normalizer={"type": "NFC"}),
    "space before": lambda data: data["pre_tokenizer"].update(add_prefix_space=True),
    "no pattern": lambda data: data["pre_tokenizer"].update(use_regex=False),
    "another way to cut": lambda data: data.update(pre_tokenizer={"type": "Whitespace"}),
    "ordinary added token": lambda data: data["added_tokens"][0].update(special=False),
    "ids out of order": lambda data: data["model"]["merges"].reverse(),
    "a merge twice": lambda data: data["model"]["merges"].append(data["model"]["merges"][0]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_merging_would_not_get_right_is_refused(change: str, tmp_path: Path) -> None:
    found = load(str(write_json(tmp_path / "tokenizer.json", CHANGES[change])))
    with pytest.raises(RecipeError, match="engine pilebuilder cannot run"):
        encoders.engine("pilebuilder", found)
    assert encoders.choose("auto", found).name != "pilebuilder"


def test_a_token_that_no_two_make_is_refused(tmp_path: Path) -> None:
    ranks = {bytes([b]): b for b in range(256)} | {b"abc": 256, b"ab": 257}
    found = load(str(write_ranks(tmp_path / "odd.tiktoken", ranks)), pattern="gpt2")
    with pytest.raises(RecipeError, match=r"its token b'abc' is not merged from two of lower rank"):
        encoders.engine("pilebuilder", found)
    other = load(str(write_ranks(tmp_path / "mine.tiktoken", gpt2.ranks())), pattern="cl100k")
    with pytest.raises(RecipeError, match="cuts words in another way"):
        encoders.engine("pilebuilder", other)


def test_tables_are_kept_and_mapped(small: Tokenizer) -> None:
    first, second = merger.Merger(small), merger.Merger(small)
    assert not first.merges.flags.writeable
    assert np.array_equal(first.merges, second.merges)
    assert rows(first, ["abc abc"]) == rows(second, ["abc abc"])
