"""``verify``: recompute every digest and every sum that the lock states, and name each file that differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pilebuilder.build.lockfile import STATE
from pilebuilder.build.publish import LOCK, LOCK_FORMAT, found_public, lock_digest
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import Tally
from pilebuilder.task import digest_file

# Which stage hands its documents to which: what one keeps, the other must see.
FLOW = (("read", "filter"), ("filter", "dedup"))
PULLED = f"{STATE}/pulled.json"
"""In a corpus that was pulled: its lock's digest, and the groups of files that were not published or not asked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the lock says."""

    kind: Literal["missing", "corrupt", "unexpected", "unbalanced"]
    path: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}"


def verify(root: Path, on_file: Callable[[str], None] = lambda _: None, *, work: bool = True) -> list[Finding]:
    """Check a finished build against its lock; an empty list means that all is as it was built.

    Public files are always checked; in a corpus that was pulled, those that came with it. Files under ``work/`` are
    checked (unless `work` is false) as far as they are still there: the whole folder, or whole task folders, may have
    been deleted after success.
    """
    try:
        raw = (root / LOCK).read_bytes()
    except OSError as error:
        raise PilebuilderError(f"{root / LOCK} cannot be read ({error.strerror}); build the corpus first") from error
    try:
        lock = json.loads(raw)
        stated, computed = lock["digest"], lock_digest(lock)
    except (ValueError, KeyError, TypeError) as error:
        return [Finding("corrupt", LOCK, f"not a lock file ({error})")]
    if stated != computed:
        return [Finding("corrupt", LOCK, f"its digest is {computed[:16]}..., it states {str(stated)[:16]}...")]
    if lock["format"] != LOCK_FORMAT:
        raise PilebuilderError(f"{root / LOCK} has format {lock['format']}; this version reads {LOCK_FORMAT}")
    absent = absent_groups(root, stated)
    outputs = [e for e in lock["outputs"] if group(e["path"]) not in absent or (root / e["path"]).exists()]
    findings = list(_check_files(root, outputs, on_file))
    stated_names = {entry["path"] for entry in lock["outputs"]}
    for name in sorted(found_public(root) - stated_names):
        findings.append(Finding("unexpected", name, "the lock does not know this file"))
    known = {(_inode(root / e["path"]), e["sha256"]) for e in lock["outputs"]}
    for stage, entry in lock["stages"].items() if work else ():
        for task in entry["tasks"]:
            findings += _check_task(root, stage, task, known, on_file)
    return findings + list(_check_sums(lock["stages"]))


def group(path: str) -> str:
    """The group of public files that one belongs to: its first folder, or ``data`` for val and test."""
    return path.split("/")[0] if "/" in path else "data"


def absent_groups(root: Path, lock: str) -> set[str]:
    """Groups of the lock that a pull left out: ``ledger``, ``tokens``. Empty for a corpus that was built here."""
    try:
        pulled = json.loads((root / PULLED).read_bytes())
        return set(pulled["absent"]) if pulled["lock"] == lock else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _check_files(
    root: Path, entries: Iterable[Mapping[str, Any]], on_file: Callable[[str], None]
) -> Iterable[Finding]:
    for entry in entries:
        on_file(entry["path"])
        found = check_file(root / entry["path"], entry["sha256"], entry["bytes"])
        if found:
            yield Finding(found[0], entry["path"], found[1])


def check_file(path: Path, sha256: str, size: int) -> tuple[Literal["missing", "corrupt"], str] | None:
    """What is wrong with one file, if anything."""
    if not path.is_file():
        return "missing", f"{size:,} bytes expected"
    try:
        digest, found = digest_file(path)
    except OSError as error:
        return "corrupt", f"cannot be read ({error.strerror})"
    if found != size:
        return "corrupt", f"{found:,} bytes, {size:,} expected"
    if digest != sha256:
        return "corrupt", f"sha256 {digest[:16]}..., {sha256[:16]}... expected"
    return None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _check_task(
    root: Path, stage: str, task: Mapping[str, Any], known: set[Any], on_file: Callable[[str], None]
) -> list[Finding]:
    manifest = root / task["manifest"]
    if not manifest.parent.exists():
        return []  # deleted after success
    on_file(task["manifest"])
    if not manifest.is_file():
        return [Finding("missing", task["manifest"], f"manifest of task {stage}/{task['name']}")]
    if digest_file(manifest)[0] != task["sha256"]:
        return [Finding("corrupt", task["manifest"], f"manifest of task {stage}/{task['name']} was changed")]
    findings = []
    expected = {manifest.name}
    folder = manifest.parent
    for output in json.loads(manifest.read_bytes())["outputs"]:
        expected.add(output["path"])
        path = folder / output["path"]
        if (_inode(path), output["sha256"]) in known:
            continue  # the same file as a public one, checked above
        found = check_file(path, output["sha256"], output["bytes"])
        if found:
            findings.append(Finding(found[0], path.relative_to(root).as_posix(), found[1]))
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for name in sorted(present - expected):
        path = (folder / name).relative_to(root).as_posix()
        findings.append(Finding("unexpected", path, "no manifest names this file"))
    return findings


def _check_sums(stages: Mapping[str, Any]) -> Iterable[Finding]:
    """Conservation within each stage, and between stages."""
    tallies = {name: Tally.from_json(entry["tally"]) for name, entry in stages.items()}
    for stage, tally in tallies.items():
        for component, count in tally.items():
            if count.balance:
                yield Finding("unbalanced", LOCK, f"{stage}, {component}: {count.balance} documents unaccounted for")
    for giver, taker in FLOW:
        if giver not in tallies or taker not in tallies:
            continue
        for component, count in tallies[giver].items():
            seen = tallies[taker].of(component).seen
            if count.kept != seen:
                yield Finding(
                    "unbalanced", LOCK, f"{component}: {giver} kept {count.kept:,} documents, {taker} saw {seen:,}"
                )
