"""The report of a corpus that is already there: made elsewhere, half built, or built and stripped of its work folder.

What the folder holds decides what can be told. Documents are always read; losses, removal and duplicates need the
ledger of a build. Nothing is written into the folder: the report has one of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from pilebuilder import yamlfile
from pilebuilder.atomic import write_atomic
from pilebuilder.build.lockfile import STATE, RunLock
from pilebuilder.build.progress import Sink
from pilebuilder.build.publish import LOCK
from pilebuilder.build.run import Build, load_manifests
from pilebuilder.build.store import link
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.ledger import Tally
from pilebuilder.recipe import Recipe, resolve_recipe
from pilebuilder.report import corpus
from pilebuilder.report.lexicon import load as load_lexicon
from pilebuilder.task import Artifact, Manifest, digest_file

RECIPE = "recipe.yaml"
HEADER = """\
# Written by `pilebuilder report --corpus`: one component for each part of the corpus that the files name.
# Nobody could know licence, consent, languages and addresses: state them here, and run the same command again.
"""


class Described(Build):
    """A run of the report alone, over manifests that another run (or another tool) left."""

    def __init__(self, recipe: Recipe, out: Path, done: dict[str, list[Manifest]], workers: int, sink: Sink) -> None:
        super().__init__(recipe, out, target="report", workers=workers, sink=sink)
        self._done = done

    @property
    def stages(self) -> tuple[str, ...]:
        return ("report",)

    from_files = False
    """Whether documents were counted in the corpus's files, copies for epochs included."""

    def partitions(self) -> list[Artifact]:
        return self.artifacts("read", "partition") if self.from_files else super().partitions()

    def run_report(self) -> None:
        """Make the report, and give its files their names under ``reports/``."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with RunLock(self.root):
                self.store.collect_attempts()
                self._drive("report")
                public = {a.facts["public"]: a for m in self._done["report"] for a in m.outputs if "public" in a.facts}
                for name, artifact in public.items():
                    link(self.root / artifact.path, self.root / name)
        finally:
            self.close()

    def read(self, files: list[corpus.File], keys: corpus.Keys) -> list[Manifest]:
        """Documents of the files, as partitions."""
        from pilebuilder.build.progress import Meter

        self._meters["read"] = Meter()
        self.planned["read"] = []
        self._done["read"] = self._perform("read", corpus.tasks(files, self.recipe.name, keys))
        return self._done["read"]


def describe(
    folder: Path,
    out: Path | None,
    key: str | None,
    workers: int,
    sink: Sink,
    lexicon: Path | None = None,
    text: str | None = None,
) -> Path:
    """Report on the corpus in `folder`; returns the path of the index page. `lexicon` is a list of words to count.

    Raises `RecipeError` for a folder without documents, when the key of the component names too many, and for a list
    that is not one.
    """
    if not folder.is_dir():
        raise RecipeError(f"{folder}: no such folder")
    out = (out or folder.with_name(folder.name + "-report")).resolve()
    folder = folder.resolve()
    if out == folder:
        raise RecipeError(f"--out {out}: the report of a corpus goes into a folder of its own")
    if lexicon is not None:
        load_lexicon(lexicon, "--lexicon")
    done = load_manifests(folder)
    recipe = _recipe_of(folder) if done.get("read") else None
    if recipe is not None:
        build = Described(recipe, out, {s: [_absolute(m, folder) for m in done[s]] for s in done}, workers, sink)
    else:
        build = _from_files(folder, out, corpus.Keys(key, text), workers, sink)
    if lexicon is not None:
        config = build.recipe.stages["report"].model_copy(update={"lexicon": str(lexicon.resolve())})
        build.recipe = replace(build.recipe, stages={**build.recipe.stages, "report": config})
    build.run_report()
    return out / "reports" / "index.html"


def _recipe_of(folder: Path) -> Recipe | None:
    """The recipe of a build whose work is still there; None when it cannot be read any more."""
    from pilebuilder.recipe import load_recipe

    try:
        path = Path(json.loads((folder / STATE / "state.json").read_bytes())["recipe"])
        return load_recipe(path)
    except (OSError, ValueError, KeyError, PilebuilderError):
        return None


def _absolute(manifest: Manifest, folder: Path) -> Manifest:
    """The manifest with paths that hold outside its folder."""
    outputs = tuple(replace(a, path=str(folder / a.path)) for a in manifest.outputs)
    return replace(manifest, outputs=outputs)


def _from_files(folder: Path, out: Path, keys: corpus.Keys, workers: int, sink: Sink) -> Described:
    """Documents from the files; the rest from the lock and the ledger, where the folder has them."""
    files = corpus.find_files(folder, out)
    name = corpus.component_name(folder.name, "corpus")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).strip("._-") or "corpus"
    first = _implied(out, safe, folder, [])
    build = Described(first, out, {}, workers, sink)
    build.root.mkdir(parents=True, exist_ok=True)
    manifests = build.read(files, keys)
    tally = Tally.total([m.tally for m in manifests])
    if len(tally) > corpus.MOST_COMPONENTS:
        raise RecipeError(
            f"the files name {len(tally):,} components, more than {corpus.MOST_COMPONENTS}; name the key of the"
            " component with --component (dots go into nested objects)"
        )
    build.recipe = _implied(out, safe, folder, sorted(tally) or [name])
    held = _recorded(folder)
    held["read"] = [*_without_tally(manifests, held.get("read")), *held.get("read", ())]
    held["shard"] = [*held.get("shard", ()), _shards(manifests)]
    build._done, build.from_files = held, True
    return build


def _implied(out: Path, name: str, folder: Path, components: list[str]) -> Recipe:
    """The recipe that stands for the corpus; one that a person edited is taken as it is, with what it lacks."""
    path = out / RECIPE
    old: dict[str, Any] = yaml.safe_load(path.read_bytes()) if path.exists() else {}
    known = {c["name"]: c for c in old.get("components", ())}
    recipe = {"name": name, "mix": {"val": 0, "test": 0}, **old}
    recipe |= {"clean": [], "filter": [], "dedup": None, "tokenize": None}
    recipe["components"] = [
        known.get(c)
        or {
            "name": c,
            "fetch": {"local": {"path": str(folder)}},
            "read": "jsonl",
            "licence": {"text": "unknown"},
        }
        for c in components or known or [name]
    ]
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (HEADER + yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)).encode())
    return resolve_recipe(yamlfile.load(path))


def _without_tally(manifests: list[Manifest], recorded: list[Manifest] | None) -> list[Manifest]:
    """What was read just now counts as read only when no build counted before."""
    return [replace(m, tally=Tally()) for m in manifests] if recorded else manifests


def _recorded(folder: Path) -> dict[str, list[Manifest]]:
    """Counts and ledger files of a finished build whose work folder is gone, by stage."""
    try:
        lock = json.loads((folder / LOCK).read_bytes())
        tallies = {stage: Tally.from_json(held["tally"]) for stage, held in lock["stages"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    found = {}
    for stage, tally in tallies.items():
        if stage in ("report", "tokenize"):
            continue
        outputs = [
            Artifact(path=str(path), sha256=digest, bytes=size, kind="ledger")
            for path in sorted((folder / "ledger").glob(f"{stage}-*.parquet"))
            for digest, size in [digest_file(path)]
        ]
        found[stage] = [_manifest(stage, tuple(outputs), tally)]
    return found


def _manifest(stage: str, outputs: tuple[Artifact, ...], tally: Tally) -> Manifest:
    return Manifest(
        key="",
        stage=stage,
        name="recorded",
        component="",
        outputs=outputs,
        tally=tally,
        facts={},
        versions={},
    )


def _shards(manifests: list[Manifest]) -> Manifest:
    """The files that were read, as the shards of the corpus."""

    def files() -> Iterator[Artifact]:
        for manifest in manifests:
            facts = {k: manifest.facts[k] for k in ("split", "documents", "text_bytes")}
            digest, size = manifest.facts["sha256"], manifest.facts["bytes"]
            yield Artifact(
                path="", sha256=digest, bytes=size, kind="shard", facts={"public": manifest.facts["name"], **facts}
            )

    return _manifest("shard", tuple(files()), Tally())
