"""Bias of a component's sample: words that share sentences with identity terms, sentiment around them, profanity.

All sums are integers, so the numbers do not depend on the order of documents. What is written:

- ``words.parquet``: word, tag (adjective or adverb), sentences with it, and sentences with it and each group;
- ``bias.json``: sentences, sentences of each group, sums of sentiment with 1,000 bootstrap replicates over documents,
  profane words and sentences by document in the same way.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.kernels import terms
from pilebuilder.kernels.tagger import TAGS
from pilebuilder.models import english as lexicon
from pilebuilder.partition import write_table
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled import english, groups
from pilebuilder.report.sampled.draw import gathered
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

REPLICATES = 1_000
LEAST = 5
"""Words in fewer sentences of a component are not written."""
SHOWN_WORDS = 20
_POS = {"ADJ": "a", "ADV": "r", "NOUN": "n", "VERB": "v"}
_LISTED = np.array([t in ("ADJ", "ADV") for t in TAGS])
_SCORED = np.array([t in _POS for t in TAGS])
_NONE = np.iinfo(np.int64).min
# Keeps "over" the adverb apart from "over" the noun: mixed into the word's hash.
_TAG_SALT = (np.arange(1, len(TAGS) + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)


def measure(task: Task, work: Workspace) -> None:
    """Bias measures of some components' samples."""
    for number, (component, samples) in enumerate(by_component(task.inputs).items()):
        _measure(task, work, component, gathered(work, samples), f"{number:03}-")


def _measure(task: Task, work: Workspace, component: str, table: pa.Table, prefix: str) -> None:
    import pyarrow.compute as pc

    known = groups.flat(task.params["terms"])
    tally = Tally(table.num_rows, len(known))
    lookup = terms.table([words for _, _, words in known])
    tally.bytes = int(np.asarray(pc.binary_length(table.column("text"))).sum())
    profanity = profanity_counter(task.params["toxicity"])
    for found in english.sentences(table):
        tally.seen += found.seen
        if len(found):
            tally.add(found, english.tokens(found, lookup))
            if profanity is not None:
                profanity.add(found, tally.documents)
    write_table(tally.words_table(known), work.output(f"{prefix}words.parquet", "bias-words", component=component))
    content = tally.to_json(task.params["seed"], known)
    content["profanity"] = None if profanity is None else profanity.to_json(task.params["seed"])
    path = work.output(f"{prefix}bias.json", "bias", component=component)
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


@dataclass(slots=True)
class Word:
    """A word form with its tag."""

    text: str
    tag: str
    score: int | None
    sentences: int = 0
    shared: list[int] = field(default_factory=list)


