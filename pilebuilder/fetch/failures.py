"""What can go wrong with one request, as data: a named reason, whether it is worth another attempt, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilebuilder.fetch.backoff import retry_after
from pilebuilder.fetch.base import FetchError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from pilebuilder.fetch.policy import Policy


class Failed(Exception):
    """One attempt that failed. `again` says whether another can help; `restart` that what is held must go first."""

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        again: bool = True,
        lasting: bool = False,
        wait: float | None = None,
        restart: bool = False,
        remedy: str = "",
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.remedy = reason, detail, remedy
        self.again, self.lasting, self.wait, self.restart = again, lasting, wait, restart

    def final(self, attempts: int) -> FetchError:
        """The error for the item, when no attempt is left."""
        tried = f" (after {attempts} attempts)" if attempts > 1 else ""
        return FetchError(self.reason, self.detail + tried, remedy=self.remedy, lasting=self.lasting)


SLOW_DOWN = (b"slow down", b"slowdown", b"rate limit", b"too many requests", b"quota")


def of_status(response: BaseHTTPResponse, address: str, now: float, policy: Policy) -> Failed:
    """The failure that an HTTP status other than success means."""
    status = response.status
    asked = retry_after(response.headers.get("retry-after"), now, policy.retry_after_cap)
    said = f"{address} answered {status} {response.reason or ''}".rstrip()
    if status in (404, 410):
        return Failed("not_found", said, again=False, lasting=True, remedy="the upstream no longer has this item")
    if status == 451:
        return Failed("legal", said, again=False, lasting=True, remedy="withdrawn for legal reasons: leave it out")
    if status == 429:
        return Failed(
            "rate_limited", said, wait=asked, remedy="run the same command again later: it goes on from here"
        )
    if status in (401, 407):
        remedy = "set or renew the credential that the card names"
        return Failed("unauthorized", said, again=False, remedy=remedy)
    if status == 403:
        body = _excerpt(response)
        if asked is not None or any(words in body for words in SLOW_DOWN):
            return Failed("rate_limited", f"{said} and asks to slow down", wait=asked, remedy="run again later")
        return Failed(
            "forbidden", said, again=False, remedy="check the terms, the credential and the User-Agent contact"
        )
    if status in (408, 425) or status >= 500:
        return Failed("server_error", said, wait=asked, remedy="the upstream has trouble: run again later")
    return Failed("refused", said, again=False, lasting=True)


def _excerpt(response: BaseHTTPResponse) -> bytes:
    from urllib3.exceptions import HTTPError

    try:
        return (response.read(4096, decode_content=False) or b"").lower()
    except (HTTPError, OSError):
        return b""


def of_exception(error: BaseException, address: str) -> Failed:
    """The failure that an exception of the HTTP library or the socket means."""
    from urllib3 import exceptions as u3

    from pilebuilder.fetch.connect import ForbiddenAddressError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenAddressError):
            return Failed("forbidden_address", f"{address}: {cause}", again=False, lasting=True)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, u3.SSLError):
        remedy = "check the clock of this machine and the address; a proxy's certificate goes into SSL_CERT_FILE"
        return Failed("tls", f"{address}: {error}", again=False, remedy=remedy)
    if isinstance(error, u3.NameResolutionError):
        return Failed("no_such_host", f"{address}: its host name does not resolve", remedy="check the network")
    if isinstance(error, u3.TimeoutError | TimeoutError):
        return Failed("timeout", f"{address}: {error}", remedy="run again later")
    if isinstance(error, u3.LocationParseError | u3.LocationValueError | u3.URLSchemeUnknown | UnicodeError):
        return Failed("bad_address", f"{address}: {error}", again=False, lasting=True)
    if (
        isinstance(error, u3.InvalidHeader)
        or "Header" in type(error).__name__
        or "LineTooLong" in type(error).__name__
    ):
        return Failed("bad_response", f"{address}: {error}")
    if isinstance(error, u3.IncompleteRead | u3.ProtocolError | ConnectionError):
        return Failed("interrupted", f"{address}: the connection broke: {error}")
    return Failed("interrupted", f"{address}: {type(error).__name__}: {error}")
