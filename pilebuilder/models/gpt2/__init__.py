"""The GPT-2 byte-pair encoding (Radford et al. 2019): 50,257 ids, the tokenizer with which the Pile paper counts.

>>> vocabulary()["<|endoftext|>"]
50256
"""

from __future__ import annotations

import codecs
import functools
import hashlib
import itertools
import lzma
from pathlib import Path
from typing import Any

import orjson

from pilebuilder.errors import PilebuilderError

VOCABULARY_SIZE, END_OF_TEXT, END_OF_TEXT_ID = 50257, "<|endoftext|>", 50256
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
"""How text is cut into words before merging: the published pattern with possessive quantifiers, which match the same
words without backtracking, as tiktoken writes it."""

# SHA-256 of the published files, as tiktoken pins them too.
DIGESTS = {
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}


def read(name: str) -> bytes:
    """A published file, checked against its digest."""
    path = Path(__file__).parent / f"{name}.xz"
    content = lzma.decompress(path.read_bytes())
    if hashlib.sha256(content).hexdigest() != DIGESTS[name]:
        raise PilebuilderError(
            f"{path} is damaged: its content is not the published {name}; install pilebuilder again"
        )
    return content


@functools.cache
def digest() -> str:
    """What names this tokenizer in task keys and manifests: a digest over both published files."""
    return hashlib.sha256("".join(DIGESTS[name] for name in sorted(DIGESTS)).encode()).hexdigest()


def vocabulary() -> dict[str, int]:
    """Token (each byte written as one printable character) to id."""
    return dict(orjson.loads(read("encoder.json")))


def merges() -> list[tuple[str, str]]:
    """Pairs in order of priority."""
    lines = read("vocab.bpe").decode().split("\n")[1:]
    return [(left, right) for left, _, right in (line.partition(" ") for line in lines if line)]


def byte_letters() -> dict[str, int]:
    """The character that stands for each byte: printable Latin-1 for itself, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


def ranks() -> dict[bytes, int]:
    """Token bytes to id, without the end of text: what tiktoken merges by."""
    found = vocabulary()
    del found[END_OF_TEXT]
    table = {ord(letter): byte for letter, byte in byte_letters().items()}
    raw, _ = codecs.charmap_encode("".join(found), "strict", table)  # a byte for each character, of all at once
    bounds = itertools.pairwise(itertools.accumulate(map(len, found), initial=0))
    return dict(zip((raw[start:end] for start, end in bounds), found.values(), strict=True))


def tokenizer_json() -> dict[str, Any]:
    """The same tokenizer as a Hugging Face ``tokenizer.json``."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": END_OF_TEXT_ID,
                "content": END_OF_TEXT,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary(),
            "merges": [list(pair) for pair in merges()],
        },
    }
