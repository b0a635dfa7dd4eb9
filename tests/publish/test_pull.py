"""A published corpus comes back whole, or says what is wrong with it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.build.verify import verify
from pilebuilder.publish.manifest import safe
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.pull import HubSource, Pulled, pull
from tests.publish import small
from tests.publish.driving import CALM, REPO, Waits, child, publish, use
from tests.publish.faults import Fault
from tests.publish.hub import Hub
from tests.publish.store import Entry


def fetch(folder: Path, revision: str = "main", **options: Any) -> Pulled:
    return pull(HubSource(REPO, revision, print, CALM), folder, **options)


def refused(reason: str, folder: Path, **options: Any) -> str:
    with pytest.raises(PublishError) as caught:
        fetch(folder, **options)
    assert caught.value.reason == reason, caught.value
    return str(caught.value)


def same(a: Path, b: Path, folders: tuple[str, ...] = ("train", "reports")) -> None:
    for folder in folders:
        for path in (a / folder).rglob("*"):
            if path.is_file():
                assert path.read_bytes() == (b / path.relative_to(a)).read_bytes()


def test_all_of_it(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus, ledger=True, tokens=True)
    done = fetch(tmp_path / "b")
    assert done.absent == []
    same(corpus, tmp_path / "b", ("train", "reports", "tokens", "ledger"))
    assert verify(tmp_path / "b") == []
    assert not (tmp_path / "b/data").exists()
    assert not (tmp_path / "b/.pilebuilder/pull").exists()
    assert fetch(tmp_path / "b").fetched == 0


def test_what_was_not_published_is_not_missed_but_damage_is(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    assert fetch(tmp_path / "b").absent == ["ledger", "tokens"]
    assert verify(tmp_path / "b") == []
    (tmp_path / "b/val.jsonl.zst").unlink()
    assert [str(f) for f in verify(tmp_path / "b")] == [
        f"missing: val.jsonl.zst: {(corpus / 'val.jsonl.zst').stat().st_size:,} bytes expected"
    ]
    fetch(tmp_path / "b")
    assert verify(tmp_path / "b") == []


def test_skip_and_components(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    done = fetch(tmp_path / "b", skip=["reports"], components=True)
    assert "reports" in done.absent
    assert not (tmp_path / "b/reports").exists()
    assert (tmp_path / "b/data/letters/train-00000.jsonl.zst").exists()
    assert verify(tmp_path / "b") == []


def test_a_tag_and_then_the_newest(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    """A pulled folder is brought to another version; what that does not hold any more leaves."""
    publish(corpus)
    new = small.make(tmp_path / "new", version="1.1", without={"train/01-4"})
    (new / "reports/index.html").unlink()
    lock = json.loads((new / "corpus.lock").read_bytes())
    lock["outputs"] = [o for o in lock["outputs"] if o["path"] != "reports/index.html"]
    from pilebuilder.build.publish import lock_digest

    lock["digest"] = lock_digest(lock)
    (new / "corpus.lock").write_text(json.dumps(lock))
    publish(new)
    fetch(tmp_path / "b", revision="v1.0")
    same(corpus, tmp_path / "b")
    done = fetch(tmp_path / "b")
    same(new, tmp_path / "b")
    assert not (tmp_path / "b/reports/index.html").exists()
    assert done.fetched < done.files
    assert verify(tmp_path / "b") == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET /object/", reset=True, times=2),
        Fault("GET /object/", 503, times=2),
        Fault("(GET|HEAD) .*/resolve/", 429, {"Retry-After": "2"}, times=2),
        Fault("GET .*/tree/", 503),
    ],
    ids=["reset", "503", "429", "listing"],
)
def test_trouble_on_the_way(fault: Fault, corpus: Path, hub: Hub, tmp_path: Path, waits: Waits) -> None:
    publish(corpus)
    hub.faults = [Fault(**{**fault.__dict__, "struck": 0})]
    fetch(tmp_path / "b")
    assert hub.faults[0].struck
    same(corpus, tmp_path / "b")


def test_interrupted_and_continued(corpus: Path, hub: Hub, tmp_path: Path, waits: Waits) -> None:
    publish(corpus)
    hub.faults = [Fault("GET /object/", 503, skip=2, times=999)]
    refused("gave_up", tmp_path / "b")
    assert not (tmp_path / "b/corpus.lock").exists(), "an unfinished pull does not look like a corpus"
    hub.faults = []
    done = fetch(tmp_path / "b")
    assert 0 < done.fetched < done.files
    assert verify(tmp_path / "b") == []


@pytest.mark.parametrize("number", [3, 9, 20, 40])
def test_killed(number: int, corpus: Path, hub: Hub, tmp_path: Path) -> None:
    """kill -9 of a pull: the folder does not look like a corpus until it is one, and the next pull ends it."""
    publish(corpus)
    hub.log.clear()
    with child(hub, tmp_path / "b", back=True) as process:

        def kill(n: int, when: str) -> None:
            if (n, when) == (number, "after"):
                os.kill(process.pid, signal.SIGKILL)

        hub.on_request = kill
    assert process.exitcode == -signal.SIGKILL
    hub.on_request = None
    assert not (tmp_path / "b/corpus.lock").exists()
    fetch(tmp_path / "b")
    assert verify(tmp_path / "b") == []


def test_content_that_is_not_what_the_manifest_says(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    repo = hub.repo(REPO)
    head = repo.commits[repo.refs["refs/heads/main"]]
    digest = head.files["train/00.jsonl.zst"].sha256 or ""
    raw = hub.state.objects[digest]
    hub.state.objects[digest] = raw[:-1] + bytes([raw[-1] ^ 1])
    assert "train/00.jsonl.zst" in refused("diverged", tmp_path / "b")


def replace(hub: Hub, path: str, content: bytes) -> None:
    repo = hub.repo(REPO)
    head = repo.commits[repo.refs["refs/heads/main"]]
    files = {**head.files, path: Entry(len(content), content)}
    repo.refs["refs/heads/main"] = repo.commit_files(files, head.oid, "tampered").oid


def test_a_manifest_that_would_write_elsewhere(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    raw = hub.repo(REPO).resolve("main").files["MANIFEST.json"].content  # type: ignore[union-attr]
    data = json.loads(raw or b"")
    for path in ("../evil", "/etc/evil", "a/../../evil", "a\\b", ""):
        data["files"][0]["path"] = path
        replace(hub, "MANIFEST.json", json.dumps(data).encode())
        refused("bad_manifest", tmp_path / "b")
        with pytest.raises(ValueError, match="inside"):
            safe(path)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 9}', b"\xff"])
def test_a_manifest_that_is_none(content: bytes, corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    replace(hub, "MANIFEST.json", content)
    refused("bad_manifest", tmp_path / "b")


def test_another_lock(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    other = small.make(tmp_path / "other", version="2")
    replace(hub, "corpus.lock", (other / "corpus.lock").read_bytes())
    refused("lock", tmp_path / "b")


def test_not_there_and_not_ours(corpus: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused("not_found", tmp_path / "b")
    publish(corpus)
    refused("not_found", tmp_path / "b", revision="v9")
    use(hub, monkeypatch, tmp_path, token=None)
    with pytest.raises(PublishError):
        fetch(tmp_path / "b")
    hub.repo(REPO).private = False
    fetch(tmp_path / "b")


def test_a_corpus_that_was_built_here_is_not_written_over(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    publish(corpus)
    other = small.make(tmp_path / "other", version="2")
    refused("refused", other)
    assert verify(other) == []
