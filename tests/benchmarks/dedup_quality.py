"""What MinHash settings find and what they remove: ``python -m tests.benchmarks.dedup_quality``.

Real text with planted edits (see `dedup_corpus`) and, where present, the near-duplicate pairs among the shared samples.
For the settings of published recipes and ours: the share of pairs that become candidates by true similarity, beside
the probability 1 - (1 - s^r)^b, and, with and without verification at 0.7, recall and precision of clusters. Writes
`dedup_quality.svg` into the folder given by ``--out``; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.dedup import quality
from tests.benchmarks.dedup_corpus import Corpus, build, truth


@dataclass(frozen=True, slots=True)
class Setting:
    """A recipe's shingles and bands."""

    name: str
    bands: int
    rows: int
    ngram: int = 5


# RefinedWeb: 450 bands of 20 (appendix of the paper). The Pile: 10 hashes; their split into 5 x 2 is assumed here.
SETTINGS = (
    Setting("FineWeb", 14, 8),
    Setting("RefinedWeb", 450, 20),
    Setting("The Pile", 5, 2),
    Setting("SlimPajama", 9, 13, 13),
    Setting("ours", 16, 7),
)
STEPS = np.arange(0.5, 1.0001, 0.05)
VERIFY = 0.7


def measure(setting: Setting, corpus: Corpus, pairs: np.ndarray, similarity: np.ndarray) -> dict[str, Any]:
    """Candidates by similarity, and clusters with and without verification."""
    import pyarrow as pa

    from pilebuilder.dedup import runs
    from pilebuilder.document import text_buffers
    from pilebuilder.kernels import clusters, minhash, ordering, shinglesets
    from pilebuilder.kernels import similarity as likeness

    data, offsets = text_buffers(pa.array(corpus.texts, pa.large_string()))
    keys, counts = [], np.zeros(0, np.int64)
    for start in range(0, len(corpus.texts), 8192):  # 9,000 minima a text: some texts at a time
        part = offsets[start : start + 8193]
        found, counts_part, _ = minhash.signatures(
            data, part, ngram=setting.ngram, count=setting.bands * setting.rows, seed=1
        )
        keys.append(minhash.band_keys(found, bands=setting.bands, rows=setting.rows))
        counts = np.append(counts, counts_part)
    band = np.concatenate(keys)
    proposed = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), 4096):
        a, b = pairs[start : start + 4096].T
        proposed[start : start + 4096] = (band[a] == band[b]).any(axis=1)
    members, ends, filled = [], [], 0
    rows_of = np.arange(len(band), dtype=np.int32)
    for column in band.T:
        key, doc = ordering.sort_by_key(column, rows_of)
        rows, stops = runs.runs_of_equals(key[1:] == key[:-1])
        members.append(doc[rows].astype(np.int64))
        ends.append(stops + filled)
        filled += len(rows)
    groups = np.concatenate(members), np.concatenate(ends)
    blind = np.arange(len(band))
    clusters.unite_groups(blind, *groups)
    clusters.flatten(blind)
    every = np.arange(len(band))
    hashes, bounds = shinglesets.collect(data, offsets, every, counts, setting.ngram)
    limits = shinglesets.sampling_limits(counts)
    verified = np.arange(len(band))
    likeness.verify(*groups, hashes, np.append(0, bounds), limits, verified, jaccard=VERIFY)
    clusters.flatten(verified)
    bins = np.digitize(similarity, STEPS + 1e-9)
    share = [float(proposed[bins == i].mean()) if (bins == i).any() else None for i in range(1, len(STEPS))]
    return {
        "candidates": share,
        "blind": quality(blind, pairs, similarity),
        "verified": quality(verified, pairs, similarity),
    }


