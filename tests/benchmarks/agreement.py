"""Where our filters and datatrove's decide differently, and why: what ``tests.benchmarks.filters`` prints beside ratios.

Two classes: in ``word segmentation`` our words of the document are not spaCy's (the cases are listed in
`pilebuilder.kernels.words`), and with them the counts of the rules; ``other`` is everything else, and should be empty.
"""

from __future__ import annotations

import collections
import itertools
from typing import Any

import numpy as np

from tests.kernels import reference


def english(text: str) -> bool:
    return sum(word in text for word in (" the ", " of ", " and ", " to ")) >= 2


def first_difference(mine: list[str], theirs: list[str]) -> str:
    """The first place where two lists of words part, some words of each."""
    at = next((k for k, (a, b) in enumerate(itertools.zip_longest(mine, theirs)) if a != b), None)
    if at is None:
        return ""
    ours, other = (" | ".join(words[at : at + 4])[:60] for words in (mine, theirs))
    return f"{len(mine)} words, datatrove {len(theirs)}; from word {at + 1} on ours are {ours!r}, theirs {other!r}"


def disagreements(texts: list[str], found: dict[str, list[Any]], theirs: dict[str, list[str]]) -> dict[str, Any]:
    """Share of equal decisions per family, in all and in English documents, and what the others are about."""
    from datatrove.utils.text import split_into_words

    is_english = np.array([english(text) for text in texts])
    result: dict[str, Any] = {}
    for name, rules in found.items():
        dropped = np.logical_or.reduce([rule.failed for rule in rules])
        other = np.array([bool(reason) for reason in theirs[name]])
        differ = np.flatnonzero(dropped != other)
        key = name.replace("-", "_")
        result[f"filters_agreement_{key}"] = round(1 - float((dropped != other)[is_english].mean()), 5)
        result[f"filters_agreement_all_{key}"] = round(1 - len(differ) / len(texts), 5)
        kinds: collections.Counter[str] = collections.Counter()
        for row in differ:
            parted = first_difference(reference.words(texts[row]), split_into_words(texts[row]))
            kinds["word segmentation" if parted else "other"] += 1
            mine = next((rule.reason for rule in rules if rule.failed[row]), "keep")
            print(f"{name}: ours {mine}, datatrove {theirs[name][row] or 'keep'}: {parted or 'the same words'}")
        result[f"disagreements_{key}"] = dict(kinds)
    result["english_documents"], result["documents"] = int(is_english.sum()), len(texts)
    return result
