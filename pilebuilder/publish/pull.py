"""``pull``: a published corpus comes back, is compared with its manifest and its lock, and is a folder like any other.

Files are fetched into ``.pilebuilder/pull`` of the target folder and take their names once their digests are right; a
killed run goes on with what is missing. Only what the lock knows is brought, not the files per component: the shards
hold the same lines. On request those come too, with a recipe that reads them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pilebuilder.atomic import sync, write_atomic
from pilebuilder.build.lockfile import STATE, RunLock
from pilebuilder.build.publish import LOCK, lock_digest
from pilebuilder.build.store import explain_os_error
from pilebuilder.build.verify import PULLED, check_file, group, verify
from pilebuilder.digest import digest_file
from pilebuilder.publish import manifest as manifests
from pilebuilder.publish import onward
from pilebuilder.publish.corpus import read_lock
from pilebuilder.publish.hub import THREADS, Hub
from pilebuilder.publish.manifest import Item, Manifest
from pilebuilder.publish.patience import Patience
from pilebuilder.publish.problem import PublishError
from pilebuilder.units import show_bytes

PIECES = ("data/", "parquet/")
"""Folders of files that hold the lines of the shards once more."""


class Source(Protocol):
    """Where published files are: a revision on a Hub, or a bucket or folder."""

    name: str
    revision: str

    def small(self, path: str) -> bytes:
        """A small file's content."""

    def fetch(self, item: Item, folder: Path) -> Path:
        """Bring a file into a folder; it may go on with a part that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull brought."""

    folder: Path
    revision: str
    files: int
    bytes: int
    fetched: int
    fetched_bytes: int
    absent: list[str]
    lock: str


class HubSource:
    """A revision of a dataset repository; the commit is settled once."""

    def __init__(self, repo: str, revision: str, say: Callable[[str], None], patience: Patience) -> None:
        self.hub = Hub(repo, say, patience=patience, anonymous=True)
        head = self.hub.head(revision)
        if head is None:
            raise PublishError("not_found", f"{repo} is not there, or needs a token that may see it")
        self.name, self.revision, self.head = repo, head.commit, head

    def small(self, path: str) -> bytes:
        if path not in self.head.files:
            raise PublishError(
                "bad_manifest", f"{self.name} holds no {path}: it was not published by pilebuilder, or not whole"
            )
        return self.hub.read(path, self.revision)

    def fetch(self, item: Item, folder: Path) -> Path:
        def get() -> str:
            return str(
                self.hub.api.hf_hub_download(
                    self.name, item.path, repo_type="dataset", revision=self.revision, local_dir=folder
                )
            )

        return Path(self.hub.call(f"fetching {item.path}", get))


def pull(
    source: Source,
    folder: Path,
    *,
    say: Callable[[str], None] = lambda _: None,
    components: bool = False,
    skip: Sequence[str] = (),
) -> Pulled:
    """Bring a corpus into `folder`, verified; `skip` names groups (ledger, tokens, reports) to leave out.

    Raises `PublishError` ``diverged`` when a file is not what the manifest says, ``lock`` when the manifest and the
    lock disagree, ``refused`` when the folder holds another corpus.
    """
    manifest = Manifest.from_bytes(source.small(manifests.NAME), f"{source.name}/{manifests.NAME}")
    wanted = [
        item
        for item in manifest.files.values()
        if group(item.of or item.path) not in skip and (components or not item.path.startswith(PIECES))
    ]
    refuse_other(folder, manifest)
    folder.mkdir(parents=True, exist_ok=True)
    outputs = _outputs(source, manifest)
    with RunLock(folder):
        try:
            missing = [item for item in wanted if not _there(folder, item, outputs)]
            say(f"{len(missing):,} of {len(wanted):,} files to fetch, {show_bytes(sum(i.size for i in missing))}")
            wholes = _wholes(missing, manifest)
            lock_last = wholes.pop(LOCK, None)
            _fetch(source, folder, wholes, say)
            _mark(folder, manifest, skip)
            if lock_last:
                _bring(source, folder, LOCK, lock_last)  # until now the folder did not claim to be whole
        except OSError as error:
            raise explain_os_error(error, "pulling") from None
        shutil.rmtree(folder / STATE / "pull", ignore_errors=True)
        _verify(folder, manifest)
    lock = read_lock(folder)
    text = onward.recipe(folder, manifest, lock)
    if text is not None and not (folder / onward.NAME).exists():
        write_atomic(folder / onward.NAME, text.encode())
    return Pulled(
        folder=folder,
        revision=source.revision,
        files=len(wanted),
        bytes=sum(item.size for item in wanted),
        fetched=len(missing),
        fetched_bytes=sum(item.size for item in missing),
        absent=_absent(manifest, skip),
        lock=str(lock["digest"]),
    )


