"""What can go wrong on the way to a Hub: after each, the listing is the manifest, or the failure has its name."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.publish import hub as clients
from pilebuilder.publish.problem import PublishError
from tests.publish import small
from tests.publish.driving import REPO, Waits, assert_whole, child, publish, use
from tests.publish.faults import Fault
from tests.publish.hub import Hub
from tests.publish.store import Entry, Repo

COMMIT, BATCH, PUT, PRE = "POST .*/commit/", "POST .*objects/batch", "PUT /upload/", "POST .*/preupload/"


@dataclass
class Scene:
    """One scenario: trouble to make, and how it must end."""

    faults: list[Fault] = field(default_factory=list)
    ends: str | None = None
    """The name of the failure; None: it ends well."""
    hub: dict[str, Any] = field(default_factory=dict)
    """Settings of the Hub."""
    waited: float = 0.0
    """At least one wait must be so long."""
    commits: int = 1
    """Commits of ours at the end."""


BAD = b"<html>Bad gateway</html>"
SCENES = {
    "nothing goes wrong": Scene(),
    "large files go in parts": Scene(hub={"multipart_over": 64, "chunk": 700}),
    "the listing comes in pages": Scene(hub={"page": 3}),
    "429 with Retry-After before uploading": Scene([Fault(BATCH, 429, {"Retry-After": "7"})], waited=7),
    "429 with Retry-After for the commit": Scene([Fault(COMMIT, 429, {"Retry-After": "9"}, times=2)], waited=9),
    "429 with a date for the commit": Scene(
        [Fault(COMMIT, 429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})], waited=0
    ),
    "429 for the tag": Scene([Fault("POST .*/tag/", 429, {"Retry-After": "3"})], waited=3),
    "503 when asked who": Scene([Fault("whoami", 503)]),
    "503 when creating": Scene([Fault("POST .*repos/create", 503)]),
    "503 before uploading": Scene([Fault(PRE, 503, times=3)]),
    "503 while uploading": Scene([Fault(PUT, 503, times=3)]),
    "an address to upload to has expired": Scene([Fault(PUT, 403)]),
    "503 from the check after an upload": Scene([Fault("POST .*/verify/", 503)]),
    "503 for the commit": Scene([Fault(COMMIT, 503, times=2)]),
    "503 for the listing": Scene([Fault("GET .*/tree/", 503, times=2)]),
    "503 for ever": Scene([Fault(COMMIT, 503, times=99)], ends="gave_up", commits=0),
    "500 and 502 in turn": Scene([Fault(PUT, 500), Fault(PUT, 502), Fault(COMMIT, 502)]),
    "a proxy's page instead of an answer": Scene([Fault("validate-yaml", 502, body=BAD, headers={"Content-Type": "text/html"})]),
    "reset in the middle of an upload": Scene([Fault(PUT, reset=True, after=64, times=2)]),
    "reset in the middle of a part": Scene(
        [Fault("PUT /part/", reset=True, after=64, times=2)], hub={"multipart_over": 64, "chunk": 700}
    ),
    "reset in the middle of the commit": Scene([Fault(COMMIT, reset=True, after=200)]),
    "an upload's answer is lost": Scene([Fault(PUT, silent=True)]),
    "the commit's answer is lost": Scene([Fault(COMMIT, silent=True)]),
    "the tag's answer is lost": Scene([Fault("POST .*/tag/", silent=True)]),
    "the answer to creating is lost": Scene([Fault("POST .*repos/create", silent=True)]),
    "the network goes away for good": Scene([Fault(PUT, reset=True, times=999)], ends="unreachable", commits=0),
    "the card is refused": Scene(
        [Fault("validate-yaml", 400, body=b'{"errors": [{"message": "no licence"}], "warnings": []}')],
        ends="bad_card",
        commits=0,
    ),
    "the right to write is taken away": Scene([Fault(COMMIT, 403)], ends="no_right", commits=0),
    "storage refuses the content": Scene([Fault(PUT, 400)], ends="hub_error", commits=0),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str, corpus: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scene = SCENES[name]
    scene.faults = [Fault(**{**f.__dict__, "struck": 0}) for f in scene.faults]
    with Hub(**scene.hub) as hub:
        use(hub, monkeypatch, tmp_path)
        hub.faults = scene.faults
        if scene.ends:
            with pytest.raises(PublishError) as caught:
                publish(corpus)
            assert caught.value.reason == scene.ends, caught.value
            assert_nothing_visible(hub)
            hub.faults = []
        done = publish(corpus)
        assert all(f.struck for f in scene.faults), "the scenario never happened"
        assert max(waits, default=0) >= scene.waited
        assert_whole(hub, corpus)
        assert hub.repo(REPO).refs["refs/tags/v1.0"] == done.commit
        assert len(hub.repo(REPO).commits) == 2, "the Hub's own first commit, and one of ours"
        assert_no_leak(hub)


def assert_nothing_visible(hub: Hub) -> None:
    repo = hub.state.repos.get(REPO)
    assert repo is None or set(repo.listing()) == {".gitattributes"}


def assert_no_leak(hub: Hub) -> None:
    assert [a.line for a in hub.log if a.server == "storage" and a.authorization] == []


def points() -> list[tuple[int, str]]:
    """Thirty moments of a publication: before and after the work of every second request."""
    return [(number, moment) for number in range(1, 46, 3) for moment in ("before", "after")]


@pytest.mark.parametrize(("number", "moment"), points())
def test_killed_at(number: int, moment: str, corpus: Path, hub: Hub, waits: Waits) -> None:
    """kill -9 of the publisher: before the commit nothing is visible, after it everything; the next run ends it."""
    with child(hub, corpus) as process:

        def kill(n: int, when: str) -> None:
            if (n, when) == (number, moment):
                os.kill(process.pid, signal.SIGKILL)

        hub.on_request = kill
    assert process.exitcode == -signal.SIGKILL, f"a publication has fewer than {number} requests"
    hub.on_request = None
    repo = hub.state.repos.get(REPO)
    if repo is not None and len(repo.listing()) > 1:
        assert_whole(hub, corpus)
    before = set(hub.state.objects)
    mark = len(hub.log)
    done = publish(corpus)
    assert_whole(hub, corpus)
    assert hub.repo(REPO).refs["refs/tags/v1.0"] == done.commit
    assert len(hub.repo(REPO).commits) == 2
    again = [a.path for a in hub.log[mark:] if a.line.startswith("PUT /upload/")]
    assert not [p for p in again if p.split("/")[2].partition("?")[0] in before], "sent twice"


def race(hub: Hub, act: Callable[[], None]) -> None:
    hub.faults = [Fault(COMMIT, do=act)]


def note(repo: Repo, path: str = "notes.txt", content: bytes = b"x") -> None:
    """Somebody else commits a file."""
    head = repo.commits[repo.refs["refs/heads/main"]]
    files = {**head.files, path: Entry(len(content), content)}
    repo.refs["refs/heads/main"] = repo.commit_files(files, head.oid, "by hand").oid


@pytest.mark.parametrize("where", ["POST .*/preupload/", COMMIT])
def test_a_server_that_does_not_answer(
    where: str, corpus: Path, hub: Hub, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READ_SECONDS", 2.0)
    hub.faults = [Fault(where, hang=2.6)]
    publish(corpus)
    assert hub.faults[0].struck
    assert_whole(hub, corpus)


def test_race_with_an_unrelated_commit(corpus: Path, hub: Hub, waits: Waits) -> None:
    race(hub, lambda: note(hub.repo(REPO)))
    done = publish(corpus)
    assert done.stray == ["notes.txt"]
    assert_whole(hub, corpus, stray={"notes.txt"})


def test_race_lost_for_ever(corpus: Path, hub: Hub, waits: Waits) -> None:
    names = iter(f"note-{n}.txt" for n in range(99))
    hub.faults = [Fault(COMMIT, do=lambda: note(hub.repo(REPO), next(names)), times=99)]
    with pytest.raises(PublishError, match="kept committing") as caught:
        publish(corpus)
    assert caught.value.reason == "race"


def _also(hub: Hub, folder: Path) -> Callable[[], None]:
    def act() -> None:
        with child(hub, folder) as process:
            pass
        assert process.exitcode == 0

    return act


def test_two_publishers_of_one_corpus(corpus: Path, hub: Hub, waits: Waits, tmp_path: Path) -> None:
    other = shutil.copytree(corpus, tmp_path / "other")
    race(hub, _also(hub, other))
    publish(corpus)
    assert_whole(hub, corpus)
    assert len(hub.repo(REPO).commits) == 2


def test_two_publishers_of_two_versions(corpus: Path, hub: Hub, waits: Waits, tmp_path: Path) -> None:
    other = small.make(tmp_path / "other", version="1.1", without={"train/01-4"})
    race(hub, _also(hub, other))
    with pytest.raises(PublishError) as caught:
        publish(corpus)
    assert caught.value.reason == "race"
    assert_whole(hub, other)


def test_stray_files_are_reported_and_deleted_only_on_request(corpus: Path, hub: Hub, waits: Waits) -> None:
    publish(corpus)
    note(hub.repo(REPO))
    assert publish(corpus).stray == ["notes.txt"]
    assert "notes.txt" in hub.repo(REPO).listing()
    done = publish(corpus, delete_stray=True)
    assert (done.stray, done.removed) == ([], 1)
    assert_whole(hub, corpus)


def test_a_stray_file_that_would_be_read_as_data(corpus: Path, hub: Hub, waits: Waits) -> None:
    hub.state.repos[REPO] = Repo(REPO, private=True)
    note(hub.repo(REPO), "train/99.jsonl.zst")
    with pytest.raises(PublishError) as caught:
        publish(corpus)
    assert caught.value.reason == "stray_data"
    publish(corpus, delete_stray=True)
    assert_whole(hub, corpus)


def test_partial_repository_of_another_tool(corpus: Path, hub: Hub, waits: Waits) -> None:
    """Some of our paths are there with other content, one with ours: only what differs is sent."""
    hub.state.repos[REPO] = Repo(REPO, private=True)
    note(hub.repo(REPO), "README.md", b"half a card")
    note(hub.repo(REPO), "reports/index.html", (corpus / "reports/index.html").read_bytes())
    done = publish(corpus)
    assert_whole(hub, corpus)
    assert done.sent == done.files - 1


def test_a_file_that_the_hub_loses(corpus: Path, hub: Hub, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was accepted and is not whole is noticed, and mended by the next run."""
    from tests.publish import git

    real = git._apply

    def lossy(q: Any, files: dict[str, Entry], key: str, value: dict[str, Any]) -> Any:
        return None if value["path"] == "val.jsonl.zst" else real(q, files, key, value)

    monkeypatch.setattr(git, "_apply", lossy)
    with pytest.raises(PublishError, match=r"val\.jsonl\.zst is missing") as caught:
        publish(corpus)
    assert caught.value.reason == "diverged"
    monkeypatch.setattr(git, "_apply", real)
    publish(corpus)
    assert_whole(hub, corpus)


def test_a_file_that_changes_while_it_is_sent(corpus: Path, hub: Hub, waits: Waits) -> None:
    shard = corpus / "train/00.jsonl.zst"
    content = shard.read_bytes()
    hub.faults = [Fault(BATCH, do=lambda: shard.write_bytes(content[:-1] + b"!"))]
    with pytest.raises(PublishError, match="digest"):
        publish(corpus)
    assert_nothing_visible(hub)
