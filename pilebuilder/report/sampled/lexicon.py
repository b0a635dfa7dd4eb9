"""Entries of a list in the English sentences of a sample: mentions by category, sentences and documents with one.

Tokens are compared by hash in lower case. Of entries of one category that overlap, the one that begins first counts,
of two that begin together the longer. All sums are integers, so the order of documents does not matter.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from pilebuilder.kernels.wordbreak import word_hash
from pilebuilder.report.lexicon import Lexicon
from pilebuilder.report.sampled import english

Slots = tuple[set[int], ...]
"""Of each word of an entry the hashes that it matches; those of patterns grow with the tokens that are met."""


class Matches:
    """Counts of one component's sample."""

    def __init__(self, lexicon: Lexicon, documents: int) -> None:
        self.lexicon = lexicon
        self.categories = {name: i for i, name in enumerate(lexicon.categories)}
        self.slots: list[Slots] = []
        self.patterns: list[tuple[re.Pattern[str], set[int]]] = []
        for entry in lexicon.entries:
            slots = []
            for word, is_pattern in zip(entry.words, entry.patterns, strict=True):
                slots.append(set() if is_pattern else {word_hash(word)})
                if is_pattern:
                    self.patterns.append((re.compile(word), slots[-1]))
            self.slots.append(tuple(slots))
        self.any = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in self.patterns))
        self.known = np.zeros(0, np.uint64)
        n = len(lexicon.categories)
        # Per document: tokens, sentences, sentences with a flagging entry; per category mentions.
        self.documents = np.zeros((documents, 3 + n), np.int64)
        self.frequent: list[Counter[str]] = [Counter() for _ in range(n)]

    def add(self, found: english.Sentences, tokens: english.Tokens) -> None:
        """Count the sentences of a chunk."""
        from pilebuilder.report.sampled.bias import add_by_document

        if self.patterns:
            self._learn(found, tokens)
        counts = np.zeros((len(found), 3 + len(self.categories)), np.int64)
        counts[:, 0], counts[:, 1] = np.diff(tokens.bounds), 1
        flagging = self.lexicon.flagging
        for category, matches in enumerate(self._matches(tokens)):
            end = 0
            for start, size, text in sorted(matches):
                if start < end:
                    continue
                end = start - size  # sizes are negative: the longest of a place comes first
                sentence = tokens.sentence[start]
                counts[sentence, 3 + category] += 1
                counts[sentence, 2] |= flagging[category]
                self.frequent[category][text] += 1
        add_by_document(self.documents, found.document, counts)

    def _learn(self, found: english.Sentences, tokens: english.Tokens) -> None:
        """Try the patterns on tokens that were not met before."""
        distinct, first = np.unique(tokens.hashes, return_index=True)
        new = ~np.isin(distinct, self.known, assume_unique=True)
        self.known = np.union1d(self.known, distinct[new])
        spans = tokens.spans[first[new]].tolist()
        for key, (start, stop) in zip(distinct[new].tolist(), spans, strict=True):
            text = found.data[start:stop].tobytes().decode().lower()
            for pattern, hashes in self.patterns if self.any.fullmatch(text) else ():
                if pattern.fullmatch(text):
                    hashes.add(key)

    def _matches(self, tokens: english.Tokens) -> list[list[tuple[int, int, str]]]:
        """By category: first token, minus the number of tokens, and the entry, of every place that one stands."""
        matches: list[list[tuple[int, int, str]]] = [[] for _ in self.categories]
        heads = np.array(sorted(set().union(*(slots[0] for slots in self.slots))), np.uint64)
        if not len(heads) or not len(tokens.hashes):
            return matches
        at = np.minimum(np.searchsorted(heads, tokens.hashes), len(heads) - 1)
        places = np.flatnonzero(heads[at] == tokens.hashes)
        by_head: dict[int, np.ndarray] = {}
        order = np.argsort(at[places], kind="stable")
        starts = np.flatnonzero(np.diff(at[places][order], prepend=-1))
        for group in np.split(places[order], starts[1:]) if len(places) else []:
            by_head[int(tokens.hashes[group[0]])] = group
        for entry, slots in zip(self.lexicon.entries, self.slots, strict=True):
            text = " ".join(entry.words)
            for head in slots[0] & by_head.keys():
                rows = by_head[head]
                rows = rows[rows + len(slots) <= tokens.bounds[tokens.sentence[rows] + 1]]
                for i, hashes in enumerate(slots[1:], 1):
                    rows = rows[np.isin(tokens.hashes[rows + i], np.array(sorted(hashes), np.uint64))]
                matches[self.categories[entry.category]] += [(row, -len(slots), text) for row in rows.tolist()]
        return matches

    def to_json(self, seed: int, shown: int) -> dict[str, Any]:
        """Sums, replicates of each column of `documents`, documents with any, and the most frequent entries masked."""
        from pilebuilder.report.sampled.bias import masked, resample

        held = self.documents
        english_documents = held[:, 1] > 0
        return {
            "categories": list(self.lexicon.categories),
            "entries": [sum(e.category == c for e in self.lexicon.entries) for c in self.lexicon.categories],
            "flagging": list(self.lexicon.flagging),
            "sums": held.sum(0).tolist(),
            "documents": int(english_documents.sum()),
            "flagged_documents": int((held[:, 2] > 0).sum()),
            "documents_with": (held[:, 3:] > 0).sum(0).tolist(),
            "replicates": resample(held, seed),
            "frequent": [
                [category, masked(text) if flagging else text, n]
                for category, flagging, counts in zip(
                    self.lexicon.categories, self.lexicon.flagging, self.frequent, strict=True
                )
                for text, n in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:shown]
            ],
        }
