"""Classifiers that a user trains: quality, domain, toxicity or any two labels; each with metrics and a card.

`train` reads labelled texts, holds some out, removes the twins of those from the examples, trains, measures, and
writes a folder ``NAME/`` with ``model.bin``, ``metrics.json`` and ``card.md``. `Classifier` reads such a folder.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder import models
from pilebuilder.errors import RecipeError
from pilebuilder.models import examples, metrics, training
from pilebuilder.models.fasttext_file import ModelFileError
from pilebuilder.models.scorer import Scorer
from pilebuilder.models.training import Options

POSITIVE, NEGATIVE = "positive", "negative"
QUANTILES = 200
SCORE_BINS = 100
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Texts with labels, and the digests of the files they came from."""

    texts: list[str]
    labels: list[str]
    sha256: dict[str, str]


def read_two(positive: Sequence[str], negative: Sequence[str], fields: Sequence[str] = ("text",)) -> Labelled:
    """Examples from two sets of files."""
    texts: list[str] = []
    labels: list[str] = []
    sha256: dict[str, str] = {}
    for label, patterns in ((POSITIVE, positive), (NEGATIVE, negative)):
        paths = examples.expand(patterns)
        sha256 |= {f"{label}/{name}": digest for name, digest in examples.digests(paths).items()}
        for path in paths:
            found = list(examples.texts(path, () if ".txt" in path.suffixes else fields))
            texts += found
            labels += [label] * len(found)
    return Labelled(texts=texts, labels=labels, sha256=sha256)


def read_column(patterns: Sequence[str], label: str, fields: Sequence[str] = ("text",)) -> Labelled:
    """Examples from files whose records name their label: ``label=value`` makes a value positive and the rest
    negative, ``label`` alone needs exactly two values."""
    column, equals, positive = label.partition("=")
    paths = examples.expand(patterns)
    pairs = [pair for path in paths for pair in examples.labelled(path, fields, column)]
    texts, labels = [t for t, _ in pairs], [y for _, y in pairs]
    if equals:
        labels = [POSITIVE if y == positive else NEGATIVE for y in labels]
    return Labelled(texts=texts, labels=labels, sha256=examples.digests(paths))


