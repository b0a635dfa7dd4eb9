"""The public face of a finished build: shards, tokens, reports and ledger under their names, and ``corpus.lock``.

Public names are links to committed files, so they appear whole or not at all. The lock is written last: until then the
folder holds the previous lock, whose `verify` names what changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.atomic import sync, write_atomic
from pilebuilder.build.store import MANIFEST, link, versions
from pilebuilder.ledger import Tally
from pilebuilder.task import Artifact, Manifest, canonical, digest_file

if TYPE_CHECKING:
    from pilebuilder.build.run import Build

LOCK = "corpus.lock"
LOCK_FORMAT = 1
REACHED_BY = ("shard", "tokenize", "report")
"""Targets that leave something for a user: from the first stage that writes output files on."""
PUBLIC_FOLDERS = ("train", "tokens", "reports", "ledger")
PUBLIC_FILES = ("val.jsonl.zst", "test.jsonl.zst", "val.parquet", "test.parquet")


def publish(build: Build) -> None:
    """Link every public file, remove public files of an earlier recipe, write the lock, collect garbage.

    A run that stops at an earlier stage leaves a finished build alone when that holds the very same files.
    """
    public = public_files(build)
    if build.target != REACHED_BY[-1] and _held(build.root, public):
        return
    for name, artifact in public.items():
        link(build.root / artifact.path, build.root / name)
    for name in sorted(found_public(build.root) - set(public)):
        (build.root / name).unlink()
    for folder in {(build.root / name).parent for name in public}:
        sync(folder)
    lock = make_lock(build, public)
    write_atomic(build.root / LOCK, json.dumps(lock, indent=1, sort_keys=True, ensure_ascii=False).encode())
    live = {build.store.folder(m.stage, m.key) for m in _all(build)}
    for folder in build.store.stale(live):
        shutil.rmtree(folder, ignore_errors=True)


def _held(root: Path, public: Mapping[str, Artifact]) -> bool:
    """Whether the lock in the folder states all these files already."""
    try:
        lock = json.loads((root / LOCK).read_bytes())
        stated = {entry["path"]: entry["sha256"] for entry in lock["outputs"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(stated.get(name) == artifact.sha256 for name, artifact in public.items())


def public_files(build: Build) -> dict[str, Artifact]:
    """Public name -> committed file: what tasks declared public, the ledger, and the provenance of raw files."""
    found: dict[str, Artifact] = {}
    for manifest in _all(build):
        for artifact in manifest.outputs:
            name = artifact.facts.get("public")
            if name:
                assert name not in found, f"two tasks publish {name}"
                found[name] = artifact
    for stage in build.stages:
        for kind, stem in (("ledger", stage), ("provenance", "inventory")):
            for ordinal, artifact in enumerate(build.artifacts(stage, kind)):
                found[f"ledger/{stem}-{ordinal:05}.parquet"] = artifact
    return found


def found_public(root: Path) -> set[str]:
    """Files that lie in the public places now."""
    found = {name for name in PUBLIC_FILES if (root / name).is_file()}
    for folder in PUBLIC_FOLDERS:
        found |= {p.relative_to(root).as_posix() for p in (root / folder).rglob("*") if p.is_file()}
    return found


def _all(build: Build) -> Iterator[Manifest]:
    for stage in build.stages:
        yield from build.manifests(stage)


def make_lock(build: Build, public: Mapping[str, Artifact]) -> dict[str, Any]:
    """Everything that decides or proves the corpus, in one JSON object with a digest of itself."""
    recipe = build.recipe
    lock: dict[str, Any] = {
        "format": LOCK_FORMAT,
        "corpus": {"name": recipe.name, "title": recipe.head.title, "version": recipe.head.version},
        "recipe": {
            "digest": recipe.digest,
            "seed": recipe.seed,
            "components": {
                c.name: {
                    "card": hashlib.sha256(canonical(c.card.model_dump(mode="json")).encode()).hexdigest(),
                    "epochs": c.epochs,
                }
                for c in recipe.components
            },
            "stages": {s: v.model_dump(mode="json") if v is not None else None for s, v in recipe.stages.items()},
        },
        "versions": versions(),
        "stages": {stage: _stage(build, stage) for stage in build.stages},
        "outputs": [{"path": name, "sha256": a.sha256, "bytes": a.bytes} for name, a in sorted(public.items())],
    }
    lock["digest"] = lock_digest(lock)
    return lock


def _stage(build: Build, stage: str) -> dict[str, Any]:
    manifests = build.manifests(stage)
    return {
        "tasks": [
            {"name": m.name, "manifest": f"work/{stage}/{m.key[:32]}/{MANIFEST}", "sha256": _manifest_sha(build, m)}
            for m in manifests
        ],
        "tally": Tally.total([m.tally for m in manifests]).to_json(),
    }


def _manifest_sha(build: Build, manifest: Manifest) -> str:
    return digest_file(build.store.folder(manifest.stage, manifest.key) / MANIFEST)[0]


def lock_digest(lock: Mapping[str, Any]) -> str:
    """Digest of a lock without its own ``digest`` entry."""
    return hashlib.sha256(canonical({k: v for k, v in lock.items() if k != "digest"}).encode()).hexdigest()
