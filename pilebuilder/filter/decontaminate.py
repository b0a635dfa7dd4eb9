"""Contamination: documents that hold items of evaluation sets leave, or lose the passage; with a certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.document import Docs, texts
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

    from pilebuilder.filter.contamination import Index

MARGIN, SHORTEST, MOST_PIECES = 200, 200, 10
"""Brown et al. 2020 (arXiv:2005.14165), appendix C: characters cut on each side, shortest piece, most pieces."""


@step("decontaminate", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Decontaminate:
    """Finds items of evaluation sets in documents by word n-grams, and removes the documents or the passages."""

    against: Annotated[
        Mapping[str, tuple[str, ...]],
        Field(min_length=1, description="files of each benchmark: paths, globs, or package:path"),
    ]
    fields: Annotated[
        tuple[str, ...], Field(description="fields of an item that are its text; default: all of its strings")
    ] = ()
    method: Annotated[
        Literal["ngram", "sampled"],
        Field(description="ngram: one n-gram is enough, as for GPT-3; sampled: a share of an item's n-grams"),
    ] = "ngram"
    ngram: Annotated[int, Field(ge=3, le=50, description="words of an n-gram; 13 for ngram, 5 to 8 for sampled")] = 13
    least: Annotated[
        int, Field(ge=3, le=50, description="ngram: a shorter item counts when all of its n-grams of this size occur")
    ] = 8
    sample: Annotated[int, Field(ge=1, le=64, description="sampled: look at one n-gram in this many")] = 4
    overlap: Annotated[float, Field(gt=0, le=1, description="sampled: least share of an item's n-grams")] = 0.5
    common: Annotated[
        int, Field(ge=0, description="ignore n-grams that more items of one benchmark share (instructions); 0: none")
    ] = 10
    action: Annotated[
        Literal["drop", "cut", "signal"],
        Field(description="drop the document; cut out the passage with 200 characters on each side; only measure"),
    ] = "drop"
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$", description="prefix of its reasons in the ledger")] = (
        "decontaminate"
    )

    def parameters(self) -> dict[str, Any]:
        """What decides a find, for the certificate."""
        names = ("method", "ngram", "common") + (("sample", "overlap") if self.method == "sampled" else ("least",))
        return {name: getattr(self, name) for name in names} | {"fields": ",".join(self.fields) or "all"}

    def digests(self) -> dict[str, str]:
        """Digests of the evaluation files."""
        from pilebuilder.filter.contamination import file_digests

        return file_digests(self.against)

    def certificate(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the report says of each benchmark, from the ledger's rows of this step."""
        from pilebuilder.filter import contamination

        return contamination.certificate(self, rows)

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        from pilebuilder.filter.contamination import open_index

        index = open_index(self)
        rows, items = index.find(*docs.buffers())
        count = np.bincount(rows, minlength=len(docs)).astype(np.int32)
        docs = docs.signal("contamination", count)
        if not len(rows):
            return docs
        self._note(docs, index, rows, items)
        if self.action == "drop":
            return docs.drop(count > 0, self.name, count, 1.0)
        return self._cut(docs, index, np.unique(rows)) if self.action == "cut" else docs

    def _note(self, docs: Docs, index: Index, rows: np.ndarray, items: np.ndarray) -> None:
        """One ledger row per document and benchmark: how many items, and which."""
        import numpy as np

        from pilebuilder.filter.contamination import ranges

        owner = index.benchmark_of(items)
        for number, benchmark in enumerate(index.benchmarks):
            here = owner == number
            documents, starts, counts = np.unique(rows[here], return_index=True, return_counts=True)
            own = items[here] - benchmark.first
            details = [ranges(own[a : a + n].tolist()) for a, n in zip(starts, counts, strict=True)]
            if len(documents):
                docs.record(
                    documents,
                    "noted",
                    f"{self.name}.{benchmark.name}",
                    counts.astype(float),
                    rows_of_values=True,
                    detail=details,
                )

    def _cut(self, docs: Docs, index: Index, rows: np.ndarray) -> Docs:
        """Cut the passages out of these documents; one in more than ten pieces, or in none, leaves."""
        import numpy as np

        from pilebuilder.filter.contamination import cut

        whole = docs.text.to_pylist()
        failed, pieces_of = np.zeros(len(docs), bool), np.zeros(len(docs))
        for row in rows.tolist():
            pieces = cut(index, whole[row], MARGIN, SHORTEST)
            pieces_of[row] = len(pieces)
            failed[row] = not pieces or len(pieces) > MOST_PIECES
            if not failed[row]:
                whole[row] = "\n\n".join(pieces)
        docs = docs.edit(texts(whole), f"{self.name}.cut")
        return docs.drop(failed, f"{self.name}.pieces", pieces_of, float(MOST_PIECES))
