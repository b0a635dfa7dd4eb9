"""Publishing to a bucket or a folder: each revision whole in a folder of its own, and an index that is written last.

``TARGET/v1.0/...`` holds the same files as a Hub repository; ``TARGET/index.json`` names the revisions and the latest,
and ``TARGET/index.html`` lists its files for a browser. Files that the latest revision has already are copied inside
the target and not sent. Every file is read back and compared by SHA-256 before the index names the revision: until
then no reader sees it.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pilebuilder.build.store import explain_os_error
from pilebuilder.publish import manifest as manifests
from pilebuilder.publish.hub import THREADS
from pilebuilder.publish.manifest import Item, Manifest
from pilebuilder.publish.patience import Patience
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.upload import Done, Finish, Snapshot
from pilebuilder.units import show_bytes

INDEX = "index.json"
LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)


class Shelf:
    """A folder or a prefix of a bucket, through fsspec."""

    def __init__(self, target: str, patience: Patience, say: Callable[[str], None]) -> None:
        self.target, self.patience, self.say = target, patience, say
        self.fs, self.root = connect(target)
        self.root = self.root.rstrip("/")

    def path(self, *parts: str) -> str:
        return "/".join((self.root, *parts))

    def call(self, what: str, work: Callable[[], Any]) -> Any:
        """Do it, patiently: any failure of a store may pass but those that name a lasting cause."""

        def once() -> Any:
            try:
                return work()
            except LASTING:
                raise
            except OSError as error:
                if error.errno is not None or "ACCESS_DENIED" in str(error) or "AccessDenied" in str(error):
                    raise
                raise ConnectionError(str(error)) from error

        try:
            return self.patience.run(what, once, self.say)
        except OSError as error:
            raise PublishError("disk", str(explain_os_error(error, f"{what} in {self.target}"))) from None

    def listing(self, folder: str) -> dict[str, int]:
        """Relative path -> bytes of every file below a folder."""

        def look() -> dict[str, int]:
            self.fs.invalidate_cache()
            try:
                found = self.fs.find(self.path(folder), detail=True)
            except FileNotFoundError:
                return {}
            base = self.fs._strip_protocol(self.path(folder)).rstrip("/") + "/"
            return {self.fs._strip_protocol(p).removeprefix(base): int(i["size"]) for p, i in found.items()}

        held: dict[str, int] = self.call("listing", look)
        return held

    def read(self, *parts: str) -> bytes | None:
        """A small file; None when it is not there."""

        def get() -> bytes | None:
            try:
                with self.fs.open(self.path(*parts), "rb") as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

        content: bytes | None = self.call(f"reading {parts[-1]}", get)
        return content

    def write(self, item: Item, *parts: str) -> None:
        """Send one file."""

        def put() -> None:
            self._parent(*parts)
            with item.open() as source, self.fs.open(self.path(*parts), "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)

        self.call(f"sending {item.path}", put)

    def copy(self, source: str, target: str) -> None:
        """Copy inside the target; a bucket does it by itself."""

        def work() -> None:
            self._parent(target)
            self.fs.copy(self.path(source), self.path(target))

        self.call(f"copying {target}", work)

    def _parent(self, *parts: str) -> None:
        if "file" in _protocols(self.fs):
            self.fs.makedirs(self.path(*parts).rpartition("/")[0], exist_ok=True)

    def digest(self, *parts: str) -> tuple[str, int]:
        """SHA-256 and size of a file as it can be read back."""

        def work() -> tuple[str, int]:
            found, size = hashlib.sha256(), 0
            with self.fs.open(self.path(*parts), "rb") as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
                    size += len(block)
            return found.hexdigest(), size

        result: tuple[str, int] = self.call(f"reading back {parts[-1]}", work)
        return result

    def index(self) -> dict[str, Any]:
        raw = self.read(INDEX)
        if raw is None:
            return {"format": 1, "latest": None, "revisions": []}
        try:
            found = json.loads(raw)
            assert isinstance(found["revisions"], list)
        except (ValueError, KeyError, TypeError, AssertionError):
            raise PublishError("bad_manifest", f"{self.target}/{INDEX} is not an index of pilebuilder") from None
        return dict(found)

    def manifest(self, revision: str) -> tuple[Manifest | None, str]:
        raw = self.read(revision, manifests.NAME)
        if raw is None:
            return None, ""
        log = self.read(revision, "CHANGELOG.md") or b""
        return Manifest.from_bytes(raw, f"{self.target}/{revision}/{manifests.NAME}"), log.decode()


def connect(target: str) -> tuple[Any, str]:
    """The file system of an address. S3 comes with pyarrow; other stores need fsspec's own package for them.

    Credentials come from the environment or the store's own configuration, never from the address.
    """
    import fsspec

    parts = urlsplit(target)
    if parts.username or parts.password:
        raise PublishError("refused", f"{target}: leave credentials out of the address; set them in the environment")
    try:
        if parts.scheme == "s3":
            return _s3(), f"{parts.netloc}{parts.path}".rstrip("/")
        fs, root = fsspec.url_to_fs(target)
    except ImportError as error:
        raise PublishError("refused", f"{target}: {error}; install that package and try again") from None
    except ValueError as error:
        raise PublishError("bad_name", f"{target}: {error}") from None
    return fs, str(root)


def _s3() -> Any:
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    parts = urlsplit(endpoint)
    given = {"endpoint_override": parts.netloc, "scheme": parts.scheme} if parts.netloc else {}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return ArrowFSWrapper(S3FileSystem(**given, **({"region": region} if region else {})))


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def publish(
    target: str,
    revision: str,
    finish: Finish,
    *,
    patience: Patience,
    say: Callable[[str], None],
    delete_stray: bool = False,
) -> Done:
    """Make ``TARGET/REVISION`` hold the snapshot, verified, and then let the index name it."""
    try:
        manifests.safe(revision)
    except ValueError as error:
        raise PublishError("bad_name", f"the tag {error}") from None
    shelf = Shelf(target, patience, say)
    index = shelf.index()
    latest = index["latest"]
    before, log = shelf.manifest(latest) if latest else (None, "")
    snapshot = finish(before, log)
    entry = next((r for r in index["revisions"] if r["revision"] == revision), None)
    if entry and entry["lock"] != snapshot.manifest.lock:
        raise PublishError(
            "tag_taken",
            f"{target}/{revision} holds another corpus (lock {entry['lock'][:16]}); raise `version:` in the recipe and"
            " build, or give another --tag",
        )
    sent, wrong = _fill(shelf, revision, snapshot, before if latest != revision else None, latest)
    if wrong:
        raise PublishError("diverged", f"{target}/{revision} is not as the manifest says: {'; '.join(wrong[:8])}")
    stray = sorted(shelf.listing(revision).keys() - snapshot.files.keys())
    if delete_stray and stray:
        shelf.call("removing stray files", lambda: [shelf.fs.rm_file(shelf.path(revision, p)) for p in stray])
    _write_index(shelf, index, revision, snapshot)
    return Done(
        url=target, revision=revision, commit=snapshot.manifest.lock, files=len(snapshot.files),
        bytes=sum(i.size for i in snapshot.files.values()), sent=len(sent), sent_bytes=sum(i.size for i in sent),
        removed=len(stray) if delete_stray else 0, stray=[] if delete_stray else stray, tag=revision,
        manifest=snapshot.manifest, earlier=before.corpus["version"] if before and latest != revision else None,
    )  # fmt: skip


def _fill(
    shelf: Shelf, revision: str, snapshot: Snapshot, before: Manifest | None, latest: str | None
) -> tuple[list[Item], list[str]]:
    """Bring every file, then read all of them back; what is wrong is sent once more. The manifest comes last."""
    held = shelf.listing(revision)
    items = [i for p, i in sorted(snapshot.files.items()) if p != manifests.NAME]
    missing = [item for item in items if held.get(item.path) != item.size]
    known = {p: i.sha256 for p, i in before.files.items()} if before else {}
    sent = [item for item in missing if known.get(item.path) != item.sha256]
    total, done = sum(i.size for i in sent), 0
    for item in missing:
        if known.get(item.path) == item.sha256:
            shelf.copy(f"{latest}/{item.path}", f"{revision}/{item.path}")
        else:
            shelf.write(item, revision, item.path)
            done += item.size
            if item.size > 64 << 20:
                shelf.say(f"sent {show_bytes(done)} of {show_bytes(total)}")
    for again in _wrong(shelf, revision, items):
        shelf.write(again, revision, again.path)
        sent.append(again)
    last = snapshot.files[manifests.NAME]
    shelf.write(last, revision, manifests.NAME)
    wrong = _wrong(shelf, revision, [*(i for i in items if i in sent), last])
    return sent, [f"{item.path} has other content" for item in wrong]


def _wrong(shelf: Shelf, revision: str, items: Sequence[Item]) -> list[Item]:
    """Files whose content, read back, is not the item's."""

    def check(item: Item) -> bool:
        try:
            return shelf.digest(revision, item.path) != (item.sha256, item.size)
        except PublishError:
            return True

    with ThreadPoolExecutor(THREADS) as pool:
        return [item for item, bad in zip(items, pool.map(check, items), strict=True) if bad]


