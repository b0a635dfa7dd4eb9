"""When to try again: which failures pass, how long to wait, and when to give up with a name for it."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pilebuilder.publish.problem import PublishError, clean

T = TypeVar("T")
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""
sleep = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Exponential waits, and what Retry-After asks for."""

    tries: int = 8
    base: float = 1.0
    cap: float = 60.0
    longest: float = 3600.0
    """Most seconds that one Retry-After is followed."""

    def run(self, what: str, work: Callable[[], T], say: Callable[[str], None]) -> T:
        """Do `work` until it succeeds, fails for good, or has failed `tries` times.

        Raises `PublishError` ``gave_up`` or ``unreachable`` after the last try; failures that do not pass are raised
        as they are.
        """
        for attempt in range(1, self.tries + 1):
            try:
                return work()
            except Exception as error:
                if not passing(error):
                    raise
                if attempt == self.tries:
                    raise gave_up(what, error, attempt) from None
                seconds = self.wait(error, attempt)
                say(f"{what}: {brief(error)}; again in {seconds:.0f} s ({attempt} of {self.tries})")
                sleep(seconds)
        raise AssertionError("unreachable")

    def wait(self, error: BaseException, attempt: int) -> float:
        """Seconds before the next try."""
        asked = retry_after(error)
        if asked is not None:
            return min(asked, self.longest)
        return min(self.cap, self.base * 2.0 ** (attempt - 1))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def status(error: BaseException) -> int | None:
    """The HTTP status behind an error, if it has one."""
    for cause in chain(error):
        response: Any = getattr(cause, "response", None)
        code = getattr(response, "status_code", None)
        if isinstance(code, int):
            return code
    return None


def stale_address(error: BaseException, home: str) -> bool:
    """Whether storage on another host refused a signed address, which has expired: a new one will do."""
    for cause in chain(error):
        response: Any = getattr(cause, "response", None)
        if getattr(response, "status_code", None) == 403 and not str(response.request.url).startswith(home):
            return True
    return False


def disconnected(error: BaseException) -> bool:
    """Whether the network failed: no connection, a reset, a time-out."""
    for cause in chain(error):
        if isinstance(cause, ConnectionError | TimeoutError):
            return True
        module = type(cause).__module__.split(".")[0]
        if module in ("httpx", "httpx2", "httpcore", "httpcore2") and not hasattr(cause, "response"):
            return True
    return False


def passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if any(isinstance(cause, PublishError) for cause in chain(error)):
        return False
    code = status(error)
    if code is not None:
        return code in PASSING
    # An answer that is no JSON is a proxy's page, not the Hub's word.
    return disconnected(error) or any(isinstance(cause, json.JSONDecodeError) for cause in chain(error))


def retry_after(error: BaseException) -> float | None:
    """Seconds a server asked to wait, in either form of the header."""
    for cause in chain(error):
        headers: Any = getattr(getattr(cause, "response", None), "headers", None)
        value = (headers.get("retry-after") or "").strip() if headers is not None else ""
        if value.isascii() and value.isdigit():
            return float(value[:9])
        if value:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
            except (ValueError, TypeError, OverflowError):
                return None
    return None


def brief(error: BaseException) -> str:
    """One line about an error, without secrets."""
    code = status(error)
    innermost = list(chain(error))[-1]
    text = clean(str(innermost)).strip().splitlines()
    return (f"HTTP {code}" if code else type(innermost).__name__) + (f" ({text[0][:160]})" if text else "")


def gave_up(what: str, error: BaseException, tries: int) -> PublishError:
    if disconnected(error) and status(error) is None:
        return PublishError(
            "unreachable",
            f"{what}: no connection ({brief(error)}) after {tries} tries. Check the network and HF_ENDPOINT, then run"
            " the same command: it goes on where it stopped",
        )
    return PublishError(
        "gave_up", f"{what}: {brief(error)} after {tries} tries. Run the same command later: it goes on"
    )
