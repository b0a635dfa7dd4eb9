"""Make the files of this folder again from their sources: ``python -m pilebuilder.models.english.train FOLDER``.

FOLDER holds ``pos/ud_english_ewt_{train,dev,test}.tsv.zst`` (word, tag; sentences apart by an empty line) and
``sentiment/sentiwordnet3_lemma_pos_mean.tsv.zst`` (lemma, pos, senses, mean_score). Same inputs, same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from pilebuilder.kernels import tagger, tagger_training
from pilebuilder.kernels.wordbreak import lower_table, word_hash
from pilebuilder.models.english import FOLDER

EPOCHS, SEED, LEVEL = 8, 0, 19
Corpus = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Forms of all tokens, token numbers at which sentences begin (n + 1), tag numbers."""


def read(path: Path) -> str:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).decode()


def corpus(text: str) -> Corpus:
    """Sentences of a word-and-tag file; lines whose tag is none of the 17 are left out."""
    words: list[str] = []
    tags: list[int] = []
    bounds = [0]
    for line in [*text.split("\n"), ""]:
        word, _, name = line.partition("\t")
        if name in tagger.TAGS:
            words.append(word)
            tags.append(tagger.TAGS.index(name))
        elif not line and len(words) > bounds[-1]:
            bounds.append(len(words))
    encoded = [w.encode() for w in words]
    ends = np.cumsum([len(e) for e in encoded])
    spans = np.stack([ends - [len(e) for e in encoded], ends], 1).astype(np.int64)
    hashes = np.array([word_hash(w) for w in words], np.uint64)
    found = np.empty((len(words), tagger.FORMS), np.uint64)
    tagger.forms(np.frombuffer(b"".join(encoded), np.uint8), spans, hashes, len(words), lower_table(), found)
    return found, np.array(bounds, np.int64), np.array(tags, np.int8)


def train(found: Corpus) -> np.ndarray:
    """Averaged weights, scaled so that nearly all fit into int8."""
    forms, bounds, gold = found
    shape = (1 << tagger.BITS, len(tagger.TAGS))
    weights, sums, step = np.zeros(shape), np.zeros(shape), 0
    random = np.random.default_rng(SEED)
    for _ in range(EPOCHS):
        step = tagger_training.learn(forms, bounds, random.permutation(len(bounds) - 1), gold, step, weights, sums)
    mean = weights - sums / step
    scale = 127 / np.quantile(np.abs(mean).max(1), 0.9999)
    return np.asarray(np.clip(np.rint(mean * scale), -127, 127), np.int8)


def measure(weights: np.ndarray, found: Corpus) -> dict[str, float]:
    """Accuracy, and F1 of the two tags that the bias report reads."""
    forms, bounds, gold = found
    guess = np.zeros(len(gold), np.int8)
    tagger.tag(forms, bounds, weights, guess)
    result = {"accuracy": float((guess == gold).mean())}
    for name in ("ADJ", "ADV"):
        number = tagger.TAGS.index(name)
        both, either = ((guess == number) & (gold == number)).sum(), (guess == number).sum() + (gold == number).sum()
        result[f"f1_{name.lower()}"] = float(2 * both / either)
    return {name: round(value, 4) for name, value in result.items()}


def single_words(text: str) -> str:
    """The lexicon without entries of several words."""
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    kept = sorted((lemma.lower(), pos, score) for lemma, pos, _, score in rows if "_" not in lemma)
    best: dict[tuple[str, str], str] = {}
    for lemma, pos, score in kept:
        best.setdefault((lemma, pos), score)
    return "lemma\tpos\tscore\n" + "".join(f"{w}\t{p}\t{s}\n" for (w, p), s in sorted(best.items()))


def main(folder: Path) -> None:
    """Write both files and print their digests and the tagger's figures as JSON."""
    sets = {name: folder / "pos" / f"ud_english_ewt_{name}.tsv.zst" for name in ("train", "dev", "test")}
    lexicon = folder / "sentiment" / "sentiwordnet3_lemma_pos_mean.tsv.zst"
    weights = train(corpus(read(sets["train"])))
    made = {"tagger.zst": weights.tobytes(), "sentiment.tsv.zst": single_words(read(lexicon)).encode()}
    report: dict[str, dict[str, Any]] = {"inputs": {}, "files": {}, "dev": {}, "test": {}}
    for path in (*sets.values(), lexicon):
        report["inputs"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    for name, content in made.items():
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(content)
        (FOLDER / name).write_bytes(packed)
        report["files"][name] = {"sha256": hashlib.sha256(packed).hexdigest(), "bytes": len(packed)}
    for name in ("dev", "test"):
        report[name] = measure(weights, corpus(read(sets[name])))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
