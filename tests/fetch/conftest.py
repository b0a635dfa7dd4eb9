"""Fixtures of the fetch tests: a loopback server that may be asked, and a shared store of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilebuilder.fetch.clock import FakeClock
from pilebuilder.fetch.connect import ALLOW_PRIVATE
from pilebuilder.fetch.policy import Policy
from pilebuilder.fetch.rawstore import STORE, RawStore
from pilebuilder.fetch.web import Web
from tests.fetch.server import Server, running


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RawStore:
    """Each test has its own shared store."""
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return RawStore()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running() as found:
        monkeypatch.setenv(ALLOW_PRIVATE, found.netloc)
        yield found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_web(clock: FakeClock) -> Iterator[Callable[..., Web]]:
    """Webs whose waits cost no time: their clock moves only when someone sleeps."""
    made: list[Web] = []

    def make(**policy: object) -> Web:
        made.append(Web(Policy(**{"delay": 0.0, **policy}), clock))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for web in made:
        web.__exit__()
