"""How often a second language identifier says the same as the first, on the sample; only where one is installed.

The second is CLD2 (Google, Apache-2.0) by the package `pycld2`, which also chose the English pages of Pile-CC.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pilebuilder.report.measures.basic import LANGUAGE, SHORT_FOR_LANGUAGE
from pilebuilder.report.pieces import by_component
from pilebuilder.report.sampled.draw import gathered
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGE = "pycld2"
DOCUMENTS = 2_000
"""Documents of each component that are asked about, at most; those with the lowest draws."""
TEXT = 16 << 10
"""Characters of a document that the second identifier reads."""
SHOWN = 5


def second() -> str | None:
    """Name and version of the second identifier; None when none is installed."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return None


def count(task: Task, work: Workspace) -> None:
    """``agreement.json``: by component documents asked, answered and agreed, and the most frequent differences."""
    found = {}
    for component, samples in by_component(task.inputs).items():
        table = gathered(work, samples)
        if LANGUAGE in table.column_names:
            found[component] = _agreement(table.slice(0, DOCUMENTS))
    work.output("agreement.json", "agreement").write_text(json.dumps(found, sort_keys=True))


def _agreement(table: pa.Table) -> dict[str, Any]:
    asked = answered = agreed = 0
    pairs: Counter[tuple[str, str]] = Counter()
    for text, first in zip(table.column("text").to_pylist(), table.column(LANGUAGE).to_pylist(), strict=True):
        if len(text) < SHORT_FOR_LANGUAGE or not first or first == "und":
            continue
        asked += 1
        other = identify(text)
        if other is None:
            continue
        answered += 1
        agreed += other == first
        if other != first:
            pairs[first, other] += 1
    often = sorted(pairs.items(), key=lambda kv: (-kv[1], kv[0]))[:SHOWN]
    return {"asked": asked, "answered": answered, "agreed": agreed, "pairs": [[*pair, n] for pair, n in often]}


def identify(text: str) -> str | None:
    """The language that CLD2 is sure of, as `pilebuilder.models.languages` spells it; None when it is not sure."""
    import pycld2

    from pilebuilder.models.languages import normal

    head = text[:TEXT]
    try:
        try:
            reliable, _, found = pycld2.detect(head, isPlainText=True)
        except (pycld2.error, UnicodeEncodeError):  # control characters and others that are no text to it
            clean = "".join(c if c.isprintable() else " " for c in head)
            reliable, _, found = pycld2.detect(clean, isPlainText=True)
    except (pycld2.error, UnicodeEncodeError):
        return None
    code = found[0][1]
    return normal(code) if reliable and code != "un" and not code.startswith("xx") else None
