"""A tokenizer cut to its first merges, for small networks, whose head would cost more than the rest.

Byte-pair encoding applies merges in order of rank, and no merge below rank r needs a token that one above r made. So
a text under the first r merges alone is its text under all of them with every later token taken apart again: token
files are converted exactly, without the text. Bits per byte do not depend on the tokenizer, so runs remain comparable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from pilebuilder.errors import RecipeError
from pilebuilder.models import gpt2
from pilebuilder.models.vocabulary import Tokenizer

PIECE = 1 << 20
"""Ids converted at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """The cut tokenizer, and each old id in terms of the new ones."""

    content: bytes
    """``tokenizer.json``"""
    identity: dict[str, Any]
    """name, sha256, vocab_size, eod: as in the manifests of token files"""
    first: np.ndarray
    """(old ids + 1,) where the new ids of each old one begin"""
    ids: np.ndarray

    def convert(self, tokens: np.ndarray) -> np.ndarray:
        """Old ids as new ones, (n,) to (m,) uint16, m >= n; an id that the tokenizer does not have is an error."""
        parts = [self._convert(tokens[i : i + PIECE]) for i in range(0, len(tokens), PIECE)]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint16)

    def counts(self, tokens: np.ndarray) -> np.ndarray:
        """New ids of each old one."""
        old = tokens.astype(np.int64)
        if len(old) and int(old.max()) >= len(self.first) - 1:
            raise RecipeError(f"the tokens hold id {int(old.max())}, which {self.identity['name']} never had")
        counts: np.ndarray = self.first[old + 1] - self.first[old]
        return counts

    def _convert(self, tokens: np.ndarray) -> np.ndarray:
        counts = self.counts(tokens)
        ends = np.cumsum(counts)
        within = np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)
        found: np.ndarray = self.ids[np.repeat(self.first[tokens.astype(np.int64)], counts) + within]
        return found


def narrow(tokenizer: Tokenizer, size: int) -> Narrow:
    """Cut a byte-pair tokenizer to `size` ids: all that no merge makes, then the results of the first merges."""
    data = gpt2.tokenizer_json() if tokenizer.digest == gpt2.digest() else json.loads(tokenizer.content or b"{}")
    model = data.get("model", {})
    if model.get("type") != "BPE" or model.get("ignore_merges"):
        raise RecipeError(
            f"data.vocabulary: {tokenizer.name} is not GPT-2 or a plain BPE tokenizer.json; set it to null"
        )
    old = {**model["vocab"], **{t["content"]: t["id"] for t in data.get("added_tokens") or ()}}
    made: dict[str, tuple[str, str]] = {}
    for merge in model["merges"]:
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        made.setdefault(left + right, (left, right))
    kept = sorted((token for token in old if token not in made), key=lambda token: old[token])
    if not len(kept) <= size <= min(len(old), 1 << 16):
        raise RecipeError(
            f"data.vocabulary: {tokenizer.name} can be cut to {len(kept)} up to {len(old)} ids, not {size}"
        )
    kept += list(made)[: size - len(kept)]
    new = {token: i for i, token in enumerate(kept)}
    parts = {token: [i] for token, i in new.items()}
    for token, (left, right) in made.items():  # in order of rank: the parts come before the whole
        if token not in parts:
            parts[token] = parts[left] + parts[right]
    names = {i: token for token, i in old.items()}
    rows = [parts[names[i]] if i in names else [] for i in range(max(old.values()) + 1)]
    first = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    content = _file(data, new, [list(made[token]) for token in kept if token in made])
    return Narrow(
        content=content,
        identity={
            "name": f"{tokenizer.name}-{size}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "vocab_size": size,
            "eod": new[names[tokenizer.eod]],
        },
        first=first,
        ids=np.array([i for row in rows for i in row], np.uint16),
    )


def _file(data: dict[str, Any], new: dict[str, int], merges: list[list[str]]) -> bytes:
    added = [{**token, "id": new[token["content"]]} for token in data.get("added_tokens") or ()]
    special = {token["content"] for token in added}
    vocabulary = {token: i for token, i in new.items() if token not in special or token in data["model"]["vocab"]}
    content = {**data, "added_tokens": added, "model": {**data["model"], "vocab": vocabulary, "merges": merges}}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
