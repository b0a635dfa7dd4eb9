"""Extraction quality on 181 news and blog pages with hand-made article bodies: ``python -m tests.benchmarks.extraction``.

Pages and bodies: the article extraction benchmark in the samples (samples/pile-cc). For each extractor of the HTML
reader, means over pages of precision, recall and F1, on tokens (runs of word characters, as multisets) and on shingles
of four tokens (what that benchmark itself uses). The last line is one JSON object.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections import Counter

from pilebuilder.read.archives import Member, tar_members
from pilebuilder.read.html import Extractor, decode, extract
from pilebuilder.read.streams import open_stream
from tests.samples import SAMPLES

ARCHIVE = SAMPLES / "pile-cc" / "article-extraction-benchmark.tar"
EXTRACTORS: tuple[Extractor, ...] = ("resiliparse", "trafilatura", "justext", "union", "all")
_WORD = re.compile(r"\w+")


def material() -> list[tuple[str, str]]:
    """Pages as HTML with their article bodies."""
    pages: dict[str, bytes] = {}
    truth: dict[str, dict[str, str]] = {}
    for member in tar_members(open_stream(ARCHIVE)):
        assert isinstance(member, Member)
        data = member.content(64 << 20)
        if member.name.endswith(".json"):
            truth = json.loads(data)
        else:
            pages[member.name.split("/")[-1].split(".")[0]] = gzip.decompress(data)
    return [(decode(pages[key])[0], truth[key]["articleBody"]) for key in sorted(truth)]


def grams(text: str, size: int) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    if size > 1 and len(words) < size:
        return Counter([tuple(words)]) if words else Counter()
    return Counter(zip(*(words[k:] for k in range(size)), strict=False))


def score(found: str, gold: str, size: int) -> tuple[float, float, float]:
    """Precision, recall and F1 of one page."""
    one, two = grams(found, size), grams(gold, size)
    common = (one & two).total()
    precision = common / one.total() if one else float(not two)
    recall = common / two.total() if two else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0


def main() -> None:
    if not ARCHIVE.exists():
        sys.exit(f"no samples: {ARCHIVE} is missing")
    pages = material()
    for extractor in EXTRACTORS:
        extract(pages[0][0], extractor)
    figures = {}
    print(f"{len(pages)} pages; means over pages, in percent")
    print(f"{'extractor':<14}{'tokens: P':>10}{'R':>8}{'F1':>8}{'shingles: P':>13}{'R':>8}{'F1':>8}{'pages/s':>10}")
    for extractor in EXTRACTORS:
        start = time.process_time()
        found = [extract(page, extractor) for page, _ in pages]
        seconds = time.process_time() - start
        row: dict[str, float] = {}
        for name, size in (("token", 1), ("shingle", 4)):
            scores = [score(text, gold, size) for text, (_, gold) in zip(found, pages, strict=True)]
            for k, what in enumerate(("precision", "recall", "f1")):
                row[f"{name}_{what}"] = round(100 * sum(s[k] for s in scores) / len(scores), 2)
        row["pages_per_cpu_second"] = round(len(pages) / seconds, 1)
        figures[extractor] = row
        values = list(row.values())
        print(
            f"{extractor:<14}{values[0]:>10}{values[1]:>8}{values[2]:>8}{values[3]:>13}{values[4]:>8}{values[5]:>8}{values[6]:>10}"
        )
    print(json.dumps({"benchmark": "extraction", "pages": len(pages), "extractors": figures}))


if __name__ == "__main__":
    main()
