"""The datasheet's answers that a person must give: a YAML file keyed by question number.

answers:
  1: "Made to train language models of ..."
  25:
    text: "Nobody was paid."
    by: "J. Doe"
    date: 2026-05-01
    evidence: 3f2a1c      # digest of the evidence the answer rests on, as the datasheet prints it
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilebuilder.errors import RecipeError

FIELDS = ("text", "by", "date", "evidence")


def load(path: Path) -> dict[str, Any]:
    """Answers by question number (as text): a mapping with text, by, date, evidence. Raises `RecipeError`."""
    from pilebuilder import yamlfile

    source = yamlfile.load(path)
    data = source.data
    if not isinstance(data, dict) or not isinstance(data.get("answers"), dict):
        raise source.error(
            (), "an answers file is a mapping with one key, `answers:`, that maps question numbers to texts"
        )
    found: dict[str, Any] = {}
    for number, value in data["answers"].items():
        if not str(number).isdigit() or not 1 <= int(number) <= 59:
            raise source.error(("answers", number), f"question {number!r} does not exist; they are numbered 1 to 59")
        entry = {"text": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or set(entry) - set(FIELDS):
            raise source.error(("answers", number), "an answer is a text, or a mapping with text, by, date, evidence")
        if entry["text"].strip():
            found[str(int(number))] = {k: str(v) for k, v in entry.items() if v is not None}
    return found


__all__ = ["RecipeError", "load"]
