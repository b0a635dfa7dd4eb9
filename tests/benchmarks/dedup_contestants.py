"""One deduplicator over one corpus, in its own process: ``python -m tests.benchmarks.dedup_contestants NAME CORPUS``.

CORPUS is a pickle of texts that `tests.benchmarks.dedup` wrote. Each contestant takes texts and gives the cluster of
each, and prints one JSON object: CPU seconds by phase, peak memory, and where the clusters are. All use 112
permutations and five-word shingles; the rivals 14 bands of 8, ours its default of 16 bands of 7. The rivals are fed by
the fastest plain Python we know for `\\w+` shingles.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.dedup_corpus import oracle_shingles
from tests.benchmarks.dedup_growth import held

BANDS, ROWS = 14, 8
Result = tuple[np.ndarray, dict[str, Any]]


class Clock:
    """CPU seconds of this process, all threads, by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start


def ours(texts: list[str], clock: Clock) -> Result:
    """Sketch pass from Arrow in memory, then every task of the stage with its commit, verification included.

    The partitions lie on the disk beforehand: the pass over the texts writes them whether dedup follows or not.
    """
    from pilebuilder.partition import read_table
    from tests.dedup.driver import Doc, dedup, ids, partitions_of

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dedup(root / "warm", [Doc(t, id=f"{i:032x}") for i, t in enumerate(texts[:2000])])  # loads the kernels
        docs = [Doc(t) for t in texts]
        partitions = partitions_of(root, docs, 64 << 20)
        tables = [read_table(root / p.path) for p in partitions]
        stage = staged(root, partitions, tables, clock)
        with clock.phase("dedup"):
            stage.run()
        place = {name: i for i, name in enumerate(ids(docs))}
        labels = np.arange(len(texts))
        for name, row in stage.removed.items():
            labels[place[name]] = place[row["duplicate_of"]]
        tasks = [m.name for m in stage.done]
        extra = {"tasks": len(tasks), "sketch_bytes": sum(a.bytes for a in stage.sketches) / len(texts)}
        return labels, extra


def staged(root: Path, partitions: list[Any], tables: list[Any], clock: Clock, memory: int = 1 << 30) -> Any:
    """A stage over partitions whose sketches are made here, from tables in memory, as the fused pass does."""
    from pilebuilder.dedup.config import Config
    from pilebuilder.dedup.sketch import DedupSketch
    from pilebuilder.document import Docs
    from pilebuilder.ledger import Count, Journal
    from pilebuilder.partition import write_table
    from pilebuilder.task import Artifact, digest_file
    from tests.dedup.driver import Stage

    config = Config()
    sketch = DedupSketch(**config.sketch())
    sketches = []
    for partition, table in zip(partitions, tables, strict=True):
        path = root / f"{partition.sha256}.sketch"
        docs = Docs(table=table, component="A", journal=Journal("filter"), count=Count())
        with clock.phase("sketch"):
            write_table(sketch(docs), path)
            digest, size = digest_file(path)
        facts = {"component": "A", "partition": partition.sha256, "documents": table.num_rows}
        sketches.append(Artifact(path=path.name, sha256=digest, bytes=size, kind="sketch", facts=facts))
    stage = Stage(root, config, partitions, memory)
    stage.sketches = sketches
    return stage


