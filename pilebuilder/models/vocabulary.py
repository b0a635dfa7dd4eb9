"""Tokenizers as files: GPT-2 as shipped, or any ``tokenizer.json``, tiktoken ranks or SentencePiece model by path."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pilebuilder.errors import RecipeError
from pilebuilder.models import gpt2

PATTERNS = {
    "gpt2": gpt2.PATTERN,
    # Published with tiktoken (MIT), where these encodings are defined.
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"""
    r"""| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    "o200k": "|".join(
        (
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        )
    ),
}
# What the widespread tokenizers call the token that ends a document, tried in this order.
END_NAMES = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eot|>", "<EOS>", "[EOS]")
KNOWN_ENDS = {"cl100k": 100_257, "o200k": 199_999}
"""The published id of ``<|endoftext|>`` where it is not the first one after the ranks."""


class _Later(Mapping[bytes, int]):
    """Ranks that are made when somebody asks for them: planning needs only the digest and the size."""

    def __init__(self, make: Callable[[], dict[bytes, int]]) -> None:
        self._held = functools.cache(make)

    def __getitem__(self, token: bytes) -> int:
        return self._held()[token]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._held())

    def __len__(self) -> int:
        return len(self._held())

    def items(self) -> ItemsView[bytes, int]:
        return self._held().items()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokenizer:
    """A tokenizer's content, whatever engine runs it."""

    name: str
    kind: Literal["ranks", "json", "sentencepiece"]
    digest: str
    """SHA-256 of its file(s), and of the pattern where the file has none."""
    size: int
    """One more than the largest id."""
    eod: int
    ranks: Mapping[bytes, int] = field(default_factory=dict, repr=False)
    pattern: str = ""
    content: bytes = field(default=b"", repr=False)
    """The file itself, for the kinds json and sentencepiece."""

    @property
    def dtype(self) -> str:
        """Type of ids on disk: Megatron's own rule, which has no code for unsigned 32-bit."""
        return "uint16" if self.size < 65_500 else "int32"

    def tokens(self) -> dict[int, bytes]:
        """Bytes of every id, where the kind has them (ranks)."""
        return {i: token for token, i in self.ranks.items()}


@functools.cache
def load(name: str, *, eod: str | int | None = None, pattern: str | None = None, size: int | None = None) -> Tokenizer:
    """A tokenizer by name or path; raises `RecipeError` that says what is wrong with the file."""
    if name == "gpt2":
        found = Tokenizer(
            name="gpt2",
            kind="ranks",
            digest=gpt2.digest(),
            size=gpt2.VOCABULARY_SIZE,
            eod=gpt2.END_OF_TEXT_ID,
            ranks=_Later(gpt2.ranks),
            pattern=gpt2.PATTERN,
        )
    else:
        found = _from_file(Path(name), eod, pattern)
    if size is not None and size != found.size:
        raise RecipeError(
            f"tokenize.vocab_size is {size}, but {name} has {found.size} ids; correct it or give the right file"
        )
    return found


def _from_file(path: Path, eod: str | int | None, pattern: str | None) -> Tokenizer:
    if path.is_dir():
        path = path / "tokenizer.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"tokenize.tokenizer: {path} cannot be read ({error.strerror}); give gpt2 or the path of a tokenizer file"
        ) from error
    if path.suffix == ".json":
        return _from_json(path, content, eod)
    if path.suffix == ".tiktoken":
        return _from_ranks(path, content, eod, pattern)
    if path.suffix == ".model":
        return _from_sentencepiece(path, content, eod)
    raise RecipeError(f"tokenize.tokenizer: {path} is not a tokenizer.json, a .tiktoken rank file or a .model")