class Tally:
    """Integer sums over the sentences of a sample."""

    def __init__(self, documents: int, kinds: int) -> None:
        self.documents, self.kinds = documents, kinds
        self.seen = 0
        self.bytes = 0
        self.words: dict[int, Word] = {}
        # Per document: English sentences; and per group (the last column: all sentences) sentences, scored words and
        # their summed score, sentences with a scored word and their summed mean score.
        self.sentences = np.zeros(documents, np.int64)
        self.named, self.scored, self.score, self.polar, self.polarity = (
            np.zeros((documents, kinds + 1), np.int64) for _ in range(5)
        )

    def add(self, found: english.Sentences, tokens: english.Tokens) -> None:
        """Count the sentences of a chunk."""
        np.add.at(self.sentences, found.document, 1)
        bits = np.uint64(1) << np.arange(self.kinds, dtype=np.uint64)
        inside = np.ones((len(found), self.kinds + 1), bool)
        inside[:, : self.kinds] = (tokens.groups[:, None] & bits[None, :]) != 0
        np.add.at(self.named, found.document, inside)
        chosen = np.flatnonzero(_SCORED[tokens.tags])
        keys = tokens.hashes[chosen] ^ _TAG_SALT[tokens.tags[chosen]]
        # A word counts once per sentence; the pair is sorted by sentence, then by word.
        order = np.lexsort((keys, tokens.sentence[chosen]))
        chosen, keys = chosen[order], keys[order]
        owner = tokens.sentence[chosen]
        first = np.ones(len(keys), bool)
        first[1:] = (keys[1:] != keys[:-1]) | (owner[1:] != owner[:-1])
        chosen, keys, owner = chosen[first], keys[first], owner[first]
        distinct, at, inverse = np.unique(keys, return_index=True, return_inverse=True)
        scores = np.array(
            [self._known(int(k), int(chosen[i]), found, tokens) for k, i in zip(distinct, at, strict=True)]
        )
        self._count_words(distinct, inverse, chosen, owner, inside, tokens)
        self._add_scores(scores, inverse, chosen, owner, inside, found, tokens)

    def _known(self, key: int, token: int, found: english.Sentences, tokens: english.Tokens) -> int:
        """The sentiment score of a word, which is remembered; `_NONE` when the lexicon does not have it."""
        held = self.words.get(key)
        if held is None:
            start, stop = tokens.spans[token].tolist()
            text = found.data[start:stop].tobytes().decode().lower()
            tag = TAGS[tokens.tags[token]]
            held = self.words[key] = Word(text, tag, lexicon.word_sentiment(text, _POS[tag]), shared=[0] * self.kinds)
        return _NONE if held.score is None else held.score

    def _count_words(self, distinct: Any, inverse: Any, chosen: Any, owner: Any, inside: Any, tokens: Any) -> None:
        """Sentences with each adjective and adverb, and those shared with each group; its own terms do not count."""
        listed = _LISTED[tokens.tags[chosen]]
        sentences = np.bincount(inverse[listed], minlength=len(distinct))
        used = np.flatnonzero(sentences)
        shared = np.zeros((len(distinct), self.kinds), np.int64)
        for group in range(self.kinds):
            own = (tokens.terms[chosen] >> np.uint64(group)) & np.uint64(1)
            rows = listed & inside[owner, group] & (own == 0)
            shared[:, group] = np.bincount(inverse[rows], minlength=len(distinct))
        for i in used.tolist():
            word = self.words[int(distinct[i])]
            word.sentences += int(sentences[i])
            word.shared = [a + b for a, b in zip(word.shared, shared[i].tolist(), strict=True)]

    def _add_scores(
        self, scores: Any, inverse: Any, chosen: Any, owner: Any, inside: Any, found: Any, tokens: Any
    ) -> None:
        """Sums of sentiment by document and group, without the tokens that are terms themselves."""
        value = scores[inverse] if len(scores) else np.zeros(0, np.int64)
        rows = (value != _NONE) & (tokens.terms[chosen] == 0)
        count, total = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
        np.add.at(count, owner[rows], 1)
        np.add.at(total, owner[rows], value[rows])
        mean = np.rint(np.divide(total, count, out=np.zeros(len(found)), where=count > 0)).astype(np.int64)
        for into, amount in (
            (self.scored, count),
            (self.score, total),
            (self.polar, count > 0),
            (self.polarity, mean),
        ):
            np.add.at(into, found.document, np.asarray(amount, np.int64)[:, None] * inside)

    def words_table(self, known: list[tuple[str, str, tuple[str, ...]]]) -> pa.Table:
        """Adjectives and adverbs in at least `LEAST` sentences, by word and tag."""
        import pyarrow as pa

        rows = sorted((w.text, w.tag, w.sentences, w.shared) for w in self.words.values() if w.sentences >= LEAST)
        columns = {
            "word": pa.array([r[0] for r in rows], pa.string()),
            "tag": pa.array([r[1] for r in rows], pa.string()),
            "sentences": pa.array([r[2] for r in rows], pa.int64()),
        }
        for i, (_, group, _) in enumerate(known):
            columns[group] = pa.array([r[3][i] for r in rows], pa.int64())
        return pa.table(columns)

    def to_json(self, seed: int, known: list[tuple[str, str, tuple[str, ...]]]) -> dict[str, Any]:
        """Sums by group, and replicates of the sentiment's two sums; the group "all" is every English sentence."""
        names = [group for _, group, _ in known] + ["all"]
        drawn = resample(np.concatenate([self.score, self.scored], 1), seed)
        result: dict[str, Any] = {
            "documents": self.documents,
            "bytes": self.bytes,
            "seen": self.seen,
            "sentences": int(self.sentences.sum()),
            "groups": {},
        }
        for i, name in enumerate(names):
            result["groups"][name] = {
                "sentences": int(self.named[:, i].sum()),
                "words": int(self.scored[:, i].sum()),
                "score": int(self.score[:, i].sum()),
                "polar": int(self.polar[:, i].sum()),
                "polarity": int(self.polarity[:, i].sum()),
                "replicates": [drawn[i], drawn[i + len(names)]],
            }
        return result