class Forest:
    """Union-find in plain Python, as users of the libraries write it."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, x: int) -> int:
        while self.parent[x] != x:
            self.parent[x] = self.parent[self.parent[x]]
            x = self.parent[x]
        return x

    def union(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[max(a, b)] = min(a, b)

    def labels(self) -> np.ndarray:
        return np.array([self.find(i) for i in range(len(self.parent))])


def datasketch(texts: list[str], clock: Clock) -> Result:
    """MinHash.update_batch, MinHashLSH, union-find."""
    from datasketch import MinHash, MinHashLSH

    with clock.phase("sign"):
        signatures = []
        for text in texts:
            signature = MinHash(BANDS * ROWS)
            signature.update_batch([s.encode() for s in oracle_shingles(text)])
            signatures.append(signature)
    with clock.phase("cluster"):
        index, forest = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), Forest(len(texts))
        for i, signature in enumerate(signatures):
            for j in index.query(signature):
                forest.union(i, j)
            index.insert(i, signature)
        labels = forest.labels()
    return labels, {}


def rensa(texts: list[str], clock: Clock) -> Result:
    """RMinHash document by document, its LSH, union-find."""
    import rensa as library

    with clock.phase("sign"):
        signatures = []
        for text in texts:
            signature = library.RMinHash(BANDS * ROWS, 1)
            signature.update(list(oracle_shingles(text)))
            signatures.append(signature)
    return _rensa_cluster(library, signatures, clock)


def rensa_batch(texts: list[str], clock: Clock) -> Result:
    """RMinHash over all token sets at once, as its documentation advises for bulk work."""
    import rensa as library

    with clock.phase("sign"):
        sets = [oracle_shingles(text) for text in texts]
        signatures = library.RMinHash.from_token_sets(sets, BANDS * ROWS, 1)
    return _rensa_cluster(library, signatures, clock)


def _rensa_cluster(library: Any, signatures: list[Any], clock: Clock) -> Result:
    with clock.phase("cluster"):
        index, forest = library.RMinHashLSH(0.7, BANDS * ROWS, BANDS), Forest(len(signatures))
        for i, signature in enumerate(signatures):
            for j in index.query(signature):
                forest.union(i, j)
            index.insert(i, signature)
        labels = forest.labels()
    return labels, {}


def datatrove(texts: list[str], clock: Clock) -> Result:
    """Its four MinHash stages in one task, with white space as the word splitter instead of spaCy.

    datatrove hands str to xxhash, which version 4 refuses; here the text is encoded first, as version 3 did itself.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupFilter
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=BANDS, hashes_per_bucket=ROWS, n_grams=5)
    documents = [Document(text=t, id=str(i)) for i, t in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        sign = MinhashDedupSignature(f"{folder}/sig", config=config)
        sign._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
        sign.word_tokenizer = type("Split", (), {"word_tokenize": staticmethod(str.split)})()
        with clock.phase("sign"):
            for _ in sign.run(iter(documents), 0, 1) or ():
                pass
        with clock.phase("cluster"):
            buckets = MinhashDedupBuckets(f"{folder}/sig", f"{folder}/buckets", config=config)
            for rank in range(BANDS):
                for _ in buckets.run(None, rank, BANDS) or ():
                    pass
            cluster = MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config, save_cluster_id=True)
            for _ in cluster.run(None, 0, 1) or ():
                pass
            kept = sum(1 for _ in MinhashDedupFilter(f"{folder}/remove").run(iter(documents), 0, 1))
        raw = np.frombuffer(next(Path(folder, "remove").glob("*.clusters")).read_bytes(), "<u4").reshape(-1, 2)
    labels = np.arange(len(texts))
    first: dict[int, int] = {}
    for document, cluster_id in raw.tolist():
        labels[document] = first.setdefault(cluster_id, document)
    return labels, {"kept": kept}


CONTESTANTS: dict[str, Callable[[list[str], Clock], Result]] = {
    "ours": ours,
    "datasketch": datasketch,
    "rensa": rensa,
    "rensa-batch": rensa_batch,
    "datatrove": datatrove,
}


def main(name: str, corpus: Path) -> None:
    texts = pickle.loads(corpus.read_bytes())
    clock = Clock()
    before = held("VmHWM")
    labels, extra = CONTESTANTS[name](texts, clock)
    path = corpus.with_name(f"{name}.npy")
    np.save(path, labels)
    peak = held("VmHWM")
    figures = {"name": name, "phases": clock.seconds, "cpu": sum(clock.seconds.values()), "labels": str(path)}
    print(json.dumps({**figures, "peak_mib": peak, "start_mib": before, **extra}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
