"""Audit: every rule on every document, none skipped because another one failed. For choosing thresholds.

For each component and rule: how many documents it fails (marginal), how many it alone fails (what would come back
without it: leave-one-out), how many it would be named for in the ledger (first in recipe order), with their bytes; how
the rule's measure is spread around the threshold; and samples. `Audit.write` gives CSV, JSON, Markdown and one HTML
page that opens from disk.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pilebuilder.document import Docs
from pilebuilder.filter.rules import RuleStep
from pilebuilder.ledger import Count, Journal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MEASURED = 20_000
"""Documents of a component whose measures are kept for percentiles and histograms; above that, a sample by id."""
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
EXCERPT = 400
ROW = "audit.row"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on a table of documents: bool per document, what it measured (or None), its threshold (or None)."""

    rule: str
    failed: np.ndarray
    values: Any
    threshold: float | None


@dataclass(slots=True)
class Tested:
    """What an audit knows of one rule in one component."""

    documents: int = 0
    """Documents that fail it."""
    bytes: int = 0
    alone: int = 0
    """Documents that fail no other rule."""
    alone_bytes: int = 0
    first: int = 0
    """Documents of which it is the first failure, in recipe order."""
    threshold: float | None = None
    measures: list[tuple[int, float]] = field(default_factory=list)
    """(hash of the document's id, value) of the documents with the smallest hashes."""
    samples: list[tuple[int, int, str, float, str]] = field(default_factory=list)
    """(0 if it fails this rule alone, else 1; hash of the id; id; value; beginning of the text)."""

    def percentile(self, percent: float) -> float | None:
        """Percentile of the measure over the kept sample; None where the rule measures nothing."""
        import numpy as np

        return float(np.percentile([v for _, v in self.measures], percent)) if self.measures else None


@dataclass(slots=True)
class Audit:
    """Figures by component and rule; `together[a, b]` counts documents that fail both, over all components."""

    tested: dict[str, dict[str, Tested]] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """Documents that fail any rule."""
    dropped_bytes: dict[str, int] = field(default_factory=dict)
    together: dict[tuple[str, str], int] = field(default_factory=dict)
    samples: int = 5

    def rows(self) -> list[dict[str, Any]]:
        """The table, one row per component and rule, in recipe order."""
        found = []
        for component, rules in sorted(self.tested.items()):
            n, size = max(self.documents[component], 1), max(self.bytes[component], 1)
            for rule, of in rules.items():
                row = {
                    "component": component, "rule": rule, "threshold": of.threshold, "documents": of.documents,
                    "share": of.documents / n, "bytes": of.bytes, "byte_share": of.bytes / size, "alone": of.alone,
                    "alone_share": of.alone / n, "alone_bytes": of.alone_bytes, "first": of.first,
                    "total_documents": self.documents[component], "total_dropped": self.dropped[component],
                }  # fmt: skip
                found.append(row | {f"p{p}": of.percentile(p) for p in PERCENTILES})
        return found

    def add(self, component: str, table: pa.Table, steps: Sequence[tuple[str, str, Any]]) -> None:
        """Judge a table of documents by all steps, (stage, name, step) in recipe order."""
        import numpy as np

        if not table.num_rows:
            return
        docs = Docs(table=table, component=component, journal=Journal("audit"), count=Count())
        ids = docs.column("id").to_pylist()
        sizes = np.diff(docs.buffers()[1])
        order = np.array([_order(i) for i in ids], np.uint64)
        verdicts: dict[str, Verdict] = {}
        for stage, name, step in steps:
            docs, found = judge(docs.within(stage, name), step)
            for verdict in found:  # a step may stand twice in a recipe
                again = sum(rule.partition(" (")[0] == verdict.rule for rule in verdicts)
                verdicts[f"{verdict.rule} ({again + 1})" if again else verdict.rule] = verdict
        rules = self.tested.setdefault(component, {})
        fails = np.zeros(len(ids), np.int64)
        for verdict in verdicts.values():
            fails += verdict.failed
        seen = np.zeros(len(ids), bool)
        texts = table.column("text")
        for rule, verdict in verdicts.items():
            failed = verdict.failed
            of = rules.setdefault(rule, Tested())
            alone = failed & (fails == 1)
            of.documents += int(failed.sum())
            of.bytes += int(sizes[failed].sum())
            of.alone += int(alone.sum())
            of.alone_bytes += int(sizes[alone].sum())
            of.first += int((failed & ~seen).sum())
            of.threshold = verdict.threshold
            seen |= failed
            measures = np.full(len(ids), np.nan) if verdict.values is None else np.asarray(verdict.values, float)
            self._keep(of, order, ids, failed, alone, measures, texts)
        for a, b in itertools.combinations(verdicts.items(), 2):
            (rule, one), (other, two) = a, b
            if both := int((one.failed & two.failed).sum()):
                self.together[rule, other] = self.together.get((rule, other), 0) + both
        self.documents[component] = self.documents.get(component, 0) + len(ids)
        self.bytes[component] = self.bytes.get(component, 0) + int(sizes.sum())
        self.dropped[component] = self.dropped.get(component, 0) + int(seen.sum())
        self.dropped_bytes[component] = self.dropped_bytes.get(component, 0) + int(sizes[seen].sum())

    def _keep(
        self, of: Tested, order: np.ndarray, ids: list[str], failed: np.ndarray, alone: np.ndarray,
        measures: np.ndarray, texts: pa.ChunkedArray,
    ) -> None:  # fmt: skip
        """Keep measures and samples of the documents whose ids hash lowest: the same for any order of partitions."""
        import numpy as np

        known = np.flatnonzero(~np.isnan(measures))
        of.measures += zip(order[known].tolist(), measures[known].tolist(), strict=True)
        if len(of.measures) > MEASURED:
            of.measures = sorted(of.measures)[:MEASURED]
        rows = np.flatnonzero(failed)
        best = rows[np.lexsort((order[rows], ~alone[rows]))][: self.samples]
        of.samples += [
            (int(not alone[k]), int(order[k]), ids[k], float(measures[k]), str(texts[int(k)].as_py())[:EXCERPT])
            for k in best
        ]
        of.samples = sorted(of.samples)[: self.samples]