def resample(values: np.ndarray, seed: int) -> list[list[int]]:
    """Column sums of ``values[documents, columns]`` (int64) in each bootstrap replicate over documents, by column."""
    random = np.random.Generator(np.random.PCG64([seed, 17]))
    documents, columns = values.shape
    sums = np.zeros((REPLICATES, columns), np.int64)
    for i in range(REPLICATES if documents else 0):
        times = np.bincount(random.integers(0, documents, documents, dtype=np.int32), minlength=documents)
        sums[i] = times @ values  # integers: exact, and the same on every machine
    return sums.T.tolist()  # type: ignore[no-any-return]


class Profanity:
    """Profane words and toxic sentences, by the shipped toxicity model: each word alone, each sentence whole."""

    def __init__(self, model: Any) -> None:
        from pilebuilder.models.toxicity import scoring

        self.model, self.limit = model, scoring.SENTENCE
        self.profane = frozenset(model._profane())
        self.documents: np.ndarray | None = None
        self.frequent: Counter[str] = Counter()

    def add(self, found: english.Sentences, documents: int) -> None:
        """Count the sentences of a chunk."""
        from pilebuilder.kernels import sentences as plain_form

        if self.documents is None:
            self.documents = np.zeros((documents, 4), np.int64)
        data, offsets = found.packed()
        out, bounds, owner, words = plain_form.sentences(data, offsets, self.model.table, split=False)
        toxic = np.zeros(len(found), np.int64)
        toxic[owner] = self.model.score(out, bounds) >= self.limit
        rows = np.stack([np.ones(len(found), np.int64), toxic, words[:, 0], words[:, 1]], 1)
        np.add.at(self.documents, found.document, rows)
        text = out.tobytes()
        where = np.full(len(found), -1)
        where[owner] = np.arange(len(owner))
        for i in where[np.flatnonzero(words[:, 1])].tolist():
            if i >= 0:
                listed = (
                    w for w in text[bounds[i] : bounds[i + 1]].decode("utf-8", "replace").split() if w in self.profane
                )
                self.frequent.update(listed)

    def to_json(self, seed: int) -> dict[str, Any]:
        """Sums, replicates of both rates, documents with a toxic sentence, frequent words masked."""
        held = self.documents if self.documents is not None else np.zeros((0, 4), np.int64)
        frequent = sorted(self.frequent.items(), key=lambda kv: (-kv[1], kv[0]))[:SHOWN_WORDS]
        return {
            "sentences": int(held[:, 0].sum()),
            "toxic": int(held[:, 1].sum()),
            "words": int(held[:, 2].sum()),
            "profane": int(held[:, 3].sum()),
            "documents": int((held[:, 0] > 0).sum()),
            "toxic_documents": int((held[:, 1] > 0).sum()),
            "replicates": resample(held, seed),
            "frequent": [[masked(word), n] for word, n in frequent],
        }


def masked(word: str) -> str:
    """First letter and length of a word that is not to be read.

    >>> masked("darn")
    'd*** (4)'
    """
    return f"{word[:1]}{'*' * (len(word) - 1)} ({len(word)})"


def profanity_counter(name: str) -> Profanity | None:
    """The counter with this toxicity model; None when the installation does not have it."""
    from pilebuilder import models

    if name not in models.CATALOGUE and not name.endswith((".bin", ".ftz")):
        return None
    from pilebuilder.models.toxicity.scoring import toxicity_model

    return Profanity(toxicity_model(name))
