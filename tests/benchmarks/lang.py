"""Language identification beside the fastText package: ``python -m tests.benchmarks.lang``.

CPU seconds on one core, the same documents for both, models loaded and kernels compiled beforehand. The package gets
the same sample of letters in one run and the whole text in the other. Labels are compared on every document. Recall and
false positives of English need the shared samples; without them those figures are null. The last line is one JSON
object.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pilebuilder import models
from pilebuilder.filter.lang import Lang
from pilebuilder.kernels import lid
from pilebuilder.models import ft
from tests.benchmarks.texts import SAMPLES, documents
from tests.models.docs import buffers

MEGABYTES = 40
ENGLISH = ("europarl_en", "freelaw", "reddit_selftext", "uspto")


def spent(call: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """CPU seconds of the fastest round, and its result."""
    best, result = 1e9, None
    for _ in range(rounds):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


def samples(name: str) -> list[dict[str, Any]]:
    import zstandard

    with (SAMPLES / f"{name}.jsonl.zst").open("rb") as stream:
        raw = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True).read()
    return [json.loads(line) for line in raw.splitlines()]


def english_decisions() -> dict[str, float | None]:
    """Share of English documents kept, and of others kept as English, at the step's default."""
    if not SAMPLES.is_dir():
        return {"lang_english_recall": None, "lang_english_false_positives": None}
    own = [d["text"] for name in ENGLISH for d in samples(name)]
    books = samples("books_multilingual")
    pieces = [(d["lang"], d["text"][k : k + 4000]) for d in books for k in range(0, len(d["text"]), 4000)]
    own += [text for lang, text in pieces if lang == "eng"]
    other = [text for lang, text in pieces if lang != "eng"]
    # Scots and English-based creoles are close enough to count as neither
    other += [
        d["text"] for d in samples("udhr_languages") if d["lang"] not in ("eng", "sco", "pcm", "bis", "tpi", "kri")
    ]
    kept = []
    for texts in (own, other):
        label, score, codes = Lang().identify(*buffers(texts))
        kept.append((np.array(codes)[label] == "en") & (score >= 0.65))
    return {
        "lang_english_documents": len(own),
        "lang_english_recall": round(float(kept[0].mean()), 4),
        "lang_other_documents": len(other),
        "lang_english_false_positives": round(float(kept[1].mean()), 5),
    }


def main() -> None:
    texts = [text for _, text in documents(MEGABYTES * 1_000_000)]
    data, offsets = buffers(texts)
    size = len(data) / 1e6
    scorer, package = models.load("lid.176"), ft.reference(models.locate("lid.176"))
    scorer.best(*lid.letters(data, offsets[:50], 4096))
    step, _ = spent(lambda: Lang().identify(data, offsets))
    letters, sample = spent(lambda: lid.letters(data, offsets, 4096))
    ours, found = spent(lambda: scorer.best(*sample))
    theirs, (labels, scores) = spent(lambda: ft.reference_best(package, *sample), 1)
    whole, all_found = spent(lambda: scorer.best(data, offsets))
    their_whole, (whole_labels, _) = spent(lambda: ft.reference_best(package, data, offsets), 1)
    same = [a >= 0 and scorer.labels[a] == b for a, b in zip(found.label, labels, strict=True)]
    same_whole = [a >= 0 and scorer.labels[a] == b for a, b in zip(all_found.label, whole_labels, strict=True)]
    figures: dict[str, Any] = {
        "lang_documents": len(texts),
        "lang_megabytes": round(size, 1),
        "lang_step_mb_per_s": round(size / step, 1),
        "lang_letters_mb_per_s": round(size / letters, 1),
        "lang_ratio_same_sample": round(theirs / ours, 2),
        "lang_ratio_whole_text": round(their_whole / whole, 2),
        "lang_ratio_step_to_package_on_whole_text": round(their_whole / step, 2),
        "lang_same_label_sample": float(np.mean(same)),
        "lang_same_label_whole": float(np.mean(same_whole)),
        "lang_largest_score_difference": round(float(np.abs(found.probability - scores).max()), 6),
        **english_decisions(),
    }
    for name, value in figures.items():
        print(f"{name:45} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
