"""Fixtures of the publish tests."""

from tests.publish.driving import corpus, hub, template, waits

__all__ = ["corpus", "hub", "template", "waits"]