def _write_index(shelf: Shelf, index: dict[str, Any], revision: str, snapshot: Snapshot) -> None:
    """The step that makes a revision visible; the page first, so that the index never names what no page lists."""
    manifest = snapshot.manifest
    entry = {
        "revision": revision,
        "version": manifest.corpus["version"],
        "lock": manifest.lock,
        "files": len(snapshot.files),
        "bytes": sum(i.size for i in snapshot.files.values()),
    }
    others = [r for r in index["revisions"] if r["revision"] != revision]
    found = {"format": 1, "name": manifest.corpus["name"], "latest": revision, "revisions": [*others, entry]}
    shelf.write(manifests.made("index.html", _page(found, snapshot).encode()), "index.html")
    shelf.write(manifests.made(INDEX, (json.dumps(found, indent=1) + "\n").encode()), INDEX)


def _page(index: dict[str, Any], snapshot: Snapshot) -> str:
    """A page that opens from anywhere: revisions, and the files of the latest with size and digest."""
    revision, title = index["latest"], html.escape(snapshot.manifest.corpus["title"] or index["name"])
    rows = [
        f'<tr><td><a href="{quote(f"{revision}/{path}")}">{html.escape(path)}</a></td>'
        f"<td>{item.size:,}</td><td><code>{item.sha256}</code></td></tr>"
        for path, item in sorted(snapshot.files.items())
    ]
    versions = ", ".join(
        f'<a href="{quote(r["revision"])}/{manifests.NAME}">{html.escape(r["revision"])}</a>'
        for r in reversed(index["revisions"])
    )
    report = f'<a href="{quote(revision)}/reports/index.html">Report</a>, ' if _has_report(snapshot) else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n'
        f"<p>{html.escape(revision)}, lock <code>{snapshot.manifest.lock}</code>. {report}revisions: {versions}.</p>\n"
        "<table><thead><tr><th>File</th><th>Bytes</th><th>SHA-256</th></tr></thead><tbody>\n"
        + "\n".join(rows)
        + "\n</tbody></table>\n</html>\n"
    )


def _has_report(snapshot: Snapshot) -> bool:
    return "reports/index.html" in snapshot.files


class ShelfSource:
    """A revision in a bucket or folder, for `pull`."""

    def __init__(self, target: str, revision: str | None, say: Callable[[str], None], patience: Patience) -> None:
        self.shelf, self.name = Shelf(target, patience, say), target
        index = self.shelf.index()
        chosen = revision or index["latest"]
        if chosen is None or chosen not in [r["revision"] for r in index["revisions"]]:
            known = ", ".join(r["revision"] for r in index["revisions"]) or "none"
            raise PublishError("not_found", f"{target} has no revision {chosen or ''}; there are: {known}")
        self.revision = str(chosen)

    def small(self, path: str) -> bytes:
        content = self.shelf.read(self.revision, path)
        if content is None:
            raise PublishError("bad_manifest", f"{self.name}/{self.revision} holds no {path}")
        return content

    def fetch(self, item: Item, folder: Path) -> Path:
        target = folder / item.path

        def get() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                self.shelf.fs.open(self.shelf.path(self.revision, item.path), "rb") as source,
                target.open("wb") as out,
            ):
                shutil.copyfileobj(source, out, 1 << 20)

        self.shelf.call(f"fetching {item.path}", get)
        return target
