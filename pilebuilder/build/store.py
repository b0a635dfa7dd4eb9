"""The store: committed task outputs under ``work/``, and the protocol by which they come to exist.

A task writes into ``work/.tmp/<key>.<attempt>/``. To commit, each file is synced and digested, a manifest is written
beside them and synced, and the folder is renamed to ``work/<stage>/<key>/``: one atomic step, after which the parent
folder is synced. A folder without a manifest, and anything under ``.tmp``, does not exist for readers and is collected
by the next run that holds the lock.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pilebuilder.atomic import sync
from pilebuilder.errors import NoSpaceError, PilebuilderError
from pilebuilder.ledger import Tally
from pilebuilder.task import Artifact, Manifest, Task, Workspace, digest_file

MANIFEST = "manifest.json"
LEDGER = "ledger.parquet"
# Libraries that decide the bytes of what we write; their versions stand in each manifest, not in the key.
WRITERS = ("pilebuilder", "pyarrow", "zstandard")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the libraries that decide output bytes."""
    found = {}
    for name in WRITERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


class Store:
    """Committed outputs of one output folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"

    def folder(self, stage: str, key: str) -> Path:
        return self.work / stage / key[:32]

    def workspace(self, task: Task) -> Workspace:
        """A private, empty folder for one attempt of a task."""
        folder = self.work / ".tmp" / f"{task.key[:32]}.{uuid.uuid4().hex[:8]}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Workspace(root=self.root, folder=folder, stage=task.stage)

    def find(self, task: Task) -> Manifest | None:
        """The committed manifest of a task, if all its files are there with the right size."""
        folder = self.folder(task.stage, task.key)
        try:
            manifest = self.load(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError):
            return None  # a manifest that cannot be read commits nothing: the task runs again
        intact = manifest.key == task.key and all(self.intact(a) for a in manifest.outputs)
        return _named(manifest, task) if intact else None

    def intact(self, artifact: Artifact) -> bool:
        """Cheap check, made on every reuse: the file exists and has its size. `verify` checks digests."""
        try:
            return (self.root / artifact.path).stat().st_size == artifact.bytes
        except OSError:
            return False

    def load(self, folder: Path) -> Manifest:
        """Read a manifest; paths in it are relative to its folder."""
        data = json.loads((folder / MANIFEST).read_bytes())
        where = folder.relative_to(self.root).as_posix()
        outputs = tuple(Artifact(**{**a, "path": f"{where}/{a['path']}"}) for a in data["outputs"])
        return Manifest(
            key=data["key"],
            stage=data["stage"],
            name=data["name"],
            component=data["component"],
            outputs=outputs,
            tally=Tally.from_json(data["tally"]),
            facts=data["facts"],
            versions=data["versions"],
        )

    def commit(self, task: Task, work: Workspace) -> Manifest:
        """Check conservation, make the outputs durable, and let them exist."""
        work.tally.check(f"task {task.stage}/{task.name}")
        self._write_ledger(work)
        outputs = []
        for name, (kind, facts) in work.outputs.items():
            path = work.folder / name
            sync(path)
            held = work.digests.get(name)
            digest, size = (held, path.stat().st_size) if held else digest_file(path)
            outputs.append({"path": name, "sha256": digest, "bytes": size, "kind": kind, "facts": facts})
        _resolve_siblings(outputs)
        content: dict[str, Any] = {
            "key": task.key,
            "stage": task.stage,
            "name": task.name,
            "component": task.component,
            "outputs": outputs,
            "tally": work.tally.to_json(),
            "facts": work.facts,
            "versions": versions(),
        }
        (work.folder / MANIFEST).write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False))
        sync(work.folder / MANIFEST)
        for folder in {(work.folder / name).parent for name in work.outputs} | {work.folder}:
            sync(folder)
        final = self.folder(task.stage, task.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():  # damaged, or committed by another attempt: tasks are pure, so ours is as good
            shutil.rmtree(final)
        work.folder.rename(final)
        sync(final.parent)
        return _named(self.load(final), task)

    @staticmethod
    def _write_ledger(work: Workspace) -> None:
        from pilebuilder.partition import write_table

        rows = work.journal.table()
        if rows.num_rows:
            path = work.output(LEDGER, "ledger", rows=rows.num_rows)
            write_table(rows, path, level=3)

    def stale(self, live: set[Path]) -> Iterator[Path]:
        """Folders that no live manifest claims."""
        if (self.work / ".tmp").exists():
            yield from sorted((self.work / ".tmp").iterdir())
        for stage in sorted(self.work.iterdir()) if self.work.exists() else ():
            if stage.name != ".tmp" and stage.is_dir():
                yield from (folder for folder in sorted(stage.iterdir()) if folder not in live)

    def collect_attempts(self) -> None:
        """Remove what killed attempts left; only under the lock."""
        shutil.rmtree(self.work / ".tmp", ignore_errors=True)


def _resolve_siblings(outputs: list[dict[str, Any]]) -> None:
    """A fact ``"@name"`` means the digest of the sibling output of that name, known only now."""
    digests = {"@" + output["path"]: output["sha256"] for output in outputs}
    for output in outputs:
        output["facts"] = {k: digests.get(v, v) if isinstance(v, str) else v for k, v in output["facts"].items()}


def _named(manifest: Manifest, task: Task) -> Manifest:
    """The manifest under the name that the present plan gives the task (names are not part of the key)."""
    from dataclasses import replace

    return replace(manifest, name=task.name)


def explain_os_error(error: OSError, doing: str) -> PilebuilderError:
    """An OSError in words, with the remedy; a full disk or quota gets its own exit code."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(
            f"no space left while {doing}{where}; nothing half-written is visible."
            " Free space and run the same command again: it goes on where it stopped"
        )
    return PilebuilderError(f"{error.strerror or error} while {doing}{where}; check the folder's permissions and disk")


def link(source: Path, target: Path) -> None:
    """Give a committed file its public name, in one step: a hard link, or a copy where links do not work."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if target.samefile(source):
            return
    except FileNotFoundError:
        pass
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.copyfile(source, temporary)
        sync(temporary)
    temporary.rename(target)


def as_json(manifest: Manifest) -> Mapping[str, Any]:
    """What the lock keeps of a manifest: enough to check every file and every count."""
    return {
        "name": manifest.name,
        "key": manifest.key,
        "outputs": [
            {"path": a.path, "sha256": a.sha256, "bytes": a.bytes, "kind": a.kind, "public": a.facts.get("public")}
            for a in manifest.outputs
        ],
        "tally": manifest.tally.to_json(),
    }
