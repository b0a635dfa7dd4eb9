"""Any datatrove filter or formatter as a step.

In a recipe: ``datatrove: {filter: GopherQualityFilter, params: {min_doc_words: 20}}``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from pilebuilder.document import SIGNAL, Docs, Rule, texts
from pilebuilder.errors import RecipeError, TaskError, nearest
from pilebuilder.registry import step

FILTERS, FORMATTERS = "datatrove.pipeline.filters", "datatrove.pipeline.formatters"


@step("datatrove", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Datatrove:
    """Runs a datatrove filter or formatter on each document; for what has no step of its own, as it is much slower.

    The document's metadata are its columns, its `meta`, and its signals (`language` is the signal `lang`). A filter's
    reason becomes ``datatrove.<class>.<reason>``; the text that a filter leaves is an edit ``datatrove.<class>``.
    """

    filter: Annotated[
        str | None, Field(description="class in datatrove.pipeline.filters, or module:Class of your own")
    ] = None
    formatter: Annotated[
        str | None, Field(description="class in datatrove.pipeline.formatters, or module:Class of your own")
    ] = None
    params: Annotated[Mapping[str, Any], Field(description="arguments of the class")] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.filter is None) == (self.formatter is None):
            raise ValueError("datatrove takes either `filter` or `formatter`")

    def digests(self) -> dict[str, str]:
        """The version of datatrove, since its classes carry none."""
        from importlib.metadata import version

        return {"datatrove": version("datatrove")}

    def __call__(self, docs: Docs) -> Docs:
        import numpy as np

        class_name = (self.filter or self.formatter or "").rpartition(":")[2].rpartition(".")[2]
        made = _make(self.filter or self.formatter, FILTERS if self.filter else FORMATTERS, _frozen(self.params))
        before = docs.text.to_pylist()
        if self.formatter:
            after = [self._apply(made.format, text, docs, row) for row, text in enumerate(before)]
            return docs.edit(texts(after), f"datatrove.{class_name}")
        reasons, after = self._filter(made, docs, before)
        rules = [
            Rule(reason=f"datatrove.{class_name}.{reason}", failed=np.array([r == reason for r in reasons]))
            for reason in sorted({r for r in reasons if r is not None})
        ]
        kept = np.flatnonzero(np.array([r is None for r in reasons], bool))
        return docs.reject(rules).edit(texts(after[k] for k in kept), f"datatrove.{class_name}")

    def _filter(self, made: Any, docs: Docs, before: list[str]) -> tuple[list[str | None], list[str]]:
        """Per document: why it is dropped (None: it stays), and its text as the filter left it."""
        from datatrove.data import Document

        reasons: list[str | None] = []
        after = []
        for row, (text, metadata) in enumerate(zip(before, _metadata(docs), strict=True)):
            document = Document(text=text, id=metadata["id"], metadata=metadata)
            result = self._apply(made.filter, document, docs, row)
            kept, reason = result if isinstance(result, tuple) else (result, None)
            reasons.append(None if kept else str(reason or "dropped").replace(" ", "_"))
            after.append(document.text)
        return reasons, after

    def _apply(self, call: Any, value: Any, docs: Docs, row: int) -> Any:
        try:
            return call(value)
        except Exception as error:
            name = docs.column("id")[row].as_py()
            raise TaskError(
                f"datatrove {self.filter or self.formatter} failed on document {name}: {error!r}"
            ) from error


def _metadata(docs: Docs) -> list[dict[str, Any]]:
    """Columns but the text, with `meta` and signals on top, for each document."""
    table = docs.table.drop_columns(["text", "meta"])
    rows = table.to_pylist()
    for row, meta in zip(rows, docs.column("meta").to_pylist(), strict=True):
        for name in [n for n in row if n.startswith(SIGNAL)]:
            row[name.removeprefix(SIGNAL)] = row.pop(name)
        if "lang" in row:
            row.setdefault("language", row["lang"])
        row.update(json.loads(meta) if meta else {})
    return list(rows)


def _frozen(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)


@functools.lru_cache(maxsize=16)
def _make(name: str, package: str, params: str) -> Any:
    """The object, made once per process: some load a tokenizer or a list."""
    import importlib

    module, _, attribute = name.rpartition(":") if ":" in name else ("", "", name)
    try:
        where = importlib.import_module(module or package)
    except ImportError as error:
        raise RecipeError(f"datatrove: {module or package} cannot be imported: {error}") from error
    found = getattr(where, attribute, None)
    if found is None:
        known = [n for n in dir(where) if n.endswith(("Filter", "Formatter"))]
        raise RecipeError(
            f"datatrove: no {attribute!r} in {where.__name__}{nearest(attribute, known)}; {', '.join(known)}"
        )
    try:
        return found(**json.loads(params))
    except TypeError as error:
        raise RecipeError(f"datatrove {attribute}: {error}") from error
