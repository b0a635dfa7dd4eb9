"""Overlap of the training documents with the test split and with benchmarks.

Two measures: the share of an item's 13-grams (white-space words, lower case) that occur in training; and the exact
one, for a test document that its text occurs, for a benchmark item that all its fields occur in one document (Elazar
et al. 2024). Benchmarks are files that the recipe names; none is downloaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pilebuilder.document import text_buffers, texts
from pilebuilder.partition import read_table, write_table
from pilebuilder.report.measure import survivors
from pilebuilder.report.pieces import groups
from pilebuilder.report.sampled.draw import TOP, draws
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

GRAM, LONGEST_ANCHOR = 13, 8
CANDIDATES = 1 << 16
"""Places of one partition at which benchmark items are verified, at most for each length of anchor."""
EXAMPLES = 5
TEST = "test split"


def hold(task: Task, work: Workspace) -> None:
    """Texts of sampled test documents of partitions, and of sampled training documents for `bytemodel`.

    Each partition is followed by its removal list and mix ledger, if any; `share` and `train` are sampled.
    """
    for number, group in enumerate(groups(task.inputs)):
        own = [a for a in group if a.kind in ("partition", "removal")]
        fate = fate_of(work, group)
        table = survivors(work, own, ["id", "text"])
        ids = table.column("id").to_pylist()
        fates = [fate(i) for i in ids]
        drawn = draws(ids, task.params["seed"], "overlap")
        for kind, wanted in (("held", TEST), ("train", "")):
            threshold = int(task.params["share" if kind == "held" else "train"] * TOP)
            chosen = np.array([f == wanted for f in fates], bool)
            if threshold < TOP:
                chosen &= drawn < np.uint64(threshold)
            rows = np.flatnonzero(chosen)
            if len(rows):
                facts = {"component": own[0].facts["component"], "documents": len(rows)}
                path = work.output(f"{number:03}-{kind}.parquet", f"overlap-{kind}", **facts)
                write_table(table.take(rows).combine_chunks(), path)


def fate_of(work: Workspace, group: list[Artifact]) -> Callable[[str], str]:
    """Whether a document of the partition is in the test split, absent from training, or ("") in training.

    By the ledger of the mix; of a corpus made elsewhere, by the file that the partition was read from.
    """
    ledgers = [a for a in group if a.kind == "ledger"]
    if ledgers:
        fates = _fates(read_table(work.open(ledgers[0]), ["id", "action", "reason"]))
        return lambda key: fates.get(key, "")
    split = {"test": TEST, "val": "absent"}.get(group[0].facts.get("split", ""), "")
    return lambda key: split


def _fates(ledger: pa.Table) -> dict[str, str]:
    """What the mix did with documents that are not in training: in the test split, or otherwise absent."""
    actions, reasons = (ledger.column(c).cast("string").to_pylist() for c in ("action", "reason"))
    ids = ledger.column("id").to_pylist()
    return {
        i: TEST if (action, reason) == ("held_out", "test") else "absent"
        for i, action, reason in zip(ids, actions, reasons, strict=True)
        if action in ("held_out", "dropped")
    }


def index(task: Task, work: Workspace) -> None:
    """All items to look for: test documents, then benchmark items; with their 13-grams.

    ``items.parquet``: set, key, fields (JSON list of texts), digest of the text, number of 13-grams;
    ``grams.npy``: their hashes, item after item.
    """
    import pyarrow as pa

    rows: list[tuple[str, str, str, str]] = []
    for artifact in task.inputs:
        if artifact.kind == "overlap-held":
            table = read_table(work.open(artifact))
            for key, text in zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True):
                rows.append((f"{TEST}: {artifact.facts['component']}", key, json.dumps([text]), _digest(text)))
        else:
            rows += _benchmark(work, artifact)
    rows.sort()
    bodies = texts([" ".join(json.loads(fields)) for _, _, fields, _ in rows])
    hashes, counts = _grams(bodies)
    np.save(work.output("grams.npy", "overlap-grams"), hashes, allow_pickle=False)
    columns = [pa.array([r[i] for r in rows], pa.large_string()) for i in range(4)]
    content = pa.table([*columns, pa.array(counts)], names=["set", "key", "fields", "digest", "grams"])
    write_table(content, work.output("items.parquet", "overlap-items", documents=len(rows)))


def _grams(bodies: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    from pilebuilder.kernels.gramset import grams

    data, offsets = text_buffers(bodies)
    return grams(data, offsets, GRAM)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _benchmark(work: Workspace, artifact: Artifact) -> Iterator[tuple[str, str, str, str]]:
    """Items of a JSON-lines file; `facts` name it and its fields."""
    for number, line in enumerate(work.open(artifact).read_text(encoding="utf-8").splitlines()):
        if line.strip():
            held = json.loads(line)
            fields = [str(held[f]) for f in artifact.facts["fields"] if held.get(f)]
            yield artifact.facts["name"], f"{number:09}", json.dumps(fields), _digest(" ".join(fields))


def normal(text: str) -> str:
    """Text as exact matching sees it: lower case, white space collapsed.

    >>> normal(" A  b\\nC ")
    'a b c'
    """
    return " ".join(text.lower().split())


def scan(task: Task, work: Workspace) -> None:
    """Which items occur in the training documents of some partitions.

    Inputs: items, grams; partitions, each followed by its removal list and mix ledger, if any. ``scan.json``: hits of
    the 13-grams as a hexadecimal bit string, items found whole, and example documents of each.
    """
    items, grams = read_table(work.open(task.inputs[0])), np.load(work.open(task.inputs[1]), allow_pickle=False)
    content = union([_scan(items, grams, _training(work, group)) for group in groups(task.inputs[2:])])
    work.output("scan.json", "overlap-scan", component="").write_text(json.dumps(content))


def _scan(items: pa.Table, grams: np.ndarray, table: pa.Table) -> dict[str, Any]:
    """What `scan` writes, of the training documents of one partition."""
    from pilebuilder.kernels.gramset import GramSet

    data, offsets = text_buffers(table.column("text").combine_chunks())
    hits, _ = GramSet(grams, GRAM).search(data, offsets)
    found: dict[int, list[str]] = {}
    ids = table.column("id").to_pylist()
    wanted = {digest: i for i, digest in enumerate(items.column("digest").to_pylist())}
    bodies = table.column("text")
    for row, key in enumerate(ids):
        number = wanted.get(hashlib.sha256(data[offsets[row] : offsets[row + 1]].tobytes()).hexdigest())
        if number is not None:
            found.setdefault(number, []).append(key)
    for number, row in _whole_items(items, data, offsets, bodies):
        found.setdefault(number, []).append(ids[row])
    return {
        "hits": np.packbits(hits).tobytes().hex(),
        "whole": {str(n): list(dict.fromkeys(keys))[:EXAMPLES] for n, keys in sorted(found.items())},
    }


def _training(work: Workspace, group: list[Artifact]) -> pa.Table:
    """Documents of the partition that go into training: without those that the mix held out or left out."""
    import pyarrow as pa

    table = survivors(work, [a for a in group if a.kind in ("partition", "removal")], ["id", "text"])
    fate = fate_of(work, group)
    keep = [i for i, key in enumerate(table.column("id").to_pylist()) if not fate(key)]
    return table if len(keep) == table.num_rows else table.take(pa.array(keep, pa.int64())).combine_chunks()


def _whole_items(items: pa.Table, data: np.ndarray, offsets: np.ndarray, bodies: Any) -> Iterator[tuple[int, int]]:
    """Benchmark items (number, document) all of whose fields occur in the document, verified on the text."""
    from pilebuilder.kernels.gramset import GramSet, grams

    fields = {
        i: [normal(f) for f in json.loads(text)]
        for i, (name, text) in enumerate(
            zip(items.column("set").to_pylist(), items.column("fields").to_pylist(), strict=True)
        )
        if not name.startswith(TEST)
    }
    by_size: dict[int, list[int]] = {}
    for number, parts in fields.items():
        longest = max((len(p.split()) for p in parts), default=0)
        if longest:
            by_size.setdefault(min(LONGEST_ANCHOR, longest), []).append(number)
    for size, numbers in sorted(by_size.items()):
        anchors = texts([" ".join(max(fields[n], key=lambda p: len(p.split())).split()[:size]) for n in numbers])
        hashes, counts = grams(*text_buffers(anchors), size)
        assert (counts == 1).all(), "an anchor is one n-gram"
        # Items with the same anchor share its number, so every item of the anchor is verified.
        sharing: dict[int, list[int]] = {}
        for number, key in zip(numbers, hashes.tolist(), strict=True):
            sharing.setdefault(key, []).append(number)
        _, pairs = GramSet(hashes, size).search(data, offsets, CANDIDATES)
        for row, place in np.unique(pairs, axis=0).tolist():
            body = normal(bodies[row].as_py())
            for number in sharing[int(hashes[place])]:
                if all(part in body for part in fields[number]):
                    yield number, row


def merge(task: Task, work: Workspace) -> None:
    """The union of some scans."""
    content = union([json.loads(work.open(a).read_bytes()) for a in task.inputs])
    work.output("scan.json", "overlap-scan", component="").write_text(json.dumps(content))


def union(scans: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Hits in any scan; examples in the order of the scans."""
    bits = np.zeros(0, np.uint8)
    whole: dict[str, list[str]] = {}
    for scan in scans:
        here = np.frombuffer(bytes.fromhex(scan["hits"]), np.uint8)
        bits = here.copy() if not len(bits) else bits | here
        for number, keys in scan["whole"].items():
            held = whole.setdefault(number, [])
            held += [k for k in keys if k not in held][: EXAMPLES - len(held)]
    return {"hits": bits.tobytes().hex(), "whole": dict(sorted(whole.items()))}


def summary(items: pa.Table, scan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By set: items, those with any 13-gram, those whole, mean share of 13-grams found, examples."""
    counts = np.asarray(items.column("grams"))
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(scan["hits"]), np.uint8))[: int(counts.sum())]
    ends = np.cumsum(counts)
    hits = np.array(
        [int(bits[e - n : e].sum()) for e, n in zip(ends.tolist(), counts.tolist(), strict=True)], np.int64
    )
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(items.column("set").to_pylist()):
        held = found.setdefault(
            name,
            {"set": name, "items": 0, "long": 0, "any": 0, "shares": 0.0, "whole": 0, "several": 0, "examples": []},
        )
        held["items"] += 1
        held["several"] += len(json.loads(items.column("fields")[i].as_py())) > 1
        if counts[i]:
            held["long"] += 1
            held["any"] += int(hits[i] > 0)
            held["shares"] += float(hits[i] / counts[i])
        if str(i) in scan["whole"]:
            held["whole"] += 1
            held["examples"] = (held["examples"] + scan["whole"][str(i)])[:EXAMPLES]
    return list(found.values())
