"""Credentials: which environment variable holds one, and the one host that may see it.

The pairs stand here and not on cards, so that no card or recipe can have a key of the user sent somewhere else.
Nothing here writes a credential anywhere; messages name the variable only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.policy import Secret


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential comes from and where it may go."""

    variable: str
    host: str
    header: str
    prefix: str
    apply: str
    """Where a person gets one."""


PLACES: dict[str, Place] = {
    "uspto": Place("USPTO_API_KEY", "api.uspto.gov", "X-API-KEY", "", "https://data.uspto.gov/apis/getting-started"),
    "github": Place(
        "GITHUB_TOKEN", "api.github.com", "Authorization", "Bearer ", "https://github.com/settings/tokens"
    ),
}


def secret_of(name: str) -> Secret:
    """The credential of that name; raises `FetchError` when the environment does not hold it."""
    place = PLACES[name]
    value = os.environ.get(place.variable, "").strip()
    if not value:
        remedy = f"get a key at {place.apply} and set {place.variable} in the environment (never in a recipe)"
        raise FetchError("no_credential", f"{place.host} wants a key, and {place.variable} is not set", remedy=remedy)
    if not value.isascii() or not value.isprintable():
        raise FetchError("no_credential", f"{place.variable} holds characters that no key has", remedy="set it again")
    return Secret(host=place.host, headers={place.header: place.prefix + value})


def is_set(name: str) -> bool:
    """Whether the environment holds the credential."""
    return bool(os.environ.get(PLACES[name].variable, "").strip())