def _order(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def judge(docs: Docs, step: Any) -> tuple[Docs, list[Verdict]]:
    """All documents as the step leaves those that it keeps, and the verdict of each of its rules on all of them.

    A step that is no `RuleStep` names one reason per document, so its verdicts do not overlap.
    """
    if isinstance(step, RuleStep):
        rules = step.rules(docs)
        found = [Verdict(r.reason, np_bool(r.failed), r.value, r.threshold) for r in rules if step.drops(r)]
        if type(step).__call__ is RuleStep.__call__:
            for rule in rules:
                if not step.drops(rule):
                    docs = docs.signal(rule.reason, rule.value if rule.value is not None else rule.failed)
            return docs, found
        return _go_on(docs, step)[0], found
    return _go_on(docs, step)


def _go_on(docs: Docs, step: Any) -> tuple[Docs, list[Verdict]]:
    """Run the step: who stays goes on as it left them, who does not goes on as before; and its verdicts by reason."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    everyone = np.arange(len(docs))
    journal = Journal(docs.stage)
    alone = replace(docs, journal=journal, count=Count())
    after = step(alone.signal(ROW, everyone))
    source = np.full(len(docs), -1)
    source[np.asarray(after.column(f"signal.{ROW}"))] = np.arange(len(after))
    stayed = source >= 0
    text = pa.concat_arrays([after.text, docs.text]).take(pa.array(np.where(stayed, source, len(after) + everyone)))
    table = docs.table.set_column(docs.table.schema.get_field_index("text"), "text", text)
    for name in after.table.column_names:
        if name not in table.column_names and name != f"signal.{ROW}":
            table = table.append_column(name, after.column(name).take(pa.array(source, mask=~stayed)))
    place = {name: row for row, name in enumerate(docs.column("id").to_pylist())}
    found: dict[str, Verdict] = {}
    dropped = journal.table()
    for row in dropped.filter(pc.equal(dropped["action"].cast(pa.string()), "dropped")).to_pylist():
        verdict = found.setdefault(
            row["reason"],
            Verdict(row["reason"], np.zeros(len(docs), bool), np.full(len(docs), np.nan), row["threshold"]),
        )
        verdict.failed[place[row["id"]]] = True
        if row["value"] is not None:
            verdict.values[place[row["id"]]] = row["value"]
    return replace(docs, table=table, measured=()), list(found.values())


def np_bool(values: Any) -> np.ndarray:
    import numpy as np

    return np.asarray(values, bool)


def audit(
    partitions: Iterable[tuple[str, pa.Table]],
    steps: Callable[[str], Sequence[tuple[str, str, Any]]],
    *,
    samples: int = 5,
    chunk_bytes: int = 16 << 20,
) -> Audit:
    """Audit (component, table) pairs; `steps(component)` gives (stage, name, step) in recipe order."""
    from pilebuilder.partition import pieces

    found = Audit(samples=samples)
    for component, table in partitions:
        for piece, _ in pieces(table, chunk_bytes):
            found.add(component, piece.combine_chunks(), steps(component))
    return found


def partitions_of(paths: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, pa.Table]]:
    """(component, table) of each (component, path of a partition file), read one at a time."""
    from pilebuilder.partition import read_table

    for component, path in paths:
        yield component, read_table(path)
