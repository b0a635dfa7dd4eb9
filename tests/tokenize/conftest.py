"""Fixtures of these tests."""

from tests.mix.conftest import no_sync

__all__ = ["no_sync"]
