"""Evaluate a run or an imported checkpoint on a corpus' held-out split, into a file that the report reads.

``CORPUS/evaluations/NAME.SPLIT.json`` holds bits per UTF-8 byte by component under both protocols, the loss by
position, and the cloze. It holds no time and no path: the same network on the same text writes the same numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pilebuilder.atomic import write_atomic
from pilebuilder.errors import PilebuilderError
from pilebuilder.train import cloze, scoring, texts
from pilebuilder.train.shards import Corpus
from pilebuilder.train.subject import Subject

FOLDER = "evaluations"
FORMAT = 1
OVERLAP = 2
"""The sliding protocol moves by the sequence length divided by this: every token but the first ones sees at least half
a window of context, for twice the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to measure."""

    split: str = "test"
    stride: int | None = None
    """Tokens that the sliding window moves; None: half a window."""
    tokens: int | None = None
    """Limit of each component; whole documents are taken."""
    sliding: bool = True
    passages: int | None = 500
    """Cloze passages of each component at most; 0 leaves the cloze out."""
    lambada: Path | None = None
    """LAMBADA's own file, measured beside the cloze."""
    tokenizer: str | None = None
    """Tokenizer file of a run whose folder does not hold it."""


def held_out(corpus: Path, subject: Subject, split: str) -> scoring.Held:
    """The split under the subject's tokenizer: the token files when they were made with it, else the text anew."""
    for path in sorted((corpus / "tokens").glob("*.json")):
        content = json.loads(path.read_bytes())
        same = (content.get("tokenizer") or {}).get("sha256") == subject.identity["sha256"]
        if same and content.get("split") == split:
            return Corpus(corpus, split, verify=True)
    documents = list(texts.read_split(corpus, split))
    return texts.TextSet(documents, subject.tokenizer(), split)


def evaluate(
    corpus: Path, subject: Subject, asked: Request, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Everything asked for, as plain values; `say` hears what is being done."""
    if asked.split not in ("val", "test"):
        raise PilebuilderError(f"split {asked.split!r}: there are val and test")
    held = held_out(corpus, subject, asked.split)
    step = asked.stride or max(1, subject.sequence // OVERLAP)
    protocols = []
    for name, stride in (("segments", subject.sequence), ("sliding", step)):
        if name == "sliding" and not asked.sliding:
            continue
        say(f"bits per byte, {name}: windows of {subject.sequence} tokens, stride {stride}")
        positions = scoring.Positions.empty(subject.sequence)
        rows = scoring.measure(
            subject.network,
            held,
            subject.sequence,
            subject.rows,
            stride=stride,
            tokens=asked.tokens,
            positions=positions,
        )
        made = {"name": name, "sequence": subject.sequence, "stride": stride, "scores": [r.as_json() for r in rows]}
        protocols.append(made | ({"positions": positions.as_json()} if name == "segments" else {}))
    return {
        "format": FORMAT,
        "name": subject.name,
        "subject": dict(subject.facts),
        "tokenizer": dict(subject.identity),
        "split": asked.split,
        "text": held.digest,  # type: ignore[attr-defined]
        "token_limit": asked.tokens,
        "protocols": protocols,
        "cloze": _cloze(corpus, subject, asked, say),
        "software": {"torch": torch.__version__, "device": next(subject.network.parameters()).device.type},
    }


def _cloze(corpus: Path, subject: Subject, asked: Request, say: Callable[[str], None]) -> dict[str, Any]:
    """The cloze from held-out text, and LAMBADA's own when given."""
    found: dict[str, Any] = {}
    sets: dict[str, list[cloze.Passage]] = {}
    if asked.passages:
        sets["held-out"] = cloze.passages(texts.read_split(corpus, asked.split), asked.passages)
    if asked.lambada:
        sets["lambada"] = cloze.read_lambada(asked.lambada)
    for name, chosen in sets.items():
        if not chosen:
            found[name] = []
            continue
        say(f"cloze, {name}: {len(chosen):,} passages")
        rows = cloze.score(subject.network, subject.tokenizer(asked.tokenizer), chosen, subject.sequence, subject.rows)
        found[name] = rows
    return found


def save(corpus: Path, result: dict[str, Any]) -> Path:
    """Write a result where the report looks for it; an older one of the same name and split is replaced."""
    path = corpus / FOLDER / f"{file_name(result['name'])}.{result['split']}.json"
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, (json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    return path


def file_name(name: str) -> str:
    """A name as part of a file name."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
    if not found:
        raise PilebuilderError(f"{name!r} cannot name a file; give another with --name")
    return found


REFERENCE = {
    "GPT-2 small": 1.2253,
    "GPT-2 medium": 1.0928,
    "GPT-2 large": 1.0828,
    "GPT-2 XL": 1.0468,
    "GPT-3 ada": 0.9631,
    "GPT-3 babbage": 0.8718,
    "GPT-3 curie": 0.7980,
    "GPT-3 davinci": 0.7177,
    "GPT-Neo 1.3B": 0.7527,
    "GPT-Neo 2.7B": 0.7165,
}
"""Bits per byte on the Pile's own test set, as published (Gao et al. 2020, table 2; GPT-Neo's README)."""