def refuse_other(folder: Path, manifest: Manifest) -> None:
    """A folder with another corpus in it is not written over, unless that was pulled too (then it is brought up)."""
    if not (folder / LOCK).exists() or (folder / PULLED).exists():
        return
    if read_lock(folder)["digest"] != manifest.lock:
        raise PublishError("refused", f"{folder} holds another corpus that was built here; give another folder")


def _outputs(source: Source, manifest: Manifest) -> dict[str, tuple[str, int]]:
    """Digest and size of the lock's files, for those that were published in parts."""
    try:
        lock = json.loads(source.small(LOCK))
        if lock_digest(lock) != manifest.lock:
            raise PublishError("lock", f"{source.name}: corpus.lock is not the one that the manifest names")
        return {manifests.safe(e["path"]): (str(e["sha256"]), int(e["bytes"])) for e in lock["outputs"]}
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError("lock", f"{source.name}: corpus.lock cannot be read ({error!r})") from None


def _there(folder: Path, item: Item, outputs: dict[str, tuple[str, int]]) -> bool:
    """Whether the file, or the whole that it is a part of, lies in the folder already."""
    if not item.of:
        return check_file(folder / item.path, item.sha256, item.size) is None
    return item.of in outputs and check_file(folder / item.of, *outputs[item.of]) is None


def _wholes(missing: Sequence[Item], manifest: Manifest) -> dict[str, list[Item]]:
    """Files to make: path -> itself, or all its parts in order."""
    found: dict[str, list[Item]] = {}
    for item in missing:
        if not item.of:
            found[item.path] = [item]
        elif item.of not in found:
            found[item.of] = sorted((i for i in manifest.files.values() if i.of == item.of), key=lambda i: i.path)
    return found


def _fetch(source: Source, folder: Path, wholes: dict[str, list[Item]], say: Callable[[str], None]) -> None:
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [pool.submit(_bring, source, folder, path, parts) for path, parts in sorted(wholes.items())]
        try:
            for job in jobs:
                job.result()
                done += 1
                if done % 50 == 0 or done == len(jobs):
                    say(f"fetched {done:,} of {len(jobs):,} files")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _bring(source: Source, folder: Path, path: str, parts: Sequence[Item]) -> None:
    """Fetch a file (or its parts, put together), check each digest, give it its name."""
    held, target = folder / STATE / "pull", folder / path
    files = [_checked(source, held, item) for item in parts]
    target.parent.mkdir(parents=True, exist_ok=True)
    if len(files) > 1:
        whole = held / f"{hashlib.sha256(path.encode()).hexdigest()[:16]}.whole"
        with whole.open("wb") as out:
            for file in files:
                with file.open("rb") as stream:
                    shutil.copyfileobj(stream, out, 1 << 20)
        for file in files:
            file.unlink()
        files = [whole]
    sync(files[0])
    files[0].replace(target)


def _checked(source: Source, held: Path, item: Item) -> Path:
    """One fetched file with the right digest; a wrong one is fetched once more before it is an error."""
    for last in (False, True):
        path = source.fetch(item, held)
        digest, size = digest_file(path)
        if (digest, size) == (item.sha256, item.size):
            return path
        path.unlink()
        if last:
            raise PublishError(
                "diverged",
                f"{source.name}: {item.path} has {size:,} bytes and sha256 {digest[:16]}..., the manifest says"
                f" {item.size:,} and {item.sha256[:16]}...; the publication is damaged",
            )
    raise AssertionError("unreachable")


def _absent(manifest: Manifest, skip: Sequence[str]) -> list[str]:
    return sorted({*manifest.absent, *skip})


def _mark(folder: Path, manifest: Manifest, skip: Sequence[str]) -> None:
    """Say what was left out, and remove what an earlier version of the corpus had and this one has not."""
    marker = folder / PULLED
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(marker.read_bytes())
    files = sorted({item.of or path for path, item in manifest.files.items()})
    for path in before.get("files", []):
        if path not in files:
            (folder / manifests.safe(path)).unlink(missing_ok=True)
    found = {"lock": manifest.lock, "absent": _absent(manifest, skip), "files": files}
    write_atomic(marker, json.dumps(found, indent=1).encode())


def _verify(folder: Path, manifest: Manifest) -> None:
    """The lock is the one that the manifest names, and every file is as the lock says."""
    lock = read_lock(folder)
    if lock["digest"] != manifest.lock or lock_digest(lock) != manifest.lock:
        raise PublishError(
            "lock", f"{folder / LOCK} has digest {str(lock['digest'])[:16]}, the manifest says {manifest.lock[:16]}"
        )
    findings = verify(folder, work=False)
    if findings and "lock" not in manifest.accepted:
        more = f" ({len(findings)} in all)" if len(findings) > 1 else ""
        raise PublishError("lock", f"the published corpus is not as its lock says: {findings[0]}{more}")
