"""Tests of what the stage finds do not wait for the disk: that commits are durable is tested with the store."""

from __future__ import annotations

import pytest

from pilebuilder.build import store


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "sync", lambda path: None)
