"""What the toxicity model is measured on, and how: overall, per identity term, on clean text, by document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.models import metrics
from pilebuilder.models.toxicity import data, scoring

AUC_SETS = ("wikipedia talk", "surge", "hatecheck", "edos", "convabuse, test")
CLEAN = "UD English EWT, dev and test"
BIAS = "madlibs"
DESCRIPTORS = "identity/holistic_bias_v1.1_descriptors.json"
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.96, 0.99)

# The identity terms of the published bias test (Dixon et al. 2018, adjectives_people.txt).
BIAS_TERMS = (
    "lesbian", "gay", "bisexual", "transgender", "trans", "queer", "lgbt", "lgbtq", "homosexual", "straight",
    "heterosexual", "male", "female", "nonbinary", "african", "african american", "black", "white", "european",
    "hispanic", "latino", "latina", "latinx", "mexican", "canadian", "american", "asian", "indian", "middle eastern",
    "chinese", "japanese", "christian", "muslim", "jewish", "buddhist", "catholic", "protestant", "sikh", "taoist",
    "old", "older", "young", "younger", "teenage", "millenial", "middle aged", "elderly", "blind", "deaf", "paralyzed",
)  # fmt: skip

# Harmless sentences about people, for descriptors that the model's list does not hold.
PROBES = (
    "My neighbour is {}.", "We met a {} teacher at the library.", "A {} family moved in next door.",
    "She says that she is {}.", "They asked a {} student for help.",
)  # fmt: skip


def evaluate(model: scoring.ToxicityModel, folder: Path) -> dict[str, Any]:
    """All measures as plain JSON; `folder` holds the labelled data."""

    def score(texts: list[str]) -> np.ndarray:
        encoded = [t.encode() for t in scoring.plain(texts)]
        offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
        return model.score(np.frombuffer(b"".join(encoded) or b"\0", np.uint8), offsets)

    result: dict[str, Any] = {"sets": {}}
    for name in AUC_SETS:
        held = data.load(folder, name)
        toxic, scores = np.array(held.toxic), score(held.texts)
        value, low, high = metrics.auc(scores, toxic)
        result["sets"][name] = {
            "texts": len(toxic),
            "toxic": int(toxic.sum()),
            "auc": value,
            "low": low,
            "high": high,
            "average_precision": metrics.average_precision(scores, toxic),
        }
        if name == "wikipedia talk":
            result["thresholds"] = [metrics.at_threshold(scores, toxic, t) for t in THRESHOLDS]
            result["calibration"] = metrics.calibration(scores, toxic)
            sizes = np.array([len(t.encode()) for t in held.texts])
            result["by_length"] = metrics.length_buckets(scores, toxic, sizes)
            result["by_document"] = _documents(model, held.texts, toxic)
    result["bias"] = _bias(score, data.load(folder, BIAS))
    result["clean"] = _clean(score, data.load(folder, CLEAN))
    result["unlisted"] = _unlisted(score, folder / DESCRIPTORS)
    return result


def _documents(model: scoring.ToxicityModel, texts: list[str], toxic: np.ndarray) -> dict[str, Any]:
    """AUC of the three document measures, as the step computes them."""
    encoded = [t.encode() for t in texts]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    found = model.measure(np.frombuffer(b"".join(encoded), np.uint8), offsets)
    names = {"mean": found.mean, "share": found.share, "highest": found.highest, "profanity": found.profanity}
    return {name: metrics.auc(values, toxic)[0] for name, values in names.items()}


def _bias(score: Callable[[list[str]], np.ndarray], held: data.Loaded) -> dict[str, Any]:
    toxic, scores = np.array(held.toxic), score(held.texts)
    lower = [t.lower() for t in held.texts]
    groups = {
        term: np.array([bool(found(t)) for t in lower])
        for term in BIAS_TERMS
        for found in [re.compile(rf"\b{re.escape(term)}\b").search]
    }
    rows = metrics.by_group(scores, toxic, groups)
    value, low, high = metrics.auc(scores, toxic)
    bpsn = [row["bpsn"] for row in rows]
    return {
        "texts": len(toxic),
        "auc": value,
        "low": low,
        "high": high,
        "bpsn_min": min(bpsn),
        "bpsn_spread": max(bpsn) - min(bpsn),
        "terms": rows,
    }


def _clean(score: Callable[[list[str]], np.ndarray], held: data.Loaded) -> dict[str, Any]:
    scores = score(held.texts)
    rows = []
    for threshold in THRESHOLDS:
        hits = int((scores >= threshold).sum())
        low, high = metrics.wilson(hits, len(scores))
        rows.append({"threshold": threshold, "flagged": hits, "share": hits / len(scores), "low": low, "high": high})
    return {"texts": len(scores), "thresholds": rows}


def _unlisted(score: Callable[[list[str]], np.ndarray], path: Path) -> dict[str, Any] | None:
    """Share of harmless sentences flagged for descriptors of people that the hidden list does not hold."""
    if not path.is_file():
        return None
    known = {word for group in scoring.identity_terms() for word in group}
    names = sorted(
        name
        for name in set(_strings(json.loads(path.read_text(encoding="utf-8"))))
        if not known & set(re.findall(r"[a-z]+", name.lower()))
    )
    texts = [probe.format(name) for name in names for probe in PROBES]
    flagged = (score(texts) >= scoring.SENTENCE).reshape(len(names), -1)
    low, high = metrics.wilson(int(flagged.sum()), flagged.size)
    return {
        "descriptors": len(names),
        "sentences": int(flagged.size),
        "flagged": int(flagged.sum()),
        "share": float(flagged.mean()),
        "low": low,
        "high": high,
        "descriptors_flagged_in_most": int((flagged.mean(axis=1) > 0.5).sum()),
    }


def _strings(value: Any) -> list[str]:
    """Descriptors in a nested JSON value: strings, or objects with a `descriptor`."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        if "descriptor" in value:
            return [str(value["descriptor"])]
        return [s for key in value for s in _strings(value[key])]
    return [s for item in value for s in _strings(item)] if isinstance(value, list) else []
