"""Tokenizers by name and path, the engines that run them, and files that are not what they should be."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.models import encoders, gpt2
from pilebuilder.models.vocabulary import PATTERNS, Tokenizer, load

ENGINES = ("tiktoken", "tokenizers", "gigatoken", "pilebuilder")
HOSTILE = [
    "", " ", "\n\n \t", "a" * 30_000, " " * 30_000, "\r\n" * 9_000, "=" * 20_000, "'" * 5_000, "\u3000 \xa0" * 3_000,
    "e\u0301" * 5_000, "🎉" * 5_000, "你好世界" * 3_000, "สวัสดี" * 3_000, "1234567890" * 2_000, "<|endoftext|>",
     "don't we've I'LL",
    "\x00\x01\x7f\x85\u2028\ufeff\ufffd\U0010ffff",
    "tab\tand  two spaces   three", "x\u200by\u200dz",
]  # fmt: skip


def buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    raw = [t.encode() for t in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])


def rows(engine: encoders.Engine, texts: list[str]) -> list[list[int]]:
    ids, at = engine.encode(*buffers(texts))
    return [ids[a:b].tolist() for a, b in itertools.pairwise(at)]


def test_gpt2_is_the_published_one() -> None:
    for name, sha in gpt2.DIGESTS.items():
        assert hashlib.sha256(gpt2.read(name)).hexdigest() == sha
    ranks = gpt2.ranks()
    assert sorted(ranks.values()) == list(range(50256))
    letters = {v: k for k, v in gpt2.byte_letters().items()}
    merged = {tuple("".join(letters[b] for b in part.encode()) for part in pair) for pair in ((" ", "t"), ("h", "e"))}
    assert merged == set(gpt2.merges()[:3]) - {("Ġ", "a")}
    # Ids that everyone knows.
    assert rows(encoders.reference(load("gpt2")), ["Hello world", " the"]) == [[15496, 995], [262]]


def test_a_damaged_vocabulary_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lzma

    (tmp_path / "vocab.bpe.xz").write_bytes(lzma.compress(b"#version: 0.2\n"))
    monkeypatch.setattr(gpt2, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(PilebuilderError, match=r"not the published vocab\.bpe"):
        gpt2.read("vocab.bpe")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_gives_the_reference_ids_on_hostile_text(name: str) -> None:
    pytest.importorskip(name)
    tokenizer = load("gpt2")
    assert rows(encoders.engine(name, tokenizer), HOSTILE) == rows(encoders.reference(tokenizer), HOSTILE)


@pytest.mark.parametrize(("name", "step"), [("gigatoken", 5), ("tokenizers", 41), ("pilebuilder", 1)])
def test_every_engine_knows_the_same_code_points(name: str, step: int) -> None:
    """Letters, numbers and white space mean the same to all, also where their Unicode versions differ."""
    pytest.importorskip(name)
    points = [c for c in range(0, 0x110000, step) if not 0xD800 <= c < 0xE000]
    texts = [f"a{chr(c)}b {chr(c)}1{chr(c)}  {chr(c)}{chr(c)}." for c in points]
    tokenizer = load("gpt2")
    found = encoders.first_difference(encoders.engine(name, tokenizer), encoders.reference(tokenizer), *buffers(texts))
    assert found is None or f"{points[found]:#x}" == ""


def missing(tokenizer: Any) -> None:
    raise ImportError("No module named 'nothing'")


def test_auto_takes_gigatoken_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gigatoken")
    other = load(str(write_ranks(tmp_path / "mine.tiktoken", gpt2.ranks())), pattern="cl100k")
    assert encoders.choose("auto", other).name == "gigatoken"
    monkeypatch.setitem(encoders.ENGINES, "gigatoken", missing)
    encoders.engine.cache_clear()
    assert encoders.choose("auto", other).name == "tiktoken"


def test_an_engine_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encoders.ENGINES, "gone", missing)
    with pytest.raises(RecipeError, match=r"engine gone is not installed.*nothing"):
        encoders.choose("gone", load("gpt2"))


def write_json(path: Path, change: Any = lambda data: None) -> Path:
    data = gpt2.tokenizer_json()
    change(data)
    path.write_text(json.dumps(data))
    return path


def test_a_tokenizer_json_by_path(tmp_path: Path) -> None:
    path = write_json(tmp_path / "tokenizer.json")
    found = load(str(path))
    assert (found.kind, found.size, found.eod, found.name) == ("json", 50257, 50256, tmp_path.name)
    assert load(str(tmp_path)).digest == found.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    expected = rows(encoders.reference(load("gpt2")), HOSTILE)
    for name in ("tokenizers", "gigatoken", "pilebuilder"):
        pytest.importorskip(name)
        assert rows(encoders.engine(name, found), HOSTILE) == expected
    assert encoders.decode(found, np.array(expected[-2])) == HOSTILE[-2]


def write_ranks(path: Path, ranks: dict[bytes, int]) -> Path:
    path.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for t, i in ranks.items()))
    return path


def test_a_rank_file_by_path(tmp_path: Path) -> None:
    found = load(str(write_ranks(tmp_path / "r50k_base.tiktoken", gpt2.ranks())))
    assert (found.kind, found.size, found.eod, found.pattern) == ("ranks", 50257, 50256, gpt2.PATTERN)
    expected = rows(encoders.reference(load("gpt2")), HOSTILE)
    for name in ("tiktoken", "gigatoken", "pilebuilder"):
        assert rows(encoders.engine(name, found), HOSTILE) == expected
    with pytest.raises(RecipeError, match=r"reads tokenizer\.json"):
        encoders.engine("tokenizers", found)


def test_other_ways_to_cut_words_agree_too(tmp_path: Path) -> None:
    """cl100k and o200k cut numbers and contractions otherwise; gigatoken's own schemes for them give the same ids."""
    pytest.importorskip("gigatoken")
    path = write_ranks(tmp_path / "mine.tiktoken", gpt2.ranks())
    for pattern in ("cl100k", "o200k"):
        found = load(str(path), pattern=pattern)
        texts = [*HOSTILE, "12345678 I'VE they'll\n\n  def f(x):\r\n\treturn 'CamelCaseWords' // x"]
        assert rows(encoders.engine("gigatoken", found), texts) == rows(encoders.reference(found), texts)
        assert found.digest != load(str(path), pattern="gpt2").digest
    custom = load(str(path), pattern=r"\p{L}+|[^\p{L}]+")
    assert encoders.choose("auto", custom).name == "tiktoken"
    with pytest.raises(RecipeError, match="gigatoken cannot run"):
        encoders.choose("gigatoken", custom)


