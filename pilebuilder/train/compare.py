"""Was this filter worth it? The same small network on two corpora, same tokens, several seeds, one held-out set.

Held-out set: the documents that either corpus holds out, without those whose id occurs in either training split. For
run s of corpus c, B(c, s) is the ratio of sums: bits of all its documents over their UTF-8 bytes. Runs are paired by
seed: d(s) = B(second, s) - B(first, s), and the difference is their mean. Two noises widen its interval:

- seeds: Student's t with n - 1 degrees of freedom times sd(d) / sqrt(n), over n seeds;
- documents: 1.96 times the standard error of the ratio sum(e) / sum(b) over documents (linearised), where e is a
  document's difference in bits, averaged over the seeds, and b its bytes.

The half width is the root of the sum of both squares. With one seed the first is unknown, and nothing is judged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.atomic import write_atomic
from pilebuilder.errors import PilebuilderError
from pilebuilder.train import scoring, texts
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.scoring import OVERALL, ratio
from pilebuilder.train.shards import Corpus
from pilebuilder.train.subject import open_subject

FORMAT = 1
Z = 1.959964
FEW = 30
"""Documents below which a row says their number and nothing else in the report."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two corpora, with the settings that its runs have."""

    name: str
    corpus: Path
    config: TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Common held-out documents; `of` says which corpus holds each out."""

    documents: list[texts.Text]
    of: list[str]
    left_out: int
    """Documents that occur in a training split."""


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """Two different names for two folders."""
    a, b = first.resolve(), second.resolve()
    if a.name != b.name:
        return a.name, b.name
    if a.parent.name != b.parent.name:
        return f"{a.parent.name}/{a.name}", f"{b.parent.name}/{b.name}"
    return f"{a.name} (first)", f"{b.name} (second)"


def compare(first: Side, second: Side, out: Path, *, seeds: int, split: str, tokens: int | None, say: Say) -> Path:
    """Train what is not trained yet, measure, write ``comparison.json`` and ``.md`` into `out`; returns the former."""
    if seeds < 1:
        raise PilebuilderError("at least one seed is needed; three or more tell noise from difference")
    if first.config.tokens != second.config.tokens or first.config.model != second.config.model:
        raise PilebuilderError("both sides need the same network and the same number of tokens")
    if first.corpus.resolve() == second.corpus.resolve() and first.config == second.config:
        raise PilebuilderError("both sides are the same corpus with the same settings; there is nothing to compare")
    held = held_out(first, second, split, tokens)
    say(f"{len(held.documents):,} held-out documents, {held.left_out:,} left out because a training split has them")
    bits = {side.name: _bits(side, out / label, held, seeds, say) for side, label in ((first, "a"), (second, "b"))}
    result = {
        "format": FORMAT,
        "first": first.name,
        "second": second.name,
        "split": split,
        "seeds": seeds,
        "tokens": first.config.steps * first.config.batch_tokens,
        "config": first.config.model_dump(mode="json", exclude={"control", "seed"}),
        "left_out": held.left_out,
        "rows": rows(held, bits[first.name], bits[second.name]),
        "method": "Runs are paired by seed; the difference is the mean over seeds of second minus first, in bits per"
        " UTF-8 byte (ratio of sums over the documents); below zero the second is better.",
        "interval": "95 %: root of the sum of squares of t(n - 1) sd / sqrt(n) over seeds and of 1.96 standard errors"
        " over documents",
        "sample": f"{len(held.documents):,} documents of both {split} splits, without {held.left_out:,} that occur in"
        f" a training split; {seeds} seeds",
    }
    path = out / "comparison.json"
    write_atomic(path, (json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    write_atomic(out / "comparison.md", markdown(result).encode())
    return path


def held_out(first: Side, second: Side, split: str, tokens: int | None) -> HeldOut:
    """Both held-out sets without what was trained on; `tokens` limits each component of each."""
    sides = [first] if first.corpus.resolve() == second.corpus.resolve() else [first, second]
    trained: set[str] = set()
    for side in sides:
        trained |= _ids(Corpus(side.corpus, "train"))
    found: dict[tuple[str, str], tuple[texts.Text, str]] = {}
    left_out = 0
    for side in sides:
        size: dict[str, int] = {}
        for document in texts.read_split(side.corpus, split):
            # Four bytes are about a token; a limit needs no more precision.
            if tokens is not None and size.get(document.component, 0) >= 4 * tokens:
                continue
            if not document.text:
                continue
            if document.id in trained:
                left_out += 1
                continue
            size[document.component] = size.get(document.component, 0) + len(document.text.encode())
            key = (document.component, document.text)
            shared = len(sides) == 1 or (key in found and found[key][1] != side.name)
            found[key] = (document, "both" if shared else side.name)
    if not found:
        raise PilebuilderError(f"neither corpus has {split} text that is in no training split; hold more out in `mix`")
    chosen = [found[key] for key in sorted(found)]
    return HeldOut(documents=[d for d, _ in chosen], of=[of for _, of in chosen], left_out=left_out)


def _ids(corpus: Corpus) -> set[str]:
    """Ids (hex) of all documents of a split."""
    return {row.tobytes().hex() for shard in corpus.shards for row in shard.ids}


def _bits(side: Side, out: Path, held: HeldOut, seeds: int, say: Say) -> np.ndarray:
    """Bits of each held-out document under each run, (seeds, documents)."""
    from pilebuilder import train

    found = []
    for seed in range(1, seeds + 1):
        folder = out / f"seed-{seed}"
        config = side.config.model_copy(update={"seed": seed})
        say(f"{side.name}, seed {seed}: {config.steps:,} steps into {folder}")
        outcome = train.run(side.corpus, folder, config)
        if not outcome.finished:
            raise PilebuilderError(f"{folder} was interrupted; the same command goes on")
        subject = open_subject(folder)
        texts_set = texts.TextSet(held.documents, subject.tokenizer(), "held-out")
        everything = np.arange(len(held.documents))
        nats = scoring.document_nats(
            subject.network, texts_set, everything, subject.sequence, subject.sequence, subject.rows
        )
        # The set sorts by component and keeps the order within; `held` is sorted by component already.
        found.append(nats / math.log(2))
    return np.array(found)


def rows(held: HeldOut, first: np.ndarray, second: np.ndarray) -> list[dict[str, Any]]:
    """A row per component and corpus that holds it out, then all of each corpus, then all."""
    component = np.array([d.component for d in held.documents])
    of = np.array(held.of)
    size = np.array([len(d.text.encode()) for d in held.documents])
    groups = [(c, o, (component == c) & (of == o)) for c in sorted(set(component)) for o in sorted(set(of))]
    groups += [(OVERALL, o, of == o) for o in sorted(set(of))] if len(set(of)) > 1 else []
    groups.append((OVERALL, "all", np.ones(len(size), bool)))
    return [_row(str(c), str(o), first[:, m], second[:, m], size[m]) for c, o, m in groups if m.any()]


def _row(component: str, of: str, first: np.ndarray, second: np.ndarray, size: np.ndarray) -> dict[str, Any]:
    from scipy.stats import t

    a, b = first.sum(1) / size.sum(), second.sum(1) / size.sum()
    d = b - a
    n = len(d)
    value, over_documents = ratio((second - first).mean(0), size)
    over_seeds = float(d.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    low = high = None
    verdict = "not judged: one seed" if n == 1 else "not judged: one document"
    if over_seeds is not None and over_documents is not None:
        half = math.hypot(float(t.ppf(0.975, n - 1)) * over_seeds, Z * over_documents)
        low, high = value - half, value + half
        verdict = "second" if high < 0 else "first" if low > 0 else "no difference seen"
    return {
        "component": component,
        "of": of,
        "first": float(a.mean()),
        "second": float(b.mean()),
        "difference": value,
        "low": low,
        "high": high,
        "error_over_seeds": over_seeds,
        "error_over_documents": over_documents,
        "documents": len(size),
        "bytes": int(size.sum()),
        "verdict": verdict,
        "by_seed": [[float(x), float(y)] for x, y in zip(a, b, strict=True)],
    }


def markdown(result: Mapping[str, Any]) -> str:
    """The comparison as a table for a person."""
    lines = [
        f"# {result['first']} against {result['second']}",
        "",
        f"{result['tokens']:,} tokens each, {result['seeds']} seeds. {result['method']}",
        "",
        f"| component | held out by | {result['first']} | {result['second']} | difference | 95 % | documents"
        " | better |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    words = {"first": result["first"], "second": result["second"]}
    for row in result["rows"]:
        interval = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
        numbers = f"{row['first']:.4f} | {row['second']:.4f} | {row['difference']:+.4f} | {interval}"
        few = f" (fewer than {FEW} documents)" if row["documents"] < FEW else ""
        verdict = words.get(row["verdict"], row["verdict"])
        lines.append(f"| {row['component']} | {row['of']} | {numbers} | {row['documents']:,} | {verdict}{few} |")
    lines += ["", f"Interval: {result['interval']}. Sample: {result['sample']}.", ""]
    return "\n".join(lines)
