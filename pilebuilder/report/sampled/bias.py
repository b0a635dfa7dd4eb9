"""Bias of a component's sample: words that share sentences with identity terms, sentiment around them, profanity.

All sums are integers, so the numbers do not depend on the order of documents. What is written:

- ``words.parquet``: word, tag (adjective or adverb), sentences with it, and sentences with it and each group;
- ``bias.json``: sentences, sentences of each group, sums of sentiment with 1,000 bootstrap replicates over documents,
  profane words and sentences by document in the same way, and mentions of the entries of a user's list.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.kernels import terms
from pilebuilder.kernels.tagger import TAGS
from pilebuilder.models import english as lexicon
from pilebuilder.partition import write_table
from pilebuilder.report.lexicon import load
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled import english, groups
from pilebuilder.report.sampled.draw import gathered
from pilebuilder.report.sampled.lexicon import Matches
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

REPLICATES, BLOCK = 1_000, 50
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
    samples_of = by_component(a for a in task.inputs if a.kind == "sample")
    for number, (component, samples) in enumerate(samples_of.items()):
        _measure(task, work, component, gathered(work, samples), f"{number:03}-")


def _measure(task: Task, work: Workspace, component: str, table: pa.Table, prefix: str) -> None:
    import pyarrow.compute as pc

    known = groups.flat(task.params["terms"])
    tally = Tally(table.num_rows, len(known))
    lookup = terms.table([words for _, _, words in known])
    tally.bytes = int(np.asarray(pc.binary_length(table.column("text"))).sum())
    profanity = profanity_counter(task.params["toxicity"])
    listed = next((Matches(load(work.open(a)), table.num_rows) for a in task.inputs if a.kind == "lexicon"), None)
    for found in english.sentences(table):
        tally.seen += found.seen
        if len(found):
            tokens = english.tokens(found, lookup)
            tally.add(found, tokens)
            if listed is not None:
                listed.add(found, tokens)
            if profanity is not None:
                profanity.add(found, tally.documents)
    write_table(tally.words_table(known), work.output(f"{prefix}words.parquet", "bias-words", component=component))
    content = tally.to_json(task.params["seed"], known)
    content["profanity"] = None if profanity is None else profanity.to_json(task.params["seed"])
    content["lexicon"] = None if listed is None else listed.to_json(task.params["seed"], SHOWN_WORDS)
    path = work.output(f"{prefix}bias.json", "bias", component=component)
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


class Words:
    """Word forms with their tags, numbered as they are met: text, tag, sentiment, sentences, sentences by group."""

    def __init__(self, kinds: int) -> None:
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.keys, self.numbers = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self.scores, self.sentences = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.shared = np.zeros((0, kinds), np.int64)

    def number(self, keys: np.ndarray, first: np.ndarray, found: english.Sentences, tokens: english.Tokens) -> Any:
        """The number of each of these sorted keys; `first` is a token of each, which tells the word if it is new."""
        at = np.searchsorted(self.keys, keys)
        new = np.ones(len(keys), bool)
        inside = at < len(self.keys)
        new[inside] = self.keys[at[inside]] != keys[inside]
        if new.any():
            self._learn(keys[new], first[new], found, tokens)
            at = np.searchsorted(self.keys, keys)
        return self.numbers[at]

    def _learn(self, keys: np.ndarray, first: np.ndarray, found: english.Sentences, tokens: english.Tokens) -> None:
        tags = [TAGS[t] for t in tokens.tags[first].tolist()]
        spans = tokens.spans[first].tolist()
        texts = [found.data[start:stop].tobytes().decode().lower() for start, stop in spans]
        scores = [lexicon.word_sentiment(text, _POS[tag]) for text, tag in zip(texts, tags, strict=True)]
        added = np.array([_NONE if score is None else score for score in scores], np.int64)
        self.keys = np.concatenate([self.keys, keys])
        self.numbers = np.concatenate([self.numbers, np.arange(len(self.texts), len(self.texts) + len(keys))])
        order = np.argsort(self.keys, kind="stable")
        self.keys, self.numbers = self.keys[order], self.numbers[order]
        self.texts += texts
        self.tags += tags
        self.scores = np.concatenate([self.scores, added])
        self.sentences = np.concatenate([self.sentences, np.zeros(len(keys), np.int64)])
        self.shared = np.concatenate([self.shared, np.zeros((len(keys), self.shared.shape[1]), np.int64)])


def add_by_document(into: np.ndarray, documents: np.ndarray, amounts: np.ndarray) -> None:
    """Add the amounts of each document's sentences, one row a sentence; sentences of a document stand together."""
    if len(documents):
        starts = np.flatnonzero(np.concatenate([[True], documents[1:] != documents[:-1]]))
        into[documents[starts]] += np.add.reduceat(np.asarray(amounts, np.int64), starts, axis=0)


