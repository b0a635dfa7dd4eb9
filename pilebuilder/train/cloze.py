"""A cloze of LAMBADA's shape from held-out text: the last word of a passage that has it earlier, too.

LAMBADA's passages are some sentences of about 75 words whose last word a person can guess from the whole passage and
not from its last sentence; in 84 % of them the word occurs earlier. Nobody judged ours, so numbers compare models on
one corpus and not with published ones. A passage is a run of whole sentences of `WORDS` words in one paragraph; its
last word has four letters or more, is none of the commonest words and occurs earlier in the passage. At most one
passage per document, chosen by a digest of its text: nothing is drawn.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pilebuilder.models import encoders
from pilebuilder.models.vocabulary import Tokenizer
from pilebuilder.train.loss import IGNORE
from pilebuilder.train.texts import Text, TextError

WORDS = (40, 120)
"""Least and most words of a passage."""
SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z])")
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
LAST = re.compile(r"^(?P<context>.*\s)(?P<word>[A-Za-z]{4,})[.!?][\"')\]]*$", re.DOTALL)
COMMON = {
    "that", "with", "this", "from", "have", "were", "they", "their", "there", "which", "would", "could", "should",
    "about", "other", "these", "those", "then", "than", "them", "been", "will", "your", "when", "what", "into", "some",
    "only", "also", "more", "most", "such", "very", "much", "each",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passage:
    """What the network reads, and the word it should go on with."""

    component: str
    context: str
    """Without white space at its end."""
    word: str


def passages(documents: Iterable[Text], limit: int | None = None) -> list[Passage]:
    """At most one passage of each document; with `limit`, of each component those with the smallest digests."""
    found: dict[str, list[tuple[str, Passage]]] = {}
    for document in documents:
        drawn = min(((_digest(p), p) for p in _candidates(document)), default=None, key=lambda pair: pair[0])
        if drawn is not None:
            found.setdefault(document.component, []).append(drawn)
    chosen = []
    for name in sorted(found):
        chosen += [p for _, p in sorted(found[name], key=lambda pair: pair[0])[:limit]]
    return chosen


def _candidates(document: Text) -> Iterator[Passage]:
    low, high = WORDS
    for paragraph in re.split(r"\n\s*\n", document.text):
        sentences = SENTENCE.split(" ".join(paragraph.split()))
        counts = [len(s.split()) for s in sentences]
        start = 0
        for stop in range(1, len(sentences) + 1):
            while start < stop - 1 and sum(counts[start:stop]) > high:
                start += 1
            if not low <= sum(counts[start:stop]) <= high or stop - start < 2:
                continue
            match = LAST.match(" ".join(sentences[start:stop]))
            if match is None:
                continue
            word, context = match["word"], match["context"].rstrip()
            earlier = {w.lower() for w in WORD.findall(context)}
            if word.lower() in earlier and word.lower() not in COMMON:
                yield Passage(document.component, context, word)


def _digest(passage: Passage) -> str:
    return hashlib.sha256(f"{passage.context}\0{passage.word}".encode()).hexdigest()


def read_lambada(path: Path) -> list[Passage]:
    """LAMBADA's own file: one JSON object a line whose ``text`` ends in the word, or plain passages, one a line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"] if line.startswith("{") else line
            context, word = text.rstrip().rsplit(" ", 1)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TextError(f"{path}, line {number}: not a passage: {error!r}") from error
        found.append(Passage("LAMBADA", context, word))
    if not found:
        raise TextError(f"{path} holds no passage")
    return found


@torch.no_grad()
def score(network: Any, tokenizer: Tokenizer, asked: list[Passage], sequence: int, rows: int) -> list[dict[str, Any]]:
    """A row per component and one for all: passages, share guessed (every token of the word the likeliest), perplexity
    of the word, and 95 % intervals."""
    engine = encoders.reference(tokenizer)
    contexts, words = (_ids(engine, [getattr(p, a) for p in asked], a == "word") for a in ("context", "word"))
    nats, right = np.zeros(len(asked)), np.zeros(len(asked), bool)
    device = next(network.parameters()).device
    order = sorted(range(len(asked)), key=lambda i: (len(contexts[i]) + len(words[i]), i))
    for begin in range(0, len(order), max(1, rows)):
        part = order[begin : begin + max(1, rows)]
        texts = [np.concatenate(([tokenizer.eod], contexts[i], words[i]))[-sequence - 1 :] for i in part]
        width = max(len(t) for t in texts) - 1
        ids = np.full((len(part), width), tokenizer.eod, np.int64)
        targets = np.full((len(part), width), IGNORE, np.int64)
        for row, (i, text) in enumerate(zip(part, texts, strict=True)):
            ids[row, : len(text) - 1] = text[:-1]
            targets[row, len(text) - 1 - len(words[i]) : len(text) - 1] = words[i]
        x, y = torch.from_numpy(ids).to(device), torch.from_numpy(targets).to(device)
        logits = network.logits(x).float().log_softmax(-1)
        asked_for = y != IGNORE
        taken = logits.gather(2, torch.where(asked_for, y, 0)[..., None])[..., 0]
        nats[part] = -(taken * asked_for).double().sum(1).cpu().numpy()
        right[part] = ((logits.argmax(-1) == y) | ~asked_for).all(1).cpu().numpy()
    names = np.array([p.component for p in asked])
    groups = [(name, names == name) for name in sorted(set(names.tolist()))]
    if len(groups) > 1:
        groups.append(("overall", np.ones(len(asked), bool)))
    return [_row(name, nats[mine], right[mine]) for name, mine in groups]


def _ids(engine: encoders.Engine, texts: list[str], spaced: bool) -> list[np.ndarray]:
    raw = [(" " + t if spaced else t).encode() for t in texts]
    ids, at = engine.encode(np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)]))
    return [ids[a:b].astype(np.int64) for a, b in itertools.pairwise(at)]


def _row(name: str, nats: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    n, share = len(nats), float(right.mean())
    low, high = wilson(share, n)
    spread = float(nats.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    return {
        "component": name,
        "passages": n,
        "accuracy": share,
        "accuracy_low": low,
        "accuracy_high": high,
        "nats_per_word": float(nats.mean()),
        "nats_standard_error": spread,
        "perplexity": math.exp(min(float(nats.mean()), 700.0)),
    }


def wilson(share: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a proportion (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
