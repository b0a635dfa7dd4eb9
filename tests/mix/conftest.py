"""Fixtures of the tests that run stages through the real worker (also for shard and tokenize)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pilebuilder.build import store


@pytest.fixture(scope="module", autouse=True)
def no_sync() -> Iterator[None]:
    """Commits without waiting for the disk: these tests make thousands, and none of them cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "sync", lambda path: None)
        yield
