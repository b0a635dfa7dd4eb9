"""Misbehaviour on order: a fault waits for requests that fit, and does its harm a stated number of times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request as the server logged it."""

    server: str
    """``hub`` or ``storage``: the second is another host, which must never see the token."""
    method: str
    path: str
    authorization: str | None
    received: int = 0
    status: int = 0

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Fault:
    """``where`` is searched in ``METHOD /path``; after ``skip`` fits it strikes ``times`` times."""

    where: str
    status: int = 0
    """Answer with this status instead of the work; 0 with ``reset``, ``silent`` or ``do``."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "injected"}'
    reset: bool = False
    """Cut the connection after `after` bytes of the request's body."""
    after: int = 0
    silent: bool = False
    """Do the work, then cut the connection instead of answering: the client cannot know."""
    hang: float = 0.0
    """Seconds of silence before anything else."""
    do: Callable[[], None] | None = None
    """Run this first (another publisher commits; a process is killed); then work goes on."""
    times: int = 1
    skip: int = 0
    struck: int = 0

    def fits(self, line: str) -> bool:
        if not re.search(self.where, line) or self.struck >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True
