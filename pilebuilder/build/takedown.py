"""``takedown``: documents of a build that somebody wants out, put on the list that the recipe's next build goes by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.atomic import write_atomic
from pilebuilder.build.lockfile import STATE
from pilebuilder.build.run import load_manifests
from pilebuilder.card import data_folder
from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.partition import read_table
from pilebuilder.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "takedown.txt"
COLUMNS = ["id", "component", "url", "licence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which documents shall leave; each field adds to the others."""

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    """Addresses; scheme, ``www.``, fragment and final slash do not count."""
    licences: tuple[str, ...] = ()
    """Licence of the document, or, where it states none, of its component's card."""


@dataclass(slots=True)
class Answer:
    """What a takedown will do."""

    path: Path
    """The takedown list that was, or would be, written."""
    added: list[str] = field(default_factory=list)
    """Ids new on the list."""
    unknown: list[str] = field(default_factory=list)
    """Ids and addresses that no document of this build has."""
    sentences: list[str] = field(default_factory=list)
    """One for each document."""
    remedy: str = "build the recipe again to apply it"
    """What makes the list count."""


def takedown(root: Path, wanted: Wanted, *, dry_run: bool = False) -> Answer:
    """Find the documents, say what will happen to them, and add them to the recipe's takedown list.

    Nothing of the build changes: the next build of the recipe drops them with the reason ``takedown``, and everything
    behind them follows. Raises `PilebuilderError` when the folder holds no build, or its recipe has no dedup stage.
    """
    recipe = _recipe(root)
    section = recipe.stages["dedup"]
    if section is None:
        raise PilebuilderError(
            f"{recipe.path} turns dedup off, which honours takedowns; list the ids in a file and name it under"
            " `filter:` as `- optout: {hashes: [FILE]}`"
        )
    named = section.takedown
    answer = Answer(path=_list_file(recipe, root, named))
    found = _find(root, recipe, wanted, answer)
    _describe(root, found, answer, named.duplicates if named else "promote")
    held = answer.path.read_text(encoding="utf-8") if answer.path.is_file() else ""
    known = {line.partition("#")[0].strip().lower() for line in held.splitlines()}
    lines = [f"{row['id']}  # {row['component']}" for row in found if row["id"] not in known]
    answer.added = [line[:32] for line in lines]
    if named is None:
        answer.remedy = (
            f"{recipe.path} names no takedown list yet: put `takedown: {{list: {_as_named(recipe, answer.path)}}}`"
            " under its `dedup:` and build it again"
        )
    if lines and not dry_run:
        start = held if not held or held.endswith("\n") else held + "\n"
        write_atomic(answer.path, (start + "\n".join(lines) + "\n").encode())
    return answer


def _recipe(root: Path) -> Recipe:
    try:
        state = json.loads((root / STATE / "state.json").read_bytes())
    except (OSError, ValueError):
        raise PilebuilderError(f"{root} holds no build with its work folder; build the corpus first") from None
    return load_recipe(Path(state["recipe"]))


def _list_file(recipe: Recipe, root: Path, named: Any) -> Path:
    """The list that the recipe names; else one beside it, or, for a shipped recipe, in the output folder."""
    home = recipe.path.resolve().parent
    if named is not None:
        return home / str(named.list)
    return (root.resolve() if home == data_folder("pipelines") else home) / NAME


def _as_named(recipe: Recipe, path: Path) -> str:
    return path.name if path.parent == recipe.path.resolve().parent else str(path)


def _find(root: Path, recipe: Recipe, wanted: Wanted, answer: Answer) -> list[dict[str, Any]]:
    """Rows of `COLUMNS` of the wanted documents, in order of the build."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = sorted({i.strip().lower() for i in wanted.ids})
    for name in ids:
        if len(name) != 32 or set(name) - set("0123456789abcdef"):
            raise RecipeError(f"{name!r} is no document id (32 hex digits); `pilebuilder browse` shows them")
    licences = {c.name: c.card.licence.spdx or c.card.licence.text for c in recipe.components}
    addresses = _keys(pa.array(wanted.urls, pa.string()))
    found: list[dict[str, Any]] = []
    for path in _partitions(root):
        table = read_table(path, COLUMNS)
        mask = pc.is_in(table["id"], pa.array(ids, pa.string()))
        if wanted.urls:
            mask = pc.or_(mask, pc.is_in(_keys(table["url"]), addresses))
        if wanted.licences:
            of_card = pa.array([licences.get(c) for c in table["component"].to_pylist()], pa.string())
            own = pc.coalesce(table["licence"], of_card)
            mask = pc.or_(mask, pc.fill_null(pc.is_in(own, pa.array(wanted.licences, pa.string())), False))
        found += table.filter(mask).to_pylist()
    there = {row["id"] for row in found}
    answer.unknown = [i for i in ids if i not in there]
    urls = set(_keys(pa.array([row["url"] for row in found], pa.string())).to_pylist())
    answer.unknown += [u for u, k in zip(wanted.urls, addresses.to_pylist(), strict=True) if k not in urls]
    return found


def _keys(urls: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Addresses as dedup compares them (16 bytes each); null stays null."""
    import numpy as np
    import pyarrow as pa

    from pilebuilder.document import text_buffers
    from pilebuilder.kernels.minhash import url_keys

    whole = urls.combine_chunks() if isinstance(urls, pa.ChunkedArray) else urls
    keys = url_keys(*text_buffers(whole.fill_null("").cast(pa.large_string())))
    raw = pa.array([k.tobytes() for k in np.ascontiguousarray(keys)], pa.binary(16))
    return pa.compute.if_else(whole.is_valid(), raw, pa.scalar(None, raw.type))


def _partitions(root: Path) -> list[Path]:
    manifests = load_manifests(root)
    for stage in ("filter", "clean", "read"):
        files = [root / a.path for m in manifests.get(stage, ()) for a in m.of("partition")]
        if files and all(p.exists() for p in files):
            return files
    raise PilebuilderError(f"{root} has no documents: its work folder was deleted; build again, then take down")


def _describe(root: Path, found: list[dict[str, Any]], answer: Answer, policy: str) -> None:
    """What happens to each document and to the duplicates of it."""
    fate: dict[str, dict[str, Any]] = {}
    behind: dict[str, list[str]] = {}
    for manifest in load_manifests(root).get("dedup", ()):
        for artifact in manifest.of("removal"):
            for row in read_table(root / artifact.path, ["id", "duplicate_of", "reason"]).to_pylist():
                fate[row["id"]] = row
                if row["duplicate_of"]:
                    behind.setdefault(row["duplicate_of"], []).append(row["id"])
    for row in found:
        name, held = row["id"], fate.get(row["id"])
        where = f"{name} ({row['component']}" + (f", {row['url']})" if row["url"] else ")")
        if held is not None and held["duplicate_of"] is None:
            said = f"is out already ({held['reason']})"
        elif policy == "remove":
            head = held["duplicate_of"] if held else name
            others = [n for n in [head, *behind.get(head, ())] if n != name]
            said = "leaves" + (f", and its duplicates with it: {', '.join(others)}" if others else "; no duplicates")
        elif held is not None:
            said = f"is out already, as a duplicate of {held['duplicate_of']}, which stays unless it is named too"
        elif others := behind.get(name, []):
            said = f"leaves; the best of its {len(others)} duplicates comes back: {', '.join(others[:5])}"
        else:
            said = "leaves; no duplicates"
        answer.sentences.append(f"{where} {said}")
