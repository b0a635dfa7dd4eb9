"""Buckets and folders as targets: the same files, the same verification, an index written last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.build.verify import verify
from pilebuilder.errors import PilebuilderError
from pilebuilder.publish import run
from pilebuilder.publish.corpus import open_corpus
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.pull import pull
from pilebuilder.publish.run import Options
from pilebuilder.publish.shelf import Shelf, ShelfSource
from pilebuilder.publish.upload import Done
from tests.publish import small
from tests.publish.driving import CALM


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of a loopback S3 server."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="shelf")
        yield "s3://shelf"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "shelf")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def publish(folder: Path, target: str, **options: Any) -> Done:
    done = run.to_shelf(open_corpus(str(folder)), target, Options(patience=CALM, **options), print)
    assert done is not None
    return done


def source(target: str, revision: str | None = None) -> ShelfSource:
    return ShelfSource(target, revision, print, CALM)


def assert_whole(target: str, revision: str) -> None:
    """Zero divergence, read back with nothing of ours but the connection."""
    shelf = Shelf(target, CALM, print)
    manifest = json.loads(shelf.fs.cat_file(shelf.path(revision, "MANIFEST.json")))
    listing = shelf.listing(revision)
    listing.pop("MANIFEST.json")
    assert listing == {f["path"]: f["bytes"] for f in manifest["files"]}
    for f in manifest["files"]:
        assert shelf.digest(revision, f["path"])[0] == f["sha256"]


def test_there_and_back(corpus: Path, target: str, tmp_path: Path) -> None:
    done = publish(corpus, target, tokens=True)
    assert (done.revision, done.sent) == ("v1.0", done.files - 1)
    assert_whole(target, "v1.0")
    assert publish(corpus, target, tokens=True).sent == 0
    pull(source(target), tmp_path / "b")
    assert verify(tmp_path / "b") == []


def test_a_new_version_copies_what_is_there(corpus: Path, target: str, tmp_path: Path) -> None:
    publish(corpus, target)
    new = small.make(tmp_path / "new", version="1.1", without={"train/01-4"})
    done = publish(new, target)
    assert done.sent < 10 < done.files
    for revision in ("v1.0", "v1.1"):
        assert_whole(target, revision)
    shelf = Shelf(target, CALM, print)
    assert [r["revision"] for r in shelf.index()["revisions"]] == ["v1.0", "v1.1"]
    page = (shelf.read("index.html") or b"").decode()
    assert 'href="v1.1/train/00.jsonl.zst"' in page
    assert 'href="v1.1/reports/index.html"' in page
    assert source(target).revision == "v1.1"
    pull(source(target, "v1.0"), tmp_path / "b")
    assert json.loads((tmp_path / "b/corpus.lock").read_bytes())["corpus"]["version"] == "1.0"


def test_unfinished_damaged_and_stray_files(corpus: Path, target: str) -> None:
    """What a killed run left is completed, a file of the right size and wrong content is found and sent again."""
    publish(corpus, target)
    shelf = Shelf(target, CALM, print)
    shelf.fs.rm_file(shelf.path("index.json"))
    size = shelf.listing("v1.0")["train/00.jsonl.zst"]
    for path, content in (("train/00.jsonl.zst", b"x" * size), ("val.jsonl.zst", b"half"), ("notes.txt", b"n")):
        with shelf.fs.open(shelf.path("v1.0", path), "wb") as out:
            out.write(content)
    with pytest.raises(PublishError, match="no revision"):
        source(target)
    done = publish(corpus, target)
    assert (done.sent, done.stray) == (2, ["notes.txt"])
    publish(corpus, target, delete_stray=True)
    assert_whole(target, "v1.0")


def test_a_revision_is_never_replaced(corpus: Path, target: str, tmp_path: Path) -> None:
    publish(corpus, target)
    other = small.make(tmp_path / "other", without={"val-1"})
    with pytest.raises(PublishError, match="another corpus") as caught:
        publish(other, target)
    assert caught.value.reason == "tag_taken"
    publish(other, target, tag="v1.0.1")
    assert_whole(target, "v1.0.1")


def test_a_store_that_keeps_other_bytes(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = str(tmp_path / "shelf")
    real = Shelf.write

    def lossy(self: Shelf, item: Any, *parts: str) -> None:
        real(self, item, *parts)
        if item.path == "val.jsonl.zst":
            Path(self.path(*parts)).write_bytes(b"?")

    monkeypatch.setattr(Shelf, "write", lossy)
    with pytest.raises(PublishError, match=r"val\.jsonl\.zst has other content") as caught:
        publish(corpus, target)
    assert caught.value.reason == "diverged"
    assert not (tmp_path / "shelf/index.json").exists(), "nothing names a revision that is not whole"


def test_places_that_do_not_work(corpus: Path, tmp_path: Path, waits: object) -> None:
    with pytest.raises(PublishError, match="credentials"):
        publish(corpus, "s3://key:secret@bucket/x")
    with pytest.raises(PilebuilderError, match="for a Hub"):
        publish(corpus, str(tmp_path / "x"), gated="auto")
    with pytest.raises(PublishError) as caught:
        publish(corpus, "nosuch://x")
    assert caught.value.reason == "bad_name"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PublishError):
        publish(corpus, str(tmp_path / "file" / "x"))
    with pytest.raises(PublishError, match="inside"):
        publish(corpus, str(tmp_path / "y"), tag="../up")


def test_no_such_bucket(corpus: Path, s3: str, waits: object) -> None:
    with pytest.raises(PublishError):
        publish(corpus, "s3://missing-bucket/x")
