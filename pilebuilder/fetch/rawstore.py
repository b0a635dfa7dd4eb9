"""The shared store of raw files: content-addressed, one per machine, so that an item is fetched once for all corpora.

``objects/ab/<sha256>`` holds content, read-only; ``items/ab/<key>.json`` says which content an address had, when, and
with what evidence. A corpus links to an object; what no corpus links to any more can be collected.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pilebuilder.atomic import sync, write_atomic
from pilebuilder.fetch.base import Item
from pilebuilder.task import canonical, digest_file

STORE = "PILEBUILDER_STORE"
"""Environment variable that says where the shared store lies; the command's ``--store`` sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one fetched item, kept beside its content."""

    address: str
    sha256: str
    bytes: int
    time: str
    """When it was fetched, ISO 8601 in UTC. Stays in the store: builds do not depend on time."""
    final: str = ""
    """Address after redirects, when another."""
    etag: str = ""
    modified: str = ""
    type: str = ""
    licence: str = ""
    label: str = ""
    """The refresh label under which it was last confirmed."""
    facts: Mapping[str, Any] = field(default_factory=dict)


def default_root() -> Path:
    """The store's folder: ``PILEBUILDER_STORE``, else below the user's cache folder."""
    given = os.environ.get(STORE)
    if given:
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "pilebuilder" / "store"


def item_key(item: Item) -> str:
    """Digest of what makes an item the same item: its address and whatever versions it. Not its name."""
    content = [
        item.address,
        item.version,
        item.digest,
        *(item.extra.get(k) for k in ("_start", "_length", "_variant")),
    ]
    return hashlib.sha256(canonical(content).encode()).hexdigest()


class RawStore:
    """Objects, records and unfinished downloads below one folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def object(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256

    def record(self, key: str) -> Path:
        return self.root / "items" / key[:2] / f"{key}.json"

    def part(self, key: str) -> Path:
        """Where an unfinished download of an item grows; its notes lie beside it."""
        path = self.root / "parts" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextlib.contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Be the only process that fetches this item (or one of the few that share its lock file)."""
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / key[:3], os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def find(self, item: Item) -> Evidence | None:
        """The evidence of an item that was fetched before and whose content is still whole."""
        try:
            held = Evidence(**json.loads(self.record(item_key(item)).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        path = self.object(held.sha256)
        try:
            if path.stat().st_size != held.bytes or digest_file(path) != (held.sha256, held.bytes):
                path.unlink()  # damaged on disk: fetch again
                return None
        except OSError:
            return None
        return held

    def add(self, item: Item, part: Path, evidence: Evidence) -> None:
        """Make a finished download the content of an item: object first, then the record that names it."""
        target = self.object(evidence.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(part)
        part.chmod(0o444)
        part.rename(target)
        sync(target.parent)
        self.note(item, evidence)

    def note(self, item: Item, evidence: Evidence) -> None:
        """Write or renew the record of an item."""
        record = json.dumps(asdict(evidence), sort_keys=True, ensure_ascii=False)
        write_atomic(self.record(item_key(item)), record.encode())

    def place(self, evidence: Evidence, target: Path) -> None:
        """Give a corpus its own name for an object: a hard link, or a copy on another file system."""
        target.unlink(missing_ok=True)
        try:
            os.link(self.object(evidence.sha256), target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
                raise
            shutil.copyfile(self.object(evidence.sha256), target)

    # -- housekeeping

    def collect(self, now: float, unused_days: float = 30.0) -> dict[str, int]:
        """Remove objects that no corpus links to and parts that nobody continued, both older than so many days.

        Returns counts and bytes. Corpora on another file system hold copies, which the store does not see; removing an
        object then costs a later corpus a download, never a finished corpus its content.
        """
        limit = now - unused_days * 86400
        freed = {"objects": 0, "parts": 0, "records": 0, "bytes": 0}
        gone = set()
        for path in _files(self.root / "objects"):
            status = path.stat()
            if status.st_nlink == 1 and max(status.st_mtime, status.st_ctime) < limit:
                freed["objects"] += 1
                freed["bytes"] += status.st_size
                gone.add(path.name)
                path.unlink()
        for path in _files(self.root / "parts"):
            if path.stat().st_mtime < limit:
                freed["parts"] += path.suffix == ""
                freed["bytes"] += path.stat().st_size
                path.unlink()
        for path in _files(self.root / "items"):
            with contextlib.suppress(ValueError, OSError):
                if json.loads(path.read_bytes()).get("sha256") in gone:
                    freed["records"] += 1
                    path.unlink()
        return freed

    def size(self) -> tuple[int, int]:
        """Objects in the store, and their bytes."""
        sizes = [p.stat().st_size for p in _files(self.root / "objects")]
        return len(sizes), sum(sizes)


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(p for p in folder.rglob("*") if p.is_file()) if folder.exists() else ()
