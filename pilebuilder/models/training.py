"""Training of fastText classifiers: deterministic, and measured on texts that have no twin among the examples."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pilebuilder.errors import RecipeError
from pilebuilder.kernels.fasttext import word_hashes
from pilebuilder.models import ft
from pilebuilder.models.fasttext_file import LABEL

TWIN = 0.5
"""Share of an example's word 5-grams found among the held-out texts from which on it counts as a near-duplicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What decides the model, apart from the examples."""

    dim: Annotated[int, Field(ge=1, le=300, description="dimensions of a row")] = 16
    word_ngrams: Annotated[int, Field(ge=1, le=5, description="longest word n-gram")] = 2
    char_min: Annotated[int, Field(ge=0, le=8, description="shortest character n-gram; 0: none")] = 0
    char_max: Annotated[int, Field(ge=0, le=8, description="longest character n-gram; 0: none")] = 0
    bucket: Annotated[int, Field(ge=0, le=4_000_000, description="rows for hashed n-grams")] = 100_000
    epochs: Annotated[int, Field(ge=1, le=100, description="passes over the examples")] = 5
    rate: Annotated[float, Field(gt=0, le=2, description="learning rate")] = 0.2
    min_count: Annotated[int, Field(ge=1, description="occurrences that give a word its own row")] = 2
    seed: Annotated[int, Field(ge=0, description="order of examples and first values of the rows")] = 1
    holdout: Annotated[float, Field(gt=0, lt=1, description="share of examples held out for measuring")] = 0.1
    balance: Annotated[bool, Field(description="repeat the smaller class until both are of one size")] = True


def options(given: Mapping[str, Any]) -> Options:
    """`Options` from what a person wrote; ``char_ngrams`` is shortest and longest: ``3-6``."""
    from pydantic import TypeAdapter, ValidationError

    values = dict(given)
    if written := values.pop("char_ngrams", None):
        shortest, dash, longest = str(written).partition("-")
        if not (dash and shortest.isdigit() and longest.isdigit() and int(shortest) <= int(longest)):
            raise RecipeError(f"--char-ngrams: give shortest and longest as 3-6, got {written!r}")
        values |= {"char_min": int(shortest), "char_max": int(longest)}
    try:
        return TypeAdapter(Options).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise RecipeError(f"--{name}: {first['msg']}, got {first['input']!r}") from error


def fit(texts: Sequence[str], labels: Sequence[str], options: Options, *, allow_unsafe: bool = False) -> bytes:
    """The bytes of a fastText model trained on these texts; the same input gives the same bytes.

    Order of the examples is by digest of seed and text, so it does not depend on the order in which they came.
    """
    if options.balance:
        texts, labels = _balanced(texts, labels)
    salt = str(options.seed).encode()
    lines = sorted(
        LABEL + label.encode() + b" " + " ".join(text.split()).encode()
        for text, label in zip(texts, labels, strict=True)
    )
    # equal lines (from balancing) get their number into the key, so that they spread
    keys = [hashlib.blake2b(b"%d " % i + line, key=salt, digest_size=16).digest() for i, line in enumerate(lines)]
    lines = [line for _, line in sorted(zip(keys, lines, strict=True))]
    with tempfile.TemporaryDirectory(prefix="pilebuilder-train-") as folder:
        source, target = Path(folder, "lines.txt"), Path(folder, "model.bin")
        source.write_bytes(b"\n".join(lines) + b"\n")
        model = ft.train(
            source,
            seed=options.seed,
            allow_unsafe=allow_unsafe,
            options={
                "dim": options.dim,
                "wordNgrams": options.word_ngrams,
                "minn": options.char_min,
                "maxn": options.char_max,
                "bucket": options.bucket,
                "epoch": options.epochs,
                "lr": options.rate,
                "minCount": options.min_count,
            },
        )
        model.save_model(str(target))
        return target.read_bytes()


def _balanced(texts: Sequence[str], labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Each class repeated whole, then in part, until all are as large as the largest."""
    by_label: dict[str, list[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        by_label.setdefault(label, []).append(text)
    most = max(map(len, by_label.values()))
    out_texts: list[str] = []
    out_labels: list[str] = []
    for label in sorted(by_label):
        held = sorted(by_label[label])
        grown = (held * (most // len(held) + 1))[:most]
        out_texts += grown
        out_labels += [label] * most
    return out_texts, out_labels


def distinct(texts: Sequence[str], labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts without repeats and empty ones, sorted; a text with two labels is left out, since it teaches none."""
    seen: dict[str, str | None] = {}
    for text, label in zip(texts, labels, strict=True):
        if text and seen.setdefault(text, label) != label:
            seen[text] = None
    pairs = sorted((text, label) for text, label in seen.items() if label is not None)
    return [t for t, _ in pairs], [label for _, label in pairs]


def split(texts: Sequence[str], share: float, seed: int) -> np.ndarray:
    """bool [n]: texts that are held out, chosen by digest of seed and text."""
    salt = str(seed).encode()
    limit = int(share * 2**64)
    digests = (hashlib.blake2b(t.encode(), key=salt, digest_size=8).digest() for t in texts)
    return np.array([int.from_bytes(d, "big") < limit for d in digests], bool)


def twins(texts: Sequence[str], of: Sequence[str], least: float = TWIN) -> np.ndarray:
    """bool [n]: texts of which at least this share of word 5-grams occurs in the texts `of`.

    Words are what white space separates, in lower case. A text of fewer than five words is one n-gram.
    """
    known = np.unique(_grams(of)[0])
    ours, owner = _grams(texts)
    hits = np.bincount(owner, np.isin(ours, known, kind="sort"), minlength=len(texts))
    return np.asarray(hits >= np.maximum(1, np.ceil(least * np.bincount(owner, minlength=len(texts)))))


def _grams(texts: Sequence[str], order: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (uint64) of the word n-grams of each text, one text after the other, and the text of each (int64)."""
    words = [t.lower().encode("utf-8", "replace").split() for t in texts]
    counts = np.array([len(w) for w in words], np.int64)
    flat = [w for group in words for w in group]
    offsets = np.cumsum([0, *map(len, flat)]).astype(np.int64)
    hashes = word_hashes(np.frombuffer(b"".join(flat) or b"\0", np.uint8), offsets)
    owner = np.repeat(np.arange(len(words)), counts)
    left = np.repeat(np.cumsum(counts), counts) - np.arange(len(flat))  # words from here to the end of the text
    first = left == np.repeat(counts, counts)
    value = np.zeros(len(flat), np.uint64)
    for k in range(order):  # polynomial in the hashes of this word and the next four, as far as the text goes
        inside = np.flatnonzero(left > k)
        value[inside] = value[inside] * np.uint64(0x9E3779B97F4A7C15) + hashes[inside + k]
    keep = (left >= order) | first
    return value[keep], owner[keep]


def check_examples(labels: Sequence[str], least: int = 20) -> None:
    """Raise `RecipeError` unless there are two labels with enough examples each."""
    names, counts = np.unique(np.asarray(labels, object).astype(str), return_counts=True)
    held = ", ".join(f"{n}: {c}" for n, c in zip(names, counts, strict=True)) or "none"
    if len(names) < 2 or counts.min() < least:
        raise RecipeError(f"training needs two labels with at least {least} different texts each; found {held}")
