"""How upstreams are asked: limits, waits and identification. Nothing here decides the content of what arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

AGENT = "pilebuilder"
MIB = 1 << 20
Credential = Literal["uspto", "github"]
"""Names of credentials; `pilebuilder.fetch.credentials` says where they come from and go."""


Date = Annotated[str, BeforeValidator(str), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
"""A date as text; YAML reads it as a date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy for all upstreams of a recipe. Times in seconds, sizes in bytes."""

    contact: str = ""
    """Mail or web address in the User-Agent: many archives demand one."""
    signals: str = "respect"
    """What robots.txt, rights reservations and noai signals do to crawled items: respect, record or ignore."""
    refresh: str = ""
    """A label; items without a version of their own are asked again (conditionally) once per label."""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Host name -> base address to ask instead."""
    allow_http: tuple[str, ...] = ()
    """Hosts that may be asked without encryption."""
    tries: int = 8
    """Most attempts at one file that bring less than `progress` bytes each."""
    progress: int = MIB
    patience: float = 3600.0
    """Most time spent waiting between attempts at one file."""
    backoff_base: float = 1.0
    backoff_cap: float = 120.0
    retry_after_cap: float = 3600.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    header_timeout: float = 30.0
    """From the request to the end of the headers, however slowly they trickle in."""
    floor_rate: int = 1024
    """Bytes a second below which a body is given up, measured over `floor_window`."""
    floor_window: float = 60.0
    redirects: int = 5
    max_file: int = 1 << 40
    max_page: int = 256 * MIB
    """Listings and pages, decoded; they are held in memory."""
    max_ratio: int = 200
    """Most decoded bytes per byte on the wire, above the first 16 MiB."""
    delay: float = 0.5
    """Least time between two requests to one host, unless the card says otherwise."""
    connections: int = 1

    @property
    def user_agent(self) -> str:
        from pilebuilder import __version__

        return f"{AGENT}/{__version__} (builds text corpora; contact: {self.contact or 'not given'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How one upstream wants to be asked; cards set it where it differs from the policy."""

    delay: float | None = None
    connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A credential, and the one host that may see it."""

    host: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    sign: Callable[[str, str], Mapping[str, str]] | None = field(repr=False, default=None)
    """Makes the headers for (method, address) at the moment of asking; for signatures, which expire."""
