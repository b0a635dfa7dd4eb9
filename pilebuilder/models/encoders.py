"""Engines that run a tokenizer: one reference for each kind of file, and a fast one that must agree with it.

An engine takes texts as a UTF-8 buffer with offsets, and gives ids (uint32) with offsets, one range per document. Text
is encoded as ordinary text: a string that looks like a special token (``<|endoftext|>``) is spelled out, so that no
document can smuggle in an end of document.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import tempfile
from binascii import b2a_base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pilebuilder.errors import RecipeError, TaskError
from pilebuilder.models import gpt2
from pilebuilder.models.merger import Merger
from pilebuilder.models.vocabulary import PATTERNS

if TYPE_CHECKING:
    from pilebuilder.models.vocabulary import Tokenizer

SCHEMES = {PATTERNS["gpt2"]: "gpt2", PATTERNS["cl100k"]: "cl100k", PATTERNS["o200k"]: "o200k"}
"""gigatoken's name for the way in which a rank file cuts words."""
REFERENCE = {"ranks": "tiktoken", "json": "tokenizers", "sentencepiece": "sentencepiece"}

FEW_BYTES = 32 << 20


class Engine(Protocol):
    name: str

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids (uint32) and offsets (int64, documents + 1) of texts ``data[offsets[i]:offsets[i + 1]]``."""


class Tiktoken:
    """tiktoken's own loop, document by document."""

    name = "tiktoken"

    def __init__(self, tokenizer: Tokenizer) -> None:
        import tiktoken

        self.encoding = tiktoken.Encoding(
            tokenizer.name, pat_str=tokenizer.pattern, mergeable_ranks=dict(tokenizer.ranks.items()), special_tokens={}
        )

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _joined([np.asarray(self.encoding.encode_ordinary(t), np.uint32) for t in _strings(data, offsets)])


class Tokenizers:
    """Hugging Face tokenizers, which defines what a ``tokenizer.json`` means."""

    name = "tokenizers"

    def __init__(self, tokenizer: Tokenizer) -> None:
        import tokenizers

        if tokenizer.kind == "ranks" and tokenizer.digest != gpt2.digest():
            raise RecipeError("the engine tokenizers reads tokenizer.json; use tiktoken for a rank file")
        content = tokenizer.content or json.dumps(gpt2.tokenizer_json()).encode()
        try:
            self.tokenizer = tokenizers.Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises its bare Exception for anything wrong in the file
            raise RecipeError(f"the tokenizer {tokenizer.name} does not load: {error}") from error
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = True

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = self.tokenizer.encode_batch_fast(_strings(data, offsets), add_special_tokens=False)
        return _joined([np.asarray(e.ids, np.uint32) for e in found])


class SentencePiece:
    """Google's sentencepiece."""

    name = "sentencepiece"

    def __init__(self, tokenizer: Tokenizer) -> None:
        from pilebuilder.models.vocabulary import sentencepiece_processor

        self.processor = sentencepiece_processor(tokenizer.content, tokenizer.name)

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _joined([np.asarray(ids, np.uint32) for ids in self.processor.encode(_strings(data, offsets))])


