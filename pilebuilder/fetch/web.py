"""The way to the network: one object per task or listing, which opens nothing until it is asked for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How upstreams are asked. Nothing here decides the content of a file that arrives."""

    contact: str = ""
    signals: str = "respect"
    tries: int = 8


class Web:
    """Access to upstreams under one policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    @classmethod
    def open(cls, params: Mapping[str, Any] | None = None) -> Web:
        """From task parameters."""
        return cls(Policy(**(params or {})))

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        return None
