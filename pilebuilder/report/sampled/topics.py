"""Topics: latent Dirichlet allocation per component (scikit-learn), over one dictionary, and how well each model
fits every other component. Held-out log perplexity is in nats per word of the dictionary.

Words are lower-case UAX #29 tokens of two characters or more that hold a letter and are no stop words; the dictionary
holds words in at least 5 documents and in at most half of them, the 50,000 most widespread. Documents measured as
another language than English are left out. Training is single-threaded with a fixed seed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
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
LEAST_DOCUMENTS, MOST_SHARE, MOST_WORDS = 5, 0.5, 50_000
TOPICS, RELEVANCE, SHOWN = 16, 0.6, 10
PASSES, STEPS = 10, 50
FEWEST = 60
"""Documents of a component below which it has no topics."""


def words(task: Task, work: Workspace) -> None:
    """Words of the documents of some components' samples: one row per document and word, with its count."""
    for number, (component, samples) in enumerate(by_component(task.inputs).items()):
        table = english_only(gathered(work, samples)).slice(0, TRAINED + HELD_OUT)
        rows = [Counter(found) for found in _documents(table)]
        content = [(i, word, n) for i, counts in enumerate(rows) for word, n in sorted(counts.items())]
        facts = {"component": component, "documents": len(rows)}
        write_table(_columns(content), work.output(f"{number:03}-words.parquet", "topic-words", **facts))


def english_only(table: pa.Table) -> pa.Table:
    """Documents whose language was measured as English, or was not measured at all."""
    import pyarrow.compute as pc

    if LANGUAGE not in table.column_names:
        return table
    return table.filter(pc.equal(pc.fill_null(table.column(LANGUAGE).cast("string"), "en"), "en"))


def _columns(content: list[tuple[int, str, int]]) -> pa.Table:
    import pyarrow as pa

    label = pa.dictionary(pa.int32(), pa.string())
    return pa.table(
        {
            "document": pa.array([c[0] for c in content], pa.int32()),
            "word": pa.array([c[1] for c in content], pa.string()).dictionary_encode().cast(label),
            "count": pa.array([c[2] for c in content], pa.int32()),
        }
    )


def _documents(table: pa.Table) -> list[list[str]]:
    """The words of each document that may enter the dictionary."""
    from pilebuilder.kernels import wordbreak

    properties, lower = wordbreak.properties(), wordbreak.lower_table()
    data, offsets = text_buffers(table.column("text").combine_chunks())
    room = int(min(np.diff(offsets).max(initial=0), 20 * LONGEST)) + 1
    spans, hashes = np.empty((room, 2), np.int64), np.empty(room, np.uint64)
    known: dict[int, str | None] = {}
    found = []
    for start, stop in itertools.pairwise(offsets.tolist()):
        stop = min(stop, start + 20 * LONGEST)
        while stop > start and stop < int(offsets[-1]) and data[stop] & 0xC0 == 0x80:
            stop -= 1
        n = wordbreak.segment(data, start, stop, properties, lower, True, spans, hashes)
        document: list[str] = []
        for i, key in enumerate(hashes[:n].tolist()):
            if key not in known:
                known[key] = _word(data[spans[i, 0] : spans[i, 1]].tobytes())
            word = known[key]
            if word is not None:
                document.append(word)
        found.append(document[:LONGEST])
    return found


def _word(token: bytes) -> str | None:
    """The word as the dictionary holds it; None when it may not enter."""
    word = token.decode().lower().replace("\u2019", "'")
    return word if len(word) > 1 and word not in STOP_WORDS and any(c.isalpha() for c in word) else None


def dictionary(task: Task, work: Workspace) -> None:
    """The words that all components share as a dictionary, most widespread first."""
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


def _matrix(path: Any, known: dict[str, int], documents: int) -> tuple[Any, int, int]:
    """Documents by words (sparse, float64), words inside the dictionary, words outside."""
    from scipy.sparse import csr_matrix

    table = read_table(path)
    coded = table.column("word").combine_chunks()
    number = np.array([known.get(w, -1) for w in coded.dictionary.to_pylist()], np.int64)
    columns = number[coded.indices.to_numpy()] if len(coded) else np.zeros(0, np.int64)
    counts, rows = table.column("count").to_numpy(), table.column("document").to_numpy()
    inside = columns >= 0
    made = csr_matrix(
        (counts[inside].astype(np.float64), (rows[inside], columns[inside])), shape=(documents, len(known))
    )
    return made, int(counts[inside].sum()), int(counts[~inside].sum())


def model(task: Task, work: Workspace) -> None:
    """Train on the first part of some components; judge each model on the second part of every component.

    Inputs: the dictionary, then the words of every component; `components` names those that are trained on.
    """
    from threadpoolctl import threadpool_limits

    content = json.loads(work.open(task.inputs[0]).read_bytes())
    known = {word: i for i, word in enumerate(content["words"])}
    every = {a.facts["component"]: a for a in task.inputs[1:]}
    for number, name in enumerate(task.params["components"]):
        own = every[name]
        matrix, inside, outside = _matrix(work.open(own), known, own.facts["documents"])
        result: dict[str, Any] = {"component": name, "topics": [], "fit": {}}
        result["words"] = np.asarray(matrix.sum(0), np.int64).ravel().tolist()
        result |= {"documents": own.facts["documents"], "inside": inside, "outside": outside}
        half = _half(own.facts["documents"])
        if half and known:
            train = matrix[:half]
            with threadpool_limits(1):
                weights, theta = _train(train, task.params["seed"])
                result["topics"] = _topics(weights, theta, train, content["words"])
                for other, artifact in every.items():
                    n = artifact.facts["documents"]
                    words, _, _ = _matrix(work.open(artifact), known, n)
                    result["fit"][other] = held_out(weights, words[_half(n) :])
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


def held_out(weights: np.ndarray, matrix: Any) -> dict[str, Any]:
    """Minus the variational bound per word, in nats, for documents that the model has not seen.

    The E step of Hoffman, Blei, Bach 2010 with the topics fixed at their expectation.
    """
    from scipy.special import gammaln, psi

    alpha = 1 / TOPICS
    log_beta = psi(weights) - psi(weights.sum(1, keepdims=True))
    beta = np.exp(log_beta)
    bound, count, documents = 0.0, 0, 0
    for row in range(matrix.shape[0]):
        start, stop = matrix.indptr[row], matrix.indptr[row + 1]
        ids, n = matrix.indices[start:stop], matrix.data[start:stop]
        if not len(ids):
            continue
        here = beta[:, ids]
        gamma = np.ones(TOPICS)
        for _ in range(STEPS):
            expected = np.exp(psi(gamma) - psi(gamma.sum()))
            updated = alpha + expected * (here @ (n / (expected @ here + 1e-100)))
            change = np.abs(updated - gamma).mean()
            gamma = updated
            if change < 1e-3:
                break
        log_theta = psi(gamma) - psi(gamma.sum())
        bound += float(n @ np.log(np.exp(log_theta) @ here + 1e-100))
        bound += float(((alpha - gamma) * log_theta).sum() + (gammaln(gamma) - gammaln(alpha)).sum())
        bound += float(gammaln(alpha * TOPICS) - gammaln(gamma.sum()))
        count += int(n.sum())
        documents += 1
    return {"nats": round(-bound / count, 6) if count else None, "words": count, "documents": documents}


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