class Gigatoken:
    """gigatoken: words are cut in SIMD and kept in a cache. It reads the texts where they lie.

    It takes many texts at once only as an array of the library awkward, which takes as long to load as to encode
    `FEW_BYTES`: up to these, texts go one by one.
    """

    name = "gigatoken"

    def __init__(self, tokenizer: Tokenizer) -> None:
        importlib.import_module("gigatoken")  # where it is missing, the ImportError is for the caller
        self.given = 0
        try:
            self.backend = self._backend(tokenizer)
        except Exception as error:  # it reads fewer files than the references do, and says so with various exceptions
            raise RecipeError(
                f"gigatoken cannot run the tokenizer {tokenizer.name} ({error!r}); set `engine: auto`"
            ) from error

    @staticmethod
    def _backend(tokenizer: Tokenizer) -> Any:
        from gigatoken import Tokenizer as Unified
        from gigatoken import gigatoken_rs

        if tokenizer.kind == "ranks":
            return _from_ranks(tokenizer)
        if tokenizer.kind == "sentencepiece":
            return Unified.from_sentencepiece(tokenizer.content).backend
        # Without its special tokens, so that text which looks like one is spelled out.
        data = json.loads(tokenizer.content)
        data["added_tokens"] = [t for t in data.get("added_tokens") or () if not t.get("special")]
        return gigatoken_rs.load_hf_json(json.dumps(data))

    def encode(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.given += int(offsets[-1] - offsets[0])
        return self._together(data, offsets) if self.given > FEW_BYTES else self._singly(data, offsets)

    def _singly(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        view = memoryview(np.ascontiguousarray(data))  # type: ignore[arg-type]
        bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        return _joined([self.backend.encode(bytes(view[a:b])) for a, b in bounds])

    def _together(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import awkward as ak

        characters = ak.contents.NumpyArray(data, parameters={"__array__": "char"})
        strings = ak.contents.ListOffsetArray(
            ak.index.Index64(offsets), characters, parameters={"__array__": "string"}
        )
        # Never its thread pool: workers are processes, and a pool does not survive a fork.
        found = self.backend.encode_batch(ak.Array(strings), parallel=False).layout
        ends = np.asarray(found.offsets, np.int64)
        return np.asarray(found.content.data)[ends[0] : ends[-1]], ends - ends[0]


def _from_ranks(tokenizer: Tokenizer) -> Any:
    """gigatoken's own form of a rank file, which it reads from disk."""
    from gigatoken import gigatoken_rs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ranks.tiktoken"
        lines = [b"%b %d\n" % (b2a_base64(token, newline=False), rank) for token, rank in tokenizer.ranks.items()]
        path.write_bytes(b"".join(lines))
        return gigatoken_rs.BPETokenizer.from_tiktoken(path, SCHEMES[tokenizer.pattern], None)


ENGINES: dict[str, Any] = {e.name: e for e in (Tiktoken, Tokenizers, SentencePiece, Gigatoken, Merger)}


@functools.lru_cache(maxsize=4)
def engine(name: str, tokenizer: Tokenizer) -> Engine:
    """An engine ready to run, kept for the life of the process: fast engines get faster as their cache fills."""
    try:
        return ENGINES[name](tokenizer)  # type: ignore[no-any-return]
    except ImportError as error:
        raise RecipeError(f"the engine {name} is not installed ({error}); install it or set `engine: auto`") from error


def reference(tokenizer: Tokenizer) -> Engine:
    """The engine that defines the tokenizer's ids."""
    return engine(REFERENCE[tokenizer.kind], tokenizer)


def choose(name: str, tokenizer: Tokenizer) -> Engine:
    """The engine asked for; ``auto`` is the first of our own, gigatoken and the reference that reads the file."""
    if name != "auto":
        return engine(name, tokenizer)
    for fast in ("pilebuilder", "gigatoken"):
        with contextlib.suppress(RecipeError):
            return engine(fast, tokenizer)
    return reference(tokenizer)


def first_difference(fast: Engine, slow: Engine, data: np.ndarray, offsets: np.ndarray) -> int | None:
    """Row of the first document that two engines encode differently, or None."""
    ours, our_at = fast.encode(data, offsets)
    theirs, their_at = slow.encode(data, offsets)
    for row in range(len(offsets) - 1):
        left, right = ours[our_at[row] : our_at[row + 1]], theirs[their_at[row] : their_at[row + 1]]
        if not np.array_equal(left, right):
            return row
    return None


def check_ids(ids: np.ndarray, tokenizer: Tokenizer, where: str) -> None:
    """Refuse an id that the vocabulary does not have: the ids on disk must all be readable."""
    if len(ids) and int(ids.max()) >= tokenizer.size:
        raise TaskError(
            f"{where}: the tokenizer {tokenizer.name} gave id {int(ids.max())}, but its vocabulary ends at"
            f" {tokenizer.size - 1}; the file does not match its declared vocabulary"
        )


def _strings(data: np.ndarray, offsets: np.ndarray) -> list[str]:
    view = memoryview(np.ascontiguousarray(data))  # type: ignore[arg-type]
    return [str(view[a:b], "utf-8") for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def _joined(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(r) for r in rows], out=offsets[1:])
    return (np.concatenate(rows) if rows else np.zeros(0, np.uint32)), offsets


def decode(tokenizer: Tokenizer, ids: np.ndarray) -> str:
    """Text of some ids, for people: characters broken by the cut become U+FFFD, ids without text their number."""
    values = [int(i) for i in ids]
    if tokenizer.kind == "ranks":
        tokens = tokenizer.tokens()
        return b"".join(tokens.get(i, b"<%d>" % i) for i in values).decode("utf-8", "replace")
    found = reference(tokenizer)
    if isinstance(found, SentencePiece):
        return str(found.processor.decode(values))
    assert isinstance(found, Tokenizers)
    return str(found.tokenizer.decode(values, skip_special_tokens=False))
