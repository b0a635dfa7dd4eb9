"""Train the shipped toxicity model again: ``pilebuilder train-classifier toxicity --retrain LABELLED -o OUT``.

The same labelled files give the same model bytes; the command compares the digest with the catalogue's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pilebuilder import models
from pilebuilder.kernels.sentences import COUNT
from pilebuilder.models import metrics, training
from pilebuilder.models.toxicity import data, evaluate, scoring, templates

OPTIONS = training.Options(
    dim=4, word_ngrams=2, char_min=4, char_max=6, bucket=60_000, epochs=5, rate=0.08, min_count=2, balance=False
)
CLEAN = "clean"


def examples(folder: Path) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Plain texts, labels, and a row per source for the card. No text shares most of its 5-grams with a test text."""
    texts: list[str] = []
    labels: list[str] = []
    sources = []
    for entry in data.SETS.values():
        if entry.use not in ("train", "clean"):
            continue
        held = data.load(folder, entry.name)
        texts += scoring.plain(held.texts)
        labels += [scoring.TOXIC if y else CLEAN for y in held.toxic]
        sources.append(_source(entry, held))
    made = list(templates.harmless())
    texts += made
    labels += [CLEAN] * len(made)
    texts, labels = training.distinct(texts, labels)
    tests = [t for name in evaluate.AUC_SETS for t in scoring.plain(data.load(folder, name).texts)]
    keep = ~training.twins(texts, tests)
    texts = [t for t, k in zip(texts, keep, strict=True) if k]
    labels = [y for y, k in zip(labels, keep, strict=True) if k]
    return texts, labels, sources


def _source(entry: data.LabelledSet, held: data.Loaded) -> dict[str, Any]:
    return {
        "name": entry.name,
        "origin": entry.origin,
        "licence": entry.licence,
        "texts": len(held.texts),
        "toxic": sum(held.toxic),
        "sha256": held.digests,
    }


def retrain(labelled: Path, out: Path) -> dict[str, Any]:
    """Train, measure, and write ``toxicity.bin``, ``metrics.json`` and ``card.md`` to `out`; returns the metrics."""
    texts, labels, sources = examples(labelled)
    raw = training.fit(texts, labels, OPTIONS)
    out.mkdir(parents=True, exist_ok=True)
    (out / "toxicity.bin").write_bytes(raw)
    model = scoring.ToxicityModel(models.open_file(out / "toxicity.bin"))
    tests = [data.SETS[name] for name in (*evaluate.AUC_SETS, evaluate.BIAS, evaluate.CLEAN)]
    found = {
        "name": "toxicity",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bytes": len(raw),
        "options": asdict(OPTIONS),
        "examples": {"clean": labels.count(CLEAN), "toxic": labels.count(scoring.TOXIC)},
        "made_sentences": len(list(templates.harmless())),
        "identity_terms": {
            "words": len(scoring.identity_terms()[0]),
            "sha256": hashlib.sha256(scoring.TERMS.read_bytes()).hexdigest(),
        },
        "trained_on": sources,
        "measured_on": [_source(s, data.load(labelled, s.name)) for s in tests],
        "sentence_threshold": scoring.SENTENCE,
        "profane_threshold": scoring.PROFANE,
        "profane_words": int((model.table[1] & COUNT > 0).sum()),
        **evaluate.evaluate(model, labelled),
    }
    found = dict(metrics.rounded(found))
    (out / "metrics.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    from pilebuilder.models.toxicity.card import card

    (out / "card.md").write_text(card(found), encoding="utf-8")
    return found
