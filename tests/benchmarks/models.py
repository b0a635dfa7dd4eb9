"""The toxicity model and the training of classifiers: ``python -m tests.benchmarks.models``.

Speed of the toxicity step in CPU seconds on one core; share of sentences of ordinary text that it flags (five shared
samples that it was not trained on; null without them); time to train a classifier on 100,000 documents of 500 bytes.
The quality figures of the shipped model are those of its metrics file, which retraining reproduces. The last line is
one JSON object.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder import models
from pilebuilder.kernels import sentences
from pilebuilder.models import classifier, metrics
from pilebuilder.models.toxicity.scoring import SENTENCE, toxicity_model
from pilebuilder.models.training import Options
from tests.benchmarks.lang import samples, spent
from tests.benchmarks.texts import SAMPLES, documents
from tests.models.docs import buffers

MEGABYTES = 20
ORDINARY = ("europarl_en", "freelaw", "stackexchange_posts", "uspto", "wikitext")


def speed() -> dict[str, Any]:
    data, offsets = buffers([text for _, text in documents(MEGABYTES * 1_000_000)])
    start = time.process_time()
    model = toxicity_model()
    load = time.process_time() - start
    model.measure(data, offsets[:20])
    seconds, found = spent(lambda: model.measure(data, offsets))
    return {
        "toxicity_mb_per_s": round(len(data) / 1e6 / seconds, 1),
        "toxicity_load_s": round(load, 2),
        "toxicity_sentences": int(found.sentences.sum()),
    }


def flagged() -> dict[str, Any]:
    """Flagged share of sentences by source; what they quote or mean is not judged, so it is an upper bound."""
    if not SAMPLES.is_dir():
        return {"toxicity_flagged_ordinary": None}
    model = toxicity_model()
    result: dict[str, Any] = {}
    hits = total = 0
    for name in ORDINARY:
        # the wiki sample also holds pages in Latgalian
        texts = [d["text"] for d in samples(name) if "dumpster" not in str(d["id"])]
        out, bounds, _, _ = sentences.sentences(*buffers(texts), model.table)
        scores = model.score(out, bounds)
        hits, total = hits + int((scores >= SENTENCE).sum()), total + len(scores)
        result[f"toxicity_flagged_{name}"] = round(float((scores >= SENTENCE).mean()), 5)
    low, high = metrics.wilson(hits, total)
    return {
        **result,
        "toxicity_ordinary_sentences": total,
        "toxicity_flagged_ordinary": round(hits / total, 5),
        "toxicity_flagged_ordinary_interval": [round(low, 5), round(high, 5)],
    }


def recorded() -> dict[str, Any]:
    found = json.loads(models.model("toxicity").path.with_name("metrics.json").read_text(encoding="utf-8"))
    return {
        "toxicity_bytes": found["bytes"],
        "toxicity_wikipedia_auc": found["sets"]["wikipedia talk"]["auc"],
        "toxicity_bpsn_min": found["bias"]["bpsn_min"],
        "toxicity_bpsn_spread": found["bias"]["bpsn_spread"],
        "toxicity_unlisted_flagged": found["unlisted"]["share"],
    }


def training() -> dict[str, Any]:
    """100,000 documents of 500 bytes in two classes: code and everything else."""
    texts: list[str] = []
    labels: list[str] = []
    for kind, text in documents(90_000_000, 20_000):
        for k in range(0, len(text) - 500, 500):
            texts.append(text[k : k + 500])
            labels.append("positive" if kind == "code" else "negative")
        if len(texts) >= 100_000:
            break
    given = classifier.Labelled(texts=texts[:100_000], labels=labels[:100_000], sha256={})
    digests = []
    start = time.process_time()
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            digests.append(classifier.train("code", given, Path(folder), Options())["sha256"])
    return {
        "classifier_training_s_per_100k": round((time.process_time() - start) / 2 * 100_000 / len(given.texts), 1),
        "classifier_training_documents": len(given.texts),
        "classifier_training_repeats": len(set(digests)) == 1,
    }


def main() -> None:
    figures = {**speed(), **flagged(), **recorded(), **training()}
    for name, value in figures.items():
        print(f"{name:45} {value}")
    assert np.isfinite(figures["toxicity_mb_per_s"])
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
