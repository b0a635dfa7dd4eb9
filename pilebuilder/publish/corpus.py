"""A finished build as publishing sees it: its lock, its report's tables, its recipe where that is still at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pilebuilder.build.lockfile import STATE
from pilebuilder.build.publish import LOCK
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.ledger import Tally
from pilebuilder.publish.problem import PublishError
from pilebuilder.recipe import Recipe, find_recipe, load_recipe

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of splits in a build, and on the Hub."""


@dataclass(frozen=True)
class Corpus:
    """One output folder with a lock."""

    root: Path
    lock: Mapping[str, Any]
    recipe: Recipe | None = None
    """The recipe it was built from, if its digest is the lock's."""
    outputs: Mapping[str, tuple[str, int]] = field(init=False)
    """Path -> (sha256, bytes) of every public file, as the lock states them."""

    def __post_init__(self) -> None:
        outputs = {e["path"]: (e["sha256"], e["bytes"]) for e in self.lock["outputs"]}
        object.__setattr__(self, "outputs", outputs)

    @property
    def name(self) -> str:
        return str(self.lock["corpus"]["name"])

    @property
    def title(self) -> str:
        return str(self.lock["corpus"]["title"] or self.name)

    @property
    def version(self) -> str:
        return str(self.lock["corpus"]["version"])

    @property
    def digest(self) -> str:
        return str(self.lock["digest"])

    @cached_property
    def components(self) -> dict[str, str]:
        """Component -> name of its config, for those with documents in the shards."""
        return slugs([name for name, count in self.tally("shard").items() if count.kept])

    def tally(self, stage: str) -> Tally:
        return Tally.from_json(self.lock["stages"].get(stage, {}).get("tally", {}))

    def shards(self, split: str) -> list[str]:
        """Paths of a split's JSON-lines files, in order."""
        if split != "train":
            return [f"{split}.jsonl.zst"] if f"{split}.jsonl.zst" in self.outputs else []
        found = [p for p in self.outputs if p.startswith("train/") and p.endswith(".jsonl.zst")]
        return sorted(found, key=lambda p: (len(p), p))

    def columns(self, split: str) -> list[str]:
        """Paths of a split's Parquet files, where the build wrote any."""
        return [
            p for p in self.outputs if p == f"{split}.parquet" or (p.startswith(f"{split}/") and p[-8:] == ".parquet")
        ]

    def table(self, name: str) -> list[dict[str, Any]] | None:
        """Rows of one table of the report; None when the report has no such table."""
        try:
            rows = json.loads((self.root / "reports" / "tables" / f"{name}.json").read_bytes())["rows"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return list(rows)

    def paper(self, name: str) -> bytes:
        """A document that the report stage wrote for publication."""
        path = self.root / "reports" / "papers" / name
        try:
            return path.read_bytes()
        except OSError:
            raise PublishError(
                "no_report", f"{path} is missing: build the corpus to its report first (`pilebuilder build`)"
            ) from None

    def cards(self) -> dict[str, Any]:
        """Cards by component, from the recipe; empty when the recipe is not at hand."""
        return {c.name: c.card for c in self.recipe.components} if self.recipe else {}


def slugs(names: Sequence[str]) -> dict[str, str]:
    """Names of configs and folders: lower case, letters and digits, all different.

    >>> slugs(["Pile-CC", "Gutenberg (PG-19)", "pile cc"])
    {'Pile-CC': 'pile-cc', 'Gutenberg (PG-19)': 'gutenberg-pg-19', 'pile cc': 'pile-cc-2'}
    """
    found: dict[str, str] = {}
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "component"
        if base == "default":  # the name of the whole
            base = "default-component"
        slug, n = base, 2
        while slug in found.values():
            slug, n = f"{base}-{n}", n + 1
        found[name] = slug
    return found


def open_corpus(source: str, out: Path | None = None) -> Corpus:
    """The build that `source` means: an output folder, or a recipe (by path or shipped name) and its folder."""
    path = Path(source)
    if path.is_dir():
        lock = read_lock(path)
        return Corpus(path, lock, _recipe_of(path, lock))
    recipe = load_recipe(find_recipe(source))
    root = out or Path("corpus") / recipe.name
    if not (root / LOCK).exists():
        raise PublishError("not_built", f"{root} holds no finished build; run `pilebuilder build {source}` first")
    lock = read_lock(root)
    if lock["recipe"]["digest"] != recipe.digest:
        raise PublishError(
            "not_built",
            f"{root} was built from another state of {recipe.path}; run `pilebuilder build {source}` again,"
            f" or publish the folder as it is: `pilebuilder publish {root}`",
        )
    return Corpus(root, lock, recipe)


def read_lock(root: Path) -> dict[str, Any]:
    """The parsed lock of a folder."""
    try:
        lock = json.loads((root / LOCK).read_bytes())
        _ = (lock["digest"], lock["outputs"], lock["stages"], lock["corpus"]["name"], lock["recipe"]["digest"])
    except OSError as error:
        raise PublishError("not_built", f"{root / LOCK} cannot be read ({error.strerror}): build first") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError("lock", f"{root / LOCK} is not a lock file ({error!r}); build the corpus again") from None
    return dict(lock)


def _recipe_of(root: Path, lock: Mapping[str, Any]) -> Recipe | None:
    try:
        state = json.loads((root / STATE / "state.json").read_bytes())
        recipe = load_recipe(Path(state["recipe"]))
    except (OSError, ValueError, KeyError, TypeError, RecipeError, PilebuilderError):
        return None
    return recipe if recipe.digest == lock["recipe"]["digest"] else None