def samples() -> dict[str, float] | None:
    """Near-duplicate pairs of the shared samples: how many of J >= 0.8 our defaults find; None without samples."""
    from tests.samples import SAMPLES

    path = SAMPLES / "bulk" / "near_duplicates.jsonl.zst"
    if not path.is_file():
        return None
    import zstandard

    with path.open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()
    documents = [json.loads(line) for line in lines]
    place = {d["id"]: i for i, d in enumerate(documents)}
    scored = [json.loads(line) for line in path.with_name("near_duplicates.pairs.jsonl").open()]
    pairs = np.array([[place[p["a"]], place[p["b"]]] for p in scored])
    similarity = np.array([p["jaccard_word5"] for p in scored])
    corpus = Corpus([d["text"] for d in documents], np.full(len(documents), -1))
    found = measure(SETTINGS[-1], corpus, pairs, similarity)
    return {"pairs": len(pairs), "recall_0.8": found["verified"]["recall_0.8"]}


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Probability curves with the measured shares on them, as SVG without any library."""
    from pilebuilder.dedup.config import candidate_probability

    colours = ("#1b6ca8", "#c8553d", "#588157", "#8d5a97", "#111111")
    left, top, width, height = 60, 20, 520, 320

    def x(s: float) -> float:
        return left + (s - 0.5) / 0.5 * width

    def y(p: float) -> float:
        return top + (1 - p) * height

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 400" font-family="sans-serif" font-size="12">']
    for i in range(6):
        s, p = 0.5 + i * 0.1, i * 0.2
        parts.append(f'<text x="{x(s):.0f}" y="{top + height + 18}" text-anchor="middle">{s:.1f}</text>')
        parts.append(f'<text x="{left - 8}" y="{y(p) + 4:.0f}" text-anchor="end">{p:.1f}</text>')
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(p):.0f}" y2="{y(p):.0f}" stroke="#ddd"/>')
    for setting, colour in zip(SETTINGS, colours, strict=True):
        curve = [
            (0.5 + k / 200, candidate_probability(0.5 + k / 200, setting.bands, setting.rows)) for k in range(101)
        ]
        line = " ".join(f"{x(s):.1f},{y(p):.1f}" for s, p in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        for low, share in zip(STEPS, results[setting.name]["candidates"], strict=False):
            if share is not None:
                parts.append(f'<circle cx="{x(low + 0.025):.1f}" cy="{y(share):.1f}" r="3.5" fill="{colour}"/>')
        at = top + 14 + 18 * SETTINGS.index(setting)
        words = f"{setting.name}: {setting.bands} x {setting.rows}, {setting.ngram} words"
        parts.append(f'<text x="{left + width + 14}" y="{at}" fill="{colour}">{words}</text>')
    parts.append(
        f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle">true Jaccard similarity of'
    )
    parts.append("five-word shingles (lines: 1-(1-s^r)^b; dots: measured share of candidates)</text></svg>")
    path.write_text("\n".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=16_000)
    parser.add_argument("--planted", type=int, default=8_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(tables(arguments.chunks, arguments.planted, arguments.out)))


def tables(chunks: int, planted: int, out: Path | None) -> dict[str, float]:
    """Measure every setting, print the table, and draw the curves into the folder `out`."""
    corpus = build(chunks, planted)
    pairs, similarity = truth(corpus.texts)
    print(f"{len(corpus.texts):,} documents, {len(pairs):,} pairs of J >= 0.5")
    print(f"{'':12}{'bands':>6}{'rows':>5}{'words':>6}   recall >=.9, >=.8, .7-.8; precision at .7: blind, verified")
    results: dict[str, dict[str, Any]] = {}
    figures: dict[str, float] = {}
    for setting in SETTINGS:
        result = results[setting.name] = measure(setting, corpus, pairs, similarity)
        row = f"{setting.name:12}{setting.bands:6}{setting.rows:5}{setting.ngram:6}"
        key = setting.name.lower().replace(" ", "_")
        for kind in ("blind", "verified"):
            q = result[kind]
            row += "   " + " ".join(
                f"{q[k]:.4f}" for k in ("recall_0.9", "recall_0.8", "recall_0.7_0.8", "precision_0.7")
            )
            figures |= {f"{k}_{kind}_{key}": round(q[k], 4) for k in ("recall_0.8", "precision_0.7")}
        print(row)
    known = samples()
    if known is not None:
        print(f"shared samples: {known['pairs']} pairs; recall of J >= 0.8: {known['recall_0.8']:.4f}")
        figures["recall_0.8_samples"] = round(known["recall_0.8"], 4)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        plot(results, out / "dedup_quality.svg")
    return figures


if __name__ == "__main__":
    main()
