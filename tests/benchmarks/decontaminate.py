"""Decontamination against 60,000 evaluation items: ``python -m tests.benchmarks.decontaminate``.

Items are passages of 60 words of real text; documents are other real text, into some of which items are planted. CPU
seconds on one core, the index built beforehand. Beside it: the plain Python of the GPT-3 authors' rule (lower-cased
white-space words, a set of 13-grams). The last line is one JSON object.
"""

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.filter import contamination
from pilebuilder.filter.decontaminate import Decontaminate
from tests.benchmarks.lang import spent
from tests.benchmarks.texts import documents
from tests.models.docs import buffers

ITEMS, ITEM_WORDS, PLANTED = 60_000, 60, 500
MEGABYTES = 40


def material() -> tuple[list[str], list[str]]:
    """Passages for items, and documents, from different files."""
    items: list[str] = []
    texts: list[str] = []
    size = 0
    for number, (_, text) in enumerate(documents(120_000_000)):
        if number % 2 and len(items) < ITEMS:
            words = text.split()
            items += [" ".join(words[k : k + ITEM_WORDS]) for k in range(0, len(words) - ITEM_WORDS, ITEM_WORDS)]
        elif size < MEGABYTES * 1_000_000:
            texts.append(text)
            size += len(text.encode())
        if len(items) >= ITEMS and size >= MEGABYTES * 1_000_000:
            break
    return items[:ITEMS], texts


def plain_python(items: list[str], texts: list[str]) -> list[bool]:
    grams = set()
    for item in items:
        words = item.lower().split()
        grams |= {" ".join(words[k : k + 13]) for k in range(len(words) - 12)}
    found = []
    for text in texts:
        words = text.lower().split()
        found.append(any(" ".join(words[k : k + 13]) in grams for k in range(len(words) - 12)))
    return found


def main() -> None:
    items, texts = material()
    rng = random.Random(1)
    planted = rng.sample(range(len(texts)), min(PLANTED, len(texts)))
    for k in planted:
        middle = len(texts[k]) // 2
        texts[k] = f"{texts[k][:middle]} {rng.choice(items).upper()} {texts[k][middle:]}"
    data, offsets = buffers(texts)
    size = len(data) / 1e6
    figures: dict[str, Any] = {"decontaminate_items": len(items), "decontaminate_megabytes": round(size, 1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "items.jsonl")
        path.write_text("\n".join(json.dumps({"text": item}) for item in items), encoding="utf-8")
        steps = {
            "ngram": Decontaminate(against={"all": (str(path),)}),
            "sampled": Decontaminate(against={"all": (str(path),)}, method="sampled", ngram=8),
        }
        for name, step in steps.items():
            start = time.process_time()
            index = contamination.build(step)
            figures[f"decontaminate_{name}_index_s"] = round(time.process_time() - start, 1)
            seconds, (rows, _) = spent(lambda index=index: index.find(data, offsets))  # type: ignore[misc]
            figures[f"decontaminate_{name}_mb_per_s"] = round(size / seconds, 1)
            figures[f"decontaminate_{name}_planted_found"] = round(float(np.isin(planted, rows).mean()), 4)
            figures[f"decontaminate_{name}_documents"] = len(np.unique(rows))
    figures["decontaminate_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    start = time.process_time()
    theirs = plain_python(items, texts)
    plain = time.process_time() - start
    figures["decontaminate_ratio_plain_python"] = round(plain / (size / figures["decontaminate_ngram_mb_per_s"]), 1)
    figures["decontaminate_plain_python_documents"] = sum(theirs)
    for name, value in figures.items():
        print(f"{name:45} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