class Tally:
    """Integer sums over the sentences of a sample."""

    def __init__(self, documents: int, kinds: int) -> None:
        self.documents, self.kinds = documents, kinds
        self.seen = 0
        self.bytes = 0
        self.words = Words(kinds)
        # Per document: English sentences; and per group (the last column: all sentences) sentences, scored words and
        # their summed score, sentences with a scored word and their summed mean score.
        self.sentences = np.zeros(documents, np.int64)
        self.named, self.scored, self.score, self.polar, self.polarity = (
            np.zeros((documents, kinds + 1), np.int64) for _ in range(5)
        )

    def add(self, found: english.Sentences, tokens: english.Tokens) -> None:
        """Count the sentences of a chunk."""
        add_by_document(self.sentences, found.document, np.ones(len(found), np.int64))
        bits = np.uint64(1) << np.arange(self.kinds, dtype=np.uint64)
        inside = np.ones((len(found), self.kinds + 1), bool)
        inside[:, : self.kinds] = (tokens.groups[:, None] & bits[None, :]) != 0
        add_by_document(self.named, found.document, inside)
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
        numbers = self.words.number(distinct, chosen[at], found, tokens)
        self._count_words(numbers, inverse, chosen, owner, inside, tokens)
        self._add_scores(self.words.scores[numbers], inverse, chosen, owner, inside, found, tokens)

    def _count_words(self, numbers: Any, inverse: Any, chosen: Any, owner: Any, inside: Any, tokens: Any) -> None:
        """Sentences with each adjective and adverb, and those shared with each group; its own terms do not count."""
        listed = _LISTED[tokens.tags[chosen]]
        inverse, owner, terms = inverse[listed], owner[listed], tokens.terms[chosen[listed]]
        self.words.sentences[numbers] += np.bincount(inverse, minlength=len(numbers))
        for group in range(self.kinds):
            own = (terms >> np.uint64(group)) & np.uint64(1)
            rows = inside[owner, group] & (own == 0)
            self.words.shared[numbers, group] += np.bincount(inverse[rows], minlength=len(numbers))

    def _add_scores(
        self, scores: Any, inverse: Any, chosen: Any, owner: Any, inside: Any, found: Any, tokens: Any
    ) -> None:
        """Sums of sentiment by document and group, without the tokens that are terms themselves."""
        value = scores[inverse]
        rows = (value != _NONE) & (tokens.terms[chosen] == 0)
        count = np.bincount(owner[rows], minlength=len(found))
        total = np.bincount(owner[rows], value[rows], len(found)).astype(np.int64)
        mean = np.rint(np.divide(total, count, out=np.zeros(len(found)), where=count > 0)).astype(np.int64)
        for into, amount in (
            (self.scored, count),
            (self.score, total),
            (self.polar, count > 0),
            (self.polarity, mean),
        ):
            add_by_document(into, found.document, np.asarray(amount, np.int64)[:, None] * inside)

    def words_table(self, known: list[tuple[str, str, tuple[str, ...]]]) -> pa.Table:
        """Adjectives and adverbs in at least `LEAST` sentences, by word and tag."""
        import pyarrow as pa

        held = self.words
        often = np.flatnonzero(held.sentences >= LEAST).tolist()
        rows = sorted((held.texts[i], held.tags[i], int(held.sentences[i]), held.shared[i].tolist()) for i in often)
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
    # in double precision sums of integers are exact, in any order, while none reaches 2**53
    largest = int(np.abs(values).sum(0).max(initial=0))
    exact = values.astype(np.float64)
    times = np.zeros((BLOCK, documents))
    for first in range(0, REPLICATES if documents else 0, BLOCK):
        for row in times:
            row[:] = np.bincount(random.integers(0, documents, documents, dtype=np.int32), minlength=documents)
        small = largest * int(times.max()) < 1 << 53
        made = times @ exact if small else times.astype(np.int64) @ values
        sums[first : first + BLOCK] = made.astype(np.int64)
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
        add_by_document(self.documents, found.document, rows)
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