def train(
    name: str, given: Labelled, out: Path, options: Options | None = None, *, max_bytes: int = 0, note: str = ""
) -> dict[str, Any]:
    """Train, measure on held-out texts, write the folder ``out/name``; returns the metrics.

    `max_bytes` > 0 quantizes nothing but refuses a model above that size, with the setting to lower.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name):
        raise RecipeError(f"{name!r} is no name for a model: use a-z, 0-9, dot, dash and underscore")
    options = options or Options()
    texts, labels = training.distinct([" ".join(t.split()) for t in given.texts], given.labels)
    training.check_examples(labels)
    held = training.split(texts, options.holdout, options.seed)
    tests = [t for t, h in zip(texts, held, strict=True) if h]
    twin = training.twins(texts, tests) & ~held
    use = ~held & ~twin
    keep = np.flatnonzero(use)
    kept_labels = [labels[i] for i in keep]
    test_labels = [y for y, h in zip(labels, held, strict=True) if h]
    training.check_examples(kept_labels)
    training.check_examples(test_labels, least=5)
    raw = training.fit([texts[i] for i in keep], kept_labels, options)
    if max_bytes and len(raw) > max_bytes:
        raise RecipeError(
            f"the model has {len(raw):,} bytes, more than {max_bytes:,}: lower bucket, dim or raise min_count"
        )
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(raw)
    scorer = models.open_file(folder / "model.bin")
    positive = POSITIVE if POSITIVE in scorer.labels else sorted(scorer.labels)[-1]
    found = {
        "name": name,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bytes": len(raw),
        "positive": positive,
        "note": note,
        "options": asdict(options),
        "inputs": dict(sorted(given.sha256.items())),
        "given": len(given.texts),
        "examples": {y: kept_labels.count(y) for y in sorted(set(kept_labels))},
        "held_out": {y: test_labels.count(y) for y in sorted(set(test_labels))},
        "left_out": {"repeats, empty or with two labels": len(given.texts) - len(texts), "twins": int(twin.sum())},
        **_measure(scorer, positive, tests, test_labels),
        "top_words": _top_words(scorer, positive),
    }
    found = dict(metrics.rounded(found, 5))
    (folder / "metrics.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    from pilebuilder.models.classifier_card import card

    (folder / "card.md").write_text(card(found), encoding="utf-8")
    return found


def _buffers(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    encoded = [t.encode("utf-8", "replace") for t in texts]
    return np.frombuffer(b"".join(encoded) or b"\0", np.uint8), np.cumsum([0, *map(len, encoded)]).astype(np.int64)


def _measure(scorer: Scorer, positive: str, texts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    truth = np.array([y == positive for y in labels])
    scores = scorer.probabilities(*_buffers(texts))[:, scorer.labels.index(positive)]
    value, low, high = metrics.auc(scores, truth)
    sizes = np.array([len(t.encode()) for t in texts])
    by_size = metrics.auc(sizes, truth)[0]
    return {
        "auc": value,
        "low": low,
        "high": high,
        "average_precision": metrics.average_precision(scores, truth),
        "auc_of_length_alone": max(by_size, 1 - by_size),
        "thresholds": [metrics.at_threshold(scores, truth, t) for t in THRESHOLDS],
        "calibration": metrics.calibration(scores, truth),
        "by_length": metrics.length_buckets(scores, truth, sizes),
        "scores": {name: _counted(scores[rows]) for name, rows in (("positive", truth), ("negative", ~truth))},
        "negative_quantiles": np.quantile(scores[~truth], np.linspace(0, 1, QUANTILES + 1)).tolist(),
    }


def _counted(scores: np.ndarray) -> list[int]:
    """Texts in each of `SCORE_BINS` equal bins from 0 to 1."""
    at = np.clip((scores * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
    return [int(n) for n in np.bincount(at, minlength=SCORE_BINS)]


def _top_words(scorer: Scorer, positive: str, count: int = 25) -> dict[str, list[str]]:
    """Words of the vocabulary that alone score highest and lowest."""
    words = [w for w in scorer.file.words if w != b"</s>"]
    data, offsets = (
        np.frombuffer(b"".join(words) or b"\0", np.uint8),
        np.cumsum([0, *map(len, words)]).astype(np.int64),
    )
    scores = scorer.probabilities(data, offsets)[:, scorer.labels.index(positive)]
    order = np.argsort(scores, kind="stable")
    named = [w.decode("utf-8", "replace") for w in words]
    return {"high": [named[i] for i in order[::-1][:count]], "low": [named[i] for i in order[:count]]}


@dataclass(frozen=True, slots=True)
class Classifier:
    """A two-label model with its metrics."""

    scorer: Scorer
    positive: str
    metrics: dict[str, Any]

    def score(self, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """float32 [n]: probability of the positive label of each text; 0 where no word is known."""
        return np.ascontiguousarray(
            self.scorer.probabilities(data, offsets)[:, self.scorer.labels.index(self.positive)]
        )

    def percentile(self, share: float) -> float:
        """Score above which (100 - share) % of the negative held-out texts lie."""
        held = self.metrics.get("negative_quantiles")
        if not held:
            raise RecipeError("percentile needs a model trained by pilebuilder: its metrics.json has the quantiles")
        return float(np.interp(share / 100, np.linspace(0, 1, len(held)), held))


def files_of(path: str) -> tuple[Path, Path | None]:
    """Model file and metrics file of a folder made by `train`, or of a fastText file alone."""
    given = Path(path)
    if given.is_dir():
        return given / "model.bin", given / "metrics.json"
    beside = given.with_name("metrics.json")
    return given, beside if beside.is_file() else None


@functools.cache
def open_classifier(path: str, label: str = "") -> Classifier:
    """A classifier of the user's, by folder or file, loaded once per process and checked against its own metrics."""
    file, beside = files_of(path)
    if not file.is_file():
        raise RecipeError(f"no classifier at {path}: give the folder that train-classifier wrote, or a fastText file")
    found: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8")) if beside and beside.is_file() else {}
    if "sha256" in found and hashlib.sha256(file.read_bytes()).hexdigest() != found["sha256"]:
        raise models.DigestError(f"{file}: not the model that {beside} describes; train it again or restore the file")
    scorer = models.open_file(file)
    positive = label or found.get("positive") or (POSITIVE if POSITIVE in scorer.labels else "")
    if positive not in scorer.labels or scorer.file.loss == "hs":
        raise ModelFileError(
            f"{file}: say by `label` which of its labels to keep: {', '.join(scorer.labels)}"
            if scorer.file.loss != "hs"
            else f"{file}: a model with hierarchical softmax gives no score per label; train it with softmax"
        )
    return Classifier(scorer, positive, found)
