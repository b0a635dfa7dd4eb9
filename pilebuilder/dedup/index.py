"""The persistent index: what a later corpus needs to be deduplicated against this one, without its texts.

A folder of Parquet files and `index.json`. One row per document that came to dedup, in the order of the partitions:

========== =================== =======================================================================================
id         string              the document
component  string
digest     16 bytes            of the text, white space normalised (`pilebuilder.kernels.minhash.digests`)
url_key    16 bytes or null    of its address (`pilebuilder.kernels.minhash.url_keys`)
bytes      int64               of text
date       string or null
shingles   int64               with repeats
bands      8 bytes x bands     MinHash band keys; null for a text without shingles
sample     list of uint32      its smallest shingle hashes; the whole set when there are no more
limit      int64               the sample holds every hash of the text up to this one
survivor   string or null      the document that it is a duplicate of; null: it is in the corpus
cluster    int64               documents in its cluster (1: alone)
taken      bool                taken down: not in the corpus, and what equals it shall not come back
========== =================== =======================================================================================

`index.json` names format, version, sketch parameters, and each file with its size and SHA-256. Similarity with a
document of the index is that of the samples below the lower limit: exact for a text whose sample is its whole set,
else with a standard error of about sqrt(J (1 - J) / sample).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilebuilder.atomic import write_atomic
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.task import Artifact, Task, Workspace, digest_file

FORMAT, VERSION = "pilebuilder dedup index", 1
NAME = "index.json"
FOLDER = "dedup-index"
SAME = ("near", "ngram", "bands", "rows", "seed", "scheme", "short")
"""Sketch parameters that two corpora must share to be comparable."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index found on disk, checked."""

    folder: Path
    files: list[Artifact]
    sketch: Mapping[str, Any]
    content: Mapping[str, Any]


def open_index(folder: Path, sketch: Mapping[str, Any] | None = None) -> Index:
    """Read and check an index: format, sketch parameters when given, and every file's digest."""
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        held, files = content["sketch"], content["files"]
    except FileNotFoundError:
        raise RecipeError(f"{folder} holds no dedup index ({NAME} is missing)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{path} cannot be read ({error!r}): build the index again") from error
    if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        made = f"{content.get('format')!r}, version {content.get('version')!r}"
        raise RecipeError(f"{path} is of another format ({made}; this is version {VERSION}): build the index again")
    for name in (*SAME, "text_version") if sketch is not None else ():
        mine = sketch.get(name) if sketch is not None else None
        if held.get(name) != mine:
            raise RecipeError(
                f"the dedup index {folder} was made with {name}={held.get(name)!r}, this recipe has {mine!r}: their"
                " signatures do not compare. Use the same parameters, or build the index again"
            )
    return Index(folder, [_checked(folder, entry) for entry in files], held, content)


def _checked(folder: Path, entry: Mapping[str, Any]) -> Artifact:
    path = folder / entry["path"]
    try:
        digest, size = digest_file(path)
    except OSError as error:
        raise PilebuilderError(
            f"the dedup index lacks {path} ({error.strerror}): restore it or build it again"
        ) from None
    if (digest, size) != (entry["sha256"], entry["bytes"]):
        raise PilebuilderError(f"{path} is damaged: its digest is not the one in {NAME}. Restore it or build it again")
    facts = {"component": entry["component"], "documents": entry["documents"]}
    return Artifact(path=str(path.resolve()), sha256=digest, bytes=size, kind="index", facts=facts)


