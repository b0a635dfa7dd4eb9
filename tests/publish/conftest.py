"""Fixtures of the publish tests."""

from tests.publish.driving import corpus, hub, waits

__all__ = ["corpus", "hub", "waits"]
