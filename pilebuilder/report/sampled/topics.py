"""Topics: latent Dirichlet allocation per component (scikit-learn), over one dictionary, and how well each model
fits every other component. Held-out log perplexity is in nats per word of the dictionary.

Words are lower-case UAX #29 tokens of two characters or more that hold a letter and are no stop words; the dictionary
holds words in at least 5 documents and in at most half of them, the 50,000 most widespread. Documents measured as
another language than English are left out. Training is single-threaded with a fixed seed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.partition import read_table, write_table
from pilebuilder.report.measures.basic import LANGUAGE
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled.draw import gathered
from pilebuilder.report.sampled.stopwords import STOP_WORDS
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

TRAINED, HELD_OUT = 750, 750
"""Documents of each half of a component's sample, at most."""
LONGEST = 3_000
"""Words of a document that count; a book is judged by its beginning."""
CHUNK = 2 << 20
"""Bytes of text in hand at a time."""
LEAST_DOCUMENTS, MOST_SHARE, MOST_WORDS = 5, 0.5, 50_000
TOPICS, RELEVANCE, SHOWN = 16, 0.6, 10
PASSES, STEPS, CHANGE = 10, 50, 1e-3
FEWEST = 60
"""Documents of a component below which it has no topics."""


def words(task: Task, work: Workspace) -> None:
    """Words of the documents of some components' samples: one row per document and word, with its count."""
    for number, (component, samples) in enumerate(by_component(task.inputs).items()):
        table = english_only(gathered(work, samples)).slice(0, TRAINED + HELD_OUT)
        facts = {"component": component, "documents": table.num_rows}
        write_table(counts_of(table), work.output(f"{number:03}-words.parquet", "topic-words", **facts))


def english_only(table: pa.Table) -> pa.Table:
    """Documents whose language was measured as English, or was not measured at all."""
    import pyarrow.compute as pc

    if LANGUAGE not in table.column_names:
        return table
    return table.filter(pc.equal(pc.fill_null(table.column(LANGUAGE).cast("string"), "en"), "en"))


def counts_of(table: pa.Table) -> pa.Table:
    """Document (row number), word and count of the words of each document that may enter the dictionary, sorted."""
    import pyarrow as pa

    numbers: dict[str, int] = {}
    documents, codes, counts = (np.concatenate(found) for found in zip(*_counted(table, numbers), strict=True))
    words = sorted(numbers)
    rank = np.empty(len(words), np.int32)
    rank[[numbers[word] for word in words]] = np.arange(len(words))
    ranks = rank[codes]
    order = np.lexsort((ranks, documents))
    coded = pa.DictionaryArray.from_arrays(pa.array(ranks[order]), pa.array(words, pa.string()))
    columns = {"document": documents[order].astype(np.int32), "word": coded, "count": counts[order].astype(np.int32)}
    return pa.table(columns)