def test_a_sentencepiece_model_by_path(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    lines = [f"The river number {i} runs past the mill and Müller's house." for i in range(300)]
    with (tmp_path / "m.model").open("wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=out, vocab_size=400, model_type="bpe", byte_fallback=True,
            minloglevel=2,
        )  # fmt: skip
    found = load(str(tmp_path / "m.model"))
    assert (found.kind, found.size, found.eod) == ("sentencepiece", 400, 2)
    assert load(str(tmp_path / "m.model"), eod="<s>").eod == 1
    texts = [*lines[:20], "größer 🎉 als </s> sonst"]
    expected = [sentencepiece.SentencePieceProcessor(str(tmp_path / "m.model")).encode(t) for t in texts]
    assert rows(encoders.reference(found), texts) == expected
    chosen = encoders.choose("auto", found)
    assert encoders.first_difference(chosen, encoders.reference(found), *buffers(texts[:20])) is None
    assert encoders.decode(found, np.array(expected[0])) == lines[0]
    with pytest.raises(RecipeError, match="no end of document"):
        load(str(tmp_path / "m.model"), eod="<nothing>")
    (tmp_path / "bad.model").write_bytes(b"not a model")
    with pytest.raises(RecipeError, match="is not a SentencePiece model"):
        load(str(tmp_path / "bad.model"))


def drop_token(data: Any) -> None:
    del data["model"]["vocab"]["Ġt"]


def same_id(data: Any) -> None:
    data["model"]["vocab"]["Ġt"] = 5


def far_id(data: Any) -> None:
    data["model"]["vocab"]["Ġt"] = 900_000


def word_id(data: Any) -> None:
    data["model"]["vocab"]["Ġt"] = "7"


def other_added(data: Any) -> None:
    data["added_tokens"][0]["id"] = 7


def no_end(data: Any) -> None:
    data["added_tokens"] = []
    data["model"]["vocab"]["<|endoftext"] = data["model"]["vocab"].pop("<|endoftext|>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_token, "needs the token 'Ġt', which is not in vocab"),
        (same_id, "two tokens share an id"),
        (far_id, "largest id is 900000, but there are only 50257 tokens.*does not match its declared vocabulary"),
        (word_id, "ids must be whole numbers"),
        (other_added, r"has id 50256 in the vocabulary and 7 in added_tokens"),
        (no_end, r"none of its tokens is a known end of document.*tokenize\.eod"),
        (lambda data: data.pop("model"), "not a tokenizer.json that can be used"),
        (lambda data: data["model"].update(vocab={}, merges=[]), "not a tokenizer.json|vocabulary"),
    ],
)
def test_a_tokenizer_json_that_contradicts_itself_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(str(write_json(tmp_path / "tokenizer.json", change)))


