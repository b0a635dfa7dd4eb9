"""The project's own engine for byte-level BPE with GPT-2's way of cutting words, whatever its vocabulary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.errors import RecipeError
from pilebuilder.kernels import bpe, merging, pretokens
from pilebuilder.kernels.unicode import CODE_POINTS, stored
from pilebuilder.models import gpt2

if TYPE_CHECKING:
    from pilebuilder.models.vocabulary import Tokenizer

FIRST, MOST = 1 << 16, 1 << 20
"""Rows of the table of known pretokens at the beginning, and at most (60 MB with all that belongs to it)."""
WIDE = 1 << 16
"""Bytes of a pretoken for which scratch space (40 times as much) is kept; a longer one has its own while it lasts."""
UNUSUAL = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges")
"""Settings of a ``tokenizer.json`` that must be empty or off for merging to be what `merging` does."""
CUT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


class Merger:
    """Words are cut in vector instructions, merged once and remembered; memory is bounded."""

    name = "pilebuilder"

    def __init__(self, tokenizer: Tokenizer) -> None:
        sources = (__file__, merging.__file__)
        self.merges = stored("merges", lambda: _merges(tokenizer), sources, extra=tokenizer.digest)
        self.classes = _classes(tokenizer.kind)
        self.state = np.zeros(bpe.ROOM + 4, np.int64)
        self.plans = np.zeros(bpe.SCRATCH, np.uint64)
        self._known = self._empty(FIRST)
        self._make_room(WIDE)

    def _empty(self, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Tables of known pretokens, and in the state how full each may be; a round adds no more than is left."""
        table, longer = np.zeros((rows, 4), np.uint64), np.zeros((rows // 4, 4), np.uint64)
        ids, text = np.zeros(4 * rows, np.uint32), np.zeros(4 * rows, np.uint8)
        most = np.array([rows * 3 // 4, rows // 8, len(ids) - bpe.SPARE, len(text)])
        self.state[bpe.ROOM :] = most - bpe.AHEAD * np.array([1, 1, merging.FEW, merging.FEW])
        return table, longer, ids, text

    def _grow(self) -> None:
        """Larger tables, or the same without what was met only once; empty ones if that frees too little."""
        rows = len(self._known[0])
        least = 0 if rows < MOST else bpe.MET
        held, self._known = self._known, self._empty(min(2 * rows, MOST))
        bpe.move(*held, *self._known, self.state, least)
        if (4 * self.state[bpe.USED : bpe.ROOM - 1] > 3 * self.state[bpe.ROOM :]).any():
            self._known = self._empty(MOST)
            self.state[bpe.USED : bpe.ROOM - 1] = 0

    def _make_room(self, width: int) -> None:
        """Scratch space for a pretoken of so many bytes."""
        self.ids, self.heap = np.zeros(4 * width, np.uint32), np.zeros(3 * width, np.uint64)

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids of texts, as every engine gives them."""
        data = np.ascontiguousarray(data[offsets[0] : offsets[-1]])
        offsets = np.ascontiguousarray(offsets - offsets[0], np.int64)
        first, starts = np.zeros((2, (len(data) >> 6) + 1), np.uint64)
        pretokens.cut(data, offsets, self.classes, first, starts)
        ids, ends = np.empty(len(data) + bpe.SPARE, np.uint32), np.empty(len(offsets), np.int64)
        self.state[: bpe.USED] = 0
        while True:
            reason = bpe.encode(
                data, offsets, starts, self.merges, *self._known, self.state,
                self.plans, self.ids, self.heap, ids, ends,
            )  # fmt: skip
            if reason == bpe.DONE:
                if len(self.heap) > 3 * WIDE:
                    self._make_room(WIDE)
                return ids[: ends[-1]], ends
            if reason == bpe.FULL:
                self._grow()
            else:
                self._make_room(int(self.state[bpe.WIDTH]))


def _merges(tokenizer: Tokenizer) -> np.ndarray:
    """What the kernels merge by; raises `RecipeError` where that would not be what the tokenizer means."""
    if tokenizer.size >= 1 << merging.ID_BITS:
        raise _refused(tokenizer, f"it has {tokenizer.size:,} ids")
    if tokenizer.kind == "ranks":
        return _from_ranks(tokenizer)
    if tokenizer.kind == "json":
        return _from_json(tokenizer)
    raise _refused(tokenizer, "it is a SentencePiece model")


def _from_ranks(tokenizer: Tokenizer) -> np.ndarray:
    if tokenizer.pattern != gpt2.PATTERN:
        raise _refused(tokenizer, "it cuts words in another way than GPT-2")
    tokens = sorted(tokenizer.ranks, key=tokenizer.ranks.__getitem__)
    table = merging.empty([tokenizer.ranks[bytes([b])] for b in range(256)], len(tokens))
    longest = max(map(len, tokens))
    bad = merging.learn_pairs(
        np.frombuffer(b"".join(tokens), np.uint8),
        np.cumsum([0, *map(len, tokens)]),
        table,
        np.zeros(4 * longest, np.uint32),
        np.zeros(3 * longest, np.uint64),
    )
    if bad >= 0:
        raise _refused(tokenizer, f"its token {tokens[bad]!r} is not merged from two of lower rank")
    return table


def _from_json(tokenizer: Tokenizer) -> np.ndarray:
    data = json.loads(tokenizer.content)
    model, cut = data["model"], data.get("pre_tokenizer") or {}
    if cut.get("type") == "Sequence" and len(cut.get("pretokenizers") or ()) == 1:
        cut = cut["pretokenizers"][0]
    if model.get("type") != "BPE" or any(map(model.get, UNUSUAL)):
        raise _refused(tokenizer, "it is not a plain byte-level BPE")
    if data.get("normalizer") or any({"use_regex": True, **cut}.get(key) != value for key, value in CUT.items()):
        raise _refused(tokenizer, "it cuts words in another way than GPT-2, or changes text before")
    if any(not token.get("special") for token in data.get("added_tokens") or ()):
        raise _refused(tokenizer, "it has added tokens that stand for ordinary text")
    vocabulary = model["vocab"]
    letters = {byte: vocabulary.get(letter) for letter, byte in gpt2.byte_letters().items()}
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    if None in letters.values() or len(set(merges)) < len(merges):
        raise _refused(tokenizer, "it has no token for some bytes, or merges a pair twice")
    left, right, products = (
        np.array([vocabulary[token] for token in column], np.int64)
        for column in (*(zip(*merges, strict=True) if merges else ((), ())), ["".join(m) for m in merges])
    )
    if (np.diff(products) <= 0).any():
        raise _refused(tokenizer, "its ids are not in the order of its merges")
    table = merging.empty([letters[b] for b in range(256)], len(merges))
    merging.fill_pairs(left, right, products, table)
    return table


def _refused(tokenizer: Tokenizer, why: str) -> RecipeError:
    return RecipeError(f"the engine pilebuilder cannot run the tokenizer {tokenizer.name}: {why}; set `engine: auto`")


def _classes(kind: str) -> np.ndarray:
    """Class of each code point (uint8), as the regular expressions of the reference engine have it.

    They follow other versions of Unicode than Python, so each engine is asked itself.
    """
    if kind == "ranks":
        import tiktoken as library

        found = _by_tiktoken
    else:
        import tokenizers as library

        found = _by_tokenizers
    extra = f"{library.__name__} {library.__version__}"
    table = stored("pretoken-classes", lambda: _table(found), (__file__,), extra=extra)
    plain = np.zeros(128, np.uint8)
    plain[[ord(c) for c in "\t\n\v\f\r "]] = pretokens.SPACE
    plain[48:58] = pretokens.NUMBER
    plain[65:91] = plain[97:123] = pretokens.LETTER
    if not np.array_equal(table[:128], plain):
        raise RecipeError(f"{extra} classes ASCII in a way that the engine pilebuilder does not know")
    return table


def _table(found: Any) -> np.ndarray:
    text = "".join(chr(c) for c in range(CODE_POINTS) if not 0xD800 <= c < 0xE000)
    table = np.zeros(CODE_POINTS, np.uint8)
    for kind, pattern in (
        (pretokens.LETTER, r"\p{L}+"),
        (pretokens.NUMBER, r"\p{N}+"),
        (pretokens.SPACE, r"\s+"),
    ):
        table[np.frombuffer(found(pattern, text).encode("utf-32-le"), np.uint32)] = kind
    return table


def _by_tiktoken(pattern: str, text: str) -> str:
    """What the pattern matches: tiktoken gives no ids for what is between words."""
    import tiktoken

    letters = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding("classes", pat_str=pattern, mergeable_ranks=letters, special_tokens={})
    return bytes(encoding.encode_ordinary(text)).decode()


def _by_tokenizers(pattern: str, text: str) -> str:
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return "".join(word for word, _ in split.pre_tokenize_str(text))