def comparable(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a sketch that must be equal, with their defaults filled in."""
    from pilebuilder.dedup.sketch import TEXT_VERSION, DedupSketch

    sketch = DedupSketch(**params)
    return {**{name: getattr(sketch, name) for name in SAME}, "text_version": TEXT_VERSION}


def record(task: Task, work: Workspace) -> None:
    """Task: the index file of one partition, from its sketch and its removal list."""
    import numpy as np
    import pyarrow as pa

    from pilebuilder.partition import read_table, write_table

    sketch = read_table(work.open(task.inputs[0]))
    rows = sketch.num_rows
    survivor, cluster = np.full(rows, None, object), np.ones(rows, np.int64)
    taken = np.zeros(rows, bool)
    for artifact in task.inputs[1:]:
        table = read_table(work.open(artifact))
        at = table.column("row").to_numpy()
        cluster[at] = table.column("cluster_size").to_numpy()
        if artifact.kind == "removal":
            survivor[at] = table.column("duplicate_of").to_pylist()
            taken[at] = [reason == "takedown" for reason in table.column("reason").to_pylist()]
    columns = {name: sketch.column(name) for name in ("id", "digest", "url_key", "bytes", "date", "shingles")}
    columns["component"] = pa.array([task.component] * rows, pa.string())
    for name in ("bands", "sample", "limit"):
        columns[name] = sketch.column(name)
    columns["survivor"] = pa.array(survivor, pa.string())
    columns["cluster"] = pa.array(cluster)
    columns["taken"] = pa.array(taken)
    name = f"{task.params['ordinal']:05}.parquet"
    path = work.output(name, "index", component=task.component, documents=rows, public=f"{FOLDER}/{name}")
    write_table(pa.table(columns), path)


def finish(task: Task, work: Workspace) -> None:
    """Task: `index.json`, which makes the files an index."""
    files = [_entry(Path(a.facts["public"]).name, a) for a in task.inputs]
    path = work.output(NAME, "index-head", public=f"{FOLDER}/{NAME}")
    path.write_text(_head(task.params["sketch"], files, generation=1))


def _entry(name: str, artifact: Artifact) -> dict[str, Any]:
    facts = artifact.facts
    return {
        "path": name,
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "component": facts["component"],
        "documents": facts["documents"],
    }


def _head(sketch: Mapping[str, Any], files: list[dict[str, Any]], generation: int) -> str:
    documents = sum(f["documents"] for f in files)
    content = {"format": FORMAT, "version": VERSION, "generation": generation, "documents": documents}
    return json.dumps({**content, "sketch": dict(sketch), "files": files}, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Takedown:
    """What a takedown changed."""

    taken: list[str]
    """Documents that were in the corpus and leave it."""
    promoted: dict[str, str]
    """Documents that come back in the place of one that leaves: id by the id of the one that left."""
    unknown: list[str]
    """Ids that the index does not hold."""


def takedown(folder: Path, ids: list[str], *, whole_cluster: bool = False) -> Takedown:
    """Mark documents as taken down, in place; the index stays valid at every moment.

    By default the next document of the cluster (longest, then smallest id) comes back in the place of a survivor
    that leaves: it is the caller's to put its text into the corpus again. With `whole_cluster` all its duplicates are
    taken down with it. A document that was taken down still counts when a later corpus is compared with the index, so
    neither it nor what resembles it returns.
    """
    import pyarrow as pa

    from pilebuilder.partition import read_table, write_table

    index = open_index(folder)
    names = ["id", "survivor", "bytes", "taken"]
    tables = [read_table(Path(a.path), names) for a in index.files]
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    state, result = _plan_takedown(rows, ids, whole_cluster)
    files, at, generation = [], 0, int(index.content["generation"]) + 1
    for artifact, entry, part in zip(index.files, index.content["files"], tables, strict=True):
        mine = rows[at : at + part.num_rows]
        at += part.num_rows
        if not any(r["id"] in state for r in mine):
            files.append(entry)
            continue
        table = read_table(Path(artifact.path))
        for name, kind in (("survivor", pa.string()), ("taken", pa.bool_())):
            values = [state.get(r["id"], r)[name] for r in mine]
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, kind))
        path = folder / f"{Path(entry['path']).stem.split('.')[0]}.{generation}.parquet"
        write_table(table, path)
        digest, size = digest_file(path)
        files.append({**entry, "path": path.name, "sha256": digest, "bytes": size})
    write_atomic(folder / NAME, _head(index.sketch, files, generation).encode())
    return result


def _plan_takedown(
    rows: list[dict[str, Any]], ids: list[str], whole_cluster: bool
) -> tuple[dict[str, dict[str, Any]], Takedown]:
    """New state of each changed document by id, and the result in words."""
    held = {r["id"]: r for r in rows}
    wanted = dict.fromkeys(i for i in ids if i in held)
    behind: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["survivor"] is not None:
            behind.setdefault(row["survivor"], []).append(row)
    if whole_cluster:
        for name in list(wanted):
            head = held[name]["survivor"] or name
            wanted.update(dict.fromkeys([head, *(r["id"] for r in behind.get(head, ()))]))
    state = {name: {"survivor": held[name]["survivor"], "taken": True} for name in wanted}
    taken = [n for n in wanted if held[n]["survivor"] is None and not held[n]["taken"]]
    promoted = {}
    for name in taken:
        left = [r for r in behind.get(name, ()) if r["id"] not in wanted and not r["taken"]]
        if not left:
            continue
        best = min(left, key=lambda r: (-r["bytes"], r["id"]))["id"]
        promoted[name] = best
        for row in behind[name]:
            state[row["id"]] = {"survivor": best, "taken": row["taken"] or row["id"] in wanted}
        state[best] = {"survivor": None, "taken": False}
        state[name] = {"survivor": best, "taken": True}
    return state, Takedown(taken, promoted, [i for i in ids if i not in held])
