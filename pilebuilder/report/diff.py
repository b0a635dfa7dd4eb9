"""Two corpora, or two versions of one: which documents came, which went and why, and how the tables differ.

Reads what a finished build leaves for everybody: ``ledger/*.parquet`` and ``reports/tables/*.json``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import PilebuilderError
from pilebuilder.report.cells import Cell, Gap, not_measured
from pilebuilder.report.table import Column, Prose, Section, Table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

GONE = ("dropped", "duplicate", "quarantined")
BATCH = 1 << 18
NEVER = "not among the documents read"


@dataclass(frozen=True, slots=True)
class Corpus:
    """A finished build on disk."""

    root: Path

    @property
    def name(self) -> str:
        held = self.table("components")
        return str(held["provenance"]["name"]) if held else self.root.name

    def ledgers(self, stage: str = "") -> list[Path]:
        return sorted((self.root / "ledger").glob(f"{stage or '*'}-*.parquet"))

    def table(self, name: str) -> dict[str, Any] | None:
        """A table of its report; None when it has none of that name."""
        path = self.root / "reports" / "tables" / f"{name}.json"
        return json.loads(path.read_bytes()) if path.is_file() else None

    def check(self) -> None:
        if not self.ledgers("shard") and self.table("components") is None:
            raise PilebuilderError(
                f"{self.root} holds no finished corpus: neither ledger/shard-*.parquet nor"
                " reports/tables/components.json"
            )

    def documents(self) -> dict[str, np.ndarray]:
        """Distinct ids (16 bytes each, sorted) of the documents in its shards, by component."""
        import numpy as np

        found: dict[str, list[np.ndarray]] = {}
        for path in self.ledgers("shard"):
            for batch in _batches(path, ["id", "component", "action"]):
                kept = np.asarray(batch.column("action").cast("string").to_pylist()) == "kept"
                names = np.asarray(batch.column("component").cast("string").to_pylist())
                ids = _binary(batch.column("id").to_pylist())
                for name in np.unique(names[kept]).tolist():
                    found.setdefault(name, []).append(np.unique(ids[kept & (names == name)]))
        return {name: np.unique(np.concatenate(parts)) for name, parts in sorted(found.items())}

    def fates(self, wanted: np.ndarray) -> Counter[str]:
        """Why these documents are not in this corpus: stage and reason by number of documents."""
        import numpy as np

        fates: Counter[str] = Counter()
        for path in self.ledgers():
            if path.name.startswith(("shard-", "inventory-")):
                continue
            for batch in _batches(path, ["id", "stage", "action", "reason"]):
                actions = batch.column("action").cast("string").to_pylist()
                rows = [i for i, action in enumerate(actions) if action in GONE]
                if not rows:
                    continue
                taken = batch.take(rows)
                inside = np.isin(_binary(taken.column("id").to_pylist()), wanted)
                stages, reasons = (taken.column(c).cast("string").to_pylist() for c in ("stage", "reason"))
                fates.update(f"{stages[i]}: {reasons[i]}" for i in np.flatnonzero(inside).tolist())
        rest = len(wanted) - fates.total()
        if rest > 0:
            fates[NEVER] += rest
        return fates


def _batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    yield from pq.ParquetFile(path).iter_batches(BATCH, columns=columns, use_threads=False)


def _binary(ids: list[str | None]) -> np.ndarray:
    """Ids as 16 bytes; another form of id by its first bytes."""
    import numpy as np

    def one(text: str | None) -> bytes:
        try:
            return bytes.fromhex(text or "")[:16].ljust(16, b"\0")
        except ValueError:
            return (text or "").encode()[:16].ljust(16, b"\0")

    return np.array([one(i) for i in ids], "V16").view("S16") if ids else np.zeros(0, "S16")


def compare(before: Path, after: Path) -> Section:
    """What changed from one corpus to the other, as tables."""
    old, new = Corpus(before), Corpus(after)
    for corpus in (old, new):
        corpus.check()
    documents = (
        [document_table(old, new), *reason_tables(old, new)] if old.ledgers("shard") and new.ledgers("shard") else []
    )
    missing = (
        [] if documents else [Prose(text=f"{not_measured('one of the two has no ledger')}: documents.", warning=True)]
    )
    tables = [
        value_table(old, new, "components", "component", ("raw_bytes", "weight", "documents", "tokens"), "Components"),
        value_table(old, new, "languages", "language", ("documents", "share_of_documents"), "Languages"),
        value_table(old, new, "losses", "reason", ("documents",), "Losses by reason"),
        value_table(
            old, new, "web-domains", "domain", ("documents", "bytes"), "Domains (the hundred largest of each)"
        ),
        value_table(old, new, "personal-data", "type", ("matches", "per_million_words"), "Personal data"),
    ]
    return Section(
        name="diff",
        title=f"From {old.name} to {new.name}",
        lead=_lead(documents),
        blocks=(*missing, *documents, *(t for t in tables if t)),
    )


def _lead(tables: list[Table]) -> str:
    if not tables:
        return ""
    total = dict(zip([c.key for c in tables[0].columns], tables[0].totals[0], strict=True))
    return f"{total['added']:,} documents came, {total['removed']:,} went, {total['both']:,} are in both."


def document_table(old: Corpus, new: Corpus) -> Table:
    """Distinct documents by component: in both, removed, added."""
    import numpy as np

    before, after = old.documents(), new.documents()
    names, counts = sorted({*before, *after}), []
    for name in names:
        a, b = before.get(name, _none()), after.get(name, _none())
        both = len(np.intersect1d(a, b, assume_unique=True))
        counts.append((len(a), len(b), both, len(a) - both, len(b) - both))
    totals = [sum(column) for column in zip(*counts, strict=True)] or [0] * 5
    return Table(
        name="diff-documents",
        title="Documents by component",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="before", title=old.name, kind="count"),
            Column(key="after", title=new.name, kind="count"),
            Column(key="both", title="In both", kind="count"),
            Column(key="removed", title="Removed", kind="count"),
            Column(key="added", title="Added", kind="count"),
        ),
        rows=tuple((name, *numbers) for name, numbers in zip(names, counts, strict=True)),
        totals=(("Total", *totals),),
        note="Distinct documents by id; the id comes from the component and the record's own key, not from the text.",
        weighting="counts",
    )


def _none() -> np.ndarray:
    import numpy as np

    return np.zeros(0, "S16")


def reason_tables(old: Corpus, new: Corpus) -> list[Table]:
    """Why documents went (by the newer ledger), and why those that came had been out (by the older)."""
    import numpy as np

    before, after = (_all(corpus.documents()) for corpus in (old, new))
    removed = np.setdiff1d(before, after, assume_unique=True)
    added = np.setdiff1d(after, before, assume_unique=True)
    made = []
    for name, title, corpus, ids in (
        ("diff-removed", f"Why documents are gone, by the ledger of {new.name}", new, removed),
        ("diff-added", f"Why documents that came were out, by the ledger of {old.name}", old, added),
    ):
        fates = corpus.fates(ids)
        rows = sorted(fates.items(), key=lambda kv: (-kv[1], kv[0]))
        made.append(
            Table(
                name=name,
                title=title,
                columns=(
                    Column(key="reason", title="Stage and reason", kind="name"),
                    Column(key="documents", title="Documents", kind="count"),
                ),
                rows=tuple(rows),
                weighting="counts",
            )
        )
    return made


def _all(parts: dict[str, np.ndarray]) -> np.ndarray:
    import numpy as np

    return np.unique(np.concatenate([_none(), *parts.values()]))


def value_table(old: Corpus, new: Corpus, name: str, key: str, values: tuple[str, ...], title: str) -> Table | None:
    """The same table of both reports side by side; None when neither has it."""
    held = [corpus.table(name) for corpus in (old, new)]
    if not any(held):
        return None
    known = {c["key"]: c for t in held if t for c in t["columns"]}
    rows = [_rows(t, key) if t else {} for t in held]
    columns = [Column(key=key, title=known[key]["title"], kind="name")]
    for value in values:
        kind = known[value]["kind"]
        for prefix, corpus in (("before", old.name), ("after", new.name), ("change", "Change")):
            columns.append(Column(key=f"{value}_{prefix}", title=corpus, kind=kind, group=known[value]["title"]))
    made = []
    for label in sorted({*rows[0], *rows[1]}):
        line: list[Cell] = [label]
        for value in values:
            a, b = (_number(r.get(label, {}).get(value)) for r in rows)
            change = b - a if isinstance(a, int | float) and isinstance(b, int | float) else None
            line += [a, b, change]
        made.append(tuple(line))
    return Table(name=f"diff-{name}", title=title, columns=tuple(columns), rows=tuple(made), fold=25, sample="")


def _rows(table: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """Rows by label; numbers of rows that share a label are added up."""
    found: dict[str, dict[str, Any]] = {}
    for row in table["rows"]:
        held = found.setdefault(str(row[key]), {})
        for name, value in row.items():
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and isinstance(held.get(name, 0), int | float)
            ):
                held[name] = held.get(name, 0) + value
            else:
                held.setdefault(name, value)
    return found


def _number(value: Any) -> Cell:
    if isinstance(value, dict):
        return Gap(str(value.get("gap", "")))
    return value if isinstance(value, int | float | str) else None


def write(section: Section, folder: Path) -> Path:
    """The comparison as a page and as tables; returns the page."""
    from pilebuilder import __version__
    from pilebuilder.report.site import page_of

    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    for table in section.tables():
        (tables / f"{table.name}.md").write_text(table.to_markdown(), encoding="utf-8")
        (tables / f"{table.name}.csv").write_text(table.to_csv(), encoding="utf-8")
        (tables / f"{table.name}.json").write_text(table.to_json({"tool": __version__}), encoding="utf-8")
    path = folder / "index.html"
    path.write_text(page_of(section), encoding="utf-8")
    return path
