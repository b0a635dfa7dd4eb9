"""Facts from the planner's values and the files that the report's other tasks wrote."""

from __future__ import annotations

import json
from typing import Any

from pilebuilder.partition import read_table
from pilebuilder.report import compressed, quality, trained
from pilebuilder.report.counters import Counters
from pilebuilder.report.facts import Facts, from_json
from pilebuilder.report.ledgers import SAMPLES, first_rows
from pilebuilder.task import Artifact, Task, Workspace

KEPT_NGRAMS = 2_000
"""N-grams of each size and component that pages are made from; what is left out counts as missed, and is printed."""


def collect(task: Task, work: Workspace) -> Facts:
    """Facts from the planner's values and the files that other tasks wrote."""

    def load(kind: str) -> list[Any]:
        return [json.loads(work.open(a).read_bytes()) for a in task.inputs if a.kind == kind]

    def counters(kind: str) -> dict[str, Counters]:
        held: dict[str, list[Artifact]] = {}
        for artifact in task.inputs:
            if artifact.kind == kind:
                held.setdefault(artifact.facts["component"], []).append(artifact)
        found = {}
        for name, files in held.items():
            found[name] = Counters.read(work.open(a) for a in files)
        return found

    def profiled() -> tuple[dict[str, Counters], Counters]:
        """Profiles by component; and n-grams of the whole, which no page shows by component, out of them."""
        found: dict[str, Counters] = {}
        ngrams = Counters()
        for artifact in (a for a in task.inputs if a.kind == "profile"):
            held = Counters.read([work.open(artifact)])
            held.prune("ngram ", KEPT_NGRAMS, "ngram.missed")
            ngrams.merge(held.moved("ngram")).settle()
            component = artifact.facts["component"]
            found[component] = found[component].merge(held) if component in found else held
        return found, ngrams

    def tables(kind: str) -> dict[str, Any]:
        return {a.facts["component"]: read_table(work.open(a)) for a in task.inputs if a.kind == kind}

    profiles, ngrams = profiled()
    excerpts = {name: held for part in load("excerpts") for name, held in part.items()}
    return from_json(
        task.params["facts"],
        config=task.params["config"],
        answers=task.params["answers"],
        profiles=profiles,
        ngrams=ngrams,
        removal=counters("removal-counts"),
        domains=tables("domains"),
        repeats={name: _shorten(table) for name, table in tables("repeats").items()},
        shares=task.params["shares"],
        bias={a.facts["component"]: json.loads(work.open(a).read_bytes()) for a in task.inputs if a.kind == "bias"},
        bias_words=tables("bias-words"),
        topics={t["component"]: t for t in load("topics")},
        excerpts=excerpts,
        ledger=merge_ledgers(load("ledger-summary")),
        mixture=next(iter(load("mixture")), {}),
        contamination=[line for part in load("contamination") for line in part],
        overlap=overlap_of(task, work, load("overlap-scan")),
        token_counts=next(iter(counters("token-counts").values()), None),
        tokens=sum_tokens(load("tokens")),
        clusters=read_clusters(task, work, excerpts),
        compressed=compressed.merged(load("compressed")),
        bytemodel=compressed.merged(load("bytemodel")),
        sampled_tokens={name: held for part in load("sampled-tokens") for name, held in part.items()},
        opt_outs=next(iter(load("opt-outs")), {}),
        agreement={name: held for part in load("agreement") for name, held in part.items()},
        quality=quality.merged(load("quality-scores")),
        evaluations=trained.results(task, work, "evaluation"),
        comparisons=trained.results(task, work, "comparison"),
        books=trained.books(task, work),
    )


def _shorten(table: Any) -> Any:
    """Without the beginnings of texts that stand on one document only: nobody sees them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seen = pc.if_else(pc.greater(table.column("documents"), 1), table.column("shown"), pa.scalar("", pa.string()))
    return table.set_column(table.column_names.index("shown"), "shown", seen)


def sum_tokens(manifests: list[Any]) -> dict[str, Any]:
    """Tokens by component and split, from the manifests of token files. `marks` are the end-of-document tokens."""
    if not manifests:
        return {}
    components: dict[str, dict[str, dict[str, int]]] = {}
    for manifest in manifests:
        for part in manifest["components"]:
            zero = {"tokens": 0, "marks": 0, "bytes": 0, "documents": 0}
            held = components.setdefault(part["name"], {}).setdefault(manifest["split"], zero)
            held["tokens"] += part["text_tokens"]
            held["marks"] += part["tokens"] - part["text_tokens"]
            held["bytes"] += part["bytes"]
            held["documents"] += part["documents"]
    return {"tokenizer": manifests[0]["tokenizer"]["name"], "components": components}


def read_clusters(task: Task, work: Workspace, texts: dict[str, Any]) -> dict[str, Any]:
    """Cluster sizes, and the largest clusters with the beginnings of their texts."""
    for artifact in task.inputs:
        if artifact.kind != "clusters":
            continue
        largest = []
        for cluster in read_table(work.open(artifact)).to_pylist():
            ids = [cluster["survivor"], *(m for m in cluster["members"] if m != cluster["survivor"])]
            members = [{"id": i, **texts[i]} for i in ids if i in texts and "text" in texts[i]]
            largest.append({"survivor": cluster["survivor"], "members": cluster["size"], "texts": members})
        return {**artifact.facts, "largest": largest}
    return {}


def overlap_of(task: Task, work: Workspace, scans: list[Any]) -> list[dict[str, Any]]:
    """Overlap by set of items (`overlap.summary`); empty when nothing was looked for."""
    from pilebuilder.report.overlap import summary, union

    items = [a for a in task.inputs if a.kind == "overlap-items"]
    return summary(read_table(work.open(items[0])), union(scans)) if items and scans else []


def merge_ledgers(summaries: list[Any]) -> dict[str, Any]:
    """Add up what the ledger tasks found."""
    sums: dict[tuple[Any, ...], int] = {}
    quarantine_rows: list[Any] = []
    for summary in summaries:
        for *key, n in summary["rows"]:
            sums[tuple(key)] = sums.get(tuple(key), 0) + n
        quarantine_rows += summary["quarantine"]
    noted: dict[tuple[str, str], list[float]] = {}
    for summary in summaries:
        for component, reason, documents, value in summary.get("noted", ()):
            held = noted.setdefault((component, reason), [0, 0.0])
            held[0], held[1] = held[0] + documents, held[1] + value
    rows = sorted(([*key, n] for key, n in sums.items()), key=lambda r: [str(v) for v in r])
    drawn: dict[str, list[Any]] = {}
    for summary in summaries:
        for component, found in summary["samples"].items():
            drawn[component] = sorted([*drawn.get(component, []), *found])[:SAMPLES]
    return {
        "rows": rows,
        "noted": [[*key, *held] for key, held in sorted(noted.items())],
        "quarantine": first_rows(quarantine_rows),
        "samples": drawn,
    }