def test_a_merge_of_many_spaces_is_read(tmp_path: Path) -> None:
    """Merges come as pairs or as one string; both forms are read."""

    def joined(data: Any) -> None:
        data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]

    assert load(str(write_json(tmp_path / "tokenizer.json", joined))).size == 50257


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"%%% 1\n", {"pattern": "gpt2"}, "line 1: not a token in base64"),
        (b"QQ== x\n", {"pattern": "gpt2"}, "line 1: not a token"),
        (b"QQ== 0\n", {"pattern": "gpt2"}, "255 single bytes have no rank"),
        ("bytes", {}, "does not say how words are cut"),
        ("bytes", {"pattern": "gpt2", "eod": "<end>"}, "give tokenize.eod as an id"),
        ("bytes", {"pattern": "gpt2", "eod": 12}, "12 is an ordinary token"),
        ("gap", {"pattern": "gpt2"}, "ranks are not 0 to 256, each once"),
    ],
)
def test_a_rank_file_that_is_damaged_is_refused(tmp_path: Path, content: Any, options: Any, message: str) -> None:
    path = tmp_path / "mine.tiktoken"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        ranks = {bytes([b]): b for b in range(256)}
        write_ranks(path, ranks | ({b"ab": 300} if content == "gap" else {}))
    with pytest.raises(RecipeError, match=message):
        load(str(path), **options)


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "x.json").write_text("{")
    for name, message in (
        ("nothing.json", "cannot be read"),
        ("x.txt", "is not a tokenizer"),
        ("x.json", "not a tokenizer"),
    ):
        with pytest.raises(RecipeError, match=message):
            load(str(tmp_path / name))
    with pytest.raises(RecipeError, match="vocab_size is 50000, but gpt2 has 50257 ids"):
        load("gpt2", size=50_000)
    with pytest.raises(RecipeError, match="has no token 'ENDOFALL'"):
        load(str(write_json(tmp_path / "tokenizer.json")), eod="ENDOFALL")
    with pytest.raises(RecipeError, match="has no token with id 70000"):
        load(str(tmp_path / "tokenizer.json"), eod=70_000)


def test_ids_are_two_bytes_as_long_as_megatron_allows() -> None:
    def sized(n: int) -> str:
        return Tokenizer(name="x", kind="ranks", digest="", size=n, eod=0).dtype

    assert (sized(65_499), sized(65_500)) == ("uint16", "int32")
    assert set(PATTERNS) == {"gpt2", "cl100k", "o200k"}
