"""Routes that move content: upload modes, LFS batch, commits, and files by revision."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.publish.api import ID, Question, readable, writable
from tests.publish.store import LFS_SIZE, LFS_SUFFIXES, Commit, Entry, Repo
from tests.publish.wire import Reply, ranged

if TYPE_CHECKING:
    from collections.abc import Callable


def preupload(q: Question) -> Reply:
    repo = readable(q)
    commit = repo.resolve(q.match["rev"]) if isinstance(repo, Repo) else None
    if isinstance(repo, Reply):
        return repo
    if commit is None:
        return Reply.error(404, "Invalid rev id", "RevisionNotFound")
    if isinstance(denied := writable(q, repo), Reply):
        return denied
    files = []
    for file in q.json()["files"]:
        path, held = file["path"], commit.files.get(file["path"])
        binary = b"\0" in base64.b64decode(file["sample"])
        lfs = path.endswith(LFS_SUFFIXES) or file["size"] > LFS_SIZE or binary
        oid = None if held is None else held.sha256 or held.oid
        files.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid})
    return Reply.of({"files": files, "commitOid": commit.oid})


def batch(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    hub, objects = q.hub, []
    for wanted in q.json()["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        answer = {"oid": oid, "size": size}
        if oid not in hub.state.objects:
            verify = {"href": f"{hub.verify_at or hub.endpoint}/api/verify/{q.match['id']}", "header": {}}
            if size > hub.multipart_over:
                count = math.ceil(size / hub.chunk)
                header = {f"{n:05}": f"{hub.storage}/part/{oid}/{n}?signature=s" for n in range(1, count + 1)}
                header["chunk_size"] = str(hub.chunk)
                upload = {"href": f"{hub.endpoint}/api/complete/{oid}", "header": header}
            else:
                upload = {"href": f"{hub.storage}/upload/{oid}?signature=s"}
            answer["actions"] = {"upload": upload, "verify": verify}
        objects.append(answer)
    return Reply.of({"transfer": "basic", "objects": objects})


def complete(q: Question) -> Reply:
    state, oid = q.hub.state, q.match["oid"]
    numbers = [part["partNumber"] for part in q.json()["parts"]]
    content = b"".join(state.parts[oid, n] for n in numbers)
    if hashlib.sha256(content).hexdigest() != oid:
        return Reply.error(400, "parts do not make the object that was announced")
    state.objects[oid] = content
    return Reply.of({"success": True})


def verify(q: Question) -> Reply:
    wanted = q.json()
    held = q.hub.state.objects.get(wanted["oid"])
    if held is None or len(held) != wanted["size"]:
        return Reply.error(422, "object is missing or has another size")
    return Reply.of({"success": True})


def commit(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    if isinstance(denied := writable(q, repo), Reply):
        return denied  # the author of a pull request may commit to its reference
    name = repo.ref_of(q.match["rev"])
    if name is None:
        return Reply.error(404, "Invalid rev id", "RevisionNotFound")
    lines = [json.loads(line) for line in q.body.splitlines() if line]
    header = lines[0]["value"]
    head = repo.commits[repo.refs[name]]
    if header.get("parentCommit") and header["parentCommit"] != head.oid:
        return Reply.error(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines[1:]:
        refused = _apply(q, files, line["key"], line["value"])
        if refused:
            return refused
    made = repo.commit_files(files, head.oid, header["summary"])
    repo.refs[name] = made.oid
    url = f"{q.hub.endpoint}/datasets/{repo.name}/commit/{made.oid}"
    return Reply.of({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def _apply(q: Question, files: dict[str, Entry], key: str, value: dict) -> Reply | None:
    path = value["path"]
    if key == "file":
        content = base64.b64decode(value["content"])
        files[path] = Entry(len(content), content)
    elif key == "lfsFile":
        held = q.hub.state.objects.get(value["oid"])
        if held is None or len(held) != value["size"]:
            return Reply.error(400, f"LFS object of {path} was never uploaded")
        files[path] = Entry(len(held), sha256=value["oid"])
    elif key == "deletedFile":
        if path not in files:
            return Reply.error(404, "A file with this name doesn't exist", "EntryNotFound")
        del files[path]
    else:
        return Reply.error(400, f"unknown operation {key}")
    return None


def _at(q: Question) -> tuple[Repo, Commit] | Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    found = repo.resolve(q.match["rev"])
    return (repo, found) if found else Reply.error(404, "Invalid rev id", "RevisionNotFound")


def _file(path: str, entry: Entry) -> dict:
    lfs = {"oid": entry.sha256, "size": entry.size, "pointerSize": 134} if entry.sha256 else None
    return {"type": "file", "path": path, "size": entry.size, "oid": entry.oid, **({"lfs": lfs} if lfs else {})}


def _folders(commit: Commit) -> set[str]:
    found = set()
    for path in commit.files:
        while "/" in path:
            path = path.rpartition("/")[0]
            found.add(path)
    return found


def tree(q: Question) -> Reply:
    at = _at(q)
    if isinstance(at, Reply):
        return at
    _, commit = at
    folder = q.match.get("path", "").strip("/")
    prefix = folder + "/" if folder else ""
    if folder and folder not in _folders(commit):
        return Reply.error(404, f"{folder} does not exist", "EntryNotFound")
    deep = q.query.get("recursive", "").lower() in ("true", "1")
    entries = [_file(p, e) for p, e in commit.files.items() if p.startswith(prefix)]
    entries += [
        {"type": "directory", "path": p, "size": 0, "oid": hashlib.sha1(p.encode()).hexdigest()}
        for p in _folders(commit)
        if p.startswith(prefix)
    ]
    shown = sorted((e for e in entries if deep or "/" not in e["path"][len(prefix) :]), key=lambda e: e["path"])
    start = int(q.query.get("cursor", "0"))
    page = shown[start : start + q.hub.page]
    reply = Reply.of(page)
    if start + len(page) < len(shown):
        base = f"{q.hub.endpoint}/api/datasets/{q.match['id']}/tree/{quote(q.match['rev'], safe='')}"
        where = f"{base}/{quote(folder)}" if folder else base
        deeply = "true" if deep else "false"
        reply.headers["Link"] = f'<{where}?recursive={deeply}&cursor={start + len(page)}>; rel="next"'
    return reply


def paths_info(q: Question) -> Reply:
    from urllib.parse import parse_qs

    at = _at(q)
    if isinstance(at, Reply):
        return at
    _, commit = at
    if "json" in (q.headers.get("content-type") or ""):
        paths = q.json()["paths"]
    else:
        paths = parse_qs(q.body.decode()).get("paths", [])
    folders = _folders(commit)
    found = [_file(p, commit.files[p]) for p in paths if p in commit.files]
    found += [{"type": "directory", "path": p, "size": 0, "oid": "0" * 40} for p in paths if p in folders]
    return Reply.of(found)


def resolve(q: Question) -> Reply:
    at = _at(q)
    if isinstance(at, Reply):
        return at
    _, commit = at
    entry = commit.files.get(q.match["path"])
    if entry is None:
        return Reply.error(404, "Entry not found", "EntryNotFound")
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{entry.oid}"'}
    if entry.sha256:
        headers |= {"X-Linked-Etag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
        return Reply(302, b"", {**headers, "Location": f"{q.hub.storage}/object/{entry.sha256}?signature=s"})
    return ranged(entry.content or b"", q.headers.get("range"), headers)


REV = r"(?P<rev>[^/]+)"
ROUTES: list[tuple[str, Callable[[Question], Reply]]] = [
    (rf"POST /api/datasets/{ID}/preupload/{REV}", preupload),
    (rf"POST /datasets/{ID}\.git/info/lfs/objects/batch", batch),
    (r"POST /api/complete/(?P<oid>[0-9a-f]{64})", complete),
    (rf"POST /api/verify/{ID}", verify),
    (rf"POST /api/datasets/{ID}/commit/{REV}", commit),
    (rf"GET /api/datasets/{ID}/tree/{REV}(?P<path>/.*)?", tree),
    (rf"POST /api/datasets/{ID}/paths-info/{REV}", paths_info),
    (rf"(?:GET|HEAD) /datasets/{ID}/resolve/{REV}/(?P<path>.+)", resolve),
]
