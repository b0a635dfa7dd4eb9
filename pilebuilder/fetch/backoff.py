"""When to try again: exponential waits with full jitter, and what Retry-After asks for."""

from __future__ import annotations

import email.utils
import hashlib

from pilebuilder.fetch.policy import Policy


def wait(policy: Policy, address: str, failures: int) -> float:
    """Seconds before the next attempt: uniform in 0 .. min(cap, base * 2**n), drawn from the address and the count.

    Drawn, not random: the schedule of a file can be recomputed, and two files do not knock at the same moment.
    """
    ceiling = min(policy.backoff_cap, policy.backoff_base * 2.0 ** (failures - 1))
    draw = int.from_bytes(hashlib.blake2b(f"{address}\0{failures}".encode(), digest_size=8).digest()) / 2**64
    return float(draw * ceiling)


def retry_after(value: str | None, now: float, cap: float) -> float | None:
    """Seconds asked for by a Retry-After header, in either of its forms; None when it is absent or not one.

    >>> retry_after("120", 0.0, 3600.0), retry_after("soon", 0.0, 3600.0)
    (120.0, None)
    """
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), cap)
    try:
        when = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, when - now), cap)
