"""What training left in the output folder: evaluations, comparisons and logbooks, as inputs of the report.

They are no outputs of a stage, so the report takes them as raw files: their content enters the key of the task that
writes the pages, and a corpus without them has a report without them. A logbook that a live run appends to is read
up to the length that it had when the report was planned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import RecipeError, TaskError
from pilebuilder.report.logbooks import Book, parse
from pilebuilder.task import Artifact, Task, Workspace

if TYPE_CHECKING:
    from pilebuilder.task import View

FORMAT = 1
"""Of evaluations and comparisons (`pilebuilder.train.evaluation`, `pilebuilder.train.compare`)."""
PLACES = {
    "evaluation": "evaluations/*.json",
    "comparison": "comparisons/*/comparison.json",
    "logbook": "runs/*/logbook.jsonl",
}
NEEDED = {
    "evaluation": ("format", "name", "subject", "split", "protocols", "cloze"),
    "comparison": ("format", "first", "second", "rows"),
}


def found(view: View) -> list[Artifact]:
    """Every such file in the output folder, by kind and name; raises `RecipeError` for one that is not whole."""
    root = view.open(Artifact(path="", sha256="", bytes=0, kind=""))
    made = []
    for kind, pattern in PLACES.items():
        for path in sorted(root.glob(pattern)):
            content = path.read_bytes()
            if kind != "logbook":
                _check(kind, path, content)
            made.append(
                Artifact(
                    path=path.relative_to(root).as_posix(),
                    sha256=hashlib.sha256(content).hexdigest(),
                    bytes=len(content),
                    kind=kind,
                    facts={"name": path.parent.name if kind == "logbook" else path.stem},
                )
            )
    return made


def _check(kind: str, path: Path, content: bytes) -> None:
    try:
        held = json.loads(content)
        missing = [key for key in NEEDED[kind] if key not in held]
        version = held.get("format")
    except (ValueError, AttributeError, TypeError) as error:
        raise RecipeError(f"{path} is not a whole {kind}: {error}; remove it or make it again") from error
    if missing or version != FORMAT:
        why = (
            f"it lacks {', '.join(missing)}" if missing else f"its format is {version!r}, this version reads {FORMAT}"
        )
        raise RecipeError(f"{path} is not a {kind} that the report can read: {why}; remove it or make it again")


def _content(artifact: Artifact, work: Workspace) -> bytes:
    """The bytes that were there when the report was planned."""
    with work.open(artifact).open("rb") as file:
        content = file.read(artifact.bytes)
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise TaskError(f"{artifact.path} was changed while the report was made; run the same command again")
    return content


def results(task: Task, work: Workspace, kind: str) -> list[Mapping[str, Any]]:
    """Evaluations or comparisons, by name."""
    return [json.loads(_content(a, work)) for a in task.inputs if a.kind == kind]


def books(task: Task, work: Workspace) -> list[Book]:
    """Logbooks by name of their run."""
    return [parse(str(a.facts["name"]), _content(a, work)) for a in task.inputs if a.kind == "logbook"]