def _from_json(path: Path, content: bytes, eod: str | int | None) -> Tokenizer:
    try:
        data = json.loads(content)
        vocabulary = _json_vocabulary(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(f"{path} is not a tokenizer.json that can be used: {error!r}") from error
    if not vocabulary:
        raise RecipeError(f"{path}: the vocabulary is empty")
    size = max(vocabulary.values()) + 1
    _refuse_gaps(path, set(vocabulary.values()), size)
    return Tokenizer(
        name=path.stem if path.stem != "tokenizer" else path.resolve().parent.name,
        kind="json",
        digest=hashlib.sha256(content).hexdigest(),
        size=size,
        eod=_end(path, vocabulary, eod),
        content=content,
    )


def _json_vocabulary(data: Any) -> dict[str, int]:
    """Token to id, added tokens included; merges must be made of tokens."""
    model = data["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):  # Unigram: [[token, score], ...]
        vocabulary = {entry[0]: i for i, entry in enumerate(vocabulary)}
    vocabulary = dict(vocabulary)
    for merge in model.get("merges") or ():
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        prefix = model.get("continuing_subword_prefix") or ""
        whole = left + right.removeprefix(prefix)
        for token in (left, right, whole):
            if token not in vocabulary:
                raise ValueError(
                    f"the merge of {left!r} and {right!r} needs the token {token!r}, which is not in vocab"
                )
    for added in data.get("added_tokens") or ():
        held = vocabulary.setdefault(added["content"], added["id"])
        if held != added["id"]:
            raise ValueError(f"{added['content']!r} has id {held} in the vocabulary and {added['id']} in added_tokens")
    ids = [i for i in vocabulary.values() if not isinstance(i, int) or isinstance(i, bool) or i < 0]
    if ids:
        raise ValueError(f"ids must be whole numbers from 0, found {ids[0]!r}")
    if len(set(vocabulary.values())) != len(vocabulary):
        raise ValueError("two tokens share an id")
    return vocabulary


def _refuse_gaps(path: Path, ids: set[int], size: int) -> None:
    """A few unused ids are common; a vocabulary that is mostly gaps is a damaged or mismatched file."""
    if len(ids) < size // 2:
        raise RecipeError(
            f"{path}: the largest id is {size - 1}, but there are only {len(ids)} tokens;"
            " the file does not match its declared vocabulary"
        )


def _end(path: Path, vocabulary: Mapping[str, int], eod: str | int | None) -> int:
    if isinstance(eod, int):
        if eod not in vocabulary.values():
            raise RecipeError(f"tokenize.eod: {path} has no token with id {eod}")
        return eod
    names = (eod,) if eod is not None else END_NAMES
    for name in names:
        if name in vocabulary:
            return vocabulary[name]
    if eod is not None:
        raise RecipeError(f"tokenize.eod: {path} has no token {eod!r}")
    raise RecipeError(f"{path}: none of its tokens is a known end of document; name it with tokenize.eod")


def _from_ranks(path: Path, content: bytes, eod: str | int | None, pattern: str | None) -> Tokenizer:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
            except (ValueError, binascii.Error) as error:
                raise RecipeError(f"{path}, line {number}: not a token in base64 and its rank: {error}") from error
    missing = [b for b in range(256) if bytes([b]) not in ranks]
    if missing:
        raise RecipeError(f"{path}: {len(missing)} single bytes have no rank, so not every text can be encoded")
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise RecipeError(f"{path}: ranks are not 0 to {len(ranks) - 1}, each once; the file is damaged")
    name = path.name.removesuffix(".tiktoken").removesuffix("_base").removesuffix("_im")
    pattern = pattern or {"r50k": "gpt2", "p50k": "gpt2"}.get(name, name)
    if pattern not in PATTERNS and len(pattern) < 12:
        raise RecipeError(
            f"{path}: a rank file does not say how words are cut; set tokenize.pattern to one of"
            f" {', '.join(PATTERNS)} or to a regular expression"
        )
    pattern = PATTERNS.get(pattern, pattern)
    if isinstance(eod, str):
        raise RecipeError(f"{path}: a rank file names no special tokens; give tokenize.eod as an id")
    end = eod if eod is not None else KNOWN_ENDS.get(name, len(ranks))
    if end in ranks.values():
        raise RecipeError(f"tokenize.eod: {end} is an ordinary token of {path}; ids from {len(ranks)} on are free")
    return Tokenizer(
        name=path.stem,
        kind="ranks",
        digest=hashlib.sha256(content + b"\0" + pattern.encode()).hexdigest(),
        size=max(len(ranks), end + 1),
        eod=end,
        ranks=ranks,
        pattern=pattern,
    )


def _from_sentencepiece(path: Path, content: bytes, eod: str | int | None) -> Tokenizer:
    processor = sentencepiece_processor(content, str(path))
    end = eod if isinstance(eod, int) else processor.eos_id() if eod is None else processor.piece_to_id(eod)
    exists = 0 <= end < processor.vocab_size()
    if not exists or (isinstance(eod, str) and processor.id_to_piece(end) != eod):
        raise RecipeError(f"{path}: no end of document (its eos id is off); name a piece with tokenize.eod")
    return Tokenizer(
        name=path.stem,
        kind="sentencepiece",
        digest=hashlib.sha256(content).hexdigest(),
        size=processor.vocab_size(),
        eod=end,
        content=content,
    )


def sentencepiece_processor(content: bytes, path: str) -> Any:
    """The reference implementation, from a model's bytes."""
    try:
        import sentencepiece
    except ImportError as error:
        raise RecipeError(f"{path} is a SentencePiece model: install the package sentencepiece to use it") from error
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=content)
    except (RuntimeError, ValueError, TypeError) as error:
        raise RecipeError(f"{path} is not a SentencePiece model: {error}") from error
