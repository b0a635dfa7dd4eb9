"""What the verbs of ``pilebuilder train`` do: find corpus and settings, call the core, print, return an exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pilebuilder import train
from pilebuilder.errors import EXIT_DONE, EXIT_INTERRUPTED, RecipeError
from pilebuilder.recipe import find_recipe, load_recipe
from pilebuilder.train.config import TrainConfig, merged
from pilebuilder.train.progress import shown

CORPORA = Path("corpus")
"""Where builds lie unless told otherwise, by name of the recipe."""

FIRST = "mini"
"""The preset when neither the command nor the recipe says anything: the one that a laptop can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a command asks for: a built corpus, settings, and the folder of the run."""

    corpus: Path
    config: TrainConfig
    out: Path


def wanted(
    source: str, out: Path | None, preset: str | None, depth: int | None, tokens: str | None, settings: Sequence[str]
) -> Wanted:
    """Resolve a recipe's name or path, or the folder of a build, and the options of a command.

    Settings come from `preset` or `depth`, else from the recipe's ``train:`` section, else from the preset ``mini``;
    `tokens` and then `settings` (``optimizer.lr=1e-3``) change them. The run lies in ``CORPUS/runs/NAME`` unless
    `out` is given.
    """
    corpus, section = _corpus(source)
    start = {key: value for key, value in (("preset", preset), ("depth", depth)) if value is not None}
    if start or section is None:
        content, name = start or {"preset": FIRST}, preset or (f"depth-{depth}" if depth else FIRST)
    else:
        content, name = section.model_dump(), "recipe"
    if tokens is not None:
        content = {**content, "tokens": tokens}
    for text in settings:
        content = merged(content, _setting(text))
    return Wanted(corpus=corpus, config=TrainConfig.parse(content), out=out or corpus / "runs" / name)


def run(asked: Wanted, as_json: bool) -> int:
    """Train or resume, with live progress from the first process."""
    first = os.environ.get("RANK", "0") == "0"
    with shown(asked.config.steps, as_json=as_json) if first else nullcontext() as watch:
        outcome = train.run(asked.corpus, asked.out, asked.config, progress=watch)
    code = EXIT_DONE if outcome.finished else EXIT_INTERRUPTED
    from pilebuilder.train import parallel  # loads torch, as the run did

    if parallel.World().size > 1:
        parallel.leave(code)
    return code


def show_plan(asked: Wanted, as_json: bool) -> int:
    """Print what a run would take."""
    plan = train.plan(asked.corpus, asked.config)
    print(json.dumps(plan.as_json(), indent=1) if as_json else plan.text())
    return EXIT_DONE


def show_trace(folder: Path, step: int | None, batch: int | None, as_json: bool) -> int:
    """Print the documents in the batch of a step of a run, or of a batch by number."""
    if (step is None) == (batch is None):
        raise RecipeError("give one of --step and --batch")
    corpus = train.corpus_of(folder)
    number = train.batch_of(folder, step) if step is not None else batch
    assert number is not None
    for t in train.trace(corpus, TrainConfig.load(folder / "config.json"), number):
        fields = (t.row, t.component, t.id, t.shard, t.document, t.tokens)
        print(json.dumps(t.as_json()) if as_json else "\t".join(map(str, fields)))
    return EXIT_DONE


def _corpus(source: str) -> tuple[Path, TrainConfig | None]:
    """The folder of the build, and the settings of its recipe when it was named by that."""
    if Path(source).is_dir():
        return Path(source), None
    recipe = load_recipe(find_recipe(source))
    corpus = CORPORA / recipe.name
    if not (corpus / "tokens").is_dir():
        raise RecipeError(f"{corpus} is not built; run: pilebuilder build {source}")
    return corpus, recipe.sections.get("train")


def _setting(text: str) -> dict[str, Any]:
    """``a.b=1`` as {"a": {"b": 1}}; the value is read as YAML."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RecipeError(f"--set {text!r}: write NAME=VALUE, for example optimizer.lr=1e-3")
    content: Any = yaml.safe_load(value)
    for part in reversed(name.strip().split(".")):
        content = {part: content}
    return dict(content)
