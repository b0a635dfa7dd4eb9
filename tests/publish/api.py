"""Routes about repositories: who asks, create, settings, references, tags, pull requests, checks of a card."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.publish.store import Account, Repo
from tests.publish.wire import Reply

if TYPE_CHECKING:
    from tests.publish.hub import Hub

ID = r"(?P<id>[^/]+/[^/]+?)"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
WHEN = "2026-01-01T00:00:00.000Z"


@dataclass
class Question:
    hub: Hub
    account: Account | None
    match: dict[str, str]
    query: dict[str, str]
    headers: Any
    body: bytes
    method: str

    def json(self) -> Any:
        return json.loads(self.body)


def readable(q: Question) -> Repo | Reply:
    """The repository, if this account may see it; a private one does not exist for others."""
    repo = q.hub.state.repos.get(q.match["id"])
    if repo is None or (repo.private and not _member(q.account, repo)):
        status = 404 if q.account else 401
        return Reply.error(status, "Repository not found", "RepoNotFound")
    return repo


def writable(q: Question, repo: Repo) -> Repo | Reply:
    if q.account is None:
        return Reply.error(401, "Invalid credentials")
    own_request = q.match.get("rev", "").startswith("refs/pr/")
    if q.account.role == "read" or not (_member(q.account, repo) or own_request):
        return Reply.error(403, "Forbidden: you don't have the rights required to perform this action")
    return repo


def _member(account: Account | None, repo: Repo) -> bool:
    return account is not None and repo.name.split("/")[0] in (account.name, *account.orgs)


def whoami(q: Question) -> Reply:
    if q.account is None:
        return Reply.error(401, "Invalid username or password.")
    a = q.account
    token = {"displayName": "t", "role": a.role}
    orgs = [{"type": "org", "name": name} for name in a.orgs]
    return Reply.of({"type": "user", "name": a.name, "orgs": orgs, "auth": {"type": "access_token",
                     "accessToken": token}})  # fmt: skip


def create(q: Question) -> Reply:
    wanted = q.json()
    if q.account is None:
        return Reply.error(401, "Invalid username or password.")
    space = wanted.get("organization") or q.account.name
    if not NAME.fullmatch(wanted["name"]):
        return Reply.error(400, "Invalid repository name")
    if q.account.role == "read" or space not in (q.account.name, *q.account.orgs):
        return Reply.error(403, f"You don't have the rights to create a dataset under the namespace {space!r}")
    name = f"{space}/{wanted['name']}"
    url = f"{q.hub.endpoint}/datasets/{name}"
    if name in q.hub.state.repos:
        return Reply.of({"error": "You already created this dataset repo", "url": url}, 409)
    private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
    q.hub.state.repos[name] = Repo(name, private)
    return Reply.of({"url": url, "name": name, "id": name})


def info(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    commit = repo.resolve(q.match.get("rev") or "main")
    if commit is None:
        return Reply.error(404, "Invalid rev id", "RevisionNotFound")
    siblings = [{"rfilename": path} for path in sorted(commit.files)]
    return Reply.of({"_id": "1", "id": repo.name, "author": repo.name.split("/")[0], "sha": commit.oid,
                     "private": repo.private, "gated": repo.gated, "disabled": False, "tags": [], "downloads": 0,
                     "likes": 0, "createdAt": WHEN, "lastModified": WHEN, "siblings": siblings,
                     "cardData": {}})  # fmt: skip


def settings(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    if isinstance(denied := writable(q, repo), Reply):
        return denied
    wanted = q.json()
    repo.gated = wanted.get("gated", repo.gated)
    if "visibility" in wanted:
        repo.private = wanted["visibility"] == "private"
    elif "private" in wanted:
        repo.private = wanted["private"]
    return Reply.of({"private": repo.private, "gated": repo.gated})


def refs(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo

    def of(prefix: str) -> list[dict[str, str]]:
        found = sorted((n, c) for n, c in repo.refs.items() if n.startswith(prefix))
        return [{"name": n.removeprefix(prefix), "ref": n, "targetCommit": c} for n, c in found]

    return Reply.of({"branches": of("refs/heads/"), "converts": [], "tags": of("refs/tags/"),
                     "pullRequests": of("refs/pr/")})  # fmt: skip


def add_ref(q: Question) -> Reply:
    """A tag (of a revision in the path) or a branch (from a revision in the body)."""
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    if isinstance(denied := writable(q, repo), Reply):
        return denied
    wanted = q.json() if q.body else {}
    if q.match["kind"] == "tag":
        name, start = f"refs/tags/{wanted['tag']}", q.match["rev"]
    else:
        name, start = f"refs/heads/{q.match['rev']}", wanted.get("startingPoint", "main")
    if name in repo.refs:
        return Reply.error(409, f"Reference {name} already exists")
    commit = repo.resolve(start)
    if commit is None:
        return Reply.error(404, "Invalid rev id", "RevisionNotFound")
    repo.refs[name] = commit.oid
    return Reply.of({})


def discussions(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    if q.method == "GET":
        return Reply.of({"discussions": repo.discussions, "count": len(repo.discussions), "start": 0})
    if q.account is None:
        return Reply.error(401, "Invalid credentials")
    wanted, number = q.json(), len(repo.discussions) + 1
    repo.discussions.append({"title": wanted["title"], "num": number, "author": {"name": q.account.name},
                             "createdAt": WHEN, "status": "draft", "isPullRequest": wanted["pullRequest"],
                             "repo": {"name": repo.name, "type": "dataset"}})  # fmt: skip
    repo.refs[f"refs/pr/{number}"] = repo.refs["refs/heads/main"]
    return Reply.of({"num": number})


def discussion(q: Question) -> Reply:
    repo = readable(q)
    if isinstance(repo, Reply):
        return repo
    found = repo.discussions[int(q.match["num"]) - 1]
    if q.method == "POST":
        found["status"] = q.json()["status"]
        event = {"id": "1", "type": "status-change", "createdAt": WHEN, "author": {"name": "me"},
                 "data": {"status": found["status"]}}  # fmt: skip
        return Reply.of({"newStatus": event})
    return Reply.of({**found, "events": [], "filesWithConflicts": [], "changes": {"base": "refs/heads/main"}})


def check_card(q: Question) -> Reply:
    """The Hub's own rules for the YAML of a dataset card, as far as we rely on them."""
    import yaml

    from tests.publish.cardrules import problems

    content = q.json()["content"]
    match = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
    data = yaml.safe_load(match[1]) if match else None
    errors = ["empty or missing yaml metadata in repo card"] if not data else problems(data)
    return Reply.of({"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200)


ROUTES: list[tuple[str, Callable[[Question], Reply]]] = [
    (r"GET /api/whoami-v2", whoami),
    (r"POST /api/repos/create", create),
    (r"POST /api/validate-yaml", check_card),
    (rf"GET /api/datasets/{ID}(?:/revision/(?P<rev>[^/]+))?", info),
    (rf"PUT /api/datasets/{ID}/settings", settings),
    (rf"GET /api/datasets/{ID}/refs", refs),
    (rf"POST /api/datasets/{ID}/(?P<kind>tag|branch)/(?P<rev>[^/]+)", add_ref),
    (rf"(?:GET|POST) /api/datasets/{ID}/discussions", discussions),
    (rf"(?:GET|POST) /api/datasets/{ID}/discussions/(?P<num>\d+)(?:/status)?", discussion),
]
