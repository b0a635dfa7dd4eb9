"""Scores of the quality classifier: of documents that the filter kept, and of those that it dropped for their score.

Kept documents carry their score as a signal; a dropped one's is in the ledger. Documents that a rule before the
classifier dropped have no score, and those that a rule after it dropped are not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pilebuilder.partition import read_table
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pilebuilder.task import View

BINS = 1000
"""Scores are counted in so many equal bins from 0 to 1; a bin stands for its middle."""
STEP = "quality"
MEASURED = ("name", "positive", "held_out", "auc", "low", "high", "average_precision", "thresholds", "scores")
"""What of a classifier's own measurements the report shows."""
RULES = ("low", "high", "pareto")
"""How the step's reasons end."""


def signals_of(view: View) -> dict[str, list[str]]:
    """Signals of the quality steps of the filter, by component that has any."""
    config = view.config("filter")
    if config is None:
        return {}
    found = {}
    for component in view.components:
        steps = config.for_component(component.name)
        names = [step["params"]["signal"] for step in steps if step["name"] == STEP]
        if names:
            found[component.name] = sorted(set(names))
    return found


def classifiers_of(view: View) -> list[dict[str, Any]]:
    """The classifiers of the filter with what training measured: one entry a component and signal."""
    from pilebuilder.models.classifier import files_of

    config = view.config("filter")
    found = []
    for component in view.components if config is not None else ():
        for step in config.for_component(component.name):
            if step["name"] == STEP:
                _, beside = files_of(step["params"]["model"])
                held = json.loads(beside.read_text(encoding="utf-8")) if beside and beside.is_file() else {}
                kept = {k: held[k] for k in MEASURED if k in held}
                found.append({"component": component.name, "signal": step["params"]["signal"], **kept})
    return found


def inputs_of(view: View, signals: Iterable[str]) -> list[list[Artifact]]:
    """Partition and ledger of each task of the filter whose component has a score."""
    wanted = set(signals)
    found = []
    for manifest in view.manifests("filter"):
        partitions = [p for p in manifest.of("partition") if p.facts["component"] in wanted]
        if partitions:
            found.append([*partitions, *manifest.of("ledger")])
    return found


def count(task: Task, work: Workspace) -> None:
    """Histograms of scores by component and signal: kept and dropped."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[str, np.ndarray] = {}
    for artifact in task.inputs:
        path = work.open(artifact)
        if artifact.kind == "partition":
            component = artifact.facts["component"]
            have = set(pq.read_schema(path).names)
            for signal in task.params["signals"].get(component, []):
                if f"signal.{signal}" in have:
                    column = read_table(path, [f"signal.{signal}"]).column(0).drop_null().cast(pa.float64())
                    _add(found, f"{component}\0{signal}\0kept", column.to_numpy())
        else:
            _add_dropped(found, read_table(path), task.params["signals"])
    rows_of = [[*key.split("\0"), counts.tolist()] for key, counts in sorted(found.items())]
    work.output("scores.json", "quality-scores").write_text(json.dumps(rows_of))


def _add_dropped(found: dict[str, np.ndarray], table: pa.Table, signals: Mapping[str, Sequence[str]]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = {n: table.column(n).cast(pa.string()) for n in ("component", "action", "reason")}
    dropped = pc.and_(pc.equal(names["action"], "dropped"), pc.is_valid(table.column("value")))
    for component, own in signals.items():
        for signal in own:
            reasons = pa.array([f"{signal}.{rule}" for rule in RULES])
            mine = pc.and_(pc.equal(names["component"], component), pc.is_in(names["reason"], value_set=reasons))
            scores = table.filter(pc.and_(dropped, mine)).column("value").to_numpy()
            if len(scores):
                _add(found, f"{component}\0{signal}\0dropped", scores)


def _add(found: dict[str, np.ndarray], key: str, scores: np.ndarray) -> None:
    import numpy as np

    at = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
    found[key] = found.get(key, np.zeros(BINS, np.int64)) + np.bincount(at, minlength=BINS)


def merged(parts: Sequence[Any]) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Histograms by component, signal, and ``kept`` or ``dropped``."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    for part in parts:
        for component, signal, what, counts in part:
            held = found.setdefault(component, {}).setdefault(signal, {})
            before = held.get(what, [0] * BINS)
            held[what] = [a + b for a, b in zip(before, counts, strict=True)]
    return {c: dict(sorted(s.items())) for c, s in sorted(found.items())}


def kept_share(histogram: Sequence[int], alpha: float) -> float:
    """Expected share that Pareto sampling keeps: the mean of P(L > 1 - s) = (2 - s)^-alpha for a Lomax variate L.

    >>> kept_share([0] * 999 + [1], 9) > 0.99 and kept_share([1] + [0] * 999, 1) < 0.51
    True
    """
    total = sum(histogram)
    terms = (n * (2 - (i + 0.5) / BINS) ** -alpha for i, n in enumerate(histogram) if n)
    return sum(terms) / total if total else 0.0


def both(held: Mapping[str, Sequence[int]]) -> list[int]:
    """Kept and dropped together."""
    none = [0] * BINS
    return [a + b for a, b in zip(held.get("kept", none), held.get("dropped", none), strict=True)]
