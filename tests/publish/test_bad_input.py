"""Wrong tokens, names, owners and builds; what stops without a yes; secrets that must not travel."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pilebuilder import frames
from pilebuilder.build.lockfile import RunLock
from pilebuilder.build.publish import lock_digest
from pilebuilder.build.verify import verify
from pilebuilder.errors import LockedError, NoSpaceError
from pilebuilder.publish import hub as clients
from pilebuilder.publish.layout import Limits
from pilebuilder.publish.problem import PublishError, clean
from pilebuilder.publish.pull import HubSource, pull
from tests.publish import small
from tests.publish.driving import CALM, REPO, Waits, assert_whole, publish, use
from tests.publish.faults import Fault
from tests.publish.hub import Hub
from tests.publish.store import Account, Repo

SECRET = "hf_Secret0123456789abcdef"


def refused(reason: str, *args: Any, **options: Any) -> str:
    with pytest.raises(PublishError) as caught:
        publish(*args, **options)
    assert caught.value.reason == reason, caught.value
    return str(caught.value)


def test_no_token(corpus: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(hub, monkeypatch, tmp_path, token=None)
    assert "HF_TOKEN" in refused("no_token", corpus)
    assert hub.log == []


def test_the_stored_token_goes_to_the_public_hub_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clients, "_stored", lambda: "hf_stored")
    assert clients.token(clients.DEFAULT) == "hf_stored"
    with pytest.raises(PublishError, match="is not sent elsewhere"):
        clients.token("https://example.org")


def test_plain_http_only_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")
    with pytest.raises(PublishError, match="unencrypted"):
        clients.endpoint()


def test_unknown_token(corpus: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waits: Waits) -> None:
    use(hub, monkeypatch, tmp_path, token="hf_wrong")
    assert "expired" in refused("bad_token", corpus)


def test_token_that_may_only_read(corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Hub([Account("me", "hf_me", role="read")]) as hub:
        use(hub, monkeypatch, tmp_path)
        assert "only read" in refused("no_right", corpus)
        assert [a.path for a in hub.log] == ["/api/whoami-v2"]


def test_repository_of_somebody_else(corpus: Path, hub: Hub) -> None:
    hub.state.repos["you/small"] = Repo("you/small", private=False)
    assert "lab" in refused("other_owner", corpus, repo="you/small")
    assert set(hub.repo("you/small").listing()) == {".gitattributes"}


def test_repository_of_an_organisation(corpus: Path, hub: Hub) -> None:
    publish(corpus, repo="lab/small")
    assert_whole(hub, corpus, repo="lab/small")


@pytest.mark.parametrize("name", ["me/a--b", "me/.git", "me/a b", "small", "me/" + "x" * 120, "a/b/c"])
def test_name_that_is_not_allowed(name: str, corpus: Path, hub: Hub) -> None:
    refused("bad_name", corpus, repo=name)
    assert hub.state.repos == {}


def test_no_network(corpus: Path, monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_me")
    assert "Check the network" in refused("unreachable", corpus)


def test_disk_full_in_the_upload_cache(corpus: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    shutil.rmtree(corpus / ".pilebuilder")
    with monkeypatch.context() as patch:
        patch.setattr(frames.FrameWriter, "_flush", full)
        with pytest.raises(NoSpaceError):
            publish(corpus)
    assert not list((corpus / ".pilebuilder/publish").glob("*.tmp")), "unfinished files are removed"
    publish(corpus)
    assert_whole(hub, corpus)


def test_too_many_files(corpus: Path, hub: Hub) -> None:
    assert "shards" in refused("over_limit", corpus, limits=Limits(folder=2))
    assert "--no-components" in refused("over_limit", corpus, limits=Limits(repository=5))


def test_folder_in_use(corpus: Path, hub: Hub) -> None:
    with RunLock(corpus), pytest.raises(LockedError):
        publish(corpus)


def test_not_built(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "empty").mkdir()
    refused("not_built", tmp_path / "empty")


def test_missing_and_damaged_files(corpus: Path, hub: Hub) -> None:
    shard = corpus / "val.jsonl.zst"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "val.jsonl.zst" in refused("refused", corpus)
    shard.unlink()
    assert "missing" in refused("lock", corpus, yes=True)


def test_a_changed_file_is_published_as_it_is_on_a_yes(corpus: Path, hub: Hub, tmp_path: Path) -> None:
    """The manifest states the digest that the file has; whoever pulls is told by the manifest that the lock is off."""
    (corpus / "reports/index.html").write_text("edited by hand")
    done = publish(corpus, yes=True)
    assert done.manifest.accepted == ["lock"]
    pull(HubSource(REPO, "main", print, CALM), tmp_path / "b")
    assert (tmp_path / "b/reports/index.html").read_text() == "edited by hand"
    assert [f.kind for f in verify(tmp_path / "b")] == ["corrupt"]


def test_a_shard_that_cannot_be_read(corpus: Path, hub: Hub) -> None:
    shard = corpus / "train/01.jsonl.zst"
    raw = bytearray(shard.read_bytes())
    raw[20] ^= 255
    shard.write_bytes(raw)
    assert "cannot be read" in refused("lock", corpus, yes=True)


def test_a_lock_that_was_edited(corpus: Path, hub: Hub) -> None:
    lock = json.loads((corpus / "corpus.lock").read_bytes())
    lock["corpus"]["version"] = "9"
    (corpus / "corpus.lock").write_text(json.dumps(lock))
    assert "its digest is" in refused("refused", corpus)


def test_documents_that_the_lock_does_not_count(corpus: Path, hub: Hub) -> None:
    lock = json.loads((corpus / "corpus.lock").read_bytes())
    lock["stages"]["shard"]["tally"]["Pages"]["kept"] += 1
    lock["digest"] = lock_digest(lock)
    (corpus / "corpus.lock").write_text(json.dumps(lock))
    assert "the lock says" in refused("lock", corpus, yes=True)


CONCERNS: dict[str, tuple[dict[str, Any], str]] = {
    "quarantine": ({"quarantined": 20}, "Pages: 20 in quarantine"),
    "secrets": ({"secrets": 3}, "3 keys or tokens"),
    "personal-data": ({"emails": 2}, "2 e-mail"),
    "local only": ({"terms": {"Pages": {"access": "local_only"}}}, "Pages is for local use only"),
    "terms": ({"terms": {"Pages": {"terms": "no"}}}, "do not allow"),
    "no derivatives": ({"terms": {"Pages": {"licence": "CC-BY-ND-4.0"}}}, "forbids"),
    "rights reserved": ({"terms": {"Pages": {"licence": "All rights reserved"}}}, "forbids"),
}


@pytest.mark.parametrize("name", CONCERNS)
def test_what_stops_without_a_yes(name: str, tmp_path: Path, hub: Hub) -> None:
    settings, words = CONCERNS[name]
    corpus = small.make(tmp_path / "c", **settings)
    assert words in refused("refused", corpus)
    assert hub.state.repos == {}, "nothing is created before the yes"
    done = publish(corpus, yes=True)
    assert_whole(hub, corpus)
    assert done.manifest.accepted
    assert words in (hub.repo(REPO).resolve("main").files["README.md"].content or b"").decode()  # type: ignore[union-attr]


def test_personal_data_has_its_own_flag(tmp_path: Path, hub: Hub) -> None:
    corpus = small.make(tmp_path / "c", emails=2)
    publish(corpus, acknowledge_personal_data=True)
    assert publish(corpus, acknowledge_personal_data=True).manifest.accepted == ["personal-data"]


def test_a_public_repository_needs_the_word(corpus: Path, hub: Hub) -> None:
    hub.state.repos[REPO] = Repo(REPO, private=False)
    assert "--public" in refused("refused", corpus)
    publish(corpus, public=True)
    assert_whole(hub, corpus)


def test_public_only_once_it_is_verified(corpus: Path, hub: Hub, waits: Waits) -> None:
    seen: list[bool] = []
    hub.faults = [Fault("POST .*/tag/", do=lambda: seen.append(hub.repo(REPO).private))]
    publish(corpus, public=True)
    assert seen == [True]
    assert not hub.repo(REPO).private


def test_private_by_default(corpus: Path, hub: Hub) -> None:
    publish(corpus)
    assert hub.repo(REPO).private


@pytest.mark.parametrize(
    ("where", "status"), [("POST .*/commit/", 307), ("POST .*objects/batch", 308), ("GET .*/tree/", 302)]
)
def test_the_token_is_not_sent_after_a_redirect(where: str, status: int, corpus: Path, hub: Hub, waits: Waits) -> None:
    with Hub() as stranger:
        target = f"{stranger.endpoint}/api/datasets/me/small/elsewhere"
        hub.faults = [Fault(where, status, {"Location": target}, times=9)]
        with pytest.raises(PublishError):
            publish(corpus)
        assert [a.line for a in stranger.log if a.authorization] == []
        assert not [a for a in stranger.log if a.method not in ("GET", "HEAD")]


def test_the_token_is_not_sent_where_an_answer_says(corpus: Path, hub: Hub, waits: Waits) -> None:
    """The address for the check after an upload comes from the server, and the client would send its token there."""
    with Hub() as stranger:
        hub.verify_at = stranger.endpoint
        with pytest.raises(PublishError):
            publish(corpus)
        assert stranger.log
        assert [a.authorization for a in stranger.log if a.authorization] == []


def test_messages_hold_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "not-shaped-like-a-token")
    text = clean(f"GET https://u:p@host/x?sig=abc {SECRET} Bearer abc not-shaped-like-a-token")
    for word in ("sig=abc", SECRET, "u:p@", "not-shaped", "Bearer abc"):
        assert word not in text


def test_command_line_keeps_the_token_to_itself(corpus: Path, tmp_path: Path) -> None:
    """The verbs in their own processes, in trouble and in debug mode: the token is in no line of output, no file."""
    with Hub([Account("me", SECRET)]) as hub:
        hub.faults = [Fault("POST .*objects/batch", 429, {"Retry-After": "0"}), Fault("PUT /upload/", 503)]
        env = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": SECRET, "HF_HOME": str(tmp_path / "hf"), "HF_DEBUG": "1"}
        env |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}

        def verb(*arguments: object) -> str:
            command = [sys.executable, "-m", "pilebuilder", *map(str, arguments)]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert SECRET not in done.stdout + done.stderr
            assert "signature=s" not in done.stderr
            return done.stdout

        assert "all as the manifest says" in verb("publish", corpus, "--repo", REPO)
        assert_whole(hub, corpus)
        assert "as the manifest and the lock say" in verb("pull", REPO, "--out", tmp_path / "b")
    for path in [*(corpus / ".pilebuilder").rglob("*"), *(tmp_path / "b").rglob("*"), *(tmp_path / "hf").rglob("*")]:
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
