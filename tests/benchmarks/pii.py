"""Personal data: speed with all kinds on, and finds in a planted set: ``python -m tests.benchmarks.pii``.

CPU seconds on one core over real text. Beside it: datatrove's formatter, which looks for e-mail and IP addresses
alone, and the same two kinds by our kernels. Recall and precision are over ten planted sets of 200 values per kind and
some 1,200 look-alikes (`tests.clean.planted`); made values are easier than real ones. The last line is one JSON
object.
"""

from __future__ import annotations

import json
from typing import Any

from pilebuilder.clean.pii import KINDS
from pilebuilder.kernels import pii
from tests.benchmarks.lang import spent
from tests.benchmarks.texts import documents
from tests.clean.test_pii import measure
from tests.models.docs import buffers

MEGABYTES = 40
SEEDS = range(100, 110)


def main() -> None:
    texts = [text for _, text in documents(MEGABYTES * 1_000_000)]
    data, offsets = buffers(texts)
    size = len(data) / 1e6
    pii.scan(data, offsets[:20])
    every, (spans, _) = spent(lambda: pii.scan(data, offsets))
    two, _ = spent(lambda: pii.scan(data, offsets, [pii.EMAIL, pii.IP]))
    figures: dict[str, Any] = {
        "pii_megabytes": round(size, 1),
        "pii_mb_per_s": round(size / every, 1),
        "pii_email_ip_mb_per_s": round(size / two, 1),
        "pii_finds_per_mb": round(len(spans) / size, 1),
    }
    try:
        from datatrove.pipeline.formatters import PIIFormatter
    except ImportError:
        figures["pii_ratio_datatrove_email_ip"] = None
    else:
        rival = PIIFormatter()
        theirs, _ = spent(lambda: [rival.format(text) for text in texts], 1)
        figures["pii_ratio_datatrove_email_ip"] = round(theirs / two, 1)
        figures["pii_ratio_all_kinds_to_datatrove_email_ip"] = round(theirs / every, 1)
    for kind in KINDS:
        counts = [measure(seed)[kind] for seed in SEEDS]
        true, missed, false = (sum(column) for column in zip(*counts, strict=True))
        figures[f"pii_recall_{kind}"] = round(true / (true + missed), 4)
        figures[f"pii_precision_{kind}"] = round(true / (true + false), 4)
    for name, value in figures.items():
        print(f"{name:45} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