def _counted(table: pa.Table, numbers: dict[str, int]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Documents, numbers of words and counts, some documents at a time; new words get the next number."""
    from pilebuilder.kernels import span_words, wordbreak

    data, offsets = text_buffers(table.column("text").combine_chunks())
    starts, stops = np.ascontiguousarray(offsets[:-1], np.int64), _cut(data, offsets)
    sizes = np.cumsum(stops - starts)
    known: dict[int, int] = {}
    first = 0
    yield (np.zeros(0, np.int64),) * 3
    while first < len(starts):
        before = int(sizes[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(sizes, before + CHUNK, "right")))
        room = int(sizes[last - 1]) - before + 1
        spans, hashes, bounds = (
            np.empty((room, 2), np.int64),
            np.empty(room, np.uint64),
            np.zeros(last - first + 1, int),
        )
        n = span_words.words(
            data, starts[first:last], stops[first:last], wordbreak.properties(), wordbreak.lower_table(), spans,
            hashes, bounds,
        )  # fmt: skip
        keys, at, inverse = np.unique(hashes[:n], return_index=True, return_inverse=True)
        for key, (start, stop) in zip(keys.tolist(), spans[at].tolist(), strict=True):
            if key not in known:
                word = _word(data[start:stop].tobytes())
                known[key] = -1 if word is None else numbers.setdefault(word, len(numbers))
        codes = np.array([known[key] for key in keys.tolist()], np.int64)[inverse]
        kept = codes >= 0
        codes, owner = codes[kept], np.repeat(np.arange(first, last), np.diff(bounds))[kept]
        place = np.arange(len(owner)) - np.searchsorted(owner, owner)
        pairs, counts = np.unique((owner << 32 | codes)[place < LONGEST], return_counts=True)
        yield pairs >> 32, pairs & 0xFFFFFFFF, counts
        first = last


def _cut(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Where the part of each document ends whose words count: between characters."""
    stops = np.minimum(offsets[1:], offsets[:-1] + 20 * LONGEST)
    for row in np.flatnonzero(stops < offsets[1:]).tolist():
        while stops[row] > offsets[row] and data[stops[row]] & 0xC0 == 0x80:
            stops[row] -= 1
    return np.ascontiguousarray(stops, np.int64)


def _word(token: bytes) -> str | None:
    """The word as the dictionary holds it; None when it may not enter."""
    word = token.decode().lower().replace("\u2019", "'")
    return word if len(word) > 1 and word not in STOP_WORDS and any(c.isalpha() for c in word) else None


def dictionary(task: Task, work: Workspace) -> None:
    """The words that all components share as a dictionary, most widespread first; and every component in its terms.

    ``NNN-matrix.parquet`` of each input: document, number of the word and count, sorted.
    """
    documents, total = Counter(), 0  # type: Counter[str], int
    for artifact in task.inputs:
        total += artifact.facts["documents"]
        column = read_table(work.open(artifact), ["word"]).column("word")
        for entry in column.combine_chunks().value_counts():
            documents[entry["values"].as_py()] += entry["counts"].as_py()
    most = MOST_SHARE * total
    kept = sorted((-n, word) for word, n in documents.items() if LEAST_DOCUMENTS <= n <= most)[:MOST_WORDS]
    content = {"documents": total, "words": [word for _, word in kept]}
    path = work.output("dictionary.json", "dictionary")
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    known = {word: i for i, (_, word) in enumerate(kept)}
    for number, artifact in enumerate(task.inputs):
        made, outside = _coded(work.open(artifact), known)
        inside = int(np.asarray(made.column("count")).sum())
        facts = {k: artifact.facts[k] for k in ("component", "documents")} | {"inside": inside, "outside": outside}
        write_table(made, work.output(f"{number:03}-matrix.parquet", "topic-matrix", **facts))


def _coded(path: Any, known: dict[str, int]) -> tuple[pa.Table, int]:
    """Words of documents by their number in the dictionary, and how many are not in it."""
    import pyarrow as pa

    table = read_table(path)
    coded = table.column("word").combine_chunks()
    number = np.array([known.get(w, -1) for w in coded.dictionary.to_pylist()], np.int32)
    words = number[coded.indices.to_numpy()] if len(coded) else np.zeros(0, np.int32)
    counts, documents = table.column("count").to_numpy(), table.column("document").to_numpy()
    inside = np.flatnonzero(words >= 0)
    inside = inside[np.lexsort((words[inside], documents[inside]))]
    made = {"document": documents[inside], "word": words[inside], "count": counts[inside]}
    return pa.table(made), int(counts[words < 0].sum())


class Matrix:
    """Documents by words in compressed rows, read from a file of `dictionary`."""

    def __init__(self, path: Any, documents: int) -> None:
        table = read_table(path)
        self.words = table.column("word").to_numpy().astype(np.int64)
        self.counts = table.column("count").to_numpy()
        self.starts = np.searchsorted(table.column("document").to_numpy(), np.arange(documents + 1)).astype(np.int64)

    def sums(self, size: int) -> np.ndarray:
        """Occurrences of each word (int64)."""
        return np.bincount(self.words, self.counts, size).astype(np.int64)

    def rows(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Starts, words and counts (float64) of some documents alone."""
        starts = self.starts[first : last + 1]
        part = slice(int(starts[0]), int(starts[-1]))
        return starts - starts[0], self.words[part], self.counts[part].astype(np.float64)

    def sparse(self, last: int, size: int) -> Any:
        """The first documents as a sparse matrix (float64)."""
        from scipy.sparse import csr_matrix

        starts, words, counts = self.rows(0, last)
        return csr_matrix((counts, words, starts), shape=(last, size))


def model(task: Task, work: Workspace) -> None:
    """Train on the first part of some components; judge each model on the second part of every component.

    Inputs: the dictionary, then the matrix of every component; `components` names those that are trained on.
    """
    from threadpoolctl import threadpool_limits

    names = json.loads(work.open(task.inputs[0]).read_bytes())["words"]
    every = {a.facts["component"]: a for a in task.inputs[1:]}
    held = {name: Matrix(work.open(a), a.facts["documents"]) for name, a in every.items()}
    for number, name in enumerate(task.params["components"]):
        own, facts = held[name], every[name].facts
        result: dict[str, Any] = {"component": name, "topics": [], "fit": {}}
        result["words"] = own.sums(len(names)).tolist()
        result |= {key: facts[key] for key in ("documents", "inside", "outside")}
        half = _half(facts["documents"])
        if half and names:
            train = own.sparse(half, len(names))
            with threadpool_limits(1):
                weights, theta = _train(train, task.params["seed"])
                result["topics"] = _topics(weights, theta, train, names)
            for other, matrix in held.items():
                n = every[other].facts["documents"]
                result["fit"][other] = held_out(weights, *matrix.rows(_half(n), n))
        path = work.output(f"{number:03}-topics.json", "topics", component=name)
        path.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def _train(matrix: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights [topics, words] and shares [documents, topics] of a model of these documents."""
    from sklearn.decomposition import LatentDirichletAllocation

    lda = LatentDirichletAllocation(
        n_components=TOPICS,
        doc_topic_prior=1 / TOPICS,
        topic_word_prior=1 / TOPICS,
        learning_method="batch",
        max_iter=PASSES,
        max_doc_update_iter=STEPS,
        random_state=seed % (1 << 32),
    )
    theta = lda.fit_transform(matrix)
    return lda.components_, theta


def _half(documents: int) -> int:
    """Documents that are trained on: half, none of a small component."""
    return 0 if documents < FEWEST else documents * TRAINED // (TRAINED + HELD_OUT)


def held_out(weights: np.ndarray, starts: np.ndarray, words: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    """Minus the variational bound per word, in nats, for documents that the model has not seen.

    The E step of Hoffman, Blei, Bach 2010 with the topics fixed at their expectation.
    """
    from scipy.special import psi

    from pilebuilder.kernels import lda

    beta = np.ascontiguousarray(np.exp(psi(weights) - psi(weights.sum(1, keepdims=True))).T)
    bound, size = lda.bound(beta, starts, words, counts, 1 / TOPICS, STEPS, CHANGE)
    nats = round(-bound / size, 6) if size else None
    return {"nats": nats, "words": int(size), "documents": int((np.diff(starts) > 0).sum())}


def _topics(weights: np.ndarray, theta: np.ndarray, matrix: Any, names: list[str]) -> list[dict[str, Any]]:
    """Most probable and most relevant words (Sievert and Shirley 2014), share of the component, UMass coherence."""
    probability = weights / weights.sum(1, keepdims=True)
    counts = np.asarray(matrix.sum(0)).ravel()
    overall = np.maximum(counts, 1) / max(1, counts.sum())
    relevance = RELEVANCE * np.log(probability) + (1 - RELEVANCE) * np.log(probability / overall)
    relevance[:, counts < LEAST_DOCUMENTS] = -np.inf  # a word that is hardly there cannot be relevant
    present = (matrix > 0).tocsc()
    topics = []
    for k in range(len(weights)):
        top = np.lexsort((np.arange(len(names)), -probability[k]))[:SHOWN]
        relevant = np.lexsort((np.arange(len(names)), -relevance[k]))[:SHOWN]
        topics.append(
            {
                "share": round(float(theta[:, k].mean()), 6),
                "probable": [names[i] for i in top],
                "relevant": [names[i] for i in relevant],
                "coherence": round(_coherence(present, top), 4),
            }
        )
    return sorted(topics, key=lambda t: (-t["share"], t["probable"]))


def _coherence(present: Any, top: np.ndarray) -> float:
    """UMass: mean log of (documents with both words + 1) over documents with the more probable one."""
    documents = present[:, top].toarray().astype(np.int64)
    both = documents.T @ documents
    pairs = [np.log((both[i, j] + 1) / both[j, j]) for i in range(1, len(top)) for j in range(i) if both[j, j]]
    return float(np.mean(pairs)) if pairs else 0.0
