"""Driving publications in tests: in this process with waits skipped, or in a child that can be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.build.verify import group
from pilebuilder.publish import patience, pieces, run
from pilebuilder.publish.corpus import open_corpus
from pilebuilder.publish.pull import HubSource, pull
from pilebuilder.publish.run import Options
from pilebuilder.publish.upload import Done
from tests.publish import small
from tests.publish.hub import Hub

REPO = "me/small"
CALM = patience.Patience(tries=4, base=1.0)


class Waits(list[float]):
    """Seconds that would have been waited."""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """No wait is real; all are written down."""
    import huggingface_hub.utils._http as http

    found = Waits()
    shim = types.SimpleNamespace(**{**vars(http.time), "sleep": found.append})
    monkeypatch.setattr(http, "time", shim)
    monkeypatch.setattr(patience, "sleep", found.append)
    return found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of a few kilobytes, its files per component made already."""
    folder = small.make(tmp_path_factory.mktemp("template") / "corpus")
    found = open_corpus(str(folder))
    pieces.make(found, pieces.plan(found, folder / ".pilebuilder/publish", parquet=False))
    return folder


@pytest.fixture
def corpus(template: Path, tmp_path: Path) -> Path:
    """A copy of it, to publish or to spoil."""
    return Path(shutil.copytree(template, tmp_path / "corpus"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub whose account's token stands in the environment."""
    with Hub() as found:
        use(found, monkeypatch, tmp_path)
        yield found


def use(found: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str | None = "hf_me") -> None:
    """Point this process at a Hub."""
    monkeypatch.setenv("HF_ENDPOINT", found.endpoint)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)


def publish(folder: Path, *, repo: str = REPO, said: list[str] | None = None, **options: Any) -> Done:
    """Publish a folder to the Hub that the environment names."""
    options.setdefault("patience", CALM)
    say: Callable[[str], None] = (said if said is not None else []).append
    done = run.to_hub(open_corpus(str(folder)), repo, Options(**options), say)
    assert done is not None
    return done


def assert_whole(
    hub: Hub, folder: Path, *, repo: str = REPO, revision: str = "main", stray: set[str] = frozenset()
) -> None:  # type: ignore[assignment]
    """Zero divergence: the listing is the manifest, file by file, and the manifest is of this corpus."""
    listing = hub.repo(repo).listing(revision)
    commit = hub.repo(repo).resolve(revision)
    assert commit is not None
    held = commit.files["MANIFEST.json"]
    raw = held.content if held.content is not None else hub.state.objects[held.sha256 or ""]
    manifest = json.loads(raw)
    stated = {f["path"]: (f["bytes"], f["sha256"]) for f in manifest["files"]}
    for name in (".gitattributes", "MANIFEST.json", *stray):
        listing.pop(name)
    assert listing == stated
    lock = json.loads((folder / "corpus.lock").read_bytes())
    assert manifest["lock"] == lock["digest"]
    whole = {o["path"]: (o["bytes"], o["sha256"]) for o in lock["outputs"]}
    parts = {f["of"] for f in manifest["files"] if "of" in f}
    absent = {p for p in whole if group(p) in manifest["absent"]}
    assert {p: v for p, v in whole.items() if p not in absent | parts}.items() <= stated.items()


def _child(endpoint: str, token: str, folder: str, repo: str, back: bool) -> None:
    os.environ.update(HF_ENDPOINT=endpoint, HF_TOKEN=token)
    if back:
        pull(HubSource(repo, "main", print, CALM), Path(folder))
    else:
        publish(Path(folder), repo=repo)


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.publish.driving", "huggingface_hub.hf_api", "pyarrow.parquet", "pyarrow.compute"])


@contextmanager
def child(hub: Hub, folder: Path, repo: str = REPO, token: str = "hf_me", *, back: bool = False) -> Iterator[Any]:
    """A process that publishes `folder`, or pulls into it."""
    process = FORKS.Process(target=_child, args=(hub.endpoint, token, str(folder), repo, back))
    process.start()
    try:
        yield process
        process.join(60)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
