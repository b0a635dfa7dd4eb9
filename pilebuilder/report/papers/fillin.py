"""What a person still must write for the datasheet: the open questions, the evidence, and where the answer goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilebuilder.errors import RecipeError
from pilebuilder.report.papers.answers import load
from pilebuilder.report.papers.datasheet import counts_of_states, skeleton
from pilebuilder.report.papers.questions import QUESTIONS

DATASHEET = Path("reports") / "papers" / "datasheet.json"


@dataclass(frozen=True, slots=True)
class Line:
    """One question as it stands."""

    number: int
    part: str
    question: str
    fill: str
    state: str
    text: str
    evidence: str

    @property
    def wants(self) -> str:
        """What a person has to do."""
        if self.state == "stale":
            return "read again: the evidence has changed"
        if self.state != "open":
            return ""
        return "confirm or correct the evidence" if self.evidence else "write an answer"


def lines(folder: Path | None, answers: Path | None) -> list[Line]:
    """Every question: as the report in `folder` left it, with what the answers file says by now."""
    held = _reported(folder) if folder is not None else [_bare(q) for q in QUESTIONS]
    given = load(answers) if answers is not None and answers.exists() else {}
    return [_answered(line, given) for line in held]


def _reported(folder: Path) -> list[Line]:
    path = folder / DATASHEET
    try:
        return [Line(**row) for row in json.loads(path.read_bytes())]
    except FileNotFoundError as error:
        raise RecipeError(
            f"{folder}: no {DATASHEET.as_posix()} there; make a report first: pilebuilder report"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(f"{path} cannot be read ({error}); make the report again") from error


def _bare(question: Any) -> Line:
    return Line(question.number, question.part, question.text, question.fill, _state(question.fill), "", "")


def _state(fill: str) -> str:
    return "automatic" if fill == "A" else "open"


def _answered(line: Line, given: Mapping[str, Any]) -> Line:
    held = given.get(str(line.number))
    if held is None or line.state in ("answered", "stale"):
        return line
    return Line(line.number, line.part, line.question, line.fill, "answered", held["text"], line.evidence)


def tell(held: Sequence[Line], answers: Path | None, *, every: bool = False) -> str:
    """The questions for a terminal: those that wait for a person, or all."""
    where = f"{answers}" if answers is not None else "answers.yaml"
    shown = [counts_of_states([line.state for line in held]), ""]
    part = ""
    for line in held:
        if not (every or line.wants):
            continue
        if line.part != part:
            part = line.part
            shown += [part, ""]
        shown.append(f"{line.number:>3}. {line.question}")
        if line.wants:
            shown.append(f"     {line.wants}: {where}, under `answers:`, `{line.number}:`")
        if line.text and line.state != "open":
            shown.append(f"     {line.state}: {_cut(line.text)}")
        if line.evidence and line.wants:
            shown.append(f"     evidence: {_cut(line.evidence)}")
        shown.append("")
    if answers is None:
        shown.append("No answers file is named. Begin one with --write FILE, and name it in the recipe:")
        shown.append("  report: {answers: FILE}")
    return "\n".join(shown).rstrip() + "\n"


def write(held: Sequence[Line], path: Path) -> None:
    """A file to fill in, one entry for each question that may have an answer; never over a file that is there."""
    if path.exists():
        raise RecipeError(f"{path} exists; edit it, or give another --write")
    rows = [(line.number, line.part, line.question, line.fill, line.state, line.text, line.evidence) for line in held]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(skeleton(rows), encoding="utf-8")


def _cut(text: str, most: int = 200) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
